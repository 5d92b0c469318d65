/** The templates of circuits/state/nonce-window.circom one by one, against their twin and at every bound. */
import { expect } from 'chai';
import fc from 'fast-check';
import type { Account } from '#protocol/account.ts';
import { packedRecords } from '#protocol/leaf.ts';
import { TINY_SHAPE } from '#protocol/limits.ts';
import { nonceState, nonceWordOf, useNonces } from '#protocol/transition/nonces.ts';
import { anyAccount, SIZE_MAX } from '#test/support/circuits/arbitrary-account.ts';
import { HALF, RUNS, template } from '#test/support/circuits/template.ts';

const NONCES = 'circuits/state/nonce-window.circom';
const DIGIT_BITS = 4;
describe('nonce window', () => {
  const window = template(NONCES, `NonceWindow(2, ${DIGIT_BITS})`);
  const anyShift = template(NONCES, `NonceWindow(2, ${DIGIT_BITS})`, ['isShift']);
  const records = template(NONCES, 'OrderRecords(2)');
  const uses = fc.array(
    fc.record({
      kind: fc.constantFrom('order' as const, 'cancel' as const, 'withdraw' as const),
      offset: fc.integer({ min: 0, max: 159 }),
      floorBackWords: fc.nat(1),
      fillLots: fc.bigInt(1n, 9n),
      rest: fc.bigInt(0n, 3n),
    }),
    { maxLength: 3 },
  );
  const FAR = 256n;
  const droppedBy = (words: bigint): bigint => (words >= 2n ? FAR : 32n * words);
  const recordInput = (side: 'old' | 'new', account: Account) => {
    const packed = packedRecords(account, TINY_SHAPE);
    return {
      [`${side}Offsets`]: packed.map((record) => record & 255n),
      [`${side}FilledLots`]: packed.map((record) => record >> 8n),
    };
  };

  it('moves as its twin does, and asks of the batch the nonces that were fresh', async () => {
    let moved = 0;
    const check = async (account: Account, drawn: typeof uses extends fc.Arbitrary<infer T> ? T : never) => {
      const messages = drawn.map(({ offset, rest, ...use }) => {
        const nonce = 32n * account.baseWord + BigInt(offset);
        const state = nonceState(account, nonce);
        const filled = state.kind === 'live' ? state.record.filled : 0n;
        const isOrder = use.kind === 'order';
        const fillLots = isOrder ? use.fillLots : 0n;
        return { ...use, nonce, fillLots, sizeLots: isOrder ? filled + fillLots + rest : 0n };
      });
      const result = useNonces(account, messages, TINY_SHAPE);
      fc.pre(result.ok);
      if (!result.ok) return;
      const after = { ...account, ...result.value };
      const words = after.baseWord - account.baseWord;
      if (words > 0n) moved++;
      const usedDigits = [0n, 0n];
      for (const { nonce } of messages) {
        if (nonceState(account, nonce).kind !== 'fresh') continue;
        usedDigits[Number(nonceWordOf(nonce) - after.baseWord)] += 1n << (BigInt(DIGIT_BITS) * (nonce % 32n));
      }
      await (await window()).equals(
        {
          oldUsedMap: account.usedMap,
          newUsedMap: after.usedMap,
          oldBaseWord: account.baseWord,
          newBaseWord: after.baseWord,
          isRaised: words > 0n,
          isEpochChanged: 0,
        },
        { usedDigits, droppedNonces: droppedBy(words) },
      );
      const isKept = account.records.map(({ nonce }) => nonce >= 32n * after.baseWord);
      const empties = (count: number): boolean[] =>
        Array<boolean>(TINY_SHAPE.recordSlots - count).fill(false);
      await (await records()).equals(
        { ...recordInput('old', account), ...recordInput('new', after), droppedNonces: droppedBy(words) },
        {
          oldPacked: packedRecords(account, TINY_SHAPE),
          newPacked: packedRecords(after, TINY_SHAPE),
          isOldKept: [...empties(isKept.length), ...isKept],
          isNewLive: [...empties(after.records.length), ...after.records.map(() => true)],
        },
      );
    };
    await fc.assert(fc.asyncProperty(anyAccount(TINY_SHAPE), uses, check), { numRuns: 40 });
    expect(moved, 'windows that moved').to.be.at.least(1);
  });

  const still = {
    oldUsedMap: 5,
    newUsedMap: 7,
    oldBaseWord: 9,
    newBaseWord: 9,
    isRaised: 0,
    isEpochChanged: 0,
  };
  const raised = (words: bigint | number) => ({ ...still, isRaised: 1, newBaseWord: 9n + BigInt(words) });
  const EXCESS = 'NonceWindow: RangeCheck(NONCE_WORD_BITS())(excessWords);';

  it('moves only if raised, never back, and stays in its widths', async () => {
    const at = await window();
    for (const words of [0, 1, 2, 3]) await at.accepts(raised(words));
    await at.refuses(raised(-1), EXCESS);
    const MOVED = 'NonceWindow: (1 - isRaised - isEpochChanged) * (newBaseWord - oldBaseWord) === 0;';
    await at.refuses({ ...raised(1), isRaised: 0 }, MOVED);
    const last = (1n << 35n) - 1n;
    await at.accepts({ ...still, oldBaseWord: last, newBaseWord: last });
    await at.accepts({ ...raised(0), newBaseWord: last });
    await at.refuses(
      { ...raised(0), newBaseWord: last + 1n },
      'NonceWindow: RangeCheck(NONCE_WORD_BITS())(newBaseWord);',
    );
    await at.refuses(
      { ...still, oldBaseWord: last + 1n, newBaseWord: last + 1n },
      'NonceWindow: RangeCheck(NONCE_WORD_BITS())(oldBaseWord);',
    );
    const full = (1n << 64n) - 1n;
    await at.accepts({ ...still, oldUsedMap: full, newUsedMap: full });
    await at.refuses({ ...still, oldUsedMap: full + 1n }, 'NonceWindow: oldBits.in <== oldUsedMap;');
    await at.refuses({ ...still, newUsedMap: full + 1n }, 'NonceWindow: newBits.in <== newUsedMap;');
    for (const words of [0, 1, 3]) await at.leavesNoChoice(raised(words));
  });

  it('begins anew with an epoch', async () => {
    const epoch = { ...still, isEpochChanged: 1, newBaseWord: 0, newUsedMap: 0 };
    await (await window()).equals(epoch, { usedDigits: [0, 0], droppedNonces: FAR });
    await (await window()).equals({ ...epoch, oldBaseWord: 0 }, { usedDigits: [0, 0], droppedNonces: FAR });
    await (await window()).refuses(
      { ...epoch, newBaseWord: 1 },
      'NonceWindow: isEpochChanged * newBaseWord === 0;',
    );
    // A nonce that stays used shows as one that no message used.
    await (await window()).equals(
      { ...epoch, newUsedMap: 4 },
      { usedDigits: [1n << 8n, 0], droppedNonces: FAR },
    );
  });

  it('takes no other shift than the true one', async () => {
    const at = await anyShift();
    const DIFFERS = 'NonceWindow: isShift[s] * (newBaseWord - oldBaseWord - s) === 0;';
    await at.accepts({ ...raised(1), isShift: [0, 1] });
    for (const isShift of [
      [1, 0],
      [1, 1],
      [HALF, HALF],
    ])
      await at.refuses({ ...raised(1), isShift }, DIFFERS);
    // None: all of the old window would be forgotten.
    await at.refuses({ ...raised(1), isShift: [0, 0] }, EXCESS);
    await at.refuses({ ...still, isShift: [0, 0] }, EXCESS);
    for (const part of [2n, -1n, HALF])
      await at.refuses({ ...raised(1), isShift: [0, part] }, 'NonceWindow: RequireBit()(isFar);');
    await at.refuses({ ...raised(2), isShift: [0, 1] }, DIFFERS);
    // An epoch change from base 0 moves by no word; what was used must die all the same.
    const epoch = { ...still, oldBaseWord: 0, newBaseWord: 0, isEpochChanged: 1 };
    await at.refuses({ ...epoch, isShift: [1, 0] }, 'NonceWindow: isEpochChanged * (1 - isFar) === 0;');
  });
});

