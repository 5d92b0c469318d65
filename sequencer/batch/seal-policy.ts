/** When to seal, and when not to begin another batch: pure questions about numbers. */
import { type Rejection, reject } from '#protocol/errors.ts';
import type { EngineState } from '../state.ts';

/**
 * Whose budget of unproved batches a step uses.
 * 'protected' steps reduce risk or let money out (reduce-only orders, withdrawals, L1 operations, payments of the fund): they
 * keep a reserve, so that a backlog of proofs never locks anyone in.
 * 'liquidation' comes before all of them: while one waits for room, the others let the proofs catch up.
 * 'waiting' are cancels, which bind the engine before any proof, and settlements: they leave the last place to trades.
 * A 'reseal' only does again what had its room before.
 */
export type Lane = 'ordinary' | 'protected' | 'liquidation' | 'waiting' | 'reseal';

/** Unproved batches below which work of the ordinary and protected lanes is in nobody's way. */
const belowLiquidation = (state: EngineState): number => state.config.unprovedWhileLiquidatingMax - 1;

/** While no liquidation waits. */
function usualMax(state: EngineState, lane: Lane): number {
  const { unprovedBatchesMax, unprovedBatchesReserve, unprovedWhileLiquidatingMax } = state.config;
  const protectedMax = unprovedBatchesMax + unprovedBatchesReserve;
  if (lane === 'liquidation') return Math.min(unprovedWhileLiquidatingMax, protectedMax);
  if (state.unprovedBatches.some((entry) => entry.isLiquidating)) return unprovedWhileLiquidatingMax;
  return lane === 'protected' ? protectedMax : unprovedBatchesMax;
}

/** Whether a liquidation that waits for room holds this lane back. Protected work has its reserve, once in each wait. */
function isHeldBack(state: EngineState, lane: Lane): boolean {
  const { liquidationWait, config } = state;
  if (liquidationWait === undefined || lane === 'liquidation') return false;
  return lane !== 'protected' || liquidationWait.batchesBegun >= config.unprovedBatchesReserve;
}

/** Unproved batches at which no further one is begun. */
export function unprovedMax(state: EngineState, lane: Lane): number {
  if (lane === 'reseal') return Number.POSITIVE_INFINITY;
  const usual = usualMax(state, lane);
  const max = isHeldBack(state, lane) ? Math.min(usual, belowLiquidation(state)) : usual;
  return lane === 'waiting' && max > 1 ? max - 1 : max;
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

/** Whether no liquidation is done against orders of the account for now: one could not be proved. */
export const isBarredMaker = ({ isolation, l1TimeSec }: EngineState, accountIndex: number): boolean =>
  l1TimeSec < (isolation.barredMakers.get(accountIndex)?.untilSec ?? 0n);

/**
 * Undefined while there is room for one more batch, or the present one has begun. An open batch that is still empty was
 * opened on the budget of another lane, perhaps, and is nobody's gift.
 */
export function backlogRefusal(state: EngineState, lane: Lane): Rejection | undefined {
  const halted = haltRefusal(state);
  if (halted !== undefined) return halted;
  const limit = unprovedMax(state, lane);
  const unprovedBatches = state.unprovedBatches.length;
  if (state.open?.batch.isEmpty === false || unprovedBatches < limit) return undefined;
  return isHeldBack(state, lane)
    ? reject(
        'proof-backlog',
        'a liquidation waits for proofs to catch up; until then no further batch is begun',
        {
          unprovedBatches,
          limit,
          lane,
          isLiquidationWaiting: true,
        },
      )
    : reject('proof-backlog', 'too many batches wait for their proofs; the engine seals no further one yet', {
        unprovedBatches,
        limit,
        lane,
      });
}

/** Notes that a batch was opened: what protected work adds while a liquidation waits is counted. */
export function noteOpening(state: EngineState, lane: Lane): void {
  const { liquidationWait } = state;
  if (liquidationWait === undefined || lane !== 'protected') return;
  if (state.unprovedBatches.length >= belowLiquidation(state)) liquidationWait.batchesBegun++;
}

/** Whether the open batch is old enough to be sealed. Time is an argument: the caller's clock, in milliseconds. */
export const isSealDue = (openedAtMs: number | undefined, nowMs: number, ageMaxMs: number): boolean =>
  openedAtMs !== undefined && nowMs - openedAtMs >= ageMaxMs;
