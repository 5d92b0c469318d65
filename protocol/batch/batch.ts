/**
 * What a batch is, in the types where sequencer, prover and contract meet. A `BatchContent` says
 * what happened; `protocol/transition` decides whether it may and what follows; `protocol/batch/words`
 * says what the contract sees of it.
 */
import type { Account, PublicKey } from '../account.ts';
import type { RiskTable } from '../instrument.ts';
import type { BatchCapacity, StateShape } from '../limits.ts';
import type { SignedMessages, SigningDomain } from '../message.ts';
import type { Micros } from '../units.ts';

export const L1_KIND = {
  register: 1,
  deposit: 2,
  withdraw: 3,
  cancelAll: 4,
  close: 5,
  fundDonation: 6,
} as const;
export type L1Kind = keyof typeof L1_KIND;

/** Why an L1 operation was refused or served short (docs/protocol.md §6). */
export const OUTCOME_REASON = { none: 0, positionCap: 1, margin: 2, liquidity: 3 } as const;
export type OutcomeReason = keyof typeof OUTCOME_REASON;

/** An entry of the contract's queue. */
export interface L1Operation {
  readonly kind: L1Kind;
  readonly accountIndex: number;
  /** 0 quote, 1..3 spot. */
  readonly tokenId: number;
  /** Micros of quote or lots of a spot token. */
  readonly amount: bigint;
  /** Only for register, else (0, 0). Already multiplied by the cofactor. */
  readonly publicKey: PublicKey;
}

export interface L1Outcome {
  readonly isApplied: boolean;
  readonly reason: OutcomeReason;
  /** Amount credited or paid. */
  readonly served: bigint;
}

/** One signed order, aggregated over the batch, or a cancel or cancel-all (fill, cash and fee 0). */
export interface MessageExecution {
  /** Index into BatchContent.signatures. */
  readonly signatureIndex: number;
  /** Position in the signed tree. */
  readonly position: number;
  readonly fillLots: bigint;
  /** Paid by a buyer, received by a seller; ≥ 0. */
  readonly cashMicros: bigint;
  readonly feeMicros: bigint;
  /** The account's position in this instrument only shrinks in this batch (forced by reduce-only). */
  readonly isShrinking: boolean;
}

export interface WithdrawalExecution {
  readonly signatureIndex: number;
  readonly position: number;
  /** At most the signed amount; less only when the token's liquidity ends. */
  readonly servedAmount: bigint;
}

export interface LiquidationExecution {
  readonly accountIndex: number;
  readonly instrumentId: number;
  /** True when a short is closed (the account buys). */
  readonly isShort: boolean;
  readonly closedLots: bigint;
  /** Received when a long is closed, paid when a short is closed; ≥ 0. */
  readonly cashMicros: bigint;
}

/** A whole position in a settled instrument becomes its cash: lots · mark, paid by a short. */
export interface SettlementExecution {
  readonly accountIndex: number;
  readonly instrumentId: number;
  /** True when the position is short. */
  readonly isShort: boolean;
  readonly lots: bigint;
}

/** Deposits of a liquidated account that wait in the L1 queue. */
export interface PendingDeposits {
  readonly quoteMicros: bigint;
  /** Tokens 1, 2, 3. */
  readonly spotLots: readonly bigint[];
}

/** What is decided once per liquidated account. */
export interface LiquidatedAccount {
  readonly accountIndex: number;
  /** 1: equity < MM; 2: quote debt. */
  readonly reason: 1 | 2;
  readonly penaltyMicros: bigint;
  readonly pending: PendingDeposits;
}

export interface FundPayment {
  readonly accountIndex: number;
  readonly amountMicros: bigint;
}

/** Fixed before anything is executed. */
export interface BatchHeader {
  readonly domain: SigningDomain;
  /** keccak(chain id, contract, circuit hash) mod p: public word 0. Sealing puts that of the chosen size. */
  readonly domainWord: bigint;
  readonly batchNumber: bigint;
  readonly timeSec: bigint;
  readonly table: RiskTable;
  /** False in a jump round and while the oracle is stale. */
  readonly pricesUsable: boolean;
  /** What the fund may pay in this batch. */
  readonly fundBookedMicros: bigint;
  /** liquid_t of the contract's ledger per token (0 quote, 1..3 spot), before this batch; may be negative. */
  readonly liquid: readonly bigint[];
}

export interface BatchContent {
  readonly header: BatchHeader;
  readonly signatures: readonly SignedMessages[];
  readonly messages: readonly MessageExecution[];
  readonly l1Operations: readonly { readonly operation: L1Operation; readonly outcome: L1Outcome }[];
  readonly withdrawals: readonly WithdrawalExecution[];
  readonly liquidations: readonly LiquidationExecution[];
  readonly liquidatedAccounts: readonly LiquidatedAccount[];
  readonly fundPayments: readonly FundPayment[];
  /** Strictly increasing by account and instrument. */
  readonly settlements: readonly SettlementExecution[];
  /** A settled instrument that nobody holds after this batch, which L1 is told; 0 for none. */
  readonly retiredInstrument: number;
}

/** One account of a batch with its Merkle path in the running tree (siblings [depth][3]). */
export interface AccountChange {
  readonly accountIndex: number;
  readonly isTouched: boolean;
  readonly before: Account;
  readonly after: Account;
  /** Path in the tree in which all earlier rows of this batch are already written. */
  readonly siblings: readonly (readonly bigint[])[];
}

/** Everything the prover needs; complete without any database. */
export interface SealedBatch {
  readonly shape: StateShape;
  readonly capacity: BatchCapacity;
  readonly content: BatchContent;
  /** Exactly capacity.accounts rows in increasing order of index, padded with untouched accounts. */
  readonly accounts: readonly AccountChange[];
  readonly oldStateRoot: bigint;
  readonly newStateRoot: bigint;
  readonly oldAccountsRoot: bigint;
  readonly newAccountsRoot: bigint;
  /** Per market slot, lots. */
  readonly oldOpenInterest: readonly bigint[];
  readonly newOpenInterest: readonly bigint[];
  readonly feesMicros: Micros;
  readonly penaltiesMicros: Micros;
  readonly fundPaymentsMicros: Micros;
}

/** Groth16 points as the contract takes them. */
export interface BatchProof {
  readonly a: readonly [bigint, bigint];
  readonly b: readonly [readonly [bigint, bigint], readonly [bigint, bigint]];
  readonly c: readonly [bigint, bigint];
}

/** Public inputs, in the order the circuit declares them. */
export interface PublicInputs {
  readonly commitment: bigint;
  readonly challenge: bigint;
  readonly evaluation: bigint;
}

/** A status carries exactly what it has earned. */
export type BatchProgress =
  | { readonly status: 'sealed'; readonly batch: SealedBatch }
  | {
      readonly status: 'proven';
      readonly batch: SealedBatch;
      readonly proof: BatchProof;
      readonly inputs: PublicInputs;
    }
  | { readonly status: 'submitted'; readonly batch: SealedBatch; readonly l1TxHash: string }
  | { readonly status: 'final'; readonly batch: SealedBatch; readonly l1Block: number };
