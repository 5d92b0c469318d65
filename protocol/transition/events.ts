/** What a batch does to one account, picked out of the batch's content. */
import type {
  BatchContent,
  FundPayment,
  L1Operation,
  L1Outcome,
  LiquidatedAccount,
  LiquidationExecution,
  MessageExecution,
  SettlementExecution,
  WithdrawalExecution,
} from '../batch/batch.ts';
import { invariant } from '../errors.ts';
import type { Message, OrderMessage, WithdrawMessage } from '../message.ts';

export interface Executed<M extends Message, E> {
  readonly message: M;
  readonly execution: E;
}

export interface AccountEvents {
  readonly accountIndex: number;
  readonly orders: readonly Executed<OrderMessage, MessageExecution>[];
  readonly cancels: readonly Executed<Extract<Message, { kind: 'cancel' }>, MessageExecution>[];
  /** Signed ones. */
  readonly cancelAllCount: number;
  readonly withdrawals: readonly Executed<WithdrawMessage, WithdrawalExecution>[];
  readonly l1Operations: readonly { readonly operation: L1Operation; readonly outcome: L1Outcome }[];
  readonly liquidations: readonly LiquidationExecution[];
  readonly liquidated: LiquidatedAccount | undefined;
  readonly fundPayments: readonly FundPayment[];
  readonly settlements: readonly SettlementExecution[];
}

/** The message a row executes. */
export function messageOf(content: BatchContent, row: { signatureIndex: number; position: number }): Message {
  const message = content.signatures[row.signatureIndex]?.messages[row.position];
  invariant(message !== undefined, 'a row points at a signed message');
  return message;
}

export const accountOf = (content: BatchContent, row: { signatureIndex: number }): number =>
  content.signatures[row.signatureIndex].accountIndex;

export function eventsOf(content: BatchContent, accountIndex: number): AccountEvents {
  const orders: AccountEvents['orders'][number][] = [];
  const cancels: AccountEvents['cancels'][number][] = [];
  const withdrawals: AccountEvents['withdrawals'][number][] = [];
  let cancelAllCount = 0;
  for (const execution of content.messages) {
    if (accountOf(content, execution) !== accountIndex) continue;
    const message = messageOf(content, execution);
    if (message.kind === 'order') orders.push({ message, execution });
    else if (message.kind === 'cancel') cancels.push({ message, execution });
    else cancelAllCount += 1;
  }
  for (const execution of content.withdrawals) {
    if (accountOf(content, execution) !== accountIndex) continue;
    const message = messageOf(content, execution);
    invariant(message.kind === 'withdraw', 'a withdrawal row executes a signed withdrawal');
    withdrawals.push({ message, execution });
  }
  const isOurs = (row: { readonly accountIndex: number }): boolean => row.accountIndex === accountIndex;
  return {
    accountIndex,
    orders,
    cancels,
    cancelAllCount,
    withdrawals,
    l1Operations: content.l1Operations.filter(
      (row) => row.operation.kind !== 'fundDonation' && isOurs(row.operation),
    ),
    liquidations: content.liquidations.filter(isOurs),
    liquidated: content.liquidatedAccounts.find(isOurs),
    fundPayments: content.fundPayments.filter(isOurs),
    settlements: content.settlements.filter(isOurs),
  };
}

/** Accounts a batch touches, in increasing order. */
export function touchedAccounts(content: BatchContent): number[] {
  const touched = new Set<number>();
  for (const row of [...content.messages, ...content.withdrawals]) touched.add(accountOf(content, row));
  for (const { operation } of content.l1Operations) {
    if (operation.kind !== 'fundDonation') touched.add(operation.accountIndex);
  }
  for (const row of [...content.liquidations, ...content.fundPayments, ...content.settlements]) {
    touched.add(row.accountIndex);
  }
  return [...touched].sort((a, b) => a - b);
}

/** How often the batch changes the account's key or epoch. */
export const epochChangeCount = (events: AccountEvents): number =>
  events.cancelAllCount +
  events.l1Operations.filter(
    ({ operation }) => operation.kind === 'register' || operation.kind === 'cancelAll',
  ).length;

/** Whether anything leaves the account towards L1. */
export const isWithdrawing = (events: AccountEvents): boolean =>
  events.withdrawals.length > 0 ||
  events.l1Operations.some(({ operation, outcome }) => operation.kind === 'withdraw' && outcome.served > 0n);

/** Signed change of size per instrument by orders, liquidations and settlements. */
export function movedLots(events: AccountEvents): Map<number, bigint> {
  const change = new Map<number, bigint>();
  const add = (id: number, size: bigint) => change.set(id, (change.get(id) ?? 0n) + size);
  for (const { message, execution } of events.orders) {
    add(message.instrumentId, message.side === 'buy' ? execution.fillLots : -execution.fillLots);
  }
  for (const row of events.liquidations)
    add(row.instrumentId, row.isShort ? row.closedLots : -row.closedLots);
  for (const row of events.settlements) add(row.instrumentId, row.isShort ? row.lots : -row.lots);
  return change;
}
