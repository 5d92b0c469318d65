/** The fault that the crash test is there to find: a store that says a write is durable before it is. */
import type { LedgerStore } from '#sequencer/ledger/store.ts';

export function hastyStore(store: LedgerStore): LedgerStore {
  const hasty: Pick<LedgerStore, 'appendLog'> = {
    appendLog: async (...write) => {
      void store.appendLog(...write);
    },
  };
  return Object.assign(Object.create(store), hasty) as LedgerStore;
}
