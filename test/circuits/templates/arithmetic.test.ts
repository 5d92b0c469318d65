/** The templates of circuits/arithmetic one by one, against their twins and at every bound. Division: divide.test.ts. */
import { expect } from 'chai';
import fc from 'fast-check';
import { distanceTo, LOSSES_PER_ELEMENT } from '#protocol/batch/commitment.ts';
import { FIELD_MODULUS, fieldInverse, toField } from '#protocol/crypto/field.ts';
import { poseidonChain } from '#protocol/crypto/poseidon.ts';
import { LOSS_BITS, TINY_SHAPE } from '#protocol/limits.ts';
import { pack } from '#protocol/pack.ts';
import { bestThreshold, dualKScan, kScanOf, primalKScan, worstScenarios } from '#protocol/risk/margin.ts';
import { committedPart, NO_VALUES } from '#test/support/circuits/event-rows.ts';
import { fieldElement, HALF, RUNS, template } from '#test/support/circuits/template.ts';

const ARITHMETIC = 'circuits/arithmetic';
const SELECT = `${ARITHMETIC}/select.circom`;

describe('range check', () => {
  const range = template(`${ARITHMETIC}/range.circom`, 'RangeCheck(5)');
  const widest = template(`${ARITHMETIC}/range.circom`, 'RangeCheck(253)');
  const hostile = template(`${ARITHMETIC}/range.circom`, 'RangeCheck(3)', ['bits']);
  const LINE = 'RangeCheck: sum === value;';

  it('takes 0 to 2^BITS − 1 and nothing else', async () => {
    for (let value = 0n; value < 32n; value++) await (await range()).accepts({ value });
    for (const value of [32n, 33n, -1n, -32n, HALF, FIELD_MODULUS / 3n])
      await (await range()).refuses({ value }, LINE);
    await (await widest()).accepts({ value: (1n << 253n) - 1n });
    await (await widest()).refuses({ value: 1n << 253n }, LINE);
    await (await widest()).refuses({ value: -1n }, LINE);
  });

  it('has one decomposition, of bits', async () => {
    for (let code = 0; code < 4 ** 3; code++) {
      const digits = [0, 1, 2].map((i) => ((code >> (2 * i)) & 3) - 1);
      const value = digits[0] + 2 * digits[1] + 4 * digits[2];
      const areBits = digits.every((digit) => digit === 0 || digit === 1);
      expect(await (await hostile()).isAccepted({ value, bits: digits }), `${digits}`).to.equal(areBits);
      await (await hostile()).refuses(
        { value: value + 1, bits: digits },
        areBits ? LINE : 'RangeCheck: bits[i] * (bits[i] - 1) === 0;',
      );
    }
    for (let value = 0n; value < 32n; value++) await (await range()).leavesNoChoice({ value });
  });
});

