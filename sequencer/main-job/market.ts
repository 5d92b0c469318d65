/** The replayed market on the running world: who arrives, what each bar brings, what is claimed on L1. */
import { Contract } from 'ethers';
import { randomTradingKey, type TradingKey } from '#client/keys.ts';
import { L1Account } from '#client/l1.ts';
import { TEST_TOKENS } from '#contracts/deploy/deploy.ts';
import { invariant } from '#protocol/errors.ts';
import type { RiskTable } from '#protocol/instrument.ts';
import { abs, max, PPM_ONE } from '#protocol/units.ts';
import { LiveFeed } from '#sequencer/feed/live-feed.ts';
import type { Bar } from '#sequencer/market-data/bars.ts';
import { amountText } from './amounts.ts';
import type { CastMember } from './cast.ts';
import { httpVenue } from './http-venue.ts';
import { liveMarks } from './live.ts';
import type { Narrator } from './narrator.ts';
import type { MarketPlan, PlannedExpiry } from './plan.ts';
import { actsIn, type Step } from './replay.ts';
import type { AcceptedRound, PostedRound, SettledBlock } from './rounds.ts';
import { Trader } from './trader.ts';
import type { World } from './world.ts';

/** No new bar while more batches wait for their proofs. */
const UNPROVED_MAX = 2;
/** The contract takes no batch older than half an hour: before its clock goes on by more, every batch is on L1. */
const JUMP_SEC_MAX = 300n;
const WAIT_MS = 50;
/** What the insurance fund starts with. */
const DONATION_MICROS = 50_000_000_000n;
const MINT_ABI = ['function mint(address to, uint256 amountWei)'];

interface Participant {
  readonly trader: Trader;
  readonly l1: L1Account;
}

/** Money on its way out that its owner will claim. */
export interface PaidClaim {
  readonly name: string;
  readonly tokenId: number;
  readonly units: bigint;
}

export class Market {
  readonly participants: Participant[] = [];
  readonly claims: PaidClaim[] = [];
  /** Signed orders sent over HTTP and refused, with their codes. */
  readonly refusedCodes: string[] = [];
  sentMessages = 0;
  /** Furthest that an accepted price lay from the recorded one, parts per million. */
  priceErrorPpmMax = 0n;
  readonly #plan: MarketPlan;
  readonly #world: World;
  readonly #narrator: Narrator;
  readonly #feed: LiveFeed;
  /** Of the newest round that is not void. */
  #table: RiskTable | undefined;
  /** Quotes of the last bar must be dead before the next round. */
  #lastExpirySec = 0n;

  constructor(plan: MarketPlan, world: World, narrator: Narrator) {
    this.#plan = plan;
    this.#world = world;
    this.#narrator = narrator;
    this.#feed = new LiveFeed((command) => world.sequencer.engine.command(command));
  }

  nameOf(accountIndex: number): string {
    const found = this.participants.find(({ trader }) => trader.accountIndex === accountIndex);
    return found?.trader.member.name ?? `account ${accountIndex}`;
  }

  ideaOf(accountIndex: number): string {
    const found = this.participants.find(({ trader }) => trader.accountIndex === accountIndex);
    return found?.trader.member.strategy.name ?? 'visitor';
  }

