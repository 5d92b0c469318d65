/** What happened, gathered from the engine's events: counters for the live lines, and the facts of the summary. */
import type { EngineEvent } from '../commands.ts';

type EventOf<K extends EngineEvent['kind']> = Extract<EngineEvent, { kind: K }>;

export class Story {
  ordersAccepted = 0;
  trades = 0;
  batchesSealed = 0;
  batchesProven = 0;
  batchesFinal = 0;
  /** One for every fill of a liquidated account. */
  readonly liquidations: EventOf<'liquidation'>[] = [];
  readonly fundPayments: EventOf<'fund-payment'>[] = [];
  readonly settledPositions: EventOf<'position-settled'>[] = [];
  readonly retiredInstruments: EventOf<'instrument-retired'>[] = [];
  readonly withdrawals: EventOf<'withdrawal'>[] = [];
  readonly l1Operations: EventOf<'l1-operation'>[] = [];
  /** Signed orders with a fill, by batch. */
  readonly filledOrders = new Map<number, Set<string>>();
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
        this.liquidations.push(event);
        break;
      case 'fund-payment':
        this.fundPayments.push(event);
        break;
      case 'position-settled':
        this.settledPositions.push(event);
        break;
      case 'instrument-retired':
        this.retiredInstruments.push(event);
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
}