describe('selection', () => {
  const oneHot = template(SELECT, 'OneHot(4)');
  const anyOneHot = template(SELECT, 'OneHot(4)', ['isHere']);
  const findKey = template(SELECT, 'FindKey(4)');
  const anyFindKey = template(SELECT, 'FindKey(4)', ['isHere']);
  const selected = template(SELECT, 'Selected(4)');

  it('marks the place of an index below the count', async () => {
    for (let index = 0; index < 4; index++) {
      await (await oneHot()).equals({ index }, { isHere: [0, 1, 2, 3].map((i) => i === index) });
      await (await oneHot()).leavesNoChoice({ index });
    }
    for (const index of [4n, -1n, HALF]) await (await oneHot()).refuses({ index }, 'OneHot: sum === 1;');
  });

  it('refuses every other mark', async () => {
    const reason = (isHere: readonly bigint[], index: number): string =>
      isHere.some((mark, i) => mark !== 0n && i !== index)
        ? 'OneHot: isHere[i] * (index - i) === 0;'
        : 'OneHot: sum === 1;';
    for (const isHere of [
      [0n, 0n, 0n, 0n],
      [0n, 1n, 1n, 0n],
      [2n, 0n, -1n, 0n],
      [HALF, 0n, HALF, 0n],
      [0n, 0n, 2n, 0n],
      [1n, 0n, 0n, 0n],
    ])
      await (await anyOneHot()).refuses({ index: 2, isHere }, reason(isHere, 2));
    // Beyond the count no mark is left.
    await (await anyOneHot()).refuses({ index: 4, isHere: [0, 0, 0, 0] }, 'OneHot: sum === 1;');
  });

  it('finds a key as its twin does, or has no witness', async () => {
    const keys = fc.uniqueArray(fieldElement, { minLength: 4, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(keys, fc.nat(5), async (list, at) => {
        const key = list[at] ?? toField(list[0] + 1n);
        const isHere = list.map((other) => other === key);
        if (isHere.includes(true))
          await (await findKey()).equals({ keys: list, key, isWanted: 1 }, { isHere });
        else await (await findKey()).refuses({ keys: list, key, isWanted: 1 }, 'FindKey: sum === isWanted;');
        await (await findKey()).equals({ keys: list, key, isWanted: 0 }, { isHere: [0, 0, 0, 0] });
      }),
      RUNS,
    );
    await (await findKey()).leavesNoChoice({ keys: [7, 9, 4, 2], key: 4, isWanted: 1 });
  });

  it('takes no other mark for a key', async () => {
    const input = { keys: [1, 4, 0, 0], key: 4, isWanted: 1 };
    const [atKey, asBit, asSum] = [
      'FindKey: isHere[i] * (keys[i] - key) === 0;',
      'FindKey: isHere[i] * (isHere[i] - 1) === 0;',
      'FindKey: sum === isWanted;',
    ];
    await (await anyFindKey()).refuses({ ...input, isHere: [1, 0, 0, 0] }, atKey);
    await (await anyFindKey()).refuses({ ...input, isHere: [0, 2, 0, 0] }, asBit);
    await (await anyFindKey()).refuses({ ...input, isHere: [0, 0, 0, 0] }, asSum);
    await (await anyFindKey()).refuses({ ...input, isWanted: 0, isHere: [0, 1, 0, 0] }, asSum);
    await (await anyFindKey()).refuses({ ...input, key: 0, isHere: [0, 0, 1, 1] }, asSum);
    await (await anyFindKey()).refuses({ ...input, key: 0, isWanted: 0, isHere: [0, 0, 5, -5] }, asBit);
  });

  it('sums the marked values', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fieldElement, { minLength: 4, maxLength: 4 }),
        fc.nat(3),
        async (values, at) => {
          const isHere = values.map((_, i) => i === at);
          await (await selected()).equals({ isHere, values }, { value: values[at] });
          await (await selected()).equals({ isHere: [0, 0, 0, 0], values }, { value: 0 });
        },
      ),
      RUNS,
    );
    await (await selected()).leavesNoChoice({ isHere: [0, 1, 0, 0], values: [5, 6, 7, 8] });
  });

  it('takes the value at an index, and 0 between the end of the list and the next power of two', async () => {
    for (const [count, places] of [
      [2, 2],
      [4, 4],
      [5, 8],
    ]) {
      const chosen = template(SELECT, `Chosen(${count})`);
      const values = Array.from({ length: count }, (_, i) => BigInt(i) + 90n);
      for (let index = 0; index < places; index++) {
        await (await chosen()).equals({ values, index }, { value: values[index] ?? 0n });
        await (await chosen()).leavesNoChoice({ values, index });
      }
      for (const index of [BigInt(places), -1n, HALF])
        await (await chosen()).refuses({ values, index }, 'Chosen: sum === index;');
    }
  });

  it('takes no other bits for an index', async () => {
    const anyChosen = template(SELECT, 'Chosen(4)', ['bits']);
    const input = { values: [5, 6, 7, 8], index: 2 };
    await (await anyChosen()).accepts({ ...input, bits: [0, 1] });
    await (await anyChosen()).refuses({ ...input, bits: [1, 1] }, 'Chosen: sum === index;');
    await (await anyChosen()).refuses({ ...input, bits: [2, 0] }, 'Chosen: bits[b] * (bits[b] - 1) === 0;');
  });
});

