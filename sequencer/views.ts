/** What anyone may see of the engine's state, as plain values. Other users' orders are shown only as book levels. */

import { type Account, sizeOf } from '#protocol/account.ts';
import type { SealedBatch } from '#protocol/batch/batch.ts';
import { instrumentGreeks, portfolioGreeks } from '#protocol/display/greeks.ts';
import { invariant } from '#protocol/errors.ts';
import { leafElements } from '#protocol/leaf.ts';
import type { StateShape } from '#protocol/limits.ts';
import { heldInstruments, holdingsOf, marginOf, unlistedHolding } from '#protocol/risk/margin.ts';
import { rowOf, tableHash } from '#protocol/risk/table.ts';
import { stateRoot } from '#protocol/state.ts';
import type { AcceptedTable } from './commands.ts';
import { remainingOf } from './orders.ts';
import type { BatchEntry, EngineState, MessageRecord, OrderRecord } from './state.ts';

/** Life of what an order or message has reached: the least of the batches it needs. */
export function batchStatusOf(state: EngineState, batchNumber: number): string {
  const entry = state.batches.get(batchNumber);
  if (entry !== undefined) return entry.status;
  return state.open?.number === batchNumber ? 'sequenced' : 'unknown';
}

export function orderView(state: EngineState, record: OrderRecord) {
  const { hash, signed, order, options, filledLots, closed } = record;
  return {
    hash,
    accountIndex: signed.accountIndex,
    epoch: signed.epoch,
    ...order,
    ...options,
    status: closed === undefined ? 'open' : closed.reason === 'filled' ? 'filled' : 'closed',
    closeReason: closed?.reason ?? null,
    because:
      closed?.because === undefined
        ? null
        : { code: closed.because.code, message: closed.because.message, data: closed.because.data },
    filledLots,
    remainingLots: remainingOf(record),
    fills: record.fills.map((fill) => ({ ...fill, batchStatus: batchStatusOf(state, fill.batchNumber) })),
  };
}

export function messageView(state: EngineState, record: MessageRecord) {
  const { hash, signed, position, batchNumber, dropped } = record;
  return {
    hash,
    accountIndex: signed.accountIndex,
    ...signed.messages[position],
    status:
      dropped !== undefined
        ? 'dropped'
        : batchNumber === undefined
          ? 'received'
          : batchStatusOf(state, batchNumber),
    batchNumber: batchNumber ?? null,
    because:
      dropped === undefined ? null : { code: dropped.code, message: dropped.message, data: dropped.data },
  };
}

/** What a portfolio is judged by at a round; and for display what it is sensitive to. All it holds is listed. */
export function portfolioView(account: Account, { table, quotes }: AcceptedTable, shape: StateShape) {
  const margin = marginOf(account, table, shape);
  const { positions, byUnderlying } = portfolioGreeks(holdingsOf(account, table), quotes);
  return {
    margin: {
      cashMicros: margin.cash,
      equityMicros: margin.equity,
      quoteBalanceMicros: margin.quoteBalance,
      haircutSpotMicros: margin.haircutSpot,
      initialMarginMicros: margin.initialMarginMicrosUp,
      maintenanceMarginMicros: margin.maintenanceMarginMicrosUp,
      scenarioLossMicros: margin.losses,
      health: margin.health,
    },
    greeks: {
      positions: positions.map((position) => ({
        ...position,
        impliedVolPpm: position.impliedVolPpm ?? null,
      })),
      byUnderlying,
    },
  };
}

export function accountView(state: EngineState, accountIndex: number) {
  const account = state.account(accountIndex);
  const { shape } = state.config;
  const isValued = state.table !== undefined && unlistedHolding(account, state.table.table) === undefined;
  const portfolio =
    state.table !== undefined && isValued ? portfolioView(account, state.table, shape) : undefined;
  return {
    accountIndex,
    publicKey: account.publicKey,
    epoch: account.epoch,
    baseWord: account.baseWord,
    usedMap: account.usedMap,
    nonceWords: shape.nonceWords,
    records: account.records,
    cashStarMicros: account.cashStar,
    /** The leaf as it is hashed and published; `accountFromElements` reads it. */
    leafElements: leafElements(account, shape),
    positions: heldInstruments(account).map((instrumentId) => ({
      instrumentId,
      sizeLots: sizeOf(account, instrumentId),
    })),
    roundNumber: state.table?.table.roundNumber ?? null,
    margin: portfolio?.margin ?? null,
    greeks: portfolio?.greeks ?? null,
  };
}

