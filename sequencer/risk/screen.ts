/**
 * The margin screen: one pass over all accounts at each round, in floating point. It decides nothing. It
 * picks every account for which the exact rules of `protocol/risk` could find a liquidation or a fund
 * payment, and a few more: each comparison is widened by more than the rounding error it can have made.
 *
 * Sizes (< 2^47), marks, funding indices and losses (< 2^51) are exact in a double, products are not. A sum of at
 * most 16 products errs by less than 2^-48 of the sum of their magnitudes; the screen allows 2^-40 of it.
 */
import type { Account } from '#protocol/account.ts';
import { invariant } from '#protocol/errors.ts';
import { type RiskTable, UNDERLYINGS } from '#protocol/instrument.ts';
import { SPOT_SLOTS, type StateShape } from '#protocol/limits.ts';
import { addOnUnitMicros } from '#protocol/risk/margin.ts';

const ERROR_SHARE = 2 ** -40;
const ADD_ON_MM_SHARE = 0.6;
const SCENARIO_BLOCK = 8;
const GROWTH = 2;

/** The table in columns, one entry per row of `RiskTable.rows`. */
interface Columns {
  /** Instrument id → column, −1 where the table does not list it. */
  readonly columnOfId: Int16Array;
  /** mark − funding index: what one lot adds to equity. */
  readonly worth: Float64Array;
  /** The same, 0 for spot. */
  readonly quoteWorth: Float64Array;
  readonly haircutValue: Float64Array;
  readonly chargeMmLong: Float64Array;
  readonly chargeMmShort: Float64Array;
  /** Delta of one lot, by the underlying it counts for: 0 for the others. */
  readonly deltas: readonly Float64Array[];
  /** T of the size add-on per underlying, micros. */
  readonly addOnUnits: readonly number[];
  /** Largest magnitude of anything one lot is multiplied with. */
  readonly largest: Float64Array;
  /** [column][scenario], 0.8 of the loss is not yet taken. */
  readonly losses: Float64Array;
  readonly scenarios: number;
}

function columnsOf(table: RiskTable, shape: StateShape): Columns {
  const count = table.rows.length;
  const scenarios = Math.ceil(shape.scenarios / SCENARIO_BLOCK) * SCENARIO_BLOCK;
  const column = (pick: (row: RiskTable['rows'][number]) => bigint): Float64Array =>
    Float64Array.from(table.rows, (row) => Number(pick(row)));
  const losses = new Float64Array(count * scenarios);
  table.rows.forEach((row, i) => {
    row.losses.forEach((loss, s) => {
      losses[i * scenarios + s] = Number(loss);
    });
  });
  const columnOfId = new Int16Array(
    table.rows.reduce((top, row) => Math.max(top, row.instrumentId), 0) + 1,
  ).fill(-1);
  table.rows.forEach((row, i) => {
    columnOfId[row.instrumentId] = i;
  });
  const magnitude = (x: bigint): bigint => (x < 0n ? -x : x);
  return {
    columnOfId,
    worth: column((row) => row.mark - row.fundingIndex),
    quoteWorth: column((row) => (row.isSpot ? 0n : row.mark - row.fundingIndex)),
    haircutValue: column((row) => (row.isSpot ? row.mark - row.chargeImLong : 0n)),
    chargeMmLong: column((row) => row.chargeMmLong),
    chargeMmShort: column((row) => row.chargeMmShort),
    deltas: UNDERLYINGS.map((_, u) => column((row) => (row.underlying === u ? row.delta : 0n))),
    addOnUnits: UNDERLYINGS.map((_, u) => Number(addOnUnitMicros(table, u))),
    largest: column((row) =>
      [
        row.mark,
        row.fundingIndex,
        row.chargeMmLong,
        row.chargeMmShort,
        row.chargeImLong,
        row.delta,
        ...row.losses,
      ].reduce((sum, x) => sum + magnitude(x), 0n),
    ),
    losses,
    scenarios,
  };
}

export class AccountScreen {
  readonly #shape: StateShape;
  readonly #width: number;
  readonly #rowOfAccount = new Map<number, number>();
  #accountOfRow = new Int32Array(16);
  #cashStar = new Float64Array(16);
  #positionCount = new Uint8Array(16);
  /** [row][position] */
  #sizes: Float64Array;
  #instruments: Int32Array;

  constructor(shape: StateShape) {
    this.#shape = shape;
    this.#width = shape.derivativeSlots + SPOT_SLOTS;
    this.#sizes = new Float64Array(16 * this.#width);
    this.#instruments = new Int32Array(16 * this.#width);
  }

  get accountCount(): number {
    return this.#rowOfAccount.size;
  }

  /** Takes over what an account holds now. */
  set(accountIndex: number, account: Account): void {
    const row = this.#rowFor(accountIndex);
    this.#cashStar[row] = Number(account.cashStar);
    let count = 0;
    const put = (instrumentId: number, size: bigint): void => {
      if (size === 0n) return;
      this.#sizes[row * this.#width + count] = Number(size);
      this.#instruments[row * this.#width + count] = instrumentId;
      count++;
    };
    for (const slot of account.slots) put(slot.instrumentId, slot.size);
    account.spot.forEach((lots, i) => {
      put(i + 1, lots);
    });
    this.#positionCount[row] = count;
  }

