/** What users were told, kept apart from the engine: acknowledged cancels bind it, and nothing acknowledged is lost. */
import { expect } from 'chai';
import type { Message, SignedMessages, SigningDomain } from '#protocol/message.ts';
import { accountAt, type LedgerState } from '#protocol/state.ts';
import { nonceState } from '#protocol/transition/nonces.ts';
import type { EngineEvent } from '#sequencer/commands.ts';
import { bodyHashOf, messageHashOf } from '#sequencer/identity.ts';
import { isEpochEnding, nonceKey } from '#sequencer/orders.ts';
import type { EngineState, MessageResult } from '#sequencer/state.ts';

interface Acknowledged {
  readonly signed: SignedMessages;
  readonly message: Message;
}

/** The last that was told of a message. */
type Told = { readonly batchNumber: number } | { readonly droppedFor: string } | 'closed';

export class Promises {
  readonly #domain: SigningDomain;
  readonly #acknowledged = new Map<string, Acknowledged>();
  /** `account epoch nonce` of cancels, `account epoch` of cancel-alls. */
  readonly #cancelled = new Set<string>();
  readonly #told = new Map<string, Told>();

  constructor(domain: SigningDomain) {
    this.#domain = domain;
  }

  take(signed: SignedMessages, results: readonly MessageResult[]): void {
    const bodyHash = bodyHashOf(this.#domain, signed);
    const { accountIndex, epoch } = signed;
    for (const result of results) {
      if (!result.ok) continue;
      const message = signed.messages[result.position];
      expect(result.hash).to.equal(messageHashOf(bodyHash, result.position));
      this.#acknowledged.set(result.hash, { signed, message });
      if (message.kind === 'cancel') this.#cancelled.add(`${accountIndex} ${epoch} ${message.nonce}`);
      if (message.kind === 'cancel-all') this.#cancelled.add(`${accountIndex} ${epoch}`);
    }
  }

  #isCancelled({ accountIndex, epoch }: SignedMessages, nonce: bigint): boolean {
    return (
      this.#cancelled.has(`${accountIndex} ${epoch}`) ||
      this.#cancelled.has(`${accountIndex} ${epoch} ${nonce}`)
    );
  }

  hear(event: EngineEvent, state: EngineState): void {
    switch (event.kind) {
      case 'trade':
        this.#requireUncancelled(state, event.makerHash);
        this.#requireUncancelled(state, event.takerHash);
        return;
      case 'liquidation':
        this.#requireUncancelled(state, event.makerHash);
        return;
      case 'order-closed':
        this.#told.set(event.hash, 'closed');
        return;
      case 'message-included':
      case 'withdrawal':
        this.#told.set(event.hash, { batchNumber: event.batchNumber });
        return;
      case 'message-dropped':
        this.#told.set(event.hash, { droppedFor: event.because.code });
    }
  }

  #requireUncancelled(state: EngineState, hash: string): void {
    const record = state.orders.get(hash);
    if (record === undefined) return;
    const isCancelled = this.#isCancelled(record.signed, record.order.nonce);
    expect(isCancelled, `${hash} is filled after its cancel was acknowledged`).to.equal(false);
  }

  requireNoneBroken(state: EngineState): void {
    for (const record of state.orders.values()) {
      if (record.closed !== undefined) continue;
      const isCancelled = this.#isCancelled(record.signed, record.order.nonce);
      expect(isCancelled, `${record.hash} is open after its cancel was acknowledged`).to.equal(false);
    }
    for (const [hash, { message }] of this.#acknowledged) {
      if (state.orders.has(hash) || state.messages.has(hash)) continue;
      const told = this.#told.get(hash);
      if (message.kind === 'order') {
        expect(told, `the end of the order ${hash} was told`).to.equal('closed');
        continue;
      }
      const isOver =
        typeof told === 'object' &&
        ('droppedFor' in told || state.batches.get(told.batchNumber)?.status === 'final');
      expect(isOver, `what became of the ${message.kind} ${hash} was told before it was forgotten`).to.equal(
        true,
      );
    }
  }

  /** Once nothing waits, the ledger itself says what was promised; the engine alone, where no proof could hold it. */
  requireKept(state: EngineState, ledger: LedgerState): void {
    for (const [hash, { signed, message }] of this.#acknowledged) {
      if (message.kind !== 'cancel' && message.kind !== 'cancel-all') continue;
      const { accountIndex, epoch } = signed;
      const account = accountAt(ledger, accountIndex);
      if (account.epoch > epoch) continue;
      if (message.kind === 'cancel' && nonceState(account, message.nonce).kind === 'dead') continue;
      const told = this.#told.get(hash);
      const droppedFor = typeof told === 'object' && 'droppedFor' in told ? told.droppedFor : 'nothing';
      // Of the epoch after one that a cancel-all ends which has no proof: it never begins.
      expect(['unprovable', 'wrong-epoch'], `why the ${message.kind} ${hash} had no effect`).to.include(
        droppedFor,
      );
      const isPromised =
        message.kind === 'cancel-all'
          ? isEpochEnding(state, accountIndex, epoch)
          : state.cancelledNonces.get(accountIndex)?.has(nonceKey(epoch, message.nonce));
      expect(isPromised, `the ${message.kind} ${hash} binds the engine`).to.equal(true);
    }
  }
}
