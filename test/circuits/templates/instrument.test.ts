/** circuits/row/instrument.circom alone, against its twins in protocol/ and at every bound. */
import { expect } from 'chai';
import fc from 'fast-check';
import { emptyAccount } from '#protocol/account.ts';
import { listValues } from '#protocol/batch/commitment.ts';
import { type RiskRow, UNDERLYINGS } from '#protocol/instrument.ts';
import { TINY_SHAPE } from '#protocol/limits.ts';
import { lossVector } from '#protocol/risk/margin.ts';
import {
  columnLosses,
  lossElementCount,
  lossElements,
  PAIR_LOSS_BITS,
  pairsOf,
  rowHash,
  rowValues,
} from '#protocol/risk/table.ts';
import { refuseOpenInterest } from '#protocol/transition/market-rules.ts';
import type { Lots, MicrosPerLot } from '#protocol/units.ts';
import { valuesOf } from '#prover/witness/list-values.ts';
import { list, SIZE_MAX } from '#test/support/circuits/arbitrary-account.ts';
import { busSum, CHALLENGES, gammaPowers } from '#test/support/circuits/bus.ts';
import { committedPart } from '#test/support/circuits/event-rows.ts';
import { HALF, template } from '#test/support/circuits/template.ts';
import { batchHeader, NOW_SEC, PERP, riskRow, riskTable, SPOT, THIRD } from '#test/support/ledger.ts';

const FILE = 'circuits/row/instrument.circom';
const INSTANCE = `InstrumentRow(${TINY_SHAPE.scenarios}, 3)`;
const row = template(FILE, INSTANCE);
/** Whether a fill meets an expiry, said by the prover. */
const told = template(FILE, INSTANCE, ['isExpiring']);
const GAMMA = gammaPowers(TINY_SHAPE.scenarios + 8 + UNDERLYINGS.length);

const NO_LOSSES = Array<bigint>(lossElementCount(TINY_SHAPE)).fill(0n);

/** What the batch does in the instrument. */
const USE = {
  oldInterestLots: 10n,
  newInterestLots: 12n,
  isWithinCap: true,
  openingFills: 1n,
  shrinkingFills: 2n,
  longWeight: 1_234n,
  shortWeight: 77n,
};
type Use = typeof USE;
const QUIET: Use = { ...USE, newInterestLots: 10n, openingFills: 0n, shrinkingFills: 0n };

const inputOf = (risk: RiskRow, use: Use) => ({
  isUsed: 1,
  row: rowValues(risk, TINY_SHAPE),
  hasLosses: risk.pairLosses.length > 0,
  lossElements: risk.pairLosses.length > 0 ? lossElements(risk.pairLosses) : NO_LOSSES,
  underlying: risk.underlying,
  isSpot: risk.isSpot,
  isReduceOnly: risk.isReduceOnly,
  isSettled: risk.isSettled,
  marketSlot: risk.marketSlot,
  ...use,
  batchTimeSec: NOW_SEC,
  gamma: GAMMA,
  ...CHALLENGES,
});

/** Σ γ over losses and values of one lot, by the twins of whole accounts. */
function valueOfLot(risk: RiskRow, size: bigint): bigint {
  const table = riskTable({ rows: [risk] });
  const none = emptyAccount(TINY_SHAPE);
  const id = risk.instrumentId;
  const account = risk.isSpot
    ? { ...none, spot: [1, 2, 3].map((token) => (token === id ? size : 0n) as Lots) }
    : {
        ...none,
        slots: none.slots.map((slot, i) => (i === 0 ? { instrumentId: id, size: size as Lots } : slot)),
      };
  const all = [
    ...lossVector(account, table, TINY_SHAPE),
    ...listValues(valuesOf({ account, counted: undefined }, table)),
  ];
  return all.reduce((sum, value, i) => sum + value * GAMMA[i], 0n);
}

