/**
 * What may be asked of the engine, and what it says happened. A command is data with its time inside, so
 * that folding the log again gives the same events and the same roots.
 */
import type { PublicKey } from '#protocol/account.ts';
import type { BatchProof, L1Operation, L1Outcome, PublicInputs } from '#protocol/batch/batch.ts';
import type { OptionQuote } from '#protocol/display/greeks.ts';
import type { Rejection } from '#protocol/errors.ts';
import type { RiskTable } from '#protocol/instrument.ts';
import type { SignedMessages } from '#protocol/message.ts';
import type { Side } from './book/order-book.ts';
import type { EngineConfig } from './config.ts';
import type { SealingHalt } from './state.ts';

export type TimeInForce = 'gtc' | 'ioc' | 'fok';

/** The engine's promise about an order, not proved. A market order is an ioc order with a limit. */
export interface OrderOptions {
  readonly timeInForce: TimeInForce;
  readonly isPostOnly: boolean;
}

/** An entry of the contract's queue with its index: indices are gap-free, so a repeat is recognised. */
export interface QueuedL1Operation {
  readonly queueIndex: number;
  readonly operation: L1Operation;
}

/** Ledger numbers of the contract after the last batch it accepted (docs/protocol.md §7). */
export interface L1Numbers {
  /** Number of the next batch the contract expects. */
  readonly nextBatchNumber: number;
  /** liquid_t per token: 0 quote in micros, 1..3 spot in lots. May be negative. */
  readonly liquid: readonly bigint[];
  readonly fundBookedMicros: bigint;
}

/** A table the oracle contract accepted. */
export interface AcceptedTable {
  readonly index: number;
  readonly table: RiskTable;
  /** What the round priced its options with. For display: no rule reads it. */
  readonly quotes: readonly OptionQuote[];
  /** L1 time of acceptance: batches from this time on must use it. */
  readonly acceptedAtSec: bigint;
}

export type Command =
  | {
      /** The settings from here on. First in every log, so that a replay decides as the engine did then. */
      readonly kind: 'configure';
      readonly config: EngineConfig;
    }
  | {
      readonly kind: 'submit';
      readonly signed: SignedMessages;
      readonly options: readonly OrderOptions[];
      /** What was signed, as one field element: most of the time of a replay would go into hashing it again. */
      readonly signedHash: bigint;
    }
  | {
      /** Everything L1 said up to and including one block, in order. */
      readonly kind: 'l1-block';
      readonly blockNumber: number;
      readonly blockHash: string;
      /** Timestamp of that block: the only clock of batches. */
      readonly timeSec: bigint;
      /** New entries of the queue. */
      readonly operations: readonly QueuedL1Operation[];
      /** Entries below are deep enough to be served. */
      readonly confirmedQueueEnd: number;
      readonly tables: readonly AcceptedTable[];
      /** Numbers as of the contract at that block; undefined when nothing changed. */
      readonly numbers: L1Numbers | undefined;
    }
  | {
      readonly kind: 'feed';
      /** Live marks; they may only refuse more than the round does. */
      readonly marks: readonly { readonly instrumentId: number; readonly markMicrosPerLot: bigint }[];
    }
  | { readonly kind: 'seal'; readonly reason: 'age' | 'shutdown' | 'asked' }
  | { readonly kind: 'liquidation-scan' }
  | { readonly kind: 'reseal'; readonly batchNumber: number; readonly reason: string }
  | {
      readonly kind: 'batch-proven';
      readonly batchNumber: number;
      readonly attempt: number;
      readonly proof: BatchProof;
      readonly inputs: PublicInputs;
    }
  | {
      /** The batch has no proof and never will; `error` is the prover's. */
      readonly kind: 'batch-poisoned';
      readonly batchNumber: number;
      readonly attempt: number;
      readonly error: string;
    }
  | {
      readonly kind: 'batch-submitted';
      readonly batchNumber: number;
      readonly attempt: number;
      readonly l1TxHash: string;
    }
  | {
      readonly kind: 'batch-final';
      readonly batchNumber: number;
      readonly newStateRoot: bigint;
      readonly l1Block: number;
      readonly l1TxHash: string;
    };

/** Why an order left the book without being filled. */
export type CancelReason =
  | 'cancelled'
  | 'cancelled-all'
  | 'expired'
  | 'ioc'
  | 'self-trade'
  | 'no-longer-passes'
  | 'nonce-dead'
  | 'epoch-changed'
  | 'proof-backlog'
  | 'prices-unusable'
  | 'liquidated'
  | 'voided';

export interface OrderView {
  readonly hash: string;
  readonly accountIndex: number;
  readonly instrumentId: number;
  readonly side: Side;
  readonly sizeLots: bigint;
  readonly limitMicrosPerLot: bigint;
}

