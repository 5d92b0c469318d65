/** What may be asked of an open batch, one step at a time. */
import type { L1Operation, PendingDeposits } from '../batch/batch.ts';
import type { SignedMessages } from '../message.ts';

/** One message in its signed tree. */
export interface MessageReference {
  readonly signed: SignedMessages;
  readonly position: number;
}

/** One match of two signed orders. Cash is lots × price, so both limits decide the price. */
export interface TradeOperation {
  readonly kind: 'trade';
  readonly maker: MessageReference;
  readonly taker: MessageReference;
  readonly lots: bigint;
  readonly priceMicrosPerLot: bigint;
  readonly makerFeeMicros: bigint;
  readonly takerFeeMicros: bigint;
}

/** A forced close of part of a position against one signed order. */
export interface LiquidateOperation {
  readonly kind: 'liquidate';
  readonly accountIndex: number;
  readonly instrumentId: number;
  readonly lots: bigint;
  readonly priceMicrosPerLot: bigint;
  /** 1: equity < MM; 2: quote debt. */
  readonly reason: 1 | 2;
  /** Deposits of the account that wait in the L1 queue; the contract compares. */
  readonly pending: PendingDeposits;
  readonly against: MessageReference;
  readonly feeMicros: bigint;
}

export type Operation =
  | TradeOperation
  | LiquidateOperation
  | ({ readonly kind: 'cancel' | 'cancel-all' | 'withdraw' } & MessageReference)
  /** The batch decides the outcome: there is exactly one right one. */
  | { readonly kind: 'l1'; readonly operation: L1Operation }
  /** Covers the debt of an account that holds nothing else, as far as the fund reaches. */
  | { readonly kind: 'pay-fund'; readonly accountIndex: number }
  /** Turns a whole position in a settled instrument into its cash. Nobody needs to sign: it is worth that already. */
  | { readonly kind: 'settle'; readonly accountIndex: number; readonly instrumentId: number }
  /** Tells L1 that nobody holds a settled instrument any more. Sealing does so by itself where this batch was the last. */
  | { readonly kind: 'retire'; readonly instrumentId: number };
