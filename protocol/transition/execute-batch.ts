/**
 * Judges a finished batch from its content alone and executes it: what the circuit proves, readable.
 * Knows nothing of how the content came about.
 */
import type { AccountChange, BatchContent, SealedBatch } from '../batch/batch.ts';
import { accept, invariant, type Rejection, type Result, reject } from '../errors.ts';
import type { BatchCapacity } from '../limits.ts';
import { heldInstruments } from '../risk/margin.ts';
import { rowOf } from '../risk/table.ts';
import { signedHashOf } from '../signing.ts';
import {
  accountAt,
  isUserIndex,
  type LedgerState,
  stateRoot,
  withAccount,
  withOpenInterest,
} from '../state.ts';
import type { Micros } from '../units.ts';
import { transfers } from './account-after.ts';
import { touchedAccounts } from './events.ts';
import { accountChange, blame, fundPaid, refuseChange, refuseTransfers } from './judge-account.ts';
import type { Judged } from './judged.ts';
import {
  batchInstruments,
  newOpenInterest,
  refuseIlliquid,
  refuseLiquidationPrices,
  refuseOpenInterest,
  refuseUnclearedMarkets,
} from './market-rules.ts';
import { refuseSignature, withShrinkFlags } from './message-rules.ts';
import { batchFull } from './refusals.ts';
import { refuseRetirement, refuseSettlements, settledWorth } from './settlement-rules.ts';

export interface ExecutedBatch {
  readonly batch: SealedBatch;
  /** The ledger after the batch. */
  readonly state: LedgerState;
}

const malformed = (message: string, data: Rejection['data'] = {}): Rejection =>
  reject('malformed-content', message, data);

function refuseCounts(content: BatchContent, capacity: BatchCapacity): Rejection | undefined {
  const counts: [name: string, rows: number, room: number][] = [
    ['signatures', content.signatures.length, capacity.signatures],
    ['messages', content.messages.length, capacity.messages],
    ['L1 operations', content.l1Operations.length, capacity.l1Operations],
    ['withdrawals', content.withdrawals.length, capacity.withdrawals],
    ['liquidations', content.liquidations.length, capacity.liquidations],
    ['settlements', content.settlements.length, capacity.settlements],
    ['accounts', touchedAccounts(content).length, capacity.accounts],
  ];
  const over = counts.find(([, rows, room]) => rows > room);
  return over === undefined ? undefined : batchFull(over[0], over[2]);
}

/** Rows point at distinct messages of the right kind; cancels move nothing; every signature is one row. */
function refuseReferences(content: BatchContent): Rejection | undefined {
  const { domain } = content.header;
  const hashes = new Set(content.signatures.map((signed) => signedHashOf(domain, signed)));
  if (hashes.size !== content.signatures.length) return malformed('one row per signature');
  const seen = new Set<string>();
  for (const row of [...content.messages, ...content.withdrawals]) {
    const message = content.signatures[row.signatureIndex]?.messages[row.position];
    const key = `${row.signatureIndex}/${row.position}`;
    if (message === undefined || seen.has(key))
      return malformed('a row executes a signed message, each at most once');
    if ((message.kind === 'withdraw') !== 'servedAmount' in row) {
      return malformed('withdrawals have their own rows', { kind: message.kind });
    }
    seen.add(key);
    if ('fillLots' in row && message.kind !== 'order') {
      const moved = row.fillLots !== 0n || row.cashMicros !== 0n || row.feeMicros !== 0n;
      if (moved) return malformed('only an order moves lots and cash', { kind: message.kind });
    }
  }
  return undefined;
}

const isIncreasing = (keys: number[][]): boolean =>
  keys.every((key, i) => {
    if (i === 0) return true;
    const place = key.findIndex((part, j) => part !== keys[i - 1][j]);
    return place >= 0 && key[place] > keys[i - 1][place];
  });

