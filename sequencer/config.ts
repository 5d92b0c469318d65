/** Everything the engine is told once. It is part of what makes a replay give the same roots. */
import type { BatchSize } from '#protocol/batch/sizes.ts';
import type { Instrument } from '#protocol/instrument.ts';
import type { StateShape } from '#protocol/limits.ts';
import type { SigningDomain } from '#protocol/message.ts';

export interface EngineConfig {
  readonly shape: StateShape;
  /** Deployed batch sizes in the contract's order, each with at least the rows of the one before. */
  readonly sizes: readonly BatchSize[];
  readonly domain: SigningDomain;
  readonly instruments: readonly Instrument[];
  readonly makerFeePpm: bigint;
  readonly takerFeePpm: bigint;
  /** Least notional of an order at its limit, but for reduce-only orders. */
  readonly orderMinMicros: bigint;
  readonly openOrdersPerAccountMax: number;
  /**
   * Open orders and waiting cancels of an account together. Cancelling an open order makes a waiting cancel of it, so an
   * account within this number can always cancel all it has, one by one.
   */
  readonly ordersAndCancelsPerAccountMax: number;
  /** Prices older than this at batch time are stale: no fills, no liquidation (contract: 180). */
  readonly roundAgeMaxSec: bigint;
  /**
   * So long after prices were last usable a missed batch waits for a round before it is executed again without one, its trades
   * voided. Longer than the pauses a live oracle makes: the next round after a jump comes in minutes, an expiry may need ten.
   */
  readonly resealWaitMaxSec: bigint;
  /** So long the engine leaves an account alone whose liquidation, fund payment or settlement could not be proved. */
  readonly unprovablePauseSec: bigint;
  /** Sealing waits when so many batches are unproved. */
  readonly unprovedBatchesMax: number;
  /** So many more for reduce-only orders, withdrawals and L1 operations; while a liquidation waits, so many in all. */
  readonly unprovedBatchesReserve: number;
  /** Unproved batches while one of them liquidates. */
  readonly unprovedWhileLiquidatingMax: number;
  /** Closed orders and signed bodies of final batches kept for questions about them. */
  readonly closedOrdersKept: number;
}

export const ENGINE_DEFAULTS = {
  makerFeePpm: 0n,
  takerFeePpm: 500n,
  orderMinMicros: 5_000_000n,
  openOrdersPerAccountMax: 128,
  ordersAndCancelsPerAccountMax: 256,
  roundAgeMaxSec: 180n,
  resealWaitMaxSec: 900n,
  unprovablePauseSec: 600n,
  unprovedBatchesMax: 8,
  unprovedBatchesReserve: 4,
  unprovedWhileLiquidatingMax: 3,
  closedOrdersKept: 100_000,
} as const;
