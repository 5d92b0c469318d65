import { expect } from 'chai';
import fc from 'fast-check';
import { network } from 'hardhat';
import type { RiskReport } from '#protocol/risk/oracle-report.ts';
import { mediansOf } from '#protocol/risk/oracle-state.ts';
import { blockListings, type SurfaceValues, surfaceOf } from '#protocol/risk/oracle-surface.ts';
import { type Registry, RISK_MORE, RISK_SMALL } from '#protocol/risk/registry.ts';
import { registryOf } from '#test/support/option-registry.ts';
import {
  DAY_SEC,
  deployOracle,
  ORACLE_SIGNERS,
  type OracleFixture,
  postHonestRound,
  reportAt,
  roundPosted,
  START_PRICES,
  signReports,
} from '#test/support/risk-oracle.ts';
import { restoreAfterEach } from '#test/support/rollup.ts';

const SEGMENTS = [RISK_SMALL, RISK_MORE];
/** Blocks of bitcoin: a week, a month, a quarter, the same quarter again; of ether a month without options; and none. */
const [WEEK, MONTH, QUARTER, ETHER, SAME_QUARTER, NEVER] = [0, 1, 2, 3, 4, 5];
/** Strike places of the listed options: two, one, three, and one of the other block of that quarter. */
const LISTED = [0, 1, 2, 4, 5, 6, 18];

