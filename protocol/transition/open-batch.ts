/**
 * A batch that grows operation by operation and could be proved after every one of them.
 *
 * The content is the truth: each operation is written into it, and the accounts it touches are built
 * anew from the state at the batch's start. So aggregation, the strictest rule of several causes and
 * the rules on (batch start, now) need no bookkeeping of their own.
 */
import type { Account } from '../account.ts';
import type { BatchContent, BatchHeader, SealedBatch } from '../batch/batch.ts';
import type { BatchSize } from '../batch/sizes.ts';
import { accept, invariant, type Rejection, type Result, reject } from '../errors.ts';
import type { BatchCapacity, RowCounts } from '../limits.ts';
import { accountAt, isUserIndex, type LedgerState } from '../state.ts';
import { executeBatch } from './execute-batch.ts';
import { accountChange, blame, refuseChange, refuseTransfers } from './judge-account.ts';
import type { Judged } from './judged.ts';
import {
  batchInstruments,
  newOpenInterest,
  refuseIlliquid,
  refuseLiquidationPrices,
  refuseOpenInterest,
} from './market-rules.ts';
import type { LiquidateOperation, Operation } from './operation.ts';
import { withPenalty } from './record.ts';
import { recordOperation } from './record-operation.ts';
import { batchFull, isBatchConflict, needsNewBatch } from './refusals.ts';
import { emptiedInstrument, refuseRetirement } from './settlement-rules.ts';

/** An empty batch on top of `state`. */
export function openBatch(state: LedgerState, header: BatchHeader, capacity: BatchCapacity): OpenBatch {
  invariant(!(header.table.isJump && header.pricesUsable), 'prices of a jump round are not usable');
  const content: BatchContent = {
    header,
    signatures: [],
    messages: [],
    l1Operations: [],
    withdrawals: [],
    liquidations: [],
    liquidatedAccounts: [],
    fundPayments: [],
    settlements: [],
    retiredInstrument: 0,
  };
  return new OpenBatch(state, capacity, content, new Map());
}

export class OpenBatch {
  /** The ledger at the batch's start. */
  readonly start: LedgerState;
  readonly capacity: BatchCapacity;
  readonly content: BatchContent;
  readonly #rows: ReadonlyMap<number, Judged>;

  constructor(
    start: LedgerState,
    capacity: BatchCapacity,
    content: BatchContent,
    rows: ReadonlyMap<number, Judged>,
  ) {
    this.start = start;
    this.capacity = capacity;
    this.content = content;
    this.#rows = rows;
  }

  get header(): BatchHeader {
    return this.content.header;
  }

  get isEmpty(): boolean {
    const { l1Operations, retiredInstrument } = this.content;
    return this.#rows.size === 0 && l1Operations.length === 0 && retiredInstrument === 0;
  }

