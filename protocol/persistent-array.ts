/**
 * A sparse array whose versions are values: `set` shares all but one path with the old version, so
 * keeping a snapshot costs a reference and discarding a batch costs nothing.
 */
const BITS = 5;
const WIDTH = 1 << BITS;
const LEVELS = 5; // 2^25 places: more than an account index can name

type Node<T> = readonly (Node<T> | T | undefined)[];

const slotAt = (index: number, level: number): number => (index >>> (BITS * level)) & (WIDTH - 1);

function withValue<T>(node: Node<T> | undefined, level: number, index: number, value: T): Node<T> {
  const copy: (Node<T> | T | undefined)[] = node === undefined ? [] : node.slice();
  const slot = slotAt(index, level);
  copy[slot] = level === 0 ? value : withValue(copy[slot] as Node<T> | undefined, level - 1, index, value);
  return copy;
}

export class PersistentArray<T extends object> {
  /** How many places hold a value. */
  readonly count: number;
  readonly #top: Node<T> | undefined;

  private constructor(top: Node<T> | undefined, count: number) {
    this.#top = top;
    this.count = count;
  }

  static empty<T extends object>(): PersistentArray<T> {
    return new PersistentArray<T>(undefined, 0);
  }

  get(index: number): T | undefined {
    let node: Node<T> | T | undefined = this.#top;
    for (let level = LEVELS - 1; level >= 0 && node !== undefined; level--) {
      node = (node as Node<T>)[slotAt(index, level)];
    }
    return node as T | undefined;
  }

  /** @throws RangeError when the index is not an integer from 0 to 2^25 − 1. */
  set(index: number, value: T): PersistentArray<T> {
    if (!Number.isInteger(index) || index < 0 || index >= WIDTH ** LEVELS) {
      throw new RangeError(`index ${index} is not an integer from 0 to 2^${BITS * LEVELS} − 1`);
    }
    const added = this.get(index) === undefined ? 1 : 0;
    return new PersistentArray(withValue(this.#top, LEVELS - 1, index, value), this.count + added);
  }

  /** Places that hold a value, in increasing order. */
  *entries(): Generator<[index: number, value: T]> {
    yield* entriesOf<T>(this.#top, LEVELS - 1, 0);
  }
}

function* entriesOf<T>(node: Node<T> | undefined, level: number, base: number): Generator<[number, T]> {
  if (node === undefined) return;
  for (let slot = 0; slot < node.length; slot++) {
    const child = node[slot];
    if (child === undefined) continue;
    const index = base + slot * WIDTH ** level;
    if (level === 0) yield [index, child as T];
    else yield* entriesOf<T>(child as Node<T>, level - 1, index);
  }
}
