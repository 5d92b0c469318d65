/** Fields of the API's JSON with the protocol's own types: amounts are canonical decimal strings there. */
import { InputError } from '#protocol/errors.ts';

export type Json = Record<string, unknown>;

/** @throws InputError naming the field */
export function integer(body: Json, field: string): bigint {
  const text = body[field];
  if (typeof text === 'number' && Number.isSafeInteger(text)) return BigInt(text);
  if (typeof text !== 'string' || !/^(0|-?[1-9][0-9]*)$/.test(text)) {
    throw new InputError(field, text, 'expected a decimal integer');
  }
  return BigInt(text);
}

/** @throws InputError naming the field */
export function list(body: Json, field: string): unknown[] {
  const value = body[field];
  if (!Array.isArray(value)) throw new InputError(field, value, 'expected a list');
  return value;
}

/** @throws InputError naming the field */
export function object(body: Json, field: string): Json {
  const value = body[field];
  if (typeof value !== 'object' || value === null) throw new InputError(field, value, 'expected an object');
  return value as Json;
}

/** @throws InputError naming the field */
export function flag(body: Json, field: string): boolean {
  if (typeof body[field] !== 'boolean') throw new InputError(field, body[field], 'expected true or false');
  return body[field];
}

/** One of a few words. @throws InputError naming the field */
export function word<Word extends string>(body: Json, field: string, words: readonly Word[]): Word {
  const found = words.find((known) => known === body[field]);
  if (found === undefined) throw new InputError(field, body[field], `expected one of ${words.join(', ')}`);
  return found;
}

export const integers = (body: Json, field: string): bigint[] =>
  list(body, field).map((_, i) => integer(body[field] as Json, String(i)));
