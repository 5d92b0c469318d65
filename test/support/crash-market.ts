/**
 * The market of the main job without chain, proofs and HTTP: the same cast, replay and engine core, with an L1
 * that serves every queue entry at once and accepts every batch. Fast enough to try strategies on.
 */
import { tradingKeyOf } from '#client/keys.ts';
import type { Account } from '#protocol/account.ts';
import type { L1Kind, L1Operation, SealedBatch } from '#protocol/batch/batch.ts';
import { submissionOf } from '#protocol/batch/calldata.ts';
import type { RiskTable } from '#protocol/instrument.ts';
import { STANDARD_SHAPE } from '#protocol/limits.ts';
import type { SignedMessages, SigningDomain } from '#protocol/message.ts';
import { DEFAULT_UNDERLYING_PARAMETERS } from '#protocol/risk/default-registry.ts';
import { initialOracleState, type OracleState } from '#protocol/risk/oracle-state.ts';
import type { Registry } from '#protocol/risk/registry.ts';
import { rowOf } from '#protocol/risk/table.ts';
import { signedHashOf } from '#protocol/signing.ts';
import type { AcceptedTable, Command, EngineEvent } from '#sequencer/commands.ts';
import { ENGINE_DEFAULTS } from '#sequencer/config.ts';
import { applyCommand } from '#sequencer/core.ts';
import type { CastMember } from '#sequencer/main-job/cast.ts';
import { BATCH_CAPACITIES } from '#sequencer/main-job/deployment.ts';
import { liveMarks } from '#sequencer/main-job/live.ts';
import { type MarketPlan, type PlannedExpiry, planOf } from '#sequencer/main-job/plan.ts';
import { actsIn, type Step } from '#sequencer/main-job/replay.ts';
import { Story } from '#sequencer/main-job/story.ts';
import { type RefusedMessage, Trader, type Venue } from '#sequencer/main-job/trader.ts';
import type { AcceptedBatch } from '#sequencer/reconstruct/rebuild.ts';
import { EngineState } from '#sequencer/state.ts';
import { planRound } from './plan-round.ts';
import { UNCHECKED_INPUTS, UNCHECKED_PROOF } from './unchecked-proof.ts';

const domain: SigningDomain = { chainId: 31337n, rollupAddress: 0xba11a57n };
const DONATION_MICROS = 50_000_000_000n;

export interface CrashMarketSettings {
  readonly log?: (line: string) => void;
  readonly afterStep?: (step: Step) => void;
  readonly afterExpiry?: (expiry: SeenExpiry) => void;
}

/** What an expiry did, at the table that settled it. Accounts by index. */
export interface SeenExpiry {
  readonly table: RiskTable;
  readonly before: ReadonlyMap<number, Account>;
  readonly after: ReadonlyMap<number, Account>;
}

export class CrashMarket {
  readonly plan: MarketPlan;
  readonly state: EngineState;
  readonly story = new Story();
  readonly traders: Trader[] = [];
  /** In order of number. */
  readonly sealed: SealedBatch[] = [];
  readonly refused: { who: string; code: string; message: string }[] = [];
  readonly #log: (line: string) => void;
  readonly #afterStep: (step: Step) => void;
  readonly #afterExpiry: (expiry: SeenExpiry) => void;
  #registry: Registry;
  #oracle: OracleState;
  #block = 0;
  #queueEnd = 0;

