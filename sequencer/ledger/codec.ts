/**
 * Values in the log and in stored batches: JSON in which a bigint is `{"$n":"123"}`. Keys keep the order
 * in which the writer put them, so equal programs write equal bytes and a hash over them means something.
 */
import { InputError } from '#protocol/errors.ts';

const BIGINT_KEY = '$n';
const CANONICAL_INTEGER = /^(0|-?[1-9][0-9]*)$/;

export function encode(value: unknown): string {
  return JSON.stringify(value, (_, field) =>
    typeof field === 'bigint' ? { [BIGINT_KEY]: field.toString() } : field,
  );
}

/** The reverse of `encode`. */
export function decode<T>(text: string): T {
  return JSON.parse(text, (_, field) => {
    if (typeof field !== 'object' || field === null || !(BIGINT_KEY in field)) return field;
    const digits = (field as Record<string, unknown>)[BIGINT_KEY];
    if (typeof digits !== 'string' || !CANONICAL_INTEGER.test(digits)) {
      throw new InputError(BIGINT_KEY, digits, 'expected a canonical decimal integer');
    }
    return BigInt(digits);
  }) as T;
}
