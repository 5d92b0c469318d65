/** The engine's memory: the fold of the log. Only handlers of commands change it, one at a time. */
import type { Account } from '#protocol/account.ts';
import type { BatchProof, L1Operation, PublicInputs, SealedBatch } from '#protocol/batch/batch.ts';
import { requireSizes } from '#protocol/batch/sizes.ts';
import { invariant, type Rejection } from '#protocol/errors.ts';
import type { Instrument } from '#protocol/instrument.ts';
import type { OrderMessage, SignedMessages } from '#protocol/message.ts';
import { accountAt, genesisState, type LedgerState } from '#protocol/state.ts';
import type { OpenBatch } from '#protocol/transition/open-batch.ts';
import type { Operation } from '#protocol/transition/operation.ts';
import { WaitingCancels } from './batch/waiting-cancels.ts';
import { OrderBook, type Side } from './book/order-book.ts';
import type {
  AcceptedTable,
  CancelReason,
  EngineEvent,
  OrderOptions,
  QueuedL1Operation,
} from './commands.ts';
import type { EngineConfig } from './config.ts';
import { AccountScreen } from './risk/screen.ts';

export interface OrderFill {
  readonly tradeId: number;
  readonly batchNumber: number;
  readonly lots: bigint;
  readonly cashMicros: bigint;
  readonly feeMicros: bigint;
}

/** A signed order the engine accepted, open or closed. */
export interface OrderRecord {
  readonly hash: string;
  readonly bodyHash: string;
  readonly signed: SignedMessages;
  readonly position: number;
  readonly order: OrderMessage;
  readonly options: OrderOptions;
  readonly sequence: number;
  filledLots: bigint;
  fills: OrderFill[];
  /** Undefined while it rests. */
  closed: { readonly reason: 'filled' | CancelReason; readonly because: Rejection | undefined } | undefined;
}

/** A cancel, cancel-all or withdrawal on its way into a batch. */
export interface MessageRecord {
  readonly hash: string;
  readonly bodyHash: string;
  readonly signed: SignedMessages;
  readonly position: number;
  /** Undefined while it waits. */
  batchNumber: number | undefined;
  dropped: Rejection | undefined;
  /** Of one that was dropped: once this batch is final, nothing takes back what it was dropped for. */
  droppedAt: number | undefined;
}

/** What became of one message of a submission. */
export type MessageResult =
  | { readonly ok: true; readonly position: number; readonly hash: string }
  | { readonly ok: false; readonly position: number; readonly rejection: Rejection };

/** Something a batch holds, with what is needed to do it again after a reseal. */
export type BatchAction =
  | {
      readonly kind: 'trade';
      readonly operation: Extract<Operation, { kind: 'trade' }>;
      readonly tradeId: number;
      readonly instrumentId: number;
      readonly takerSide: Side;
      readonly makerHash: string;
      readonly takerHash: string;
    }
  | { readonly kind: 'message'; readonly operation: Operation; readonly hash: string }
  | { readonly kind: 'l1'; readonly operation: Operation; readonly queued: QueuedL1Operation }
  | {
      readonly kind: 'liquidate';
      readonly operation: Extract<Operation, { kind: 'liquidate' }>;
      readonly tradeId: number;
      readonly makerHash: string;
    }
  | { readonly kind: 'pay-fund'; readonly operation: Extract<Operation, { kind: 'pay-fund' }> }
  | { readonly kind: 'settlement'; readonly operation: Extract<Operation, { kind: 'settle' }> };

/** The contract's ledger numbers, carried forward over batches it has not seen yet. */
export interface L1Ledger {
  readonly liquid: readonly bigint[];
  readonly fundBookedMicros: bigint;
}

export type BatchStatus = 'sealed' | 'proven' | 'submitted' | 'final';

