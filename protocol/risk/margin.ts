/**
 * Margin of one account at one round, in exact integers: docs/protocol.md §4 and MARGIN. Nothing is
 * rounded: requirements are kept multiplied by k (rows of the expected shortfall) and compared
 * cross-multiplied. Twin of circuits/row/health.circom.
 */
import type { Account } from '../account.ts';
import type { PendingDeposits } from '../batch/batch.ts';
import { invariant } from '../errors.ts';
import { type RiskRow, type RiskTable, UNDERLYINGS } from '../instrument.ts';
import type { StateShape } from '../limits.ts';
import { divideUp, type Lots, type Micros } from '../units.ts';
import { ADD_ON_UNIT_MICROS, sizeAddOnTimes100 } from './size-add-on.ts';
import { rowOf } from './table.ts';

/** Of the add-on, maintenance margin counts 0.6: k · addOn · 100 · 6 is 1000 · k · (0.6 · addOn). */
const ADD_ON_MM_TENTHS = 6n;

/** 'bankrupt' is the part of 'liquidatable' with negative equity. */
export type Health = 'open' | 'reduce-only' | 'liquidatable' | 'bankrupt';

/** A non-zero size with the row that values it. */
export interface Holding {
  readonly row: RiskRow;
  readonly size: Lots;
}

export interface AccountMargin {
  /** k: how many worst rows the requirement averages. */
  readonly esCount: bigint;
  readonly cash: Micros;
  readonly equity: Micros;
  /** Cash and derivatives, without spot. */
  readonly quoteBalance: Micros;
  /** Spot at its value after the IM haircut. */
  readonly haircutSpot: Micros;
  /** Loss of the account in every scenario; loss +. */
  readonly losses: readonly Micros[];
  /** k · scan. */
  readonly kScan: bigint;
  /** Σ size × delta per underlying. */
  readonly netDeltas: readonly Micros[];
  /** 100 · the add-ons for the size of these. */
  readonly sizeAddOnTimes100: bigint;
  /** 100 · k · IM. */
  readonly initialMarginTimes100k: bigint;
  /** 1000 · k · MM. */
  readonly maintenanceMarginTimes1000k: bigint;
  readonly initialMarginMicrosUp: Micros;
  readonly maintenanceMarginMicrosUp: Micros;
  readonly health: Health;
}

const noPending: PendingDeposits = { quoteMicros: 0n, spotLots: [0n, 0n, 0n] };

/** Instruments an account holds, spot included, each once. */
export function heldInstruments(account: Account): number[] {
  const spot = account.spot.flatMap((size, i) => (size === 0n ? [] : [i + 1]));
  return [...spot, ...account.slots.filter((slot) => slot.size !== 0n).map((slot) => slot.instrumentId)];
}

/** An instrument the account holds that the round does not list: such an account cannot be judged. */
export const unlistedHolding = (account: Account, table: RiskTable): number | undefined =>
  heldInstruments(account).find((id) => rowOf(table, id) === undefined);

/** What the account holds, spot that waits in the L1 queue and counts included if given. */
export function holdingsOf(account: Account, table: RiskTable, counted = noPending): Holding[] {
  const spot = account.spot.map((size, i) => ({ id: i + 1, size: size + (counted.spotLots[i] ?? 0n) }));
  const derivatives = account.slots.map((slot) => ({ id: slot.instrumentId, size: slot.size }));
  return [...spot, ...derivatives]
    .filter(({ size }) => size !== 0n)
    .map(({ id, size }) => {
      const row = rowOf(table, id);
      invariant(row !== undefined, `instrument ${id} of a judged account is listed`);
      return { row, size: size as Lots };
    });
}

const sum = (values: readonly bigint[]): bigint => values.reduce((total, value) => total + value, 0n);

const scenarioLosses = (holdings: readonly Holding[], scenarios: number): Micros[] =>
  Array.from(
    { length: scenarios },
    (_, s) => sum(holdings.map(({ row, size }) => size * row.losses[s])) as Micros,
  );

