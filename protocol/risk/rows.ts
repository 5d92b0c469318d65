/** Rows of a risk table: of anything linear in its price, and of the call and the put at one strike. */
import type { RiskRow } from '../instrument.ts';
import type { StateShape } from '../limits.ts';
import { type MicrosPerLot, microsPerLot } from '../units.ts';
import {
  indexPerLotNearest,
  markPerLotNearest,
  quarterLossNearest,
  quarterMoveNearest,
  shareNearest,
} from './linear-price.ts';
import type { ForwardMoves, UnderlyingOptionMoves } from './option/moves.ts';
import { type OptionValues, priceStrike } from './option/option-row.ts';
import { shockedVols } from './option/vol-shock.ts';
import type { Place, RegistryEntry } from './registry.ts';
import type { PlaceRound, UnderlyingRound } from './round.ts';
import { columnLosses, pairsOf } from './table.ts';
import { type BlockTerms, effectiveCharges } from './terms.ts';

const NONE = microsPerLot(0n);

/** What the row of an entry takes from the registry as it is. */
const listedFields = ({
  underlying,
  isReduceOnly,
  openInterestCap,
  positionCap,
  expirySec,
}: RegistryEntry) => ({
  underlying,
  isReduceOnly,
  isSettled: false,
  openInterestCap,
  positionCap,
  expirySec,
});

/** Spot, perpetual, dated future. @param terms of its block, for a future */
export function linearRow(
  { marketSlot }: Place,
  { entry, premiumPpb, fundingIndexMicrosPerLot }: PlaceRound,
  { indexMicros, scanRangePpm, scanFactorE9 }: UnderlyingRound,
  terms: BlockTerms | undefined,
  shape: StateShape,
): RiskRow {
  const mark = markPerLotNearest(indexMicros, entry.lotE8, premiumPpb);
  const charges = effectiveCharges(entry, scanFactorE9, terms);
  const [chargeIm, chargeMm] = [shareNearest(mark, charges.imPpm), shareNearest(mark, charges.mmPpm)];
  const isSpot = entry.kind === 'spot';
  const linearLoss = microsPerLot(-quarterLossNearest(mark, quarterMoveNearest(scanRangePpm)));
  return {
    instrumentId: entry.id,
    marketSlot,
    ...listedFields(entry),
    isSpot,
    mark,
    fundingIndex: fundingIndexMicrosPerLot,
    delta: mark,
    chargeImLong: chargeIm,
    chargeImShort: isSpot ? NONE : chargeIm,
    chargeMmLong: chargeMm,
    chargeMmShort: isSpot ? NONE : chargeMm,
    band: shareNearest(mark, entry.bandPpm),
    penalty: shareNearest(mark, entry.penaltyPpm),
    linearLoss,
    pairLosses: [],
    losses: columnLosses(linearLoss, [], entry.underlying, shape),
  };
}

/** What the options of a block have in common. */
export interface OptionRowContext {
  readonly underlying: UnderlyingRound;
  readonly terms: BlockTerms;
  readonly moves: UnderlyingOptionMoves;
  readonly forward: ForwardMoves;
}

interface Rolls {
  readonly im: MicrosPerLot;
  readonly mm: MicrosPerLot;
}

/**
 * Call and put of a strike. The roll of the put is that of the forward less the call's, so a conversion is
 * charged the forward's roll to the micro; its delta lies between 0 and the forward, so neither is negative.
 */
export function optionRows(
  { marketSlot }: Place,
  { entry, volPpm }: PlaceRound,
  { underlying, terms, moves, forward }: OptionRowContext,
  shape: StateShape,
): [call: RiskRow, put: RiskRow] {
  const strike = entry.strikeMicrosPerLot;
  const { call, put } = priceStrike({ strike, volsPpm: shockedVols(volPpm, terms) }, forward, moves);
  const rollOf = (delta: bigint): Rolls => ({
    im: shareNearest(microsPerLot(delta), terms.rollImPpm),
    mm: shareNearest(microsPerLot(delta), terms.rollMmPpm),
  });
  const [forwardRoll, callRoll] = [rollOf(forward.forward), rollOf(call.delta)];
  const putRoll = {
    im: microsPerLot(forwardRoll.im - callRoll.im),
    mm: microsPerLot(forwardRoll.mm - callRoll.mm),
  };
  const indexLot = indexPerLotNearest(underlying.indexMicros, entry.lotE8);
  const shortIm = shareNearest(indexLot, terms.shortImPpm);
  const shortMm = shareNearest(indexLot, terms.shortMmPpm);
  // The put is the call less the forward, so it packs the losses of the call.
  const pairLosses = pairsOf(shape).map((pair) => call.losses[pair]);
  const rowOf = (
    offset: number,
    { mark, delta }: OptionValues,
    roll: Rolls,
    linearLoss: MicrosPerLot,
  ): RiskRow => ({
    instrumentId: entry.id + offset,
    marketSlot: marketSlot + offset,
    ...listedFields(entry),
    isSpot: false,
    mark,
    fundingIndex: NONE,
    delta,
    chargeImLong: roll.im,
    chargeImShort: microsPerLot(roll.im + shortIm),
    chargeMmLong: roll.mm,
    chargeMmShort: microsPerLot(roll.mm + shortMm),
    band: shareNearest(indexLot, terms.bandPpm),
    penalty: shareNearest(indexLot, terms.penaltyPpm),
    linearLoss,
    pairLosses,
    losses: columnLosses(linearLoss, pairLosses, entry.underlying, shape),
  });
  return [rowOf(0, call, callRoll, NONE), rowOf(1, put, putRoll, microsPerLot(forward.quarterGain))];
}
