/**
 * From a round's inputs to its risk table, for instruments linear in the price (spot, perpetual, dated
 * future): the readable twin of `circuits/risk`. Exact integers; table values round to nearest.
 */
import { InputError } from '../errors.ts';
import type { InstrumentKind, RiskRow, RiskTable } from '../instrument.ts';
import { UNDERLYINGS } from '../instrument.ts';
import {
  ES_COUNT_BITS,
  FIRST_DERIVATIVE_ID,
  INSTRUMENT_ID_BITS,
  PRICE_BITS,
  SIZE_BITS,
  SPOT_SLOTS,
  type StateShape,
  TIME_BITS,
} from '../limits.ts';
import {
  abs,
  divideNearest,
  divideUp,
  type Lots,
  type MicrosPerLot,
  max,
  microsPerLot,
  PPM_ONE,
} from '../units.ts';
import { scenariosOf } from './scenarios.ts';

/** Index prices of one whole coin stay below 2^44 micros (17.6 million dollars). */
export const INDEX_BITS = 44;
export const FUNDING_INDEX_BITS = 50;
/** One coin: no lot is larger. */
export const LOT_E8_MAX = 100_000_000n;
/** R after its factor of at most 2. */
export const SCAN_RANGE_PPM_MAX = 500_000n;
export const SCAN_FACTOR_ONE_E9 = 1_000_000_000n;
export const SCAN_FACTOR_E9_MAX = 2_000_000_000n;
/** The mark of a perpetual stays within 1 % of the index. */
export const PREMIUM_PPM_MAX = 10_000n;
/** A dated future's forward lies within a half of the index. */
export const FORWARD_BASIS_PPM_MAX = 500_000n;
/** Charges, band and penalty after every factor, in ppm of the mark: they must fit 20 bits of a word. */
export const CHARGE_PPM_MAX = 1_000_000n;
/** Σ over instruments of lots that can exist × worst loss: keeps every account's scenario loss below 2^64. */
export const MARKET_LOSS_BITS = 63;
/** Lots of a spot token in the whole system: the rollup's own cap, for the table's does not bind deposits. */
export const SPOT_LOTS_MAX = 1n << 34n;

/** 2^20: the scale of a quarter of the scan range inside the proof. */
const MOVE_SCALE = 1n << 20n;
const LOT_SCALE_E8 = 100_000_000n;

export type LinearKind = Exclude<InstrumentKind, 'call' | 'put'>;

/** What the governed registry (`contracts/RiskParameters.sol`) says of an instrument. */
export interface RegistryEntry {
  readonly id: number;
  /** Place in the registry, which is its row of the table: 0, 1, 2 … without gaps. */
  readonly marketSlot: number;
  readonly kind: LinearKind;
  /** Index into UNDERLYINGS. */
  readonly underlying: number;
  /** Size of one lot, 1e-8 of a coin. */
  readonly lotE8: bigint;
  /** Spot: the haircut of a long lot before its factor. Else the charge of either side. */
  readonly chargeImPpm: bigint;
  readonly chargeMmPpm: bigint;
  readonly bandPpm: bigint;
  readonly penaltyPpm: bigint;
  readonly openInterestCap: Lots;
  readonly positionCap: Lots;
  readonly isReduceOnly: boolean;
  /** 0 but for dated futures. */
  readonly expirySec: bigint;
}

export interface UnderlyingRound {
  /** Index price of one coin, micros. */
  readonly indexMicros: bigint;
  /** R of this round, its factor included. */
  readonly scanRangePpm: bigint;
  /** The factor itself, 1e9 … 2e9: haircuts grow by it as R does. */
  readonly scanFactorE9: bigint;
}

export interface InstrumentRound {
  readonly entry: RegistryEntry;
  /** Perpetual: mark over index; dated future: forward over index; spot: 0. Signed. */
  readonly premiumPpm: bigint;
  /** 0 for spot. */
  readonly fundingIndexMicrosPerLot: MicrosPerLot;
}

/** Everything a table depends on. The oracle's events carry it, so anyone can rebuild and prove a round. */
export interface RiskRoundInputs {
  readonly roundNumber: bigint;
  readonly timeSec: bigint;
  /** One per underlying, in the order of UNDERLYINGS. */
  readonly underlyings: readonly UnderlyingRound[];
  /** The whole registry, in its order. */
  readonly instruments: readonly InstrumentRound[];
  readonly esCount: number;
  readonly isJump: boolean;
}

