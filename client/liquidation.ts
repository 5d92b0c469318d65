/**
 * Was a liquidation right? Recomputed from what everyone can read: the account's leaf before and after, the
 * liquidation words of the batch (all in L1 calldata) and the round's table (rebuilt from the oracle's events,
 * its hash is public word 7). The rule is `protocol/transition/liquidation-rules`, the same that was proved.
 */
import { type Account, sizeOf } from '#protocol/account.ts';
import type { BatchHeader, PendingDeposits } from '#protocol/batch/batch.ts';
import type { PublishedLiquidation } from '#protocol/batch/read-words.ts';
import { accept, type Rejection, type Result, reject } from '#protocol/errors.ts';
import type { RiskRow, RiskTable } from '#protocol/instrument.ts';
import { STANDARD_SHAPE, type StateShape } from '#protocol/limits.ts';
import { countedDeposits, heldInstruments, marginOf } from '#protocol/risk/margin.ts';
import { rowOf } from '#protocol/risk/table.ts';
import type { AccountEvents } from '#protocol/transition/events.ts';
import { liquidationReason, refuseLiquidation } from '#protocol/transition/liquidation-rules.ts';
import { settledWorth } from '#protocol/transition/settlement-rules.ts';
import { max, min } from '#protocol/units.ts';

export interface LiquidationEvidence {
  readonly accountIndex: number;
  /** Leaf at the batch's start and end. */
  readonly before: Account;
  readonly after: Account;
  /** The account's liquidation words in this batch; at least one. */
  readonly rows: readonly PublishedLiquidation[];
  readonly table: RiskTable;
  /** Public word 9. */
  readonly pricesUsable: boolean;
}

export interface MarginNumbers {
  readonly equityMicros: bigint;
  readonly initialMarginMicros: bigint;
  readonly maintenanceMarginMicros: bigint;
}

export interface VerifiedLiquidation {
  /** 1: equity was below maintenance margin; 2: quote debt was beyond 60 % of the spot value after haircut. */
  readonly reason: 1 | 2;
  readonly before: MarginNumbers;
  readonly after: MarginNumbers;
  readonly penaltyMicros: bigint;
}

/** The numbers of a right liquidation, or the first rule it breaks with the numbers. */
export function verifyLiquidation(
  evidence: LiquidationEvidence,
  shape: StateShape = STANDARD_SHAPE,
): Result<VerifiedLiquidation> {
  const { accountIndex, before, after, rows, table, pricesUsable } = evidence;
  const refusal = refuseRows(evidence);
  if (refusal !== undefined) return refusal;
  const { pending } = rows[0];
  const counted = countedDeposits(before, table, pending);
  const reason = liquidationReason(before, table, shape, counted);
  if (reason === undefined)
    return reject('not-liquidatable', 'the account was healthy', numbersOf(evidence, shape, counted));
  const penaltyMicros = cashAfterRows(evidence) - after.cashStar;
  const events: AccountEvents = {
    accountIndex,
    orders: [],
    cancels: [],
    cancelAllCount: 0,
    withdrawals: [],
    l1Operations: [],
    liquidations: rows,
    liquidated: { accountIndex, reason, penaltyMicros, pending },
    fundPayments: [],
    settlements: [],
  };
  const marginBefore = marginOf(before, table, shape, counted);
  const marginAfter = marginOf(after, table, shape, counted);
  const owed = penaltyOf(evidence, marginAfter.equity + penaltyMicros);
  if (penaltyMicros !== owed) {
    return reject('penalty', 'not min(rate × closed, what was left)', { penaltyMicros, owedMicros: owed });
  }
  // The rule reads no more of the header than prices and table.
  const header = { table, pricesUsable } as BatchHeader;
  const judged = { accountIndex, before, after, events, feesMicros: 0n, penaltyMicros, header, shape };
  const broken = refuseLiquidation({ ...judged, counted, marginBefore, marginAfter });
  if (broken !== undefined) return broken;
  return accept({ reason, before: shown(marginBefore), after: shown(marginAfter), penaltyMicros });
}

const shown = (margin: ReturnType<typeof marginOf>): MarginNumbers => ({
  equityMicros: margin.equity,
  initialMarginMicros: margin.initialMarginMicrosUp,
  maintenanceMarginMicros: margin.maintenanceMarginMicrosUp,
});

function numbersOf(
  { before, table }: LiquidationEvidence,
  shape: StateShape,
  counted: PendingDeposits,
): Rejection['data'] {
  const { equity, maintenanceMarginMicrosUp } = marginOf(before, table, shape, counted);
  return { equityMicros: equity, maintenanceMarginMicros: maintenanceMarginMicrosUp };
}

/** Sizes changed by exactly what the rows closed, each within the band of the mark. */
function refuseRows({
  accountIndex,
  before,
  after,
  rows,
  table,
}: LiquidationEvidence): Rejection | undefined {
  if (rows.length === 0)
    return reject('no-liquidation', 'no liquidation word names this account', { accountIndex });
  const ids = new Set([...heldInstruments(before), ...heldInstruments(after)]);
  for (const id of ids) {
    // A settled position may become cash in any batch; what it was worth is in cashAfterRows.
    if (rowOf(table, id)?.isSettled && sizeOf(after, id) === 0n) continue;
    const closed = rows.filter((row) => row.instrumentId === id);
    const change = sizeOf(after, id) - sizeOf(before, id);
    const stated = closed.reduce((sum, row) => sum + (row.isShort ? row.closedLots : -row.closedLots), 0n);
    if (closed.length > 1 || change !== stated) {
      return reject('size-mismatch', 'the leaf changed by another size than was closed', {
        instrumentId: id,
        changeLots: change,
        statedLots: stated,
      });
    }
  }
  for (const row of rows) {
    const listed = rowOf(table, row.instrumentId);
    if (listed === undefined || !ids.has(row.instrumentId) || !isWithinBand(row, listed)) {
      return reject('price-band', 'the price is worse than the mark ∓ band, or the instrument is not held', {
        instrumentId: row.instrumentId,
        closedLots: row.closedLots,
        cashMicros: row.cashMicros,
      });
    }
  }
  return undefined;
}

const isWithinBand = (row: PublishedLiquidation, { mark, band }: RiskRow): boolean =>
  row.isShort
    ? row.cashMicros <= row.closedLots * (mark + band)
    : row.cashMicros >= row.closedLots * (mark - band);

/** cashStar as the rows alone leave it, and settled positions that became cash. Closing a long of s lots: + cash − s·fundingIndex. */
function cashAfterRows({ before, after, rows, table }: LiquidationEvidence): bigint {
  const settledMicros = settledWorth(before, table) - settledWorth(after, table);
  return rows.reduce((cashStar, row) => {
    const funding = row.closedLots * (rowOf(table, row.instrumentId)?.fundingIndex ?? 0n);
    return row.isShort ? cashStar - row.cashMicros + funding : cashStar + row.cashMicros - funding;
  }, before.cashStar + settledMicros);
}

function penaltyOf({ rows, table }: LiquidationEvidence, equityBeforePenalty: bigint): bigint {
  const rate = rows.reduce(
    (sum, row) => sum + row.closedLots * (rowOf(table, row.instrumentId)?.penalty ?? 0n),
    0n,
  );
  return min(rate, max(0n, equityBeforePenalty));
}