describe('bits of a value', () => {
  const isNonZero = template(SELECT, 'IsNonZero()');
  const anyInverse = template(SELECT, 'IsNonZero()', ['inverse']);
  const or = template(SELECT, 'Or()');
  const requireBit = template(SELECT, 'RequireBit()');

  it('say whether it is zero, whatever the prover names as its inverse', async () => {
    await (await isNonZero()).equals({ value: 0 }, { isNonZero: 0 });
    await (await isNonZero()).leavesNoChoice({ value: 0 }, ['main.inverse']);
    for (const inverse of [0n, 1n, HALF])
      await (await anyInverse()).equals({ value: 0, inverse }, { isNonZero: 0 });
    await fc.assert(
      fc.asyncProperty(fieldElement, fieldElement, async (value, other) => {
        fc.pre(value !== 0n);
        const inverse = fieldInverse(value);
        await (await isNonZero()).equals({ value }, { isNonZero: 1 });
        await (await anyInverse()).equals({ value, inverse }, { isNonZero: 1 });
        for (const wrong of [0n, other].filter((named) => named !== inverse))
          await (await anyInverse()).refuses(
            { value, inverse: wrong },
            'IsNonZero: (1 - isNonZero) * value === 0;',
          );
      }),
      RUNS,
    );
    for (const value of [1n, -1n, 2n]) await (await isNonZero()).leavesNoChoice({ value });
  });

  it('or, and being one', async () => {
    for (const a of [false, true])
      for (const b of [false, true]) await (await or()).equals({ a, b }, { isAny: a || b });
    for (const bit of [0, 1]) await (await requireBit()).accepts({ bit });
    for (const bit of [2n, -1n, HALF, FIELD_MODULUS - 2n])
      await (await requireBit()).refuses({ bit }, 'RequireBit: bit * (bit - 1) === 0;');
  });
});

describe('unpacking', () => {
  const WIDTHS = [3, 1, 4];
  const layout = WIDTHS.map((width, i) => ({ name: `${i}`, bits: width }));
  const unpack = template(`${ARITHMETIC}/unpack.circom`, 'Unpack(3, [3, 1, 4])');
  const widest = template(`${ARITHMETIC}/unpack.circom`, 'Unpack(2, [200, 53])');
  const LINE = 'Unpack: bits.in <== packed;';

  it('is the reverse of its twin for every value, and refuses the first beyond', async () => {
    for (let packed = 0n; packed < 256n; packed += 5n) {
      const fields = [packed & 7n, (packed >> 3n) & 1n, packed >> 4n];
      expect(pack(layout, Object.fromEntries(fields.map((field, i) => [`${i}`, field])))).to.equal(packed);
      await (await unpack()).equals({ packed }, { fields });
    }
    await (await unpack()).equals({ packed: 255 }, { fields: [7, 1, 15] });
    for (const packed of [256n, -1n, HALF]) await (await unpack()).refuses({ packed }, LINE);
    for (let packed = 1n; packed < 256n; packed += 12n) await (await unpack()).leavesNoChoice({ packed });
    const last = (1n << 253n) - 1n;
    await (await widest()).equals({ packed: last }, { fields: [(1n << 200n) - 1n, (1n << 53n) - 1n] });
    await (await widest()).refuses({ packed: last + 1n }, LINE);
  });
});

describe('hash of a list', () => {
  const COUNTS = [1, 16, 17];
  // One compilation: the blocks of all lengths are the same hash.
  const chains = COUNTS.map(
    (n) => `signal input values${n}[${n}]; signal output hash${n} <== PoseidonChain(${n})(values${n});`,
  );
  const chain = template(
    `${ARITHMETIC}/poseidon-chain.circom`,
    'Chains()',
    [],
    `template Chains() {\n${chains.join('\n')}\n}\n`,
  );

  it(`of ${COUNTS} is its twin's`, async () => {
    const list = fc.array(fieldElement, { minLength: 17, maxLength: 17 });
    const check = async (values: bigint[]): Promise<void> => {
      const parts = COUNTS.map((n) => [n, values.slice(0, n)] as const);
      await (await chain()).equals(
        Object.fromEntries(parts.map(([n, part]) => [`values${n}`, part])),
        Object.fromEntries(parts.map(([n, part]) => [`hash${n}`, poseidonChain(part)])),
      );
    };
    await fc.assert(fc.asyncProperty(list, check), { numRuns: 5 });
    await check(Array<bigint>(17).fill(0n));
    await check(Array<bigint>(17).fill(FIELD_MODULUS - 1n));
  });
});

