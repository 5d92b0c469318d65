/**
 * The log: the only truth of the sequencer. A record binds the command, what it caused, and all records
 * before it; reading checks the chain, so a damaged or edited log stops the start instead of changing money.
 */
import { createHash } from 'node:crypto';
import { decode, encode } from './codec.ts';
import type { LedgerStore, LogRow } from './store.ts';

/** The log cannot be trusted, or does not lead where it led before: the process must not start. */
export class CorruptLogError extends Error {
  constructor(sequence: number, reason: string) {
    super(`log record ${sequence}: ${reason}; refusing to start`);
    this.name = 'CorruptLogError';
  }
}

export interface LogRecord<Command> {
  readonly sequence: number;
  readonly command: Command;
  readonly outcomeHash: string;
}

const GENESIS_HASH = '0'.repeat(64);
const READ_CHUNK = 1000;

export const sha256Hex = (text: string): string => createHash('sha256').update(text).digest('hex');

/** What a command caused, in 32 bytes. */
export const outcomeHashOf = (events: unknown): string => sha256Hex(encode(events));

const recordHashOf = (previous: string, sequence: number, command: string, outcomeHash: string): string =>
  sha256Hex(`${previous}\n${sequence}\n${outcomeHash}\n${command}`);

export class Log<Command> {
  readonly #store: LedgerStore;
  #sequence = 0;
  #lastHash = GENESIS_HASH;

  constructor(store: LedgerStore) {
    this.#store = store;
  }

  /** Sequence of the last record; 0 when empty. */
  get sequence(): number {
    return this.#sequence;
  }

  /** All records from the first, each checked. Call once, before any append. */
  async *replay(): AsyncIterableIterator<LogRecord<Command>> {
    for (;;) {
      const rows = await this.#store.readLog(this.#sequence, READ_CHUNK);
      if (rows.length === 0) return;
      for (const row of rows) {
        const sequence = this.#sequence + 1;
        if (row.sequence !== sequence)
          throw new CorruptLogError(sequence, `missing, ${row.sequence} follows`);
        const hash = recordHashOf(this.#lastHash, sequence, row.command, row.outcomeHash);
        if (hash !== row.recordHash)
          throw new CorruptLogError(sequence, 'its content does not match its hash');
        this.#sequence = sequence;
        this.#lastHash = hash;
        yield { sequence, command: decode<Command>(row.command), outcomeHash: row.outcomeHash };
      }
    }
  }

  /** The next record. The log has moved on when it returns: the caller makes the row durable, in order, or stops. */
  next(command: Command, outcomeHash: string): LogRow {
    const sequence = this.#sequence + 1;
    const text = encode(command);
    const recordHash = recordHashOf(this.#lastHash, sequence, text, outcomeHash);
    this.#sequence = sequence;
    this.#lastHash = recordHash;
    return { sequence, command: text, outcomeHash, recordHash };
  }
}
