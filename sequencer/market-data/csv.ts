/** The files of recorded markets: comma separated, one header line, no quoting. */
import { InputError } from '#protocol/errors.ts';

/** Lines by column name. @throws InputError for another header or a line of another length */
export function csvRecords<Column extends string>(
  text: string,
  columns: readonly Column[],
): Record<Column, string>[] {
  const [header, ...lines] = text.trim().split('\n');
  if (header !== columns.join(',')) throw new InputError('header', header, `expected ${columns.join(',')}`);
  return lines.map((line, i) => {
    const cells = line.split(',');
    if (cells.length !== columns.length) {
      throw new InputError(`line ${i + 2}`, line, `expected ${columns.length} columns`);
    }
    return Object.fromEntries(columns.map((column, c) => [column, cells[c]])) as Record<Column, string>;
  });
}

/** A decimal of at most `places` places in units of the last, exactly. @throws InputError for any other text */
export function decimalUnits(field: string, text: string, places: number): bigint {
  const match = /^(\d+)(?:\.(\d+))?$/.exec(text);
  const fraction = match?.[2] ?? '';
  if (match === null || fraction.length > places) {
    throw new InputError(field, text, `expected a decimal with at most ${places} places`);
  }
  return BigInt(match[1] + fraction.padEnd(places, '0'));
}
