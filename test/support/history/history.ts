/** Plays steps on a real engine and asks after each of them what must hold whatever happened. */
import { expect } from 'chai';
import type { L1Operation } from '#protocol/batch/batch.ts';
import type { RiskTable } from '#protocol/instrument.ts';
import type { Message, SignedMessages } from '#protocol/message.ts';
import type { EngineEvent, OrderOptions, TimeInForce } from '#sequencer/commands.ts';
import type { EngineConfig } from '#sequencer/config.ts';
import { Engine } from '#sequencer/engine.ts';
import { encode } from '#sequencer/ledger/codec.ts';
import type { BatchEntry, EngineState } from '#sequencer/state.ts';
import { digestOf } from '../crash/ledger-watch.ts';
import { testConfig } from '../engine.ts';
import {
  LATER_SEC,
  l1,
  marked,
  NOW_SEC,
  OTHER,
  orderMessage,
  QUOTES,
  ROOMY,
  riskRow,
  settledRow,
  sign,
  USD,
  withdrawMessage,
} from '../ledger.ts';
import { MemoryStore } from '../memory-store.ts';
import { UNCHECKED_INPUTS, UNCHECKED_PROOF } from '../unchecked-proof.ts';
import { Chain } from './chain.ts';
import { requireConsistency } from './consistency.ts';
import { Promises } from './promises.ts';
import { ACCOUNTS, type OrderStep, type Step } from './steps.ts';

/** Little room, so that every history meets full batches and backlogs. */
const SMALLEST = {
  ...ROOMY,
  name: 'smallest',
  accounts: 2,
  signatures: 2,
  messages: 3,
  liquidations: 1,
  l1Operations: 1,
  withdrawals: 1,
  settlements: 1,
};
const SMALL = {
  ...ROOMY,
  accounts: 3,
  signatures: 4,
  messages: 5,
  liquidations: 2,
  l1Operations: 2,
  withdrawals: 2,
  settlements: 2,
};
const RESEAL_WAIT_MAX_SEC = 300n;
const SILENCE_SEC = 200n;
const BLOCK_SEC = 20n;
const SHORT_LIFE_SEC = 45n;
const DOLLARS_MIN = 50;
const DRAIN_TURNS_MAX = 80;
/** Ten lots at a hundred dollars need most of it. */
const START_DOLLARS = 250n;

const CONFIG = testConfig({
  sizes: [
    { capacity: SMALLEST, domainWord: 1n },
    { capacity: SMALL, domainWord: 2n },
  ],
  takerFeePpm: 500n,
  unprovedBatchesMax: 3,
  unprovedBatchesReserve: 2,
  unprovedWhileLiquidatingMax: 2,
  resealWaitMaxSec: RESEAL_WAIT_MAX_SEC,
});

/** Signing is slow, so equal bodies are signed once for all histories. */
const signatures = new Map<string, SignedMessages>();
function signed(accountIndex: number, messages: Message[], epoch: bigint): SignedMessages {
  const key = `${accountIndex} ${epoch} ${encode(messages)}`;
  const known = signatures.get(key) ?? sign(accountIndex, messages, epoch);
  signatures.set(key, known);
  return known;
}

/** Everything that decides what the engine does next, beside what `digestOf` holds. */
const innerDigest = (state: EngineState): string => {
  const { isolation } = state;
  return encode([
    [state.isTurnOfL1, state.isTurnOfCancels, state.isLiquidationDue, state.liquidationWait ?? null],
    [state.waitingSettlements, [...state.retired], state.messageOrder, state.closedOrder],
    [state.orderSequence, state.tradeCount, [...state.attempts], state.l1QueueConfirmedEnd],
    [[...isolation.cuts], [...isolation.apart], [...isolation.barredUntilSec], [...isolation.barredMakers]],
    [[...isolation.failedAgainst], [...isolation.untold], isolation.halted ?? null],
    state.unprovedBatches.map(({ number }) => number),
  ]);
};

