/**
 * Live marks on their way to the engine. They only ever refuse more than the round does, so a mark is passed on
 * when it matters: when it has moved, and not more often than the log should grow.
 */
import type { Command } from '../commands.ts';

export interface LiveMark {
  readonly instrumentId: number;
  readonly markMicrosPerLot: bigint;
}

export interface LiveFeedOptions {
  /** A move smaller than this is kept back. */
  readonly movePpmMin: bigint;
  readonly periodMsMin: number;
}

export const DEFAULT_LIVE_FEED: LiveFeedOptions = { movePpmMin: 500n, periodMsMin: 1_000 };

const PPM = 1_000_000n;

export class LiveFeed {
  readonly #options: LiveFeedOptions;
  readonly #send: (command: Extract<Command, { kind: 'feed' }>) => Promise<unknown>;
  readonly #sent = new Map<number, bigint>();
  #sentAtMs = Number.NEGATIVE_INFINITY;

  constructor(
    send: (command: Extract<Command, { kind: 'feed' }>) => Promise<unknown>,
    options: LiveFeedOptions = DEFAULT_LIVE_FEED,
  ) {
    this.#send = send;
    this.#options = options;
  }

  /** Takes what a source says now; resolves when the engine has it, or at once when there is nothing to say. */
  async observe(marks: readonly LiveMark[], nowMs: number): Promise<void> {
    if (nowMs - this.#sentAtMs < this.#options.periodMsMin) return;
    const moved = marks.filter((mark) => mark.markMicrosPerLot > 0n && this.#hasMoved(mark));
    if (moved.length === 0) return;
    this.#sentAtMs = nowMs;
    for (const { instrumentId, markMicrosPerLot } of moved) this.#sent.set(instrumentId, markMicrosPerLot);
    await this.#send({ kind: 'feed', marks: moved });
  }

  /** A new round starts from its own marks: what was said before is forgotten by the engine too. */
  onRound(): void {
    this.#sent.clear();
    this.#sentAtMs = Number.NEGATIVE_INFINITY;
  }

  #hasMoved({ instrumentId, markMicrosPerLot }: LiveMark): boolean {
    const last = this.#sent.get(instrumentId);
    if (last === undefined) return true;
    const move = markMicrosPerLot > last ? markMicrosPerLot - last : last - markMicrosPerLot;
    return move * PPM >= last * this.#options.movePpmMin;
  }
}
