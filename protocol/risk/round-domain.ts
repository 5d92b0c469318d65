/** Checks that a round lies in the domain in which a proof of its table exists. */
import { InputError } from '../errors.ts';
import { type RiskRow, UNDERLYINGS } from '../instrument.ts';
import {
  ADD_ON_UNIT_BITS,
  DELTA_BITS,
  ES_COUNT_BITS,
  FIRST_DERIVATIVE_ID,
  INSTRUMENT_ID_BITS,
  PRICE_BITS,
  SIZE_BITS,
  SPOT_SLOTS,
  type StateShape,
  TIME_BITS,
} from '../limits.ts';
import { abs, max, microsPerLot, PPM_ONE } from '../units.ts';
import { indexPerLotNearest, markPerLotNearest, SCAN_RANGE_PPM_MAX } from './linear-price.ts';
import {
  FORWARD_MICROS_MAX,
  leastVolPpmUp,
  STRIKE_MICROS_MAX,
  STRIKE_MICROS_MIN,
  VOL_PPM_MAX,
} from './option/domain.ts';
import { type Place, placesOfAll, type RegistryEntry, type RegistryKind } from './registry.ts';
import type { PlaceRound, RiskRoundInputs } from './round.ts';
import {
  BASIS_PPB_MAX,
  CHARGE_PPM_MAX,
  FUNDING_INDEX_BITS,
  INDEX_BITS,
  LOT_E8_MAX,
  MARKET_LOSS_BITS,
  PREMIUM_PPM_MAX,
  REPORTED_VOL_PPM_MAX,
  SCAN_FACTOR_E9_MAX,
  SCAN_FACTOR_ONE_E9,
  SPOT_LOTS_MAX,
  VOL_UP_FACTOR_PPM_MAX,
} from './round-limits.ts';
import { type BlockTerms, blockTerms, effectiveCharges, OPTION_TIME_SEC_MIN } from './terms.ts';

/** Below it an hour's volatility could not be priced: governed floors of an upward shock lie above. */
export const VOL_UP_FLOOR_PPM_MIN = leastVolPpmUp(OPTION_TIME_SEC_MIN);

const KINDS_OF_PLACE: Readonly<Record<Place['kind'], readonly RegistryKind[]>> = {
  linear: ['spot', 'perp'],
  future: ['future'],
  strike: ['option'],
};

/** Largest |premium| of a kind, 1e-9. */
export const premiumMaxPpb = (kind: RegistryKind): bigint =>
  ({ spot: 0n, perp: PREMIUM_PPM_MAX * 1000n, future: BASIS_PPB_MAX, option: 0n })[kind];

function requireRange(field: string, value: bigint, least: bigint, most: bigint): void {
  if (value < least || value > most) throw new InputError(field, value, `expected ${least} to ${most}`);
}

const belowBits = (bits: number): bigint => (1n << BigInt(bits)) - 1n;

/** @throws InputError */
export function checkRound(inputs: RiskRoundInputs, shape: StateShape): void {
  requireRange(
    'underlyings',
    BigInt(inputs.underlyings.length),
    BigInt(UNDERLYINGS.length),
    BigInt(UNDERLYINGS.length),
  );
  const esCountMax = Math.min(shape.scenarios, 2 ** ES_COUNT_BITS - 1);
  requireRange('esCount', BigInt(inputs.esCount), 1n, BigInt(esCountMax));
  requireRange('timeSec', inputs.timeSec, 1n, belowBits(TIME_BITS));
  inputs.underlyings.forEach((underlying, i) => {
    requireRange(`${UNDERLYINGS[i]} index`, underlying.indexMicros, 1n, belowBits(INDEX_BITS));
    requireRange(`${UNDERLYINGS[i]} scan range`, underlying.scanRangePpm, 1n, SCAN_RANGE_PPM_MAX);
    requireRange(`${UNDERLYINGS[i]} factor`, underlying.scanFactorE9, SCAN_FACTOR_ONE_E9, SCAN_FACTOR_E9_MAX);
  });
  checkPlaces(inputs, shape);
}

