/** Signals as the witness calculator takes them, and how rows become arrays of the main component. */
import { toField } from '#protocol/crypto/field.ts';
import type { CircuitInput, SignalValue } from '../witness-calculator.ts';

/** One row's signals by the name they have in its template. */
export type RowSignals = Readonly<Record<string, SignalValue>>;

export const bit = (flag: boolean): bigint => (flag ? 1n : 0n);

const asField = (value: SignalValue): SignalValue =>
  typeof value === 'bigint' ? toField(value) : value.map(asField);

/** `index` of row kind `account` becomes `accountIndex[row]`. */
export function asColumns(kind: string, rows: readonly RowSignals[]): CircuitInput {
  const columns: Record<string, SignalValue> = {};
  for (const name of Object.keys(rows[0] ?? {})) {
    const signal = `${kind}${name[0].toUpperCase()}${name.slice(1)}`;
    columns[signal] = rows.map((row) => asField(row[name]));
  }
  return columns;
}

export const asSignals = (values: RowSignals): CircuitInput =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [name, asField(value)]));
