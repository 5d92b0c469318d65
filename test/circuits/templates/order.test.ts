/** The templates of circuits/order one by one, against their twins and at every bound. */
import { expect } from 'chai';
import fc from 'fast-check';
import { poseidon } from '#protocol/crypto/poseidon.ts';
import { InputError } from '#protocol/errors.ts';
import {
  MESSAGE_KIND,
  type Message,
  ORDER_LAYOUT,
  packMessage,
  unpackMessage,
  WITHDRAW_LAYOUT,
} from '#protocol/message.ts';
import { layoutBits, type PackField } from '#protocol/pack.ts';
import { messageTreeRoot } from '#protocol/signing.ts';
import { nonceWordOf } from '#protocol/transition/nonces.ts';
import { messageChildren } from '#prover/witness/paths.ts';
import { anyOrderMessage, anyWithdrawal } from '#test/support/circuits/arbitrary-message.ts';
import { HALF, template, type Values } from '#test/support/circuits/template.ts';

const MESSAGE = 'circuits/order/message.circom';
const nonceBits = (nonce: bigint): bigint[] => [0n, 1n, 2n, 3n, 4n].map((i) => (nonce >> i) & 1n);
const shiftOf = (layout: readonly PackField[], name: string): bigint =>
  BigInt(
    layoutBits(
      layout.slice(
        0,
        layout.findIndex((field) => field.name === name),
      ),
    ),
  );

/** What the packed element says by its twin; undefined where the twin refuses it. */
function unpacked(packed: bigint): Message | undefined {
  try {
    return unpackMessage(packed);
  } catch (error) {
    if (error instanceof InputError) return undefined;
    throw error;
  }
}

/** A packed message, some of its bits flipped: most are malformed, in every way there is. */
const flipped = (messages: fc.Arbitrary<Message>, bits: number): fc.Arbitrary<bigint> =>
  fc
    .record({ message: messages, places: fc.array(fc.oneof(fc.nat(bits - 1), fc.nat(7)), { maxLength: 2 }) })
    .map(({ message, places }) =>
      places.reduce((word, at) => word ^ (1n << BigInt(at)), packMessage(message)),
    );

/** Each packed element is split into what its twin says, and refused where the twin refuses it. */
async function splitsAsTwin(
  fields: Awaited<ReturnType<ReturnType<typeof template>>>,
  elements: fc.Arbitrary<bigint>,
  twin: (message: Message) => Values | undefined,
): Promise<void> {
  const seen = { split: 0, refused: 0 };
  await fc.assert(
    fc.asyncProperty(elements, async (packed) => {
      const message = unpacked(packed);
      const expected = message === undefined ? undefined : twin(message);
      seen[expected === undefined ? 'refused' : 'split']++;
      if (expected !== undefined) await fields.equals({ message: packed }, expected);
      else expect(await fields.isAccepted({ message: packed }), `${packed}`).to.equal(packed === 0n);
    }),
    { numRuns: 120 },
  );
  expect(Math.min(seen.split, seen.refused)).to.be.at.least(1);
}