function checkPlaces(inputs: RiskRoundInputs, shape: StateShape): void {
  const places = placesOfAll(inputs.segments);
  requireRange('places', BigInt(inputs.places.length), 0n, BigInt(places.length));
  const ids = new Set<number>();
  let future: RegistryEntry | undefined;
  let isSettled = false;
  let previous: RegistryEntry | undefined;
  places.forEach((place, i) => {
    const listed = inputs.places[i];
    if (place.kind === 'future') {
      future = listed?.entry;
      isSettled = (listed?.settlementMicros ?? 0n) !== 0n;
    }
    if (listed === undefined) {
      previous = undefined;
      return;
    }
    const { entry } = listed;
    const lastSlot = place.marketSlot + (place.kind === 'strike' ? 1 : 0);
    requireRange('marketSlot', BigInt(lastSlot), 0n, BigInt(shape.marketSlots - 1));
    if (!KINDS_OF_PLACE[place.kind].includes(entry.kind)) {
      throw new InputError('kind', entry.kind, `place ${i} takes ${KINDS_OF_PLACE[place.kind].join(' or ')}`);
    }
    checkEntry(entry);
    for (const id of entry.kind === 'option' ? [entry.id, entry.id + 1] : [entry.id]) {
      if (ids.has(id)) throw new InputError('id', id, 'ids are distinct');
      ids.add(id);
    }
    checkValues(listed, isSettled);
    checkSettlement(listed, inputs);
    checkRates(entry, inputs);
    if (place.kind === 'strike') checkStrike(entry, future, place.strike === 0 ? future : previous);
    previous = entry;
  });
}

/** What the registry says of one place, on its own. */
function checkEntry(entry: RegistryEntry): void {
  const isSpot = entry.kind === 'spot';
  const isOption = entry.kind === 'option';
  const idMax = isSpot ? SPOT_SLOTS : 2 ** INSTRUMENT_ID_BITS - 1;
  requireRange('id', BigInt(entry.id), BigInt(isSpot ? 1 : FIRST_DERIVATIVE_ID), BigInt(idMax));
  if (isOption && entry.id % 2 !== 0) throw new InputError('id', entry.id, 'the id of a call is even');
  requireRange('underlying', BigInt(entry.underlying), 0n, BigInt(UNDERLYINGS.length - 1));
  requireRange('lotE8', entry.lotE8, 1n, LOT_E8_MAX);
  const rateMax = isOption ? 0n : CHARGE_PPM_MAX;
  requireRange('chargeImPpm', entry.chargeImPpm, 0n, rateMax);
  requireRange('chargeMmPpm', entry.chargeMmPpm, 0n, entry.chargeImPpm);
  requireRange('bandPpm', entry.bandPpm, 0n, rateMax);
  requireRange('penaltyPpm', entry.penaltyPpm, 0n, rateMax);
  requireRange('openInterestCap', entry.openInterestCap, 0n, belowBits(SIZE_BITS));
  requireRange('positionCap', entry.positionCap, 0n, belowBits(SIZE_BITS));
  requireRange('expirySec', entry.expirySec, 0n, belowBits(TIME_BITS));
  if ((entry.kind === 'future' || isOption) !== (entry.expirySec !== 0n)) {
    throw new InputError(
      'expirySec',
      entry.expirySec,
      'dated futures and options have one, nothing else does',
    );
  }
  requireRange(
    'strikeMicrosPerLot',
    entry.strikeMicrosPerLot,
    isOption ? STRIKE_MICROS_MIN : 0n,
    isOption ? STRIKE_MICROS_MAX : 0n,
  );
}

/** What the oracle says of one place. @param isSettled its block: nothing is said of volatilities any more */
function checkValues(
  { entry, premiumPpb, fundingIndexMicrosPerLot, volPpm }: PlaceRound,
  isSettled: boolean,
): void {
  requireRange('|premiumPpb|', abs(premiumPpb), 0n, premiumMaxPpb(entry.kind));
  const fundingMax = entry.kind === 'perp' ? belowBits(FUNDING_INDEX_BITS) : 0n;
  requireRange('|fundingIndex|', abs(fundingIndexMicrosPerLot) as bigint, 0n, fundingMax);
  const isOption = entry.kind === 'option';
  requireRange('volPpm', volPpm, isOption && !isSettled ? 1n : 0n, isOption ? REPORTED_VOL_PPM_MAX : 0n);
}

