/**
 * Kills a sequencer over and over on one ledger and one chain, compares every life with the one before, and tells at
 * the end what was in flight at each kill.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import type { Result } from '#protocol/errors.ts';
import type { SubmissionResult } from '#sequencer/engine.ts';
import { decode, encode } from '#sequencer/ledger/codec.ts';
import { isRunning } from '#test/support/processes.ts';
import { domainOf } from '../settlement.ts';
import { takenText } from './ledger-watch.ts';
import { Life } from './life.ts';
import {
  type Fingerprint,
  generator,
  KILL_STATES,
  type KillPlan,
  type KillRecord,
  type KillState,
  type LifeReport,
  type News,
  planFor,
  type ToldTrade,
} from './plan.ts';
import { type Submission, Traffic } from './traffic.ts';
import { Workload } from './workload.ts';
import type { CrashWorld } from './world.ts';

const COMMANDS_PER_SEC = 75;
/** More than this unanswered would measure the queue, not the engine. */
const UNANSWERED_MAX = 150;
const AHEAD_MAX = 250;
const MINE_MS_MIN = 150;
const MINE_MS_RANGE = 450;
/** A transaction that is to be found unmined waits so long for its block, if need be. */
const HOLD_MS = 20_000;
const ORPHAN_LIMIT_MS = 10_000;
const SETTLE_LIMIT_MS = 600_000;

/** How a command that was acknowledged too early shows itself. */
export const LOST = 'acknowledged commands lost or changed';

export interface Kill {
  readonly life: number;
  readonly plan: KillPlan;
  readonly states: readonly KillState[];
  readonly record: Omit<KillRecord, 'digest' | 'durable' | 'inMemory'> | undefined;
  /** Length of the log that was durable for certain, and with the write in hand: the next life finds one of them. */
  readonly logAtLeast: number;
  readonly logAtMost: number;
  readonly acknowledged: number;
  readonly startMs: number | undefined;
  readonly workMs: number;
  /** Until its orphaned proof workers had ended. */
  readonly orphansMs: number | undefined;
}

export interface CampaignSummary {
  readonly seed: number;
  readonly kills: number;
  readonly killsByState: Readonly<Record<string, number>>;
  readonly killsByMoment: Readonly<Record<string, number>>;
  readonly orphanedProvers: number;
  /** Commands sent, those answered before the kill, and those acknowledged as taken; the rest were refused. */
  readonly commandsSent: number;
  readonly commandsAnswered: number;
  readonly commandsAcknowledged: number;
  /** Answered, while a life took commands. */
  readonly commandsPerSecond: number;
  readonly logRecords: number;
  readonly batchesOnL1: number;
  /** Of them: executed again because they had missed their window. */
  readonly batchesResealed: number;
  readonly trades: number;
  readonly secondsPerKill: number;
  readonly meanStartMs: number;
  readonly totalSec: number;
}

export class Campaign {
  readonly #world: CrashWorld;
  readonly #seed: number;
  readonly #random: (below: number) => number;
  readonly #traffic: Traffic;
  readonly #log: (line: string) => void;
  readonly #kills: Kill[] = [];
  /** Body → hashes of the messages that were acknowledged. */
  readonly #acknowledged = new Map<string, string>();
  readonly #trades = new Map<number, ToldTrade>();
  readonly #rootOfBatch = new Map<string, bigint>();
  readonly #startMs: number[] = [];
  #last: { record: KillRecord | undefined; allowed: readonly Fingerprint[] } | undefined;
  #sent = 0;
  #answered = 0;
  #workMs = 0;

  constructor(world: CrashWorld, seed: number, log: (line: string) => void) {
    this.#world = world;
    this.#seed = seed;
    this.#log = log;
    this.#random = generator(seed);
    const { place, circuitHash } = world.settings;
    const { domain } = domainOf(31337n, place.rollup, circuitHash);
    this.#traffic = new Traffic(domain, generator(seed + 1));
  }

