/** What the engine forgets: answers about things that are over and that no reseal can bring back, beyond the number kept. */
import { invariant } from '#protocol/errors.ts';
import { nonceKey } from './orders.ts';
import type { EngineState, MessageRecord } from './state.ts';

const isFinal = (state: EngineState, batchNumber: number): boolean =>
  state.batches.get(batchNumber)?.status === 'final';

/** A body answers for all its messages: it is forgotten with the last of them. */
function forgetBody(state: EngineState, bodyHash: string): void {
  const isKnown = state.bodies
    .get(bodyHash)
    ?.some((result) => result.ok && (state.orders.has(result.hash) || state.messages.has(result.hash)));
  if (isKnown === false) state.bodies.delete(bodyHash);
}

/** Forgets the orders that closed first. */
export function forgetOrders(state: EngineState): void {
  // Orders whose fills a reseal has taken back look as if they had none.
  if (state.isResealing) return;
  while (state.closedOrder.length > state.config.closedOrdersKept) {
    const oldest = state.orders.get(state.closedOrder[0]);
    // An order of a batch that may be executed again stays, and everything closed after it.
    if (oldest?.closed !== undefined && oldest.fills.some((fill) => !isFinal(state, fill.batchNumber)))
      return;
    state.closedOrder.shift();
    // One that a reseal opened again closes once more later.
    if (oldest?.closed === undefined) continue;
    state.orders.delete(oldest.hash);
    forgetBody(state, oldest.bodyHash);
  }
}

/** Whether nothing can become of a message any more. */
function isOver(state: EngineState, record: MessageRecord): boolean {
  if (record.batchNumber !== undefined) return isFinal(state, record.batchNumber);
  if (record.dropped === undefined) return false;
  // One that a reseal dropped: what it was dropped for stands in the present batch or an earlier one.
  record.settledBy ??= state.nextBatchNumber;
  return isFinal(state, record.settledBy);
}

/** Forgets the oldest cancels, cancel-alls and withdrawals. */
export function forgetMessages(state: EngineState): void {
  while (state.messageOrder.length > state.config.closedOrdersKept) {
    const [hash] = state.messageOrder;
    const record = state.messages.get(hash);
    invariant(record !== undefined, 'a message is known until it is forgotten');
    // One of a batch that may be executed again stays, and everything that came after it.
    if (!isOver(state, record)) return;
    state.messageOrder.shift();
    releasePromise(state, hash);
    state.messages.delete(hash);
    forgetBody(state, record.bodyHash);
  }
}

/** The leaf says for good that the nonce is dead, or the epoch is over: the engine need not promise it. */
export function releasePromise(state: EngineState, hash: string): void {
  const record = state.messages.get(hash);
  invariant(record !== undefined, 'a message of a batch is known');
  const { accountIndex, epoch, messages } = record.signed;
  const message = messages[record.position];
  const own = state.cancelledNonces.get(accountIndex);
  // No leaf will say it of a cancel that could not be proved: the promise holds until the epoch ends.
  if (message.kind !== 'cancel' || record.dropped?.code === 'unprovable') return;
  const key = nonceKey(epoch, message.nonce);
  if (own?.get(key) !== hash) return;
  own.delete(key);
  if (own.size === 0) state.cancelledNonces.delete(accountIndex);
}
