/** What must hold per instrument and per token over the whole batch: docs/protocol.md §5. */
import { type Account, sizeOf } from '../account.ts';
import type { BatchContent } from '../batch/batch.ts';
import { invariant, type Rejection, reject } from '../errors.ts';
import { heldInstruments } from '../risk/margin.ts';
import { rowOf } from '../risk/table.ts';
import { abs, max } from '../units.ts';
import { messageOf } from './events.ts';
import { needsNewBatch } from './refusals.ts';

/** Both sides of one account row; padding rows have equal sides. */
export interface Sides {
  readonly before: Account;
  readonly after: Account;
}

/**
 * Instruments that need a row: held before or after, traded, moved by an L1 operation, retired, or waiting as deposits of
 * a liquidated account. Increasing ids.
 */
export function batchInstruments(accounts: readonly Sides[], content: BatchContent): number[] {
  const ids = new Set<number>();
  for (const { before, after } of accounts) {
    for (const id of [...heldInstruments(before), ...heldInstruments(after)]) ids.add(id);
  }
  for (const row of content.messages) {
    const message = messageOf(content, row);
    if (message.kind === 'order') ids.add(message.instrumentId);
  }
  for (const row of [...content.liquidations, ...content.settlements]) ids.add(row.instrumentId);
  ids.add(content.retiredInstrument);
  for (const { operation } of content.l1Operations) {
    if (operation.kind === 'deposit' || operation.kind === 'withdraw') ids.add(operation.tokenId);
  }
  for (const { pending } of content.liquidatedAccounts) {
    for (const [i, lots] of pending.spotLots.entries()) if (lots > 0n) ids.add(i + 1);
  }
  ids.delete(0);
  return [...ids].sort((a, b) => a - b);
}

/** Lots held per market slot after the batch, on both sides. */
export function newOpenInterest(
  old: readonly bigint[],
  accounts: readonly Sides[],
  content: BatchContent,
): bigint[] {
  const next = [...old];
  const heldLots = (account: Account, id: number): bigint => abs(sizeOf(account, id) as bigint);
  for (const id of batchInstruments(accounts, content)) {
    const row = rowOf(content.header.table, id);
    if (row === undefined) continue;
    for (const { before, after } of accounts)
      next[row.marketSlot] += heldLots(after, id) - heldLots(before, id);
  }
  return next;
}

/**
 * The cap binds markets that grow; spot has none, because a deposit must always be provable. It counts each
 * contract once, open interest both of its sides.
 */
export function refuseOpenInterest(
  old: readonly bigint[],
  next: readonly bigint[],
  content: BatchContent,
): Rejection | undefined {
  for (const row of content.header.table.rows) {
    const [before, after] = [old[row.marketSlot], next[row.marketSlot]];
    if (row.isSpot || after <= 2n * row.openInterestCap || after <= before) continue;
    return reject('open-interest-cap', 'the market is at its cap; only closing trades pass', {
      instrumentId: row.instrumentId,
      openInterestLots: after / 2n,
      openInterestCapLots: row.openInterestCap,
    });
  }
  return undefined;
}

/** Price bands of liquidation rows, each judged on its total. */
export function refuseLiquidationPrices(content: BatchContent): Rejection | undefined {
  for (const row of content.liquidations) {
    const { instrumentId, accountIndex, closedLots, cashMicros, isShort } = row;
    const risk = rowOf(content.header.table, instrumentId);
    if (risk === undefined)
      return reject('instrument-not-listed', 'this round does not list the instrument', { instrumentId });
    const edge = closedLots * (isShort ? risk.mark + risk.band : risk.mark - risk.band);
    if (closedLots > 0n && cashMicros >= 0n && (isShort ? cashMicros <= edge : cashMicros >= edge)) continue;
    return reject('outside-band', 'a liquidation trades within the band around the mark', {
      accountIndex,
      instrumentId,
      closedLots,
      cashMicros,
      cashAtBandMicros: edge,
    });
  }
  return undefined;
}

/** Lots and cash of every market add up to zero over orders and liquidations. */
export function refuseUnclearedMarkets(content: BatchContent): Rejection | undefined {
  const size = new Map<number, bigint>();
  const cash = new Map<number, bigint>();
  const add = (id: number, isBuy: boolean, row: { lots: bigint; cashMicros: bigint }) => {
    size.set(id, (size.get(id) ?? 0n) + (isBuy ? row.lots : -row.lots));
    cash.set(id, (cash.get(id) ?? 0n) + (isBuy ? row.cashMicros : -row.cashMicros));
  };
  for (const row of content.messages) {
    const message = messageOf(content, row);
    if (message.kind !== 'order') continue;
    add(message.instrumentId, message.side === 'buy', { lots: row.fillLots, cashMicros: row.cashMicros });
  }
  for (const row of content.liquidations) {
    add(row.instrumentId, row.isShort, { lots: row.closedLots, cashMicros: row.cashMicros });
  }
  for (const [instrumentId, lots] of size) {
    const cashMicros = cash.get(instrumentId) ?? 0n;
    if (lots !== 0n || cashMicros !== 0n) {
      return reject('market-does-not-clear', 'what one side buys the other sells, for the same cash', {
        instrumentId,
        lots,
        cashMicros,
      });
    }
  }
  return undefined;
}

/**
 * liquid_t as the contract sees it: L1 operations in order, then withdrawals in order. A full service
 * must be covered, one cut short for liquidity must take all there is.
 */
export function refuseIlliquid(content: BatchContent): Rejection | undefined {
  const liquid = [...content.header.liquid];
  const refuse = (tokenId: number, served: bigint, isShort: boolean): Rejection | undefined => {
    const available = max(0n, liquid[tokenId]);
    liquid[tokenId] -= served;
    if (isShort ? served === available : served <= available) return undefined;
    return needsNewBatch('the token has other liquidity after what else this batch moves', {
      tokenId,
      served,
      available,
    });
  };
  for (const { operation, outcome } of content.l1Operations) {
    if (operation.kind === 'deposit') liquid[operation.tokenId] += outcome.served;
    if (operation.kind !== 'withdraw') continue;
    const refusal = refuse(operation.tokenId, outcome.served, outcome.reason === 'liquidity');
    if (refusal !== undefined) return refusal;
  }
  for (const row of content.withdrawals) {
    const message = messageOf(content, row);
    invariant(message.kind === 'withdraw', 'a withdrawal row executes a signed withdrawal');
    const refusal = refuse(message.tokenId, row.servedAmount, row.servedAmount < message.amount);
    if (refusal !== undefined) return refusal;
  }
  return undefined;
}

/** liquid_t that is left for the next L1 operation or, `afterWithdrawals`, for the next signed withdrawal. */
export function liquidLeft(content: BatchContent, tokenId: number, afterWithdrawals: boolean): bigint {
  let liquid = content.header.liquid[tokenId];
  for (const { operation, outcome } of content.l1Operations) {
    if (operation.tokenId !== tokenId) continue;
    if (operation.kind === 'deposit') liquid += outcome.served;
    if (operation.kind === 'withdraw') liquid -= outcome.served;
  }
  if (!afterWithdrawals) return liquid;
  for (const row of content.withdrawals) {
    const message = messageOf(content, row);
    if (message.kind === 'withdraw' && message.tokenId === tokenId) liquid -= row.servedAmount;
  }
  return liquid;
}
