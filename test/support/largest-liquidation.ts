/** How much of a position a liquidation may close now: the exact rules, searched. */
import { lastPassing } from '#protocol/bisection.ts';
import type { OpenBatch } from '#protocol/transition/open-batch.ts';
import type { LiquidateOperation } from '#protocol/transition/operation.ts';

/** A close before its size is chosen. */
export type LiquidationAsk = Omit<LiquidateOperation, 'lots'>;

/** Fee of the counterparty for a given cash, e.g. rounded down from its rate. */
export type FeeOf = (cashMicros: bigint) => bigint;

/**
 * The largest close up to `lotsMax` that the batch accepts at this price, 0 when not even one lot passes.
 *
 * IM − equity is convex in what is closed and starts above 0, so the sizes that stay below the bound begin
 * with an interval from 1: bisection ends at a size that passes while the next lot does not.
 * Also bounded by the counterparty's own rules, which only tighten with size.
 */
export function largestLiquidationLots(
  batch: OpenBatch,
  ask: LiquidationAsk,
  lotsMax: bigint,
  feeOf: FeeOf = () => ask.feeMicros,
): bigint {
  const isAccepted = (lots: bigint): boolean => {
    const feeMicros = feeOf(lots * ask.priceMicrosPerLot);
    return batch.execute({ ...ask, lots, feeMicros }).ok;
  };
  if (lotsMax <= 0n || !isAccepted(1n)) return 0n;
  if (isAccepted(lotsMax)) return lotsMax;
  return lastPassing(isAccepted, 1n, lotsMax);
}
