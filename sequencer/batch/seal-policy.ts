/** When to seal, and when not to begin another batch: pure questions about numbers. */
import { type Rejection, reject } from '#protocol/errors.ts';
import type { EngineState } from '../state.ts';

/**
 * Whose budget a step uses. 'protected' steps reduce risk or let money out (reduce-only orders, withdrawals, L1
 * operations, liquidations): they keep a reserve, so that a backlog of proofs never locks anyone in. A 'reseal' only
 * does again what had its room before.
 */
export type Lane = 'ordinary' | 'protected' | 'reseal';

/** Unproved batches at which no further one is begun. */
export function unprovedMax(state: EngineState, lane: Lane): number {
  const { unprovedBatchesMax, unprovedBatchesReserve, unprovedWhileLiquidatingMax } = state.config;
  if (lane === 'reseal') return Number.POSITIVE_INFINITY;
  const isLiquidating = state.unprovedBatches.some((entry) => entry.isLiquidating);
  if (isLiquidating) return unprovedWhileLiquidatingMax;
  return lane === 'ordinary' ? unprovedBatchesMax : unprovedBatchesMax + unprovedBatchesReserve;
}

/** Undefined while there is room for one more batch, or the present one is still open. */
export function backlogRefusal(state: EngineState, lane: Lane): Rejection | undefined {
  const limit = unprovedMax(state, lane);
  const unprovedBatches = state.unprovedBatches.length;
  if (state.open !== undefined || unprovedBatches < limit) return undefined;
  return reject(
    'proof-backlog',
    'too many batches wait for their proofs; the engine seals no further one yet',
    {
      unprovedBatches,
      limit,
      lane,
    },
  );
}

/** Whether the open batch is old enough to be sealed. Time is an argument: the caller's clock, in milliseconds. */
export const isSealDue = (openedAtMs: number | undefined, nowMs: number, ageMaxMs: number): boolean =>
  openedAtMs !== undefined && nowMs - openedAtMs >= ageMaxMs;