export class History {
  readonly #store = new MemoryStore();
  readonly #chain = new Chain(CONFIG);
  readonly #config: EngineConfig;
  readonly #promises = new Promises(CONFIG.domain);
  readonly #met: Map<string, number>;
  #engine!: Engine;
  #state!: EngineState;
  #fatal: Error | undefined;
  readonly #bodies: { readonly body: SignedMessages; readonly options: readonly OrderOptions[] }[] = [];
  readonly #nonces = new Map<string, bigint>();
  #block = 0;
  #queueEnd = 0;
  #tables = 0;
  #timeSec = NOW_SEC;
  #dollars = 100;
  #isOtherSettled = false;

  private constructor(closedOrdersKept: number, met: Map<string, number>) {
    this.#config = { ...CONFIG, closedOrdersKept };
    this.#met = met;
  }

  /**
   * Accounts with a key and some money, after a first round.
   * @param met counts what happens: each kind of event, and each status and reason of some
   */
  static async begin(closedOrdersKept: number, met: Map<string, number>): Promise<History> {
    const history = new History(closedOrdersKept, met);
    await history.#start();
    const operations = ACCOUNTS.flatMap((account) => [
      l1('register', account),
      l1('deposit', account, 0, START_DOLLARS * USD),
    ]);
    await history.#l1Block(operations, marked(100n));
    await history.#finish();
    return history;
  }

