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
  /** All rows or none. */
  appendLog(rows: readonly LogRow[]): Promise<void>;
  /** Rows with sequence > `after`, in order, at most `count`. */
  readLog(after: number, count: number): Promise<LogRow[]>;
  /** Idempotent: the same sealed batch may be written again by a replay. */
  putBatch(batchNumber: number, attempt: number, sealed: string): Promise<void>;
  putProof(batchNumber: number, attempt: number, proof: string): Promise<void>;
  getBatch(batchNumber: number, attempt: number): Promise<BatchRow | undefined>;
  putIntent(row: SettlementIntentRow): Promise<void>;
  /** All intents for this batch number, oldest nonce first. */
  intentsOf(batchNumber: number): Promise<SettlementIntentRow[]>;
  close(): Promise<void>;
}
