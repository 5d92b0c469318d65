import { FIRST_DERIVATIVE_ID, SPOT_SLOTS, type StateShape } from './limits.ts';
import type { Lots, Micros } from './units.ts';

/** Baby Jubjub point, affine. */
export type PublicKey = readonly [x: bigint, y: bigint];

/** One derivative slot. Empty: id 0, size 0. A slot keeps its place while its position is open. */
export interface PositionSlot {
  readonly instrumentId: number;
  /** Signed: long +, short −. */
  readonly size: Lots;
}

/** A live, partially filled order. */
export interface OrderRecord {
  readonly nonce: bigint;
  readonly filled: Lots;
}

/** An account leaf; its packing and hash in docs/protocol.md §2. */
export interface Account {
  /** (0, 0) before a key is registered. */
  readonly publicKey: PublicKey;
  readonly epoch: bigint;
  /** The nonce window starts at 32 · baseWord; everything below is dead. */
  readonly baseWord: bigint;
  /** Bit j set: nonce 32 · baseWord + j was used. */
  readonly usedMap: bigint;
  /** Live records in increasing order of nonce; at most shape.recordSlots. */
  readonly records: readonly OrderRecord[];
  /** cash + Σ size × fundingIndex. */
  readonly cashStar: Micros;
  /** Length shape.derivativeSlots. */
  readonly slots: readonly PositionSlot[];
  /** Lots of spot tokens 1, 2, 3 at index 0, 1, 2. Never negative. */
  readonly spot: readonly Lots[];
}

export function emptyAccount(shape: StateShape): Account {
  return {
    publicKey: [0n, 0n],
    epoch: 0n,
    baseWord: 0n,
    usedMap: 0n,
    records: [],
    cashStar: 0n as Micros,
    slots: Array.from({ length: shape.derivativeSlots }, () => ({ instrumentId: 0, size: 0n as Lots })),
    spot: Array.from({ length: SPOT_SLOTS }, () => 0n as Lots),
  };
}

/** Signed size held of any instrument, spot included. */
export function sizeOf(account: Account, instrumentId: number): Lots {
  if (instrumentId < FIRST_DERIVATIVE_ID) return account.spot[instrumentId - 1] ?? (0n as Lots);
  return account.slots.find((slot) => slot.instrumentId === instrumentId)?.size ?? (0n as Lots);
}