/** Every instrument with what the last accepted round says of one lot of it. */
export function instrumentsView(state: EngineState) {
  const { makerFeePpm, takerFeePpm, orderMinMicros, instruments } = state.config;
  const accepted = state.table;
  const riskOf = (instrumentId: number) => {
    const row = accepted === undefined ? undefined : rowOf(accepted.table, instrumentId);
    if (accepted === undefined || row === undefined) return null;
    const { impliedVolPpm, ...greeks } = instrumentGreeks(row, accepted.quotes);
    return {
      markMicrosPerLot: row.mark,
      isSettled: row.isSettled,
      impliedVolPpm: impliedVolPpm ?? null,
      ...greeks,
    };
  };
  return {
    makerFeePpm,
    takerFeePpm,
    orderMinMicros,
    roundNumber: accepted?.table.roundNumber ?? null,
    instruments: instruments.map((instrument) => ({ ...instrument, risk: riskOf(instrument.id) })),
  };
}

export function batchView(entry: BatchEntry) {
  return {
    batchNumber: entry.number,
    attempt: entry.attempt,
    status: entry.status,
    sizeIndex: entry.sizeIndex,
    timeSec: entry.timeSec,
    roundNumber: entry.table.table.roundNumber,
    oldStateRoot: entry.oldStateRoot,
    newStateRoot: entry.newStateRoot,
    actions: entry.actionCount,
    isLiquidating: entry.isLiquidating,
    l1TxHash: entry.l1TxHash ?? null,
    l1Block: entry.l1Block ?? null,
  };
}

export function roundView(state: EngineState) {
  const { table } = state;
  if (table === undefined) return undefined;
  return {
    acceptedIndex: table.index,
    acceptedAtSec: table.acceptedAtSec,
    tableHash: tableHash(table.table, state.config.shape),
    ...table.table,
  };
}

export function healthView(state: EngineState) {
  return {
    stateRoot: stateRoot(state.ledger),
    l1BlockNumber: state.l1BlockNumber,
    l1TimeSec: state.l1TimeSec,
    roundNumber: state.table?.table.roundNumber ?? null,
    openBatch:
      state.open === undefined
        ? null
        : { batchNumber: state.open.number, actions: state.open.actions.length },
    unprovedBatches: state.unprovedBatches.length,
    nextBatchNumber: state.nextBatchNumber,
    waitingL1Operations: state.l1Queue.length,
    waitingCancels: state.waitingCancels.count,
    fundBookedMicros: state.l1Ledger.fundBookedMicros,
    liquid: state.l1Ledger.liquid,
  };
}

/** The proved numbers of one liquidation row: all a client needs to compute the verdict again by itself. */
export function liquidationView(batch: SealedBatch, row: number) {
  const liquidation = batch.content.liquidations[row];
  if (liquidation === undefined) return undefined;
  const { accountIndex } = liquidation;
  const decided = batch.content.liquidatedAccounts.find((account) => account.accountIndex === accountIndex);
  const change = batch.accounts.find((account) => account.accountIndex === accountIndex);
  if (decided === undefined || change === undefined) return undefined;
  const { header } = batch.content;
  const numbers = (account: typeof change.before) => {
    const margin = marginOf(account, header.table, batch.shape, decided.pending);
    return {
      equityMicros: margin.equity,
      initialMarginMicros: margin.initialMarginMicrosUp,
      maintenanceMarginMicros: margin.maintenanceMarginMicrosUp,
      quoteBalanceMicros: margin.quoteBalance,
      haircutSpotMicros: margin.haircutSpot,
      scenarioLossMicros: margin.losses,
      health: margin.health,
      account,
    };
  };
  return {
    batchNumber: header.batchNumber,
    row,
    ...liquidation,
    reason: decided.reason,
    penaltyMicros: decided.penaltyMicros,
    pending: decided.pending,
    rows: batch.content.liquidations.filter((other) => other.accountIndex === accountIndex),
    before: numbers(change.before),
    after: numbers(change.after),
    roundNumber: header.table.roundNumber,
    tableHash: tableHash(header.table, batch.shape),
    table: header.table,
  };
}

/** Positions that a batch turned into cash, each at the settlement price of its instrument. */
export const settlementsView = ({ content }: SealedBatch) =>
  content.settlements.map((row) => {
    const risk = rowOf(content.header.table, row.instrumentId);
    invariant(risk !== undefined, 'a settled instrument is listed');
    const cashMicros = row.lots * risk.mark;
    return {
      ...row,
      priceMicrosPerLot: risk.mark,
      cashMicros: row.isShort ? -cashMicros : cashMicros,
    };
  });
