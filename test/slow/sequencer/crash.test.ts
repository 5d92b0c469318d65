/**
 * THREATS O01, P09: the sequencer is killed at a durable write, over and over, under load and with batches in every
 * state. What was acknowledged is there after the restart, the roots are the same, and L1 has every batch once.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { NonceManager } from 'ethers';
import type { Result } from '#protocol/errors.ts';
import type { Message, SignedMessages } from '#protocol/message.ts';
import { signMessages } from '#protocol/signing.ts';
import type { OrderOptions } from '#sequencer/commands.ts';
import type { SubmissionResult } from '#sequencer/engine.ts';
import { decode, encode } from '#sequencer/ledger/codec.ts';
import { type LocalChain, startLocalChain } from '#sequencer/main-job/chain.ts';
import { orderMessage, secretOf, USD } from '../../support/ledger.ts';
import {
  deployTestRollup,
  domainOf,
  L1World,
  type TestRollup,
  WIDE_BATCH,
} from '../../support/settlement.ts';
import type { ChildSettings, FromChild, LifeReport, ToChild } from './crash-child.ts';

const ROOT = join(import.meta.dirname, '../../..');
const KILLS = 50;
const COMMANDS_PER_SEC = 60;
const ROUND_EVERY_COMMANDS = 150;
const ACCOUNTS = [1, 2, 3, 4, 5, 6];
/** A life works for so long, then makes up to so many more durable writes. */
const WORK_MS_MIN = 1_000;
const WORK_MS_RANGE = 5_000;
const WRITES_LEFT_RANGE = 20;
/** Signing beside the child would take the time it needs. */
const SIGNED_AHEAD = ((WORK_MS_MIN + WORK_MS_RANGE) / 1000) * COMMANDS_PER_SEC;
const WORK_DIRECTORY = join(ROOT, 'build/test-crash');

