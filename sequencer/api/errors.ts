/**
 * What a client sees of a failure: {code, message, data, hint}, never a stack trace. `data` names the field and holds the
 * numbers: the value given and the limit it broke. What was sent comes back cut short: an answer never grows with a request.
 */
import type { InputError, Rejection } from '#protocol/errors.ts';
import type { Message } from '#protocol/message.ts';
import { type Json, toJson } from './json.ts';

export interface ApiError {
  readonly code: string;
  readonly message: string;
  readonly data: unknown;
  /** What to do about it. */
  readonly hint: string;
}

interface Rule {
  readonly hint: string;
  /** What of the request is at fault; undefined where the code says it of several or of none. */
  readonly field?: string;
  /** 422 unless said: well-formed, understood, not done. */
  readonly status?: number;
}

const FRESH_NONCE = 'choose a fresh nonce from data.firstLiveNonce on, inside the window of the account';
const RETRY = 'nothing was taken; send the same body again later';

const RULES: Readonly<Record<string, Rule>> = {
  'malformed-json': {
    status: 400,
    hint: 'send one JSON value; keys at most once, amounts as decimal strings',
  },
  'invalid-request': {
    status: 400,
    hint: 'send data.expected in data.field; /v1/openapi.json has every form, and unknown fields are refused',
  },
  'wrong-signature': {
    status: 401,
    field: 'signature',
    hint: 'sign for this chain id and contract with the key registered for this account and epoch',
  },
  'unknown-account': {
    status: 404,
    field: 'accountIndex',
    hint: 'register a key and deposit on L1 first',
  },
  'not-found': { status: 404, hint: 'check the path and the identifier' },
  'request-timeout': { status: 408, hint: 'send the whole request within data.limitMs' },
  'body-too-large': {
    status: 413,
    field: 'body',
    hint: 'send at most data.limitBytes; several submissions carry more messages than one',
  },
  'unsupported-media-type': { status: 415, hint: 'send data.expected in the header data.field' },
  'rate-limited': { status: 429, hint: 'wait data.retryAfterMs; cancels have their own budget' },
  'headers-too-large': { status: 431, field: 'headers', hint: 'send at most data.limitBytes of headers' },
  'internal-error': { status: 500, hint: RETRY },
  'engine-busy': { status: 503, hint: RETRY },
  'proof-backlog': {
    status: 503,
    hint: 'cancels and reduce-only orders are still taken; retry when data.unprovedBatches is below data.limit',
  },
  stopping: { status: 503, hint: 'try again when the sequencer runs' },
  'no-round': { hint: 'wait for the first risk round, then send it again' },
  'wrong-epoch': {
    field: 'epoch',
    hint: 'read the account; after a key change or cancel-all every order is signed anew',
  },
  expired: { field: 'expirySec', hint: 'sign again with an expirySec of data.batchTimeSec or later' },
  'nonce-used': { field: 'nonce', hint: FRESH_NONCE },
  'nonce-dead': { field: 'nonce', hint: FRESH_NONCE },
  'floor-out-of-window': { field: 'floorBackWords', hint: 'sign a floorBackWords of at most data.wordsMax' },
  'unknown-instrument': { field: 'instrumentId', hint: 'see /v1/instruments' },
  'instrument-not-listed': { field: 'instrumentId', hint: 'see /v1/instruments' },
  'instrument-expired': { field: 'instrumentId', hint: 'choose one of /v1/instruments that has not expired' },
  'instrument-reduce-only': {
    field: 'isReduceOnly',
    hint: 'only orders that reduce a position are taken here',
  },
  'not-on-tick': { field: 'limitMicrosPerLot', hint: 'sign a multiple of data.tickMicrosPerLot' },
  'order-too-small': {
    field: 'sizeLots',
    hint: 'size × limit must reach data.minMicros, or close a whole position reduce-only',
  },
  'fee-cap-too-low': { field: 'feeCapPpm', hint: 'sign a feeCapPpm of at least the larger fee in data' },
  'insufficient-margin': {
    field: 'sizeLots',
    hint: 'deposit, cancel open orders, or send a smaller or reduce-only order',
  },
  'insufficient-spot': {
    field: 'sizeLots',
    hint: 'sell at most the spot lots held less those in open sells',
  },
  'quote-debt': {
    field: 'amount',
    hint: 'after a withdrawal the quote balance is at least 0: ask for less by what data.quoteBalanceMicros lacks',
  },
  'no-such-token': { field: 'tokenId', hint: '0 is quote, 1 to 3 are spot tokens that the rollup holds' },
  'no-liquidity': {
    field: 'tokenId',
    hint: 'the vault holds none of it now; ask again after a deposit of it',
  },
  'prices-unusable': { field: 'round', hint: 'wait for the next round: this one is too old or a jump' },
  'holding-not-listed': { field: 'round', hint: 'wait for a round that lists what the account holds' },
  'position-cap': { field: 'sizeLots', hint: 'reduce the size; with open orders it may reach data.capLots' },
  'too-many-instruments': {
    field: 'instrumentId',
    hint: 'close or cancel everything in one of the derivatives that the account is in',
  },
  'too-many-open-orders': {
    field: 'messages',
    hint: 'cancel open orders until data.open is below data.limit',
  },
  'too-many-waiting-cancels': {
    field: 'messages',
    hint: 'send a cancel-all, or retry when data.waiting falls; cancels of open orders are always taken',
  },
  'reduce-only-without-position': {
    field: 'isReduceOnly',
    hint: 'the side must be opposite to data.positionLots; otherwise send it without isReduceOnly',
  },
  'contradicting-options': { field: 'options', hint: 'isPostOnly goes with timeInForce gtc alone' },
  'post-only-would-take': { field: 'limitMicrosPerLot', hint: 'stay behind data.bestMicrosPerLot' },
  'fok-not-fillable': { field: 'sizeLots', hint: 'send at most data.takeableLots, or ioc' },
};

