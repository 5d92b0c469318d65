/** The leaf of an account after a batch, from the leaf before and what happened: no rule of health here. */
import type { Account, PositionSlot } from '../account.ts';
import type { BatchHeader } from '../batch/batch.ts';
import { accept, invariant, type Result, reject } from '../errors.ts';
import type { RiskTable } from '../instrument.ts';
import { CASH_STAR_BITS, FIRST_DERIVATIVE_ID, SIZE_BITS, type StateShape } from '../limits.ts';
import { countedDeposits, marginOf } from '../risk/margin.ts';
import { rowOf } from '../risk/table.ts';
import { abs, type Lots, type Micros, max, min } from '../units.ts';
import { type AccountEvents, epochChangeCount, movedLots } from './events.ts';
import { type NonceUse, useNonces } from './nonces.ts';
import { needsNewBatch } from './refusals.ts';

export interface AccountAfter {
  readonly after: Account;
  /** Fees of the account's orders. */
  readonly feesMicros: bigint;
  /** 0 but for a liquidated account. */
  readonly penaltyMicros: bigint;
}

function nonceUses(events: AccountEvents): NonceUse[] {
  return [
    ...events.orders.map(({ message, execution }) => ({ ...message, fillLots: execution.fillLots })),
    ...events.cancels.map(({ message }) => ({ ...message, fillLots: 0n, sizeLots: 0n })),
    ...events.withdrawals.map(({ message }) => ({ ...message, fillLots: 0n, sizeLots: 0n })),
  ];
}

/** Cash of trades, settlements at the mark, fees, transfers and fund payments; the penalty is not in it. */
function cashChange(events: AccountEvents, table: RiskTable): bigint {
  let change = 0n;
  for (const { message, execution } of events.orders) {
    change += message.side === 'buy' ? -execution.cashMicros : execution.cashMicros;
    change -= execution.feeMicros;
  }
  for (const row of events.liquidations) change += row.isShort ? -row.cashMicros : row.cashMicros;
  for (const row of events.settlements) {
    const value = row.lots * markOf(table, row.instrumentId);
    change += row.isShort ? -value : value;
  }
  for (const payment of events.fundPayments) change += payment.amountMicros;
  for (const { tokenId, amount } of transfers(events)) if (tokenId === 0) change += amount;
  return change;
}

function markOf(table: RiskTable, instrumentId: number): bigint {
  const row = rowOf(table, instrumentId);
  invariant(row !== undefined, 'a settled instrument is listed');
  return row.mark;
}

/** What enters (+) and leaves (−) through L1, per event. */
export function transfers(events: AccountEvents): { tokenId: number; amount: bigint }[] {
  const l1 = events.l1Operations.map(({ operation, outcome }) => ({
    tokenId: operation.tokenId,
    amount:
      operation.kind === 'deposit' ? outcome.served : operation.kind === 'withdraw' ? -outcome.served : 0n,
  }));
  const signed = events.withdrawals.map(({ message, execution }) => ({
    tokenId: message.tokenId,
    amount: -execution.servedAmount,
  }));
  return [...l1, ...signed];
}

const outOfRange = (what: string, value: bigint, bits: number) =>
  reject('out-of-range', `${what} would not fit its ${bits} bits`, { value, bits });

function spotAfter(
  before: Account,
  events: AccountEvents,
  moved: ReadonlyMap<number, bigint>,
): Result<Lots[]> {
  const carried = transfers(events);
  const spot = before.spot.map((size, i) => {
    const tokenId = i + 1;
    const transferred = carried.filter((m) => m.tokenId === tokenId).reduce((sum, m) => sum + m.amount, 0n);
    return (size + (moved.get(tokenId) ?? 0n) + transferred) as Lots;
  });
  const missing = spot.findIndex((size) => size < 0n);
  if (missing >= 0) {
    return reject('insufficient-spot', 'the account does not hold that much of the token', {
      tokenId: missing + 1,
      heldLots: before.spot[missing],
      missingLots: -spot[missing],
    });
  }
  const tooLarge = spot.find((size) => size >= 1n << BigInt(SIZE_BITS));
  return tooLarge === undefined ? accept(spot) : outOfRange('a spot balance', tooLarge, SIZE_BITS);
}

