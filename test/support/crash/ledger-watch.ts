/** What a life knows of its own ledger at any instant, so that its last words tell what was in flight. */
import { createHash } from 'node:crypto';
import { leafElements } from '#protocol/leaf.ts';
import type { LedgerState } from '#protocol/state.ts';
import { stateRoot } from '#protocol/state.ts';
import type { EngineEvent } from '#sequencer/commands.ts';
import type { Engine } from '#sequencer/engine.ts';
import { encode } from '#sequencer/ledger/codec.ts';
import type { EngineState } from '#sequencer/state.ts';
import type { Fingerprint, LifeReport, News, ToldTrade } from './plan.ts';

const roots = new WeakMap<LedgerState, bigint>();
function rootOf(ledger: LedgerState): bigint {
  const root = roots.get(ledger) ?? stateRoot(ledger);
  roots.set(ledger, root);
  return root;
}

export const fingerprintOf = (state: EngineState, logSequence: number): Fingerprint => ({
  logSequence,
  root: rootOf(state.ledger),
  nextBatchNumber: state.nextBatchNumber,
  openActions: state.open?.actions.length ?? 0,
  openOrders: [...state.openOrders.values()].reduce((sum, own) => sum + own.size, 0),
  closedOrders: state.closedOrder.length,
  trades: state.tradeCount,
});

/** Everything that a user could ask about, everything a batch will be made of, and what later messages are judged by. */
export function digestOf(state: EngineState): string {
  const hash = createHash('sha256');
  for (const [body, results] of state.bodies) hash.update(encode([body, takenText(results)]));
  for (const [account, own] of state.openOrders) hash.update(encode([account, [...own]]));
  for (const { hash: name, batchNumber, dropped } of state.messages.values()) {
    hash.update(encode([name, batchNumber, dropped?.code]));
  }
  const touched = state.open?.batch.touched ?? [];
  hash.update(encode([...touched].map((index) => leafElements(state.account(index), state.config.shape))));
  hash.update(
    encode([rootOf(state.ledger), [...state.epochEnding], state.table?.index, [...state.liveMarks]]),
  );
  for (const { hash: name, sequence, filledLots, fills, closed } of state.orders.values()) {
    hash.update(encode([name, sequence, filledLots, fills, closed?.reason]));
  }
  for (const [id, book] of state.books) {
    for (const side of ['buy', 'sell'] as const) hash.update(encode([id, side, [...book.inPriority(side)]]));
  }
  for (const { number, attempt, status, newStateRoot, actionCount, l1TxHash } of state.batches.values()) {
    hash.update(encode([number, attempt, status, newStateRoot, actionCount, l1TxHash]));
  }
  const { open, waitingCancels, l1Queue, l1QueueEnd, l1BlockNumber, l1Ledger } = state;
  hash.update(
    encode([open?.number, open?.batch.touched, waitingCancels.hashes, l1Queue, l1QueueEnd, l1BlockNumber]),
  );
  hash.update(
    encode([l1Ledger, [...state.cancelledNonces].map(([account, nonces]) => [account, [...nonces]])]),
  );
  return hash.digest('hex');
}

function tradesOf(state: EngineState): ToldTrade[] {
  const sides = new Map<number, { maker?: string; taker?: string; lots: bigint; cashMicros: bigint }>();
  for (const { hash, fills } of state.orders.values()) {
    for (const { tradeId, lots, cashMicros } of fills) {
      const known = sides.get(tradeId);
      // The maker was there first; orders are kept in the order of their arrival.
      if (known === undefined) sides.set(tradeId, { maker: hash, lots, cashMicros });
      else known.taker = hash;
    }
  }
  return [...sides].map(([tradeId, { maker = '', taker = '', lots, cashMicros }]) => ({
    tradeId,
    makerHash: maker,
    takerHash: taker,
    lots,
    cashMicros,
  }));
}

export const lifeReport = (state: EngineState, logSequence: number): LifeReport => ({
  fingerprint: fingerprintOf(state, logSequence),
  digest: digestOf(state),
  batches: [...state.batches.values()].map(({ number, attempt, newStateRoot, status }) => ({
    number,
    attempt,
    root: newStateRoot,
    status,
  })),
  bodies: [...state.bodies].map(([body, results]) => [body, takenText(results)]),
  trades: tradesOf(state),
  voidedOrders: [...state.orders.values()].flatMap(({ hash, closed }) =>
    closed?.reason === 'voided' ? [hash] : [],
  ),
});

/** Hashes of what was taken of a body, as one text. */
export const takenText = (
  results: readonly ({ readonly ok: true; readonly hash: string } | { readonly ok: false })[],
): string => results.flatMap((result) => (result.ok ? [result.hash] : [])).join(' ');

export function statusCounts(state: EngineState): Record<string, number> {
  const { open, attempts, batches } = state;
  const counts = {
    open: open?.actions.length ?? 0,
    sealed: 0,
    proven: 0,
    submitted: 0,
    final: 0,
    resealed: 0,
  };
  for (const { status, attempt } of batches.values()) {
    counts[status] += 1;
    if (status !== 'final' && attempt > 0) counts.resealed += 1;
  }
  if (open !== undefined && (attempts.get(open.number) ?? 0) > 0) counts.resealed += 1;
  return counts;
}

/** Follows an engine. `state` is its memory itself: looked at between two of its steps, never changed. */
export class LedgerWatch {
  readonly state: EngineState;
  readonly #engine: Engine;
  durable: Fingerprint;
  counts: Record<string, number>;
  #trades: ToldTrade[] = [];
  #voided: number[] = [];
  /** Batch numbers whose transaction was broadcast and whose receipt is not in the log. */
  readonly sent = new Set<number>();

  private constructor(engine: Engine, state: EngineState) {
    this.#engine = engine;
    this.state = state;
    this.durable = fingerprintOf(state, engine.logSequence);
    this.counts = statusCounts(state);
    engine.subscribe((events) => {
      this.durable = fingerprintOf(state, engine.logSequence);
      this.counts = statusCounts(state);
      for (const event of events) this.#see(event);
    });
  }

  static async of(engine: Engine): Promise<LedgerWatch> {
    let memory: EngineState | undefined;
    await engine.read((state) => {
      memory = state;
    });
    return new LedgerWatch(engine, memory as EngineState);
  }

  get inMemory(): Fingerprint {
    return fingerprintOf(this.state, this.#engine.logSequence);
  }

  /** What has become durable since it was last asked. */
  takeNews(): News {
    const { sealed, proven, submitted } = this.counts;
    const news = { trades: this.#trades, voided: this.#voided, unfinished: sealed + proven + submitted };
    this.#trades = [];
    this.#voided = [];
    return news;
  }

  #see(event: EngineEvent): void {
    if (event.kind === 'trade') {
      const { tradeId, makerHash, takerHash, lots, cashMicros } = event;
      this.#trades.push({ tradeId, makerHash, takerHash, lots, cashMicros });
    } else if (event.kind === 'trade-voided') {
      this.#voided.push(event.tradeId);
    } else if (event.kind === 'batch-status' && event.status !== 'proven') {
      this.sent.delete(event.batchNumber);
    }
  }
}
