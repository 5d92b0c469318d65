/** What L1 and its observers would make of the sealed batches: each is executed again by `protocol/` alone, from genesis. */
import { expect } from 'chai';
import type { SealedBatch } from '#protocol/batch/batch.ts';
import { rowOf } from '#protocol/risk/table.ts';
import { genesisState, type LedgerState, ledgerTotals, stateRoot } from '#protocol/state.ts';
import { executeBatch } from '#protocol/transition/execute-batch.ts';
import type { EngineConfig } from '#sequencer/config.ts';
import { bodyHashOf, messageHashOf } from '#sequencer/identity.ts';
import { requireBooksBalance } from '../ledger.ts';

interface Link {
  readonly batch: SealedBatch;
  readonly after: LedgerState;
}

export class Chain {
  readonly #config: EngineConfig;
  readonly #links: Link[] = [];

  constructor(config: EngineConfig) {
    this.#config = config;
  }

  /** After the batch of that number; of 0, genesis. */
  ledgerAfter(batchNumber: number): LedgerState {
    return batchNumber === 0 ? genesisState(this.#config.shape) : this.#links[batchNumber - 1].after;
  }

  get head(): LedgerState {
    return this.ledgerAfter(this.#links.length);
  }

  withdraw(batchNumber: number): void {
    this.#links.length = Math.min(this.#links.length, batchNumber - 1);
  }

  append(batch: SealedBatch): void {
    const { content, capacity, oldStateRoot, newStateRoot } = batch;
    expect(Number(content.header.batchNumber), 'batches are sealed in order').to.equal(
      this.#links.length + 1,
    );
    const executed = executeBatch(this.head, content, capacity);
    if (!executed.ok)
      throw new Error(`protocol/ refuses a sealed batch: ${executed.code}: ${executed.message}`);
    const { state: after } = executed.value;
    expect([oldStateRoot, newStateRoot]).to.deep.equal([stateRoot(this.head), stateRoot(after)]);
    this.#links.push({ batch, after });
  }

  /** Money only moves: what accounts and treasury hold is what was deposited and not paid out. */
  requireConservation(): void {
    const held = [0n, 0n, 0n, 0n];
    let treasury = 0n;
    let fromSettlement = 0n;
    const settled = new Set<number>();
    for (const { batch } of this.#links) {
      const { content, feesMicros, penaltiesMicros, fundPaymentsMicros } = batch;
      for (const { operation, outcome } of content.l1Operations) {
        if (operation.kind === 'deposit' && outcome.isApplied) held[operation.tokenId] += operation.amount;
        if (operation.kind === 'withdraw') held[operation.tokenId] -= outcome.served;
      }
      for (const { signatureIndex, position, servedAmount } of content.withdrawals) {
        const message = content.signatures[signatureIndex].messages[position];
        if (message.kind === 'withdraw') held[message.tokenId] -= servedAmount;
      }
      treasury += feesMicros + penaltiesMicros - fundPaymentsMicros;
      const { table } = content.header;
      for (const row of table.rows) if (row.isSettled) settled.add(row.instrumentId);
      for (const { instrumentId, isShort, lots } of content.settlements) {
        fromSettlement += (isShort ? -lots : lots) * (rowOf(table, instrumentId)?.mark ?? 0n);
      }
    }
    const { cashStarMicros, sizeLots } = ledgerTotals(this.head);
    expect(cashStarMicros + treasury, 'quote').to.equal(held[0] + fromSettlement);
    for (const tokenId of [1, 2, 3])
      expect(sizeLots.get(tokenId) ?? 0n, `token ${tokenId}`).to.equal(held[tokenId]);
    requireBooksBalance(this.head, [...settled]);
  }

  /** A withdrawal or cancel ends its nonce; fills of one nonce belong to one order and stay within its size. */
  requireNoncesUsedOnce(): void {
    const ended = new Set<string>();
    const orders = new Map<string, { readonly hash: string; lots: bigint }>();
    for (const { content } of this.#links.map(({ batch }) => batch)) {
      for (const { signatureIndex, position, fillLots } of content.messages) {
        const signed = content.signatures[signatureIndex];
        const message = signed.messages[position];
        if (message.kind === 'cancel-all') continue;
        const name = `${signed.accountIndex} ${signed.epoch} ${message.nonce}`;
        expect(ended.has(name), `nonce ${name} takes effect after its end`).to.equal(false);
        if (message.kind !== 'order') {
          if (message.kind === 'withdraw')
            expect(orders.has(name), `nonce ${name} is an order's`).to.equal(false);
          ended.add(name);
          continue;
        }
        const hash = messageHashOf(bodyHashOf(content.header.domain, signed), position);
        const known = orders.get(name) ?? { hash, lots: 0n };
        expect(known.hash, `nonce ${name} is that of one order`).to.equal(hash);
        known.lots += fillLots;
        expect(known.lots <= message.sizeLots, `nonce ${name} is not filled beyond its size`).to.equal(true);
        orders.set(name, known);
      }
    }
  }
}