/** loss_s = Σ size × loss of one lot, for every scenario; loss +. Length: shape.scenarios. */
export const lossVector = (
  account: Account,
  table: RiskTable,
  shape: StateShape,
  counted = noPending,
): Micros[] => scenarioLosses(holdingsOf(account, table, counted), shape.scenarios);

const descending = (a: bigint, b: bigint): number => (a > b ? -1 : a < b ? 1 : 0);

/** Sum of the k largest losses: k · ES_k before the floor at 0. */
export function kWorstSum(losses: readonly bigint[], k: number): bigint {
  invariant(Number.isInteger(k) && k >= 1 && k <= losses.length, 'k is from 1 to the number of scenarios');
  return sum([...losses].sort(descending).slice(0, k));
}

/** k · scan = max(0, sum of the k worst losses). */
export function kScanOf(losses: readonly bigint[], k: number): bigint {
  const worst = kWorstSum(losses, k);
  return worst > 0n ? worst : 0n;
}

/** Upper bound of k · scan for *any* t, equal at the best one: proves "the requirement is covered". */
export function primalKScan(losses: readonly bigint[], k: number, t: bigint): bigint {
  const bound = BigInt(k) * t + sum(losses.map((loss) => (loss > t ? loss - t : 0n)));
  return bound > 0n ? bound : 0n;
}

/** Lower bound of k · scan for *any* k distinct rows (or none): proves "the requirement is not covered". */
export function dualKScan(losses: readonly bigint[], k: number, rows: readonly number[]): bigint {
  const isSelection = rows.length === 0 || (rows.length === k && new Set(rows).size === k);
  invariant(
    isSelection && rows.every((row) => row in losses),
    'a dual form selects k distinct scenarios or none',
  );
  return sum(rows.map((row) => losses[row]));
}

/** The t at which the primal form is exact: the k-th largest loss. */
export const bestThreshold = (losses: readonly bigint[], k: number): bigint =>
  [...losses].sort(descending)[k - 1];

/** The rows at which the dual form is exact: the k worst, or none when they sum to a gain. */
export function worstScenarios(losses: readonly bigint[], k: number): number[] {
  if (kWorstSum(losses, k) <= 0n) return [];
  const order = losses.map((_, i) => i).sort((a, b) => descending(losses[a], losses[b]) || a - b);
  return order.slice(0, k).sort((a, b) => a - b);
}

/** Σ size × delta per underlying, spot included: a hedged holding has none. */
export function netDeltasOf(holdings: readonly Holding[]): Micros[] {
  const deltas = UNDERLYINGS.map(() => 0n);
  for (const { row, size } of holdings) deltas[row.underlying] += size * row.delta;
  return deltas as Micros[];
}

/** T of the size add-on. */
export const addOnUnitMicros = (table: RiskTable, underlying: number): bigint =>
  table.addOnUnitDollars[underlying] * ADD_ON_UNIT_MICROS;

type Requirement = Pick<
  AccountMargin,
  'esCount' | 'equity' | 'initialMarginTimes100k' | 'maintenanceMarginTimes1000k'
>;

/** 100k · equity − 100k · IM. */
export const initialMarginGap = ({ esCount, equity, initialMarginTimes100k }: Requirement): bigint =>
  100n * esCount * equity - initialMarginTimes100k;

/** 1000k · equity − 1000k · MM: the distance to liquidation. */
export const maintenanceMarginGap = ({ esCount, equity, maintenanceMarginTimes1000k }: Requirement): bigint =>
  1000n * esCount * equity - maintenanceMarginTimes1000k;

export const coversInitialMargin = (margin: Requirement): boolean => initialMarginGap(margin) >= 0n;

export const isBelowMaintenance = (margin: Requirement): boolean => maintenanceMarginGap(margin) < 0n;

