/**
 * One-minute bars of BTC and ETH as an exchange published them (prices/SOURCE.md). Files are read by
 * whoever needs them: the engine's feed and every oracle signer hold their own copy.
 */
import { readFileSync } from 'node:fs';
import { InputError, invariant } from '#protocol/errors.ts';

const PRICES_FOLDER = new URL('./prices/', import.meta.url);
const FILE_SUFFIX = 'USDT_1m_2021-05-19T12_2021-05-19T14.csv';
export const BAR_SEC = 60n;

/** One minute of the replayed market: the last trades at its end. */
export interface Bar {
  /** End of the minute, seconds since 1970: nobody knows the close earlier. */
  readonly closeSec: bigint;
  /** Micros of quote per whole coin, in the order of UNDERLYINGS. */
  readonly closeMicros: readonly [btc: bigint, eth: bigint];
}

/** Decimal price to micros, exactly; a price with more than six decimals is refused. */
export function priceToMicros(text: string): bigint {
  const match = /^(\d+)(?:\.(\d{1,6}))?$/.exec(text);
  if (match === null) throw new InputError('price', text, 'expected a decimal with at most six places');
  return BigInt(match[1]) * 1_000_000n + BigInt((match[2] ?? '').padEnd(6, '0'));
}

interface Candle {
  readonly openMs: bigint;
  readonly closeMicros: bigint;
}

function readCandles(coin: 'BTC' | 'ETH'): Candle[] {
  const text = readFileSync(new URL(`binance_spot_${coin}${FILE_SUFFIX}`, PRICES_FOLDER), 'utf8');
  const [header, ...lines] = text.trim().split('\n');
  if (header !== 'open_time_ms,open,high,low,close,volume')
    throw new InputError('header', header, 'see SOURCE.md');
  return lines.map((line) => {
    const columns = line.split(',');
    return { openMs: BigInt(columns[0]), closeMicros: priceToMicros(columns[4]) };
  });
}

/** All bars of the files, checked to be one a minute and the same minutes for both coins. */
export function readBars(): Bar[] {
  const btc = readCandles('BTC');
  const eth = readCandles('ETH');
  invariant(btc.length === eth.length, 'both files cover the same minutes');
  return btc.map((candle, i) => {
    invariant(candle.openMs === eth[i].openMs, 'both files cover the same minutes');
    invariant(i === 0 || candle.openMs - btc[i - 1].openMs === BAR_SEC * 1000n, 'bars have no gap');
    return {
      closeSec: candle.openMs / 1000n + BAR_SEC,
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

/** A price per coin as price of one lot. Exact for this listing; a remainder would be a wrong lot size. */
export function perLot(microsPerCoin: bigint, lotE8: bigint): bigint {
  const scaled = microsPerCoin * lotE8;
  invariant(scaled % 100_000_000n === 0n, 'a lot prices without rounding');
  return scaled / 100_000_000n;
}
