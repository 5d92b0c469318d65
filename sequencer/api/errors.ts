/** What a client sees of a failure: {code, message, data, hint}, the numbers in it, never a stack trace. */
import type { InputError, Rejection } from '#protocol/errors.ts';
import { toJson } from './json.ts';

export interface ApiError {
  readonly code: string;
  readonly message: string;
  readonly data: unknown;
  /** What to do about it. */
  readonly hint: string;
}

const HINTS: Readonly<Record<string, string>> = {
  'malformed-json': 'send one JSON value; keys at most once, amounts as decimal strings',
  'invalid-request': 'compare with /v1/openapi.json; unknown fields are refused',
  'wrong-signature': 'sign for this chain id and contract with the key registered for this account and epoch',
  'unknown-account': 'register a key and deposit on L1 first',
  'wrong-epoch': 'read the account; after a key change or cancel-all every order is signed anew',
  expired: 'sign again with a later expirySec',
  'nonce-used': 'choose a fresh nonce inside the window',
  'floor-out-of-window': 'sign a floorBackWords of at most data.wordsMax',
  'insufficient-margin': 'deposit, cancel open orders, or send a smaller or reduce-only order',
  'insufficient-spot': 'sell at most the spot lots held less those in open sells',
  'position-cap': 'reduce the size',
  'unknown-instrument': 'see /v1/instruments',
  'rate-limited': 'wait data.retryAfterMs; cancels have their own budget',
  'proof-backlog': 'cancels and reduce-only orders are still taken; retry when data.unprovedBatches falls',
  'too-many-waiting-cancels':
    'send a cancel-all, or retry when data.waiting falls; cancels of open orders are always taken',
  'body-too-large': 'send at most 64 KiB',
  'not-found': 'check the path and the identifier',
};

const HTTP_STATUS: Readonly<Record<string, number>> = {
  'malformed-json': 400,
  'invalid-request': 400,
  'wrong-signature': 401,
  'unknown-account': 404,
  'not-found': 404,
  'method-not-allowed': 405,
  'body-too-large': 413,
  'unsupported-media-type': 415,
  'rate-limited': 429,
  'headers-too-large': 431,
  'proof-backlog': 503,
  'engine-busy': 503,
  'internal-error': 500,
  stopping: 503,
};

/** A refusal by a rule of the engine is 422: well-formed, understood, not done. */
export const httpStatusOf = (code: string): number => HTTP_STATUS[code] ?? 422;

export function apiErrorOf(rejection: Rejection): ApiError {
  return {
    code: rejection.code,
    message: rejection.message,
    data: toJson(rejection.data),
    hint: HINTS[rejection.code] ?? 'the numbers are in data; docs/protocol.md explains the rule',
  };
}

export const malformed = (error: InputError): ApiError => ({
  code: 'malformed-json',
  message: error.message,
  data: { field: error.field },
  hint: HINTS['malformed-json'],
});

export const plainError = (code: string, message: string, data: unknown = {}): ApiError => ({
  code,
  message,
  data,
  hint: HINTS[code] ?? 'see /v1/openapi.json',
});