/** nearest(index · lot · (1 + premium)); with premium 0 this is the index of one lot. */
export const markPerLotNearest = (indexMicros: bigint, lotE8: bigint, premiumPpm: bigint): MicrosPerLot =>
  microsPerLot(divideNearest(indexMicros * lotE8 * (PPM_ONE + premiumPpm), LOT_SCALE_E8 * PPM_ONE));

/** A quarter of the scan range in units of 2^-20. */
export const quarterMoveNearest = (scanRangePpm: bigint): bigint =>
  divideNearest(scanRangePpm * MOVE_SCALE, 4n * PPM_ONE);

/** What one lot moves in a quarter of the scan range. */
export const quarterLossNearest = (mark: MicrosPerLot, quarterMove: bigint): MicrosPerLot =>
  microsPerLot(divideNearest(mark * quarterMove, MOVE_SCALE));

const shareOfMarkNearest = (mark: MicrosPerLot, ratePpm: bigint): MicrosPerLot =>
  microsPerLot(divideNearest(mark * ratePpm, PPM_ONE));

/** Rate after the market's factor; only haircuts have one. Rounded against the account. */
export function effectiveChargePpm(entry: RegistryEntry, chargePpm: bigint, scanFactorE9: bigint): bigint {
  return entry.kind === 'spot' ? divideUp(chargePpm * scanFactorE9, SCAN_FACTOR_ONE_E9) : chargePpm;
}

function buildRow(instrument: InstrumentRound, underlying: UnderlyingRound, shape: StateShape): RiskRow {
  const { entry } = instrument;
  const mark = markPerLotNearest(underlying.indexMicros, entry.lotE8, instrument.premiumPpm);
  const quarterLoss = quarterLossNearest(mark, quarterMoveNearest(underlying.scanRangePpm));
  const charge = (ratePpm: bigint) =>
    shareOfMarkNearest(mark, effectiveChargePpm(entry, ratePpm, underlying.scanFactorE9));
  const isSpot = entry.kind === 'spot';
  const none = microsPerLot(0n);
  return {
    instrumentId: entry.id,
    marketSlot: entry.marketSlot,
    underlying: entry.underlying,
    isSpot,
    isReduceOnly: entry.isReduceOnly,
    mark,
    fundingIndex: instrument.fundingIndexMicrosPerLot,
    delta: mark,
    chargeImLong: charge(entry.chargeImPpm),
    chargeImShort: isSpot ? none : charge(entry.chargeImPpm),
    chargeMmLong: charge(entry.chargeMmPpm),
    chargeMmShort: isSpot ? none : charge(entry.chargeMmPpm),
    band: shareOfMarkNearest(mark, entry.bandPpm),
    penalty: shareOfMarkNearest(mark, entry.penaltyPpm),
    openInterestCap: entry.openInterestCap,
    positionCap: entry.positionCap,
    expirySec: entry.expirySec,
    losses: scenariosOf(shape.scenarios).map(({ quarters }) =>
      microsPerLot(-BigInt(quarters[entry.underlying]) * quarterLoss),
    ),
  };
}

/**
 * The table of a round.
 * @throws InputError when a value is outside the domain in which a proof exists. The contracts enforce the
 *   same domain where values enter, so every round they accept has a table.
 */
export function buildRiskTable(inputs: RiskRoundInputs, shape: StateShape): RiskTable {
  checkRound(inputs, shape);
  const rows = inputs.instruments.map((instrument) =>
    buildRow(instrument, inputs.underlyings[instrument.entry.underlying], shape),
  );
  let marketLoss = 0n;
  for (const row of rows) {
    requireRange(`mark of ${row.instrumentId}`, row.mark, 1n, (1n << BigInt(PRICE_BITS)) - 1n);
    const worstLoss = row.losses.reduce((worst, loss) => max(worst, abs(loss)), microsPerLot(0n));
    marketLoss += (row.isSpot ? SPOT_LOTS_MAX : row.openInterestCap) * worstLoss;
  }
  requireRange('sum of lots × worst loss', marketLoss, 0n, (1n << BigInt(MARKET_LOSS_BITS)) - 1n);
  const { roundNumber, timeSec, esCount, isJump } = inputs;
  return { roundNumber, timeSec, rows, esCount, isJump };
}

