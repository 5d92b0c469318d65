/** One command in, events out: the deterministic heart. No clock, no chance, no I/O. */
import { accept, invariant, type Rejection, type Result } from '#protocol/errors.ts';
import { isolatePoison, noteProof } from './batch/poison.ts';
import { reseal } from './batch/reseal.ts';
import { includeWaiting, sealBatch } from './batch/rollup.ts';
import type { Command, EngineEvent } from './commands.ts';
import { applyL1Block } from './l1.ts';
import { forgetMessages, releasePromises } from './memory.ts';
import { liquidationScan } from './risk/liquidation.ts';
import type { BatchEntry, EngineState, MessageResult, OpenEntry } from './state.ts';
import { submit } from './submit.ts';

export interface Applied {
  readonly events: readonly EngineEvent[];
  /** Only of 'submit': what became of each message. */
  readonly results: readonly MessageResult[];
  /** The command was refused as a whole. */
  readonly refusal: Rejection | undefined;
}

/** Applies one command. Nothing but `state` changes, and equal states give equal events. */
export function applyCommand(state: EngineState, command: Command): Applied {
  let results: readonly MessageResult[] = [];
  let done: Result<void> = accept(undefined);
  const openBefore = state.open;
  const before = turnsOf(state);
  switch (command.kind) {
    case 'configure':
      state.configure(command.config);
      break;
    case 'submit':
      results = submit(state, command);
      fillNewBatch(state, openBefore);
      if (openBefore === undefined) forgetEmptyBatch(state, before);
      break;
    case 'l1-block':
      applyL1Block(state, command);
      break;
    case 'feed':
      for (const { instrumentId, markMicrosPerLot } of command.marks) {
        state.liveMarks.set(instrumentId, markMicrosPerLot);
      }
      break;
    case 'seal':
      sealBatch(state);
      includeWaiting(state);
      break;
    case 'liquidation-scan':
      liquidationScan(state);
      fillNewBatch(state, openBefore);
      break;
    case 'reseal':
      done = reseal(state, command.batchNumber);
      break;
    case 'batch-poisoned':
      if (isProgress(state, command)) done = isolatePoison(state, command);
      break;
    case 'batch-proven':
    case 'batch-submitted':
    case 'batch-final':
      applyProgress(state, command);
      break;
  }
  return { events: state.takeEvents(), results, refusal: done.ok ? undefined : done };
}

/** What the opening of a batch changes beside the batch. */
const turnsOf = ({ isTurnOfL1, isTurnOfCancels, liquidationWait }: EngineState) => ({
  isTurnOfL1,
  isTurnOfCancels,
  batchesBegun: liquidationWait?.batchesBegun,
});

/** What a batch was opened for was refused, and nothing else happened: then not that either, or a replay would differ. */
function forgetEmptyBatch(state: EngineState, before: ReturnType<typeof turnsOf>): void {
  const { open, liquidationWait } = state;
  if (open?.batch.isEmpty !== true || state.events.some(({ kind }) => kind !== 'batch-opened')) return;
  state.open = undefined;
  state.events = [];
  state.isTurnOfL1 = before.isTurnOfL1;
  state.isTurnOfCancels = before.isTurnOfCancels;
  if (liquidationWait !== undefined && before.batchesBegun !== undefined)
    liquidationWait.batchesBegun = before.batchesBegun;
}

/** What a batch was opened for is in: what waits may have the rest. */
function fillNewBatch(state: EngineState, openBefore: OpenEntry | undefined): void {
  if (state.open !== undefined && state.open !== openBefore) includeWaiting(state);
}

type Progress = Extract<Command, { kind: 'batch-proven' | 'batch-submitted' | 'batch-final' }>;

/** What is told of a batch from outside. */
type Report = Progress | Extract<Command, { kind: 'batch-poisoned' }>;

export const isReport = (command: Command): command is Report =>
  command.kind === 'batch-proven' ||
  command.kind === 'batch-poisoned' ||
  command.kind === 'batch-submitted' ||
  command.kind === 'batch-final';

/** Whether the report concerns a batch that still stands: a resealed one has lost its proof. */
export function isProgress(state: EngineState, command: Report): boolean {
  const entry = state.batches.get(command.batchNumber);
  if (entry === undefined || entry.status === 'final') return false;
  if (command.kind === 'batch-final') return true;
  if (entry.attempt !== command.attempt) return false;
  return command.kind === 'batch-submitted' ? entry.status !== 'sealed' : entry.status === 'sealed';
}

function applyProgress(state: EngineState, command: Progress): void {
  if (!isProgress(state, command)) return;
  const entry = state.batches.get(command.batchNumber);
  invariant(entry !== undefined, 'progress concerns a known batch');
  const status =
    command.kind === 'batch-proven' ? 'proven' : command.kind === 'batch-submitted' ? 'submitted' : 'final';
  switch (command.kind) {
    case 'batch-proven':
      entry.proof = { proof: command.proof, inputs: command.inputs };
      break;
    case 'batch-submitted':
      entry.l1TxHash = command.l1TxHash;
      break;
    case 'batch-final':
      finish(state, entry, command);
      break;
  }
  entry.status = status;
  state.unprovedNumbers.delete(entry.number);
  const { batchNumber } = command;
  state.emit({ kind: 'batch-status', batchNumber, attempt: entry.attempt, status });
  if (status === 'final') forgetMessages(state);
  if (status !== 'proven') return;
  noteProof(state, entry);
  if (state.isolation.halted?.batchNumber === batchNumber) {
    state.isolation.halted = undefined;
    // Rounds may have come since it was filled.
    sealBatch(state);
  }
  // Room for one more batch: a liquidation first, then what waits.
  if (state.isLiquidationDue) liquidationScan(state);
  includeWaiting(state);
}

function finish(
  state: EngineState,
  entry: BatchEntry,
  command: Extract<Command, { kind: 'batch-final' }>,
): void {
  invariant(entry.newStateRoot === command.newStateRoot, `L1 accepted batch ${entry.number} with our root`);
  entry.l1Block = command.l1Block;
  entry.l1TxHash = command.l1TxHash;
  for (const { isTouched, accountIndex, after } of entry.sealed?.accounts ?? []) {
    if (isTouched) releasePromises(state, accountIndex, after);
  }
  // The store keeps the content; memory keeps what is asked for often.
  entry.before = undefined;
  entry.sealed = undefined;
  entry.proof = undefined;
  for (const action of entry.actions) {
    if (action.kind === 'liquidate' || action.kind === 'pay-fund') {
      state.isolation.apart.delete(action.operation.accountIndex);
    }
  }
  entry.actions = [];
}