  /** One kill for each target, whose plan is drawn by lot, or as a plan says. */
  async run(kills: readonly (KillPlan['target'] | KillPlan)[]): Promise<CampaignSummary> {
    const beganMs = performance.now();
    // A life to begin with, so that the first kill finds accounts with money.
    await this.#kill(WARM_UP);
    for (const [i, kill] of kills.entries()) {
      await this.#kill(typeof kill === 'string' ? planFor(kill, i, this.#random) : kill);
    }
    const last = await this.#inLife(undefined, (life) => this.#settle(life));
    await this.#requireOneLineage(last);
    const totalSec = (performance.now() - beganMs) / 1000;
    const summary = this.#summary(last, totalSec);
    const report = join(this.#world.workFolder, `report-${this.#seed}.json`);
    writeFileSync(report, `${JSON.stringify({ summary, kills: this.#kills }, null, 2)}\n`);
    return summary;
  }

  /** A life that nothing has killed when the test fails would keep its process from ending. */
  async #inLife<T>(plan: KillPlan | undefined, task: (life: Life) => Promise<T>): Promise<T> {
    const life = new Life({ ...this.#world.settings, plan }, join(this.#world.workFolder, 'compiled'));
    try {
      return await task(life);
    } finally {
      if (!life.isEnded) life.process.kill('SIGKILL');
    }
  }

  #kill(plan: KillPlan): Promise<void> {
    return this.#inLife(plan, (life) => this.#liveAndDie(life, plan));
  }

  async #liveAndDie(life: Life, plan: KillPlan): Promise<void> {
    const spawnedMs = performance.now();
    const isStarting = plan.target === 'starting';
    if (isStarting) {
      const usualMs = this.#startMs.at(-1) ?? 1_000;
      void Promise.race([sleep((usualMs * (10 + this.#random(90))) / 100), life.ready]).then(() =>
        life.process.kill('SIGKILL'),
      );
    }
    const report = await this.#awaitReady(life);
    const startMs = report === undefined ? undefined : performance.now() - spawnedMs;
    if (startMs !== undefined) this.#startMs.push(startMs);
    if (report !== undefined) this.#compare(report);
    const beganMs = performance.now();
    if (report !== undefined && !isStarting) await this.#work(life, plan, report);
    await life.ended;
    const workMs = performance.now() - beganMs;
    await this.#world.pauseMining();
    const record = life.lastWords();
    const states = report === undefined ? (['starting'] as const) : await this.#statesOf(record);
    if (record !== undefined) this.#last = { record, allowed: [record.durable, record.inMemory] };
    else if (report !== undefined) this.#last = { record: undefined, allowed: [report.fingerprint] };
    const orphansMs = record === undefined ? undefined : await this.#awaitOrphans(record.workers);
    this.#note({ plan, record, states, startMs, workMs, orphansMs });
  }

  /** Signs while the other process replays. */
  async #awaitReady(life: Life): Promise<LifeReport | undefined> {
    let isOver = false;
    const ready = life.ready
      .catch(() => undefined)
      .finally(() => {
        isOver = true;
      });
    const nowSec = await this.#world.chain.nowSec();
    while (!isOver && this.#traffic.ahead < AHEAD_MAX) {
      this.#traffic.signAhead(nowSec);
      await sleep(0);
    }
    return ready;
  }

  /** Sends at a steady rate until the life ends; what is acknowledged is written down. */
  async #work(life: Life, plan: KillPlan, report: LifeReport): Promise<void> {
    const { target } = plan;
    this.#world.mineEvery(MINE_MS_MIN + this.#random(MINE_MS_RANGE), target === 'unmined' ? HOLD_MS : 0);
    life.tell({ kind: 'go' });
    const beganMs = performance.now();
    const unfinished = report.batches.filter(({ status }) => status !== 'final').length;
    const workload = await Workload.begin(this.#world, this.#traffic, target, this.#random, unfinished);
    const answers: Promise<void>[] = [];
    const send = (submission: Submission): void => {
      answers.push(
        this.#submit(life, submission).then((news) => {
          if (news !== undefined) workload.hear(news);
        }),
      );
    };
    for (let i = 0; !life.isEnded; i++) {
      for (const submission of workload.next(life.unanswered < UNANSWERED_MAX)) send(submission);
      const dueMs = beganMs + ((i + 1) * 1000) / COMMANDS_PER_SEC;
      await sleep(Math.max(0, dueMs - performance.now()));
    }
    await Promise.all(answers);
    this.#workMs += performance.now() - beganMs;
  }

  /** @returns what the life told with its answer, if it lived to give one */
  async #submit(life: Life, submission: Submission): Promise<News | undefined> {
    this.#sent++;
    const answer = await life.ask({ kind: 'submit', text: encode(submission) });
    if (answer !== undefined) this.#acknowledge(answer.text, answer.news);
    return answer?.news;
  }

