/**
 * Proved batches on their way out, strictly in order. A transaction is written down before it is broadcast, and
 * nothing is sent before the chain and our own earlier transactions were asked: a restart never sends twice.
 */
import {
  getBytes,
  hexlify,
  type Signer,
  Transaction,
  type TransactionReceipt,
  type TransactionRequest,
} from 'ethers';
import { encodeSubmitBatch, submissionOf } from '#protocol/batch/calldata.ts';
import { invariant, type Rejection, reject } from '#protocol/errors.ts';
import type { Engine } from '../engine.ts';
import type { LedgerStore, SettlementIntentRow } from '../ledger/store.ts';
import type { BatchEntry } from '../state.ts';
import type { L1Contracts } from './l1-contracts.ts';
import { L1Conflict } from './watch-l1.ts';

export interface SubmitterOptions {
  readonly signer: Signer;
  readonly receiptTimeoutMs: number;
  readonly pollMs: number;
}

/** What one turn did. 'refused' carries the contract's error; 'waiting' means there is nothing to send yet. */
export type SubmissionOutcome =
  | { readonly kind: 'waiting' }
  | { readonly kind: 'submitted'; readonly batchNumber: number; readonly l1TxHash: string }
  | { readonly kind: 'refused'; readonly batchNumber: number; readonly rejection: Rejection };

/** The batch itself is right, its moment has passed: executed again at the newest round it will be taken. */
const WINDOW_ERRORS = [
  'BatchTooLate',
  'BatchTimeFell',
  'TableFell',
  'TableNotNewest',
  'PendingDepositsCut',
  'DepositOfLiquidatedAccount',
];
export const isMissedWindow = (rejection: Rejection): boolean =>
  WINDOW_ERRORS.includes(String(rejection.data.error));

const GAS_MARGIN_PERCENT = 120n;
/** A replacement must raise both fees by at least 10 %. */
const FEE_BUMP_PERCENT = 125n;
const FEE_BUMPS_MAX = 6;

export class BatchSubmitter {
  readonly #engine: Engine;
  readonly #store: LedgerStore;
  readonly #l1: L1Contracts;
  readonly #options: SubmitterOptions;

  constructor(engine: Engine, store: LedgerStore, l1: L1Contracts, options: SubmitterOptions) {
    this.#engine = engine;
    this.#store = store;
    this.#l1 = l1;
    this.#options = options;
  }