export interface BatchEntry {
  readonly number: number;
  readonly attempt: number;
  /** Of the size it was sealed for. */
  readonly sizeIndex: number;
  status: BatchStatus;
  /** Dropped once final: it stays in the store. */
  sealed: SealedBatch | undefined;
  readonly newStateRoot: bigint;
  readonly oldStateRoot: bigint;
  readonly timeSec: bigint;
  /** Of its table, which is in `sealed`: tables are large, and a final batch keeps none. */
  readonly tableIndex: number;
  readonly roundNumber: bigint;
  /** Queue entries known when it was opened: deposits below count for liquidated accounts. */
  readonly pendingEnd: number;
  /** Dropped once final. */
  actions: readonly BatchAction[];
  readonly actionCount: number;
  readonly isLiquidating: boolean;
  /** What a reseal returns to. */
  before: { readonly ledger: LedgerState; readonly l1Ledger: L1Ledger } | undefined;
  proof: { readonly proof: BatchProof; readonly inputs: PublicInputs } | undefined;
  l1TxHash: string | undefined;
  l1Block: number | undefined;
}

/** The batch that is being filled. */
export interface OpenEntry {
  readonly number: number;
  readonly table: AcceptedTable;
  readonly pendingEnd: number;
  batch: OpenBatch;
  readonly actions: BatchAction[];
}

/** An L1 operation that alone in a batch cannot be proved: the queue is in order, so nothing behind it can be settled. */
export interface SealingHalt {
  readonly batchNumber: number;
  readonly attempt: number;
  readonly queueIndex: number;
  readonly operation: L1Operation;
  readonly error: string;
}

/** A liquidation against an order of the account could not be proved. */
export interface MakerBar {
  readonly untilSec: bigint;
  /** Since one could be. */
  readonly failures: number;
}

/** What is known of actions that cannot be proved (batch/poison.ts). */
export class Isolation {
  /** Names of actions before which a batch ends: the parts of poisoned batches. */
  cuts: ReadonlySet<string> = new Set();
  /** Accounts that are liquidated in batches of their own, one step in each. */
  readonly apart = new Set<number>();
  /** L1 time before which the engine leaves an account alone. */
  readonly barredUntilSec = new Map<number, bigint>();
  /** Accounts whose orders close no position of a liquidated account for now. */
  readonly barredMakers = new Map<number, MakerBar>();
  /** Account → the maker against which its liquidation could not be proved; since then no liquidation of it was. */
  readonly failedAgainst = new Map<number, number>();
  /** Name of an action → the instrument whose retirement was left out to see whether the action is at fault. */
  readonly untold = new Map<string, number>();
  halted: SealingHalt | undefined;
  poisonedCount = 0;
}

export class EngineState {
  config: EngineConfig;
  instruments: ReadonlyMap<number, Instrument> = new Map();
  /** Books of instruments that were delisted stay: their orders can still be cancelled. */
  readonly books = new Map<number, OrderBook>();
  readonly screen: AccountScreen;
  /** After the last sealed batch. */
  ledger: LedgerState;
  open: OpenEntry | undefined;
  readonly batches = new Map<number, BatchEntry>();
  /** Of sealed batches without a proof; during a reseal also of some that it took back. */
  readonly unprovedNumbers = new Set<number>();
  nextBatchNumber = 1;
  /** How often each batch number was sealed again. */
  readonly attempts = new Map<number, number>();

  table: AcceptedTable | undefined;
  /** L1 time until which prices can be used, or could; 0 before the first round. */
  pricesUsableUntilSec = 0n;
  l1BlockNumber = 0;
  l1BlockHash = '';
  l1TimeSec = 0n;
  l1Ledger: L1Ledger = { liquid: [0n, 0n, 0n, 0n], fundBookedMicros: 0n };
  /** Known queue entries that no batch holds yet, in order of index. */
  l1Queue: QueuedL1Operation[] = [];
  /** Index after the last known entry. */
  l1QueueEnd = 0;
  /** Entries below are deep enough to be served. */
  l1QueueConfirmedEnd = 0;
  liveMarks = new Map<number, bigint>();
  /** Positions in settled instruments that no batch has turned into cash yet. */
  waitingSettlements: { readonly accountIndex: number; readonly instrumentId: number }[] = [];
  /** Settled instruments that a sealed batch told L1 nobody holds. */
  readonly retired = new Set<number>();

