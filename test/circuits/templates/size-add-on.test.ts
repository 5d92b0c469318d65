/** circuits/arithmetic/size-add-on.circom alone: against its twin on every bound, one micro beside it, and for every lie. */
import { expect } from 'chai';
import fc from 'fast-check';
import { ADD_ON_UNIT_BITS, DELTA_BITS } from '#protocol/limits.ts';
import {
  ADD_ON_PIECES,
  ADD_ON_UNIT_MICROS,
  addOnPieceOf,
  sizeAddOnTimes100,
} from '#protocol/risk/size-add-on.ts';
import { HALF, RUNS, template } from '#test/support/circuits/template.ts';

const FILE = 'circuits/arithmetic/size-add-on.circom';
const DELTA_MAX = (1n << BigInt(DELTA_BITS)) - 1n;
/** Of public word 8. */
const UNIT_MAX = ADD_ON_UNIT_MICROS * ((1n << BigInt(ADD_ON_UNIT_BITS)) - 1n);
const PIECES = ADD_ON_PIECES.map((_, piece) => piece);
const LAST = PIECES.length - 1;

const units = fc.oneof(fc.bigInt(1n, UNIT_MAX), fc.constantFrom(1n, ADD_ON_UNIT_MICROS, UNIT_MAX));
/** Sizes of all pieces, and those near their ends. */
const sizes: fc.Arbitrary<{ unit: bigint; delta: bigint }> = fc.oneof(
  fc.record({ unit: units, delta: fc.bigInt(-DELTA_MAX, DELTA_MAX) }),
  fc
    .record({ unit: units, perMille: fc.bigInt(-30_000n, 30_000n) })
    .map(({ unit, perMille }) => ({ unit, delta: (unit * perMille) / 1_000n })),
  fc
    .record({ unit: units, bound: fc.constantFrom(...PIECES), off: fc.bigInt(-2n, 2n), sign: fc.boolean() })
    .map(({ unit, bound, off, sign }) => ({
      unit,
      delta: (sign ? 1n : -1n) * (ADD_ON_PIECES[bound].from * unit + off),
    })),
);

/** The sizes on a bound of an underlying's pieces, and one micro to either side; both signs. */
function nearBounds(unit: bigint): bigint[] {
  const near = ADD_ON_PIECES.flatMap(({ from }) => [-1n, 0n, 1n].map((off) => from * unit + off));
  return [...new Set(near.flatMap((size) => [size, -size]))];
}

const lineOf = (piece: number, size: bigint, unit: bigint): bigint =>
  ADD_ON_PIECES[piece].slope * size - ADD_ON_PIECES[piece].offset * unit;

describe('size add-on', () => {
  const exact = template(FILE, `SizeAddOn(${DELTA_BITS})`);
  const BELOW = 'SizeAddOn: RangeCheck(BITS)(size - low);';
  const ABOVE = 'SizeAddOn: RangeCheck(BITS)(belowHigh);';
  const inputOf = (
    delta: bigint,
    unit: bigint,
    isNegative = delta < 0n,
    named = addOnPieceOf(delta, unit),
  ) => ({
    delta,
    unit,
    isNegative,
    isPiece: PIECES.map((piece) => piece === named),
  });

  /** Every sign and piece has a witness exactly where it is right, and then it says what the twin says. */
  async function checkAll(delta: bigint, unit: bigint): Promise<void> {
    const addOnTimes100 = sizeAddOnTimes100(delta, unit);
    let named = 0;
    for (const isNegative of [false, true])
      for (const piece of PIECES) {
        const size = isNegative ? -delta : delta;
        const input = inputOf(delta, unit, isNegative, piece);
        const what = `${delta} of ${unit}: ${isNegative}, ${piece}`;
        if (size < ADD_ON_PIECES[piece].from * unit) await (await exact()).refuses(input, BELOW, what);
        else if (piece < LAST && size > ADD_ON_PIECES[piece + 1].from * unit)
          await (await exact()).refuses(input, ABOVE, what);
        else {
          await (await exact()).equals(input, { addOnTimes100 });
          named++;
        }
      }
    expect(named, `${delta} of ${unit}`).to.be.at.least(1);
  }

  it("is its twin's, whatever sign and piece are named", async () => {
    await fc.assert(
      fc.asyncProperty(sizes, async ({ delta, unit }) => {
        await (await exact()).equals(inputOf(delta, unit), { addOnTimes100: sizeAddOnTimes100(delta, unit) });
        await checkAll(delta, unit);
      }),
      RUNS,
    );
  });

  it('is the same by both pieces of a bound, and one micro beside it by one of them', async () => {
    for (const unit of [ADD_ON_UNIT_MICROS, UNIT_MAX])
      for (const delta of nearBounds(unit)) await checkAll(delta, unit);
    // 0, 8 and 83 % of a unit at the bounds.
    for (const [bound, percent] of [
      [1n, 0n],
      [5n, 8n],
      [20n, 83n],
    ])
      await (await exact()).equals(inputOf(bound * UNIT_MAX, UNIT_MAX), {
        addOnTimes100: percent * UNIT_MAX,
      });
  });

  it('counts every micro at the last rate where the unit is 0', async () => {
    for (const delta of [0n, 1n, -1n, DELTA_MAX]) {
      const input = inputOf(delta, 0n, delta < 0n, LAST);
      await (await exact()).equals(input, { addOnTimes100: sizeAddOnTimes100(delta, 0n) });
    }
    for (const piece of PIECES) {
      await (await exact()).equals(inputOf(0n, 0n, false, piece), { addOnTimes100: 0n });
      if (piece < LAST) await (await exact()).refuses(inputOf(1n, 0n, false, piece), ABOVE);
    }
  });

  it('is right for every net delta in range, and beyond it as far as there is a witness', async () => {
    for (const unit of [1n, ADD_ON_UNIT_MICROS, UNIT_MAX])
      for (const sign of [1n, -1n]) {
        await checkAll(sign * DELTA_MAX, unit);
        const most = DELTA_MAX + ADD_ON_PIECES[LAST].from * unit;
        await (await exact()).equals(inputOf(sign * most, unit), {
          addOnTimes100: sizeAddOnTimes100(most, unit),
        });
        for (const beyond of [most + 1n, 2n * most])
          for (const isNegative of [false, true])
            await (await exact()).refuses(inputOf(sign * beyond, unit, isNegative, LAST), BELOW);
      }
    for (const isNegative of [false, true])
      for (const piece of PIECES)
        await (await exact()).refuses(inputOf(HALF, ADD_ON_UNIT_MICROS, isNegative, piece), BELOW);
  });

  it('takes one piece and one sign', async () => {
    const honest = inputOf(9n, 1n);
    const refuses = async (change: object, line: string): Promise<void> =>
      (await exact()).refuses({ ...honest, ...change }, `SizeAddOn: ${line}`);
    const BIT = 'isPiece[i] * (isPiece[i] - 1) === 0;';
    for (const isPiece of [
      [0n, 2n, -1n, 0n],
      [0n, HALF, HALF, 0n],
      [0n, 0n, 2n, 0n],
      [0n, 0n, 0n, -1n],
    ])
      await refuses({ isPiece }, BIT);
    for (const isPiece of [
      [0, 0, 0, 0],
      [0, 1, 1, 0],
      [1, 0, 1, 0],
      [1, 1, 1, 1],
    ])
      await refuses({ isPiece }, 'pieces === 1;');
    for (const isNegative of [2n, -1n, HALF])
      await refuses({ isNegative }, 'isNegative * (isNegative - 1) === 0;');
  });

  it('leaves the prover no choice but sign and piece', async () => {
    for (const delta of [-7n, 0n, 21n]) await (await exact()).leavesNoChoice(inputOf(delta, 1n));
  });
});

