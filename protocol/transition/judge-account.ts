/** From a batch's content to one touched account: what it becomes, or the first rule it breaks. */
import type { Account } from '../account.ts';
import type { BatchContent, BatchHeader } from '../batch/batch.ts';
import { accept, type Rejection, type Result, reject } from '../errors.ts';
import type { StateShape } from '../limits.ts';
import { countedDeposits, marginOf, unlistedHolding } from '../risk/margin.ts';
import { rowOf } from '../risk/table.ts';
import { accountAfter } from './account-after.ts';
import { type AccountEvents, eventsOf } from './events.ts';
import type { Judged } from './judged.ts';
import { refuseMessages } from './message-rules.ts';
import { judgeAccount } from './rules.ts';
import { judgeTransfers } from './withdrawal-rules.ts';

/** Adds to a refusal whose account it was. */
export const blame = (rejection: Rejection, accountIndex: number): Rejection => ({
  ...rejection,
  data: { accountIndex, ...rejection.data },
});

function refuseUnlisted(account: Account, content: BatchContent): Rejection | undefined {
  const { table } = content.header;
  const instrumentId = unlistedHolding(account, table);
  if (instrumentId === undefined) return undefined;
  return reject(
    'holding-not-listed',
    'the account holds an instrument that this round does not value; wait',
    {
      instrumentId,
      roundNumber: table.roundNumber,
    },
  );
}

/** A deposit that waits is judged by the position cap of its token: without a row there is no proof. */
function refuseUnlistedDeposit(events: AccountEvents, { table }: BatchHeader): Rejection | undefined {
  const waiting = events.liquidated?.pending.spotLots ?? [];
  const i = waiting.findIndex((lots, at) => lots > 0n && rowOf(table, at + 1) === undefined);
  if (i < 0) return undefined;
  return reject('holding-not-listed', 'a deposit waits of a token that this round does not value; wait', {
    instrumentId: i + 1,
    roundNumber: table.roundNumber,
  });
}

/** The account after everything in `content`, with both margins; no rule of health is applied yet. */
export function accountChange(
  content: BatchContent,
  accountIndex: number,
  before: Account,
  shape: StateShape,
): Result<Judged> {
  const { header } = content;
  const events = eventsOf(content, accountIndex);
  const refusal =
    refuseMessages(events, header) ??
    refuseUnlisted(before, content) ??
    refuseUnlistedDeposit(events, header);
  if (refusal !== undefined) return blame(refusal, accountIndex);
  const change = accountAfter(before, events, header, shape);
  if (!change.ok) return blame(change, accountIndex);
  const unlisted = refuseUnlisted(change.value.after, content);
  if (unlisted !== undefined) return blame(unlisted, accountIndex);
  const counted = countedDeposits(before, header.table, events.liquidated?.pending);
  return accept({
    accountIndex,
    before,
    events,
    header,
    shape,
    ...change.value,
    counted,
    marginBefore: marginOf(before, header.table, shape, counted),
    marginAfter: marginOf(change.value.after, header.table, shape, counted),
  });
}

export const fundPaid = (content: BatchContent): bigint =>
  content.fundPayments.reduce((sum, payment) => sum + payment.amountMicros, 0n);

/** Rules of fills, liquidations and fund payments. */
export const refuseChange = (judged: Judged, content: BatchContent): Rejection | undefined =>
  judgeAccount(judged, fundPaid(content) === content.header.fundBookedMicros);

/** Rules of withdrawals and L1 outcomes. */
export const refuseTransfers = (judged: Judged): Rejection | undefined => judgeTransfers(judged);
