/**
 * Batches no honest sequencer would seal: content that breaks a rule of health is executed anyway, and
 * leaves are changed at will. Roots, paths and open interest follow, so only the rule under attack fails.
 */
import type { Account } from '#protocol/account.ts';
import { sizeOf } from '#protocol/account.ts';
import type { AccountChange, BatchContent, SealedBatch } from '#protocol/batch/batch.ts';
import type { BatchCapacity } from '#protocol/limits.ts';
import { TINY_BATCH } from '#protocol/limits.ts';
import { accountAt, type LedgerState, stateRootOf, withAccount } from '#protocol/state.ts';
import { touchedAccounts } from '#protocol/transition/events.ts';
import { accountChange } from '#protocol/transition/judge-account.ts';
import { newOpenInterest } from '#protocol/transition/market-rules.ts';
import type { Lots, Micros } from '#protocol/units.ts';
import { must } from './ledger.ts';

export interface Forgery {
  /** Changes what becomes of an account. */
  readonly after?: (account: Account, accountIndex: number) => Account;
  /** Rows of accounts that the content does not touch. */
  readonly alsoTouched?: readonly number[];
  readonly penaltiesMicros?: bigint;
  readonly openInterest?: (lots: readonly bigint[]) => readonly bigint[];
  readonly capacity?: BatchCapacity;
}

const sum = (values: readonly bigint[]): bigint => values.reduce((total, value) => total + value, 0n);

/** Executes `content` on `state` without judging any account's health, then applies the forgery. */
export function forge(state: LedgerState, content: BatchContent, forgery: Forgery = {}): SealedBatch {
  const { shape } = state;
  const capacity = forgery.capacity ?? TINY_BATCH;
  const touched = [...new Set([...touchedAccounts(content), ...(forgery.alsoTouched ?? [])])];
  const indexes = new Set(touched);
  for (let index = 0; indexes.size < capacity.accounts; index++) indexes.add(index);
  let next = state;
  const accounts = [...indexes]
    .sort((a, b) => a - b)
    .map((accountIndex): AccountChange => {
      const before = accountAt(state, accountIndex);
      const isTouched = touched.includes(accountIndex);
      const honest = isTouched ? must(accountChange(content, accountIndex, before, shape)).after : before;
      const after = forgery.after?.(honest, accountIndex) ?? honest;
      const { siblings } = next.tree.prove(accountIndex);
      next = withAccount(next, accountIndex, after);
      return { accountIndex, isTouched, before, after, siblings };
    });
  const openInterest = newOpenInterest(state.openInterest, accounts, content);
  const newInterest = forgery.openInterest?.(openInterest) ?? openInterest;
  return {
    shape,
    capacity,
    content,
    accounts,
    oldStateRoot: stateRootOf(state.tree.root, state.openInterest),
    newStateRoot: stateRootOf(next.tree.root, newInterest),
    oldAccountsRoot: state.tree.root,
    newAccountsRoot: next.tree.root,
    oldOpenInterest: state.openInterest,
    newOpenInterest: newInterest,
    feesMicros: sum(content.messages.map((row) => row.feeMicros)) as Micros,
    penaltiesMicros: sum(content.liquidatedAccounts.map((row) => row.penaltyMicros)) as Micros,
    fundPaymentsMicros: sum(content.fundPayments.map((row) => row.amountMicros)) as Micros,
  };
}

/** Lots of one account in one instrument changed by `lots`; a new position takes the first free slot. */
export function withLots(account: Account, instrumentId: number, lots: bigint): Account {
  const size = sizeOf(account, instrumentId) + lots;
  if (instrumentId <= 3) {
    return {
      ...account,
      spot: account.spot.map((held, i) => (i === instrumentId - 1 ? size : held) as Lots),
    };
  }
  const known = account.slots.findIndex((slot) => slot.instrumentId === instrumentId);
  const at = known >= 0 ? known : account.slots.findIndex((slot) => slot.instrumentId === 0);
  const slots = account.slots.map((slot, i) =>
    i === at ? { instrumentId: size === 0n ? 0 : instrumentId, size: size as Lots } : slot,
  );
  return { ...account, slots };
}

export const withCash = (account: Account, micros: bigint): Account => ({
  ...account,
  cashStar: (account.cashStar + micros) as Micros,
});