describe('size add-on from below', () => {
  const low = template(FILE, 'SizeAddOnLow()');
  /** @param named of the pieces that rise, or 0 for none. */
  const inputOf = (delta: bigint, unit: bigint, isNegative: boolean, named: number) => ({
    delta,
    unit,
    isNegative,
    isPiece: PIECES.slice(1).map((piece) => piece === named),
  });

  async function checkAll(delta: bigint, unit: bigint): Promise<void> {
    const twin = sizeAddOnTimes100(delta, unit);
    const said: bigint[] = [];
    for (const isNegative of [false, true])
      for (const piece of PIECES) {
        const addOnTimes100 = piece === 0 ? 0n : lineOf(piece, isNegative ? -delta : delta, unit);
        await (await low()).equals(inputOf(delta, unit, isNegative, piece), { addOnTimes100 });
        expect(addOnTimes100 <= twin, `${delta} of ${unit}: ${isNegative}, ${piece}`).to.equal(true);
        said.push(addOnTimes100);
      }
    expect(said).to.include(twin);
    // What the prover names.
    await (await low()).equals(inputOf(delta, unit, delta < 0n, addOnPieceOf(delta, unit)), {
      addOnTimes100: twin,
    });
  }

  it("is at most its twin's whatever is named, and its twin's by the right piece", async () => {
    await fc.assert(
      fc.asyncProperty(sizes, ({ delta, unit }) => checkAll(delta, unit)),
      RUNS,
    );
    for (const unit of [ADD_ON_UNIT_MICROS, UNIT_MAX])
      for (const delta of [...nearBounds(unit), DELTA_MAX, -DELTA_MAX]) await checkAll(delta, unit);
  });

  it('takes one piece or none, and one sign', async () => {
    const honest = inputOf(9n, 1n, false, 2);
    const refuses = async (change: object, line: string): Promise<void> =>
      (await low()).refuses({ ...honest, ...change }, `SizeAddOnLow: ${line}`);
    for (const isPiece of [
      [2n, -1n, 0n],
      [HALF, HALF, 0n],
      [0n, 0n, 2n],
      [0n, -1n, 0n],
    ])
      await refuses({ isPiece }, 'isPiece[i] * (isPiece[i] - 1) === 0;');
    // Two lines together may lie above the function.
    for (const isPiece of [
      [1, 1, 0],
      [0, 1, 1],
      [1, 1, 1],
    ])
      await refuses({ isPiece }, 'pieces * (pieces - 1) === 0;');
    for (const isNegative of [2n, -1n, HALF])
      await refuses({ isNegative }, 'isNegative * (isNegative - 1) === 0;');
  });

  it('leaves the prover no choice but sign and piece', async () => {
    await (await low()).leavesNoChoice(inputOf(-9n, 1n, true, 2));
    await (await low()).leavesNoChoice(inputOf(-9n, 1n, true, 0));
  });
});
