/** What lists of positions are worth, component by component, and the weights that tie them to instruments. */
import type { Account } from '#protocol/account.ts';
import type { PendingDeposits } from '#protocol/batch/batch.ts';
import type { ListValues } from '#protocol/batch/commitment.ts';
import { FIELD_MODULUS } from '#protocol/crypto/field.ts';
import type { RiskTable } from '#protocol/instrument.ts';
import { type Holding, holdingsOf, netDeltasOf } from '#protocol/risk/margin.ts';

/** One list: the positions of an account before or after the batch, pending lots of a liquidated one that count included. */
export interface PositionList {
  readonly account: Account;
  readonly counted: PendingDeposits | undefined;
}

const total = (holdings: readonly Holding[], worth: (holding: Holding) => bigint): bigint =>
  holdings.reduce((sum, holding) => sum + worth(holding), 0n);

const magnitude = (size: bigint): bigint => (size < 0n ? -size : size);

export function valuesOf({ account, counted }: PositionList, table: RiskTable): ListValues {
  const holdings = holdingsOf(account, table, counted);
  const spot = holdings.filter(({ row }) => row.isSpot);
  return {
    mark: total(holdings, ({ row, size }) => size * row.mark),
    funding: total(holdings, ({ row, size }) => size * row.fundingIndex),
    spotMark: total(spot, ({ row, size }) => size * row.mark),
    spotHaircut: total(spot, ({ row, size }) => size * (row.mark - row.chargeImLong)),
    chargeIm: total(
      holdings,
      ({ row, size }) => magnitude(size) * (size < 0n ? row.chargeImShort : row.chargeImLong),
    ),
    chargeMm: total(
      holdings,
      ({ row, size }) => magnitude(size) * (size < 0n ? row.chargeMmShort : row.chargeMmLong),
    ),
    band: total(holdings, ({ row, size }) => magnitude(size) * row.band),
    penalty: total(holdings, ({ row, size }) => magnitude(size) * row.penalty),
    deltas: netDeltasOf(holdings),
  };
}

export interface Weights {
  readonly longWeight: bigint;
  readonly shortWeight: bigint;
}

/** Σ over lists of δ^(i + 1) · lots in one instrument, long and short apart; mod p. */
export function weightsOf(
  lists: readonly PositionList[],
  table: RiskTable,
  instrumentId: number,
  delta: bigint,
): Weights {
  let [longWeight, shortWeight, power] = [0n, 0n, 1n];
  for (const { account, counted } of lists) {
    power = (power * delta) % FIELD_MODULUS;
    for (const { row, size } of holdingsOf(account, table, counted)) {
      if (row.instrumentId !== instrumentId) continue;
      if (size > 0n) longWeight = (longWeight + power * size) % FIELD_MODULUS;
      else shortWeight = (shortWeight - power * size) % FIELD_MODULUS;
    }
  }
  return { longWeight, shortWeight };
}