describe('RiskOracle: forwards and volatilities of a round', () => {
  let fixture: OracleFixture;
  let registry: Registry;
  let firstTime: bigint;

  before(async () => {
    const connection = await network.connect();
    const now = BigInt(await connection.networkHelpers.time.latest());
    const inDays = (days: bigint) => now + days * BigInt(DAY_SEC);
    const strikes = [90_000_000n, 100_000_000n, 110_000_000n];
    registry = registryOf(SEGMENTS, [
      { underlying: 0, expirySec: inDays(7n), strikes: strikes.slice(0, 2) },
      { underlying: 0, expirySec: inDays(30n), strikes: strikes.slice(1, 2) },
      { underlying: 0, expirySec: inDays(91n), strikes },
      { underlying: 1, expirySec: inDays(30n), strikes: [] },
      { underlying: 0, expirySec: inDays(91n), strikes: [95_000_000n] },
    ]);
    fixture = await deployOracle({
      connection,
      segments: SEGMENTS,
      settings: { instrumentLimit: 32, registry },
    });
    firstTime = fixture.deployedAtSec + 60n;
  });
  const reset = restoreAfterEach(() => fixture);

  /** Contango and a flat smile; what is not listed is reported as well, and must not matter. */
  const calm: SurfaceValues = {
    basisPpb: [1_000_000n, 4_000_000n, 12_000_000n, -3_000_000n, 77n, -77n],
    volPpm: Array.from({ length: 32 }, (_, k) => 600_000n + BigInt(k)),
  };
  const changed = (list: readonly bigint[], place: number, value: bigint) =>
    list.map((old, i) => (i === place ? value : old));
  const withBasis = (block: number, value: bigint): SurfaceValues => ({
    ...calm,
    basisPpb: changed(calm.basisPpb, block, value),
  });
  const withVol = (place: number, value: bigint): SurfaceValues => ({
    ...calm,
    volPpm: changed(calm.volPpm, place, value),
  });
  /** Total variance of a block at the money scales with this. */
  const withVols = (vols: Readonly<Record<number, bigint>>): SurfaceValues => ({
    ...calm,
    volPpm: calm.volPpm.map((vol, k) => vols[k] ?? vol),
  });
  const post = async (reports: readonly RiskReport[], timeSec = firstTime) => {
    const signed = await signReports(
      fixture,
      reports.map((report, i) => [ORACLE_SIGNERS[i], report] as const),
    );
    await fixture.connection.networkHelpers.time.setNextBlockTimestamp(timeSec);
    return fixture.oracle.postRound(signed.reports, signed.signatures);
  };
  const reportOf = (surface: SurfaceValues, timeSec = firstTime, roundNumber = 1n) =>
    reportAt(roundNumber, timeSec, START_PRICES, [0n, 0n], surface);
  const agreed = (surface: SurfaceValues, timeSec = firstTime) =>
    post(
      [1, 2, 3].map(() => reportOf(surface, timeSec)),
      timeSec,
    );
  const refused = async (surface: SurfaceValues, error: string, args: unknown[], timeSec = firstTime) => {
    await expect(agreed(surface, timeSec))
      .to.be.revertedWithCustomError(fixture.oracle, error)
      .withArgs(...args);
    await reset();
  };
  const postedBy = async (transaction: Promise<{ wait(): Promise<unknown> }>) => {
    const receipt = await (await transaction).wait();
    const { values } = roundPosted(fixture, receipt as never);
    await reset();
    return values;
  };

  it('are the medians of the reports, each on its own, and zero where nothing is listed', async () => {
    const spread = [5n, 1n, 3n, 2n, 4n];
    const reports = spread.map((_, i) =>
      reportOf({
        basisPpb: calm.basisPpb.map((basis, b) => basis + spread[(i + b) % 5]),
        volPpm: calm.volPpm.map((vol, k) => vol + 10n * spread[(i + 2 * k) % 5]),
      }),
    );
    const { basisPpb, volPpm } = await postedBy(post(reports));
    expect(basisPpb).to.deep.equal(calm.basisPpb.map((basis, b) => (b < NEVER ? basis + 3n : 0n)));
    expect(volPpm).to.deep.equal(calm.volPpm.map((vol, k) => (LISTED.includes(k) ? vol + 30n : 0n)));
  });

  it('are not moved by one lying signer of five, whatever it says', async () => {
    const most = {
      basisPpb: calm.basisPpb.map(() => 2n ** 31n - 1n),
      volPpm: calm.volPpm.map(() => 2n ** 24n - 1n),
    };
    const least = { basisPpb: calm.basisPpb.map(() => -(2n ** 31n)), volPpm: calm.volPpm.map(() => 0n) };
    const inverted = withVols({ 0: 8_000_000n, 1: 8_000_000n, 2: 1n, 4: 1n, 5: 1n, 6: 1n });
    const honest = await postedBy(agreed(calm));
    for (const lie of [most, least, inverted]) {
      for (const place of [0, 2, 4]) {
        const reports = Array.from({ length: 5 }, (_, i) => reportOf(i === place ? lie : calm));
        const values = await postedBy(post(reports));
        expect(values.basisPpb).to.deep.equal(honest.basisPpb);
        expect(values.volPpm).to.deep.equal(honest.volPpm);
      }
    }
  });

  it('are part of what is signed', async () => {
    const signed = await signReports(
      fixture,
      [0, 1, 2].map((i) => [ORACLE_SIGNERS[i], reportOf(calm)] as const),
    );
    for (const change of [withBasis(NEVER, 1n), withVol(31, 1n)]) {
      const reports = signed.reports.map((report, i) => (i === 1 ? { ...report, ...change } : report));
      await fixture.connection.networkHelpers.time.setNextBlockTimestamp(firstTime);
      await expect(fixture.oracle.postRound(reports, signed.signatures)).to.be.revertedWithCustomError(
        fixture.oracle,
        'NotASigner',
      );
      await reset();
    }
  });

  it('are refused when a report has one too few or too many', async () => {
    const { basisPpb, volPpm } = calm;
    for (const [surface, counts] of [
      [{ basisPpb: basisPpb.slice(1), volPpm }, [5, 32]],
      [{ basisPpb: [...basisPpb, 0n], volPpm }, [7, 32]],
      [{ basisPpb, volPpm: volPpm.slice(1) }, [6, 31]],
      [{ basisPpb, volPpm: [...volPpm, 0n] }, [6, 33]],
      [{ basisPpb: [], volPpm: [] }, [0, 0]],
    ] as [SurfaceValues, number[]][]) {
      const reports = [0, 1, 2].map((i) => reportOf(i === 2 ? surface : calm));
      await expect(post(reports))
        .to.be.revertedWithCustomError(fixture.oracle, 'BadValueCount')
        .withArgs(...counts);
      await reset();
    }
  });

  it('are refused beyond their bounds where something is listed, and there only', async () => {
    await refused(withBasis(QUARTER, 500_000_001n), 'BasisOutOfBounds', [QUARTER, 500_000_001n]);
    await refused(withBasis(ETHER, -500_000_001n), 'BasisOutOfBounds', [ETHER, -500_000_001n]);
    await refused(withVol(6, 8_000_001n), 'VolOutOfBounds', [6, 8_000_001n]);
    const outside = {
      basisPpb: calm.basisPpb.map((basis, b) => (b < NEVER ? basis : 2n ** 31n - 1n)),
      volPpm: calm.volPpm,
    };
    const values = await postedBy(agreed({ ...outside, volPpm: changed(calm.volPpm, 3, 2n ** 24n - 1n) }));
    expect([values.basisPpb[NEVER], values.volPpm[3]]).to.deep.equal([0n, 0n]);
    // The ends themselves are taken.
    await postedBy(agreed(withBasis(ETHER, -500_000_000n)));
    await postedBy(agreed(withVol(6, 8_000_000n)));
  });

  it('are refused when the volatility of a listed strike is missing', async () => {
    await refused(withVol(5, 0n), 'VolOutOfBounds', [5, 0n]);
  });

  it('are refused when total variance falls by more than a tenth to a later expiry', async () => {
    // Seven days less a minute at 60 %: to fall below nine tenths of it, a month must be below 27.5 %.
    const timeLeft = (block: number) =>
      (blockListings(registry, SEGMENTS)[block].expirySec - firstTime) as bigint;
    const variance = (vol: bigint, block: number) => vol * vol * timeLeft(block);
    const early = 9n * variance(600_001n, WEEK);
    let vol = 270_000n;
    while (10n * variance(vol, MONTH) < early) vol++;
    await refused(withVols({ 2: vol - 1n }), 'TotalVarianceFalls', [WEEK, MONTH]);
    await postedBy(agreed(withVols({ 2: vol })));
    // A quarter is compared with the month before it, not with the week.
    await refused(withVols({ 2: 1_300_000n }), 'TotalVarianceFalls', [MONTH, QUARTER]);
    await postedBy(agreed(withVols({ 2: 1_000_000n })));
  });

  it('are compared at the strike nearest the forward', async () => {
    // Bitcoin at $97 a lot: of $90, $100 and $110 the middle one is near; wings may say what they like.
    await postedBy(agreed(withVols({ 0: 5_000_000n, 4: 1n, 6: 1n })));
    await refused(withVols({ 1: 5_000_000n }), 'TotalVarianceFalls', [WEEK, MONTH]);
    await refused(withVols({ 5: 1n }), 'TotalVarianceFalls', [MONTH, QUARTER]);
    // With a forward a tenth higher the third strike is.
    const high = { ...withVols({ 6: 1n }), basisPpb: changed(calm.basisPpb, QUARTER, 100_000_000n) };
    await refused(high, 'TotalVarianceFalls', [MONTH, QUARTER]);
  });

  it('are not compared within one expiry, and each block of it with the expiry before', async () => {
    await postedBy(agreed(withVols({ 5: 2_000_000n, 18: 600_000n })));
    await postedBy(agreed(withVols({ 5: 600_000n, 18: 2_000_000n })));
    await refused(withVols({ 18: 1n }), 'TotalVarianceFalls', [MONTH, SAME_QUARTER]);
    await refused(withVols({ 5: 1n, 18: 1n }), 'TotalVarianceFalls', [MONTH, QUARTER]);
  });

  it('of an expired block stop no round, whatever is reported of it', async () => {
    const expiry = blockListings(registry, SEGMENTS)[WEEK].expirySec;
    const nonsense: SurfaceValues = {
      basisPpb: changed(calm.basisPpb, WEEK, 2n ** 31n - 1n),
      volPpm: changed(changed(calm.volPpm, 0, 0n), 1, 2n ** 24n - 1n),
    };
    // A second before, it is refused; from expiry on it is brought within the bounds.
    await refused(nonsense, 'BasisOutOfBounds', [WEEK, 2n ** 31n - 1n], expiry - 1n);
    for (const timeSec of [expiry, expiry + 400n * BigInt(DAY_SEC)]) {
      const { basisPpb, volPpm } = await postedBy(agreed(nonsense, timeSec));
      expect(basisPpb[WEEK]).to.equal(500_000_000n);
      expect(volPpm.slice(0, 2)).to.deep.equal([1n, 8_000_000n]);
    }
    // Nor is its variance compared any more, once the expiry after it is over as well.
    const blocks = blockListings(registry, SEGMENTS);
    const falling = withVols({ 1: 8_000_000n, 2: 300_000n });
    await refused(falling, 'TotalVarianceFalls', [WEEK, MONTH], blocks[WEEK].expirySec - 1n);
    await postedBy(agreed(falling, blocks[WEEK].expirySec));
  });

  it('follow their TypeScript twin in what is taken, what is refused, and why', async () => {
    const blocks = blockListings(registry, SEGMENTS);
    const errors: Record<string, string> = {
      'basis-out-of-bounds': 'BasisOutOfBounds',
      'vol-out-of-bounds': 'VolOutOfBounds',
      'total-variance-falls': 'TotalVarianceFalls',
    };
    const seen = new Set<string>();
    const basis = fc.oneof(
      { weight: 40, arbitrary: fc.bigInt(-200_000_000n, 200_000_000n) },
      { weight: 1, arbitrary: fc.constantFrom(-500_000_010n, 500_000_000n, 500_000_001n) },
    );
    const vol = fc.oneof(
      { weight: 30, arbitrary: fc.bigInt(300_000n, 900_000n) },
      { weight: 1, arbitrary: fc.constantFrom(0n, 1n, 8_000_000n, 8_000_001n) },
    );
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(1n, 6n * 86_400n + 80_000n, 8n * 86_400n, 31n * 86_400n, 95n * 86_400n),
        fc.array(basis, { minLength: 6, maxLength: 6 }),
        fc.array(vol, { minLength: 32, maxLength: 32 }),
        async (later, basisPpb, volPpm) => {
          const timeSec = firstTime + later;
          const reports = [0n, 1n, 2n].map((off) =>
            reportOf({ basisPpb: basisPpb.map((value) => value + off), volPpm }, timeSec),
          );
          const medians = mediansOf(reports);
          const expected = surfaceOf(medians, blocks, medians.indexMicros, timeSec);
          const attempt = post(reports, timeSec);
          if (expected.ok) {
            const values = await postedBy(attempt);
            expect({ basisPpb: values.basisPpb, volPpm: values.volPpm }).to.deep.equal(expected.value);
          } else {
            const refusal = expect(attempt).to.be.revertedWithCustomError(
              fixture.oracle,
              errors[expected.code],
            );
            await refusal.withArgs(...Object.values(expected.data));
            await reset();
          }
          seen.add(expected.ok ? 'accepted' : expected.code);
        },
      ),
      { numRuns: 80 },
    );
    expect([...seen].sort()).to.deep.equal(['accepted', ...Object.keys(errors)].sort());
  });

  it('come with the parameters in force, so that a round can be proved after they changed', async () => {
    const { values } = await postHonestRound(fixture, reportOf(calm));
    expect(values.underlyings.map(({ options }) => options)).to.deep.equal(
      fixture.settings.underlyings.map(({ options }) => options),
    );
  });
});