/** The circuit prices a settled block's options all the same, so it needs a forward beside the settlement value. */
function checkSettlement(
  { entry, premiumPpb, settlementMicros }: PlaceRound,
  { underlyings, timeSec }: RiskRoundInputs,
): void {
  if (settlementMicros === 0n) return;
  requireRange(
    'settlementMicros',
    settlementMicros,
    0n,
    entry.kind === 'future' ? belowBits(INDEX_BITS) : 0n,
  );
  requireRange('timeSec of a settled block', timeSec, entry.expirySec, belowBits(TIME_BITS));
  const { indexMicros } = underlyings[entry.underlying];
  const forward = markPerLotNearest(indexMicros, entry.lotE8, premiumPpb);
  requireRange(`forward of ${entry.id}`, forward, 1n, FORWARD_MICROS_MAX);
  const value = indexPerLotNearest(settlementMicros, entry.lotE8);
  requireRange(`settlement value of ${entry.id}`, value, 1n, FORWARD_MICROS_MAX);
}

/** Rates after their factors, and the terms of a block: each must fit its field of a word. */
function checkRates(entry: RegistryEntry, { underlyings, timeSec }: RiskRoundInputs): void {
  const { scanFactorE9, options } = underlyings[entry.underlying];
  let terms: BlockTerms | undefined;
  if (entry.kind === 'future') {
    terms = blockTerms(entry.expirySec, timeSec, options);
    requireRange('upPpm', terms.upPpm, PPM_ONE, VOL_UP_FACTOR_PPM_MAX);
    requireRange('downPpm', terms.downPpm, 0n, PPM_ONE);
    requireRange('volUpFloorPpm', terms.upFloorPpm, VOL_UP_FLOOR_PPM_MIN, VOL_PPM_MAX);
    requireRange('rollImPpm', terms.rollImPpm, 0n, CHARGE_PPM_MAX);
    requireRange('shortImPpm', terms.shortImPpm, 0n, CHARGE_PPM_MAX);
    requireRange('shortMmPpm', terms.shortMmPpm, 0n, terms.shortImPpm);
    requireRange('option bandPpm', terms.bandPpm, 0n, CHARGE_PPM_MAX);
    requireRange('option penaltyPpm', terms.penaltyPpm, 0n, CHARGE_PPM_MAX);
  }
  requireRange('addOnUnitDollars', options.addOnUnitDollars, 1n, belowBits(ADD_ON_UNIT_BITS));
  requireRange('charge', effectiveCharges(entry, scanFactorE9, terms).imPpm, 0n, CHARGE_PPM_MAX);
}

/** @param previous the strike before it, or the future of its block */
function checkStrike(
  entry: RegistryEntry,
  future: RegistryEntry | undefined,
  previous: RegistryEntry | undefined,
): void {
  if (future === undefined) throw new InputError('id', entry.id, 'options need the future of their block');
  if (previous === undefined) throw new InputError('id', entry.id, 'strikes are listed without holes');
  for (const field of ['underlying', 'lotE8', 'expirySec'] as const) {
    if (entry[field] !== future[field]) {
      throw new InputError(field, entry[field], `its block's future has ${future[field]}`);
    }
  }
  if (previous.kind === 'option' && entry.strikeMicrosPerLot <= previous.strikeMicrosPerLot) {
    throw new InputError('strikeMicrosPerLot', entry.strikeMicrosPerLot, 'strikes of a block ascend');
  }
}

/** What the batch circuit assumes of rows. @throws InputError */
export function checkRows(rows: readonly RiskRow[]): void {
  let marketLoss = 0n;
  const deltas = UNDERLYINGS.map(() => 0n);
  for (const row of rows) {
    const isOption = row.pairLosses.length > 0;
    // A forward is also the base of its options: it has fewer bits than a mark.
    const markMax = row.expirySec === 0n ? belowBits(PRICE_BITS) : FORWARD_MICROS_MAX;
    if (!isOption && !row.isSettled) requireRange(`mark of ${row.instrumentId}`, row.mark, 1n, markMax);
    const worstLoss = row.losses.reduce((worst, loss) => max(worst, abs(loss)), microsPerLot(0n));
    const lots = row.isSpot ? SPOT_LOTS_MAX : row.openInterestCap;
    marketLoss += lots * worstLoss;
    deltas[row.underlying] += lots * abs(row.delta);
  }
  requireRange('sum of lots × worst loss', marketLoss, 0n, belowBits(MARKET_LOSS_BITS));
  deltas.forEach((delta, u) => {
    requireRange(`sum of lots × delta, ${UNDERLYINGS[u]}`, delta, 0n, belowBits(DELTA_BITS));
  });
}
