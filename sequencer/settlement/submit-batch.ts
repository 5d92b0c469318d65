/**
 * Proved batches on their way out, strictly in order. A transaction is written down before it is broadcast, and
 * nothing is sent before the chain and our own earlier transactions were asked: a restart never sends twice.
 */
import { hexlify, type Signer, Transaction, type TransactionReceipt, type TransactionRequest } from 'ethers';
import { encodeSubmitBatch, submissionOf } from '#protocol/batch/calldata.ts';
import { invariant, type Rejection, reject } from '#protocol/errors.ts';
import { max } from '#protocol/units.ts';
import type { Engine } from '../engine.ts';
import type { LedgerStore, SettlementIntentRow } from '../ledger/store.ts';
import type { BatchEntry } from '../state.ts';
import type { L1Contracts } from './l1-contracts.ts';
import { revertData } from './revert-data.ts';
import { L1Conflict } from './watch-l1.ts';

export interface SubmitterOptions {
  readonly signer: Signer;
  readonly receiptTimeoutMs: number;
  readonly pollMs: number;
  /** Blocks on top before one is believed that says a window was missed. */
  readonly depth: number;
}

/**
 * What one turn did. 'refused' carries the contract's error; 'waiting' means there is nothing to send yet; 'retired' that
 * the registry knows what the last retiring batch said.
 */
export type SubmissionOutcome =
  | { readonly kind: 'waiting' }
  | { readonly kind: 'submitted'; readonly batchNumber: number; readonly l1TxHash: string }
  | { readonly kind: 'retired'; readonly instrumentId: number }
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
/** An account may queue so many deposits within the window of a batch, and the contract looks at each: 2,900 gas. */
const LATE_DEPOSITS_MAX = 4n;
const LATE_DEPOSIT_GAS = 3_500n;
/** It always does the same, 77,000 at most; a node that estimates behind what is pending would call a second one void. */
const FINISHING_GAS = 120_000n;
/** A replacement must raise both fees by at least 10 %. */
const FEE_BUMP_PERCENT = 125n;
const FEE_BUMPS_MAX = 6;
/** What pays so many times what blocks ask for now is not mined for another reason than its price. */
const FEE_ABOVE_MARKET_MAX = 10n;

/** What liquidated accounts may add to a batch's gas after it was estimated: no one else's deposits are looked at. */
export const lateDepositsGas = (liquidatedAccounts: number): bigint =>
  BigInt(liquidatedAccounts) * LATE_DEPOSITS_MAX * LATE_DEPOSIT_GAS;

/** The margin is for everything else that may change until a block takes the batch. */
export const gasLimitOf = (estimatedGas: bigint, liquidatedAccounts: number): bigint =>
  (estimatedGas * GAS_MARGIN_PERCENT) / 100n + lateDepositsGas(liquidatedAccounts);

export class BatchSubmitter {
  readonly #engine: Engine;
  readonly #store: LedgerStore;
  readonly #l1: L1Contracts;
  readonly #options: SubmitterOptions;
  /** The last that finished a retirement. It may wait under a nonce that another transaction needs. */
  #finishing: Transaction | undefined;
  /** A dearer one waits under its nonce, as an earlier life may have left it. */
  #isOutbid = false;

  constructor(engine: Engine, store: LedgerStore, l1: L1Contracts, options: SubmitterOptions) {
    this.#engine = engine;
    this.#store = store;
    this.#l1 = l1;
    this.#options = options;
  }

