/**
 * A price-time order book: pure, one per instrument, spot included. It knows sequence, never time,
 * margin or storage. Matching is stepwise, because every single fill is judged again by
 * `protocol/transition`: the engine asks for the best resting order, tries the fill, then reports here.
 */
import { invariant } from '#protocol/errors.ts';

export type Side = 'buy' | 'sell';

/** A resting order as the book needs it; the engine keeps the signed original under `hash`. */
export interface RestingOrder {
  /** Identity of the signed order: a hash over its signed body. */
  readonly hash: string;
  readonly accountIndex: number;
  readonly side: Side;
  readonly limitMicrosPerLot: bigint;
  readonly remainingLots: bigint;
  readonly expirySec: bigint;
  /** Arrival, gap-free over the engine: the time of price-time priority. */
  readonly sequence: number;
}

/** One price and what rests at it, oldest first. */
export interface BookLevel {
  readonly limitMicrosPerLot: bigint;
  readonly totalLots: bigint;
  readonly orderCount: number;
}

interface Level {
  readonly limitMicrosPerLot: bigint;
  totalLots: bigint;
  /** Highest sequence that was ever put here. */
  lastSequence: number;
  /** Insertion order is time priority. */
  readonly orders: Map<string, RestingOrder>;
}

export const opposite = (side: Side): Side => (side === 'buy' ? 'sell' : 'buy');

/** Whether an order of `side` with `limit` may trade at `price`. */
export const crosses = (side: Side, limit: bigint, price: bigint): boolean =>
  side === 'buy' ? price <= limit : price >= limit;

export class OrderBook {
  /** Prices best first: descending bids, ascending asks. */
  readonly #levels: Record<Side, Level[]> = { buy: [], sell: [] };
  readonly #levelOfHash = new Map<string, { side: Side; level: Level }>();

  get orderCount(): number {
    return this.#levelOfHash.size;
  }

  get(hash: string): RestingOrder | undefined {
    return this.#levelOfHash.get(hash)?.level.orders.get(hash);
  }

  /** The order of `side` that has priority: best price, then lowest sequence. */
  best(side: Side): RestingOrder | undefined {
    return this.#levels[side][0]?.orders.values().next().value;
  }

  /** Resting orders of a side in priority order; do not change the book while iterating. */
  *inPriority(side: Side): IterableIterator<RestingOrder> {
    for (const level of this.#levels[side]) yield* level.orders.values();
  }

  /** Aggregated levels, best first. */
  levels(side: Side, count: number): BookLevel[] {
    return this.#levels[side].slice(0, count).map((level) => ({
      limitMicrosPerLot: level.limitMicrosPerLot,
      totalLots: level.totalLots,
      orderCount: level.orders.size,
    }));
  }

  /** Lots that rest at exactly this price. */
  totalAt(side: Side, limitMicrosPerLot: bigint): bigint {
    const at = this.#find(side, limitMicrosPerLot);
    return at.found ? this.#levels[side][at.index].totalLots : 0n;
  }

  /** Whether an order of `side` with `limit` would take something. */
  wouldCross(side: Side, limitMicrosPerLot: bigint): boolean {
    const top = this.best(opposite(side));
    return top !== undefined && crosses(side, limitMicrosPerLot, top.limitMicrosPerLot);
  }

  /** Puts an order at its price, behind all that came earlier: after a reseal an old order comes back. */
  insert(order: RestingOrder): void {
    invariant(order.remainingLots > 0n, 'a resting order has lots left');
    invariant(!this.#levelOfHash.has(order.hash), 'an order rests once');
    const side = this.#levels[order.side];
    const at = this.#find(order.side, order.limitMicrosPerLot);
    if (!at.found) {
      side.splice(at.index, 0, {
        limitMicrosPerLot: order.limitMicrosPerLot,
        totalLots: 0n,
        lastSequence: 0,
        orders: new Map(),
      });
    }
    const level = side[at.index];
    putInSequence(level, order);
    level.totalLots += order.remainingLots;
    this.#levelOfHash.set(order.hash, { side: order.side, level });
  }

  /** Takes `lots` off a resting order, which keeps its place; removes it when nothing is left. */
  reduce(hash: string, lots: bigint): void {
    const place = this.#levelOfHash.get(hash);
    const order = place?.level.orders.get(hash);
    invariant(place !== undefined && order !== undefined, 'only a resting order is reduced');
    invariant(lots > 0n && lots <= order.remainingLots, 'a fill is within the resting size');
    if (lots === order.remainingLots) {
      this.remove(hash);
      return;
    }
    // Setting an existing key keeps its place in a Map, hence its time priority.
    place.level.orders.set(hash, { ...order, remainingLots: order.remainingLots - lots });
    place.level.totalLots -= lots;
  }

  /** Takes the order out; undefined if it does not rest here. */
  remove(hash: string): RestingOrder | undefined {
    const place = this.#levelOfHash.get(hash);
    if (place === undefined) return undefined;
    const order = place.level.orders.get(hash);
    invariant(order !== undefined, 'the index of the book names a resting order');
    place.level.orders.delete(hash);
    place.level.totalLots -= order.remainingLots;
    this.#levelOfHash.delete(hash);
    if (place.level.orders.size === 0) {
      this.#levels[place.side].splice(this.#find(place.side, place.level.limitMicrosPerLot).index, 1);
    }
    return order;
  }

  /** Hashes of orders that may no longer be filled at `timeSec`: the rule is batch time ≤ expiry. */
  expiredAt(timeSec: bigint): string[] {
    const expired: string[] = [];
    for (const side of ['buy', 'sell'] as const) {
      for (const order of this.inPriority(side)) if (order.expirySec < timeSec) expired.push(order.hash);
    }
    return expired;
  }

  #find(side: Side, limit: bigint): { index: number; found: boolean } {
    const levels = this.#levels[side];
    let low = 0;
    let high = levels.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const price = levels[middle].limitMicrosPerLot;
      if (price === limit) return { index: middle, found: true };
      if (side === 'buy' ? price > limit : price < limit) low = middle + 1;
      else high = middle;
    }
    return { index: low, found: false };
  }
}

/** A Map keeps insertion order, so only an order older than one that is there costs more than appending. */
function putInSequence(level: Level, order: RestingOrder): void {
  const { orders } = level;
  const later =
    order.sequence > level.lastSequence
      ? []
      : [...orders.values()].filter((other) => other.sequence > order.sequence);
  orders.set(order.hash, order);
  for (const other of later) {
    orders.delete(other.hash);
    orders.set(other.hash, other);
  }
  level.lastSequence = Math.max(level.lastSequence, order.sequence);
}
