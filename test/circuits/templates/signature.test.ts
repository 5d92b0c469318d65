/** circuits/row/signature.circom alone: every signature that the twin refuses, and every field that is signed. */
import { expect } from 'chai';
import fc from 'fast-check';
import { addPoints, multiplyPoint, SUBGROUP_ORDER } from '#protocol/crypto/baby-jubjub.ts';
import { derivePublicKey, type Signature, sign, verify } from '#protocol/crypto/eddsa.ts';
import { FIELD_MODULUS, toField } from '#protocol/crypto/field.ts';
import { poseidon } from '#protocol/crypto/poseidon.ts';
import type { Message } from '#protocol/message.ts';
import { messageTreeRoot, signMessages, verifySignedMessages } from '#protocol/signing.ts';
import { busSum, CHALLENGES } from '#test/support/circuits/bus.ts';
import { fieldElement, HALF, template } from '#test/support/circuits/template.ts';

const FILE = 'circuits/row/signature.circom';
const SECRET = (1n << 200n) + 12_345n;
const KEY = derivePublicKey(SECRET);
const [X, Y] = ['left.out[0] - right.xout', 'left.out[1] - right.yout'].map(
  (difference) => `SignatureCheck: isUsed * (${difference}) === 0;`,
);
/** Of order 2. */
const MINUS_ONE = [0n, FIELD_MODULUS - 1n] as const;

describe('bits of a hash', () => {
  const bits = template(FILE, 'HashBits()');
  const upperOfModulus = FIELD_MODULUS >> 174n;
  const bitsOf = (value: bigint) => Array.from({ length: 254 }, (_, i) => (value >> BigInt(i)) & 1n);

  it('are those of the integer below p', async () => {
    const last = (upperOfModulus << 174n) - 1n;
    const check = async (value: bigint): Promise<void> =>
      (await bits()).equals({ value }, { bits: bitsOf(value) });
    await fc.assert(fc.asyncProperty(fc.bigInt(0n, last), check), { numRuns: 10 });
    for (const value of [0n, 1n, last, 1n << 253n]) await check(value);
    // From here on the upper bits are those of p: no witness, which costs nobody a hash in 2^80.
    for (const value of [last + 1n, FIELD_MODULUS - 1n])
      await (await bits()).refuses(
        { value },
        'HashBits: RangeCheck(UPPER)(((-1) >> (254 - UPPER)) - 1 - upper);',
      );
  });

  it('are not those of value + p, which has 254 bits too', async () => {
    const value = 1_234_567n;
    expect((value + FIELD_MODULUS) >> 254n).to.equal(0n);
    const upper = upperOfModulus - 1n - ((value + FIELD_MODULUS) >> 174n);
    // The lie in every wire: outputs, and the bits of the range check, which must hold −1.
    const lie = (name: string): bigint | undefined => {
      const [, isRange, at] = /^main\.(RangeCheck_\w+\.)?bits\[(\d+)\]$/.exec(name) ?? [];
      if (at === undefined) return undefined;
      return ((isRange === undefined ? value + FIELD_MODULUS : toField(upper)) >> BigInt(at)) & 1n;
    };
    expect(await (await bits()).isWitness({ value }, lie)).to.equal(false);
    expect(
      await (await bits()).isWitness({ value }, (name) => (name === 'main.value' ? value : undefined)),
    ).to.equal(true);
    await (await bits()).leavesNoChoice({ value });
  });
});

