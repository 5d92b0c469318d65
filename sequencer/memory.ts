/** What the engine forgets: answers about things that are over and that no reseal can bring back, beyond the number kept. */
import type { Account } from '#protocol/account.ts';
import { invariant } from '#protocol/errors.ts';
import { nonceState } from '#protocol/transition/nonces.ts';
import { fromNonceKey } from './orders.ts';
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
  return record.droppedAt !== undefined && isFinal(state, record.droppedAt);
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
    state.messages.delete(hash);
    forgetBody(state, record.bodyHash);
  }
}

/** What a leaf that is final says for good, the engine need not promise. */
export function releasePromises(state: EngineState, accountIndex: number, account: Account): void {
  const own = state.cancelledNonces.get(accountIndex);
  for (const key of own ?? []) {
    const { epoch, nonce } = fromNonceKey(key);
    const isCurrent = epoch === account.epoch;
    if (epoch < account.epoch || (isCurrent && nonceState(account, nonce).kind === 'dead')) own?.delete(key);
  }
  if (own?.size === 0) state.cancelledNonces.delete(accountIndex);
}
