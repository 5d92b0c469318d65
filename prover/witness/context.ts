/** Facts about a batch that several kinds of rows read. */
import { sizeOf } from '#protocol/account.ts';
import type { AccountChange, PendingDeposits, SealedBatch } from '#protocol/batch/batch.ts';
import { invariant } from '#protocol/errors.ts';
import type { Message } from '#protocol/message.ts';
import {
  type AccountMargin,
  countedDeposits,
  coversInitialMargin,
  isBelowMaintenance,
  marginOf,
} from '#protocol/risk/margin.ts';
import { rowOf } from '#protocol/risk/table.ts';
import {
  type AccountEvents,
  epochChangeCount,
  eventsOf,
  isWithdrawing,
  messageOf,
} from '#protocol/transition/events.ts';
import { isBeyondCap } from '#protocol/transition/judged.ts';
import { nonceWordOf } from '#protocol/transition/nonces.ts';

/** One account row with everything that decides which rule of docs/protocol.md §5 it is judged by. */
export interface AccountContext {
  readonly change: AccountChange;
  readonly events: AccountEvents;
  /** Deposits that wait and count in both margins. */
  readonly counted: PendingDeposits;
  readonly marginBefore: AccountMargin;
  readonly marginAfter: AccountMargin;
  readonly isEpochChanged: boolean;
  readonly isWithdrawing: boolean;
  /** Fills judged by the rule for accounts that IM does not cover afterwards. */
  readonly isReducing: boolean;
  readonly isUnderMargin: boolean;
  readonly mustShrink: boolean;
}

function accountContext(batch: SealedBatch, change: AccountChange): AccountContext {
  const { content, shape } = batch;
  const events = eventsOf(content, change.accountIndex);
  const counted = countedDeposits(change.before, content.header.table, events.liquidated?.pending);
  const marginBefore = marginOf(change.before, content.header.table, shape, counted);
  const marginAfter = marginOf(change.after, content.header.table, shape, counted);
  const isCovered = coversInitialMargin(marginAfter);
  const isFilled = events.orders.length > 0;
  const isReducing = isFilled && !isCovered && !isWithdrawing(events);
  const isUnderMargin = isReducing && isBelowMaintenance(marginBefore);
  return {
    change,
    events,
    counted,
    marginBefore,
    marginAfter,
    isEpochChanged: epochChangeCount(events) > 0,
    isWithdrawing: isWithdrawing(events),
    isReducing,
    isUnderMargin,
    mustShrink: isUnderMargin || events.liquidations.length > 0,
  };
}

export class BatchContext {
  readonly batch: SealedBatch;
  readonly accounts: readonly AccountContext[];

  constructor(batch: SealedBatch) {
    this.batch = batch;
    this.accounts = batch.accounts.map((change) => accountContext(batch, change));
  }

  accountOf(accountIndex: number): AccountContext {
    const row = this.accounts.find(({ change }) => change.accountIndex === accountIndex);
    invariant(row !== undefined, `account ${accountIndex} has a row`);
    return row;
  }

  /**
   * The shrink bit of a position. It is part of the key under which position changes meet, so every row of one
   * account and instrument must use the same. What is still above the position cap has only shrunk.
   */
  isShrinking(accountIndex: number, instrumentId: number): boolean {
    const { mustShrink, events, change } = this.accountOf(accountIndex);
    const row = rowOf(this.batch.content.header.table, instrumentId);
    return (
      mustShrink ||
      (row !== undefined && isBeyondCap(sizeOf(change.after, instrumentId), row)) ||
      events.settlements.some((row) => row.instrumentId === instrumentId) ||
      events.orders.some(
        ({ message, execution }) => execution.isShrinking && message.instrumentId === instrumentId,
      )
    );
  }

  /**
   * The one message of an account that moves the base of its nonce window, as [kind of row, its place], or
   * undefined where the base stays.
   */
  raisingRow(accountIndex: number): readonly ['message' | 'withdrawal', number] | undefined {
    const { change, isEpochChanged } = this.accountOf(accountIndex);
    const { before, after } = change;
    if (isEpochChanged || after.baseWord === before.baseWord) return undefined;
    const { messages, withdrawals, signatures } = this.batch.content;
    const raises = (row: { signatureIndex: number; position: number }): boolean =>
      signatures[row.signatureIndex].accountIndex === accountIndex &&
      floorOf(messageOf(this.batch.content, row)) === after.baseWord;
    const message = messages.findIndex(raises);
    if (message >= 0) return ['message', message];
    const withdrawal = withdrawals.findIndex(raises);
    invariant(withdrawal >= 0, 'a base word is raised by the floor of an executed message');
    return ['withdrawal', withdrawal];
  }
}

/** First word that stays alive by a message's signed floor; undefined for a cancel-all. */
function floorOf(message: Message): bigint | undefined {
  return message.kind === 'cancel-all'
    ? undefined
    : nonceWordOf(message.nonce) - BigInt(message.floorBackWords);
}