describe('message of an order, cancel or cancel-all', () => {
  const fields = template(MESSAGE, 'OrderFields()');
  const BITS = layoutBits(ORDER_LAYOUT);
  const TOO_LONG = 'OrderFields: bits.in <== message;';
  const NOTHING = {
    isOrder: 0,
    isCancel: 0,
    isCancelAll: 0,
    instrumentId: 0,
    isSell: 0,
    isReduceOnly: 0,
    sizeLots: 0,
    limitMicrosPerLot: 0,
    expirySec: 0,
    nonceBits: nonceBits(0n),
    nonceWord: 0,
    floorBackWords: 0,
    feeCapPpm: 0,
  };

  function twin(message: Message): Values | undefined {
    if (message.kind === 'withdraw') return undefined;
    if (message.kind === 'cancel-all') return { ...NOTHING, isCancelAll: 1 };
    const window = {
      nonceBits: nonceBits(message.nonce),
      nonceWord: nonceWordOf(message.nonce),
      floorBackWords: message.floorBackWords,
    };
    if (message.kind === 'cancel') return { ...NOTHING, ...window, isCancel: 1 };
    const { kind: _, nonce: __, side, ...order } = message;
    return { ...NOTHING, ...order, ...window, isOrder: 1, isSell: side === 'sell' };
  }

  it('is split as its twin splits it, and refused where its twin refuses it', async () => {
    await splitsAsTwin(await fields(), flipped(anyOrderMessage, BITS), twin);
    await (await fields()).equals({ message: 0 }, NOTHING);
  });

  it('fills its fields to the last bit and has none above', async () => {
    const full = (1n << BigInt(BITS)) - 1n - 0xfn + MESSAGE_KIND.order;
    const message = unpackMessage(full);
    await (await fields()).equals({ message: full }, twin(message) as Values);
    for (const word of [full + (1n << BigInt(BITS)), (1n << BigInt(BITS)) + 1n, -1n, HALF])
      await (await fields()).refuses({ message: word }, TOO_LONG);
    await (await fields()).leavesNoChoice({ message: full });
  });

  it('leaves zero what its kind does not use, bit by bit', async () => {
    const KIND = 'OrderFields: bits.out[2] === 0;';
    const ORDER_ONLY = 'OrderFields: (1 - isOrder) * orderOnly === 0;';
    const NONCE = 'OrderFields: (1 - isOrder - isCancel) * nonceAndFloor === 0;';
    await (await fields()).refuses({ message: MESSAGE_KIND.withdraw }, KIND);
    await (await fields()).refuses({ message: 8 }, 'OrderFields: bits.out[3] === 0;');
    for (const { name, bits } of ORDER_LAYOUT.slice(1))
      for (const at of [0n, BigInt(bits - 1)]) {
        const bit = 1n << (shiftOf(ORDER_LAYOUT, name) + at);
        const isNonce = name === 'nonce' || name === 'floorBackWords';
        if (isNonce) await (await fields()).accepts({ message: MESSAGE_KIND.cancel + bit }, name);
        else await (await fields()).refuses({ message: MESSAGE_KIND.cancel + bit }, ORDER_ONLY, name);
        for (const kind of [0n, MESSAGE_KIND.cancelAll])
          await (await fields()).refuses({ message: kind + bit }, isNonce ? NONCE : ORDER_ONLY, name);
      }
  });
});

describe('message of a withdrawal', () => {
  const fields = template(MESSAGE, 'WithdrawalFields()');
  const BITS = layoutBits(WITHDRAW_LAYOUT);

  function twin(message: Message): Values | undefined {
    if (message.kind !== 'withdraw' || message.tokenId > 3) return undefined;
    const { kind: _, nonce, ...rest } = message;
    return {
      ...rest,
      isUsed: 1,
      isQuote: message.tokenId === 0,
      nonceBits: nonceBits(nonce),
      nonceWord: nonceWordOf(nonce),
    };
  }

  it('is split as its twin splits it, and refused where its twin refuses it', async () => {
    await splitsAsTwin(await fields(), flipped(anyWithdrawal, BITS), twin);
  });

  it('fills its fields to the last bit, names one of four tokens, and has no bit above', async () => {
    const at = await fields();
    const full = (1n << BigInt(BITS)) - 1n - 0xffn + 0x34n;
    await at.equals({ message: full }, twin(unpackMessage(full)) as Values);
    await at.refuses({ message: full + (1n << BigInt(BITS)) }, 'WithdrawalFields: bits.in <== message;');
    await at.refuses({ message: full + 0x10n }, 'WithdrawalFields: bits.out[6] === 0;');
    await at.refuses({ message: full + 0x50n }, 'WithdrawalFields: bits.out[7] === 0;');
    const KINDS = [
      [5n, 'WithdrawalFields: bits.out[0] === 0;'],
      [6n, 'WithdrawalFields: bits.out[1] === 0;'],
      [12n, 'WithdrawalFields: bits.out[3] === 0;'],
      [0n, 'WithdrawalFields: (1 - isUsed) * message === 0;'],
    ] as const;
    for (const [kind, line] of KINDS) await at.refuses({ message: full - 4n + kind }, line, `kind ${kind}`);
    // An unused row says nothing at all.
    await at.accepts({ message: 0 });
    for (const { name } of WITHDRAW_LAYOUT.slice(1))
      await at.refuses(
        { message: 1n << shiftOf(WITHDRAW_LAYOUT, name) },
        'WithdrawalFields: (1 - isUsed) * message === 0;',
        name,
      );
    await at.leavesNoChoice({ message: full });
  });
});