  /** Accounts the exact check must look at, in increasing order of account index. */
  candidates(table: RiskTable): number[] {
    const columns = columnsOf(table, this.#shape);
    const picked = this.#pick(columns);
    return picked.map((row) => this.#accountOfRow[row]).sort((a, b) => a - b);
  }

  #pick(columns: Columns): number[] {
    const { worth, quoteWorth, haircutValue, chargeMmLong, chargeMmShort, largest, columnOfId } = columns;
    const [firstDelta, secondDelta] = columns.deltas;
    const [firstUnit, secondUnit] = columns.addOnUnits;
    const sizes = this.#sizes;
    const instruments = this.#instruments;
    const width = this.#width;
    const rowCount = this.accountCount;
    const picked: number[] = [];
    // Where the losses of each position of the account start; read once per block of scenarios.
    const lossesAt = new Int32Array(width);
    for (let row = 0; row < rowCount; row++) {
      const first = row * width;
      const count = this.#positionCount[row];
      const cash = this.#cashStar[row];
      let equity = cash;
      let quote = cash;
      let haircutSpot = 0;
      let charges = 0;
      let firstNet = 0;
      let secondNet = 0;
      let magnitudes = cash < 0 ? -cash : cash;
      let isListed = true;
      for (let i = 0; i < count; i++) {
        const id = instruments[first + i];
        const column = id < columnOfId.length ? columnOfId[id] : -1;
        if (column < 0) {
          isListed = false;
          break;
        }
        lossesAt[i] = column * columns.scenarios;
        const size = sizes[first + i];
        equity += size * worth[column];
        quote += size * quoteWorth[column];
        haircutSpot += size * haircutValue[column];
        charges += size > 0 ? size * chargeMmLong[column] : -size * chargeMmShort[column];
        firstNet += size * firstDelta[column];
        secondNet += size * secondDelta[column];
        magnitudes += (size > 0 ? size : -size) * largest[column];
      }
      if (!isListed) {
        picked.push(row);
        continue;
      }
      const allowance = 1 + 10 * magnitudes * ERROR_SHARE;
      const hasQuoteDebt = 10 * quote + 6 * haircutSpot < allowance;
      // The mean of the k worst is at most the worst: for k > 1 this only picks more accounts.
      const worst = worstLoss(columns, lossesAt, sizes, first, count);
      const addOn = sizeAddOn(firstNet, firstUnit) + sizeAddOn(secondNet, secondUnit);
      const isBelow = equity - (0.8 * worst + charges + ADD_ON_MM_SHARE * addOn) < allowance;
      const isEmptyAndHealthy = count === 0 && cash >= 0;
      if ((isBelow || hasQuoteDebt) && !isEmptyAndHealthy) picked.push(row);
    }
    return picked;
  }

  #rowFor(accountIndex: number): number {
    const known = this.#rowOfAccount.get(accountIndex);
    if (known !== undefined) return known;
    const row = this.#rowOfAccount.size;
    if (row === this.#accountOfRow.length) this.#grow();
    invariant(accountIndex > 0, 'account 0 is never used');
    this.#rowOfAccount.set(accountIndex, row);
    this.#accountOfRow[row] = accountIndex;
    return row;
  }

  #grow(): void {
    const longer = <T extends Float64Array | Int32Array | Uint8Array>(old: T): T => {
      const grown = new (old.constructor as new (length: number) => T)(old.length * GROWTH);
      grown.set(old);
      return grown;
    };
    this.#accountOfRow = longer(this.#accountOfRow);
    this.#cashStar = longer(this.#cashStar);
    this.#positionCount = longer(this.#positionCount);
    this.#sizes = longer(this.#sizes);
    this.#instruments = longer(this.#instruments);
  }
}

/** The add-on of `protocol/risk/size-add-on`, in floating point. */
function sizeAddOn(delta: number, unit: number): number {
  const size = delta < 0 ? -delta : delta;
  if (size <= unit) return 0;
  return Math.max(2 * (size - unit), 5 * size - 17 * unit, 10 * size - 117 * unit) / 100;
}

/** max(0, worst scenario loss). Eight running sums at a time stay in registers. */
function worstLoss(
  { losses, scenarios }: Columns,
  lossesAt: Int32Array,
  sizes: Float64Array,
  first: number,
  count: number,
): number {
  let worst = 0;
  for (let block = 0; block < scenarios; block += SCENARIO_BLOCK) {
    let l0 = 0;
    let l1 = 0;
    let l2 = 0;
    let l3 = 0;
    let l4 = 0;
    let l5 = 0;
    let l6 = 0;
    let l7 = 0;
    for (let i = 0; i < count; i++) {
      const size = sizes[first + i];
      const at = lossesAt[i] + block;
      l0 += size * losses[at];
      l1 += size * losses[at + 1];
      l2 += size * losses[at + 2];
      l3 += size * losses[at + 3];
      l4 += size * losses[at + 4];
      l5 += size * losses[at + 5];
      l6 += size * losses[at + 6];
      l7 += size * losses[at + 7];
    }
    const a = Math.max(Math.max(l0, l1), Math.max(l2, l3));
    const b = Math.max(Math.max(l4, l5), Math.max(l6, l7));
    worst = Math.max(worst, Math.max(a, b));
  }
  return worst;
}