describe('expected shortfall', () => {
  const [SCENARIOS, DISTANCE_BITS, BOUND_BITS] = [TINY_SHAPE.scenarios, LOSS_BITS + 1, LOSS_BITS + 1 + 6 + 1];
  const SHORTFALL = `${ARITHMETIC}/expected-shortfall.circom`;
  const upper = template(SHORTFALL, `ScanUpperBound(${SCENARIOS}, ${DISTANCE_BITS}, ${BOUND_BITS})`);
  const lower = template(SHORTFALL, `ScanLowerBound(${SCENARIOS})`);
  const POSITIVE = 'ScanUpperBound: RangeCheck(BOUND_BITS)(2 * kScan - bound);';
  const LOSS = (1n << BigInt(LOSS_BITS - 1)) - 1n;
  const losses = fc.array(fc.oneof(fc.bigInt(-LOSS, LOSS), fc.bigInt(-9n, 9n)), {
    minLength: SCENARIOS,
    maxLength: SCENARIOS,
  });
  const aboveOf = (list: readonly bigint[], t: bigint) => list.map((loss) => loss > t);
  const upperInput = (list: readonly bigint[], k: number, threshold: bigint) => ({
    k,
    threshold,
    distances: list.map((loss) => distanceTo(threshold, loss)),
    isAbove: aboveOf(list, threshold),
    isPositive: primalKScan(list, k, threshold) > 0n,
  });
  /** As the whole commitment packs them, at their place in it. */
  function committedOf(newLosses: readonly bigint[], threshold: bigint): bigint[] {
    const account = {
      accountIndex: 0,
      isTouched: false,
      isEpochChanged: false,
      isRaised: false,
      isLiquidated: false,
      isFundPaid: false,
      orderCount: 0,
      activityCount: 0,
      keyUses: 0,
      treasuryMicros: 0n,
      isShrinking: [],
      isRecordChanged: [],
      feesMicros: 0n,
      oldLosses: [],
      oldValues: NO_VALUES,
      newValues: NO_VALUES,
      threshold,
      newLosses,
    };
    return committedPart({ accounts: [account] }).slice(3, 3 + Math.ceil(SCENARIOS / LOSSES_PER_ELEMENT));
  }

  for (const k of [1, 3]) {
    it(`from above is its twin's for any threshold, k = ${k}`, async () => {
      await fc.assert(
        fc.asyncProperty(losses, fc.bigInt(-LOSS, LOSS), fc.boolean(), async (list, any, isBest) => {
          const threshold = isBest ? bestThreshold(list, k) : any;
          const kScan = primalKScan(list, k, threshold);
          expect(kScan >= kScanOf(list, k) && !(isBest && kScan !== kScanOf(list, k))).to.equal(true);
          await (await upper()).equals(upperInput(list, k, threshold), {
            losses: list,
            committed: committedOf(list, threshold),
            kScan,
          });
        }),
        RUNS,
      );
    });

    it(`from below is its twin's for any choice of rows, k = ${k}`, async () => {
      const choice = fc.shuffledSubarray([...Array(SCENARIOS).keys()], { minLength: k, maxLength: k });
      await fc.assert(
        fc.asyncProperty(losses, choice, fc.constantFrom('best', 'any', 'none'), async (list, any, how) => {
          const rows = how === 'best' ? worstScenarios(list, k) : how === 'any' ? any : [];
          const isChosen = list.map((_, s) => rows.includes(s));
          const kScan = dualKScan(list, k, rows);
          expect(kScan <= kScanOf(list, k)).to.equal(true);
          const input = { k, losses: list, isChosen };
          await (await lower()).equals({ ...input, isPositive: rows.length > 0 }, { kScan });
          // One row more or less than k, or rows where none are claimed.
          const COUNT = 'ScanLowerBound: count === k * isPositive;';
          await (await lower()).refuses({ ...input, isPositive: rows.length === 0 }, COUNT);
          const other = isChosen.map((flag, s) => flag !== (s === any[0]));
          await (await lower()).refuses({ ...input, isChosen: other, isPositive: rows.length > 0 }, COUNT);
        }),
        RUNS,
      );
    });
  }

  const flat = (threshold: bigint, isPositive: boolean, distance = 0n) => ({
    k: 1,
    threshold,
    distances: Array<bigint>(SCENARIOS).fill(distance),
    isAbove: Array<boolean>(SCENARIOS).fill(false),
    isPositive,
  });

  it('from above holds distances and the sum to their widths', async () => {
    const far = 1n << BigInt(DISTANCE_BITS);
    await (await upper()).accepts(flat(5n, true, far - 1n));
    const DISTANCE = 'ScanUpperBound: RangeCheck(DISTANCE_BITS)(distances[s]);';
    await (await upper()).refuses(flat(5n, true, far), DISTANCE);
    await (await upper()).refuses(flat(5n, true, -1n), DISTANCE);
    const wide = 1n << BigInt(BOUND_BITS);
    await (await upper()).accepts(flat(wide - 1n, true));
    await (await upper()).refuses(flat(wide, true), POSITIVE);
    await (await upper()).accepts(flat(1n - wide, false));
    await (await upper()).refuses(flat(-wide, false), POSITIVE);
  });

  it('from above takes no lie about the sign of the sum or the side of a loss', async () => {
    await (await upper()).accepts(flat(0n, true));
    await (await upper()).accepts(flat(0n, false));
    await (await upper()).refuses(flat(1n, false), POSITIVE);
    await (await upper()).refuses(flat(-1n, true), POSITIVE);
    const honest = flat(4n, true, 3n);
    await (await upper()).refuses(
      { ...honest, isPositive: 2 },
      'ScanUpperBound: isPositive * (isPositive - 1) === 0;',
    );
    const halves = honest.isAbove.map((_, s) => (s === 3 ? HALF : 0n));
    await (await upper()).refuses(
      { ...honest, isAbove: halves },
      'ScanUpperBound: isAbove[s] * (isAbove[s] - 1) === 0;',
    );
    // The other side is another loss, and the sum counts it: the batch compares losses with the positions.
    const above = honest.isAbove.map((_, s) => s === 3);
    const told = honest.distances.map((_, s) => (s === 3 ? 7n : 1n));
    const { losses: seen, kScan } = await (await upper()).outputs({ ...honest, isAbove: above });
    expect({ seen, kScan }).to.deep.equal({ seen: told, kScan: primalKScan(told, 1, 4n) });
    await (await upper()).leavesNoChoice({ ...honest, isAbove: above });
  });

  it('from below takes no part of a row and no row twice', async () => {
    const list = [1n, 2n, 3n, 4n, 5n, 6n, 7n, 8n];
    const LINE = 'ScanLowerBound: isChosen[s] * (isChosen[s] - 1) === 0;';
    for (const [first, second] of [
      [2n, -1n],
      [HALF, HALF],
      [2n, 0n],
    ])
      await (await lower()).refuses(
        { k: first + second, losses: list, isChosen: [first, second, 0, 0, 0, 0, 0, 0], isPositive: 1 },
        LINE,
      );
    const chosen = [0, 0, 0, 0, 0, 0, 1, 1];
    const SIGN = 'ScanLowerBound: isPositive * (isPositive - 1) === 0;';
    await (await lower()).refuses({ k: 1, losses: list, isChosen: chosen, isPositive: 2 }, SIGN);
    await (await lower()).leavesNoChoice({ k: 2, losses: list, isChosen: chosen, isPositive: 1 });
  });
});
