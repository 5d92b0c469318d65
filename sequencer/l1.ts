/** What L1 says: queue entries, accepted tables, the time of batches. */
import { invariant } from '#protocol/errors.ts';
import { min } from '#protocol/units.ts';
import { includeWaiting, sealBatch } from './batch/rollup.ts';
import { closeSettledOrders, findHolders } from './batch/settlement.ts';
import type { AcceptedTable, Command, L1Numbers, QueuedL1Operation } from './commands.ts';
import { closeExpiredOrders } from './orders.ts';
import { liquidationScan } from './risk/liquidation.ts';
import type { EngineState } from './state.ts';

type L1Block = Extract<Command, { kind: 'l1-block' }>;

/** Whether the block says anything the engine does not know: repeats are dropped before they reach the log. */
export function isNewsFromL1(state: EngineState, block: L1Block): boolean {
  return block.blockNumber > state.l1BlockNumber;
}

export function applyL1Block(state: EngineState, block: L1Block): void {
  invariant(block.blockNumber > state.l1BlockNumber, 'L1 blocks come in order, each once');
  invariant(block.timeSec >= state.l1TimeSec, 'L1 time does not fall');
  state.l1BlockNumber = block.blockNumber;
  state.l1BlockHash = block.blockHash;
  takeOperations(state, block.operations, block.confirmedQueueEnd);
  // The batch that is open was filled at the old round: it ends here.
  if (block.tables.length > 0) sealBatch(state);
  state.l1TimeSec = block.timeSec;
  for (const table of block.tables) takeTable(state, table);
  if (block.tables.length > 0) {
    findHolders(state);
    closeSettledOrders(state);
  }
  if (block.numbers !== undefined) compareNumbers(state, block.numbers);
  closeExpiredOrders(state, block.timeSec);
  // A liquidation comes first. What waits in the queue counts for its account all the same.
  if (block.tables.length > 0 || state.isLiquidationDue) liquidationScan(state);
  includeWaiting(state);
}

/** Entries above the confirmed end are known, for deposits count before a liquidation, but not served yet. */
function takeOperations(
  state: EngineState,
  operations: readonly QueuedL1Operation[],
  confirmedEnd: number,
): void {
  for (const queued of operations) {
    invariant(queued.queueIndex === state.l1QueueEnd, 'queue entries come in order, each once');
    state.l1Queue = [...state.l1Queue, queued];
    state.l1QueueEnd = queued.queueIndex + 1;
  }
  invariant(confirmedEnd >= state.l1QueueConfirmedEnd, 'a confirmed queue entry stays confirmed');
  invariant(confirmedEnd <= state.l1QueueEnd, 'only known entries are confirmed');
  state.l1QueueConfirmedEnd = confirmedEnd;
}

function takeTable(state: EngineState, accepted: AcceptedTable): void {
  const { table } = accepted;
  invariant(
    state.table === undefined || accepted.index > state.table.index,
    'tables come in order, each once',
  );
  invariant(accepted.acceptedAtSec <= state.l1TimeSec, 'a table was accepted before we know of it');
  noteUsability(state, accepted);
  state.table = accepted;
  state.liveMarks = new Map();
  state.emit({ kind: 'round', roundNumber: table.roundNumber, isJump: table.isJump });
}

/** A normal round can be used until it is too old; a jump round ends what the one before it allowed. */
function noteUsability(state: EngineState, { table }: AcceptedTable): void {
  if (!table.isJump) state.pricesUsableUntilSec = table.timeSec + state.config.roundAgeMaxSec;
  else state.pricesUsableUntilSec = min(state.pricesUsableUntilSec, state.l1TimeSec);
}

/** After its last accepted batch the contract must hold the numbers we carried forward to that batch. */
function compareNumbers(state: EngineState, numbers: L1Numbers): void {
  const next = state.batches.get(numbers.nextBatchNumber);
  const ours =
    next?.before?.l1Ledger ??
    (numbers.nextBatchNumber === state.nextBatchNumber ? state.l1Ledger : undefined);
  // A batch that is being executed again, or one already forgotten: nothing to compare with.
  if (ours === undefined) return;
  invariant(
    ours.fundBookedMicros === numbers.fundBookedMicros,
    'the fund holds on L1 what the engine booked',
  );
  invariant(
    ours.liquid.every((amount, tokenId) => amount === (numbers.liquid[tokenId] ?? 0n)),
    'the ledger of the contract is the one the engine booked',
  );
}