  constructor(
    plan = planOf('linear'),
    { log = () => {}, afterStep = () => {}, afterExpiry = () => {} }: CrashMarketSettings = {},
  ) {
    this.plan = plan;
    this.#registry = plan.listing.registry;
    this.#afterStep = afterStep;
    this.#afterExpiry = afterExpiry;
    this.state = new EngineState({
      ...ENGINE_DEFAULTS,
      shape: STANDARD_SHAPE,
      sizes: BATCH_CAPACITIES.map((capacity, i) => ({ capacity, domainWord: BigInt(i + 1) })),
      domain,
      instruments: plan.listing.instruments,
    });
    this.#log = log;
    const [first] = plan.steps;
    this.#oracle = initialOracleState(
      DEFAULT_UNDERLYING_PARAMETERS,
      first.oracleBar.closeMicros,
      first.oracleBar.closeSec - 60n,
    );
  }

  async run(): Promise<this> {
    for (const step of this.plan.steps) {
      if (step.index === this.plan.expiry?.beforeStep) this.#expire(this.plan.expiry);
      await this.#step(step);
      this.#afterStep(step);
    }
    this.#apply({ kind: 'seal', reason: 'asked' });
    this.#settle();
    return this;
  }

  nameOf(accountIndex: number): string {
    return (
      this.traders.find((trader) => trader.accountIndex === accountIndex)?.member.name ?? `#${accountIndex}`
    );
  }

  async #step(step: Step): Promise<void> {
    this.#round(step);
    for (const member of this.plan.cast) if (member.arrivesAtStep === step.index) this.#arrive(member);
    for (const trader of this.traders) this.#later(trader, step.index);
    this.#settle();
    const { feed, blocks, barSec, oracleBar } = step;
    this.#apply({ kind: 'feed', marks: liveMarks(this.plan.listing, feed[feed.length - 1], blocks) });
    const table = this.state.table!.table;
    const turn = { feed, blocks, table, expirySec: oracleBar.closeSec + barSec - 1n };
    for (const trader of this.traders) {
      if (!actsIn(trader.member, step.index)) continue;
      const { refused } = await trader.act(turn);
      this.refused.push(...refused.map((refusal) => ({ who: trader.member.name, ...refusal })));
      this.#apply({ kind: 'liquidation-scan' });
    }
    this.#settle();
  }

  #round({ oracleBar }: Step): void {
    const round = planRound(this.#registry, this.#oracle, oracleBar);
    this.#oracle = round.state;
    this.#accept(round);
  }

  /** An L1 block in which the oracle has this table proved. */
  #accept({ table, quotes }: Pick<AcceptedTable, 'table' | 'quotes'>): void {
    const index = (this.state.table?.index ?? -1) + 1;
    this.#l1Block([], table.timeSec, [{ index, table, quotes, acceptedAtSec: table.timeSec }]);
    const time = new Date(Number(table.timeSec) * 1000).toISOString().slice(11, 16);
    this.#log(`${time} round ${table.roundNumber}`);
  }

  /** As Market.expire: rounds up to the settling one, which alone is proved; conversion, retirement, the block emptied. */
  #expire({ rounds, futureId }: PlannedExpiry): void {
    this.#settle();
    for (const { timeSec, bar } of rounds) {
      const round = planRound(this.#registry, this.#oracle, { ...bar, closeSec: timeSec });
      this.#oracle = round.state;
      if (!rowOf(round.table, futureId)?.isSettled) continue;
      const { table } = round;
      const before = this.#accounts();
      this.#accept(round);
      const ids = table.rows.filter((row) => row.isSettled).map((row) => row.instrumentId);
      this.#retireAll(ids);
      this.#afterExpiry({ table, before, after: this.#accounts() });
      this.#registry = this.#registry.map((entry) =>
        entry !== undefined && ids.includes(entry.id) ? undefined : entry,
      );
      return;
    }
    throw new Error(`no planned round settles ${futureId}`);
  }

  #accounts(): Map<number, Account> {
    return new Map(this.traders.map(({ accountIndex }) => [accountIndex, this.state.account(accountIndex)]));
  }

  #retireAll(ids: readonly number[]): void {
    for (let turn = 0; turn < 30; turn++) {
      this.#apply({ kind: 'seal', reason: 'asked' });
      this.#settle();
      if (ids.every((id) => this.state.retired.has(id))) return;
      this.#l1Block([], this.state.l1TimeSec, []);
    }
    throw new Error(`not all of ${ids} are retired after 30 batches`);
  }

  #arrive(member: CastMember): void {
    const accountIndex = this.traders.length + 1;
    const key = tradingKeyOf((1n << 200n) + BigInt(accountIndex));
    this.traders.push(new Trader(member, accountIndex, key, domain, this.#venue()));
    const operation = (kind: L1Kind, tokenId = 0, amount = 0n): L1Operation => ({
      kind,
      accountIndex: kind === 'fundDonation' ? 0 : accountIndex,
      tokenId,
      amount,
      publicKey: kind === 'register' ? key.publicKey : [0n, 0n],
    });
    const operations = [operation('register')];
    if (member.depositMicros > 0n) operations.push(operation('deposit', 0, member.depositMicros));
    for (const [tokenId, lots] of Object.entries(member.spotLots)) {
      operations.push(operation('deposit', Number(tokenId), lots));
    }
    if (accountIndex === 1) operations.push(operation('fundDonation', 0, DONATION_MICROS));
    this.#l1Block(operations, this.state.l1TimeSec, []);
  }

  #later({ member, accountIndex }: Trader, step: number): void {
    for (const { atStep, kind, tokenId, units } of member.laterOnL1 ?? []) {
      if (atStep !== step) continue;
      const operation: L1Operation = { kind, accountIndex, tokenId, amount: units, publicKey: [0n, 0n] };
      this.#l1Block([operation], this.state.l1TimeSec, []);
    }
  }

  #l1Block(
    operations: L1Operation[],
    timeSec: bigint,
    tables: Extract<Command, { kind: 'l1-block' }>['tables'],
  ): void {
    const queued = operations.map((operation) => ({ queueIndex: this.#queueEnd++, operation }));
    const confirmedQueueEnd = this.#queueEnd;
    const blockNumber = ++this.#block;
    const blockHash = `0x${blockNumber}`;
    this.#apply({
      kind: 'l1-block',
      blockNumber,
      blockHash,
      timeSec,
      operations: queued,
      confirmedQueueEnd,
      tables,
      numbers: undefined,
    });
  }

  /** Seals and accepts until nothing waits: in this test proofs take no time. */
  #settle(): void {
    for (let turn = 0; turn < 20; turn++) {
      const sealed = [...this.state.batches.values()].filter(({ status }) => status === 'sealed');
      for (const { number: batchNumber, attempt, newStateRoot } of sealed) {
        this.#apply({
          kind: 'batch-proven',
          batchNumber,
          attempt,
          proof: UNCHECKED_PROOF,
          inputs: UNCHECKED_INPUTS,
        });
        this.#apply({ kind: 'batch-final', batchNumber, newStateRoot, l1Block: this.#block, l1TxHash: '0x' });
      }
      if (this.state.l1Queue.length === 0) break;
      this.#apply({ kind: 'seal', reason: 'asked' });
      this.#l1Block([], this.state.l1TimeSec, []);
    }
  }

  #venue(): Venue {
    return {
      account: async (accountIndex): Promise<Account> => this.state.account(accountIndex),
      submit: async (signed: SignedMessages, options): Promise<readonly RefusedMessage[]> => {
        const full = options.map((o) => ({
          timeInForce: o.timeInForce ?? 'gtc',
          isPostOnly: o.isPostOnly ?? false,
        }));
        const { results } = this.#apply({
          kind: 'submit',
          signed,
          options: full,
          signedHash: signedHashOf(domain, signed),
        });
        return results.flatMap((result) => (result.ok ? [] : [result.rejection]));
      },
    };
  }

  #apply(command: Command) {
    const applied = applyCommand(this.state, command);
    for (const event of applied.events) {
      this.story.see(event);
      if (event.kind === 'batch-sealed') this.#keep(event.batchNumber);
      this.#tell(event);
    }
    return applied;
  }

  #keep(batchNumber: number): void {
    const sealed = this.state.batches.get(batchNumber)?.sealed;
    if (sealed !== undefined) this.sealed.push(sealed);
  }

  #tell(event: EngineEvent): void {
    if (event.kind === 'book-level' || event.kind === 'order-accepted' || event.kind === 'l1-operation')
      return;
    if (
      event.kind === 'order-closed' &&
      (event.reason === 'expired' || event.reason === 'filled' || event.reason === 'nonce-dead')
    )
      return;
    const text = JSON.stringify(event, (_, value) => (typeof value === 'bigint' ? value.toString() : value));
    this.#log(`   ${text.slice(0, 330)}`);
  }
}

/** As if every round had been accepted in turn. */
export const tableIndexOf = ({ roundNumber }: RiskTable): number => Number(roundNumber) - 1;

/** What the batches of a market publish, as L1 would show it. */
export function publishedBatches({ sealed }: CrashMarket): AcceptedBatch[] {
  return sealed.map((batch, i) => {
    const place = {
      sizeIndex: BATCH_CAPACITIES.indexOf(batch.capacity),
      acceptedIndex: BigInt(tableIndexOf(batch.content.header.table)),
      pendingEnd: 0n,
    };
    return {
      batchNumber: i + 1,
      submission: submissionOf(batch, place, 1n, UNCHECKED_PROOF),
      capacity: batch.capacity,
      operations: batch.content.l1Operations.map(({ operation }) => operation),
      l1TxHash: '0x',
    };
  });
}
