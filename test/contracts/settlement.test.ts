import { expect } from 'chai';
import { network } from 'hardhat';
import { STANDARD_SHAPE } from '#protocol/limits.ts';
import {
  applyRound,
  initialOracleState,
  mediansOf,
  type OracleState,
  type RoundValues,
  riskRoundInputs,
} from '#protocol/risk/oracle-state.ts';
import { blockListings, emptySurface, type SurfaceValues } from '#protocol/risk/oracle-surface.ts';
import { type Registry, RISK_SMALL } from '#protocol/risk/registry.ts';
import { buildRiskTable } from '#protocol/risk/round.ts';
import { readBars } from '#sequencer/market-data/bars.ts';
import { registryOf } from '#test/support/option-registry.ts';
import {
  DAY_SEC,
  deployOracle,
  type OracleFixture,
  postHonestRound,
  reportAt,
  signReports,
} from '#test/support/risk-oracle.ts';
import { type Look, settlementOf } from '#test/support/settlement-rounds.ts';

const SEGMENTS = [RISK_SMALL];
const [BITCOIN, ETHER] = [0, 1];
const BARS = readBars();
const SURFACE: SurfaceValues = {
  basisPpb: [1_000_000n, 2_000_000n],
  volPpm: [1_600_000n, 1_500_000n, 1_700_000n, 1_650_000n],
};
/** Nobody need quote what is settled. */
const NONSENSE: SurfaceValues = {
  basisPpb: [2n ** 31n - 1n, 2n ** 31n - 1n],
  volPpm: [0n, 2n ** 24n - 1n, 0n, 0n],
};

