import { sizeOf } from '#protocol/account.ts';
import { nameOf } from '#sequencer/batch/reseal.ts';
import type { BatchEntry } from '#sequencer/state.ts';
import { hashOf, World } from './engine.ts';
import { PERP } from './ledger.ts';

/** Whether a batch of these actions has no proof: the fault that a test injects. */
export type Fault = (names: readonly string[], entry: BatchEntry) => boolean;

export const ERROR = 'assertion failed in template Batch';

/** Reports on sealed batches in order, as a prover would, until none is left or sealing is halted. @returns batches poisoned */
export async function prove(world: World, fault: Fault): Promise<string[][]> {
  const poisoned: string[][] = [];
  for (let turn = 0; turn < 200; turn++) {
    const [entry, isHalted] = await world.engine.read(
      (state) =>
        [
          state.unprovedBatches.sort((a, b) => a.number - b.number)[0],
          state.isolation.halted !== undefined,
        ] as const,
    );
    if (entry === undefined || isHalted) return poisoned;
    const names = entry.actions.map(nameOf);
    if (!fault(names, entry)) {
      await world.prove(entry.number);
      continue;
    }
    poisoned.push(names);
    const { number: batchNumber, attempt } = entry;
    const refusal = await world.engine.command({
      kind: 'batch-poisoned',
      batchNumber,
      attempt,
      error: ERROR,
    });
    if (refusal !== undefined) throw new Error(`${refusal.code}: ${refusal.message}`);
    await world.seal();
  }
  throw new Error('poison is looked for without end');
}

export const holds =
  (...names: string[]): Fault =>
  (held) =>
    names.every((name) => held.includes(name));

export const signedBy =
  (accountIndex: number): Fault =>
  (_, { sealed }) =>
    sealed?.content.signatures.some((signed) => signed.accountIndex === accountIndex) ?? false;

export const order = (world: World, hash: string) => world.engine.read((state) => state.orders.get(hash)!);
export const sizeNow = (world: World, account: number, id = PERP) =>
  world.engine.read((state) => sizeOf(state.account(account), id));

/** Eight trades in one batch, maker 2, taker 1; lot counts tell them apart. */
export async function eightTrades(): Promise<{ world: World; batch: number; takers: string[] }> {
  const world = await World.open();
  await world.fund({ 1: 10_000n, 2: 10_000n, 3: 10_000n, 4: 10_000n });
  const takers: string[] = [];
  for (let lots = 1n; lots <= 8n; lots++) {
    hashOf(await world.order(2, 'sell', lots, 100n));
    takers.push(hashOf(await world.order(lots > 4n ? 3 : 1, 'buy', lots, 100n)));
  }
  await world.seal();
  const batch = await world.engine.read((state) => state.nextBatchNumber - 1);
  return { world, batch, takers };
}

export const tradeOf = async (world: World, hash: string) =>
  `trade:${(await order(world, hash)).fills[0].tradeId}`;