/** The proved numbers of one liquidated account at one moment; micros. */
export interface LiquidationNumbers {
  readonly equityMicros: bigint;
  readonly maintenanceMarginMicros: bigint;
  readonly initialMarginMicros: bigint;
}

export type EngineEvent =
  | { readonly kind: 'order-accepted'; readonly order: OrderView }
  | {
      readonly kind: 'trade';
      readonly tradeId: number;
      readonly batchNumber: number;
      readonly instrumentId: number;
      readonly priceMicrosPerLot: bigint;
      readonly lots: bigint;
      readonly cashMicros: bigint;
      readonly makerHash: string;
      readonly takerHash: string;
      readonly takerSide: Side;
      readonly makerFeeMicros: bigint;
      readonly takerFeeMicros: bigint;
    }
  | {
      readonly kind: 'order-closed';
      readonly hash: string;
      readonly reason: 'filled' | CancelReason;
      readonly filledLots: bigint;
      /** The numbers, when a rule decided. */
      readonly because: Rejection | undefined;
    }
  | {
      readonly kind: 'book-level';
      readonly instrumentId: number;
      readonly side: Side;
      readonly limitMicrosPerLot: bigint;
      /** New total at this price; 0 removes the level. */
      readonly totalLots: bigint;
    }
  | { readonly kind: 'cancel-queued'; readonly accountIndex: number; readonly nonce: bigint | 'all' }
  | {
      readonly kind: 'withdrawal';
      readonly hash: string;
      readonly batchNumber: number;
      readonly accountIndex: number;
      readonly tokenId: number;
      readonly servedAmount: bigint;
    }
  | { readonly kind: 'message-included'; readonly hash: string; readonly batchNumber: number }
  | { readonly kind: 'message-dropped'; readonly hash: string; readonly because: Rejection }
  | {
      readonly kind: 'l1-operation';
      readonly queueIndex: number;
      readonly batchNumber: number;
      readonly outcome: L1Outcome;
    }
  | { readonly kind: 'key-registered'; readonly accountIndex: number; readonly publicKey: PublicKey }
  | {
      readonly kind: 'liquidation';
      readonly batchNumber: number;
      readonly accountIndex: number;
      readonly instrumentId: number;
      readonly isShort: boolean;
      readonly reason: 1 | 2;
      readonly closedLots: bigint;
      readonly cashMicros: bigint;
      readonly makerHash: string;
      readonly tradeId: number;
    }
  | {
      readonly kind: 'account-liquidated';
      readonly batchNumber: number;
      readonly accountIndex: number;
      readonly penaltyMicros: bigint;
      readonly before: LiquidationNumbers;
      readonly after: LiquidationNumbers;
    }
  | {
      readonly kind: 'fund-payment';
      readonly batchNumber: number;
      readonly accountIndex: number;
      readonly amountMicros: bigint;
    }
  | {
      /** A position in a settled instrument became cash. */
      readonly kind: 'position-settled';
      readonly batchNumber: number;
      readonly accountIndex: number;
      readonly instrumentId: number;
      readonly isShort: boolean;
      readonly lots: bigint;
      readonly priceMicrosPerLot: bigint;
      /** Received by a long, paid (−) by a short. */
      readonly cashMicros: bigint;
    }
  /** Nobody holds the settled instrument any more. */
  | { readonly kind: 'instrument-retired'; readonly batchNumber: number; readonly instrumentId: number }
  | { readonly kind: 'round'; readonly roundNumber: bigint; readonly isJump: boolean }
  | { readonly kind: 'batch-opened'; readonly batchNumber: number; readonly timeSec: bigint }
  | {
      readonly kind: 'batch-sealed';
      readonly batchNumber: number;
      readonly attempt: number;
      readonly oldStateRoot: bigint;
      readonly newStateRoot: bigint;
    }
  | {
      readonly kind: 'batch-status';
      readonly batchNumber: number;
      readonly attempt: number;
      readonly status: 'proven' | 'submitted' | 'final' | 'withdrawn';
    }
  | {
      /** No proof of it is possible: its parts are executed again, `dropped` left out of them. */
      readonly kind: 'batch-poisoned';
      readonly batchNumber: number;
      readonly attempt: number;
      readonly error: string;
      /** Names of what was found to be the cause; none while it is looked for. */
      readonly dropped: readonly string[];
    }
  /** Nothing more is sealed: an L1 operation can be neither proved nor left out. */
  | ({ readonly kind: 'sealing-halted' } & SealingHalt)
  | {
      readonly kind: 'trade-voided';
      readonly tradeId: number;
      readonly batchNumber: number;
      readonly because: Rejection;
    };
