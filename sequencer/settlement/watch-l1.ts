/**
 * L1 on its way in: blocks deep enough become one command each, in order. The time of that block is the time of
 * the next batch, so a batch is never ahead of L1 and never misses a table accepted before its time.
 */
import type { Command } from '../commands.ts';
import type { Engine } from '../engine.ts';
import type { L1Contracts } from './l1-contracts.ts';

/** Blocks on top before something is believed. Production: 2, 64, 64; a local chain has no reorganisations. */
export interface ConfirmationDepths {
  /** Time, tables, and that a queue entry exists. */
  readonly round: number;
  /** Serving a queue entry: a deposit must not vanish after it was credited. */
  readonly deposit: number;
  /** Calling a batch final. */
  readonly final: number;
}

export const PRODUCTION_DEPTHS: ConfirmationDepths = { round: 2, deposit: 64, final: 64 };

/** L1 changed below the depth we trusted, or holds what this ledger never made: nothing here can go on. */
export class L1Conflict extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'L1Conflict';
  }
}

export class L1Watcher {
  readonly #engine: Engine;
  readonly #l1: L1Contracts;
  readonly #depths: ConfirmationDepths;
  readonly #firstBlock: number;
  #lastTurn: Promise<void> = Promise.resolve();

  constructor(engine: Engine, l1: L1Contracts, depths: ConfirmationDepths, firstBlock: number) {
    this.#engine = engine;
    this.#l1 = l1;
    this.#depths = depths;
    this.#firstBlock = firstBlock;
  }

  /**
   * Takes over everything up to the newest block that is deep enough; one call after the other: two that read what
   * is known at the same time would both report the same table. @throws L1Conflict
   */
  poll(): Promise<void> {
    const turn = this.#lastTurn.then(() => this.#poll());
    this.#lastTurn = turn.catch(() => undefined);
    return turn;
  }

  async #poll(): Promise<void> {
    const head = await this.#l1.provider.getBlockNumber();
    await this.#takeBlock(head);
    await this.#takeFinal(head);
  }

  async #takeBlock(head: number): Promise<void> {
    const blockNumber = head - this.#depths.round;
    const known = await this.#engine.read((state) => ({
      blockNumber: state.l1BlockNumber,
      blockHash: state.l1BlockHash,
      tableIndex: state.table?.index,
      confirmedEnd: state.l1QueueConfirmedEnd,
    }));
    if (blockNumber < this.#firstBlock || blockNumber <= known.blockNumber) return;
    const block = await this.#l1.provider.getBlock(blockNumber);
    if (block === null || block.hash === null) return;
    await this.#requireSameChain(known);
    const fromBlock = Math.max(this.#firstBlock, known.blockNumber + 1);
    const depositBlock = head - this.#depths.deposit;
    const confirmed = depositBlock < this.#firstBlock ? 0 : await this.#l1.queueEnd(depositBlock);
    const command: Command = {
      kind: 'l1-block',
      blockNumber,
      blockHash: block.hash,
      timeSec: BigInt(block.timestamp),
      operations: await this.#l1.operations(fromBlock, blockNumber),
      confirmedQueueEnd: Math.max(confirmed, known.confirmedEnd),
      tables: await this.#l1.tables((known.tableIndex ?? -1) + 1, blockNumber),
      numbers: await this.#l1.numbers(blockNumber),
    };
    // Questions by number may have been answered by two chains; if the block still stands, all were asked of its chain.
    // (That takes one node that asks its own chain again: ethers' cache has to be off, and a pool of nodes that may disagree
    // is none. A deposit of another chain would cost the batch that serves it, never money: L1 compares every queue word.)
    const again = await this.#l1.provider.getBlock(blockNumber);
    if (again?.hash === block.hash) await this.#engine.command(command);
  }

  /** @throws L1Conflict when the last block that was believed is not there any more */
  async #requireSameChain(known: {
    readonly blockNumber: number;
    readonly blockHash: string;
  }): Promise<void> {
    if (known.blockNumber === 0) return;
    const again = await this.#l1.provider.getBlock(known.blockNumber);
    if (again?.hash !== known.blockHash) {
      throw new L1Conflict(
        `L1 block ${known.blockNumber} was reorganised after it had been believed: ${known.blockHash} is now ${again?.hash ?? 'no block'}`,
      );
    }
  }

  async #takeFinal(head: number): Promise<void> {
    const block = head - this.#depths.final;
    if (block < this.#firstBlock) return;
    const accepted = await this.#l1.batchNumber(block);
    const waiting = await this.#engine.read((state) => {
      if (accepted >= state.nextBatchNumber) {
        throw new L1Conflict(`L1 accepted batch ${accepted}, this ledger ends before it: an old copy?`);
      }
      const numbers: number[] = [];
      for (let number = accepted; number > 0 && state.batches.get(number)?.status !== 'final'; number--) {
        numbers.unshift(number);
      }
      return numbers;
    });
    for (const batchNumber of waiting) {
      const event = await this.#l1.accepted(batchNumber, block);
      if (event === undefined) throw new L1Conflict(`L1 counts batch ${batchNumber} but has no event of it`);
      const { newStateRoot, l1Block, l1TxHash } = event;
      await this.#engine.command({ kind: 'batch-final', batchNumber, newStateRoot, l1Block, l1TxHash });
    }
  }
}