  async #start(): Promise<void> {
    this.#engine = await Engine.start(this.#config, this.#store, (error) => {
      this.#fatal = error;
    });
    this.#state = await this.#engine.read((state) => state);
    this.#engine.subscribe((events, state) => {
      for (const event of events) this.#hear(event, state);
    });
  }

  #hear(event: EngineEvent, state: EngineState): void {
    this.#count(event.kind);
    if (event.kind === 'order-closed') this.#count(`order-closed ${event.reason}`);
    if (event.kind === 'batch-status') this.#count(`batch-status ${event.status}`);
    if (event.kind === 'batch-status' && event.status === 'withdrawn')
      this.#chain.withdraw(event.batchNumber);
    if (event.kind === 'batch-sealed') {
      const { sealed } = state.batches.get(event.batchNumber) as BatchEntry;
      if (sealed === undefined) throw new Error('a batch that was just sealed has its content');
      this.#chain.append(sealed);
    }
    this.#promises.hear(event, state);
  }

  #count(name: string): void {
    this.#met.set(name, (this.#met.get(name) ?? 0) + 1);
  }

  async play(step: Step): Promise<void> {
    await this.#do(step);
    this.#check();
  }

  async #do(step: Step): Promise<void> {
    switch (step.kind) {
      case 'order':
        return this.#submit(step.account, [this.#order(step)], step.timeInForce);
      case 'meet': {
        await this.#submit(step.account, [this.#order(step)]);
        const side = step.side === 'buy' ? 'sell' : 'buy';
        return this.#submit(step.other, [this.#order({ ...step, account: step.other, side })]);
      }
      case 'bundle': {
        const first = this.#order(step);
        const cancel = this.#cancel(step.account, step.nonceBackOfCancel, 1);
        return this.#submit(step.account, [first, ...cancel, this.#order({ ...step, nonceBack: 0 })]);
      }
      case 'cancel': {
        const cancel = this.#cancel(step.account, step.nonceBack, step.floorBackWords);
        return cancel.length === 0 ? undefined : this.#submit(step.account, cancel);
      }
      case 'cancel-all':
        return this.#submit(step.account, [{ kind: 'cancel-all' }]);
      case 'withdraw': {
        const amount = BigInt(step.dollars) * USD;
        return this.#submit(step.account, [withdrawMessage({ amount, nonce: this.#nonce(step.account, 0) })]);
      }
      case 'repeat': {
        const earlier = this.#bodies.at(-1 - step.back);
        return earlier === undefined ? undefined : this.#send(earlier.body, earlier.options);
      }
      case 'l1': {
        const operation = l1(step.operation, step.account, 0, BigInt(step.dollars) * USD);
        return this.#l1Block([operation], undefined, step.isConfirmed);
      }
      case 'round':
        this.#dollars = Math.max(DOLLARS_MIN, this.#dollars + step.change);
        return this.#l1Block([], { ...this.#table(), isJump: step.isJump });
      case 'settle':
        this.#isOtherSettled = true;
        return this.#l1Block([], this.#table());
      case 'silence':
        this.#timeSec += SILENCE_SEC;
        return this.#l1Block([]);
      case 'seal':
        return this.#command({ kind: 'seal', reason: 'asked' });
      case 'prove':
        return this.#prove();
      case 'finalize':
        return this.#finalize();
      case 'reseal': {
        const batchNumber = this.#atStake[step.which % Math.max(1, this.#atStake.length)]?.number ?? 0;
        return this.#command({ kind: 'reseal', batchNumber, reason: 'BatchTooLate' });
      }
      case 'poison':
        return this.#poison(step.which);
      case 'restart':
        return this.restart();
    }
  }

  /** A new engine over the same ledger knows and intends the same. */
  async restart(): Promise<void> {
    this.#count('restart');
    const digest = () => [digestOf(this.#state), innerDigest(this.#state)];
    const before = digest();
    await this.#engine.stop();
    await this.#start();
    expect(digest(), 'a replay leads to the same state').to.deep.equal(before);
  }

  /** Pauses end, prices come and proofs catch up: then nothing waits any more. */
  async drain(): Promise<void> {
    this.#timeSec += CONFIG.unprovablePauseSec;
    await this.#l1Block([], this.#table());
    await this.#finish();
    this.#check();
    this.#promises.requireKept(this.#state, this.#chain.head);
    this.#chain.requireConservation();
    this.#chain.requireNoncesUsedOnce();
  }

  async #finish(): Promise<void> {
    for (let turn = 0; turn < DRAIN_TURNS_MAX; turn++) {
      await this.#command({ kind: 'seal', reason: 'asked' });
      for (let i = this.#state.unprovedBatches.length; i > 0; i--) await this.#prove();
      await this.#finalize();
      const { open, l1Queue, waitingCancels } = this.#state;
      const isFinal = this.#atStake.length === 0;
      if (open === undefined && l1Queue.length === 0 && waitingCancels.count === 0 && isFinal) return;
    }
    throw new Error(`work is left after ${DRAIN_TURNS_MAX} batches were proved`);
  }

  #check(): void {
    if (this.#fatal !== undefined) throw this.#fatal;
    requireConsistency(this.#state);
    this.#promises.requireNoneBroken(this.#state);
  }

  /** Batches that L1 has not accepted yet. */
  get #atStake(): BatchEntry[] {
    return [...this.#state.batches.values()].filter(({ status }) => status !== 'final');
  }

  #nonce(account: number, back: number): bigint {
    const name = `${account} ${this.#state.account(account).epoch}`;
    const next = this.#nonces.get(name) ?? 0n;
    if (back > 0 && next >= BigInt(back)) return next - BigInt(back);
    this.#nonces.set(name, next + 1n);
    return next;
  }

  #order(step: OrderStep): Message {
    const { side, instrumentId, isReduceOnly, floorBackWords, account, nonceBack } = step;
    return orderMessage({
      side,
      instrumentId,
      isReduceOnly,
      floorBackWords,
      sizeLots: BigInt(step.lots),
      limitMicrosPerLot: BigInt(this.#dollars + step.dollarsFromMark) * USD,
      nonce: this.#nonce(account, nonceBack),
      expirySec: step.isShortLived ? this.#timeSec + SHORT_LIFE_SEC : LATER_SEC * 2n,
    });
  }

  /** Of a nonce that was given so long ago; none where none was. */
  #cancel(account: number, back: number, floorBackWords: number): Message[] {
    const next = this.#nonces.get(`${account} ${this.#state.account(account).epoch}`) ?? 0n;
    const nonce = next - BigInt(back);
    return nonce < 0n ? [] : [{ kind: 'cancel', nonce, floorBackWords }];
  }

  async #submit(account: number, messages: Message[], timeInForce: TimeInForce = 'gtc'): Promise<void> {
    const body = signed(account, messages, this.#state.account(account).epoch);
    const options = messages.map(() => ({ timeInForce, isPostOnly: false }));
    this.#bodies.push({ body, options });
    await this.#send(body, options);
  }

  async #send(body: SignedMessages, options: readonly OrderOptions[]): Promise<void> {
    const done = await this.#engine.submit(body, options);
    if (this.#fatal !== undefined) throw this.#fatal;
    if (!done.ok) return;
    const { results, isRepeat } = done.value;
    if (isRepeat) this.#count('repeated body');
    else this.#promises.take(body, results);
  }

  async #command(command: Parameters<Engine['command']>[0]): Promise<void> {
    try {
      const refusal = await this.#engine.command(command);
      if (refusal !== undefined) this.#count(`refused ${command.kind}`);
    } catch (error) {
      throw this.#fatal ?? error;
    }
  }

  #table(): RiskTable {
    const table = marked(BigInt(this.#dollars));
    const rows = table.rows.map((row) =>
      this.#isOtherSettled && row.instrumentId === OTHER ? riskRow(OTHER, settledRow(100n * USD)) : row,
    );
    return { ...table, rows };
  }

  async #l1Block(operations: readonly L1Operation[], table?: RiskTable, isConfirmed = true): Promise<void> {
    this.#timeSec += BLOCK_SEC;
    const queued = operations.map((operation) => ({ queueIndex: this.#queueEnd++, operation }));
    await this.#command({
      kind: 'l1-block',
      blockNumber: ++this.#block,
      blockHash: `${this.#block}`,
      timeSec: this.#timeSec,
      operations: queued,
      // A block that is not deep enough yet: the next one confirms what it brought.
      confirmedQueueEnd: this.#queueEnd - (isConfirmed ? 0 : queued.length),
      tables:
        table === undefined
          ? []
          : [
              {
                index: this.#tables,
                table: { ...table, roundNumber: BigInt(++this.#tables), timeSec: this.#timeSec },
                quotes: QUOTES,
                acceptedAtSec: this.#timeSec,
              },
            ],
      numbers: undefined,
    });
  }

  async #prove(): Promise<void> {
    const oldest = this.#state.unprovedBatches.at(0);
    if (oldest === undefined) return;
    const { number: batchNumber, attempt } = oldest;
    const [proof, inputs] = [UNCHECKED_PROOF, UNCHECKED_INPUTS];
    await this.#command({ kind: 'batch-proven', batchNumber, attempt, proof, inputs });
  }

  /** L1 accepts the oldest batch that has a proof. */
  async #finalize(): Promise<void> {
    const oldest = this.#atStake.at(0);
    if (oldest?.status !== 'proven') return;
    const { number: batchNumber, attempt, newStateRoot } = oldest;
    await this.#command({ kind: 'batch-submitted', batchNumber, attempt, l1TxHash: '0x' });
    await this.#command({
      kind: 'batch-final',
      batchNumber,
      newStateRoot,
      l1Block: this.#block,
      l1TxHash: '0x',
    });
  }

  async #poison(which: number): Promise<void> {
    const unproved = this.#state.unprovedBatches;
    const entry = unproved.at(which % Math.max(1, unproved.length));
    if (entry === undefined) return;
    const { number: batchNumber, attempt } = entry;
    await this.#command({ kind: 'batch-poisoned', batchNumber, attempt, error: 'no witness' });
  }
}