describe('message in its signed tree', () => {
  const signed = template('circuits/order/signed-tree.circom', 'SignedMessage(2)');
  const ROOT = 'SignedMessage: isUsed * (message + toGroup + toTop - root) === 0;';
  const CHILD = 'SignedMessage: RequireChild()(message, children[0], places.out[0], places.out[1]);';
  const GROUP = 'SignedMessage: RequireChild()(group, children[1], places.out[2], places.out[3]);';
  const OTHER = 12345n;

  function inputOf(messages: readonly Message[], depth: number, position: number, row = 0) {
    const signature = { r8: [0n, 1n], s: 0n } as const;
    const { place, children } = messageChildren(
      { accountIndex: 1, epoch: 0n, depth, messages, signature },
      position,
    );
    const ofRow = (value: bigint, other: bigint) => (row === 0 ? [value, other] : [other, value]);
    return {
      message: packMessage(messages[position]),
      isUsed: 1n,
      signatureIndex: BigInt(row),
      place: BigInt(place),
      children,
      signatureIsUsed: ofRow(1n, 0n),
      signatureAccount: ofRow(77n, 88n),
      signatureRoot: ofRow(messageTreeRoot(messages, depth), OTHER),
      signatureIsDepth1: ofRow(depth === 1 ? 1n : 0n, 0n),
      signatureIsDepth2: ofRow(depth === 2 ? 1n : 0n, 0n),
    };
  }
  const messages = fc.array(fc.oneof(anyOrderMessage, anyWithdrawal), { minLength: 1, maxLength: 16 });

  it('is found at its place under its twin, at every depth', async () => {
    const check = async (list: Message[], any: number, depth: number, row: number): Promise<void> => {
      const fitting = list.slice(0, 4 ** depth);
      const input = inputOf(fitting, depth, any % fitting.length, row);
      await (await signed()).equals(input, { accountIndex: 77 });
      await (await signed()).refuses({ ...input, message: input.message + 1n }, CHILD);
      const roots = input.signatureRoot.map((root) => root + 1n);
      await (await signed()).refuses({ ...input, signatureRoot: roots }, ROOT);
      // The other row signs nothing, or another root.
      const other = { ...input, signatureIndex: 1n - input.signatureIndex };
      await (await signed()).refuses(other, 'SignedMessage: isUsed * (1 - isSigned) === 0;');
      await (await signed()).refuses({ ...other, signatureIsUsed: [1, 1] }, ROOT);
      await (await signed()).accepts({ ...other, isUsed: 0 });
    };
    await fc.assert(fc.asyncProperty(messages, fc.nat(15), fc.nat(2), fc.nat(1), check), { numRuns: 12 });
  });

  const sixteen = Array.from({ length: 16 }, (_, i) => ({
    kind: 'cancel' as const,
    nonce: BigInt(i),
    floorBackWords: 0,
  }));

  it('lies inside tree and rows', async () => {
    const last = inputOf(sixteen, 2, 15, 1);
    await (await signed()).accepts(last);
    for (const place of [16n, -1n])
      await (await signed()).refuses({ ...last, place }, 'SignedMessage: places.in <== place;');
    for (const signatureIndex of [2n, -1n, HALF])
      await (await signed()).refuses(
        { ...last, signatureIndex },
        'SignedMessage: signal isHere[SIGNATURES] <== OneHot(SIGNATURES)(signatureIndex);',
      );
    await (await signed()).refuses({ ...last, place: 14n }, CHILD);
    await (await signed()).refuses({ ...last, place: 11n }, GROUP);
    await (await signed()).leavesNoChoice(last);
  });

  it('is a leaf at the signed depth and no inner node', async () => {
    const two = inputOf(sixteen, 2, 5);
    const group = poseidon(two.children[0]);
    // The node above four messages, passed off as the message of a tree of one level.
    const inner = {
      ...two,
      message: group,
      place: 1n,
      children: [two.children[1], [poseidon(two.children[1]), 0n, 0n, 0n]],
    };
    await (await signed()).refuses(inner, ROOT);
    await (await signed()).accepts({ ...inner, signatureIsDepth1: [1, 0], signatureIsDepth2: [0, 0] });
    // The root of a tree, passed off as its only message.
    const root = two.signatureRoot[0];
    const above = poseidon([root, 0n, 0n, 0n]);
    const alone = {
      ...two,
      message: root,
      place: 0n,
      children: [
        [root, 0n, 0n, 0n],
        [above, 0n, 0n, 0n],
      ],
    };
    await (await signed()).refuses(alone, ROOT);
    // The other way: a message of the lower level under a signature of one level.
    await (await signed()).refuses({ ...two, signatureIsDepth1: [1, 0], signatureIsDepth2: [0, 0] }, ROOT);
  });
});
