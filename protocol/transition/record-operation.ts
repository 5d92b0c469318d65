/** Turns an operation into rows of the content; refuses what is wrong whatever the accounts hold. */
import { sizeOf } from '../account.ts';
import type { BatchContent, L1Operation, L1Outcome } from '../batch/batch.ts';
import { accept, InputError, type Rejection, type Result, reject } from '../errors.ts';
import type { Message, OrderMessage } from '../message.ts';
import { marginOf, unlistedHolding } from '../risk/margin.ts';
import { rowOf } from '../risk/table.ts';
import { accountAt, isUserIndex } from '../state.ts';
import { abs, max, min } from '../units.ts';
import { fundPaid } from './judge-account.ts';
import { isShrinking } from './judged.ts';
import { liquidLeft } from './market-rules.ts';
import { refuseSignature } from './message-rules.ts';
import { nonceState } from './nonces.ts';
import type { OpenBatch } from './open-batch.ts';
import type { LiquidateOperation, MessageReference, Operation, TradeOperation } from './operation.ts';
import { NO_FILL, withLiquidation, withMessage, withSettlement, withWithdrawal } from './record.ts';
import { batchFull, needsNewBatch } from './refusals.ts';
import { refuseUnsettled } from './settlement-rules.ts';
import { depositOutcome, forcedWithdrawalOutcome } from './withdrawal-rules.ts';

export interface Recorded {
  readonly content: BatchContent;
  /** Accounts whose rows changed. */
  readonly accountIndexes: readonly number[];
}

/** The referenced message, if it is of the wanted kind, alive and signed by its account. */
function signedMessage<K extends Message['kind']>(
  batch: OpenBatch,
  { signed, position }: MessageReference,
  kind: K,
): Result<Extract<Message, { kind: K }>> {
  const message = signed.messages[position];
  const { accountIndex } = signed;
  if (message === undefined || message.kind !== kind) {
    return reject('wrong-message', `the reference must name a signed ${kind}`, { accountIndex, position });
  }
  if (!isUserIndex(batch.start.shape, accountIndex)) {
    return reject('no-such-account', 'account indices start at 1 and end with the tree', { accountIndex });
  }
  const before = accountAt(batch.start, accountIndex);
  const now = batch.accountAt(accountIndex);
  if (now.epoch !== before.epoch && signed.epoch === now.epoch) {
    return needsNewBatch('the account changed its epoch in this batch; its next messages follow it', {
      accountIndex,
    });
  }
  const refusal = refuseSignature(signed, now.epoch === before.epoch ? before : now, batch.header);
  return refusal ?? accept(message as Extract<Message, { kind: K }>);
}

/** A nonce that is already dead in this batch is dead for good: no new batch would help. */
function refuseDead(batch: OpenBatch, accountIndex: number, nonce: bigint): Rejection | undefined {
  if (nonceState(batch.accountAt(accountIndex), nonce).kind !== 'dead') return undefined;
  return reject('nonce-dead', 'this nonce was used up, cancelled or left behind', { accountIndex, nonce });
}

/** A reduce-only fill must shrink the position as it is now, whatever the batch did before. */
function refuseGrowthNow(batch: OpenBatch, order: OrderMessage, accountIndex: number, lots: bigint) {
  const row = rowOf(batch.header.table, order.instrumentId);
  if (!order.isReduceOnly && !row?.isReduceOnly) return undefined;
  const now = sizeOf(batch.accountAt(accountIndex), order.instrumentId);
  const next = now + (order.side === 'buy' ? lots : -lots);
  if (isShrinking(now, next)) return undefined;
  return reject('reduce-only', 'the position in this instrument may only shrink', {
    accountIndex,
    instrumentId: order.instrumentId,
    beforeLots: now,
    afterLots: next,
  });
}

/** Single fills are judged before they are added up: a negative one would undo another. */
function refuseStep(lots: bigint, priceMicrosPerLot: bigint, fees: readonly bigint[]): Rejection | undefined {
  if (lots > 0n && priceMicrosPerLot >= 0n && fees.every((fee) => fee >= 0n)) return undefined;
  return reject('empty-fill', 'a fill has lots, and neither its price nor its fee is negative', {
    lots,
    priceMicrosPerLot,
  });
}

function refuseFill(
  batch: OpenBatch,
  reference: MessageReference,
  order: OrderMessage,
  lots: bigint,
): Rejection | undefined {
  const { accountIndex } = reference.signed;
  return refuseDead(batch, accountIndex, order.nonce) ?? refuseGrowthNow(batch, order, accountIndex, lots);
}

