/**
 * Admission: may this order rest or trade, whatever subset of the account's open orders is filled? The
 * bound is simple and errs towards refusal; the rule that counts is applied by `protocol/transition` when
 * a fill happens, and an order that no longer passes there is cancelled with its numbers.
 */
import { type Account, sizeOf } from '#protocol/account.ts';
import { type Rejection, reject } from '#protocol/errors.ts';
import { type RiskRow, type RiskTable, UNDERLYINGS } from '#protocol/instrument.ts';
import type { StateShape } from '#protocol/limits.ts';
import { addOnUnitMicros, kScanOf, marginOf, unlistedHolding } from '#protocol/risk/margin.ts';
import { sizeAddOnTimes100 } from '#protocol/risk/size-add-on.ts';
import { rowOf } from '#protocol/risk/table.ts';
import { divideDown, divideUp, max, min, PPM_ONE } from '#protocol/units.ts';
import type { Side } from '../book/order-book.ts';

/** What one open order can still do to the account. */
export interface OpenOrder {
  readonly instrumentId: number;
  readonly side: Side;
  readonly remainingLots: bigint;
  readonly limitMicrosPerLot: bigint;
  readonly isReduceOnly: boolean;
}

/** Live marks by instrument. */
export type LiveMarks = ReadonlyMap<number, bigint>;

export interface AdmissionContext {
  readonly table: RiskTable;
  readonly shape: StateShape;
  readonly feePpmMax: bigint;
  readonly liveMarks: LiveMarks;
}

/** All open orders of one instrument; fills of any subset lie between −sells and +buys. */
interface Exposure {
  readonly row: RiskRow;
  readonly size: bigint;
  buyLots: bigint;
  sellLots: bigint;
}

/** Worst case over every subset of fills; k-scaled like `AccountMargin`. */
export interface WorstCase {
  readonly kEquity: bigint;
  readonly initialMarginTimes100k: bigint;
}

const negativePart = (x: bigint): bigint => (x < 0n ? -x : 0n);

function exposuresOf(
  account: Account,
  orders: readonly OpenOrder[],
  table: RiskTable,
): Map<number, Exposure> {
  const exposures = new Map<number, Exposure>();
  for (const row of table.rows) {
    const size = sizeOf(account, row.instrumentId);
    if (size !== 0n) exposures.set(row.instrumentId, { row, size, buyLots: 0n, sellLots: 0n });
  }
  for (const order of orders) {
    const row = rowOf(table, order.instrumentId);
    // An order of an instrument that left the table cannot be filled.
    if (row === undefined || order.isReduceOnly) continue;
    const exposure = exposures.get(order.instrumentId) ?? { row, size: 0n, buyLots: 0n, sellLots: 0n };
    if (order.side === 'buy') exposure.buyLots += order.remainingLots;
    else exposure.sellLots += order.remainingLots;
    exposures.set(order.instrumentId, exposure);
  }
  return exposures;
}

/** Money that fills at the limits would cost against the mark, fees included; rounded up. */
function costAgainstMarkUp(order: OpenOrder, mark: bigint, feePpmMax: bigint): bigint {
  const perLot = order.side === 'buy' ? order.limitMicrosPerLot - mark : mark - order.limitMicrosPerLot;
  const feeUp = divideUp(order.remainingLots * order.limitMicrosPerLot * feePpmMax, PPM_ONE);
  return max(0n, perLot) * order.remainingLots + feeUp;
}

/**
 * An upper bound of IM and a lower bound of k·equity over every way in which the orders could be filled.
 * Charges are convex in the size, so their maximum is at an end; a scenario's loss is linear in it.
 */
export function worstCaseOf(
  account: Account,
  orders: readonly OpenOrder[],
  context: AdmissionContext,
): WorstCase {
  const { table, shape, feePpmMax, liveMarks } = context;
  const k = BigInt(table.esCount);
  const exposures = [...exposuresOf(account, orders, table).values()];
  const losses = Array.from({ length: shape.scenarios }, (_, s) =>
    exposures.reduce((sum, { row, size, buyLots, sellLots }) => {
      const loss = row.losses[s];
      return sum + size * loss + (loss > 0n ? buyLots * loss : -sellLots * loss);
    }, 0n),
  );
  const chargeIm = (row: RiskRow, size: bigint): bigint =>
    size > 0n ? size * row.chargeImLong : -size * row.chargeImShort;
  const charges = exposures.reduce(
    (sum, { row, size, buyLots, sellLots }) =>
      sum + max(max(chargeIm(row, size + buyLots), chargeIm(row, size - sellLots)), chargeIm(row, size)),
    0n,
  );
  const liveLoss = exposures.reduce((sum, { row, size }) => {
    const live = liveMarks.get(row.instrumentId) ?? row.mark;
    return sum + size * (live - row.mark);
  }, 0n);
  const cost = orders.reduce((sum, order) => {
    const row = rowOf(table, order.instrumentId);
    if (row === undefined || order.isReduceOnly) return sum;
    return sum + costAgainstMarkUp(order, row.mark, feePpmMax);
  }, 0n);
  const { equity } = marginOf(account, table, shape);
  return {
    // A gain at live prices is not counted: live prices may only refuse more.
    kEquity: k * (equity + min(0n, liveLoss) - cost),
    initialMarginTimes100k:
      100n * (kScanOf(losses, table.esCount) + k * charges) + k * largestAddOnTimes100(exposures, table),
  };
}

