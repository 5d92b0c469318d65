/** Words and numbers for people: one line a minute of the replay, notes under it, tables at the end. */

const MICROS = 1_000_000n;

/** Dollars with cents, rounded towards zero: a display, never an amount. */
export function dollars(micros: bigint): string {
  const sign = micros < 0n ? '−' : '';
  const magnitude = micros < 0n ? -micros : micros;
  const cents = ((magnitude % MICROS) / 10_000n).toString().padStart(2, '0');
  return `${sign}${grouped(magnitude / MICROS)}.${cents}`;
}

export const grouped = (count: bigint | number): string => BigInt(count).toLocaleString('en-US');

/** Lots as coins; `lotE8` is the size of a lot in 1e-8 coin. */
export function coins(lots: bigint, lotE8: bigint): string {
  const units = lots * lotE8;
  const fraction = (units % 100_000_000n).toString().padStart(8, '0').replace(/0+$/, '').padEnd(2, '0');
  return `${grouped(units / 100_000_000n)}.${fraction}`;
}

/** Price of one coin from a price per lot. */
export const pricePerCoin = (microsPerLot: bigint, lotE8: bigint): string =>
  dollars((microsPerLot * 100_000_000n) / lotE8);

/** Minutes and seconds of a duration. */
export function clock(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}

/** Columns padded to their widest cell; the first is left-aligned, the others right-aligned. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const widths = header.map((title, i) =>
    Math.max(title.length, ...rows.map((row) => (row[i] ?? '').length)),
  );
  const line = (cells: readonly string[]): string =>
    `  ${cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join('  ')}`.trimEnd();
  return [line(header), line(widths.map((width) => '─'.repeat(width))), ...rows.map(line)];
}

export interface Terminal {
  /** A heading of a phase. */
  phase(text: string): void;
  /** One line of the replay or of a phase. */
  line(text: string): void;
  /** Something worth a line of its own, indented. */
  note(text: string): void;
  lines(texts: readonly string[]): void;
}

export function terminal(write: (text: string) => void, nowMs: () => number): Terminal {
  const startMs = nowMs();
  const isColor = process.stdout.isTTY && process.env.NO_COLOR === undefined;
  const bold = (text: string): string => (isColor ? `\u001b[1m${text}\u001b[0m` : text);
  const dim = (text: string): string => (isColor ? `\u001b[2m${text}\u001b[0m` : text);
  return {
    phase: (text) => write(`\n${bold(text)} ${dim(clock(nowMs() - startMs))}\n`),
    line: (text) => write(`${text}\n`),
    note: (text) => write(`         ${text}\n`),
    lines: (texts) => write(`${texts.join('\n')}\n`),
  };
}
