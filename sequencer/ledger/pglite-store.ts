/**
 * The ledger on PGlite: PostgreSQL inside this process, in a directory (or in memory for tests). It
 * survives the death of the process at any instruction, not the loss of power: PGlite never calls
 * fsync. Where money is real, the same schema runs on PostgreSQL.
 */
import { readFile, rm } from 'node:fs/promises';
import { PGlite, type Transaction } from '@electric-sql/pglite';
import { invariant } from '#protocol/errors.ts';
import { DirectoryLock } from './directory-lock.ts';
import type { BatchRow, BatchWrite, LedgerStore, LogRow, SettlementIntentRow } from './store.ts';

const SCHEMA_FILE = new URL('./schema.sql', import.meta.url);

interface LogRecord {
  sequence: number | string;
  command: string;
  outcome_hash: string;
  record_hash: string;
}

export class PgliteStore implements LedgerStore {
  /** The proof queue keeps its table in the same database; only composition roots hand it over. */
  readonly database: PGlite;
  readonly #lock: DirectoryLock | undefined;

  private constructor(database: PGlite, lock: DirectoryLock | undefined) {
    this.database = database;
    this.#lock = lock;
  }

  /** @param directory where the data lives; undefined keeps it in memory. @throws LedgerInUse */
  static async open(directory?: string): Promise<PgliteStore> {
    return PgliteStore.#create(
      directory,
      directory === undefined ? undefined : await DirectoryLock.take(directory),
    );
  }

  /** The same after everything in the directory was removed; nothing is removed from a ledger in use. */
  static async openEmpty(directory: string): Promise<PgliteStore> {
    const lock = await DirectoryLock.take(directory);
    await rm(directory, { recursive: true, force: true });
    return PgliteStore.#create(directory, lock);
  }

  static async #create(directory: string | undefined, lock: DirectoryLock | undefined): Promise<PgliteStore> {
    try {
      const database = await PGlite.create(directory === undefined ? {} : { dataDir: directory });
      // A new segment of the write-ahead log would be filled with 16 MB of zeros within some order's append, which
      // then takes over 100 ms. Their use is that the disk has room for the segment; a full disk stops us anyway.
      await database.exec('SET wal_init_zero = off');
      await database.exec(await readFile(SCHEMA_FILE, 'utf8'));
      return new PgliteStore(database, lock);
    } catch (error) {
      lock?.release();
      throw error;
    }
  }

  async bindTo(identity: string): Promise<void> {
    await this.database.query('INSERT INTO deployment (identity) VALUES ($1) ON CONFLICT DO NOTHING', [
      identity,
    ]);
    const { rows } = await this.database.query<{ identity: string }>('SELECT identity FROM deployment');
    if (rows[0]?.identity !== identity) {
      throw new Error(
        `this ledger belongs to ${rows[0]?.identity}, not to ${identity}: it will not be touched`,
      );
    }
  }

  async appendLog(rows: readonly LogRow[], batches: readonly BatchWrite[] = []): Promise<void> {
    if (batches.length === 0) {
      await insertLog(this.database, rows);
      return;
    }
    await this.database.transaction(async (transaction) => {
      await insertLog(transaction, rows);
      for (const write of batches) await writeBatch(transaction, write);
    });
  }

  async readLog(after: number, count: number): Promise<LogRow[]> {
    const { rows } = await this.database.query<LogRecord>(
      'SELECT * FROM log WHERE sequence > $1 ORDER BY sequence LIMIT $2',
      [after, count],
    );
    return rows.map((row) => ({
      sequence: Number(row.sequence),
      command: row.command,
      outcomeHash: row.outcome_hash,
      recordHash: row.record_hash,
    }));
  }

  async getBatch(batchNumber: number, attempt: number): Promise<BatchRow | undefined> {
    const { rows } = await this.database.query<{ sealed: string; proof: string | null }>(
      'SELECT sealed, proof FROM batch WHERE batch_number = $1 AND attempt = $2',
      [batchNumber, attempt],
    );
    const row = rows[0];
    if (row === undefined) return undefined;
    return { batchNumber, attempt, sealed: row.sealed, proof: row.proof ?? undefined };
  }

  async putIntent(row: SettlementIntentRow): Promise<void> {
    await this.database.query(
      `INSERT INTO settlement_intent (batch_number, attempt, l1_nonce, tx_hash, raw_tx)
       VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`,
      [row.batchNumber, row.attempt, row.l1Nonce, row.txHash, row.rawTx],
    );
  }

  async intentsOf(batchNumber: number): Promise<SettlementIntentRow[]> {
    const { rows } = await this.database.query<{
      attempt: number;
      l1_nonce: number | string;
      tx_hash: string;
      raw_tx: string;
    }>('SELECT * FROM settlement_intent WHERE batch_number = $1 ORDER BY l1_nonce, tx_hash', [batchNumber]);
    return rows.map((row) => ({
      batchNumber,
      attempt: row.attempt,
      l1Nonce: Number(row.l1_nonce),
      txHash: row.tx_hash,
      rawTx: row.raw_tx,
    }));
  }

  async close(): Promise<void> {
    await this.database.close();
    this.#lock?.release();
  }
}

type Writer = Pick<Transaction, 'query'>;

async function insertLog(writer: Writer, rows: readonly LogRow[]): Promise<void> {
  const places = rows.map((_, i) => `($${4 * i + 1}, $${4 * i + 2}, $${4 * i + 3}, $${4 * i + 4})`);
  await writer.query(
    `INSERT INTO log (sequence, command, outcome_hash, record_hash) VALUES ${places.join(', ')}`,
    rows.flatMap((row) => [row.sequence, row.command, row.outcomeHash, row.recordHash]),
  );
}

/** A batch is sealed once per attempt: a second row of it fails on the primary key. */
async function writeBatch(writer: Writer, write: BatchWrite): Promise<void> {
  const { batchNumber, attempt } = write;
  if ('sealed' in write) {
    await writer.query('INSERT INTO batch (batch_number, attempt, sealed) VALUES ($1, $2, $3)', [
      batchNumber,
      attempt,
      write.sealed,
    ]);
    return;
  }
  const { affectedRows } = await writer.query(
    'UPDATE batch SET proof = $3 WHERE batch_number = $1 AND attempt = $2',
    [batchNumber, attempt, write.proof],
  );
  invariant(affectedRows === 1, 'a proof belongs to a sealed batch');
}
