/** Real option chains of test/fixtures/market: SOURCE.md there says what they are. */
import { readFileSync } from 'node:fs';
import { UNDERLYINGS } from '#protocol/instrument.ts';
import { DEFAULT_OPTION_PARAMETERS, DEFAULT_UNDERLYING_PARAMETERS } from '#protocol/risk/default-registry.ts';
import { quarterMoveNearest } from '#protocol/risk/linear-price.ts';
import { forwardMoves, underlyingMoves } from '#protocol/risk/option/moves.ts';
import type { OptionRowContext } from '#protocol/risk/rows.ts';
import { blockTerms } from '#protocol/risk/terms.ts';
import { LOT_E8 } from '../option-registry.ts';

export interface Snapshot {
  readonly file: string;
  readonly timeSec: number;
  /** Median over the file, dollars. */
  readonly index: readonly number[];
}
export const SNAPSHOTS: readonly Snapshot[] = [
  { file: '20260118', timeSec: Date.UTC(2026, 0, 18, 15, 27, 35) / 1000, index: [95_026.05, 3_330.74] },
  { file: '20260204', timeSec: Date.UTC(2026, 1, 4, 15, 54, 1) / 1000, index: [74_072.86, 2_148.1] },
  { file: '20260205', timeSec: Date.UTC(2026, 1, 5, 21, 29, 37) / 1000, index: [63_858.34, 1_873.93] },
];

export interface Quote {
  readonly name: string;
  /** Coins. */
  readonly mark: number;
  /** Of a year, a fraction. */
  readonly vol: number;
  readonly delta: number;
  /** Dollars per volatility point of one coin. */
  readonly vega: number;
}
export interface QuotedStrike {
  /** Dollars. */
  readonly strike: number;
  readonly call: Quote;
  readonly put: Quote;
}
export interface QuotedExpiry {
  readonly underlying: number;
  readonly snapshot: Snapshot;
  readonly expirySec: number;
  /** Dollars, from put–call parity of the marks, so that it is of the same instant as they are. */
  readonly forward: number;
  /** Ascending. */
  readonly strikes: readonly QuotedStrike[];
}

const EXPIRY_HOUR = 8;

function expirySecOf(text: string): number {
  const time = Date.parse(`${text.slice(0, -5)} ${text.slice(-5, -2)} 20${text.slice(-2)} UTC`);
  return time / 1000 + EXPIRY_HOUR * 3600;
}

const ascending = (a: number, b: number): number => a - b;

/** The middle one, or the lower of the two. */
const medianDown = (values: readonly number[]): number =>
  [...values].sort(ascending)[(values.length - 1) >> 1];

/** Every expiry of a snapshot, BTC before ETH, each in order of time. */
export function readChain(snapshot: Snapshot): QuotedExpiry[] {
  const lines = readFileSync(`test/fixtures/market/deribit-options-${snapshot.file}.csv`, 'utf8')
    .trim()
    .split('\n');
  const expiries = new Map<string, Map<number, Partial<Record<'C' | 'P', Quote>>>>();
  for (const line of lines.slice(1)) {
    const [name, ...numbers] = line.split(',');
    const [mark, vol, delta, vega] = numbers.map(Number);
    const [coin, date, strike, type] = name.split('-');
    const strikes = expiries.get(`${coin}-${date}`) ?? new Map();
    expiries.set(`${coin}-${date}`, strikes);
    strikes.set(Number(strike), { ...strikes.get(Number(strike)), [type]: { name, mark, vol, delta, vega } });
  }
  return [...expiries].map(([key, byStrike]) => {
    const [coin, date] = key.split('-');
    const strikes = [...byStrike]
      .sort(([a], [b]) => a - b)
      .map(([strike, { C, P }]) => ({ strike, call: C as Quote, put: P as Quote }));
    // In coin C − P = 1 − K/F.
    const forwards = strikes.map(({ strike, call, put }) => strike / (1 - (call.mark - put.mark)));
    const underlying = UNDERLYINGS.indexOf(coin as 'BTC');
    return { underlying, snapshot, expirySec: expirySecOf(date), forward: medianDown(forwards), strikes };
  });
}

export const lotsPerCoin = (underlying: number): number => 1e8 / Number(LOT_E8[underlying]);
/** Micros per lot of a price in dollars per coin, to nearest. */
export const microsPerLotOf = (dollars: number, underlying: number): bigint =>
  BigInt(Math.round((dollars * 1e6) / lotsPerCoin(underlying)));

/** What the rows of an expiry share, under the default parameters. */
export function contextOf({ underlying, snapshot, expirySec, forward }: QuotedExpiry): OptionRowContext {
  const options = DEFAULT_OPTION_PARAMETERS[underlying];
  const { baseScanRangePpm } = DEFAULT_UNDERLYING_PARAMETERS[underlying];
  const terms = blockTerms(BigInt(expirySec), BigInt(snapshot.timeSec), options);
  const moves = underlyingMoves(quarterMoveNearest(baseScanRangePpm));
  return {
    underlying: {
      indexMicros: BigInt(Math.round(snapshot.index[underlying] * 1e6)),
      scanRangePpm: baseScanRangePpm,
      scanFactorE9: 1_000_000_000n,
      options,
    },
    terms,
    moves,
    forward: forwardMoves(microsPerLotOf(forward, underlying), terms.timeSec, moves.quarterMove),
  };
}

export interface Distribution {
  readonly count: number;
  readonly mean: number;
  /** The value that a hundredth lies above. */
  readonly p99: number;
  readonly max: number;
}

/** Of sizes: signs are dropped. */
export function distributionOf(values: readonly number[]): Distribution {
  const sizes = values.map(Math.abs).sort(ascending);
  const count = sizes.length;
  return {
    count,
    mean: sizes.reduce((sum, size) => sum + size, 0) / count,
    p99: sizes[Math.ceil(0.99 * count) - 1],
    max: sizes[count - 1],
  };
}
