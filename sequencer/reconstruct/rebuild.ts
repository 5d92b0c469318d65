/**
 * The whole ledger from L1 data alone: what was queued, and the input of every accepted batch. Pure; whoever
 * reads the chain (`read-l1.ts`) hands it over. Each step is compared with the state root that L1 holds.
 */
import { type Account, emptyAccount, type PublicKey, sizeOf } from '#protocol/account.ts';
import type { L1Operation } from '#protocol/batch/batch.ts';
import { type BatchSubmission, bodyWordCount, decodeBody, splitBodyWords } from '#protocol/batch/calldata.ts';
import { InputError } from '#protocol/errors.ts';
import { accountFromElements } from '#protocol/leaf.ts';
import { type BatchCapacity, SPOT_SLOTS } from '#protocol/limits.ts';
import { accountAt, type LedgerState, stateRoot, withAccount, withOpenInterest } from '#protocol/state.ts';
import { abs } from '#protocol/units.ts';

/** One accepted batch as L1 shows it. */
export interface AcceptedBatch {
  readonly batchNumber: number;
  readonly submission: BatchSubmission;
  /** Rows of the circuit it was proved with. */
  readonly capacity: BatchCapacity;
  /** Queue entries it consumed, in order. */
  readonly operations: readonly L1Operation[];
  readonly l1TxHash: string;
}

export interface RebuiltBatch {
  readonly batchNumber: number;
  readonly ledger: LedgerState;
  /** Accounts whose leaves were published. */
  readonly touched: readonly number[];
}

/** Market slot of each listed instrument. */
export type MarketSlots = ReadonlyMap<number, number>;

/** Keys that take effect with a batch: nobody publishes them again, they are in the queue. */
function newKeys(operations: readonly L1Operation[]): Map<number, PublicKey> {
  const keys = new Map<number, PublicKey>();
  for (const { kind, accountIndex, publicKey } of operations) {
    if (kind === 'register') keys.set(accountIndex, publicKey);
  }
  return keys;
}

function leafOf(words: readonly bigint[], ledger: LedgerState, keys: ReadonlyMap<number, PublicKey>) {
  const [indexWord, ...elements] = words;
  const accountIndex = Number(indexWord) - 1;
  const key = keys.get(accountIndex) ?? accountAt(ledger, accountIndex).publicKey;
  return { accountIndex, account: accountFromElements([...key, ...elements], ledger.shape) };
}

/** What one account adds to each market: the lots it holds, long or short. */
function addInterest(
  openInterest: bigint[],
  account: Account,
  slots: MarketSlots,
  sign: bigint,
  batchNumber: number,
): void {
  const spotIds = Array.from({ length: SPOT_SLOTS }, (_, i) => i + 1);
  for (const id of [...spotIds, ...account.slots.map((slot) => slot.instrumentId)]) {
    const size = sizeOf(account, id);
    if (id === 0 || size === 0n) continue;
    const slot = slots.get(id);
    if (slot === undefined)
      throw new InputError('instrumentId', id, `batch ${batchNumber} holds an unlisted one`);
    openInterest[slot] += sign * abs(size as bigint);
  }
}

/**
 * The ledger after one more batch.
 * @throws InputError when the published data does not lead to the root that L1 accepted.
 */
export function applyAcceptedBatch(
  before: LedgerState,
  batch: AcceptedBatch,
  slots: MarketSlots,
): RebuiltBatch {
  const { shape } = before;
  const { header, body } = batch.submission;
  const words = decodeBody(body, bodyWordCount(batch.capacity, shape));
  const { accounts } = splitBodyWords(words, batch.capacity, shape);
  const keys = newKeys(batch.operations);
  const openInterest = [...before.openInterest];
  const touched: number[] = [];
  let ledger = before;
  for (const row of accounts) {
    if (row[0] === 0n) continue;
    const { accountIndex, account } = leafOf(row, before, keys);
    addInterest(
      openInterest,
      before.accounts.get(accountIndex) ?? emptyAccount(shape),
      slots,
      -1n,
      batch.batchNumber,
    );
    addInterest(openInterest, account, slots, 1n, batch.batchNumber);
    ledger = withAccount(ledger, accountIndex, account);
    touched.push(accountIndex);
  }
  ledger = withOpenInterest(ledger, openInterest);
  const root = stateRoot(ledger);
  if (root !== header.newStateRoot) {
    throw new InputError(
      'stateRoot',
      `0x${root.toString(16)}`,
      `batch ${batch.batchNumber} was accepted with 0x${header.newStateRoot.toString(16)}`,
    );
  }
  return { batchNumber: batch.batchNumber, ledger, touched };
}

/** All batches in order. @throws InputError at the first whose data does not lead to its root. */
export function rebuild(
  genesis: LedgerState,
  batches: readonly AcceptedBatch[],
  slots: MarketSlots,
): readonly RebuiltBatch[] {
  const rebuilt: RebuiltBatch[] = [];
  let ledger = genesis;
  for (const batch of batches) {
    // Leaves published later may hide a gap, so the numbers are compared and not only the roots.
    if (batch.batchNumber !== rebuilt.length + 1) {
      throw new InputError('batchNumber', batch.batchNumber, `expected batch ${rebuilt.length + 1}`);
    }
    const next = applyAcceptedBatch(ledger, batch, slots);
    rebuilt.push(next);
    ledger = next.ledger;
  }
  return rebuilt;
}
