/** The templates of circuits/state/position-slot.circom one by one, against their twins and at every bound. */
import { expect } from 'chai';
import fc from 'fast-check';
import { packSlot } from '#protocol/leaf.ts';
import { isShrinking } from '#protocol/transition/judged.ts';
import type { Lots } from '#protocol/units.ts';
import { HALF, RUNS, template } from '#test/support/circuits/template.ts';

const FILE = 'circuits/state/position-slot.circom';
const SIZE_MAX = (1n << 47n) - 1n;
const ID_MAX = (1n << 20n) - 1n;
const abs = (size: bigint): bigint => (size < 0n ? -size : size);

describe('position slot', () => {
  const fields = template(FILE, 'SlotFields()');
  const anyInverse = template(FILE, 'SlotFields()', ['inverse']);
  const anyHigh = template(FILE, 'SlotFields()', ['highInverse']);
  const FORM = 'SlotFields: (1 - isOpen) * packed === 0;';
  const HIGH = 'SlotFields: high * highInverse === isOpen;';

  it('is packed as its twin packs it', async () => {
    const check = async (id: bigint, size: bigint): Promise<void> => {
      const instrumentId = size === 0n ? 0n : id;
      await (await fields()).equals(
        { instrumentId, isShort: size < 0n, magnitudeLots: abs(size) },
        {
          isOpen: size !== 0n,
          packed: packSlot({ instrumentId: Number(instrumentId), size: size as Lots }),
          sizeLots: size,
        },
      );
    };
    await fc.assert(fc.asyncProperty(fc.bigInt(4n, ID_MAX), fc.bigInt(-SIZE_MAX, SIZE_MAX), check), RUNS);
    for (const size of [0n, 1n, -1n, SIZE_MAX, -SIZE_MAX])
      for (const id of [4n, ID_MAX]) await check(id, size);
  });

  it('holds no spot token, nothing out of range and one form of emptiness', async () => {
    const at = await fields();
    for (const instrumentId of [0, 1, 2, 3])
      await at.refuses({ instrumentId, isShort: 0, magnitudeLots: 1 }, HIGH);
    await at.accepts({ instrumentId: 4, isShort: 0, magnitudeLots: 1 });
    for (const instrumentId of [ID_MAX + 1n, -1n])
      await at.refuses(
        { instrumentId, isShort: 0, magnitudeLots: 1 },
        'SlotFields: idBits.in <== instrumentId;',
      );
    for (const magnitudeLots of [SIZE_MAX + 1n, -1n])
      await at.refuses(
        { instrumentId: 4, isShort: 0, magnitudeLots },
        'SlotFields: RangeCheck(SIZE_BITS())(magnitudeLots);',
      );
    for (const isShort of [2n, -1n, HALF])
      await at.refuses({ instrumentId: 4, isShort, magnitudeLots: 1 }, 'SlotFields: RequireBit()(isShort);');
    await at.refuses({ instrumentId: 4, isShort: 0, magnitudeLots: 0 }, FORM);
    await at.refuses({ instrumentId: 0, isShort: 1, magnitudeLots: 0 }, FORM);
  });

  it('takes no other inverse where one is read', async () => {
    const open = { instrumentId: 12, isShort: 1, magnitudeLots: 5 };
    const empty = { instrumentId: 0, isShort: 0, magnitudeLots: 0 };
    for (const wrong of [0n, 1n, -1n, HALF]) {
      await (await anyInverse()).refuses({ ...open, inverse: wrong }, FORM);
      // 12 has two bits from 2 on: the inverse is 1/2.
      if (wrong !== HALF) await (await anyHigh()).refuses({ ...open, highInverse: wrong }, HIGH);
      await (await anyInverse()).equals({ ...empty, inverse: wrong }, { isOpen: 0, packed: 0, sizeLots: 0 });
    }
    // A spot token cannot be given a derivative's look.
    for (const highInverse of [0n, 1n, HALF])
      await (await anyHigh()).refuses({ instrumentId: 3, isShort: 0, magnitudeLots: 1, highInverse }, HIGH);
    const atRandom = async (instrumentId: bigint, magnitudeLots: bigint, isShort: boolean): Promise<void> =>
      (await fields()).leavesNoChoice({ instrumentId, magnitudeLots, isShort });
    await fc.assert(
      fc.asyncProperty(fc.bigInt(4n, ID_MAX), fc.bigInt(1n, SIZE_MAX), fc.boolean(), atRandom),
      RUNS,
    );
  });
});

