/** A ledger's store that ends with its process: for tests of many short histories. */
import type {
  BatchRow,
  BatchWrite,
  LedgerStore,
  LogRow,
  SettlementIntentRow,
} from '#sequencer/ledger/store.ts';

export class MemoryStore implements LedgerStore {
  readonly #log: LogRow[] = [];
  readonly #batches = new Map<string, BatchRow>();
  readonly #intents: SettlementIntentRow[] = [];

  async bindTo(): Promise<void> {}

  async appendLog(rows: readonly LogRow[], batches: readonly BatchWrite[] = []): Promise<void> {
    this.#log.push(...rows);
    for (const write of batches) {
      const name = `${write.batchNumber}/${write.attempt}`;
      const known = this.#batches.get(name) ?? { ...write, sealed: '', proof: undefined };
      this.#batches.set(name, { ...known, ...write });
    }
  }

  async readLog(after: number, count: number): Promise<LogRow[]> {
    return this.#log.slice(after, after + count);
  }

  async getBatch(batchNumber: number, attempt: number): Promise<BatchRow | undefined> {
    return this.#batches.get(`${batchNumber}/${attempt}`);
  }

  async putIntent(row: SettlementIntentRow): Promise<void> {
    this.#intents.push(row);
  }

  async intentsOf(batchNumber: number): Promise<SettlementIntentRow[]> {
    return this.#intents.filter((row) => row.batchNumber === batchNumber);
  }

  async close(): Promise<void> {}
}
