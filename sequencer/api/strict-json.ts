/**
 * JSON as this API takes it: objects, arrays, strings, booleans, null and canonical integers. Two readers
 * of one text must not disagree about it, so repeated keys, `1e3`, `1.0`, `-0` and leading zeros are refused;
 * amounts of money are strings anyway (`schema.ts`).
 */
import { InputError } from '#protocol/errors.ts';

const DEPTH_MAX = 8;
/** Of a document, keys not counted: the largest that a schema takes has under 400. Checks of more would cost their reader. */
const VALUES_MAX = 1_024;
/** Of a text that is quoted back. */
const QUOTED_MAX = 24;
const WHITESPACE = /[ \t\n\r]*/y;
const NUMBER = /-?[0-9][0-9.eE+-]*/y;
const CANONICAL_INTEGER = /^(0|-?[1-9][0-9]{0,14})$/;
// A string token of RFC 8259 without any control character; JSON.parse then decodes its escapes.
const STRING = /"(?:[^"\\\p{Cc}]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})*"/uy;

class Reader {
  readonly #text: string;
  #at = 0;
  #values = 0;

  constructor(text: string) {
    this.#text = text;
  }

  document(): unknown {
    const value = this.#value(0);
    this.#skip();
    if (this.#at !== this.#text.length) this.#fail('one JSON value and nothing after it');
    return value;
  }

  #value(depth: number): unknown {
    if (depth > DEPTH_MAX) this.#fail(`nesting of at most ${DEPTH_MAX}`);
    this.#values += 1;
    if (this.#values > VALUES_MAX) this.#fail(`at most ${VALUES_MAX} values`);
    this.#skip();
    const next = this.#text[this.#at];
    if (next === '{') return this.#object(depth);
    if (next === '[') return this.#array(depth);
    if (next === '"') return this.#string();
    for (const [word, value] of [
      ['true', true],
      ['false', false],
      ['null', null],
    ] as const) {
      if (this.#text.startsWith(word, this.#at)) {
        this.#at += word.length;
        return value;
      }
    }
    return this.#number();
  }

  #object(depth: number): Record<string, unknown> {
    const result: Record<string, unknown> = {};
    this.#at++;
    if (this.#takes('}')) return result;
    do {
      this.#skip();
      const key = this.#string();
      // Assigning this key would set the prototype; no schema has it.
      if (key === '__proto__') this.#fail('another key than __proto__');
      if (Object.hasOwn(result, key))
        throw new InputError(key, 'repeated', 'expected each key at most once in an object');
      if (!this.#takes(':')) this.#fail('":"');
      result[key] = this.#value(depth + 1);
    } while (this.#takes(','));
    if (!this.#takes('}')) this.#fail('"," or "}"');
    return result;
  }

  #array(depth: number): unknown[] {
    const result: unknown[] = [];
    this.#at++;
    if (this.#takes(']')) return result;
    do result.push(this.#value(depth + 1));
    while (this.#takes(','));
    if (!this.#takes(']')) this.#fail('"," or "]"');
    return result;
  }

  #string(): string {
    const token = this.#match(STRING);
    if (token === undefined) this.#fail('a string');
    return JSON.parse(token as string);
  }

  #number(): number {
    const token = this.#match(NUMBER);
    if (token === undefined) this.#fail('a JSON value');
    if (!CANONICAL_INTEGER.test(token as string)) {
      const place = `body, character ${this.#at - (token as string).length}`;
      throw new InputError(place, token, 'expected a canonical integer; amounts are decimal strings');
    }
    return Number(token);
  }

  #takes(mark: string): boolean {
    this.#skip();
    if (this.#text[this.#at] !== mark) return false;
    this.#at++;
    return true;
  }

  #skip(): void {
    this.#match(WHITESPACE);
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }

  #fail(expected: string): never {
    const next = this.#text.slice(this.#at, this.#at + QUOTED_MAX);
    throw new InputError(
      `body, character ${this.#at}`,
      next === '' ? 'its end' : next,
      `expected ${expected}`,
    );
  }
}

/** @throws InputError naming the place and what was expected. */
export const parseStrictJson = (text: string): unknown => new Reader(text).document();