describe('order records', () => {
  const fields = template(NONCES, 'RecordFields()');
  const anyInverse = template(NONCES, 'RecordFields()', ['inverse']);
  const records = template(NONCES, 'OrderRecords(2)');
  const anyDrop = template(NONCES, 'OrderRecords(2)', ['isDropped']);
  const FORM = 'RecordFields: (1 - isLive) * packed === 0;';
  const input = (old: number[][], next: number[][], droppedNonces: bigint | number) => ({
    oldOffsets: old.map(([offset]) => offset),
    oldFilledLots: old.map(([, filled]) => filled),
    newOffsets: next.map(([offset]) => offset),
    newFilledLots: next.map(([, filled]) => filled),
    droppedNonces,
  });

  it('have one form and their widths', async () => {
    const at = await fields();
    for (const [offset, filledLots] of [
      [0n, 1n],
      [255n, SIZE_MAX],
      [7n, 9n],
    ])
      await at.equals({ offset, filledLots }, { isLive: 1, packed: offset + (filledLots << 8n) });
    await at.equals({ offset: 0, filledLots: 0 }, { isLive: 0, packed: 0 });
    await at.refuses({ offset: 1, filledLots: 0 }, FORM);
    await at.refuses(
      { offset: 256, filledLots: 1 },
      'RecordFields: RangeCheck(RECORD_OFFSET_BITS())(offset);',
    );
    for (const filledLots of [SIZE_MAX + 1n, -1n])
      await at.refuses({ offset: 0, filledLots }, 'RecordFields: RangeCheck(SIZE_BITS())(filledLots);');
    for (const inverse of [0n, 1n, -1n])
      await (await anyInverse()).refuses({ offset: 3, filledLots: 2, inverse }, FORM);
    await (await anyInverse()).equals({ offset: 0, filledLots: 0, inverse: 5 }, { isLive: 0, packed: 0 });
    const live = fc.tuple(fc.integer({ min: 0, max: 255 }), fc.bigInt(1n, SIZE_MAX));
    const atRandom = ([offset, filledLots]: [number, bigint]) => at.leavesNoChoice({ offset, filledLots });
    await fc.assert(fc.asyncProperty(live, atRandom), RUNS);
  });

  it('come empties first, then in rising order', async () => {
    const at = await records();
    const STEP = 'OrderRecords: RangeCheck(RECORD_OFFSET_BITS())(steps[i]);';
    for (const next of [
      [
        [0, 0],
        [0, 0],
      ],
      [
        [0, 0],
        [0, 4],
      ],
      [
        [6, 1],
        [7, 1],
      ],
      [
        [0, 1],
        [255, 1],
      ],
    ])
      await at.accepts(
        input(
          [
            [0, 0],
            [0, 0],
          ],
          next,
          0,
        ),
      );
    for (const next of [
      [
        [6, 1],
        [6, 1],
      ],
      [
        [7, 1],
        [6, 1],
      ],
      [
        [6, 1],
        [0, 0],
      ],
      [
        [0, 4],
        [0, 0],
      ],
    ])
      await at.refuses(
        input(
          [
            [0, 0],
            [0, 0],
          ],
          next,
          0,
        ),
        STEP,
      );
  });

  it('fall out of the window exactly below its base', async () => {
    const two = [
      [31, 5],
      [32, 6],
    ];
    const kept = async (dropped: number) =>
      (await (await records()).outputs(input(two, two, dropped))).isOldKept;
    expect(await kept(0)).to.deep.equal([1n, 1n]);
    expect(await kept(31)).to.deep.equal([1n, 1n]);
    expect(await kept(32)).to.deep.equal([0n, 1n]);
    expect(await kept(33)).to.deep.equal([0n, 0n]);
    expect(await kept(256)).to.deep.equal([0n, 0n]);
    const LINE = 'OrderRecords: RangeCheck(8)(oldOffsets[i] - droppedNonces + 256 * isDropped[i]);';
    for (const isDropped of [
      [0, 0],
      [1, 1],
      [0, 1],
    ])
      await (await anyDrop()).refuses({ ...input(two, two, 32), isDropped }, LINE);
    await (await anyDrop()).accepts({ ...input(two, two, 32), isDropped: [1, 0] });
    await (await anyDrop()).refuses(
      { ...input(two, two, 32), isDropped: [HALF, 0] },
      'OrderRecords: RequireBit()(isDropped[i]);',
    );
    await (await records()).leavesNoChoice(input(two, two, 32));
  });
});
