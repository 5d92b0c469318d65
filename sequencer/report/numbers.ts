/** Numbers as a picture shows them: dollars in few characters, round ticks. */

const MINUS = '−';

/** Signed bigint micros to dollars, for drawing only. */
export const dollarsOf = (micros: bigint): number => Number(micros) / 1e6;

/** Thousands apart: 63,858. */
export function grouped(value: number, decimals = 0): string {
  const [whole, fraction] = Math.abs(value).toFixed(decimals).split('.');
  const spaced = whole.replace(/\B(?=(\d{3})+$)/g, ',');
  const digits = fraction === undefined ? spaced : `${spaced}.${fraction}`;
  return value < 0 && /[1-9]/.test(digits) ? `${MINUS}${digits}` : digits;
}

/** At most seven characters: −9,999, 12.3k, 1.23M. */
export function shortDollars(value: number): string {
  const size = Math.abs(value);
  for (const [unit, scale] of [
    ['B', 1e9],
    ['M', 1e6],
    ['k', 1e4],
  ] as const) {
    if (size < scale) continue;
    const scaled = value / (unit === 'k' ? 1e3 : scale);
    return `${grouped(scaled, Math.abs(scaled) < 10 ? 2 : 1)}${unit}`;
  }
  return grouped(value, size > 0 && size < 10 ? 2 : 0);
}

export const withSign = (text: string, value: number): string => (value > 0 ? `+${text}` : text);

/** ppm as per cent with the sign: +13.5 %, −66 %, 0 %. */
export function signedPercent(ppm: number): string {
  const percent = ppm / 1e4;
  const text = Math.abs(percent)
    .toFixed(2)
    .replace(/\.?0+$/, '');
  return percent === 0 ? '0 %' : `${percent < 0 ? MINUS : '+'}${text} %`;
}

/** Round numbers (1, 2 or 5 times a power of ten apart) from at or below `least` to at or above `most`. */
export function ticksAround(least: number, most: number, count: number): number[] {
  const span = most > least ? most - least : Math.max(1, Math.abs(most));
  const power = 10 ** Math.floor(Math.log10(span / count));
  const step =
    [1, 2, 5, 10].map((factor) => factor * power).find((size) => span / size <= count) ?? 10 * power;
  const first = Math.floor(least / step);
  const last = Math.max(first + 1, Math.ceil(most / step));
  return Array.from({ length: last - first + 1 }, (_, i) => (first + i) * step);
}