  readonly orders = new Map<string, OrderRecord>();
  readonly messages = new Map<string, MessageRecord>();
  readonly bodies = new Map<string, readonly MessageResult[]>();
  /** account → epoch and nonce (`nonceKey`) → hash of the open order. */
  readonly openOrders = new Map<number, Map<bigint, string>>();
  /** Cancels and cancel-alls not yet in a batch. */
  readonly waitingCancels = new WaitingCancels();
  /**
   * account → epochs and nonces (`nonceKey`) killed by the engine's promise, until a leaf that is final says so: a reseal
   * may take back whatever killed them otherwise.
   */
  readonly cancelledNonces = new Map<number, Set<bigint>>();
  /** account → the last epoch that a cancel-all ends: nothing of it or an earlier one is taken, whatever a reseal takes back. */
  readonly epochEnding = new Map<number, bigint>();
  readonly closedOrder: string[] = [];
  /** Hashes of cancels, cancel-alls and withdrawals, oldest first, until they are forgotten. */
  readonly messageOrder: string[] = [];

  /** An account below maintenance margin could not be dealt with to the end: the next block tries again. */
  isLiquidationDue = false;
  /** While a liquidation that could be done waits for room: batches that protected work has begun meanwhile. */
  liquidationWait: { batchesBegun: number } | undefined;
  /** The last batch had no place for any L1 operation that waited: the next begins with one. */
  isTurnOfL1 = false;
  /** The same of cancels. */
  isTurnOfCancels = false;
  /** While a reseal puts everything back in its old order, or a batch is kept for one account alone. */
  isResealing = false;
  /** Accounts whose epoch or window moved during it: their dead orders end after it. */
  readonly movedAccounts = new Set<number>();
  readonly isolation = new Isolation();
  orderSequence = 0;
  tradeCount = 0;
  /** Of the command in hand. */
  events: EngineEvent[] = [];
  readonly #touchedLevels = new Map<string, { instrumentId: number; side: Side; price: bigint }>();

  constructor(config: EngineConfig) {
    this.config = config;
    this.configure(config);
    this.screen = new AccountScreen(config.shape);
    this.ledger = genesisState(config.shape);
  }

  /** Takes over new settings; shape, chain and sizes never change in a ledger. @throws InputError */
  configure(config: EngineConfig): void {
    requireSizes(config.sizes);
    this.config = config;
    this.instruments = new Map(config.instruments.map((instrument) => [instrument.id, instrument]));
    for (const { id } of config.instruments) if (!this.books.has(id)) this.books.set(id, new OrderBook());
  }

  /** An account with what the open batch holds so far. */
  account(accountIndex: number): Account {
    return this.open?.batch.accountAt(accountIndex) ?? accountAt(this.ledger, accountIndex);
  }

  book(instrumentId: number): OrderBook {
    const book = this.books.get(instrumentId);
    invariant(book !== undefined, `instrument ${instrumentId} has a book`);
    return book;
  }

  addBatch(entry: BatchEntry): void {
    this.batches.set(entry.number, entry);
    // It is the last one: a reseal took back what had come after it.
    for (const number of this.unprovedNumbers) if (number > entry.number) this.unprovedNumbers.delete(number);
    this.unprovedNumbers.add(entry.number);
  }

  /** In order. There are few, whatever the age of the ledger: asked for every order. */
  get unprovedBatches(): BatchEntry[] {
    const entries = [...this.unprovedNumbers].map((number) => this.batches.get(number));
    return entries
      .filter((entry): entry is BatchEntry => entry?.status === 'sealed')
      .sort((a, b) => a.number - b.number);
  }

  emit(event: EngineEvent): void {
    this.events.push(event);
  }

  /** Notes that lots at a price changed; the new total is told once, at the end of the command. */
  touchLevel(instrumentId: number, side: Side, price: bigint): void {
    this.#touchedLevels.set(`${instrumentId} ${side} ${price}`, { instrumentId, side, price });
  }

  /** Events of the command that is finished; the next one starts with none. */
  takeEvents(): EngineEvent[] {
    for (const { instrumentId, side, price } of this.#touchedLevels.values()) {
      const totalLots = this.book(instrumentId).totalAt(side, price);
      this.emit({ kind: 'book-level', instrumentId, side, limitMicrosPerLot: price, totalLots });
    }
    this.#touchedLevels.clear();
    const events = this.events;
    this.events = [];
    return events;
  }
}