function twinOutputs(risk: RiskRow, use: Use) {
  const {
    oldInterestLots,
    newInterestLots,
    isWithinCap,
    openingFills,
    shrinkingFills,
    longWeight,
    shortWeight,
  } = use;
  const id = BigInt(risk.instrumentId);
  const hash = rowHash(risk, TINY_SHAPE);
  const bound = isWithinCap ? 2n * risk.openInterestCap : oldInterestLots;
  // A spot token is never short.
  const shortValue = risk.isSpot ? 0n : shortWeight * valueOfLot(risk, -1n);
  return {
    instrumentId: id,
    capWord: risk.positionCap + (id << 48n),
    committed: committedPart({
      instruments: [
        {
          isUsed: true,
          rowHash: hash,
          oldInterestLots,
          restLots: risk.isSpot ? newInterestLots : bound - newInterestLots,
          marketSlot: risk.marketSlot,
          openingFills: Number(openingFills),
          shrinkingFills: Number(shrinkingFills),
          isWithinCap,
        },
      ],
    }),
    valueSum: longWeight * valueOfLot(risk, 1n) + shortValue,
    busSum: busSum([
      {
        tag: 'market',
        fields: [BigInt(risk.marketSlot), hash, oldInterestLots, newInterestLots],
        amount: -1n,
      },
      { tag: 'weight', fields: [id], amount: -longWeight },
      { tag: 'weight', bit: true, fields: [id], amount: -shortWeight },
      { tag: 'interest', fields: [id], amount: oldInterestLots - newInterestLots },
      { tag: 'fills', fields: [id], amount: -openingFills },
      { tag: 'fills', bit: true, fields: [id], amount: -shrinkingFills },
    ]),
  };
}

const perLot = (most: bigint): fc.Arbitrary<MicrosPerLot> =>
  fc.bigInt(0n, most).map((value) => value as MicrosPerLot);
const signedPerLot = (most: bigint): fc.Arbitrary<MicrosPerLot> =>
  fc.bigInt(-most, most).map((value) => value as MicrosPerLot);
const RATE = (1n << 44n) - 1n;
const PAIRS = pairsOf(TINY_SHAPE).length;
const risks: fc.Arbitrary<RiskRow> = fc
  .record({
    instrumentId: fc.constantFrom(SPOT, 2, PERP, 2 ** 20 - 1),
    underlying: fc.nat(UNDERLYINGS.length - 1),
    isReduceOnly: fc.boolean(),
    isSettled: fc.boolean(),
    mark: perLot((1n << 40n) - 1n),
    fundingIndex: fc.bigInt(-(1n << 49n), 1n << 49n).map((value) => value as MicrosPerLot),
    rates: list(perLot(RATE), 6),
    delta: signedPerLot(RATE),
    linearLoss: signedPerLot(1n << 41n),
    pairLosses: fc.oneof(fc.constant([]), list(signedPerLot((1n << BigInt(PAIR_LOSS_BITS)) - 1n), PAIRS)),
    openInterestCap: fc.bigInt(0n, 20n),
    positionCap: fc.bigInt(0n, SIZE_MAX),
  })
  .map(({ rates, openInterestCap, positionCap, fundingIndex, pairLosses: drawn, ...rest }) => {
    const isSpot = rest.instrumentId <= 3;
    const pairLosses = isSpot ? [] : drawn;
    const zero = 0n as MicrosPerLot;
    return {
      ...riskRow(rest.instrumentId),
      ...rest,
      marketSlot: 3,
      isSpot,
      openInterestCap: openInterestCap as Lots,
      positionCap: positionCap as Lots,
      fundingIndex: isSpot ? zero : fundingIndex,
      chargeImLong: rates[0],
      chargeMmLong: rates[1],
      chargeImShort: isSpot ? zero : rates[2],
      chargeMmShort: isSpot ? zero : rates[3],
      band: rates[4],
      penalty: rates[5],
      pairLosses,
      losses: columnLosses(rest.linearLoss, pairLosses, rest.underlying, TINY_SHAPE),
    };
  });

const CAP_LINE = 'InstrumentRow: RangeCheck(INTEREST_BITS())(restLots);';

