/** What anyone may see of the engine's state, as plain values. Other users' orders are shown only as book levels. */

import { type Account, sizeOf } from '#protocol/account.ts';
import type { SealedBatch } from '#protocol/batch/batch.ts';
import { instrumentGreeks, portfolioGreeks } from '#protocol/display/greeks.ts';
import { invariant } from '#protocol/errors.ts';
import type { RiskTable } from '#protocol/instrument.ts';
import { leafElements } from '#protocol/leaf.ts';
import type { StateShape } from '#protocol/limits.ts';
import {
  countedDeposits,
  heldInstruments,
  holdingsOf,
  marginOf,
  unlistedHolding,
} from '#protocol/risk/margin.ts';
import { rowOf, tableHash } from '#protocol/risk/table.ts';
import { type LedgerState, stateRoot } from '#protocol/state.ts';
import type { AcceptedTable } from './commands.ts';
import { remainingOf } from './orders.ts';
import type { BatchEntry, EngineState, MessageRecord, OrderRecord } from './state.ts';

/** Poseidon over a whole table, or over all markets, takes milliseconds: computed once for each. A ledger has one shape. */
function once<Key extends object>(known: WeakMap<Key, bigint>, key: Key, compute: () => bigint): bigint {
  const value = known.get(key) ?? compute();
  known.set(key, value);
  return value;
}
/** By the table, or by the batch whose table is in the store alone. */
const tableHashes = new WeakMap<RiskTable | BatchEntry, bigint>();
const stateRoots = new WeakMap<LedgerState, bigint>();
const hashOf = (table: RiskTable, shape: StateShape, owner: RiskTable | BatchEntry = table) =>
  once(tableHashes, owner, () => tableHash(table, shape));

/** What an order or message has reached, in this order: the least of the batches it needs. */
const LIFE = ['received', 'sequenced', 'sealed', 'proven', 'submitted', 'final'] as const;
type Life = (typeof LIFE)[number];

function batchStatusOf(state: EngineState, batchNumber: number): Life {
  const entry = state.batches.get(batchNumber);
  invariant(
    entry !== undefined || state.open?.number === batchNumber,
    'what is in a batch is in one we have',
  );
  return entry?.status ?? 'sequenced';
}

/** 'received' until the first fill. Batches become final in their order, so what is before a final fill is final. */
function lifeOf(state: EngineState, { fills, closed }: OrderRecord): Life | 'voided' {
  if (closed?.reason === 'voided') return 'voided';
  if (fills.length === 0) return 'received';
  let least: Life = 'final';
  for (let i = fills.length - 1; i >= 0; i--) {
    const status = batchStatusOf(state, fills[i].batchNumber);
    if (status === 'final') break;
    if (LIFE.indexOf(status) < LIFE.indexOf(least)) least = status;
  }
  return least;
}

/** Of an order with more, the newest are shown. */
const FILLS_SHOWN_MAX = 100;

export function orderView(state: EngineState, record: OrderRecord) {
  const { hash, signed, order, options, filledLots, fills, closed } = record;
  return {
    hash,
    accountIndex: signed.accountIndex,
    epoch: signed.epoch,
    ...order,
    ...options,
    status: lifeOf(state, record),
    /** Whether more of it may still be filled. */
    isOpen: closed === undefined,
    closeReason: closed?.reason ?? null,
    because:
      closed?.because === undefined
        ? null
        : { code: closed.because.code, message: closed.because.message, data: closed.because.data },
    filledLots,
    remainingLots: remainingOf(record),
    fillCount: fills.length,
    fills: fills
      .slice(-FILLS_SHOWN_MAX)
      .map((fill) => ({ ...fill, batchStatus: batchStatusOf(state, fill.batchNumber) })),
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
    roundNumber: entry.roundNumber,
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
    tableHash: hashOf(table.table, state.config.shape),
    ...table.table,
  };
}

export function healthView(state: EngineState) {
  return {
    stateRoot: once(stateRoots, state.ledger, () => stateRoot(state.ledger)),
    l1BlockNumber: state.l1BlockNumber,
    l1TimeSec: state.l1TimeSec,
    roundNumber: state.table?.table.roundNumber ?? null,
    openBatch:
      state.open === undefined
        ? null
        : { batchNumber: state.open.number, actions: state.open.actions.length },
    unprovedBatches: state.unprovedBatches.length,
    poisonedBatches: state.isolation.poisonedCount,
    sealingHalt: state.isolation.halted ?? null,
    nextBatchNumber: state.nextBatchNumber,
    waitingL1Operations: state.l1Queue.length,
    waitingCancels: state.waitingCancels.count,
    fundBookedMicros: state.l1Ledger.fundBookedMicros,
    liquid: state.l1Ledger.liquid,
  };
}

/**
 * The proved numbers of one liquidation row: all a client needs to compute the verdict again by itself.
 * @param entry of the batch, where `batch` was read from the store: what its table hashes to is computed once
 */
export function liquidationView(batch: SealedBatch, row: number, entry?: BatchEntry) {
  const liquidation = batch.content.liquidations[row];
  if (liquidation === undefined) return undefined;
  const { accountIndex } = liquidation;
  const decided = batch.content.liquidatedAccounts.find((account) => account.accountIndex === accountIndex);
  const change = batch.accounts.find((account) => account.accountIndex === accountIndex);
  if (decided === undefined || change === undefined) return undefined;
  const { header } = batch.content;
  const { table } = header;
  const counted = countedDeposits(change.before, table, decided.pending);
  const numbers = (account: typeof change.before) => {
    const margin = marginOf(account, table, batch.shape, counted);
    return {
      equityMicros: margin.equity,
      initialMarginMicros: margin.initialMarginMicrosUp,
      maintenanceMarginMicros: margin.maintenanceMarginMicrosUp,
      quoteBalanceMicros: margin.quoteBalance,
      haircutSpotMicros: margin.haircutSpot,
      scenarioLossMicros: margin.losses,
      health: margin.health,
      /** The leaf as it is hashed and published. */
      leafElements: leafElements(account, batch.shape),
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
    pricesUsable: header.pricesUsable,
    before: numbers(change.before),
    after: numbers(change.after),
    roundNumber: table.roundNumber,
    tableHash: hashOf(table, batch.shape, entry?.sealed?.content.header.table ?? entry),
    table,
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