function recordTrade(batch: OpenBatch, operation: TradeOperation): Result<Recorded> {
  const { maker, taker, lots, priceMicrosPerLot } = operation;
  const step = refuseStep(lots, priceMicrosPerLot, [operation.makerFeeMicros, operation.takerFeeMicros]);
  if (step !== undefined) return step;
  const makerOrder = signedMessage(batch, maker, 'order');
  if (!makerOrder.ok) return makerOrder;
  const takerOrder = signedMessage(batch, taker, 'order');
  if (!takerOrder.ok) return takerOrder;
  const [first, second] = [makerOrder.value, takerOrder.value];
  if (first.instrumentId !== second.instrumentId || first.side === second.side) {
    return reject('orders-do-not-match', 'a trade joins a buy and a sell of one instrument', {
      makerInstrumentId: first.instrumentId,
      takerInstrumentId: second.instrumentId,
      makerSide: first.side,
    });
  }
  const refusal = refuseFill(batch, maker, first, lots) ?? refuseFill(batch, taker, second, lots);
  if (refusal !== undefined) return refusal;
  const cashMicros = lots * priceMicrosPerLot;
  const fill = { fillLots: lots, cashMicros };
  const half = withMessage(
    batch.content,
    maker,
    { ...fill, feeMicros: operation.makerFeeMicros },
    batch.capacity,
  );
  if (!half.ok) return half;
  const both = withMessage(
    half.value,
    taker,
    { ...fill, feeMicros: operation.takerFeeMicros },
    batch.capacity,
  );
  if (!both.ok) return both;
  const accountIndexes = [...new Set([maker.signed.accountIndex, taker.signed.accountIndex])];
  return accept({ content: both.value, accountIndexes });
}

function recordLiquidation(batch: OpenBatch, operation: LiquidateOperation): Result<Recorded> {
  const { accountIndex, instrumentId, lots, against } = operation;
  const step = refuseStep(lots, operation.priceMicrosPerLot, [operation.feeMicros]);
  if (step !== undefined) return step;
  const order = signedMessage(batch, against, 'order');
  if (!order.ok) return order;
  if (against.signed.accountIndex === accountIndex) {
    // No new batch would help either: a liquidated account fills no order of its own.
    return reject('orders-do-not-match', 'an account is not liquidated against its own order', {
      accountIndex,
    });
  }
  const held = sizeOf(batch.accountAt(accountIndex), instrumentId);
  const isShort = held < 0n;
  if (order.value.instrumentId !== instrumentId || order.value.side !== (isShort ? 'sell' : 'buy')) {
    return reject('orders-do-not-match', 'a long is closed against a buy, a short against a sell', {
      instrumentId,
      heldLots: held,
      orderSide: order.value.side,
    });
  }
  const refusal = refuseFill(batch, against, order.value, lots);
  if (refusal !== undefined) return refusal;
  const closed = withLiquidation(batch.content, operation, isShort, batch.capacity);
  if (!closed.ok) return closed;
  const fill = {
    fillLots: lots,
    cashMicros: lots * operation.priceMicrosPerLot,
    feeMicros: operation.feeMicros,
  };
  const content = withMessage(closed.value, against, fill, batch.capacity);
  if (!content.ok) return content;
  return accept({
    content: content.value,
    accountIndexes: [...new Set([accountIndex, against.signed.accountIndex])],
  });
}

function recordCancel(
  batch: OpenBatch,
  reference: MessageReference,
  kind: 'cancel' | 'cancel-all',
): Result<Recorded> {
  const message = signedMessage(batch, reference, kind);
  if (!message.ok) return message;
  const { accountIndex } = reference.signed;
  if (message.value.kind === 'cancel') {
    const refusal = refuseDead(batch, accountIndex, message.value.nonce);
    if (refusal !== undefined) return refusal;
  }
  const content = withMessage(batch.content, reference, NO_FILL, batch.capacity);
  return content.ok ? accept({ content: content.value, accountIndexes: [accountIndex] }) : content;
}

function recordWithdrawal(batch: OpenBatch, reference: MessageReference): Result<Recorded> {
  const message = signedMessage(batch, reference, 'withdraw');
  if (!message.ok) return message;
  const { tokenId, amount, nonce } = message.value;
  const { accountIndex } = reference.signed;
  const refusal = refuseDead(batch, accountIndex, nonce);
  if (refusal !== undefined) return refusal;
  const available = batch.header.liquid[tokenId];
  if (available === undefined) return reject('no-such-token', 'tokens are 0 (quote) to 3', { tokenId });
  const liquid = max(0n, liquidLeft(batch.content, tokenId, true));
  if (liquid === 0n && amount > 0n) {
    return reject('no-liquidity', 'the vault has none of this token now; try again later', {
      accountIndex,
      tokenId,
    });
  }
  const content = withWithdrawal(batch.content, reference, min(amount, liquid), batch.capacity);
  return content.ok ? accept({ content: content.value, accountIndexes: [accountIndex] }) : content;
}

