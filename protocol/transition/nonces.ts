/**
 * The nonce window of an account after a batch: docs/protocol.md §2 and §3. A nonce takes effect once;
 * a partial fill leaves a record; a signed floor moves the window, never the operator.
 */
import type { Account, OrderRecord } from '../account.ts';
import { accept, type Rejection, type Result, reject } from '../errors.ts';
import { NONCES_PER_WORD, type StateShape } from '../limits.ts';
import type { Lots } from '../units.ts';
import { needsNewBatch } from './refusals.ts';

/** One executed message that carries a nonce. */
export interface NonceUse {
  readonly kind: 'order' | 'cancel' | 'withdraw';
  readonly nonce: bigint;
  readonly floorBackWords: number;
  /** Lots filled in this batch; 0 but for orders. */
  readonly fillLots: bigint;
  /** Signed size; 0 but for orders. */
  readonly sizeLots: bigint;
}

export type NonceState =
  | { readonly kind: 'fresh' }
  | { readonly kind: 'live'; readonly record: OrderRecord }
  | { readonly kind: 'dead' };

export const nonceWordOf = (nonce: bigint): bigint => nonce / BigInt(NONCES_PER_WORD);

const bitOf = (nonce: bigint, baseWord: bigint): bigint => nonce - BigInt(NONCES_PER_WORD) * baseWord;

/** What the account knows of a nonce. */
export function nonceState(account: Account, nonce: bigint): NonceState {
  if (nonceWordOf(nonce) < account.baseWord) return { kind: 'dead' };
  const record = account.records.find((live) => live.nonce === nonce);
  if (record !== undefined) return { kind: 'live', record };
  return (account.usedMap >> bitOf(nonce, account.baseWord)) & 1n ? { kind: 'dead' } : { kind: 'fresh' };
}

/** Lots of an order that may still be filled, 0 when its nonce is dead. */
export function remainingLots(account: Account, order: { nonce: bigint; sizeLots: bigint }): bigint {
  const state = nonceState(account, order.nonce);
  if (state.kind === 'dead') return 0n;
  const filled = state.kind === 'live' ? state.record.filled : 0n;
  return order.sizeLots > filled ? order.sizeLots - filled : 0n;
}

/** The word at which the window starts after all messages took effect. */
function newBaseWord(before: Account, uses: readonly NonceUse[]): bigint {
  return uses.reduce((base, use) => {
    const floor = nonceWordOf(use.nonce) - BigInt(use.floorBackWords);
    return floor > base ? floor : base;
  }, before.baseWord);
}

function refuseUse(
  before: Account,
  use: NonceUse,
  baseWord: bigint,
  shape: StateShape,
): Rejection | undefined {
  const data = { nonce: use.nonce, baseWord: before.baseWord };
  if (use.floorBackWords > shape.nonceWords - 1) {
    return reject('floor-out-of-window', `floorBackWords is at most ${shape.nonceWords - 1}`, {
      nonce: use.nonce,
      floorBackWords: use.floorBackWords,
      floorBackWordsMax: shape.nonceWords - 1,
    });
  }
  const state = nonceState(before, use.nonce);
  if (state.kind === 'dead')
    return reject('nonce-dead', 'this nonce was used up, cancelled or left behind', data);
  if (state.kind === 'live' && use.kind === 'withdraw') {
    return reject('nonce-used', 'this nonce belongs to a partially filled order', data);
  }
  if (nonceWordOf(use.nonce) < baseWord) {
    return needsNewBatch('another message of this batch moves the floor above this nonce', {
      ...data,
      newBaseWord: baseWord,
    });
  }
  const filledBefore = state.kind === 'live' ? state.record.filled : 0n;
  if (use.kind === 'order' && filledBefore + use.fillLots > use.sizeLots) {
    return reject('overfill', 'an order is filled at most to its signed size', {
      nonce: use.nonce,
      sizeLots: use.sizeLots,
      filledLots: filledBefore,
      fillLots: use.fillLots,
    });
  }
  return undefined;
}

/** Window and records after `uses` took effect on `before`. */
export function useNonces(
  before: Account,
  uses: readonly NonceUse[],
  shape: StateShape,
): Result<Pick<Account, 'baseWord' | 'usedMap' | 'records'>> {
  const baseWord = newBaseWord(before, uses);
  const seen = new Set<bigint>();
  for (const use of uses) {
    const refusal = refuseUse(before, use, baseWord, shape);
    if (refusal !== undefined) return refusal;
    if (seen.has(use.nonce)) return needsNewBatch('a nonce appears once in a batch', { nonce: use.nonce });
    seen.add(use.nonce);
  }
  const firstLive = BigInt(NONCES_PER_WORD) * baseWord;
  let usedMap = before.usedMap >> (firstLive - BigInt(NONCES_PER_WORD) * before.baseWord);
  const records = before.records.filter((record) => !seen.has(record.nonce) && record.nonce >= firstLive);
  for (const use of uses) {
    usedMap |= 1n << bitOf(use.nonce, baseWord);
    const state = nonceState(before, use.nonce);
    const filled = use.fillLots + (state.kind === 'live' ? state.record.filled : 0n);
    if (use.kind === 'order' && filled < use.sizeLots)
      records.push({ nonce: use.nonce, filled: filled as Lots });
  }
  if (records.length > shape.recordSlots) {
    return reject('too-many-partial-fills', 'too many partially filled orders are live; fill or cancel one', {
      live: records.length,
      recordSlots: shape.recordSlots,
    });
  }
  records.sort((a, b) => (a.nonce < b.nonce ? -1 : 1));
  return accept({ baseWord, usedMap, records });
}
