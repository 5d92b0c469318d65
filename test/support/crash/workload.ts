/** What happens to one life while it works: what it is sent, what L1 has for it, and when. */
import type { KillPlan, News } from './plan.ts';
import { ACCOUNTS, type Submission, type Traffic } from './traffic.ts';
import type { CrashWorld } from './world.ts';

const TRADE_EVERY_MS = 900;
const CANCEL_EVERY_MS = 1_700;
/** A proof takes seconds: more batches on their way would only make later kills wait for them. */
const UNFINISHED_MAX = 1;
const ROUND_EVERY_MS = 1_200;
/** From a trade to the leap of L1's clock that makes its batch miss its window: at most so long. */
const LEAP_MS_RANGE = 2_000;
/** A batch that was executed again may reach L1 before the next leap. */
const LEAP_EVERY_MS = 20_000;

export class Workload {
  readonly #world: CrashWorld;
  readonly #traffic: Traffic;
  readonly #target: KillPlan['target'];
  readonly #random: (below: number) => number;
  #unfinished: number;
  #nextTradeMs: number;
  #nextRoundMs: number;
  #nextCancelMs: number;
  #nextLeapMs = Number.POSITIVE_INFINITY;
  #lastLeapMs = Number.NEGATIVE_INFINITY;
  #chainSec = 0n;
  #chainReadMs = 0;

  private constructor(
    world: CrashWorld,
    traffic: Traffic,
    target: KillPlan['target'],
    random: (below: number) => number,
    unfinished: number,
  ) {
    this.#world = world;
    this.#traffic = traffic;
    this.#target = target;
    this.#random = random;
    this.#unfinished = unfinished;
    const nowMs = performance.now();
    const isQuiet = target === 'resting';
    this.#nextTradeMs = isQuiet ? Number.POSITIVE_INFINITY : nowMs;
    this.#nextRoundMs = isQuiet ? Number.POSITIVE_INFINITY : nowMs + random(ROUND_EVERY_MS);
    this.#nextCancelMs = isQuiet ? Number.POSITIVE_INFINITY : nowMs + random(CANCEL_EVERY_MS);
  }

  /** @param unfinished batches that the life found on their way */
  static async begin(
    world: CrashWorld,
    traffic: Traffic,
    target: KillPlan['target'],
    random: (below: number) => number,
    unfinished: number,
  ): Promise<Workload> {
    const workload = new Workload(world, traffic, target, random, unfinished);
    await workload.#readClock();
    return workload;
  }

  /** What an answer told. A life that is to die around a reseal needs a batch with a trade to miss its window. */
  hear(news: News): void {
    this.#unfinished = news.unfinished;
    const needsLeap = this.#target === 'resealing' || this.#target === 'resealed';
    if (!needsLeap || news.trades.length === 0 || this.#nextLeapMs !== Number.POSITIVE_INFINITY) return;
    this.#nextLeapMs = Math.max(
      performance.now() + this.#random(LEAP_MS_RANGE),
      this.#lastLeapMs + LEAP_EVERY_MS,
    );
  }

  /** Does what is due on L1. @returns what is to be sent now; nothing quiet while there is no room for it */
  next(hasRoom: boolean): readonly Submission[] {
    const nowMs = performance.now();
    // A deposit and a trade need a batch.
    const mayBatch = this.#unfinished <= UNFINISHED_MAX;
    if (nowMs >= this.#nextRoundMs) {
      // One round a life, and as many as it takes where the kill waits for one.
      this.#nextRoundMs = this.#target === 'l1-events' ? nowMs + ROUND_EVERY_MS : Number.POSITIVE_INFINITY;
      void this.#world.news(mayBatch ? ACCOUNTS[this.#random(ACCOUNTS.length)] : undefined);
    }
    if (nowMs >= this.#nextLeapMs) {
      this.#nextLeapMs = Number.POSITIVE_INFINITY;
      this.#lastLeapMs = nowMs;
      void this.#world.missWindow().then(() => this.#readClock());
    }
    if (mayBatch && nowMs >= this.#nextTradeMs) {
      this.#nextTradeMs = nowMs + TRADE_EVERY_MS;
      return this.#traffic.pair();
    }
    if (mayBatch && nowMs >= this.#nextCancelMs) {
      this.#nextCancelMs = nowMs + CANCEL_EVERY_MS;
      return [this.#traffic.cancel()];
    }
    return hasRoom ? [this.#traffic.quiet(this.#nowSec())] : [];
  }

  async #readClock(): Promise<void> {
    this.#chainSec = await this.#world.chain.nowSec();
    this.#chainReadMs = performance.now();
  }

  #nowSec(): bigint {
    return this.#chainSec + BigInt(Math.floor((performance.now() - this.#chainReadMs) / 1000));
  }
}
