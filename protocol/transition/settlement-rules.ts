/** Positions in settled instruments become cash, and instruments that nobody holds any more are retired. */
import { type Account, sizeOf } from '../account.ts';
import type { BatchContent } from '../batch/batch.ts';
import { type Rejection, reject } from '../errors.ts';
import type { RiskTable } from '../instrument.ts';
import { rowOf } from '../risk/table.ts';
import { abs } from '../units.ts';

/** Why an instrument of this round cannot be settled or retired. */
export function refuseUnsettled(table: RiskTable, instrumentId: number): Rejection | undefined {
  const row = rowOf(table, instrumentId);
  const data = { instrumentId, roundNumber: table.roundNumber };
  if (row === undefined) {
    return reject('instrument-not-listed', 'this round does not list the instrument', data);
  }
  if (row.isSettled) return undefined;
  return reject('not-settled', 'the instrument has no settlement price yet; it settles after its expiry', {
    ...data,
    expirySec: row.expirySec,
  });
}

/**
 * Every row converts all that the account holds, on the side it holds it. Nothing else can move a settled position:
 * orders and liquidations of an expired instrument are refused. (The circuit would also take a part.)
 * @param accountAtStart account at the batch's start
 */
export function refuseSettlements(
  content: BatchContent,
  accountAtStart: (accountIndex: number) => Account,
): Rejection | undefined {
  for (const { accountIndex, instrumentId, isShort, lots } of content.settlements) {
    const unsettled = refuseUnsettled(content.header.table, instrumentId);
    if (unsettled !== undefined) return unsettled;
    const held: bigint = sizeOf(accountAtStart(accountIndex), instrumentId);
    if (held !== 0n && lots === abs(held) && isShort === held < 0n) continue;
    return reject('settled-lots', 'a settlement converts the whole position of the account', {
      accountIndex,
      instrumentId,
      heldLots: held,
      lots,
    });
  }
  return undefined;
}

/** @param openInterest lots held per market slot after the batch */
export function refuseRetirement(
  openInterest: readonly bigint[],
  content: BatchContent,
): Rejection | undefined {
  const instrumentId = content.retiredInstrument;
  if (instrumentId === 0) return undefined;
  const { table } = content.header;
  const unsettled = refuseUnsettled(table, instrumentId);
  if (unsettled !== undefined) return unsettled;
  const heldLots = openInterest[rowOf(table, instrumentId)?.marketSlot ?? 0];
  if (heldLots === 0n) return undefined;
  return reject('still-held', 'an instrument is retired once nobody holds it, on either side', {
    instrumentId,
    heldLots,
  });
}

/** The first settled instrument whose last holder the batch converted; 0 for none. */
export function emptiedInstrument(
  table: RiskTable,
  before: readonly bigint[],
  after: readonly bigint[],
): number {
  const emptied = table.rows.find(
    (row) => row.isSettled && before[row.marketSlot] > 0n && after[row.marketSlot] === 0n,
  );
  return emptied?.instrumentId ?? 0;
}

/** What the settled positions of an account are worth; micros, negative for shorts. cashStar holds size · fundingIndex. */
export function settledWorth(account: Account, table: RiskTable): bigint {
  return account.slots.reduce((sum, { instrumentId, size }) => {
    const row = rowOf(table, instrumentId);
    return row?.isSettled ? sum + size * (row.mark - row.fundingIndex) : sum;
  }, 0n);
}