  /** One bar: round, arrivals, trading, seal. Proofs of earlier batches run meanwhile. */
  async step(step: Step, isActive: (member: CastMember) => boolean = () => true): Promise<void> {
    const { chain, rounds, sequencer } = this.#world;
    const { closeSec } = step.oracleBar;
    const startSec = closeSec > this.#lastExpirySec ? closeSec : this.#lastExpirySec + 1n;
    const isFar = startSec > (await chain.nowSec()) + JUMP_SEC_MAX;
    await this.#waitUntil((unproved, notFinal) => (isFar ? notFinal === 0 : unproved <= UNPROVED_MAX));
    const timeSec = await chain.advanceTo(startSec);
    const round = await rounds.run(timeSec, closeSec);
    this.#compare(round, step.oracleBar);
    // A void round has no table on L1: whoever trades goes by the one before it, as the engine does.
    if (!round.isVoid) this.#table = round.table;
    const table = this.#table;
    invariant(table !== undefined, 'the first round of a story is not void');
    await sequencer.syncL1();
    for (const member of this.#plan.cast) if (member.arrivesAtStep === step.index) await this.#arrive(member);
    for (const participant of this.participants) await this.#laterOnL1(participant, step.index);
    await this.#serveQueue();
    const { feed, blocks, barSec } = step;
    const marks = liveMarks(this.#plan.listing, feed[feed.length - 1], blocks);
    this.#feed.onRound();
    await this.#feed.observe(marks, Number(timeSec) * 1_000);
    const expirySec = max(timeSec + barSec - 1n, (await chain.nowSec()) + barSec / 2n);
    this.#lastExpirySec = expirySec;
    for (const { trader } of this.participants) {
      if (!actsIn(trader.member, step.index) || !isActive(trader.member)) continue;
      const { sent, refused } = await trader.act({ feed, blocks, table, expirySec });
      this.sentMessages += sent;
      this.refusedCodes.push(...refused.map(({ code }) => code));
      await sequencer.engine.command({ kind: 'liquidation-scan' });
    }
    await sequencer.seal();
    await this.#claimAll();
    this.#narrator.bar(step, round);
  }

  /**
   * The last half hour of an expiry, in which nobody trades: the oracle speaks, and only the round that settles the
   * block is proved. Then every position becomes cash, whatever nobody holds any more is retired on L1, and the block
   * is emptied for the next expiry once the registry knows.
   */
  async expire(expiry: PlannedExpiry): Promise<void> {
    const { chain, rounds, sequencer } = this.#world;
    await sequencer.seal();
    await this.#waitUntil((_, notFinal) => notFinal === 0);
    const { posted, block, bar, count } = await this.#settlementRound(expiry);
    const round = await rounds.prove(posted);
    invariant(!round.isVoid, 'a settled block contradicts nothing');
    this.#compare(round, bar);
    this.#table = round.table;
    this.#narrator.settled(block, posted.values.timeSec, count);
    await sequencer.syncL1();
    await this.#retireAll(round.table);
    await this.#waitUntil((_, notFinal) => notFinal === 0);
    await this.#untilRegistryKnows();
    await rounds.clearBlock(block.blockPlace);
    await chain.mine(1);
    await sequencer.syncL1();
    this.#narrator.cleared(block);
  }

  /** Posts rounds up to the one that settles the block. @returns how many there were */
  async #settlementRound({ rounds: planned, futureId }: PlannedExpiry): Promise<{
    readonly posted: PostedRound;
    readonly block: SettledBlock;
    readonly bar: Bar;
    readonly count: number;
  }> {
    const { chain, rounds } = this.#world;
    for (const [i, { timeSec, bar }] of planned.entries()) {
      const posted = await rounds.post(await chain.advanceTo(timeSec), bar.closeSec);
      const block = posted.settled.find((one) => one.futureId === futureId);
      if (block !== undefined) return { posted, block, bar, count: i + 1 };
    }
    invariant(false, 'the planned rounds settle the block');
  }

  /** Seals batches until L1 will be told of every settled instrument that nobody holds it; one in each. */
  async #retireAll({ rows }: RiskTable): Promise<void> {
    const { chain, sequencer } = this.#world;
    const ids = rows.filter((row) => row.isSettled).map((row) => row.instrumentId);
    for (;;) {
      await sequencer.seal();
      if (await sequencer.engine.read(({ retired }) => ids.every((id) => retired.has(id)))) return;
      await this.#waitUntil((unproved) => unproved <= UNPROVED_MAX);
      // The engine looks at what waits when L1 has news.
      await chain.mine(1);
      await sequencer.syncL1();
    }
  }

