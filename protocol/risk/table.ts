/** Encoding and hash of a round's risk table: docs/protocol.md §4. The risk circuit proves its values. */
import { toField } from '../crypto/field.ts';
import { poseidonChain } from '../crypto/poseidon.ts';
import { invariant } from '../errors.ts';
import type { RiskRow, RiskTable } from '../instrument.ts';
import { INSTRUMENT_ID_BITS, type StateShape } from '../limits.ts';
import { pack } from '../pack.ts';

export const META_LAYOUT = [
  { name: 'instrumentId', bits: INSTRUMENT_ID_BITS },
  { name: 'underlying', bits: 8 },
  { name: 'isSpot', bits: 1 },
  { name: 'isReduceOnly', bits: 1 },
] as const;

/** Values before the losses in a row's encoding. */
export const ROW_FIXED_VALUES = 14;

const bit = (flag: boolean): bigint => (flag ? 1n : 0n);

/** Signed values of a row in the order in which they are hashed; length 14 + scenarios. */
export function rowValues(row: RiskRow, shape: StateShape): bigint[] {
  invariant(row.losses.length === shape.scenarios, 'a risk row has one loss per scenario');
  const meta = pack(META_LAYOUT, {
    instrumentId: BigInt(row.instrumentId),
    underlying: BigInt(row.underlying),
    isSpot: bit(row.isSpot),
    isReduceOnly: bit(row.isReduceOnly),
  });
  return [
    meta,
    row.mark,
    row.fundingIndex,
    row.delta,
    row.chargeImLong,
    row.chargeImShort,
    row.chargeMmLong,
    row.chargeMmShort,
    row.band,
    row.penalty,
    row.openInterestCap,
    row.positionCap,
    row.expirySec,
    0n,
    ...row.losses,
  ];
}

export const rowHash = (row: RiskRow, shape: StateShape): bigint =>
  poseidonChain(rowValues(row, shape).map(toField));

/** Hashes of all market slots, 0 where nothing is listed. */
export function rowHashes(table: RiskTable, shape: StateShape): bigint[] {
  const hashes = Array<bigint>(shape.marketSlots).fill(0n);
  for (const row of table.rows) {
    invariant(row.marketSlot < shape.marketSlots && hashes[row.marketSlot] === 0n, 'one row per market slot');
    hashes[row.marketSlot] = rowHash(row, shape);
  }
  return hashes;
}

export const tableHash = (table: RiskTable, shape: StateShape): bigint =>
  poseidonChain(rowHashes(table, shape));

/** The row of an instrument, or undefined if it is not listed in this round. */
export const rowOf = (table: RiskTable, instrumentId: number): RiskRow | undefined =>
  table.rows.find((row) => row.instrumentId === instrumentId);
