/** One touched account of a batch with the numbers that its rules read. */
import { type Account, sizeOf } from '../account.ts';
import type { BatchHeader, PendingDeposits } from '../batch/batch.ts';
import { type Rejection, reject } from '../errors.ts';
import type { RiskRow } from '../instrument.ts';
import type { StateShape } from '../limits.ts';
import { type AccountMargin, heldInstruments } from '../risk/margin.ts';
import { rowOf } from '../risk/table.ts';
import { abs } from '../units.ts';
import type { AccountEvents } from './events.ts';

export interface Judged {
  readonly accountIndex: number;
  readonly before: Account;
  readonly after: Account;
  readonly events: AccountEvents;
  readonly feesMicros: bigint;
  readonly penaltyMicros: bigint;
  readonly header: BatchHeader;
  readonly shape: StateShape;
  /** Deposits of a liquidated account that wait and count, in both margins. */
  readonly counted: PendingDeposits;
  readonly marginBefore: AccountMargin;
  readonly marginAfter: AccountMargin;
}

/** Whether a size moved towards zero without passing it. */
export const isShrinking = (before: bigint, after: bigint): boolean =>
  before >= 0n ? after >= 0n && after <= before : after <= 0n && after >= before;

/** Whether a position of this size may only shrink; of spot never. */
export const isBeyondCap = (size: bigint, row: RiskRow): boolean =>
  !row.isSpot && abs(size) > row.positionCap;

const allInstruments = (judged: Pick<Judged, 'before' | 'after'>): number[] => [
  ...new Set([...heldInstruments(judged.before), ...heldInstruments(judged.after)]),
];

export const shrinksEverywhere = ({ before, after }: Pick<Judged, 'before' | 'after'>): boolean =>
  allInstruments({ before, after }).every((id) => isShrinking(sizeOf(before, id), sizeOf(after, id)));

/** Σ closed lots × band: what trading at the edge of the band may cost. */
export function bandAllowance(judged: Judged): bigint {
  return allInstruments(judged).reduce((sum, id) => {
    const closed = abs((sizeOf(judged.before, id) - sizeOf(judged.after, id)) as bigint);
    return sum + closed * (rowOf(judged.header.table, id)?.band ?? 0n);
  }, 0n);
}

/** The numbers every refusal for margin states. */
export const marginNumbers = (judged: Judged): Rejection['data'] => ({
  accountIndex: judged.accountIndex,
  equityMicros: judged.marginAfter.equity,
  initialMarginMicros: judged.marginAfter.initialMarginMicrosUp,
  maintenanceMarginMicros: judged.marginAfter.maintenanceMarginMicrosUp,
  equityBeforeMicros: judged.marginBefore.equity,
  maintenanceMarginBeforeMicros: judged.marginBefore.maintenanceMarginMicrosUp,
});

export const pricesUnusable = (accountIndex: number): Rejection =>
  reject('prices-unusable', 'no price of this round may be used: no fill, no liquidation, no fund payment', {
    accountIndex,
  });

/** 10 · quoteBalance + 4 · haircutSpot: below 0 the quote debt passes 40 % of the spot value. */
export const quoteMeasure = (margin: AccountMargin): bigint =>
  10n * margin.quoteBalance + 4n * margin.haircutSpot;