/** Reproducible: the seed is in the report. */
function generator(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

interface Kill {
  readonly life: number;
  readonly write: string;
  readonly number: number;
  readonly moment: string;
  readonly batches: Record<string, number>;
  readonly acknowledged: number;
  readonly recoveredLog: number;
}

/** One life of the child. */
class Life {
  readonly process: ChildProcess;
  readonly ready: Promise<LifeReport>;
  readonly ended: Promise<void>;
  output = '';
  errors = '';
  fatal: string | undefined;
  readonly #waiting = new Map<number, (text: string) => void>();
  #ids = 0;

  constructor(settings: ChildSettings) {
    this.process = spawn(process.execPath, [join(import.meta.dirname, 'crash-child.ts'), encode(settings)], {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    this.process.stdout?.on('data', (chunk: Buffer) => {
      this.output += chunk.toString();
    });
    this.process.stderr?.on('data', (chunk: Buffer) => {
      this.errors += chunk.toString();
    });
    this.ended = new Promise((resolve) => this.process.once('close', () => resolve()));
    this.ready = new Promise((resolve, reject) => {
      this.process.on('message', (message: FromChild) => {
        if (message.kind === 'ready') resolve(decode<LifeReport>(message.text));
        else if (message.kind === 'answer') this.#waiting.get(message.id)?.(message.text);
        else this.fatal = message.message;
      });
      void this.ended.then(() => reject(new Error(`the child ended: ${this.fatal ?? this.errors}`)));
    });
    // A life may be killed before it is ready.
    this.ready.catch(() => undefined);
  }

  /** Undefined when the child died before it answered. */
  async ask(message: { kind: 'submit'; text: string } | { kind: 'report' }): Promise<string | undefined> {
    const id = ++this.#ids;
    const answered = new Promise<string>((resolve) => this.#waiting.set(id, resolve));
    this.send({ ...message, id } as ToChild);
    return Promise.race([answered, this.ended.then(() => undefined)]);
  }

  send(message: ToChild): void {
    if (this.process.connected) this.process.send(message, () => undefined);
  }
}

describe('a sequencer that is killed', function () {
  this.timeout(3_600_000);
  let chain: LocalChain;
  let l1: L1World;
  let place: TestRollup;
  let directory: string;
  const random = generator(20261121);
  const nonces = new Map<number, bigint>(ACCOUNTS.map((account) => [account, 0n]));
  /** Bodies the child acknowledged, with the hashes of the messages it took. */
  const acknowledged = new Map<string, string[]>();
  const rootOfBatch = new Map<string, bigint>();
  const kills: Kill[] = [];
  let sent = 0;
  let sentMs = 0;

  before(async () => {
    mkdirSync(WORK_DIRECTORY, { recursive: true });
    directory = mkdtempSync(join(tmpdir(), 'ballast-crash-'));
    chain = await startLocalChain(ROOT, join(WORK_DIRECTORY, 'chain.log'));
    const deployer = new NonceManager(chain.wallet(0));
    place = await deployTestRollup(deployer, chain.wallet(1).address, WIDE_BATCH);
    l1 = new L1World(place, deployer);
    await l1.acceptRound();
    for (const account of ACCOUNTS) {
      await l1.open(account);
      await l1.deposit(account, 1_000_000n * USD);
    }
    await chain.mine(2);
  });
  after(async () => {
    await chain?.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  const settings = (
    killAfterMs: number | undefined,
    killMoment: ChildSettings['killMoment'],
  ): ChildSettings => ({
    directory: join(directory, 'ledger'),
    rpcUrl: chain.url,
    submitterKey: chain.wallet(1).privateKey,
    place,
    killAfterMs,
    writesLeft: random(WRITES_LEFT_RANGE),
    killMoment,
    proofMs: 60,
  });

  /** Mostly orders near the market, some cancels; a nonce is never used twice. */
  function nextSubmission(): { signed: SignedMessages; options: OrderOptions[] } {
    const accountIndex = ACCOUNTS[random(ACCOUNTS.length)];
    const nonce = nonces.get(accountIndex) ?? 0n;
    const isCancel = random(5) === 0 && nonce > 0n;
    if (!isCancel) nonces.set(accountIndex, nonce + 1n);
    const side = random(2) === 0 ? 'buy' : 'sell';
    const limitMicrosPerLot = BigInt(97 + random(7)) * USD;
    const message: Message = isCancel
      ? { kind: 'cancel', nonce: nonce - 1n, floorBackWords: 1 }
      : orderMessage({
          side,
          sizeLots: BigInt(1 + random(5)),
          limitMicrosPerLot,
          nonce,
          expirySec: 4_000_000_000n,
        });
    const { domain } = domainOf(31337n, place.rollup);
    const signed = signMessages(domain, secretOf(accountIndex), {
      accountIndex,
      epoch: 1n,
      messages: [message],
    });
    return { signed, options: [{ timeInForce: random(3) === 0 ? 'ioc' : 'gtc', isPostOnly: false }] };
  }

  const ahead: ReturnType<typeof nextSubmission>[] = [];
  /** Signs what the next life will be sent, in the order in which it will be sent. */
  function signAhead(): void {
    const fresh = Array.from({ length: Math.max(0, SIGNED_AHEAD - ahead.length) }, nextSubmission);
    ahead.unshift(...fresh.reverse());
  }

  /** Sends at a steady rate until the child dies; writes down every acknowledgement. */
  async function work(life: Life): Promise<void> {
    const startedMs = performance.now();
    let isAlive = true;
    void life.ended.then(() => {
      isAlive = false;
    });
    const answers: Promise<void>[] = [];
    for (let i = 0; isAlive; i++) {
      const submission = ahead.pop() ?? nextSubmission();
      sent++;
      answers.push(
        life.ask({ kind: 'submit', text: encode(submission) }).then((text) => {
          if (text === undefined) return;
          const done = decode<Result<SubmissionResult>>(text);
          if (!done.ok) return;
          const taken = done.value.results.flatMap((result) => (result.ok ? [result.hash] : []));
          if (taken.length > 0) acknowledged.set(done.value.bodyHash, taken);
        }),
      );
      if (i % ROUND_EVERY_COMMANDS === 0) void l1.acceptRound().catch(() => undefined);
      const dueMs = startedMs + ((i + 1) * 1000) / COMMANDS_PER_SEC;
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, dueMs - performance.now())));
    }
    await Promise.all(answers);
    sentMs += performance.now() - startedMs;
  }

  /** What was acknowledged is there; a batch sealed once has the same root for ever. */
  function compare(report: LifeReport): void {
    const bodies = new Set(report.bodies);
    const lost = [...acknowledged.keys()].filter((body) => !bodies.has(body));
    expect(lost, 'acknowledged and lost').to.deep.equal([]);
    for (const { number, attempt, root } of report.batches) {
      const name = `${number}/${attempt}`;
      expect(rootOfBatch.get(name) ?? root, `root of batch ${name}`).to.equal(root);
      rootOfBatch.set(name, root);
    }
  }

  it(`keeps every acknowledged command over ${KILLS} kills, and applies no batch twice`, async () => {
    let lives = 0;
    while (kills.length < KILLS) {
      lives++;
      expect(lives).to.be.lessThan(3 * KILLS);
      signAhead();
      const moment = (['before', 'during', 'after'] as const)[random(3)];
      const life = new Life(settings(WORK_MS_MIN + random(WORK_MS_RANGE), moment));
      const report = await life.ready.catch(() => undefined);
      if (report !== undefined) {
        compare(report);
        await work(life);
      }
      await life.ended;
      if (life.fatal !== undefined) throw new Error(`the engine stopped by itself: ${life.fatal}`);
      expect(life.process.signalCode, life.errors).to.equal('SIGKILL');
      const { killedAt, batches } = JSON.parse(life.output.trim().split('\n').at(-1) ?? '{}');
      kills.push({
        life: lives,
        ...killedAt,
        batches,
        acknowledged: acknowledged.size,
        recoveredLog: report?.logSequence ?? 0,
      });
      const { write, number } = killedAt;
      console.log(
        `      kill ${lives}: ${moment} write ${number} (${write}), batches ${JSON.stringify(batches)}`,
      );
    }
    const life = new Life(settings(undefined, 'before'));
    compare(await life.ready);
    const last = await settled(life);
    compare(last);
    await requireOneLineage(last);
    life.send({ kind: 'stop' });
    await life.ended;
    tell(last);
  });

  /** Waits until L1 has every batch. */
  async function settled(life: Life): Promise<LifeReport> {
    for (let turn = 0; turn < 600; turn++) {
      await chain.mine(1);
      const text = await life.ask({ kind: 'report' });
      if (text === undefined) throw new Error(`the last life ended: ${life.fatal ?? life.errors}`);
      const report = decode<LifeReport>(text);
      if (report.batches.length > 0 && report.batches.every(({ status }) => status === 'final'))
        return report;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    throw new Error('batches are left after two minutes');
  }

  async function requireOneLineage(report: LifeReport): Promise<void> {
    const events = await l1.rollup.queryFilter(l1.rollup.filters.BatchAccepted(), 0, 'latest');
    const accepted = events.map((event) => l1.rollup.interface.parseLog(event)!.args);
    expect(accepted.map(({ batchNumber }) => Number(batchNumber))).to.deep.equal(
      accepted.map((_, i) => i + 1),
    );
    const ours = [...report.batches].sort((a, b) => a.number - b.number).map(({ root }) => root);
    expect(accepted.map(({ newStateRoot }) => newStateRoot)).to.deep.equal(ours);
    expect(await l1.rollup.stateRoot()).to.equal(report.root);
  }

  function tell(last: LifeReport): void {
    const seen = (name: string) => kills.filter(({ batches }) => (batches[name] ?? 0) > 0).length;
    const summary = {
      kills: kills.length,
      acknowledgedCommands: acknowledged.size,
      commandsPerSecond: Math.round((1000 * sent) / sentMs),
      logRecords: last.logSequence,
      batchesOnL1: last.batches.length,
      trades: last.trades,
      killsWithBatches: Object.fromEntries(
        ['open', 'sealed', 'proven', 'submitted', 'final'].map((s) => [s, seen(s)]),
      ),
    };
    writeFileSync(join(WORK_DIRECTORY, 'report.json'), JSON.stringify({ summary, kills }, null, 2));
    for (const { life, write, number, moment, batches } of kills) {
      console.log(
        `      kill ${life}: ${moment} write ${number} (${write}), batches ${JSON.stringify(batches)}`,
      );
    }
    console.log(`      ${JSON.stringify(summary)}`);
    for (const status of ['open', 'sealed', 'proven', 'submitted', 'final']) {
      expect(seen(status), `kills with ${status} batches`).to.be.greaterThan(0);
    }
    expect(summary.commandsPerSecond).to.be.at.least(50);
  }
});