/**
 * A slot keeps its instrument through a batch, so old and new lists stay aligned: instruments that are
 * new take slots that were empty at the start, in increasing order of id.
 */
function slotsAfter(before: Account, moved: ReadonlyMap<number, bigint>): Result<PositionSlot[]> {
  const empty: PositionSlot = { instrumentId: 0, size: 0n as Lots };
  const slots = before.slots.map((slot): PositionSlot => {
    const size = (slot.size + (moved.get(slot.instrumentId) ?? 0n)) as Lots;
    return slot.instrumentId === 0 || size === 0n ? empty : { instrumentId: slot.instrumentId, size };
  });
  const opened = [...moved]
    .filter(([id, size]) => id >= FIRST_DERIVATIVE_ID && size !== 0n)
    .filter(([id]) => before.slots.every((slot) => slot.instrumentId !== id))
    .sort(([a], [b]) => a - b);
  for (const [instrumentId, size] of opened) {
    const free = slots.findIndex((slot, i) => slot.instrumentId === 0 && before.slots[i].instrumentId === 0);
    if (free < 0) {
      const isFreed = slots.some((slot) => slot.instrumentId === 0);
      const data = { instrumentId, derivativeSlots: slots.length };
      if (isFreed)
        return needsNewBatch('a slot freed in this batch takes another instrument in the next', data);
      return reject('no-free-slot', `an account holds at most ${slots.length} derivatives; close one`, data);
    }
    slots[free] = { instrumentId, size: size as Lots };
  }
  const tooLarge = slots.find((slot) => abs(slot.size) >= 1n << BigInt(SIZE_BITS));
  return tooLarge === undefined ? accept(slots) : outOfRange('a position', tooLarge.size, SIZE_BITS);
}

/** min(rate · closed, what equity is left): a penalty never makes a debt. */
function penaltyOf(
  before: Account,
  gross: Account,
  events: AccountEvents,
  table: RiskTable,
  shape: StateShape,
): bigint {
  if (events.liquidated === undefined) return 0n;
  const rate = events.liquidations.reduce((sum, row) => {
    const risk = rowOf(table, row.instrumentId);
    invariant(risk !== undefined, 'a liquidated instrument is listed');
    return sum + row.closedLots * risk.penalty;
  }, 0n);
  const counted = countedDeposits(before, table, events.liquidated.pending);
  const left: bigint = marginOf(gross, table, shape, counted).equity;
  return min(rate, max(0n, left));
}

/** Applies everything the batch does to one account. Every traded or held instrument must be listed. */
export function accountAfter(
  before: Account,
  events: AccountEvents,
  header: BatchHeader,
  shape: StateShape,
): Result<AccountAfter> {
  const window = useNonces(before, nonceUses(events), shape);
  if (!window.ok) return window;
  const moved = movedLots(events);
  const spot = spotAfter(before, events, moved);
  if (!spot.ok) return spot;
  const slots = slotsAfter(before, moved);
  if (!slots.ok) return slots;
  const fundingBase = [...moved].reduce(
    (sum, [id, size]) => sum + size * (rowOf(header.table, id)?.fundingIndex ?? 0n),
    0n,
  );
  const changed: Account = {
    ...before,
    ...window.value,
    ...keyAndEpoch(before, events),
    cashStar: (before.cashStar + cashChange(events, header.table) + fundingBase) as Micros,
    slots: slots.value,
    spot: spot.value,
  };
  const penaltyMicros = penaltyOf(before, changed, events, header.table, shape);
  const after = { ...changed, cashStar: (changed.cashStar - penaltyMicros) as Micros };
  if (abs(after.cashStar) >= 1n << BigInt(CASH_STAR_BITS)) {
    return outOfRange('the cash balance', after.cashStar, CASH_STAR_BITS);
  }
  const feesMicros = events.orders.reduce((sum, { execution }) => sum + execution.feeMicros, 0n);
  return accept({ after, feesMicros, penaltyMicros });
}

function keyAndEpoch(before: Account, events: AccountEvents): Partial<Account> {
  if (epochChangeCount(events) === 0) return {};
  const registration = events.l1Operations.find(({ operation }) => operation.kind === 'register');
  return {
    publicKey: registration === undefined ? before.publicKey : registration.operation.publicKey,
    epoch: before.epoch + 1n,
    baseWord: 0n,
    usedMap: 0n,
    records: [],
  };
}
