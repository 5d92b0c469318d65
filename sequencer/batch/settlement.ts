/**
 * Positions in settled instruments wait here until a batch turns them into cash. They are worth exactly that cash and
 * need no margin, so nobody is hurt by the wait: an ordinary batch takes as many as fit its size, and no more.
 */
import { sizeOf } from '#protocol/account.ts';
import { smallestFitting } from '#protocol/batch/sizes.ts';
import { invariant } from '#protocol/errors.ts';
import type { RiskRow } from '#protocol/instrument.ts';
import { rowOf } from '#protocol/risk/table.ts';
import type { OpenBatch } from '#protocol/transition/open-batch.ts';
import type { Operation } from '#protocol/transition/operation.ts';
import { abs } from '#protocol/units.ts';
import { closeOrder, orderOf } from '../orders.ts';
import type { EngineState } from '../state.ts';
import { isBarred } from './seal-policy.ts';

type SettleOperation = Extract<Operation, { kind: 'settle' }>;

/** Positions tried in one pass: what finds no room now finds it in a later batch. */
const TRIES_MAX = 16;

const settledRows = (state: EngineState): RiskRow[] =>
  state.table?.table.rows.filter((row) => row.isSettled) ?? [];

const settledIds = (state: EngineState): ReadonlySet<number> =>
  new Set(settledRows(state).map((row) => row.instrumentId));

/** Finds every holder of a settled instrument: at a new round, and where the ledger was rolled back. */
export function findHolders(state: EngineState): void {
  const settled = settledIds(state);
  state.waitingSettlements = [];
  if (settled.size === 0) return;
  for (const [accountIndex] of state.ledger.accounts.entries()) {
    for (const { instrumentId } of state.account(accountIndex).slots) {
      if (settled.has(instrumentId)) state.waitingSettlements.push({ accountIndex, instrumentId });
    }
  }
}

/** Orders in instruments that trade no more leave their books. */
export function closeSettledOrders(state: EngineState): void {
  const settled = settledIds(state);
  if (settled.size === 0) return;
  const hashes = [...state.openOrders.values()].flatMap((own) => [...own.values()]);
  for (const hash of hashes) {
    const record = orderOf(state, hash);
    if (settled.has(record.order.instrumentId)) closeOrder(state, record, 'expired');
  }
}

/** An instrument that nobody holds and L1 was not told of yet. */
function unheldInstrument(state: EngineState): number | undefined {
  const { openInterest } = state.ledger;
  return settledRows(state).find(
    (row) => openInterest[row.marketSlot] === 0n && !state.retired.has(row.instrumentId),
  )?.instrumentId;
}

/** Whether a batch is worth opening for what waits here. */
export const isSettlementWaiting = (state: EngineState): boolean =>
  state.waitingSettlements.length > 0 || unheldInstrument(state) !== undefined;

/** The batch with the operation, unless that needs a larger circuit than what it holds already. */
function withinSize(state: EngineState, operation: Operation): OpenBatch | undefined {
  invariant(state.open !== undefined, 'there is an open batch');
  const { batch } = state.open;
  const done = batch.execute(operation);
  if (!done.ok) return undefined;
  const { sizes } = state.config;
  const isSameSize =
    smallestFitting(sizes, done.value.usedRows) <= Math.max(0, smallestFitting(sizes, batch.usedRows));
  // What fits no smaller one has a batch of its own.
  return isSameSize || batch.isEmpty ? done.value : undefined;
}

/** Converts waiting positions in the open batch as far as there is room, and says what nobody holds any more. */
export function includeSettlements(state: EngineState): void {
  const { open } = state;
  invariant(open !== undefined, 'there is an open batch');
  const table = open.batch.header.table;
  const stillWaiting: typeof state.waitingSettlements = [];
  let tries = 0;
  for (const position of state.waitingSettlements) {
    const { accountIndex, instrumentId } = position;
    const size: bigint = sizeOf(open.batch.accountAt(accountIndex), instrumentId);
    const row = rowOf(table, instrumentId);
    if (size === 0n) continue;
    if (++tries > TRIES_MAX) {
      stillWaiting.push(position);
      continue;
    }
    const operation = { kind: 'settle', accountIndex, instrumentId } as const;
    const next = row?.isSettled && !isBarred(state, accountIndex) ? withinSize(state, operation) : undefined;
    if (next === undefined || row === undefined) {
      stillWaiting.push(position);
      continue;
    }
    open.batch = next;
    noteSettlement(state, operation, row, size);
  }
  state.waitingSettlements = stillWaiting;
  retireUnheld(state);
}

/** Notes a conversion that the open batch took. @param size of the position before it */
export function noteSettlement(
  state: EngineState,
  operation: SettleOperation,
  row: RiskRow,
  size: bigint,
): void {
  invariant(state.open !== undefined, 'an action belongs to the open batch');
  state.open.actions.push({ kind: 'settlement', operation });
  state.emit({
    kind: 'position-settled',
    batchNumber: state.open.number,
    accountIndex: operation.accountIndex,
    instrumentId: operation.instrumentId,
    isShort: size < 0n,
    lots: abs(size),
    priceMicrosPerLot: row.mark,
    cashMicros: size * row.mark,
  });
}

/** Sealing retires what the batch empties; what was never held, or emptied together with another, is told here. */
function retireUnheld(state: EngineState): void {
  const { open } = state;
  const instrumentId = unheldInstrument(state);
  if (open === undefined || instrumentId === undefined || open.batch.retiredInstrument !== 0) return;
  const next = withinSize(state, { kind: 'retire', instrumentId });
  if (next !== undefined) open.batch = next;
}