function requireRange(field: string, value: bigint, least: bigint, most: bigint): void {
  if (value < least || value > most) throw new InputError(field, value, `expected ${least} to ${most}`);
}

function checkRound(inputs: RiskRoundInputs, shape: StateShape): void {
  requireRange(
    'underlyings',
    BigInt(inputs.underlyings.length),
    BigInt(UNDERLYINGS.length),
    BigInt(UNDERLYINGS.length),
  );
  requireRange('instruments', BigInt(inputs.instruments.length), 0n, BigInt(shape.marketSlots));
  const esCountMax = Math.min(shape.scenarios, 2 ** ES_COUNT_BITS - 1);
  requireRange('esCount', BigInt(inputs.esCount), 1n, BigInt(esCountMax));
  requireRange('timeSec', inputs.timeSec, 1n, (1n << BigInt(TIME_BITS)) - 1n);
  inputs.underlyings.forEach((underlying, i) => {
    requireRange(`${UNDERLYINGS[i]} index`, underlying.indexMicros, 1n, (1n << BigInt(INDEX_BITS)) - 1n);
    requireRange(`${UNDERLYINGS[i]} scan range`, underlying.scanRangePpm, 1n, SCAN_RANGE_PPM_MAX);
    requireRange(`${UNDERLYINGS[i]} factor`, underlying.scanFactorE9, SCAN_FACTOR_ONE_E9, SCAN_FACTOR_E9_MAX);
  });
  const ids = new Set<number>();
  inputs.instruments.forEach((instrument, slot) => {
    checkInstrument(instrument, slot);
    const { entry } = instrument;
    if (ids.has(entry.id)) throw new InputError('id', entry.id, 'ids are distinct');
    ids.add(entry.id);
    const factor = inputs.underlyings[entry.underlying].scanFactorE9;
    requireRange('charge', effectiveChargePpm(entry, entry.chargeImPpm, factor), 0n, CHARGE_PPM_MAX);
  });
}

/** Largest |premium| of a kind. */
export const premiumMaxPpm = (kind: LinearKind): bigint =>
  ({ spot: 0n, perp: PREMIUM_PPM_MAX, future: FORWARD_BASIS_PPM_MAX })[kind];

function checkInstrument(
  { entry, premiumPpm, fundingIndexMicrosPerLot }: InstrumentRound,
  slot: number,
): void {
  const isSpot = entry.kind === 'spot';
  const idMin = isSpot ? 1 : FIRST_DERIVATIVE_ID;
  const idMax = isSpot ? SPOT_SLOTS : 2 ** INSTRUMENT_ID_BITS - 1;
  requireRange('id', BigInt(entry.id), BigInt(idMin), BigInt(idMax));
  requireRange('marketSlot', BigInt(entry.marketSlot), BigInt(slot), BigInt(slot));
  requireRange('underlying', BigInt(entry.underlying), 0n, BigInt(UNDERLYINGS.length - 1));
  requireRange('lotE8', entry.lotE8, 1n, LOT_E8_MAX);
  requireRange('chargeMmPpm', entry.chargeMmPpm, 0n, entry.chargeImPpm);
  requireRange('bandPpm', entry.bandPpm, 0n, CHARGE_PPM_MAX);
  requireRange('penaltyPpm', entry.penaltyPpm, 0n, CHARGE_PPM_MAX);
  requireRange('openInterestCap', entry.openInterestCap, 0n, (1n << BigInt(SIZE_BITS)) - 1n);
  requireRange('positionCap', entry.positionCap, 0n, (1n << BigInt(SIZE_BITS)) - 1n);
  requireRange('expirySec', entry.expirySec, 0n, (1n << BigInt(TIME_BITS)) - 1n);
  if ((entry.kind === 'future') !== (entry.expirySec !== 0n)) {
    throw new InputError('expirySec', entry.expirySec, 'a dated future has one, nothing else does');
  }
  requireRange('|premiumPpm|', abs(premiumPpm), 0n, premiumMaxPpm(entry.kind));
  const fundingMax = isSpot ? 0n : (1n << BigInt(FUNDING_INDEX_BITS)) - 1n;
  requireRange('|fundingIndex|', abs(fundingIndexMicrosPerLot) as bigint, 0n, fundingMax);
}