describe('a slot before and after', () => {
  const aligned = template(FILE, 'AlignedSlot()');
  const side = (name: 'old' | 'new', id: number, size: bigint) => ({
    [`${name}Id`]: size === 0n ? 0 : id,
    [`${name}IsShort`]: size < 0n,
    [`${name}MagnitudeLots`]: abs(size),
  });
  const input = (before: bigint, after: bigint, isShrunk: boolean, ids = [9, 9]) => ({
    ...side('old', ids[0], before),
    ...side('new', ids[1], after),
    isShrinking: isShrunk,
  });
  const sizes = [-3n, -2n, -1n, 0n, 1n, 2n, 3n];

  it('says what it was and is; shrinking exactly where its twin says so', async () => {
    for (const before of sizes)
      for (const after of sizes) {
        const packed = (size: bigint) => packSlot({ instrumentId: size === 0n ? 0 : 9, size: size as Lots });
        await (await aligned()).equals(input(before, after, false), {
          instrumentId: before === 0n && after === 0n ? 0 : 9,
          oldPacked: packed(before),
          newPacked: packed(after),
          oldSizeLots: before,
          newSizeLots: after,
          isNewOpen: after !== 0n,
          isHeld: before !== 0n || after !== 0n,
        });
        expect(
          await (await aligned()).isAccepted(input(before, after, true)),
          `${before} → ${after}`,
        ).to.equal(isShrinking(before, after));
      }
    await (await aligned()).leavesNoChoice(input(3n, 2n, true));
  });

  it('refuses growth, the other side and no bit under the shrink flag, each at its constraint', async () => {
    const at = await aligned();
    const CLOSED = 'AlignedSlot: RangeCheck(SIZE_BITS())(closedLots);';
    const OTHER = 'AlignedSlot: isShrinking * isOtherSide === 0;';
    await at.refuses(input(3n, 4n, true), CLOSED);
    await at.refuses(input(-3n, -4n, true), CLOSED);
    await at.refuses(input(0n, 1n, true), CLOSED);
    await at.refuses(input(3n, -1n, true), OTHER);
    await at.refuses(input(-3n, 1n, true), OTHER);
    await at.refuses({ ...input(3n, 2n, true), isShrinking: 2 }, 'AlignedSlot: RequireBit()(isShrinking);');
    await at.accepts(input(SIZE_MAX, 0n, true));
  });

  it('does not pass from one instrument to another', async () => {
    const LINE = 'AlignedSlot: after.isOpen * (newId - instrumentId) === 0;';
    for (const after of [1n, -1n, 5n])
      await (await aligned()).refuses(input(5n, after, false, [9, 10]), LINE);
    await (await aligned()).accepts(input(0n, 5n, false, [9, 10]));
    await (await aligned()).accepts(input(5n, 0n, false, [9, 10]));
  });
});

describe('spot lots before and after', () => {
  const spot = template(FILE, 'SpotSlot()');

  it('shrink where their twin says so, and stay in range', async () => {
    const at = await spot();
    for (let oldLots = 0n; oldLots < 4n; oldLots++)
      for (let newLots = 0n; newLots < 4n; newLots++) {
        await at.accepts({ oldLots, newLots, isShrinking: 0 });
        const isRight = isShrinking(oldLots, newLots);
        expect(await at.isAccepted({ oldLots, newLots, isShrinking: 1 })).to.equal(isRight);
      }
    await at.accepts({ oldLots: SIZE_MAX, newLots: SIZE_MAX, isShrinking: 1 });
    for (const lots of [SIZE_MAX + 1n, -1n]) {
      const [OLD, NEW] = ['old', 'new'].map((name) => `SpotSlot: RangeCheck(SIZE_BITS())(${name}Lots);`);
      await at.refuses({ oldLots: lots, newLots: 0, isShrinking: 0 }, OLD);
      await at.refuses({ oldLots: 0, newLots: lots, isShrinking: 0 }, NEW);
    }
    await at.refuses(
      { oldLots: 3, newLots: 4, isShrinking: 1 },
      'SpotSlot: RangeCheck(SIZE_BITS())(closedLots);',
    );
    await at.refuses({ oldLots: 3, newLots: 3, isShrinking: HALF }, 'SpotSlot: RequireBit()(isShrinking);');
  });
});

describe('slots of one leaf', () => {
  const distinct = template(FILE, 'DistinctSlots(3)');
  const anyInverse = template(FILE, 'DistinctSlots(3)', ['inverses']);
  const LINE =
    'DistinctSlots: (instrumentIds[i] - instrumentIds[j]) * inverses[i * COUNT + j] === isOpen[i];';

  it('hold no instrument twice', async () => {
    const slot = fc.constantFrom(0, 0, 4, 5, 6);
    await fc.assert(
      fc.asyncProperty(fc.tuple(slot, slot, slot), async (instrumentIds) => {
        const open = instrumentIds.filter((id) => id !== 0);
        const input = { instrumentIds, isOpen: instrumentIds.map((id) => id !== 0) };
        if (new Set(open).size === open.length) await (await distinct()).accepts(input);
        else await (await distinct()).refuses(input, LINE);
      }),
      { numRuns: 60 },
    );
  });

  it('whatever inverses are named', async () => {
    const zeros = Array<bigint>(9).fill(0n);
    const named = (value: bigint) => zeros.map((_, at) => (at === 1 ? value : 0n));
    // Only slot 0 and 1 are compared: 2 is empty, and so is what it would be compared with.
    const twice = { instrumentIds: [7, 7, 0], isOpen: [1, 1, 0] };
    for (const value of [0n, 1n, HALF])
      await (await anyInverse()).refuses({ ...twice, inverses: named(value) }, LINE);
    const apart = { instrumentIds: [8, 7, 6], isOpen: [1, 1, 1] };
    const honest = zeros.map((_, at) => (at === 1 || at === 5 ? 1n : at === 2 ? HALF : 0n));
    await (await anyInverse()).accepts({ ...apart, inverses: honest });
    for (const at of [1, 2, 5])
      for (const wrong of [0n, -1n, 2n])
        await (await anyInverse()).refuses(
          { ...apart, inverses: honest.map((value, i) => (i === at ? wrong : value)) },
          LINE,
        );
  });
});
