/**
 * Proof jobs in a PostgreSQL table, through any client with PGlite's `query` and `exec`. Every call
 * is one statement, so the database's own atomicity is all the locking there is.
 */

import type { ProofJobKey, ProofJobRecord, ProofJobStatus, ProofJobStore } from './proof-queue.ts';
import type { CircuitProof } from './prove.ts';
import type { CircuitInput } from './witness-calculator.ts';

/** What this needs of a database; PGlite has it. */
export interface SqlDatabase {
  exec(sql: string): Promise<unknown>;
  query<Row>(sql: string, parameters: unknown[]): Promise<{ rows: Row[]; affectedRows?: number }>;
}

const SCHEMA = `
CREATE TABLE IF NOT EXISTS proof_job (
  batch_number    BIGINT NOT NULL,
  seal_attempt    INTEGER NOT NULL,
  circuit_name    TEXT NOT NULL,
  -- Nested arrays of decimal strings by signal name.
  input           TEXT NOT NULL,
  status          TEXT NOT NULL CHECK (status IN ('waiting', 'leased', 'proven', 'quarantined')),
  fencing_token   INTEGER NOT NULL,
  failure_count   INTEGER NOT NULL,
  available_at_ms BIGINT NOT NULL,
  last_failure    TEXT,
  is_unprovable   BOOLEAN NOT NULL,
  proof           TEXT,
  revision        INTEGER NOT NULL,
  PRIMARY KEY (batch_number, seal_attempt)
);
CREATE INDEX IF NOT EXISTS proof_job_open ON proof_job (batch_number, seal_attempt)
  WHERE status IN ('waiting', 'leased');
`;

const COLUMNS = `batch_number, seal_attempt, circuit_name, status, fencing_token, failure_count,
  available_at_ms, last_failure, is_unprovable, proof, revision`;

interface Row {
  batch_number: number | string;
  seal_attempt: number;
  circuit_name: string;
  status: ProofJobStatus;
  fencing_token: number;
  failure_count: number;
  available_at_ms: number | string;
  last_failure: string | null;
  is_unprovable: boolean;
  proof: string | null;
  revision: number;
}

export class SqlProofJobStore implements ProofJobStore {
  readonly #database: SqlDatabase;

  private constructor(database: SqlDatabase) {
    this.#database = database;
  }

  /** Makes the table where it is missing. The caller keeps and closes the database. */
  static async open(database: SqlDatabase): Promise<SqlProofJobStore> {
    await database.exec(SCHEMA);
    return new SqlProofJobStore(database);
  }

  async insert(record: ProofJobRecord, input: CircuitInput): Promise<boolean> {
    const { affectedRows } = await this.#database.query(
      `INSERT INTO proof_job (${COLUMNS}, input) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
       ON CONFLICT DO NOTHING`,
      [...toParameters(record), JSON.stringify(input, decimalBigInts)],
    );
    return affectedRows === 1;
  }

  async readInput({ batchNumber, sealAttempt }: ProofJobKey): Promise<CircuitInput> {
    const { rows } = await this.#database.query<{ input: string }>(
      'SELECT input FROM proof_job WHERE batch_number = $1 AND seal_attempt = $2',
      [batchNumber, sealAttempt],
    );
    return JSON.parse(rows[0].input, bigIntsFromDecimals);
  }

  async read({ batchNumber, sealAttempt }: ProofJobKey): Promise<ProofJobRecord | undefined> {
    const { rows } = await this.#database.query<Row>(
      `SELECT ${COLUMNS} FROM proof_job WHERE batch_number = $1 AND seal_attempt = $2`,
      [batchNumber, sealAttempt],
    );
    return rows.map(fromRow)[0];
  }

  async firstAvailable(nowMs: number): Promise<ProofJobRecord | undefined> {
    const { rows } = await this.#database.query<Row>(
      `SELECT ${COLUMNS} FROM proof_job
       WHERE status IN ('waiting', 'leased') AND available_at_ms <= $1
       ORDER BY batch_number, seal_attempt LIMIT 1`,
      [nowMs],
    );
    return rows.map(fromRow)[0];
  }

  async replace(record: ProofJobRecord, revision: number): Promise<boolean> {
    const { affectedRows } = await this.#database.query(
      `UPDATE proof_job SET circuit_name = $3, status = $4, fencing_token = $5, failure_count = $6,
         available_at_ms = $7, last_failure = $8, is_unprovable = $9, proof = $10, revision = $11
       WHERE batch_number = $1 AND seal_attempt = $2 AND revision = $12`,
      [...toParameters(record), revision],
    );
    return affectedRows === 1;
  }

  async delete({ batchNumber, sealAttempt }: ProofJobKey): Promise<void> {
    await this.#database.query('DELETE FROM proof_job WHERE batch_number = $1 AND seal_attempt = $2', [
      batchNumber,
      sealAttempt,
    ]);
  }

  async deleteUnproved(): Promise<void> {
    await this.#database.query(`DELETE FROM proof_job WHERE status <> 'proven'`, []);
  }

  async countByStatus(): Promise<Partial<Record<ProofJobStatus, number>>> {
    const { rows } = await this.#database.query<{ status: ProofJobStatus; count: number | string }>(
      'SELECT status, count(*) AS count FROM proof_job GROUP BY status',
      [],
    );
    return Object.fromEntries(rows.map(({ status, count }) => [status, Number(count)]));
  }
}

function toParameters(record: ProofJobRecord): unknown[] {
  return [
    record.batchNumber,
    record.sealAttempt,
    record.circuitName,
    record.status,
    record.fencingToken,
    record.failureCount,
    record.availableAtMs,
    record.lastFailure ?? null,
    record.isUnprovable,
    record.proof === undefined ? null : JSON.stringify(record.proof, decimalBigInts),
    record.revision,
  ];
}

function fromRow(row: Row): ProofJobRecord {
  return {
    batchNumber: Number(row.batch_number),
    sealAttempt: row.seal_attempt,
    circuitName: row.circuit_name,
    status: row.status,
    fencingToken: row.fencing_token,
    failureCount: row.failure_count,
    availableAtMs: Number(row.available_at_ms),
    lastFailure: row.last_failure ?? undefined,
    isUnprovable: row.is_unprovable,
    proof: row.proof === null ? undefined : (JSON.parse(row.proof, bigIntsFromDecimals) as CircuitProof),
    revision: row.revision,
  };
}

function decimalBigInts(_name: string, value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value;
}

/** Inputs and proofs hold numbers only, so every string is one. */
function bigIntsFromDecimals(_name: string, value: unknown): unknown {
  return typeof value === 'string' ? BigInt(value) : value;
}