  /** Sends the next batch if it is proved and L1 has all before it. @throws L1Conflict */
  async submitNext(): Promise<SubmissionOutcome> {
    // All of one block: our own batch, mined between two questions, would look like another's, or like one too late.
    const block = await this.#l1.provider.getBlockNumber();
    const accepted = await this.#l1.batchNumber(block);
    const root = await this.#l1.stateRoot(block);
    const batchNumber = accepted + 1;
    const entry = await this.#engine.read((state) => {
      const last = state.batches.get(accepted);
      if (last !== undefined && last.newStateRoot !== root) {
        throw new L1Conflict(`L1 holds another root after batch ${accepted} than this ledger`);
      }
      return state.batches.get(batchNumber);
    });
    if (entry === undefined || entry.proof === undefined || entry.status === 'sealed')
      return { kind: 'waiting' };
    const sent = await this.#lookForOwn(entry);
    if (sent?.kind === 'mined') return this.#finish(entry, sent.receipt);
    const input = hexlify(encodeSubmitBatch(this.#submission(entry)));
    const refusal = await this.#preflight(entry, input, block);
    // What waits may yet be taken, unless its moment has passed at a block that has not taken it: then it never will.
    if (refusal !== undefined && (sent === undefined || isMissedWindow(refusal))) {
      return { kind: 'refused', batchNumber, rejection: refusal };
    }
    const receipt = await this.#send(entry, input, sent?.intents ?? []);
    if (receipt === undefined) return { kind: 'waiting' };
    return this.#finish(entry, receipt);
  }

  #submission(entry: BatchEntry) {
    const { sealed, proof, sizeIndex, table, pendingEnd } = entry;
    invariant(sealed !== undefined && proof !== undefined, 'a batch is sent with its content and proof');
    const place = {
      sizeIndex,
      acceptedIndex: BigInt(table.index),
      pendingEnd: BigInt(pendingEnd),
    };
    return submissionOf(sealed, place, proof.inputs.commitment, proof.proof);
  }

  /** Asks the contract as it was after a block, without sending. */
  async #preflight(entry: BatchEntry, data: string, blockTag: number): Promise<Rejection | undefined> {
    const { rollup, provider } = this.#l1;
    try {
      await provider.call({
        to: await rollup.getAddress(),
        from: await this.#options.signer.getAddress(),
        data,
        blockTag,
      });
      return undefined;
    } catch (error) {
      const raw = revertData(error);
      if (raw === undefined) throw error;
      // Empty where the contract said nothing, such as out of gas.
      const parsed = raw === '0x' ? null : rollup.interface.parseError(raw);
      return reject('l1-refused', `L1 would refuse batch ${entry.number}: ${parsed?.name ?? raw}`, {
        batchNumber: entry.number,
        error: parsed?.name ?? raw,
        ...Object.fromEntries(
          (parsed?.fragment.inputs ?? []).map((input, i) => [input.name, String(parsed?.args[i])]),
        ),
      });
    }
  }

  /** What became of transactions we wrote down for this batch. */
  async #lookForOwn(
    entry: BatchEntry,
  ): Promise<
    | { readonly kind: 'mined'; readonly receipt: TransactionReceipt }
    | { readonly kind: 'pending'; readonly intents: readonly SettlementIntentRow[] }
    | undefined
  > {
    const { provider } = this.#l1;
    // The count comes first: what is mined later still counts as open here, or has its receipt below.
    const minedNonces = await provider.getTransactionCount(await this.#options.signer.getAddress(), 'latest');
    const all = await this.#store.intentsOf(entry.number);
    const intents = all.filter((row) => row.attempt === entry.attempt);
    for (const { txHash } of intents) {
      const receipt = await provider.getTransactionReceipt(txHash);
      if (receipt?.status === 1) return { kind: 'mined', receipt };
    }
    // Below the mined count another transaction took the nonce, or ours was mined and failed.
    const open = intents.filter((row) => row.l1Nonce >= minedNonces);
    return open.length === 0 ? undefined : { kind: 'pending', intents: open };
  }

  /** Broadcasts until a receipt comes, with rising fees under one nonce. Undefined: none came, ask again. */
  async #send(
    entry: BatchEntry,
    data: string,
    earlier: readonly SettlementIntentRow[],
  ): Promise<TransactionReceipt | undefined> {
    let current = dearestOf(earlier) ?? (await this.#sign(entry, data, await this.#withdrawnAttempt(entry)));
    // Of several with one nonce, an earlier life's among them, any may be the one that is mined.
    const hashes = [...earlier.map(({ txHash }) => txHash), current.hash];
    for (let bumps = 0; ; bumps++) {
      await this.#broadcast(current.serialized);
      const receipt = await this.#receiptOf(hashes);
      if (receipt !== undefined) return receipt;
      if (bumps === FEE_BUMPS_MAX) return undefined;
      current = await this.#sign(entry, data, current);
      hashes.push(current.hash);
    }
  }

  /** A transaction of this batch before it was sealed again that may still wait somewhere: it is replaced. */
  async #withdrawnAttempt(entry: BatchEntry): Promise<Transaction | undefined> {
    const minedNonces = await this.#l1.provider.getTransactionCount(
      await this.#options.signer.getAddress(),
      'latest',
    );
    const intents = await this.#store.intentsOf(entry.number);
    return dearestOf(intents.filter((row) => row.l1Nonce === minedNonces));
  }

  async #sign(entry: BatchEntry, data: string, replaced?: Transaction): Promise<Transaction> {
    const { signer } = this.#options;
    const { provider, rollup } = this.#l1;
    const from = await signer.getAddress();
    const to = await rollup.getAddress();
    const fees = await provider.getFeeData();
    const bump = (fee: bigint | null | undefined) => ((fee ?? 0n) * FEE_BUMP_PERCENT) / 100n;
    const max = (a: bigint, b: bigint) => (a > b ? a : b);
    const request: TransactionRequest = {
      type: 2,
      to,
      data,
      chainId: (await provider.getNetwork()).chainId,
      nonce: replaced?.nonce ?? (await provider.getTransactionCount(from, 'latest')),
      gasLimit: ((await provider.estimateGas({ from, to, data })) * GAS_MARGIN_PERCENT) / 100n,
      maxFeePerGas: max(fees.maxFeePerGas ?? 0n, bump(replaced?.maxFeePerGas)),
      maxPriorityFeePerGas: max(fees.maxPriorityFeePerGas ?? 0n, bump(replaced?.maxPriorityFeePerGas)),
    };
    const transaction = Transaction.from(await signer.signTransaction(request));
    invariant(transaction.hash !== null, 'a signed transaction has a hash');
    await this.#store.putIntent({
      batchNumber: entry.number,
      attempt: entry.attempt,
      l1Nonce: transaction.nonce,
      txHash: transaction.hash,
      rawTx: transaction.serialized,
    });
    return transaction;
  }

  /** A node that knows the transaction, or its nonce as used, says so by an error: the receipt decides then. */
  async #broadcast(rawTx: string): Promise<void> {
    try {
      await this.#l1.provider.broadcastTransaction(rawTx);
    } catch (error) {
      const code = (error as { code?: string }).code;
      const message = (error as Error).message;
      const isKnown =
        code === 'NONCE_EXPIRED' ||
        code === 'REPLACEMENT_UNDERPRICED' ||
        /already known|known transaction|nonce too low/i.test(message);
      if (!isKnown) throw error;
    }
  }

  async #receiptOf(hashes: readonly (string | null)[]): Promise<TransactionReceipt | undefined> {
    const { receiptTimeoutMs, pollMs } = this.#options;
    for (let waitedMs = 0; waitedMs <= receiptTimeoutMs; waitedMs += pollMs) {
      for (const hash of hashes) {
        const receipt = hash === null ? null : await this.#l1.provider.getTransactionReceipt(hash);
        if (receipt !== null) return receipt;
      }
      await new Promise((resolve) => setTimeout(resolve, pollMs));
    }
    return undefined;
  }

  async #finish(entry: BatchEntry, receipt: TransactionReceipt): Promise<SubmissionOutcome> {
    const { number: batchNumber, attempt } = entry;
    if (receipt.status !== 1) {
      // Preflight passed and the block did not take it: ask again what the contract says now.
      return { kind: 'waiting' };
    }
    await this.#engine.command({ kind: 'batch-submitted', batchNumber, attempt, l1TxHash: receipt.hash });
    return { kind: 'submitted', batchNumber, l1TxHash: receipt.hash };
  }
}

/** The one that replaced the others: only more than its fee can replace it again. */
function dearestOf(intents: readonly SettlementIntentRow[]): Transaction | undefined {
  const feeOf = (transaction: Transaction): bigint => transaction.maxFeePerGas ?? 0n;
  return intents
    .map(({ rawTx }) => Transaction.from(rawTx))
    .reduce<Transaction | undefined>(
      (dearest, one) => (dearest === undefined || feeOf(one) > feeOf(dearest) ? one : dearest),
      undefined,
    );
}

/** The bytes a call reverted with; undefined when it failed for another reason. */
function revertData(error: unknown): string | undefined {
  const { code, data, info } = error as {
    code?: string;
    data?: unknown;
    info?: { error?: { data?: unknown } };
  };
  const nested = info?.error?.data;
  const found = [data, nested, (nested as { data?: unknown } | undefined)?.data].find(
    (candidate) => typeof candidate === 'string' && candidate.startsWith('0x'),
  );
  if (typeof found === 'string') return hexlify(getBytes(found));
  return code === 'CALL_EXCEPTION' ? '0x' : undefined;
}