  /**
   * Sends the next batch if it is proved and L1 has all before it. The registry is told of a retirement when no batch is
   * ready, for batches have a window; or when the next one retires as well, for L1 would not take it before.
   * @throws L1Conflict
   */
  async submitNext(): Promise<SubmissionOutcome> {
    // All of one block: our own batch, mined between two questions, would look like another's, or like one too late.
    const block = await this.#l1.provider.getBlockNumber();
    const accepted = await this.#l1.batchNumber(block);
    const root = await this.#l1.stateRoot(block);
    const unfinished = await this.#l1.unfinishedRetirement(block);
    const batchNumber = accepted + 1;
    const entry = await this.#engine.read((state) => {
      const last = state.batches.get(accepted);
      if (last !== undefined && last.newStateRoot !== root) {
        throw new L1Conflict(`L1 holds another root after batch ${accepted} than this ledger`);
      }
      return state.batches.get(batchNumber);
    });
    const isReady = entry !== undefined && entry.proof !== undefined && entry.status !== 'sealed';
    if (unfinished !== 0 && (!isReady || entry.sealed?.content.retiredInstrument !== 0))
      return this.#finishRetirement(unfinished, batchNumber);
    if (!isReady) return { kind: 'waiting' };
    const sent = await this.#lookForOwn(entry);
    if (sent?.kind === 'mined') return this.#finish(entry, sent.receipt);
    const input = hexlify(encodeSubmitBatch(this.#submission(entry)));
    const refusal = await this.#preflight(`batch ${batchNumber}`, batchNumber, input, block);
    // What waits may yet be taken, unless its moment has passed at a block that has not taken it: then it never will.
    if (refusal !== undefined && (sent === undefined || isMissedWindow(refusal))) {
      // A block that another one replaces may have been too late where the other was not, and the other take the batch.
      const isBelieved =
        !isMissedWindow(refusal) ||
        (await this.#missedWindowAt(block - this.#options.depth, batchNumber, input));
      return isBelieved ? { kind: 'refused', batchNumber, rejection: refusal } : { kind: 'waiting' };
    }
    const receipt = await this.#send(entry, input, sent?.intents ?? []);
    if (receipt === undefined) return { kind: 'waiting' };
    return this.#finish(entry, receipt);
  }

  /**
   * Has the registry told of a retired instrument. No transaction is written down: any of them, a stranger's too, may be the one
   * that does it, and L1 says whether it was done.
   */
  async #finishRetirement(instrumentId: number, batchNumber: number): Promise<SubmissionOutcome> {
    const data = this.#l1.rollup.interface.encodeFunctionData('finishRetirement');
    // The nonce comes first: should an earlier one of ours be mined while we ask, ours of now cannot be.
    const nonce = await this.#minedNonces();
    if ((await this.#l1.unfinishedRetirement('latest')) !== instrumentId)
      return { kind: 'retired', instrumentId };
    const what = `the end of the retirement of ${instrumentId}`;
    const rejection = await this.#preflight(what, batchNumber, data, 'latest');
    if (rejection?.data.error === 'NothingRetired') return { kind: 'retired', instrumentId };
    if (rejection !== undefined) return { kind: 'refused', batchNumber, rejection };
    // Nothing here is urgent: its price rises with what blocks ask for, or above what waits in its place.
    const { maxFeePerGas } = await this.#l1.provider.getFeeData();
    const isEnough =
      this.#finishing?.nonce === nonce && (this.#finishing.maxFeePerGas ?? 0n) >= (maxFeePerGas ?? 0n);
    if (!isEnough || this.#isOutbid) {
      const replaced = await this.#waitingUnder(nonce, batchNumber);
      this.#finishing = await this.#signed(data, FINISHING_GAS, nonce, replaced);
    }
    invariant(this.#finishing !== undefined, 'there is one to send');
    this.#isOutbid = (await this.#broadcast(this.#finishing.serialized)) === 'outbid';
    // Not longer than for one receipt: a batch that becomes ready meanwhile goes first.
    const isTold = await this.#poll(async () =>
      (await this.#l1.unfinishedRetirement('latest')) === instrumentId ? undefined : true,
    );
    return isTold === true ? { kind: 'retired', instrumentId } : { kind: 'waiting' };
  }

  #submission(entry: BatchEntry) {
    const { sealed, proof, sizeIndex, tableIndex, pendingEnd } = entry;
    invariant(sealed !== undefined && proof !== undefined, 'a batch is sent with its content and proof');
    const place = {
      sizeIndex,
      acceptedIndex: BigInt(tableIndex),
      pendingEnd: BigInt(pendingEnd),
    };
    return submissionOf(sealed, place, proof.inputs.commitment, proof.proof);
  }

  async #missedWindowAt(block: number, batchNumber: number, data: string): Promise<boolean> {
    const refusal = await this.#preflight(`batch ${batchNumber}`, batchNumber, data, block);
    return refusal !== undefined && isMissedWindow(refusal);
  }

  /** Asks the contract as it was after a block, without sending. */
  async #preflight(
    what: string,
    batchNumber: number,
    data: string,
    blockTag: number | 'latest',
  ): Promise<Rejection | undefined> {
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
      return reject('l1-refused', `L1 would refuse ${what}: ${parsed?.name ?? raw}`, {
        batchNumber,
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
    const minedNonces = await this.#minedNonces();
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
    let current = await this.#dearestOf(earlier.map(transactionOf));
    if (current === undefined) {
      const nonce = await this.#minedNonces();
      current = await this.#sign(entry, data, nonce, await this.#waitingUnder(nonce, entry.number));
      if (current === undefined) throw new Error(`the wallet cannot pay for batch ${entry.number}`);
    }
    // Of several with one nonce, an earlier life's among them, any may be the one that is mined.
    const hashes = [...earlier.map(({ txHash }) => txHash), current.hash];
    for (let bumps = 0; ; bumps++) {
      await this.#broadcast(current.serialized);
      const receipt = await this.#receiptOf(hashes);
      if (receipt !== undefined) return receipt;
      // Its nonce may have gone to what it was to replace: then no price brings it into a block.
      if (bumps === FEE_BUMPS_MAX || (await this.#minedNonces()) > current.nonce) return undefined;
      const dearer = await this.#sign(entry, data, current.nonce, current);
      if (dearer === undefined) return undefined;
      current = dearer;
      hashes.push(current.hash);
    }
  }

  /**
   * What may still wait somewhere under the next nonce and is replaced: a transaction of this batch before it was sealed
   * again, or one that finishes a retirement.
   */
  async #waitingUnder(nonce: number, batchNumber: number): Promise<Transaction | undefined> {
    const intents = await this.#store.intentsOf(batchNumber);
    const own = this.#finishing === undefined ? [] : [this.#finishing];
    return this.#dearestOf([...intents.map(transactionOf), ...own].filter((one) => one.nonce === nonce));
  }

  /**
   * The one that replaced the others: only more than its fee can replace it again. What the wallet cannot pay waits in no
   * node, and would keep from being sent what it can.
   */
  async #dearestOf(transactions: readonly Transaction[]): Promise<Transaction | undefined> {
    const balanceWei = transactions.length === 0 ? 0n : await this.#balanceWei();
    return transactions
      .filter((one) => costMaxOf(one) <= balanceWei)
      .reduce<Transaction | undefined>(
        (dearest, one) => (dearest === undefined || feeOf(one) > feeOf(dearest) ? one : dearest),
        undefined,
      );
  }

  async #balanceWei(): Promise<bigint> {
    return this.#l1.provider.getBalance(await this.#options.signer.getAddress(), 'latest');
  }

  async #minedNonces(): Promise<number> {
    return this.#l1.provider.getTransactionCount(await this.#options.signer.getAddress(), 'latest');
  }

  /** Signs and writes down; undefined where the wallet cannot pay it, or where the same at a higher price has no use. */
  async #sign(
    entry: BatchEntry,
    data: string,
    nonce: number,
    replaced: Transaction | undefined,
  ): Promise<Transaction | undefined> {
    const isSame = replaced?.data === data;
    // Behind its own earlier transaction an estimate may fail, and it would be the same.
    const gasLimit = isSame ? replaced.gasLimit : await this.#gasLimit(entry, data);
    const transaction = await this.#signed(data, gasLimit, nonce, replaced);
    invariant(transaction.hash !== null, 'a signed transaction has a hash');
    const { maxFeePerGas } = await this.#l1.provider.getFeeData();
    if (isSame && feeOf(transaction) > FEE_ABOVE_MARKET_MAX * (maxFeePerGas ?? 0n)) return undefined;
    if (costMaxOf(transaction) > (await this.#balanceWei())) return undefined;
    await this.#store.putIntent({
      batchNumber: entry.number,
      attempt: entry.attempt,
      l1Nonce: transaction.nonce,
      txHash: transaction.hash,
      rawTx: transaction.serialized,
    });
    return transaction;
  }

  async #gasLimit({ sealed }: BatchEntry, data: string): Promise<bigint> {
    const from = await this.#options.signer.getAddress();
    const to = await this.#l1.rollup.getAddress();
    invariant(sealed !== undefined, 'a batch is sent with its content');
    const estimated = await this.#l1.provider.estimateGas({ from, to, data });
    return gasLimitOf(estimated, sealed.content.liquidatedAccounts.length);
  }

  async #signed(
    data: string,
    gasLimit: bigint,
    nonce: number,
    replaced: Transaction | undefined,
  ): Promise<Transaction> {
    const { signer } = this.#options;
    const { provider, rollup } = this.#l1;
    const fees = await provider.getFeeData();
    const bump = (fee: bigint | null | undefined) => ((fee ?? 0n) * FEE_BUMP_PERCENT) / 100n;
    const request: TransactionRequest = {
      type: 2,
      to: await rollup.getAddress(),
      data,
      chainId: (await provider.getNetwork()).chainId,
      nonce,
      gasLimit,
      maxFeePerGas: max(fees.maxFeePerGas ?? 0n, bump(replaced?.maxFeePerGas)),
      maxPriorityFeePerGas: max(fees.maxPriorityFeePerGas ?? 0n, bump(replaced?.maxPriorityFeePerGas)),
    };
    return Transaction.from(await signer.signTransaction(request));
  }

  /** A node that knows the transaction, or its nonce as used, says so by an error: the receipt decides then. */
  async #broadcast(rawTx: string): Promise<'sent' | 'outbid'> {
    try {
      await this.#l1.provider.broadcastTransaction(rawTx);
    } catch (error) {
      const code = (error as { code?: string }).code;
      const message = (error as Error).message;
      const isOutbid =
        code === 'REPLACEMENT_UNDERPRICED' || /replacement transaction underpriced/i.test(message);
      if (isOutbid) return 'outbid';
      const isKnown =
        code === 'NONCE_EXPIRED' || /already known|known transaction|nonce too low/i.test(message);
      if (!isKnown) throw error;
    }
    return 'sent';
  }

  async #receiptOf(hashes: readonly (string | null)[]): Promise<TransactionReceipt | undefined> {
    return this.#poll(async () => {
      for (const hash of hashes) {
        const receipt = hash === null ? null : await this.#l1.provider.getTransactionReceipt(hash);
        if (receipt !== null) return receipt;
      }
      return undefined;
    });
  }

  /** Asks until there is an answer, as long as one waits for a receipt. */
  async #poll<T>(ask: () => Promise<T | undefined>): Promise<T | undefined> {
    const { receiptTimeoutMs, pollMs } = this.#options;
    for (let waitedMs = 0; waitedMs <= receiptTimeoutMs; waitedMs += pollMs) {
      const answer = await ask();
      if (answer !== undefined) return answer;
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

const transactionOf = ({ rawTx }: SettlementIntentRow): Transaction => Transaction.from(rawTx);

const feeOf = ({ maxFeePerGas }: Transaction): bigint => maxFeePerGas ?? 0n;

/** What the sender must have for it. */
const costMaxOf = (transaction: Transaction): bigint => transaction.gasLimit * feeOf(transaction);
