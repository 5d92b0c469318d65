/**
 * Nonces of one account. A nonce is `32·word + bit`; every signed order names how many words before its
 * own may stay alive (`floorBackWords`), and once it takes effect everything older is dead for good.
 *
 * A client that puts each round of quotes into a fresh word with floor 0 never sends a cancel: the first
 * fill of the new round kills all earlier rounds, and with them their partly filled records.
 */
import { InputError } from '#protocol/errors.ts';
import { NONCE_BITS, NONCES_PER_WORD } from '#protocol/limits.ts';

const WORD = BigInt(NONCES_PER_WORD);

export class NonceManager {
  #next: bigint;
  readonly #floorBackWords: number;

  /**
   * @param first lowest nonce never signed so far, in this epoch. Persist `next` with the key: a nonce
   *   that was signed and forgotten may still be executed, and a second order under it would be refused.
   * @param floorBackWords words before an order's own that stay alive, below the shape's nonceWords
   * @param nonceWords of the state shape
   */
  constructor(first: bigint, floorBackWords: number, nonceWords: number) {
    if (!Number.isInteger(floorBackWords) || floorBackWords < 0 || floorBackWords >= nonceWords) {
      throw new InputError('floorBackWords', floorBackWords, `expected 0 to ${nonceWords - 1}`);
    }
    if (first < 0n || first >= 1n << BigInt(NONCE_BITS)) {
      throw new InputError('first', first, `expected 0 to 2^${NONCE_BITS} − 1`);
    }
    this.#next = first;
    this.#floorBackWords = floorBackWords;
  }

  /** The nonce `take` gives next. */
  get next(): bigint {
    return this.#next;
  }

  /** A nonce never given before. @throws InputError when all 2^40 are used: register a new key. */
  take(): { readonly nonce: bigint; readonly floorBackWords: number } {
    if (this.#next >= 1n << BigInt(NONCE_BITS)) {
      throw new InputError('nonce', this.#next, 'all nonces of this epoch are used; register a new key');
    }
    const nonce = this.#next;
    this.#next += 1n;
    // Word 0 has no word before it; the floor is a promise about words that exist.
    const words = nonce / WORD;
    return {
      nonce,
      floorBackWords: words < BigInt(this.#floorBackWords) ? Number(words) : this.#floorBackWords,
    };
  }

  /** Skips to the start of a word that has not been used at all. */
  startWord(): void {
    this.#next = ((this.#next + WORD - 1n) / WORD) * WORD;
  }

  /** A new epoch (key change, cancel-all) frees all nonces. */
  startEpoch(): void {
    this.#next = 0n;
  }
}