function refuseLists(content: BatchContent): Rejection | undefined {
  const { liquidations, liquidatedAccounts, fundPayments, l1Operations, settlements } = content;
  if (!isIncreasing(liquidations.map((row) => [row.accountIndex, row.instrumentId]))) {
    return malformed('liquidation rows strictly increase by account and instrument');
  }
  if (!isIncreasing(settlements.map((row) => [row.accountIndex, row.instrumentId]))) {
    return malformed('settlement rows strictly increase by account and instrument');
  }
  const liquidated = [...new Set(liquidations.map((row) => row.accountIndex))];
  const isMatching =
    liquidated.length === liquidatedAccounts.length &&
    liquidated.every((index, i) => liquidatedAccounts[i].accountIndex === index);
  if (!isMatching) return malformed('every liquidated account is stated once, in order');
  if (!isIncreasing(fundPayments.map((row) => [row.accountIndex])))
    return malformed('one fund payment per account');
  if (fundPaid(content) > content.header.fundBookedMicros) {
    return reject('fund-empty', 'the fund pays no more than is booked', { paidMicros: fundPaid(content) });
  }
  const flags = withShrinkFlags(content);
  if (flags.some((row, i) => row.isShrinking !== content.messages[i].isShrinking)) {
    return malformed('the shrink flag is set exactly where a reduce-only order or market asks for it');
  }
  return l1Operations.some(({ operation }) => operation.kind === 'close')
    ? malformed('closing a position by L1 operation is reserved')
    : undefined;
}

/** The fixed part of each outcome; the rest is judged on the account. */
function refuseOutcomes(content: BatchContent): Rejection | undefined {
  for (const { operation, outcome } of content.l1Operations) {
    const { isApplied, reason, served } = outcome;
    const { kind, amount, tokenId } = operation;
    const isRight =
      kind === 'withdraw'
        ? served >= 0n &&
          served <= amount &&
          isApplied === served > 0n &&
          (served === amount) === (reason === 'none')
        : kind === 'deposit' || (isApplied && reason === 'none' && served === 0n);
    const isReason = kind !== 'withdraw' || reason !== 'positionCap';
    if (!isRight || !isReason)
      return malformed('the outcome does not fit the operation', { kind, reason, served });
    if (tokenId !== 0 && rowOf(content.header.table, tokenId) === undefined) {
      return reject('instrument-not-listed', 'this round does not list the token', { tokenId });
    }
  }
  return undefined;
}

function judgeAccounts(state: LedgerState, content: BatchContent): Result<Judged[]> {
  const rows: Judged[] = [];
  for (const signed of content.signatures) {
    const refusal = refuseSignature(signed, accountAt(state, signed.accountIndex), content.header);
    if (refusal !== undefined) return refusal;
  }
  for (const accountIndex of touchedAccounts(content)) {
    if (!isUserIndex(state.shape, accountIndex))
      return malformed('account indices lie in the tree, from 1', { accountIndex });
    const row = accountChange(content, accountIndex, accountAt(state, accountIndex), state.shape);
    if (!row.ok) return row;
    const refusal = refuseChange(row.value, content) ?? refuseTransfers(row.value);
    if (refusal !== undefined) return blame(refusal, accountIndex);
    const stated = row.value.events.liquidated?.penaltyMicros ?? 0n;
    if (stated !== row.value.penaltyMicros) {
      return reject(
        'penalty',
        'the penalty is the rate on what was closed, at most the equity that is left',
        {
          accountIndex,
          penaltyMicros: stated,
          rightMicros: row.value.penaltyMicros,
        },
      );
    }
    rows.push(row.value);
  }
  return accept(rows);
}

/** Executes `content` on `state`, or says which rule it breaks. */
export function executeBatch(
  state: LedgerState,
  content: BatchContent,
  capacity: BatchCapacity,
): Result<ExecutedBatch> {
  const form =
    refuseReferences(content) ??
    refuseCounts(content, capacity) ??
    refuseLists(content) ??
    refuseOutcomes(content) ??
    refuseUnclearedMarkets(content) ??
    refuseLiquidationPrices(content) ??
    refuseSettlements(content, (accountIndex) => accountAt(state, accountIndex));
  if (form !== undefined) return form;
  const rows = judgeAccounts(state, content);
  if (!rows.ok) return rows;
  const openInterest = newOpenInterest(state.openInterest, rows.value, content);
  const refusal =
    refuseOpenInterest(state.openInterest, openInterest, content) ??
    refuseRetirement(openInterest, content) ??
    refuseIlliquid(content);
  if (refusal !== undefined) return refusal;
  if (batchInstruments(rows.value, content).length > capacity.instruments) {
    return batchFull('instruments', capacity.instruments);
  }
  requireConservation(content, rows.value);
  return accept(sealRows(state, content, capacity, rows.value, openInterest));
}

