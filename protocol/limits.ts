/**
 * Widths and sizes. `circuits/limits.circom` is generated from this file (see prover/setup), so a
 * width has one home. Limits named `_MAX` are inclusive.
 */

export const ACCOUNT_INDEX_BITS = 24;
export const INSTRUMENT_ID_BITS = 20;
export const TOKEN_ID_BITS = 4;
export const SIZE_BITS = 47; // magnitude of a position, an order, a fill
export const INTEREST_BITS = SIZE_BITS + 1; // open interest counts the lots of both sides
export const PRICE_BITS = 40; // limit price and mark, micros per lot
export const AMOUNT_BITS = 88; // an amount in a withdrawal, an L1 operation, cash of a liquidation row
export const TIME_BITS = 32; // seconds since 1970
export const EPOCH_BITS = 32;
export const NONCE_WORD_BITS = 35; // a nonce is 32 · word + bit
export const NONCE_BITS = 40;
export const NONCES_PER_WORD = 32;
export const FLOOR_BACK_BITS = 3;
export const FEE_CAP_BITS = 20; // ppm
export const RECORD_OFFSET_BITS = 8;
export const CASH_STAR_BITS = 99; // |cashStar| < 2^99
export const USED_MAP_BITS = 192; // room in the leaf element; a shape uses 32 · nonceWords of it
export const PENDING_QUOTE_BITS = 80;
export const LOSS_BITS = 60; // |scenario loss of an account| < 2^60 (argued in docs/protocol.md §4)
export const DELTA_BITS = 62; // |net delta of an account in an underlying| < 2^62 (docs/protocol.md §4)
export const MONEY_BITS = 121; // both sides of every scaled health comparison are below 2^120
export const ES_COUNT_BITS = 6;
/** Public word 8: k, then the unit of size of each underlying in whole dollars. */
export const ES_COUNT_WORD_BITS = 8;
export const ADD_ON_UNIT_BITS = 36;
/**
 * One order in one batch: its cash and fee ($1.1e12, $2.8e8), how much better than at its limit it is filled ($1.8e13) and how
 * far its fee stays below its cap, in millionths of a micro ($4.7e9 filled at a cap of 100 %). A fill beyond is refused.
 */
export const ORDER_CASH_BITS = 60;
export const ORDER_FEE_BITS = 48;
export const ORDER_BETTER_BITS = 64;
export const ORDER_FEE_ROOM_BITS = 72;
export const MARKET_SLOT_BITS = 7;
export const ROW_COUNT_BITS = 7; // rows of one kind in a batch

export const SPOT_SLOTS = 3; // ids 1, 2, 3
export const FIRST_DERIVATIVE_ID = 4;
export const MESSAGE_TREE_DEPTH_MAX = 2;
export const MESSAGES_PER_SIGNATURE_MAX = 16;

/** After a liquidation equity may exceed IM by this much. */
export const LIQUIDATION_TOLERANCE_MICROS = 50_000_000n;
/** After a quote-debt sale the −40 % line may be passed by this much: an upper bound of one spot lot. */
export const QUOTE_DEBT_TOLERANCE_MICROS = 250_000_000n;

/** Shape of the state: one per deployment, the same for every batch size. */
export interface StateShape {
  /** Levels of the 4-ary account tree. */
  readonly treeDepth: number;
  readonly derivativeSlots: number;
  readonly recordSlots: number;
  /** The nonce window spans 32 · nonceWords nonces. */
  readonly nonceWords: number;
  readonly marketSlots: number;
  readonly scenarios: number;
}

/** Rows of each kind. */
export interface RowCounts {
  readonly accounts: number;
  readonly signatures: number;
  readonly messages: number;
  readonly instruments: number;
  readonly l1Operations: number;
  readonly withdrawals: number;
  readonly liquidations: number;
  /** Positions in settled instruments that become cash. */
  readonly settlements: number;
}

/** Rows of one batch circuit, which has the same name. */
export interface BatchCapacity extends RowCounts {
  readonly name: string;
}

export const STANDARD_SHAPE: StateShape = {
  treeDepth: 12,
  derivativeSlots: 13,
  recordSlots: 6,
  nonceWords: 6,
  marketSlots: 76,
  scenarios: 32,
};

export const SMALL_BATCH: BatchCapacity = {
  name: 'batch-small',
  accounts: 4,
  signatures: 4,
  messages: 8,
  instruments: 8,
  l1Operations: 2,
  withdrawals: 2,
  liquidations: 4,
  settlements: 2,
};

/**
 * Room for every derivative leg that one account can hold, in instruments and in liquidations: what the small batch
 * cannot hold goes here. Its other rows are the small batch's, so it can do whatever that one can. With eight orders
 * against them, eight legs of one account close in a batch; sixteen are closed of several accounts.
 */
export const MEDIUM_BATCH: BatchCapacity = {
  ...SMALL_BATCH,
  name: 'batch-medium',
  instruments: 16,
  liquidations: 16,
  settlements: 8,
};

/** For tests: every rule of the standard shape at the least number of constraints. */
export const TINY_SHAPE: StateShape = {
  treeDepth: 3,
  derivativeSlots: 3,
  recordSlots: 2,
  nonceWords: 2,
  marketSlots: 4,
  scenarios: 8,
};

export const TINY_BATCH: BatchCapacity = {
  name: 'batch-tiny',
  accounts: 2,
  signatures: 2,
  messages: 3,
  instruments: 4,
  l1Operations: 2,
  withdrawals: 1,
  liquidations: 2,
  settlements: 2,
};

/** For tests of several sizes: one liquidation more than the tiny batch, which is every leg of a tiny account. */
export const TINY_WIDE_BATCH: BatchCapacity = { ...TINY_BATCH, name: 'batch-tiny-wide', liquidations: 3 };

/** Windows of nonces: offsets 0 … nonceWindow − 1 from the base. */
export const nonceWindow = (shape: StateShape): number => NONCES_PER_WORD * shape.nonceWords;
