/**
 * A refusal is a value with its numbers: the user's doing. A broken invariant stops the process:
 * ours. Nothing in between.
 */
export interface Rejection {
  readonly ok: false;
  /** Stable, kebab-case, documented in docs/protocol.md; machines read this. */
  readonly code: string;
  /** For people: field, value and remedy. */
  readonly message: string;
  /** The numbers behind it. */
  readonly data: Readonly<Record<string, bigint | number | string | boolean>>;
}

export type Result<T> = { readonly ok: true; readonly value: T } | Rejection;

export const accept = <T>(value: T): { readonly ok: true; readonly value: T } => ({ ok: true, value });

export function reject(code: string, message: string, data: Rejection['data'] = {}): Rejection {
  return { ok: false, code, message, data };
}

/** Malformed input at an edge: which field, which value, what would be right. */
export class InputError extends Error {
  readonly field: string;
  readonly value: unknown;
  readonly remedy: string;
  constructor(field: string, value: unknown, remedy: string) {
    super(`${field}: ${String(value)} is not valid; ${remedy}`);
    this.name = 'InputError';
    this.field = field;
    this.value = value;
    this.remedy = remedy;
  }
}

export class InvariantError extends Error {
  constructor(claim: string) {
    super(`invariant broken: ${claim}`);
    this.name = 'InvariantError';
  }
}

export function invariant(condition: boolean, claim: string): asserts condition {
  if (!condition) throw new InvariantError(claim);
}
