/** What happened, gathered from the engine's events: counters for the live lines, and the facts of the summary. */
import type { EngineEvent, LiquidationNumbers } from '../commands.ts';

export interface ClosedLeg {
  readonly instrumentId: number;
  readonly isShort: boolean;
  readonly lots: bigint;
  readonly cashMicros: bigint;
}

/** One liquidated account in one batch. */
export interface LiquidationStory {
  readonly batchNumber: number;
  readonly accountIndex: number;
  /** 1: equity below maintenance margin; 2: quote debt. */
  readonly reason: 1 | 2;
  readonly legs: readonly ClosedLeg[];
  readonly penaltyMicros: bigint;
  readonly before: LiquidationNumbers;
  readonly after: LiquidationNumbers;
}

export interface FundPaymentStory {
  readonly batchNumber: number;
  readonly accountIndex: number;
  readonly amountMicros: bigint;
}

type EventOf<K extends EngineEvent['kind']> = Extract<EngineEvent, { kind: K }>;

export class Story {
  ordersAccepted = 0;
  trades = 0;
  batchesSealed = 0;
  batchesProven = 0;
  batchesFinal = 0;
  readonly liquidations: LiquidationStory[] = [];
  readonly fundPayments: FundPaymentStory[] = [];
  readonly withdrawals: EventOf<'withdrawal'>[] = [];
  readonly l1Operations: EventOf<'l1-operation'>[] = [];
  /** Signed orders with a fill, by batch. */
  readonly filledOrders = new Map<number, Set<string>>();
  readonly #openLegs = new Map<string, { reason: 1 | 2; legs: ClosedLeg[] }>();
  readonly #listeners: ((event: EngineEvent) => void)[] = [];

  /** Called after an event is counted. */
  onEvent(listener: (event: EngineEvent) => void): void {
    this.#listeners.push(listener);
  }

  see(event: EngineEvent): void {
    this.#count(event);
    for (const listener of this.#listeners) listener(event);
  }

  /** Signed orders that were filled at least in part, over all batches. */
  get filledOrderCount(): number {
    return [...this.filledOrders.values()].reduce((sum, hashes) => sum + hashes.size, 0);
  }

  #count(event: EngineEvent): void {
    switch (event.kind) {
      case 'order-accepted':
        this.ordersAccepted += 1;
        break;
      case 'trade':
        this.trades += 1;
        this.#filled(event.batchNumber, event.makerHash);
        this.#filled(event.batchNumber, event.takerHash);
        break;
      case 'batch-sealed':
        this.batchesSealed += 1;
        break;
      case 'batch-status':
        if (event.status === 'proven') this.batchesProven += 1;
        if (event.status === 'final') this.batchesFinal += 1;
        break;
      case 'liquidation':
        this.#filled(event.batchNumber, event.makerHash);
        this.#closeLeg(event);
        break;
      case 'account-liquidated':
        this.#closeLiquidation(event);
        break;
      case 'fund-payment':
        this.fundPayments.push(event);
        break;
      case 'withdrawal':
        this.withdrawals.push(event);
        break;
      case 'l1-operation':
        this.l1Operations.push(event);
        break;
      default:
        break;
    }
  }

  #filled(batchNumber: number, hash: string): void {
    const hashes = this.filledOrders.get(batchNumber) ?? new Set<string>();
    hashes.add(hash);
    this.filledOrders.set(batchNumber, hashes);
  }

  #closeLeg({
    batchNumber,
    accountIndex,
    instrumentId,
    isShort,
    reason,
    closedLots,
    cashMicros,
  }: EventOf<'liquidation'>) {
    const key = `${batchNumber}/${accountIndex}`;
    const open = this.#openLegs.get(key) ?? { reason, legs: [] };
    const known = open.legs.findIndex((leg) => leg.instrumentId === instrumentId);
    const old = known < 0 ? { lots: 0n, cashMicros: 0n } : open.legs[known];
    const leg = {
      instrumentId,
      isShort,
      lots: old.lots + closedLots,
      cashMicros: old.cashMicros + cashMicros,
    };
    if (known < 0) open.legs.push(leg);
    else open.legs[known] = leg;
    this.#openLegs.set(key, open);
  }

  #closeLiquidation({
    batchNumber,
    accountIndex,
    penaltyMicros,
    before,
    after,
  }: EventOf<'account-liquidated'>): void {
    const key = `${batchNumber}/${accountIndex}`;
    const open = this.#openLegs.get(key);
    if (open === undefined) return;
    this.#openLegs.delete(key);
    this.liquidations.push({ batchNumber, accountIndex, ...open, penaltyMicros, before, after });
  }
}