/** Of every subset of fills: the add-on is convex in the net delta, so it is largest at an end of its range. */
function largestAddOnTimes100(exposures: readonly Exposure[], table: RiskTable): bigint {
  return UNDERLYINGS.reduce((sum, _, u) => {
    let [least, most] = [0n, 0n];
    for (const { row, size, buyLots, sellLots } of exposures) {
      if (row.underlying !== u) continue;
      const [bought, sold] = [buyLots * row.delta, -sellLots * row.delta];
      least += size * row.delta + min(0n, min(bought, sold));
      most += size * row.delta + max(0n, max(bought, sold));
    }
    const unit = addOnUnitMicros(table, u);
    return sum + max(sizeAddOnTimes100(least, unit), sizeAddOnTimes100(most, unit));
  }, 0n);
}

/** Whether the order, with all others of its side, can only bring the position closer to zero. */
function onlyReduces(account: Account, order: OpenOrder, others: readonly OpenOrder[]): boolean {
  const size = sizeOf(account, order.instrumentId);
  const isOpposite = order.side === 'sell' ? size > 0n : size < 0n;
  if (!isOpposite) return false;
  const sameSide = others.filter((o) => o.instrumentId === order.instrumentId && o.side === order.side);
  const lots = sameSide.reduce((sum, o) => sum + o.remainingLots, order.remainingLots);
  return lots <= (size < 0n ? -size : size);
}

function checkCounts(
  account: Account,
  order: OpenOrder,
  others: readonly OpenOrder[],
  context: AdmissionContext,
): Rejection | undefined {
  const row = rowOf(context.table, order.instrumentId) as RiskRow;
  const sameInstrument = [...others, order].filter(
    (o) => o.instrumentId === order.instrumentId && !o.isReduceOnly,
  );
  const lotsOf = (side: Side) =>
    sameInstrument.filter((o) => o.side === side).reduce((sum, o) => sum + o.remainingLots, 0n);
  const size = sizeOf(account, order.instrumentId);
  const highest = size + lotsOf('buy');
  const lowest = size - lotsOf('sell');
  if (row.isSpot && lowest < 0n) {
    return reject('insufficient-spot', 'open sells exceed the spot lots held; spot is never sold short', {
      heldLots: size,
      sellLots: lotsOf('sell'),
      shortLots: negativePart(lowest),
    });
  }
  const reach = max(highest, -lowest);
  if (!order.isReduceOnly && reach > row.positionCap) {
    return reject('position-cap', 'with all open orders filled the position would exceed its cap', {
      reachLots: reach,
      capLots: row.positionCap,
    });
  }
  const open = new Set([
    ...account.slots.filter((slot) => slot.size !== 0n).map((slot) => slot.instrumentId),
  ]);
  for (const o of [...others, order])
    if (rowOf(context.table, o.instrumentId)?.isSpot === false) open.add(o.instrumentId);
  if (open.size > context.shape.derivativeSlots) {
    return reject(
      'too-many-instruments',
      'an account holds positions and orders in a limited number of derivatives',
      {
        instruments: open.size,
        limit: context.shape.derivativeSlots,
      },
    );
  }
  return undefined;
}

/** Undefined when admitted. `others`: the account's open orders without this one. */
export function checkAdmission(
  account: Account,
  order: OpenOrder,
  others: readonly OpenOrder[],
  context: AdmissionContext,
): Rejection | undefined {
  const { table } = context;
  const row = rowOf(table, order.instrumentId);
  if (row === undefined) {
    return reject('unknown-instrument', 'the round does not list this instrument', {
      instrumentId: order.instrumentId,
      roundNumber: table.roundNumber,
    });
  }
  const unlisted = unlistedHolding(account, table);
  if (unlisted !== undefined) {
    return reject('holding-not-listed', 'the account holds an instrument the round does not value; wait', {
      instrumentId: unlisted,
      roundNumber: table.roundNumber,
    });
  }
  const counts = checkCounts(account, order, others, context);
  if (counts !== undefined) return counts;
  if (order.isReduceOnly || onlyReduces(account, order, others)) return undefined;
  if (row.isReduceOnly) {
    return reject('instrument-reduce-only', 'this instrument takes only orders that reduce a position', {
      instrumentId: order.instrumentId,
    });
  }
  const { kEquity, initialMarginTimes100k } = worstCaseOf(account, [...others, order], context);
  if (100n * kEquity >= initialMarginTimes100k) return undefined;
  const k = BigInt(table.esCount);
  return reject(
    'insufficient-margin',
    'equity would not cover initial margin with all open orders filled; deposit, cancel orders or reduce size',
    {
      equityMicros: divideDown(kEquity, k),
      requiredMicros: divideUp(initialMarginTimes100k, 100n * k),
      shortMicros: divideUp(initialMarginTimes100k - 100n * kEquity, 100n * k),
      roundNumber: table.roundNumber,
    },
  );
}