  #acknowledge(text: string, news: News): void {
    for (const trade of news.trades) this.#trades.set(trade.tradeId, trade);
    for (const tradeId of news.voided) this.#trades.delete(tradeId);
    this.#answered++;
    const done = decode<Result<SubmissionResult>>(text);
    if (!done.ok) return;
    const taken = takenText(done.value.results);
    if (taken !== '') this.#acknowledged.set(done.value.bodyHash, taken);
  }

  /** What was acknowledged is there with the same effect, and the same log gives the same state. */
  #compare(report: LifeReport): void {
    const { fingerprint, digest } = report;
    const bodies = new Map(report.bodies);
    const lost = [...this.#acknowledged].filter(([body, taken]) => bodies.get(body) !== taken);
    expect(lost, `${lost.length} of ${this.#acknowledged.size} ${LOST}`).to.deep.equal([]);
    if (this.#last !== undefined) {
      const { record, allowed } = this.#last;
      const same = allowed.find(({ logSequence }) => logSequence === fingerprint.logSequence);
      expect(same, `a log of ${fingerprint.logSequence} after ${encode(record)}`).to.not.equal(undefined);
      expect(fingerprint).to.deep.equal(same);
      const isWithWrite = record !== undefined && same?.logSequence === record.inMemory.logSequence;
      if (isWithWrite) expect(digest, 'every order, batch and book').to.equal(record.digest);
    }
    this.#compareTrades(report);
    for (const { number, attempt, root } of report.batches) {
      const name = `${number}/${attempt}`;
      expect(this.#rootOfBatch.get(name) ?? root, `root of batch ${name}`).to.equal(root);
      this.#rootOfBatch.set(name, root);
    }
  }

  /** A reseal may have taken a trade back when nobody was there to hear of it; its order says so. */
  #compareTrades({ trades, voidedOrders }: LifeReport): void {
    const found = new Map(trades.map((trade) => [trade.tradeId, trade]));
    const voided = new Set(voidedOrders);
    for (const [tradeId, told] of this.#trades) {
      const isVoided = voided.has(told.makerHash) || voided.has(told.takerHash);
      if (isVoided && !found.has(tradeId)) this.#trades.delete(tradeId);
      else expect(found.get(tradeId), `trade ${tradeId}`).to.deep.equal(told);
    }
  }

  /** What the life saw, and what L1 knows of its transactions. Blocks stand still meanwhile. */
  async #statesOf(record: KillRecord | undefined): Promise<readonly KillState[]> {
    if (record === undefined) return ['starting'];
    const accepted = Number(await this.#world.l1.rollup.batchNumber());
    const states = [...record.states];
    if (record.sent.some((number) => number > accepted)) states.push('unmined');
    if (record.sent.some((number) => number <= accepted)) states.push('unseen');
    return states;
  }

  /** A killed sequencer leaves no process behind. @returns milliseconds until all had ended */
  async #awaitOrphans(processIds: readonly number[]): Promise<number | undefined> {
    if (processIds.length === 0) return undefined;
    const beganMs = performance.now();
    while (processIds.some(isRunning)) {
      expect(performance.now() - beganMs, 'orphaned proof workers live on').to.be.below(ORPHAN_LIMIT_MS);
      await sleep(20);
    }
    return performance.now() - beganMs;
  }

  #note(
    kill: Pick<Kill, 'plan' | 'states' | 'startMs' | 'workMs' | 'orphansMs'> & {
      record: KillRecord | undefined;
    },
  ): void {
    const { record, ...rest } = kill;
    const allowed = this.#last?.allowed ?? [];
    const { digest: _, durable: __, inMemory: ___, ...told } = record ?? ({} as KillRecord);
    this.#kills.push({
      ...rest,
      life: this.#kills.length,
      record: record === undefined ? undefined : told,
      logAtLeast: allowed[0]?.logSequence ?? 0,
      logAtMost: allowed.at(-1)?.logSequence ?? 0,
      acknowledged: this.#acknowledged.size,
    });
    const { plan, states, startMs, workMs } = kill;
    const where =
      record === undefined ? 'while starting' : `${record.moment} ${record.write} ${record.writeNumber}`;
    this.#log(
      `kill ${this.#kills.length - 1} (${plan.target}): ${where}; ${states.join(', ') || 'a batch open'}; ` +
        `start ${Math.round(startMs ?? 0)} ms, work ${Math.round(workMs)} ms, log ${allowed[0]?.logSequence ?? 0}`,
    );
  }

  /** A last life that is not killed: everything reaches L1. */
  async #settle(life: Life): Promise<LifeReport> {
    this.#compare(await life.ready);
    this.#world.mineEvery(MINE_MS_MIN);
    life.tell({ kind: 'go' });
    const beganMs = performance.now();
    for (;;) {
      const answer = await life.ask({ kind: 'report' });
      if (answer === undefined) life.lastWords();
      const report = decode<LifeReport>(answer?.text ?? '');
      const isSettled =
        report.fingerprint.openActions === 0 && report.batches.every(({ status }) => status === 'final');
      if (isSettled && report.fingerprint.trades === 0) {
        // On a slow machine the short lives may be over before two orders meet; what survived must still trade.
        await this.#world.news(undefined);
        await Promise.all(this.#traffic.pair().map((submission) => this.#submit(life, submission)));
      } else if (isSettled) {
        await this.#world.pauseMining();
        life.tell({ kind: 'stop' });
        await life.ended;
        expect(life.process.exitCode).to.equal(0);
        return report;
      }
      expect(performance.now() - beganMs, `not on L1: ${life.complaints.at(-1)}`).to.be.below(
        SETTLE_LIMIT_MS,
      );
      await sleep(200);
    }
  }

  /** L1 has every batch once, in order, with the ledger's root; whatever else was sent was refused there. */
  async #requireOneLineage({ batches, fingerprint }: LifeReport): Promise<void> {
    const { rollup } = this.#world.l1;
    const events = await rollup.queryFilter(rollup.filters.BatchAccepted(), 0, 'latest');
    const accepted = events.map((event) => rollup.interface.parseLog(event)!.args);
    expect(accepted.map(({ batchNumber }) => Number(batchNumber))).to.deep.equal(
      accepted.map((_, i) => i + 1),
    );
    const ours = [...batches].sort((a, b) => a.number - b.number).map(({ root }) => root);
    expect(accepted.map(({ newStateRoot }) => newStateRoot)).to.deep.equal(ours);
    expect(await rollup.stateRoot()).to.equal(fingerprint.root);
  }

  #summary(last: LifeReport, totalSec: number): CampaignSummary {
    const kills = this.#kills.slice(1);
    const countOf = (is: (kill: Kill) => boolean): number => kills.filter(is).length;
    return {
      seed: this.#seed,
      kills: kills.length,
      killsByState: Object.fromEntries(
        KILL_STATES.map((state) => [state, countOf(({ states }) => states.includes(state))]),
      ),
      killsByMoment: Object.fromEntries(
        (['before', 'during', 'after'] as const).map((moment) => [
          moment,
          countOf(({ record }) => record?.moment === moment),
        ]),
      ),
      orphanedProvers: countOf(({ record }) => (record?.workers.length ?? 0) > 0),
      commandsSent: this.#sent,
      commandsAnswered: this.#answered,
      commandsAcknowledged: this.#acknowledged.size,
      commandsPerSecond: Math.round((1000 * this.#answered) / this.#workMs),
      logRecords: last.fingerprint.logSequence,
      batchesOnL1: last.batches.length,
      batchesResealed: last.batches.filter(({ attempt }) => attempt > 0).length,
      trades: last.fingerprint.trades,
      secondsPerKill: Math.round((10 * totalSec) / kills.length) / 10,
      meanStartMs: Math.round(this.#startMs.reduce((sum, ms) => sum + ms, 0) / this.#startMs.length),
      totalSec: Math.round(totalSec),
    };
  }
}

/** The first life brings the accounts in. */
const WARM_UP: KillPlan = {
  target: 'any',
  moment: 'after',
  afterMs: 2_500,
  writesLeft: 0,
  duringMicros: 0,
  prover: 'apart',
};
