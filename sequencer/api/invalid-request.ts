/** What does not fit a schema, in the words of the API: which field, what was given, what was expected. */
import type { z } from 'zod';
import { shortened, shown } from './errors.ts';

export interface InvalidField {
  readonly field: string;
  /** As short JSON; null where the field is missing. */
  readonly value: string | null;
  readonly expected: string;
  /** The bound it passed, where there is one. */
  readonly limit?: string | number;
}

type Issue = z.core.$ZodIssue;

/** The first thing that does not fit; an unknown field is named itself. */
export function invalidField(value: unknown, issue: Issue): InvalidField {
  const path = issue.code === 'unrecognized_keys' ? [...issue.path, issue.keys[0]] : issue.path;
  const limit = limitOf(issue);
  return {
    field: shortened(path.join('.')) || 'body',
    value: shown(valueAt(value, path)),
    expected: expectedOf(issue),
    ...(limit === undefined ? {} : { limit }),
  };
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (inner, key) =>
      typeof inner === 'object' && inner !== null ? (inner as Record<PropertyKey, unknown>)[key] : undefined,
    value,
  );
}

function expectedOf(issue: Issue): string {
  const what = 'origin' in issue && issue.origin === 'array' ? ' entries' : '';
  switch (issue.code) {
    case 'unrecognized_keys':
      return 'expected no field of this name';
    case 'invalid_type':
      return `expected ${issue.expected === 'int' ? 'a whole number' : `a value of type ${issue.expected}`}`;
    case 'invalid_value':
      return `expected one of ${issue.values.join(', ')}`;
    case 'invalid_union':
      return `expected one of ${'options' in issue ? (issue.options as string[]).join(', ') : 'the kinds listed'}`;
    case 'too_small':
      return `expected at least ${issue.minimum}${what}`;
    case 'too_big':
      return issue.origin === 'string'
        ? `expected at most ${issue.maximum} characters`
        : `expected at most ${issue.maximum}${what}`;
    default:
      return issue.message;
  }
}

function limitOf(issue: Issue): string | number | undefined {
  if (issue.code === 'too_small') return Number(issue.minimum);
  if (issue.code === 'too_big') return Number(issue.maximum);
  if (issue.code === 'custom') return issue.params?.limit;
  return undefined;
}
