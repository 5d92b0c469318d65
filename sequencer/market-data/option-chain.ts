/**
 * Option chains as an exchange published them (chains/SOURCE.md): marks in coin and implied volatilities of the
 * options of one coin at one moment.
 */
import { readFileSync } from 'node:fs';
import { InputError } from '#protocol/errors.ts';
import { divideNearest } from '#protocol/units.ts';
import { priceToMicros } from './bars.ts';
import { csvRecords, decimalUnits } from './csv.ts';

const CHAINS_FOLDER = new URL('./chains/', import.meta.url);
const FILES = ['deribit_BTC_20260204T155401Z.csv', 'deribit_BTC_20260205T212937Z.csv'];
const COLUMNS = [
  'snapshot_utc',
  'expiry_utc',
  'strike',
  'option_type',
  'mark_price',
  'mark_iv',
  'forward_price',
] as const;
const COIN_PLACES = 8;
const COIN_E8 = 10n ** BigInt(COIN_PLACES);

export interface ChainStrike {
  readonly strikeMicrosPerCoin: bigint;
  /** Implied volatility of a year; the exchange gives the call and the put of a strike the same. */
  readonly volPpm: bigint;
}

export interface ChainExpiry {
  readonly expirySec: bigint;
  /**
   * From put–call parity of the marks, F = K / (1 − (C − P)), the median over strikes: the exchange's own forward
   * was not struck at the same instant as its marks.
   */
  readonly forwardMicrosPerCoin: bigint;
  /** Ascending. */
  readonly strikes: readonly ChainStrike[];
}

export interface OptionChain {
  readonly timeSec: bigint;
  /** Ascending. */
  readonly expiries: readonly ChainExpiry[];
}

/** '2026-02-06T08:00:00Z' and nothing else. @throws InputError */
export function secondsOf(utc: string): bigint {
  const isTime = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/.test(utc) && !Number.isNaN(Date.parse(utc));
  if (!isTime) throw new InputError('time', utc, 'expected a UTC time to the second');
  return BigInt(Date.parse(utc)) / 1000n;
}

type Line = Record<(typeof COLUMNS)[number], string>;

interface StrikeLines {
  readonly call: Line;
  readonly put: Line;
}

function strikePairs(lines: readonly Line[]): StrikeLines[] {
  const strikes = [...new Set(lines.map(({ strike }) => strike))];
  return strikes.map((strike) => {
    const at = lines.filter((line) => line.strike === strike);
    const call = at.find(({ option_type }) => option_type === 'call');
    const put = at.find(({ option_type }) => option_type === 'put');
    if (at.length !== 2 || call === undefined || put === undefined) {
      throw new InputError('strike', strike, 'expected one call and one put of every strike');
    }
    if (call.mark_iv !== put.mark_iv) {
      throw new InputError('mark_iv', put.mark_iv, `the call of ${strike} has ${call.mark_iv}`);
    }
    return { call, put };
  });
}

function parityForward({ call, put }: StrikeLines): bigint {
  const [callE8, putE8] = [call, put].map(({ mark_price }) =>
    decimalUnits('mark_price', mark_price, COIN_PLACES),
  );
  const differenceE8 = callE8 - putE8;
  if (differenceE8 >= COIN_E8) {
    throw new InputError('mark_price', call.mark_price, 'a call is worth less than its coin');
  }
  return divideNearest(priceToMicros(call.strike) * COIN_E8, COIN_E8 - differenceE8);
}

function expiryOf(expiryUtc: string, lines: readonly Line[]): ChainExpiry {
  const pairs = strikePairs(lines);
  const forwards = pairs.map(parityForward).sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  const strikes = pairs.map(({ call }): ChainStrike => {
    // mark_iv is a fraction: 1.4812 is 148.12 %.
    const volPpm = priceToMicros(call.mark_iv);
    if (volPpm === 0n) throw new InputError('mark_iv', call.mark_iv, 'expected more than 0');
    return { strikeMicrosPerCoin: priceToMicros(call.strike), volPpm };
  });
  return {
    expirySec: secondsOf(expiryUtc),
    forwardMicrosPerCoin: forwards[forwards.length >> 1],
    strikes: strikes.sort((a, b) => (a.strikeMicrosPerCoin < b.strikeMicrosPerCoin ? -1 : 1)),
  };
}

/** @throws InputError when the text is not the chain of one moment with both options of every strike */
export function parseChain(text: string): OptionChain {
  const lines = csvRecords(text, COLUMNS);
  const moments = [...new Set(lines.map(({ snapshot_utc }) => snapshot_utc))];
  if (moments.length !== 1) throw new InputError('snapshot_utc', moments.join(' '), 'expected one moment');
  const expiries = [...new Set(lines.map(({ expiry_utc }) => expiry_utc))].sort();
  return {
    timeSec: secondsOf(moments[0]),
    expiries: expiries.map((expiry) =>
      expiryOf(
        expiry,
        lines.filter(({ expiry_utc }) => expiry_utc === expiry),
      ),
    ),
  };
}

/** The recorded chains in order of time. */
export const readChains = (): OptionChain[] =>
  FILES.map((file) => parseChain(readFileSync(new URL(file, CHAINS_FOLDER), 'utf8')));