describe('RiskOracle: settlement of expiry blocks', function () {
  this.timeout(120_000);
  let fixture: OracleFixture;
  let registry: Registry;
  let state: OracleState;
  /** Of both blocks: they are of one day. */
  let expirySec: bigint;
  let looks: Look[][];
  let restore: () => Promise<void>;
  let initial: OracleState;

  before(async () => {
    const connection = await network.connect();
    const now = BigInt(await connection.networkHelpers.time.latest());
    expirySec = now + BigInt(2 * DAY_SEC);
    const [{ closeMicros }] = BARS;
    const around = (micros: bigint, lotE8: bigint) =>
      [97n, 103n].map((percent) => (((micros * lotE8) / 100_000_000n) * percent) / 100n);
    registry = registryOf(SEGMENTS, [
      { underlying: BITCOIN, expirySec, strikes: around(closeMicros[0], 100_000n) },
      { underlying: ETHER, expirySec, strikes: around(closeMicros[1], 1_000_000n) },
    ]);
    fixture = await deployOracle({
      connection,
      segments: SEGMENTS,
      settings: { instrumentLimit: 16, registry, indexMicros: closeMicros },
    });
    initial = initialOracleState(fixture.settings.underlyings, closeMicros, fixture.deployedAtSec);
    restore = (await connection.networkHelpers.takeSnapshot()).restore;
  });
  beforeEach(() => {
    state = initial;
    looks = [[], []];
  });
  afterEach(async () => {
    await restore();
    restore = (await fixture.connection.networkHelpers.takeSnapshot()).restore;
  });

  /** A round at this time with the prices of that minute; what the contract makes of it is what its twin does. */
  const post = async (
    timeSec: bigint,
    minute: number,
    surface = SURFACE,
    scale = 1_000n,
  ): Promise<{ values: RoundValues; settled: readonly (readonly bigint[])[] }> => {
    const prices = BARS[minute % BARS.length].closeMicros.map((micros) => (micros * scale) / 1_000n);
    const report = reportAt(state.lastRound + 1n, timeSec, prices, [0n, 0n], surface);
    const { values, indexSeconds, receipt } = await postHonestRound(fixture, report);
    const blocks = blockListings(registry, SEGMENTS);
    const twin = applyRound(state, mediansOf([report]), fixture.settings.underlyings, 1, blocks);
    expect(values).to.deep.equal(twin.values);
    expect(indexSeconds).to.deep.equal([...twin.state.indexSeconds]);
    state = twin.state;
    const { isAfterJump } = await fixture.oracle.clock();
    expect(isAfterJump).to.equal(state.isAfterJump);
    prices.forEach((micros, u) => {
      looks[u].push({ timeSec, micros, isJump: isAfterJump });
    });
    const settled = receipt.logs
      .map((entry) => fixture.oracle.interface.parseLog(entry))
      .flatMap((entry) =>
        entry?.name === 'BlockSettled'
          ? [[entry.args.blockPlace, entry.args.futureId, entry.args.settlementMicros] as bigint[]]
          : [],
      );
    return { values, settled };
  };
  /** A round a minute from the first to the last time, both inclusive. */
  const everyMinute = async (first: bigint, last: bigint, firstMinute = 0) => {
    const posted = [];
    for (let timeSec = first; timeSec <= last; timeSec += 60n) {
      posted.push(await post(timeSec, firstMinute + Number((timeSec - first) / 60n)));
    }
    return posted;
  };

  it('settles both blocks at the first round after expiry, at the mean of the half hour before', async () => {
    const before = await everyMinute(expirySec - 1_860n, expirySec - 1n);
    for (const { values, settled } of before) {
      expect([values.isJump, values.settlementMicros, settled]).to.deep.equal([false, [0n, 0n], []]);
    }
    const { values, settled } = await post(expirySec + 13n, 31);
    const prices = looks.map((ofOne) => settlementOf(ofOne, expirySec)?.micros as bigint);
    expect(settled).to.deep.equal([
      [0n, 100n, prices[0]],
      [1n, 101n, prices[1]],
    ]);
    expect(values.settlementMicros).to.deep.equal(prices);
    expect(values.isJump).to.equal(false);
    // The prices of the two hours differ: the mean is none of them.
    expect(looks[0].some(({ micros }) => micros === prices[0])).to.equal(false);
    expect([values.basisPpb, values.volPpm]).to.deep.equal([
      [0n, 0n],
      [0n, 0n, 0n, 0n],
    ]);
  });

  // A batch between the two times would trade, reduce-only flags or not, at limits signed before the price was known.
  it('settles no round that is ahead of L1 while L1 has not reached the expiry', async () => {
    await everyMinute(expirySec - 1_860n, expirySec - 1n);
    const report = reportAt(state.lastRound + 1n, expirySec, BARS[31].closeMicros, [0n, 0n], SURFACE);
    const { reports, signatures } = await signReports(
      fixture,
      fixture.signers.slice(0, 3).map((signer) => [signer, report] as const),
    );
    const { time } = fixture.connection.networkHelpers;
    await time.setNextBlockTimestamp(expirySec - 1n);
    await expect(fixture.oracle.postRound(reports, signatures))
      .to.be.revertedWithCustomError(fixture.oracle, 'SettledBeforeExpiry')
      .withArgs(0n, expirySec, expirySec - 1n);
    await time.setNextBlockTimestamp(expirySec);
    await expect(fixture.oracle.postRound(reports, signatures)).to.emit(fixture.oracle, 'BlockSettled');
  });

  it('says the same price in every later round, whatever the market does and is said of the block', async () => {
    await everyMinute(expirySec - 1_860n, expirySec - 1n);
    const { values: first } = await post(expirySec, 31);
    for (const [later, minute, surface] of [
      [60n, 40, NONSENSE],
      [86_400n, 90, emptySurface(SEGMENTS)],
      [40_000_000n, 5, NONSENSE],
    ] as const) {
      const { values, settled } = await post(expirySec + later, minute, surface);
      expect(values.settlementMicros).to.deep.equal(first.settlementMicros);
      expect(settled).to.deep.equal([]);
    }
  });

  it('gives rows that stand at the settlement value, from that round on', async () => {
    await everyMinute(expirySec - 1_860n, expirySec - 1n);
    const tableOf = (values: RoundValues) =>
      buildRiskTable(riskRoundInputs(values, registry, SEGMENTS), STANDARD_SHAPE);
    const { values } = await post(expirySec, 31);
    const rows = tableOf(values).rows.filter(({ instrumentId }) => instrumentId >= 100);
    expect(rows.every(({ isSettled, isReduceOnly }) => isSettled && isReduceOnly)).to.equal(true);
    const value = (values.settlementMicros[0] + 500n) / 1_000n;
    const strikes = registry.flatMap((entry) =>
      entry?.kind === 'option' && entry.underlying === 0 ? [entry.strikeMicrosPerLot] : [],
    );
    const max = (micros: bigint) => (micros > 0n ? micros : 0n);
    expect(rows.filter(({ underlying }) => underlying === 0).map(({ mark }) => mark)).to.deep.equal([
      value,
      ...strikes.flatMap((strike) => [max(value - strike), max(strike - value)]),
    ]);
    for (const row of rows) {
      expect(row.losses.every((loss) => loss === 0n)).to.equal(true);
      expect([row.delta, row.chargeImShort, row.chargeMmLong, row.band, row.penalty]).to.deep.equal(
        Array(5).fill(0n),
      );
    }
  });

  it('waits where rounds were missing: until then every round is a jump, and the feeds go on', async () => {
    // Nothing for the last six minutes before expiry.
    await everyMinute(expirySec - 1_860n, expirySec - 360n);
    const feedOf = async () => (await fixture.oracle.feedOf(0)).confirmedIndexMicros as bigint;
    const waiting = await everyMinute(expirySec, expirySec + 1_740n, 40);
    for (const { values, settled } of waiting) {
      expect([values.isJump, values.settlementMicros, settled]).to.deep.equal([true, [0n, 0n], []]);
    }
    // The last price was near the one before it, so it is the market's though nobody may use it.
    const clock = await fixture.oracle.clock();
    expect(clock.isAfterJump).to.equal(false);
    expect(clock.lastNormalTimeSec).to.equal(clock.lastTimeSec);
    expect(await feedOf()).to.equal(looks[0].at(-1)?.micros);
    const { values, settled } = await post(expirySec + 1_800n, 70);
    expect(settled.map(([place]) => place)).to.deep.equal([0n, 1n]);
    expect(values.isJump).to.equal(false);
    expect(values.settlementMicros[0]).to.equal(settlementOf(looks[0], expirySec)?.micros);
    expect(settlementOf(looks[0], expirySec)?.startSec).to.equal(expirySec);
    // Not of the six minutes nobody saw.
    const { startSec } = await fixture.oracle.settlementWindows(0);
    expect(startSec).to.equal(expirySec);
  });

  it('settles with a jump, whose price is not in it', async () => {
    await everyMinute(expirySec - 1_860n, expirySec - 60n);
    const before = looks[0].at(-1)?.micros as bigint;
    const { values } = await post(expirySec + 5n, 30, SURFACE, 1_400n);
    expect(values.isJump).to.equal(true);
    const { startIndexSeconds } = await fixture.oracle.settlementWindows(0);
    // 1,740 seconds up to the last round, and a minute of its price.
    const sum = state.indexSeconds[0] - before * 5n - startIndexSeconds;
    expect(values.settlementMicros[0]).to.equal((2n * sum + 1_800n) / 3_600n);
    expect(values.settlementMicros[0]).to.equal(settlementOf(looks[0], expirySec)?.micros);
  });

  it('averages a confirmed jump inside the window from its own time on, and a false one not at all', async () => {
    const outcome = async (scaleAfter: bigint) => {
      await everyMinute(expirySec - 1_860n, expirySec - 660n);
      const { values: jumped } = await post(expirySec - 600n, 0, SURFACE, 1_300n);
      expect(jumped.isJump).to.equal(true);
      for (let left = 540n; left > 0n; left -= 60n) await post(expirySec - left, 0, SURFACE, scaleAfter);
      const { values } = await post(expirySec, 0, SURFACE, scaleAfter);
      expect(values.isJump).to.equal(false);
      const jumpedMicros = jumped.underlyings[0].indexMicros;
      return { settlementMicros: values.settlementMicros[0], jumpedMicros };
    };
    // Ten of thirty minutes at the higher price.
    const high = await outcome(1_300n);
    const meanBefore = settlementOf(
      looks[0].map((look) =>
        look.timeSec < expirySec - 600n ? look : { ...look, micros: 0n, isJump: false },
      ),
      expirySec,
    )?.micros as bigint;
    expect(high.settlementMicros - meanBefore - high.jumpedMicros / 3n).to.be.within(-1n, 1n);
    await restore();
    restore = (await fixture.connection.networkHelpers.takeSnapshot()).restore;
    [state, looks] = [initial, [[], []]];
    const low = await outcome(1_000n);
    expect(low.settlementMicros).to.equal(settlementOf(looks[0], expirySec)?.micros);
  });

  it('costs a round in the window at most 60,000 gas more', async () => {
    const gasOf = async (timeSec: bigint, minute: number) => {
      const report = reportAt(state.lastRound + 1n, timeSec, BARS[minute].closeMicros, [0n, 0n], SURFACE);
      const { receipt } = await postHonestRound(fixture, report);
      state = { ...state, lastRound: state.lastRound + 1n };
      return Number(receipt.gasUsed);
    };
    await gasOf(expirySec - 3_000n, 0);
    const outside = await gasOf(expirySec - 2_940n, 1);
    await gasOf(expirySec - 1_740n, 2); // opens both windows
    const inside = await gasOf(expirySec - 1_680n, 3);
    expect(inside - outside).to.be.at.most(60_000);
  });
});