  /** The sequencer tells it by itself, when it has no batch to send. */
  async #untilRegistryKnows(): Promise<void> {
    const { contracts, failed } = this.#world;
    while ((await contracts.unfinishedRetirement('latest')) !== 0)
      await Promise.race([failed, new Promise((resolve) => setTimeout(resolve, WAIT_MS))]);
  }

  /** An account for whoever reads the terminal. */
  async openVisitor(
    depositMicros: bigint,
  ): Promise<{ readonly accountIndex: number; readonly key: TradingKey }> {
    const { roles, deployment } = this.#world;
    const owner = roles.owners[roles.owners.length - 1];
    const l1 = new L1Account(deployment.rollup, owner);
    const key = randomTradingKey();
    const { accountIndex } = await l1.open(key.registrationPoint);
    await this.#mint(await owner.getAddress(), 0, depositMicros);
    await l1.deposit(0, depositMicros);
    await this.#serveQueue();
    return { accountIndex, key };
  }

  /** Waits until every sealed batch is final on L1, then takes what is left to claim. */
  async settle(): Promise<void> {
    const { chain, sequencer } = this.#world;
    await sequencer.seal();
    await this.#waitUntil((_, notFinal) => notFinal === 0);
    await chain.mine(1);
    await sequencer.syncL1();
    await this.#claimAll();
  }

  #compare({ indexMicros }: AcceptedRound, { closeMicros }: Bar): void {
    indexMicros.forEach((accepted, underlying) => {
      const recorded = closeMicros[underlying];
      this.priceErrorPpmMax = max(this.priceErrorPpmMax, (abs(accepted - recorded) * PPM_ONE) / recorded);
    });
  }

  async #waitUntil(isReached: (unproved: number, notFinal: number) => boolean): Promise<void> {
    const { sequencer, failed } = this.#world;
    for (;;) {
      const counts = await sequencer.engine.read((state) => ({
        unproved: state.unprovedBatches.length,
        notFinal: [...state.batches.values()].filter(({ status }) => status !== 'final').length,
      }));
      if (isReached(counts.unproved, counts.notFinal)) return;
      await Promise.race([failed, new Promise((resolve) => setTimeout(resolve, WAIT_MS))]);
    }
  }

  async #arrive(member: CastMember): Promise<void> {
    const { roles, deployment, domain, apiUrl } = this.#world;
    const l1 = new L1Account(deployment.rollup, roles.owners[this.participants.length]);
    const key = randomTradingKey();
    const isFirst = this.participants.length === 0;
    const { accountIndex } = await l1.open(key.registrationPoint);
    const owner = await roles.owners[this.participants.length].getAddress();
    const brought: string[] = [];
    const bring = async (tokenId: number, units: bigint): Promise<void> => {
      await this.#mint(owner, tokenId, units);
      await l1.deposit(tokenId, units);
      brought.push(amountText(tokenId, units));
    };
    if (member.depositMicros > 0n) await bring(0, member.depositMicros);
    for (const [tokenId, lots] of Object.entries(member.spotLots)) await bring(Number(tokenId), lots);
    this.participants.push({ trader: new Trader(member, accountIndex, key, domain, httpVenue(apiUrl)), l1 });
    this.#narrator.note(`${member.name} arrives with ${brought.join(' and ')}: ${member.strategy.idea}`);
    if (isFirst) await this.#donate();
  }

  async #donate(): Promise<void> {
    const { roles, deployment } = this.#world;
    await this.#mint(await roles.donor.getAddress(), 0, DONATION_MICROS);
    await new L1Account(deployment.rollup, roles.donor).donate(DONATION_MICROS);
    this.#narrator.note(`the insurance fund is given ${amountText(0, DONATION_MICROS)}`);
  }

  async #mint(owner: string, tokenId: number, units: bigint): Promise<void> {
    const { roles, deployment } = this.#world;
    const token = new Contract(deployment.tokens[tokenId], MINT_ABI, roles.deployer);
    await (await token.mint(owner, units * TEST_TOKENS[tokenId].weiPerUnit)).wait();
  }

  async #laterOnL1({ trader, l1 }: Participant, step: number): Promise<void> {
    const { member } = trader;
    for (const { atStep, kind, tokenId, units } of member.laterOnL1 ?? []) {
      if (atStep !== step) continue;
      if (kind === 'withdraw') {
        await l1.requestWithdrawal(tokenId, units);
        this.#narrator.note(
          `${member.name} asks L1 for ${amountText(tokenId, units)}: the sequencer has to serve it`,
        );
      } else {
        await this.#mint(await this.#ownerOf(trader), tokenId, units);
        await l1.deposit(tokenId, units);
        this.#narrator.note(`${member.name} deposits ${amountText(tokenId, units)}`);
      }
    }
  }

  #ownerOf(trader: Trader): Promise<string> {
    const place = this.participants.findIndex((participant) => participant.trader === trader);
    return this.#world.roles.owners[place].getAddress();
  }

  /** Takes queue entries into batches until none waits; a batch has room for two. */
  async #serveQueue(): Promise<void> {
    const { chain, sequencer } = this.#world;
    await sequencer.syncL1();
    for (;;) {
      const waiting = await sequencer.engine.read((state) => state.l1Queue.length);
      if (waiting === 0) return;
      await this.#waitUntil((unproved) => unproved <= UNPROVED_MAX);
      await sequencer.seal();
      // The engine looks at its queue when L1 has news.
      await chain.mine(1);
      await sequencer.syncL1();
    }
  }

  async #claimAll(): Promise<void> {
    for (const { trader, l1 } of this.participants) {
      for (let tokenId = 0; tokenId < TEST_TOKENS.length; tokenId++) {
        if ((await l1.claimableUnits(tokenId)) === 0n) continue;
        const units = await l1.claim(tokenId);
        this.claims.push({ name: trader.member.name, tokenId, units });
        this.#narrator.note(`${trader.member.name} claims ${amountText(tokenId, units)} on L1`);
      }
    }
  }
}