  /** Accounts that are touched so far, in increasing order. */
  get touched(): number[] {
    return [...this.#rows.keys()].sort((a, b) => a - b);
  }

  /** An account as the batch leaves it so far. */
  accountAt(accountIndex: number): Account {
    return this.#rows.get(accountIndex)?.after ?? accountAt(this.start, accountIndex);
  }

  /** The ledger as the batch leaves it so far, but for its tree: for trials on top of it, not for a seal. */
  get trialLedger(): LedgerState {
    let { accounts } = this.start;
    for (const [accountIndex, { after }] of this.#rows) accounts = accounts.set(accountIndex, after);
    const openInterest = newOpenInterest(this.start.openInterest, [...this.#rows.values()], this.content);
    return { ...this.start, accounts, openInterest };
  }

  /** A touched account with both margins and its events; undefined if nothing happened to it yet. */
  changeOf(accountIndex: number): Judged | undefined {
    return this.#rows.get(accountIndex);
  }

  /**
   * The batch with one more operation, or why not. This batch stays as it was. Codes 'batch-full' and
   * 'needs-new-batch' mean: seal, open the next batch and try again; every other code is final here.
   */
  execute(operation: Operation): Result<OpenBatch> {
    const recorded = recordOperation(this, operation);
    if (!recorded.ok) return recorded;
    const { content, accountIndexes } = recorded.value;
    const next = this.#rebuilt(
      content,
      accountIndexes,
      operation.kind === 'withdraw' || operation.kind === 'l1',
    );
    if (next.ok) return next;
    if (operation.kind === 'l1') return this.#laterRefusal(next, operation.operation.accountIndex);
    return operation.kind === 'settle' ? this.#laterRefusal(next, operation.accountIndex) : next;
  }

  /**
   * The batch with all these liquidations, judged once they are all in it; refused as by `execute`. Of a hedge either leg
   * alone would raise the margin of the account, together they lower it.
   */
  executeTogether(operations: readonly LiquidateOperation[]): Result<OpenBatch> {
    let { content } = this;
    const accountIndexes = new Set<number>();
    for (const operation of operations) {
      const sofar = new OpenBatch(this.start, this.capacity, content, this.#rows);
      const recorded = recordOperation(sofar, operation);
      if (!recorded.ok) return recorded;
      ({ content } = recorded.value);
      for (const index of recorded.value.accountIndexes) accountIndexes.add(index);
    }
    return this.#rebuilt(content, [...accountIndexes], false);
  }

  /** Rows it needs so far, of each kind. */
  get usedRows(): RowCounts {
    const { signatures, messages, l1Operations, withdrawals, liquidations, settlements } = this.content;
    const accounts = [...this.#rows.values()];
    return {
      accounts: accounts.length,
      signatures: signatures.length,
      messages: messages.length,
      instruments: batchInstruments(accounts, this.content).length,
      l1Operations: l1Operations.length,
      withdrawals: withdrawals.length,
      liquidations: liquidations.length,
      settlements: settlements.length,
    };
  }

  /** What the batch says is retired: what it was told, else the first settled instrument that it emptied; 0 for none. */
  get retiredInstrument(): number {
    const { retiredInstrument, header } = this.content;
    if (retiredInstrument !== 0) return retiredInstrument;
    const old = this.start.openInterest;
    const next = newOpenInterest(old, [...this.#rows.values()], this.content);
    return emptiedInstrument(header.table, old, next);
  }

  /**
   * Seals the batch: fixes rows, roots and Merkle paths, after judging the whole content once more.
   * @param size that holds `usedRows`; the one it was opened for unless told otherwise
   */
  seal(size: BatchSize = { capacity: this.capacity, domainWord: this.header.domainWord }): {
    readonly batch: SealedBatch;
    readonly state: LedgerState;
  } {
    const header = { ...this.header, domainWord: size.domainWord };
    const content = { ...this.content, header, retiredInstrument: this.retiredInstrument };
    const executed = executeBatch(this.start, content, size.capacity);
    invariant(executed.ok, `an open batch can be sealed: ${executed.ok ? '' : executed.message}`);
    return executed.value;
  }

  /** An L1 operation or a settlement is never wrong: what refuses it is what else the batch holds, or the round. */
  #laterRefusal(refusal: Rejection, accountIndex: number): Rejection {
    const isFirst = !this.#rows.has(accountIndex);
    if (isFirst || isBatchConflict(refusal) || refusal.code === 'prices-unusable') return refusal;
    return needsNewBatch(refusal.message, { ...refusal.data, accountIndex });
  }

  #rebuilt(content: BatchContent, accountIndexes: readonly number[], isTransfer: boolean): Result<OpenBatch> {
    const prices = refuseLiquidationPrices(content);
    if (prices !== undefined) return prices;
    const rows = new Map(this.#rows);
    let settled = content;
    for (const accountIndex of accountIndexes) {
      const row = this.#judge(settled, accountIndex, isTransfer);
      if (!row.ok) return row;
      rows.set(accountIndex, row.value);
      settled = withPenalty(settled, accountIndex, row.value.penaltyMicros);
    }
    const refusal = this.#refuseBatch(settled, [...rows.values()]);
    return refusal ?? accept(new OpenBatch(this.start, this.capacity, settled, rows));
  }

  #judge(content: BatchContent, accountIndex: number, isTransfer: boolean): Result<Judged> {
    if (!isUserIndex(this.start.shape, accountIndex)) {
      return reject('no-such-account', 'account indices start at 1 and end with the tree', { accountIndex });
    }
    const before = accountAt(this.start, accountIndex);
    const row = accountChange(content, accountIndex, before, this.start.shape);
    if (!row.ok) return row;
    const refusal = refuseChange(row.value, content);
    if (refusal !== undefined) return blame(this.#growthConflict(refusal, row.value), accountIndex);
    const transfer = refuseTransfers(row.value);
    if (transfer === undefined) return row;
    // An earlier withdrawal set a stricter rule for this batch; alone, the operation may well pass.
    return isTransfer
      ? blame(transfer, accountIndex)
      : needsNewBatch(transfer.message, { ...transfer.data, accountIndex });
  }

  /** A position grew and shrank in one batch: whether reduce-only holds is judged from the batch's start. */
  #growthConflict(refusal: Rejection, judged: Judged): Rejection {
    const known = this.#rows.get(judged.accountIndex);
    const { instrumentId, afterLots } = refusal.data;
    if (refusal.code !== 'reduce-only' || known === undefined) return refusal;
    const isTraded = known.events.orders.some(({ message }) => message.instrumentId === instrumentId);
    if (!isTraded || typeof afterLots !== 'bigint') return refusal;
    return needsNewBatch('orders of this batch grow and shrink one position', refusal.data);
  }

  #refuseBatch(content: BatchContent, rows: readonly Judged[]): Rejection | undefined {
    if (rows.length > this.capacity.accounts) return batchFull('accounts', this.capacity.accounts);
    if (batchInstruments(rows, content).length > this.capacity.instruments) {
      return batchFull('instruments', this.capacity.instruments);
    }
    const old = this.start.openInterest;
    const next = newOpenInterest(old, rows, content);
    return (
      refuseOpenInterest(old, next, content) ?? refuseRetirement(next, content) ?? refuseIlliquid(content)
    );
  }
}