/** The one right outcome of an L1 operation on the account as it is now. */
function outcomeOf(batch: OpenBatch, operation: L1Operation): L1Outcome {
  const { accountIndex, tokenId } = operation;
  const before = accountAt(batch.start, accountIndex);
  switch (operation.kind) {
    case 'register':
    case 'cancelAll':
    case 'fundDonation':
      return { isApplied: true, reason: 'none', served: 0n };
    case 'deposit':
      return depositOutcome(before, operation, batch.header);
    case 'withdraw':
      return forcedWithdrawalOutcome(
        batch.accountAt(accountIndex),
        operation,
        liquidLeft(batch.content, tokenId, false),
        {
          header: batch.header,
          shape: batch.start.shape,
          marginBefore: marginOf(before, batch.header.table, batch.start.shape),
        },
      );
    case 'close':
      throw new InputError('kind', operation.kind, 'this kind is reserved and refused at entry');
  }
}

function recordL1(batch: OpenBatch, operation: L1Operation): Result<Recorded> {
  const { l1Operations } = batch.content;
  const { capacity, header, start } = batch;
  if (l1Operations.length >= capacity.l1Operations) return batchFull('L1 operations', capacity.l1Operations);
  const { accountIndex, tokenId } = operation;
  const isOfAccount = operation.kind !== 'fundDonation';
  if (isOfAccount && !isUserIndex(start.shape, accountIndex)) {
    throw new InputError(
      'accountIndex',
      accountIndex,
      'the contract gives out indices inside the tree, from 1',
    );
  }
  if (tokenId !== 0 && rowOf(header.table, tokenId) === undefined) {
    return reject('instrument-not-listed', 'this round does not list the token', { tokenId });
  }
  const instrumentId = unlistedHolding(batch.accountAt(accountIndex), header.table);
  if (isOfAccount && instrumentId !== undefined) {
    return reject(
      'holding-not-listed',
      'the account holds an instrument that this round does not value; wait',
      {
        accountIndex,
        instrumentId,
      },
    );
  }
  const row = { operation, outcome: outcomeOf(batch, operation) };
  const content = { ...batch.content, l1Operations: [...l1Operations, row] };
  return accept({ content, accountIndexes: isOfAccount ? [accountIndex] : [] });
}

function recordFundPayment(batch: OpenBatch, accountIndex: number): Result<Recorded> {
  if (batch.content.fundPayments.some((payment) => payment.accountIndex === accountIndex)) {
    return reject('fund-payment', 'the fund pays an account once a batch', { accountIndex });
  }
  const booked = batch.header.fundBookedMicros - fundPaid(batch.content);
  if (booked <= 0n)
    return reject('fund-empty', 'the fund has nothing left; the debt stays listed', { accountIndex });
  const { table } = batch.header;
  const account = batch.accountAt(accountIndex);
  if (unlistedHolding(account, table) !== undefined) {
    return reject('still-holds-positions', 'the fund pays once nothing is left to close', { accountIndex });
  }
  const debt = -marginOf(account, table, batch.start.shape).cash;
  const amountMicros = max(0n, min(debt, booked));
  const fundPayments = [...batch.content.fundPayments, { accountIndex, amountMicros }];
  fundPayments.sort((a, b) => a.accountIndex - b.accountIndex);
  return accept({ content: { ...batch.content, fundPayments }, accountIndexes: [accountIndex] });
}

/** Converts all that the account holds: the same lots whenever it is done in the batch, for nothing else moves them. */
function recordSettlement(batch: OpenBatch, accountIndex: number, instrumentId: number): Result<Recorded> {
  const unsettled = refuseUnsettled(batch.header.table, instrumentId);
  if (unsettled !== undefined) return unsettled;
  const held: bigint = sizeOf(batch.accountAt(accountIndex), instrumentId);
  if (held === 0n) {
    return reject('nothing-to-settle', 'the account does not hold the instrument', {
      accountIndex,
      instrumentId,
    });
  }
  const row = { accountIndex, instrumentId, isShort: held < 0n, lots: abs(held) };
  const content = withSettlement(batch.content, row, batch.capacity);
  return content.ok ? accept({ content: content.value, accountIndexes: [accountIndex] }) : content;
}

function recordRetirement(batch: OpenBatch, instrumentId: number): Result<Recorded> {
  if (batch.content.retiredInstrument !== 0) return batchFull('retirements', 1);
  const unsettled = refuseUnsettled(batch.header.table, instrumentId);
  return (
    unsettled ??
    accept({ content: { ...batch.content, retiredInstrument: instrumentId }, accountIndexes: [] })
  );
}

export function recordOperation(batch: OpenBatch, operation: Operation): Result<Recorded> {
  switch (operation.kind) {
    case 'trade':
      return recordTrade(batch, operation);
    case 'liquidate':
      return recordLiquidation(batch, operation);
    case 'cancel':
    case 'cancel-all':
      return recordCancel(batch, operation, operation.kind);
    case 'withdraw':
      return recordWithdrawal(batch, operation);
    case 'l1':
      return recordL1(batch, operation.operation);
    case 'pay-fund':
      return recordFundPayment(batch, operation.accountIndex);
    case 'settle':
      return recordSettlement(batch, operation.accountIndex, operation.instrumentId);
    case 'retire':
      return recordRetirement(batch, operation.instrumentId);
  }
}
