/**
 * Bars of BTC and ETH as an exchange published them (prices/SOURCE.md). Files are read by whoever needs them: the
 * engine's feed and every oracle signer hold their own copy.
 */
import { readFileSync } from 'node:fs';
import { InputError, invariant } from '#protocol/errors.ts';
import { csvRecords, decimalUnits } from './csv.ts';

const PRICES_FOLDER = new URL('./prices/', import.meta.url);
const MICRO_PLACES = 6;
const CANDLE_COLUMNS = ['open_time_ms', 'open', 'high', 'low', 'close', 'volume'] as const;

/** Stretches of recorded market; one file of candles for each coin. */
const RECORDINGS = {
  /** 2021-05-19, two hours of minutes. */
  'crash-2021': { barSec: 60n, files: '1m_2021-05-19T12_2021-05-19T14.csv' },
  /** 2026-02-05/06, a day of quarter hours; the option chains of chains/ belong to it. */
  'crash-2026': { barSec: 900n, files: '15m_2026-02-05T12_2026-02-06T12.csv' },
} as const satisfies Record<string, { readonly barSec: bigint; readonly files: string }>;

export type RecordingName = keyof typeof RECORDINGS;

export const barSecOf = (recording: RecordingName): bigint => RECORDINGS[recording].barSec;

export const BAR_SEC = barSecOf('crash-2021');

/** One bar of the replayed market: the last trades at its end. */
export interface Bar {
  /** End of the bar, seconds since 1970: nobody knows the close earlier. */
  readonly closeSec: bigint;
  /** Micros of quote per whole coin, in the order of UNDERLYINGS. */
  readonly closeMicros: readonly [btc: bigint, eth: bigint];
}

/** Decimal price to micros, exactly; a price with more than six decimals is refused. */
export const priceToMicros = (text: string): bigint => decimalUnits('price', text, MICRO_PLACES);

export interface Candle {
  readonly openMs: bigint;
  readonly closeMicros: bigint;
}

/** Candles of a file, one every `barSec` without a gap. @throws InputError */
export function parseCandles(text: string, barSec: bigint): Candle[] {
  const candles = csvRecords(text, CANDLE_COLUMNS).map(({ open_time_ms, close }): Candle => {
    if (!/^\d{1,15}$/.test(open_time_ms)) {
      throw new InputError('open_time_ms', open_time_ms, 'expected milliseconds since 1970');
    }
    return { openMs: BigInt(open_time_ms), closeMicros: priceToMicros(close) };
  });
  candles.forEach(({ openMs }, i) => {
    if (i > 0 && openMs - candles[i - 1].openMs !== barSec * 1000n) {
      throw new InputError('open_time_ms', openMs, `expected ${barSec} seconds after the candle before`);
    }
  });
  return candles;
}

function readCandles(coin: 'BTC' | 'ETH', recording: RecordingName): Candle[] {
  const { files, barSec } = RECORDINGS[recording];
  const text = readFileSync(new URL(`binance_spot_${coin}USDT_${files}`, PRICES_FOLDER), 'utf8');
  return parseCandles(text, barSec);
}

/** All bars of a recording, checked to be the same stretch for both coins. */
export function readBars(recording: RecordingName = 'crash-2021'): Bar[] {
  const btc = readCandles('BTC', recording);
  const eth = readCandles('ETH', recording);
  invariant(btc.length === eth.length, 'both files cover the same bars');
  return btc.map((candle, i) => {
    invariant(candle.openMs === eth[i].openMs, 'both files cover the same bars');
    return {
      closeSec: candle.openMs / 1000n + barSecOf(recording),
      closeMicros: [candle.closeMicros, eth[i].closeMicros],
    };
  });
}

/** Bars whose minute begins from `first` to `last`, both like '12:36' (UTC, 2021-05-19). */
export function barsBetween(bars: readonly Bar[], first: string, last: string): Bar[] {
  const secondsOf = (hhmm: string): bigint => BigInt(Date.parse(`2021-05-19T${hhmm}:00Z`)) / 1000n;
  return bars.filter(
    (bar) => bar.closeSec - BAR_SEC >= secondsOf(first) && bar.closeSec - BAR_SEC <= secondsOf(last),
  );
}

/** The last bar that had ended at `timeSec`: what is known of the market then. @throws InputError before the first */
export function lastClosed(bars: readonly Bar[], timeSec: bigint): Bar {
  const bar = bars.findLast(({ closeSec }) => closeSec <= timeSec);
  if (bar === undefined)
    throw new InputError('timeSec', timeSec, 'no bar of the recording had ended by then');
  return bar;
}

/** A price per coin as price of one lot. Exact for this listing; a remainder would be a wrong lot size. */
export function perLot(microsPerCoin: bigint, lotE8: bigint): bigint {
  const scaled = microsPerCoin * lotE8;
  invariant(scaled % 100_000_000n === 0n, 'a lot prices without rounding');
  return scaled / 100_000_000n;
}
