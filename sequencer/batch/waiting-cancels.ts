/**
 * Cancels and cancel-alls that are acknowledged and in no batch yet. Accounts take turns, one message at a time, so that
 * nobody's many cancels keep another's few out.
 */
import { invariant } from '#protocol/errors.ts';

export class WaitingCancels {
  /** account → hashes of its messages, next first; accounts in the order of their turns. */
  readonly #queues = new Map<number, string[]>();
  #count = 0;

  get count(): number {
    return this.#count;
  }

  countOf(accountIndex: number): number {
    return this.#queues.get(accountIndex)?.length ?? 0;
  }

  /** All of them, by turns of their accounts. */
  get hashes(): string[] {
    return [...this.#queues.values()].flat();
  }

  add(accountIndex: number, hash: string): void {
    const queue = this.#queues.get(accountIndex);
    if (queue === undefined) this.#queues.set(accountIndex, [hash]);
    else queue.push(hash);
    this.#count++;
  }

  /**
   * For a cancel-all: it does what the cancels of its account that wait before it would do.
   * @param isAfter of a message of the account that waits: those before the first such one stay before the cancel-all
   */
  addFirst(accountIndex: number, hash: string, isAfter: (other: string) => boolean = () => true): void {
    const queue = this.#queues.get(accountIndex) ?? [];
    const place = queue.findIndex(isAfter);
    queue.splice(place < 0 ? queue.length : place, 0, hash);
    this.#queues.set(accountIndex, queue);
    this.#count++;
  }

  /**
   * The next message of every account in turn. One whose message is taken meanwhile comes up again after the others;
   * one whose message is left keeps its place for the next pass.
   */
  *turns(): IterableIterator<{ readonly accountIndex: number; readonly hash: string }> {
    for (const [accountIndex, [hash]] of this.#queues) yield { accountIndex, hash };
  }

  /** Takes out the next message of an account, which goes behind all others. */
  take(accountIndex: number): void {
    const queue = this.#queues.get(accountIndex);
    invariant(queue !== undefined, 'a message that is taken was waiting');
    queue.shift();
    this.#count--;
    this.#queues.delete(accountIndex);
    if (queue.length > 0) this.#queues.set(accountIndex, queue);
  }
}