describe('signature check', () => {
  const check = template(FILE, 'SignatureCheck()');
  const inputOf = (
    message: bigint,
    { r8, s }: Signature,
    publicKey: readonly bigint[] = KEY,
    isUsed = 1n,
  ) => ({
    isUsed,
    publicKey,
    r8,
    s,
    message,
  });

  it('takes what its twin takes and refuses what its twin refuses', async () => {
    await fc.assert(
      fc.asyncProperty(fieldElement, async (message) => {
        const signature = sign(SECRET, message);
        const { r8, s } = signature;
        expect(verify(KEY, message, signature)).to.equal(true);
        await (await check()).equals(inputOf(message, signature), {
          hash: poseidon([...r8, ...KEY, message]),
        });
        const otherKey = derivePublicKey(SECRET + 1n);
        for (const [lie, key, said] of [
          [{ r8, s: (s + 1n) % SUBGROUP_ORDER }, KEY, message],
          [{ r8: addPoints(r8, KEY), s }, KEY, message],
          [signature, otherKey, message],
          [signature, KEY, (message + 1n) % FIELD_MODULUS],
          [{ r8: addPoints(r8, MINUS_ONE), s }, KEY, message],
        ] as const) {
          expect(verify(key, said, lie)).to.equal(false);
          await (await check()).refuses(inputOf(said, lie, key), X);
        }
      }),
      { numRuns: 4 },
    );
  });

  it('takes no second form of S, no R8 off the curve, no key of small order', async () => {
    const message = 77n;
    const signature = sign(SECRET, message);
    const { r8, s } = signature;
    const LIMIT = 'SignatureCheck: scalarLimit.out * isUsed === 0;';
    await (await check()).refuses(inputOf(message, { r8, s: s + SUBGROUP_ORDER }), LIMIT);
    await (await check()).refuses(inputOf(message, { r8, s: SUBGROUP_ORDER }), LIMIT);
    await (await check()).refuses(inputOf(message, { r8, s: SUBGROUP_ORDER - 1n }), X);
    await (await check()).refuses(
      inputOf(message, { r8, s: 1n << 253n }),
      'SignatureCheck: scalarBits.in <== s;',
    );
    const off = await (await check()).isAccepted(inputOf(message, { r8: [r8[0], r8[1] + 1n], s }, KEY, 0n));
    expect(off, 'R8 is on the curve even where the row is unused').to.equal(false);
    // S = 0 and R8 = identity sign anything for a key whose multiples by 8 are the identity.
    const KEYLESS = 'SignatureCheck: isUsed * (1 - isKeyPoint) === 0;';
    const forged = { r8: [0n, 1n], s: 0n } as const;
    for (const key of [[0n, 0n], [0n, 1n], MINUS_ONE]) {
      await (await check()).refuses(inputOf(message, forged, key), KEYLESS);
      await (await check()).accepts(inputOf(message, forged, key, 0n));
    }
    const half = multiplyPoint(KEY, SUBGROUP_ORDER - 1n);
    expect(verify(half, message, signature)).to.equal(false);
    await (await check()).refuses(inputOf(message, signature, half), X);
    expect([X, Y]).to.have.length(2);
  });

  it('leaves the prover no choice', async () => {
    await (await check()).leavesNoChoice(inputOf(5n, sign(SECRET, 5n)));
  });
});

describe('signature row', () => {
  const row = template(FILE, 'SignatureRow()');
  const domain = { chainId: 31_337n, rollupAddress: 0xba11a57n };
  const messages = (count: number): Message[] =>
    Array.from({ length: count }, (_, i) => ({ kind: 'cancel', nonce: BigInt(i), floorBackWords: 1 }));

  function inputOf(count: number, accountIndex = 9, epoch = 4n) {
    const signed = signMessages(domain, SECRET, { accountIndex, epoch, messages: messages(count) });
    expect(verifySignedMessages(domain, KEY, signed)).to.equal(true);
    return {
      isUsed: 1n,
      ...domain,
      accountIndex: BigInt(accountIndex),
      epoch,
      isDepth1: signed.depth === 1 ? 1n : 0n,
      isDepth2: signed.depth === 2 ? 1n : 0n,
      messageCount: BigInt(count),
      root: messageTreeRoot(signed.messages, signed.depth),
      publicKey: KEY,
      ...signed.signature,
      ...CHALLENGES,
    };
  }
  const keyEntry = (input: ReturnType<typeof inputOf>, amount: bigint) => [
    { tag: 'key' as const, fields: [input.epoch, input.accountIndex, ...KEY], amount },
  ];

  it('takes trees of every depth as its twin signs them, for the key at that epoch', async () => {
    for (const count of [1, 2, 4, 5, 16]) {
      const input = inputOf(count);
      const { committed, busSum: sum } = await (await row()).outputs(input);
      expect(sum).to.equal(busSum(keyEntry(input, 1n)));
      const idle = await (await row()).outputs({ ...input, isUsed: 0 });
      expect(idle).to.deep.equal({ committed, busSum: 0n });
    }
  });

  it('binds every field that is signed', async () => {
    const input = inputOf(3);
    for (const name of ['chainId', 'rollupAddress', 'accountIndex', 'epoch', 'root', 'messageCount'] as const)
      await (await row()).refuses({ ...input, [name]: input[name] + 1n }, X, name);
    await (await row()).refuses({ ...input, isDepth1: 0, isDepth2: 1 }, X);
    await (await row()).refuses({ ...input, isDepth1: 0 }, X);
    // Another depth with a count that has the same sum: 1 + 4·3 = 13.
    await (await row()).refuses(
      { ...input, isDepth1: 1, isDepth2: 1 },
      'SignatureRow: RequireBit()(isDepth1 + isDepth2);',
    );
    const same = { ...input, isDepth1: 0n, messageCount: 3n + (FIELD_MODULUS + 1n) / 4n };
    await (await row()).refuses(same, 'SignatureRow: RangeCheck(5)(messageCount);');
  });

  it('holds its bits and the count to their ranges', async () => {
    const idle = { ...inputOf(1), isUsed: 0n };
    await (await row()).accepts({ ...idle, messageCount: 31 });
    for (const messageCount of [32n, -1n])
      await (await row()).refuses({ ...idle, messageCount }, 'SignatureRow: RangeCheck(5)(messageCount);');
    for (const name of ['isUsed', 'isDepth1', 'isDepth2'])
      for (const bit of [2n, HALF])
        await (await row()).refuses({ ...idle, [name]: bit }, `SignatureRow: RequireBit()(${name});`);
  });
});
