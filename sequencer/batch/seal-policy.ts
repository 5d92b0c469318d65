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

/** Why no batch is begun or ended any more; undefined while they are. */
export function haltRefusal(state: EngineState): Rejection | undefined {
  const { halted } = state.isolation;
  if (halted === undefined) return undefined;
  const { batchNumber, queueIndex, operation } = halted;
  return reject(
    'sealing-halted',
    'an L1 operation cannot be proved and nothing may overtake it; the operator must repair the prover',
    { batchNumber, queueIndex, operationKind: operation.kind },
  );
}

/** Whether the engine leaves the account alone for now: what it did to it by itself could not be proved. */
export const isBarred = ({ isolation, l1TimeSec }: EngineState, accountIndex: number): boolean =>
  l1TimeSec < (isolation.barredUntilSec.get(accountIndex) ?? 0n);

/** Undefined while there is room for one more batch, or the present one is still open. */
export function backlogRefusal(state: EngineState, lane: Lane): Rejection | undefined {
  const halted = haltRefusal(state);
  if (halted !== undefined) return halted;
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
