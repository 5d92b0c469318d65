/** What the sequencer needs of a database. PGlite today (`pglite-store.ts`); PostgreSQL by the same schema. */

export interface LogRow {
  readonly sequence: number;
  /** Encoded command (`codec.ts`). */
  readonly command: string;
  readonly outcomeHash: string;
  readonly recordHash: string;
}

export interface BatchRow {
  readonly batchNumber: number;
  readonly attempt: number;
  /** Encoded SealedBatch. */
  readonly sealed: string;
  /** Encoded {proof, inputs}, once there is one. */
  readonly proof: string | undefined;
}

/** What a record of the log did to a batch: it was sealed, or it got its proof. Encoded as in BatchRow. */
export type BatchWrite = { readonly batchNumber: number; readonly attempt: number } & (
  | { readonly sealed: string }
  | { readonly proof: string }
);

/** A transaction written down before it was broadcast. */
export interface SettlementIntentRow {
  readonly batchNumber: number;
  readonly attempt: number;
  readonly l1Nonce: number;
  readonly txHash: string;
  readonly rawTx: string;
}

/**
 * Every method resolves after its write is durable, and rejects if it may not be: the caller stops
 * acknowledging then. Nothing here retries.
 */
export interface LedgerStore {
  /** Claims the store for one deployment; throws if it belongs to another. */
  bindTo(identity: string): Promise<void>;
  /**
   * Records with the sealed batches and proofs they made, in order: all of it or nothing. Otherwise a death between
   * two writes would leave a batch in the log that has no row of its own, and its proof no place to go.
   */
  appendLog(rows: readonly LogRow[], batches?: readonly BatchWrite[]): Promise<void>;
  /** Rows with sequence > `after`, in order, at most `count`. */
  readLog(after: number, count: number): Promise<LogRow[]>;
  getBatch(batchNumber: number, attempt: number): Promise<BatchRow | undefined>;
  putIntent(row: SettlementIntentRow): Promise<void>;
  /** All intents for this batch number, oldest nonce first. */
  intentsOf(batchNumber: number): Promise<SettlementIntentRow[]>;
  close(): Promise<void>;
}