const HINT_ELSE = 'the numbers are in data; docs/protocol.md explains the rule';
const SHOWN_MAX = 64;

/** A refusal by a rule of the engine is 422. */
export const httpStatusOf = (code: string): number => RULES[code]?.status ?? 422;

/** What was sent, as short JSON; null where there was nothing. */
export function shown(value: unknown): string | null {
  if (value === undefined) return null;
  return shortened(typeof value === 'string' ? value : (JSON.stringify(value) ?? typeof value));
}

export const shortened = (text: string): string =>
  text.length <= SHOWN_MAX ? text : `${text.slice(0, SHOWN_MAX)}… (${text.length} characters)`;

export function plainError(
  code: string,
  message: string,
  data: Readonly<Record<string, unknown>> = {},
): ApiError {
  const rule = RULES[code];
  const named = rule?.field === undefined ? {} : { field: rule.field };
  return { code, message, data: toJson({ ...named, ...data }), hint: rule?.hint ?? HINT_ELSE };
}

/** @param kind of the message that was refused, if it was one: the rules of margin refuse a size or an amount */
export function apiErrorOf({ code, message, data }: Rejection, kind?: Message['kind']): ApiError {
  const isOfAmount = kind === 'withdraw' && RULES[code]?.field === 'sizeLots';
  return plainError(code, message, isOfAmount ? { field: 'amount', ...data } : data);
}

export const malformed = ({ field, value, remedy }: InputError): ApiError =>
  plainError('malformed-json', `${shortened(field)}: ${shown(value)} is not valid; ${remedy}`, {
    field: shortened(field),
    value: shown(value),
    expected: remedy,
  });

/** A refusal of a whole body of which no message was taken: of the first message, with what became of each. */
export const withResults = (error: ApiError, results: unknown): ApiError => ({
  ...error,
  data: { ...(error.data as Record<string, Json>), results: toJson(results) },
});