/** 400k · equity − 500k · IM, at least 0 after a withdrawal: equity ≥ 1.25 · IM. */
export const transferMarginGap = ({ esCount, equity, initialMarginTimes100k }: Requirement): bigint =>
  400n * esCount * equity - 5n * initialMarginTimes100k;

/**
 * What of the deposits that wait in the L1 queue counts before a liquidation: quote money, which is never refused, and
 * the spot tokens of which all that waits is within the position cap. A deposit beyond the cap comes back to its owner,
 * so it may not stand for his debt: one after the other would hold off a liquidation for ever with nothing at stake.
 * @param before the account at the batch's start, as the refusal of a deposit is judged
 */
export function countedDeposits(
  before: Account,
  table: RiskTable,
  pending: PendingDeposits | undefined,
): PendingDeposits {
  if (pending === undefined) return noPending;
  const isWithinCap = (lots: bigint, i: number): boolean =>
    before.spot[i] + lots <= (rowOf(table, i + 1)?.positionCap ?? -1n);
  return { ...pending, spotLots: pending.spotLots.map((lots, i) => (isWithinCap(lots, i) ? lots : 0n)) };
}

/** One account at one round. `counted`: deposits that wait in the L1 queue and count before a liquidation. */
export function marginOf(
  account: Account,
  table: RiskTable,
  shape: StateShape,
  counted: PendingDeposits = noPending,
): AccountMargin {
  const k = BigInt(table.esCount);
  const holdings = holdingsOf(account, table, counted);
  const derivatives = holdings.filter(({ row }) => !row.isSpot);
  const spot = holdings.filter(({ row }) => row.isSpot);
  const worth = (list: readonly Holding[]) => sum(list.map(({ row, size }) => size * row.mark));
  const cash =
    account.cashStar + counted.quoteMicros - sum(derivatives.map(({ row, size }) => size * row.fundingIndex));
  const quoteBalance = cash + worth(derivatives);
  const equity = quoteBalance + worth(spot);
  const losses = scenarioLosses(holdings, shape.scenarios);
  const kScan = kScanOf(losses, table.esCount);
  const chargeIm = ({ row, size }: Holding) =>
    size > 0n ? size * row.chargeImLong : -size * row.chargeImShort;
  const chargeMm = ({ row, size }: Holding) =>
    size > 0n ? size * row.chargeMmLong : -size * row.chargeMmShort;
  const netDeltas = netDeltasOf(holdings);
  const addOn = sum(netDeltas.map((delta, u) => sizeAddOnTimes100(delta, addOnUnitMicros(table, u))));
  const initialMarginTimes100k = 100n * (kScan + k * sum(holdings.map(chargeIm))) + k * addOn;
  const maintenanceMarginTimes1000k =
    800n * kScan + 1000n * k * sum(holdings.map(chargeMm)) + ADD_ON_MM_TENTHS * k * addOn;
  const requirement = {
    esCount: k,
    equity: equity as Micros,
    initialMarginTimes100k,
    maintenanceMarginTimes1000k,
  };
  const health =
    equity < 0n
      ? 'bankrupt'
      : isBelowMaintenance(requirement)
        ? 'liquidatable'
        : coversInitialMargin(requirement)
          ? 'open'
          : 'reduce-only';
  return {
    esCount: k,
    cash: cash as Micros,
    equity: equity as Micros,
    quoteBalance: quoteBalance as Micros,
    haircutSpot: sum(spot.map(({ row, size }) => size * (row.mark - row.chargeImLong))) as Micros,
    losses,
    kScan,
    netDeltas,
    sizeAddOnTimes100: addOn,
    initialMarginTimes100k,
    maintenanceMarginTimes1000k,
    initialMarginMicrosUp: divideUp(initialMarginTimes100k, 100n * k) as Micros,
    maintenanceMarginMicrosUp: divideUp(maintenanceMarginTimes1000k, 1000n * k) as Micros,
    health,
  };
}