describe('instrument row', () => {
  it('is worth, hashed and capped as its twins say', async () => {
    const uses = fc.record({
      oldInterestLots: fc.bigInt(0n, 44n),
      newInterestLots: fc.bigInt(0n, 44n),
      openingFills: fc.bigInt(0n, 7n),
      shrinkingFills: fc.bigInt(0n, 7n),
      longWeight: fc.bigInt(0n, 1n << 250n),
      shortWeight: fc.bigInt(0n, 1n << 250n),
    });
    const check = async (risk: RiskRow, drawn: Omit<Use, 'isWithinCap'>): Promise<void> => {
      const openingFills = risk.isReduceOnly ? 0n : drawn.openingFills;
      // Spot has no short side, so nothing on the bus takes a weight of it.
      const shortWeight = risk.isSpot ? 0n : drawn.shortWeight;
      const use = { ...drawn, openingFills, shortWeight };
      const slots = (lots: bigint) => [0n, 0n, 0n, lots];
      const header = batchHeader({ table: riskTable({ rows: [risk] }) });
      const content = { header } as Parameters<typeof refuseOpenInterest>[2];
      const isRight =
        refuseOpenInterest(slots(use.oldInterestLots), slots(use.newInterestLots), content) === undefined;
      let accepted = 0;
      for (const isWithinCap of [false, true]) {
        const input = inputOf(risk, { ...use, isWithinCap });
        if (!(await (await row()).isAccepted(input))) continue;
        accepted++;
        await (await row()).equals(input, twinOutputs(risk, { ...use, isWithinCap }));
      }
      expect(accepted > 0, `${use.oldInterestLots} → ${use.newInterestLots}`).to.equal(isRight);
    };
    await fc.assert(fc.asyncProperty(risks, uses, check), { numRuns: 40 });
  });

  const perp = riskRow(PERP, { openInterestCap: 15n as Lots });
  const refuses = async (risk: RiskRow, use: Partial<Use>, line: string): Promise<void> =>
    (await row()).refuses(inputOf(risk, { ...USE, ...use }), line);
  const accepts = async (risk: RiskRow, use: Partial<Use>): Promise<void> =>
    (await row()).equals(inputOf(risk, { ...USE, ...use }), twinOutputs(risk, { ...USE, ...use }));

  it('stands at the cap, or where open interest was', async () => {
    await accepts(perp, { newInterestLots: 30n });
    await refuses(perp, { newInterestLots: 31n }, CAP_LINE);
    const over = { oldInterestLots: 40n, isWithinCap: false };
    await accepts(perp, { ...over, newInterestLots: 40n });
    await refuses(perp, { ...over, newInterestLots: 41n }, CAP_LINE);
    await refuses(perp, { ...over, newInterestLots: 40n, isWithinCap: true }, CAP_LINE);
    // Spot: no cap, no more than its width.
    const spot = riskRow(SPOT, { openInterestCap: 0n as Lots });
    const wide = { isWithinCap: false, shortWeight: 0n };
    await accepts(spot, { ...wide, newInterestLots: 2n * SIZE_MAX + 1n });
    await refuses(spot, { ...wide, newInterestLots: 2n * SIZE_MAX + 2n }, CAP_LINE);
    await refuses(spot, { ...wide, newInterestLots: -1n }, CAP_LINE);
  });

  it('takes no fill once expired and no opening one where the market is reduce-only', async () => {
    const EXPIRED =
      'InstrumentRow: RangeCheck(TIME_BITS())(isExpiring * (row[ROW_EXPIRY()] - batchTimeSec - 1));';
    const expiring = (expirySec: bigint) => ({ ...perp, expirySec });
    await accepts(expiring(NOW_SEC + 1n), {});
    await refuses(expiring(NOW_SEC), {}, EXPIRED);
    await refuses(expiring(NOW_SEC), { openingFills: 0n }, EXPIRED);
    await accepts(expiring(NOW_SEC), QUIET);
    // With a true expiry ahead and fills, the hint can be nothing but 1.
    const expiringLater = inputOf(expiring(NOW_SEC + 1n), USE);
    await (await told()).accepts({ ...expiringLater, isExpiring: 1n });
    for (const isExpiring of [0n, 2n, HALF])
      await (await told()).refuses(
        { ...expiringLater, isExpiring },
        'InstrumentRow: (1 - isExpiring) * fillsOfExpiring === 0;',
      );
    // Where nothing expires it may not be said: the market's expiry of 0 lies in the past.
    await (await told()).refuses({ ...inputOf(perp, USE), isExpiring: 1n }, EXPIRED);
    const closing = { ...perp, isReduceOnly: true };
    await accepts(closing, { openingFills: 0n });
    await refuses(closing, {}, 'InstrumentRow: isReduceOnly * openingFills === 0;');
  });

  it('keeps to its widths and bits', async () => {
    const honest = inputOf(perp, QUIET);
    const none = async (change: object, line: string): Promise<void> =>
      (await row()).refuses({ ...honest, ...change }, `InstrumentRow: ${line}`);
    await none({ openingFills: 8 }, 'RangeCheck(COUNT_BITS)(openingFills);');
    await none({ shrinkingFills: -1 }, 'RangeCheck(COUNT_BITS)(shrinkingFills);');
    await none({ marketSlot: 128 }, 'RangeCheck(MARKET_SLOT_BITS())(marketSlot);');
    for (const underlying of [2n, HALF]) await none({ underlying }, 'RequireBit()(underlying);');
    await accepts({ ...perp, marketSlot: 127 }, QUIET);
    for (const flag of ['isUsed', 'isSpot', 'isReduceOnly', 'isSettled', 'isWithinCap'])
      for (const bit of [2n, HALF]) await none({ [flag]: bit }, `RequireBit()(${flag});`);
  });

  it('has one split into id and flags', async () => {
    const honest = inputOf(perp, QUIET);
    // As a spot token, its cap would not bind; as no reduce-only market, its fills would open; settled, it would be cash.
    for (const change of [{ isSpot: 1 }, { isReduceOnly: 1 }, { isSettled: 1 }, { underlying: 1 }]) {
      await (await row()).refuses(
        { ...honest, ...change },
        'InstrumentRow: RangeCheck(INSTRUMENT_ID_BITS())(rowId);',
      );
    }
  });

  it('unused is worth nothing and takes no fills', async () => {
    const unused = { ...inputOf(perp, QUIET), isUsed: 0, isWithinCap: 0, longWeight: 5, shortWeight: -5 };
    const { instrumentId, valueSum } = await (await row()).outputs(unused);
    expect({ instrumentId, valueSum }).to.deep.equal({ instrumentId: 0n, valueSum: 0n });
    const FILLS = 'InstrumentRow: (1 - isUsed) * (openingFills + shrinkingFills) === 0;';
    for (const name of ['openingFills', 'shrinkingFills'])
      await (await row()).refuses({ ...unused, [name]: 1 }, FILLS);
    const SETTLED = 'InstrumentRow: (1 - isUsed) * isSettled === 0;';
    await (await row()).refuses({ ...unused, isSettled: 1 }, SETTLED);
  });

  const option = riskRow(THIRD, { openInterestCap: 15n as Lots });

  it('is worth what the losses behind its hash say, and no others', async () => {
    await accepts(option, {});
    await accepts({ ...option, instrumentId: PERP }, {});
    const honest = inputOf(option, USE);
    const LOSSES = 'ScenarioValue: lossesHash === hasLosses * losses.hash;';
    const none = async (change: object): Promise<void> =>
      (await row()).refuses({ ...honest, ...change }, LOSSES);
    await none({ hasLosses: 0 });
    await none({ lossElements: honest.lossElements.map((element) => element + 1n) });
    await none({ lossElements: NO_LOSSES });
    await (await row()).refuses({ ...inputOf(perp, USE), hasLosses: 1 }, LOSSES);
  });

  it('hashes every value of its row', async () => {
    const quiet = inputOf(option, QUIET);
    const hash = rowHash(option, TINY_SHAPE);
    // The last is the hash of the losses, which are compared first.
    for (const at of quiet.row.slice(0, -1).keys()) {
      const other = quiet.row.map((value, i) => (i === at ? value + 1n : value));
      const { committed } = await (await row()).outputs({ ...quiet, row: other });
      expect((committed as bigint[])[0] === hash, `value ${at}`).to.equal(false);
    }
  });

  it('leaves the prover no choice', async () => {
    await (await row()).leavesNoChoice(inputOf(option, USE));
    await (await row()).leavesNoChoice(inputOf({ ...perp, expirySec: NOW_SEC + 9n }, USE));
  });
});
