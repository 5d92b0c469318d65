/**
 * Token buckets by peer and by account, each with a separate lane for cancels: a flood of orders may
 * neither delay a cancel nor use up its budget. An account's bucket is charged only after the signature
 * was checked, or a stranger could lock an account out by naming it.
 */
import { isIPv6 } from 'node:net';
import { type Rejection, reject } from '#protocol/errors.ts';

/** 'malformed' pays for submissions that cannot be read: nobody can say whether they were cancels. */
export type Lane = 'order' | 'cancel' | 'read' | 'malformed';

export interface RateLimit {
  readonly perSec: number;
  readonly burst: number;
}

interface Bucket {
  tokens: number;
  atMs: number;
}

const BUCKETS_MAX = 50_000;
const MS_PER_SEC = 1000;

/** A single customer usually holds a whole /64 of IPv6, so that is the peer. */
export function peerOf(address: string): string {
  const plain = address.startsWith('::ffff:') ? address.slice(7) : address;
  if (!isIPv6(plain)) return plain;
  const [head, tail = ''] = plain.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === '' ? [] : tail.split(':');
  const zeros = plain.includes('::') ? 8 - left.length - right.length : 0;
  return [...left, ...Array<string>(Math.max(0, zeros)).fill('0'), ...right].slice(0, 4).join(':');
}

export class RateLimiter<L extends Lane = Lane> {
  readonly #limits: Readonly<Record<L, RateLimit>>;
  readonly #scope: string;
  readonly #buckets = new Map<string, Bucket>();

  constructor(scope: string, limits: Readonly<Record<L, RateLimit>>) {
    this.#scope = scope;
    this.#limits = limits;
  }

  /** Says when `cost` tokens will be there if they are not; takes none. */
  refusal(key: string, lane: L, nowMs: number, cost = 1): Rejection | undefined {
    const { perSec, burst } = this.#limits[lane];
    const tokens = this.#tokens(key, lane, nowMs);
    if (tokens >= cost) return undefined;
    const retryAfterMs = Math.ceil(((cost - tokens) * MS_PER_SEC) / perSec);
    return reject('rate-limited', `too many ${lane} requests by this ${this.#scope}; wait and retry`, {
      field: this.#scope,
      scope: this.#scope,
      lane,
      perSec,
      burst,
      retryAfterMs,
    });
  }

  /** Takes `cost` tokens, or says when they will be there. */
  charge(key: string, lane: L, nowMs: number, cost = 1): Rejection | undefined {
    const refused = this.refusal(key, lane, nowMs, cost);
    if (refused !== undefined) return refused;
    const name = `${lane} ${key}`;
    const tokens = this.#tokens(key, lane, nowMs);
    // Deleting first moves the key to the end, so the Map stays ordered by last use.
    this.#buckets.delete(name);
    this.#buckets.set(name, { tokens: tokens - cost, atMs: nowMs });
    if (this.#buckets.size > BUCKETS_MAX) {
      const oldest = this.#buckets.keys().next().value;
      if (oldest !== undefined) this.#buckets.delete(oldest);
    }
    return undefined;
  }

  #tokens(key: string, lane: L, nowMs: number): number {
    const { perSec, burst } = this.#limits[lane];
    const bucket = this.#buckets.get(`${lane} ${key}`) ?? { tokens: burst, atMs: nowMs };
    const refill = ((nowMs - bucket.atMs) * perSec) / MS_PER_SEC;
    return Math.min(burst, bucket.tokens + Math.max(0, refill));
  }
}
