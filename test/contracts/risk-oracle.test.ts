import { expect } from 'chai';
import { Wallet } from 'ethers';
import fc from 'fast-check';
import { DEFAULT_UNDERLYING_PARAMETERS } from '#protocol/risk/default-registry.ts';
import type { RiskReport } from '#protocol/risk/oracle-report.ts';
import { applyRound, initialOracleState, mediansOf, type OracleState } from '#protocol/risk/oracle-state.ts';
import {
  deployOracle,
  ORACLE_SIGNERS,
  type OracleFixture,
  postHonestRound,
  reportAt,
  roundPosted,
  type Signer,
  START_PRICES,
  signReports,
} from '#test/support/risk-oracle.ts';
import { restoreAfterEach } from '#test/support/rollup.ts';

const [btc, eth] = START_PRICES;
const share = (price: bigint, ppm: bigint) => (price * ppm) / 1_000_000n;

describe('RiskOracle: posting a round', () => {
  let fixture: OracleFixture;
  let firstTime: bigint;

  before(async () => {
    fixture = await deployOracle();
    firstTime = fixture.deployedAtSec + 60n;
  });
  const reset = restoreAfterEach(() => fixture);

  const honest = (signer: Signer, changes: Partial<RiskReport> = {}) =>
    [signer, { ...reportAt(1n, firstTime), ...changes }] as const;
  const three = (changes: Partial<RiskReport>) =>
    ORACLE_SIGNERS.slice(0, 3).map((signer) => honest(signer, changes));
  const post = async (signed: Awaited<ReturnType<typeof signReports>>, timeSec = firstTime) => {
    await fixture.connection.networkHelpers.time.setNextBlockTimestamp(timeSec);
    return fixture.oracle.postRound(signed.reports, signed.signatures);
  };
  const expectRefusal = async (
    signed: Awaited<ReturnType<typeof signReports>>,
    error: string,
    args?: unknown[],
    timeSec = firstTime,
  ) => {
    const refused = expect(post(signed, timeSec)).to.be.revertedWithCustomError(fixture.oracle, error);
    await (args === undefined ? refused : refused.withArgs(...args));
  };

  it('takes the median of each value on its own', async () => {
    const reports = ORACLE_SIGNERS.map((signer, i) =>
      honest(signer, {
        timeSec: firstTime + BigInt([2, 0, 1, -1, 3][i]),
        indexMicros: [btc + BigInt([5, 1, 3, 2, 4][i]), eth + BigInt([1, 2, 3, 4, 5][i])],
        premiumPpm: [BigInt([50, -10, 30, 20, 40][i]), BigInt([-1, -2, -3, -4, -5][i])],
      }),
    );
    const receipt = await (await post(await signReports(fixture, reports))).wait();
    const { values } = roundPosted(fixture, receipt);
    expect(values.timeSec).to.equal(firstTime + 1n);
    expect(values.underlyings.map(({ indexMicros }) => indexMicros)).to.deep.equal([btc + 3n, eth + 3n]);
    expect(values.underlyings.map(({ premiumPpm }) => premiumPpm)).to.deep.equal([30n, -3n]);
  });

  it('is not moved by one lying signer of five, whatever it says', async () => {
    const lies: Partial<RiskReport>[] = [
      {
        indexMicros: [btc * 100n, 1n],
        premiumPpm: [8_000_000n, -8_000_000n],
        timeSec: firstTime + 1_000_000n,
      },
      { indexMicros: [0n, 0n], premiumPpm: [-8_000_000n, 8_000_000n], timeSec: 0n },
    ];
    for (const lie of lies) {
      const reports = ORACLE_SIGNERS.map((signer, i) => honest(signer, i === 2 ? lie : {}));
      const receipt = await (await post(await signReports(fixture, reports))).wait();
      const { values } = roundPosted(fixture, receipt);
      expect(values.isJump).to.equal(false);
      expect(values.timeSec).to.equal(firstTime);
      expect(values.underlyings.map(({ indexMicros }) => indexMicros)).to.deep.equal(START_PRICES);
      expect(values.underlyings.map(({ premiumPpm }) => premiumPpm)).to.deep.equal([0n, 0n]);
      await reset();
    }
  });

  it('gives the medians of its TypeScript twin for any three to five reports', async () => {
    const value = fc.bigInt(-9_000n, 9_000n);
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.bigInt(-14n, 14n), value, value, value, value), { minLength: 3, maxLength: 5 }),
        async (choices) => {
          const reports = choices.map(([time, a, b, c, d], i) =>
            honest(ORACLE_SIGNERS[i], {
              timeSec: firstTime + time,
              indexMicros: [btc + a, eth + b],
              premiumPpm: [2n * c, d],
            }),
          );
          const receipt = await (await post(await signReports(fixture, reports))).wait();
          await reset();
          const { values } = roundPosted(fixture, receipt);
          const medians = mediansOf(reports.map(([, report]) => report));
          expect(values.timeSec).to.equal(medians.timeSec);
          expect(values.underlyings.map(({ indexMicros }) => indexMicros)).to.deep.equal(medians.indexMicros);
          expect(values.underlyings.map(({ premiumPpm }) => premiumPpm)).to.deep.equal(medians.premiumPpm);
        },
      ),
      { numRuns: 25 },
    );
  });

  it('refuses fewer than three and more than five reports', async () => {
    const two = await signReports(fixture, three({}).slice(0, 2));
    await expectRefusal(two, 'BadReportCount', [2, 2]);
    const six = await signReports(
      fixture,
      [...ORACLE_SIGNERS, ORACLE_SIGNERS[0]].map((signer) => honest(signer)),
    );
    await expectRefusal(six, 'BadReportCount', [6, 6]);
    const signed = await signReports(fixture, three({}));
    await expectRefusal({ ...signed, signatures: signed.signatures.slice(0, 2) }, 'BadReportCount', [3, 2]);
  });

  it('refuses the same signer twice and signers out of order', async () => {
    const [a, b, c] = ORACLE_SIGNERS;
    await expectRefusal(
      await signReports(fixture, [honest(a), honest(b), honest(b)]),
      'SignersNotAscending',
      [b.address, b.address],
    );
    await expectRefusal(
      await signReports(fixture, [honest(a), honest(c), honest(b)]),
      'SignersNotAscending',
      [c.address, b.address],
    );
  });

  it('refuses a key that is not a signer', async () => {
    const stranger = Wallet.createRandom();
    const reports = [...ORACLE_SIGNERS.slice(0, 2), stranger].map((signer) => honest(signer));
    await expectRefusal(await signReports(fixture, reports), 'NotASigner', [stranger.address]);
  });

  it('refuses signatures for another chain and another contract', async () => {
    const otherChain = await signReports({ ...fixture, chainId: fixture.chainId + 1n }, three({}));
    await expectRefusal(otherChain, 'NotASigner');
    const wideChain = await signReports({ ...fixture, chainId: fixture.chainId + (1n << 16n) }, three({}));
    await expectRefusal(wideChain, 'NotASigner');
    const otherOracle = await signReports(
      { ...fixture, oracleAddress: ORACLE_SIGNERS[0].address },
      three({}),
    );
    await expectRefusal(otherOracle, 'NotASigner');
  });

  it('refuses a report changed after signing', async () => {
    const signed = await signReports(fixture, three({}));
    const reports = signed.reports.map((report, i) =>
      i === 1 ? { ...report, indexMicros: [btc + 1n, eth] } : report,
    );
    await expectRefusal({ ...signed, reports }, 'NotASigner');
  });

  it('has no encoding for the second signature (r, n − s) of a report, and refuses a high s', async () => {
    const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
    const hex = (value: bigint) => `0x${value.toString(16).padStart(64, '0')}`;
    const signed = await signReports(fixture, three({}));
    const withFirst = (change: (s: bigint, parity: bigint) => bigint) => {
      const [first, ...others] = signed.signatures;
      const vs = change(BigInt(first.vs) & ((1n << 255n) - 1n), BigInt(first.vs) >> 255n);
      return { ...signed, signatures: [{ ...first, vs: hex(vs) }, ...others] };
    };
    // n − s needs the bit that holds the parity, so what arrives is another s and another signer.
    await expectRefusal(
      withFirst((s, parity) => (order - s) | ((1n - parity) << 255n)),
      'NotASigner',
    );
    await expectRefusal(
      withFirst(() => (1n << 255n) - 1n),
      'ECDSAInvalidSignatureS',
    );
  });

  it('refuses a replayed round, a round ahead and mixed rounds', async () => {
    const signed = await signReports(fixture, three({}));
    await post(signed);
    await expectRefusal(signed, 'WrongRound', [2, 1], firstTime + 1n);
    await expectRefusal(
      await signReports(fixture, three({ roundNumber: 3n })),
      'WrongRound',
      [2, 3],
      firstTime + 2n,
    );
    const next = { roundNumber: 2n, timeSec: firstTime + 3n };
    const mixed = [...three(next).slice(0, 2), honest(ORACLE_SIGNERS[2])];
    await expectRefusal(await signReports(fixture, mixed), 'WrongRound', [2, 1], firstTime + 3n);
  });

  it('refuses a round that is not later than the last one', async () => {
    await postHonestRound(fixture, reportAt(1n, firstTime));
    const again = await signReports(fixture, three({ roundNumber: 2n }));
    await expectRefusal(again, 'RoundTimeNotLater', [firstTime, firstTime], firstTime + 60n);
    const earlier = await signReports(fixture, three({ roundNumber: 2n, timeSec: firstTime - 1n }));
    await expectRefusal(earlier, 'RoundTimeNotLater', [firstTime, firstTime - 1n], firstTime + 61n);
  });

  it('takes a round 15 seconds ahead of L1 and refuses 16', async () => {
    const ahead = await signReports(fixture, three({ timeSec: firstTime + 16n }));
    await expectRefusal(ahead, 'RoundTimeOutsideWindow', [firstTime + 16n, firstTime]);
    await post(await signReports(fixture, three({ timeSec: firstTime + 17n })), firstTime + 2n);
  });

  it('takes reports of the age limit and refuses older ones', async () => {
    const signed = await signReports(fixture, three({}));
    await expectRefusal(signed, 'RoundTimeOutsideWindow', [firstTime, firstTime + 181n], firstTime + 181n);
    await reset();
    await post(signed, firstTime + 180n);
  });

  it('refuses prices at which no table could be proved', async () => {
    const parameters = await fixture.parameters.roundParameters();
    const [least, most] = [
      parameters.underlyings[0].indexMinMicros,
      parameters.underlyings[0].indexMaxMicros,
    ];
    for (const price of [0n, least - 1n, most + 1n]) {
      const signed = await signReports(fixture, three({ indexMicros: [price, eth] }));
      await expectRefusal(signed, 'IndexOutOfDomain', [0, price, least, most], firstTime);
    }
  });

  it('clamps the premium to 1 % of the index', async () => {
    const { values } = await postHonestRound(
      fixture,
      reportAt(1n, firstTime, START_PRICES, [10_001n, -4_000_000n]),
    );
    expect(values.underlyings.map(({ premiumPpm }) => premiumPpm)).to.deep.equal([10_000n, -10_000n]);
  });

  it('follows its TypeScript twin bit for bit through calm, crash, gaps and jumps', async () => {
    let state: OracleState = initialOracleState(
      DEFAULT_UNDERLYING_PARAMETERS,
      START_PRICES,
      fixture.deployedAtSec,
    );
    let [bitcoin, ether, timeSec] = [btc, eth, fixture.deployedAtSec];
    const steps: [moveBtcPpm: bigint, moveEthPpm: bigint, premium: bigint, gapSec: bigint][] = [
      [1_000n, -2_000n, 30n, 60n],
      [-99_999n, -100_000n, -12_000n, 60n],
      [-100_001n, 0n, 9_999n, 61n], // a jump
      [500n, -500n, 9_999n, 60n], // confirmed
      [-250_000n, -300_000n, 1n, 60n], // a jump
      [420_000n, 460_000n, 1n, 60n], // back again: within 10 % of the confirmed price
      [300_000n, 0n, -7n, 90n], // a jump
      [200_000n, 0n, -7n, 90n], // another: the first is never confirmed
      [1n, 1n, -7n, 7_000n], // confirmed after a long gap
      ...Array.from({ length: 20 }, (_, i): [bigint, bigint, bigint, bigint] => [
        i % 2 === 0 ? 60_000n : -55_000n,
        i % 3 === 0 ? -40_000n : 21_000n,
        BigInt((i - 10) * 700),
        BigInt(1 + i * 97),
      ]),
    ];
    const jumps: boolean[] = [];
    for (const [moveBtcPpm, moveEthPpm, premium, gapSec] of steps) {
      bitcoin += share(bitcoin, moveBtcPpm);
      ether += share(ether, moveEthPpm);
      timeSec += gapSec;
      const report = reportAt(state.lastRound + 1n, timeSec, [bitcoin, ether], [premium, -premium]);
      const expected = applyRound(state, mediansOf([report]), DEFAULT_UNDERLYING_PARAMETERS, 1, []);
      state = expected.state;
      const posted = await postHonestRound(fixture, report);
      expect(posted.values).to.deep.equal(expected.values);
      expect(posted.indexSeconds).to.deep.equal(state.indexSeconds);
      for (const u of [0, 1]) {
        const feed = await fixture.oracle.feedOf(u);
        expect(Object.entries(state.feeds[u]).map(([name]) => feed[name])).to.deep.equal(
          Object.values(state.feeds[u]),
        );
      }
      jumps.push(posted.values.isJump);
    }
    expect(jumps.slice(0, 9)).to.deep.equal([false, false, true, false, true, false, true, true, false]);
    expect(state.feeds[0].scanFactorE9 > 1_000_000_000n, 'the crash raised the scan range').to.equal(true);
  });
});