/**
 * Nothing is made or lost: what the rules above imply, checked on its own from the leaves. Longs and shorts of a
 * settled instrument are converted at different times, so there lots need not clear; what a settled position is worth
 * counts as cash, before and after.
 */
function requireConservation(content: BatchContent, rows: readonly Judged[]): void {
  const total = (values: readonly bigint[]) => values.reduce((sum, value) => sum + value, 0n);
  const ids = batchInstruments(rows, content).filter((id) => id > 3);
  for (const id of ids) {
    const size = (account: Judged['after']) =>
      total(account.slots.filter((slot) => slot.instrumentId === id).map((slot) => slot.size));
    const converted = content.settlements.filter((row) => row.instrumentId === id);
    invariant(
      total(rows.map((row) => size(row.after) - size(row.before))) ===
        total(converted.map((row) => (row.isShort ? row.lots : -row.lots))),
      `the lots of ${id} are conserved but for those that are settled`,
    );
  }
  const moved = rows.flatMap((row) => transfers(row.events));
  for (const tokenId of [1, 2, 3]) {
    const change = total(rows.map((row) => row.after.spot[tokenId - 1] - row.before.spot[tokenId - 1]));
    const transferred = total(moved.filter((m) => m.tokenId === tokenId).map((m) => m.amount));
    invariant(change === transferred, `spot token ${tokenId} changes only by what enters and leaves`);
  }
  const { table } = content.header;
  const cash = (account: Judged['after']) => account.cashStar + settledWorth(account, table);
  const cashChange = total(rows.map((row) => cash(row.after) - cash(row.before)));
  const treasury = total(rows.map((row) => row.feesMicros + row.penaltyMicros)) - fundPaid(content);
  const quote = total(moved.filter((m) => m.tokenId === 0).map((m) => m.amount));
  invariant(cashChange + treasury === quote, 'cash and treasury change only by what enters and leaves');
}

/** Fills up with untouched accounts that hold nothing, so that padding needs no instrument rows. */
function withPadding(state: LedgerState, rows: readonly Judged[], count: number): number[] {
  const indexes = new Set(rows.map((row) => row.accountIndex));
  for (let index = 0; indexes.size < count; index++) {
    invariant(index < 4 ** state.shape.treeDepth, 'the tree has room for padding accounts');
    if (heldInstruments(accountAt(state, index)).length === 0) indexes.add(index);
  }
  return [...indexes].sort((a, b) => a - b);
}

function sealRows(
  state: LedgerState,
  content: BatchContent,
  capacity: BatchCapacity,
  rows: readonly Judged[],
  openInterest: readonly bigint[],
): ExecutedBatch {
  let next = state;
  const accounts: AccountChange[] = [];
  for (const accountIndex of withPadding(state, rows, capacity.accounts)) {
    const row = rows.find((judged) => judged.accountIndex === accountIndex);
    const before = accountAt(state, accountIndex);
    const after = row?.after ?? before;
    const { siblings } = next.tree.prove(accountIndex);
    accounts.push({ accountIndex, isTouched: row !== undefined, before, after, siblings });
    if (row !== undefined) next = withAccount(next, accountIndex, after);
  }
  next = withOpenInterest(next, openInterest);
  const total = (values: readonly bigint[]) => values.reduce((sum, value) => sum + value, 0n) as Micros;
  const batch: SealedBatch = {
    shape: state.shape,
    capacity,
    content,
    accounts,
    oldStateRoot: stateRoot(state),
    newStateRoot: stateRoot(next),
    oldAccountsRoot: state.tree.root,
    newAccountsRoot: next.tree.root,
    oldOpenInterest: state.openInterest,
    newOpenInterest: openInterest,
    feesMicros: total(rows.map((row) => row.feesMicros)),
    penaltiesMicros: total(rows.map((row) => row.penaltyMicros)),
    fundPaymentsMicros: fundPaid(content) as Micros,
  };
  return { batch, state: next };
}
