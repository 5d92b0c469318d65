import { expect } from 'chai';
import type { BatchProof } from '#protocol/batch/batch.ts';
import { domainWord as domainWordOf, marginWord } from '#protocol/batch/words.ts';
import { TINY_SHAPE } from '#protocol/limits.ts';
import { DEFAULT_REGISTRY } from '#protocol/risk/default-registry.ts';
import { INSTRUMENT_TUPLE } from '#protocol/risk/oracle-abi.ts';
import { type RoundValues, riskRoundInputs } from '#protocol/risk/oracle-state.ts';
import {
  instrumentStruct,
  type RoundValuesStruct,
  type SegmentProofStruct,
  segmentProofStructs,
} from '#protocol/risk/oracle-structs.ts';
import { type Registry, RISK_TINY } from '#protocol/risk/registry.ts';
import {
  deployOracle,
  type HardhatConnection,
  type OracleFixture,
  postHonestRound,
  reportAt,
  START_PRICES,
} from '#test/support/risk-oracle.ts';
import { type RiskProver, riskProver } from '#test/support/risk-prover.ts';
import { restoreAfterEach } from '#test/support/rollup.ts';

const FIELD_MODULUS = 21888242871839275222246405745257275088548364400416034343698204186575808495617n;
const STALENESS_SEC = 180n;

interface Submission {
  values: RoundValuesStruct;
  segment: SegmentProofStruct;
}

describe('RiskOracle: proving a round', () => {
  let prover: RiskProver;
  let fixture: OracleFixture;
  let domain: bigint;
  let firstTime: bigint;

  const deployVerifier = async ({ ethers }: HardhatConnection) => {
    const [deployer] = await ethers.getSigners();
    const factory = new ethers.ContractFactory(prover.verifier.abi, prover.verifier.bytecode, deployer);
    return (await (await factory.deploy()).waitForDeployment()).getAddress();
  };

  before(async function () {
    this.timeout(600_000);
    prover = await riskProver('circuits/main/risk-tiny.circom', TINY_SHAPE);
    fixture = await deployOracle({ verifier: deployVerifier, circuitHash: prover.circuitHash });
    domain = domainWordOf(fixture.chainId, BigInt(fixture.oracleAddress), prover.circuitHash);
    firstTime = fixture.deployedAtSec + 60n;
  });
  after(() => prover?.close());
  restoreAfterEach(() => fixture);

  /** Proves from nothing but the round's event and the registry. */
  const proved = async (
    posted: { values: RoundValues; struct: RoundValuesStruct },
    registry: Registry = DEFAULT_REGISTRY,
    domainWord = domain,
  ): Promise<Submission> => {
    const task = await prover.prove(riskRoundInputs(posted.values, registry, [RISK_TINY]), domainWord);
    const [segment] = segmentProofStructs(registry, [task]);
    return { values: posted.struct, segment };
  };
  const submit = ({ values, segment }: Submission) => fixture.oracle.proveRound(values, [segment]);
  const expectRefused = (submission: Submission, error: string) =>
    expect(submit(submission)).to.be.revertedWithCustomError(
      error === 'RoundNotProvable' || error === 'ValuesNotPosted' ? fixture.oracle : fixture.proofs,
      error,
    );
  const withSegment = (submission: Submission, change: Partial<SegmentProofStruct>): Submission => ({
    ...submission,
    segment: { ...submission.segment, ...change },
  });
  const mineAt = (timeSec: bigint) => fixture.connection.networkHelpers.time.increaseTo(timeSec);
  /** Posts at `timeSec`, proves at `timeSec + 5`. */
  const accepted = async (roundNumber: bigint, timeSec: bigint, prices: readonly bigint[] = START_PRICES) => {
    const posted = await postHonestRound(fixture, reportAt(roundNumber, timeSec, prices));
    const submission = await proved(posted);
    await fixture.connection.networkHelpers.time.setNextBlockTimestamp(timeSec + 5n);
    await submit(submission);
    return submission;
  };

  it('accepts a table proved by a stranger from public data, once', async () => {
    expect(await fixture.proofs.domainWord(fixture.oracleAddress, 0)).to.equal(domain);
    const posted = await postHonestRound(fixture, reportAt(1n, firstTime, START_PRICES, [321n, -45n]));
    const submission = await proved(posted);
    const [, stranger] = await fixture.connection.ethers.getSigners();
    const theirs = fixture.oracle.connect(stranger) as typeof fixture.oracle;
    const transaction = await theirs.proveRound(submission.values, [submission.segment]);
    const receipt = await transaction.wait();
    const block = await fixture.connection.ethers.provider.getBlock(receipt.blockNumber);
    expect(await fixture.oracle.acceptedCount()).to.equal(1);
    const table = await fixture.oracle.acceptedTable(0);
    expect(table.toObject()).to.deep.equal({
      roundNumber: 1n,
      roundTimeSec: firstTime,
      acceptedAtSec: BigInt(block?.timestamp as number),
      isJump: false,
      marginWord: marginWord({ esCount: 1, addOnUnitDollars: [10_000_000n, 5_000_000n] }),
      tableHash: submission.segment.endHash,
    });
    await expectRefused(submission, 'RoundNotProvable');
  });

  it('costs at most 205,000 gas to post and 375,000 to prove, first slots included', async () => {
    const posted = await postHonestRound(fixture, reportAt(1n, firstTime));
    const receipt = await (await submit(await proved(posted))).wait();
    expect(posted.receipt.gasUsed).to.be.at.most(205_000n);
    expect(receipt.gasUsed).to.be.at.most(375_000n);
  });

  it('refuses a table with one value off by one: no proof reaches it', async () => {
    const submission = await proved(await postHonestRound(fixture, reportAt(1n, firstTime)));
    const { endHash, commitment } = submission.segment;
    await expectRefused(withSegment(submission, { endHash: endHash + 1n }), 'InvalidRiskProof');
    await expectRefused(withSegment(submission, { commitment: commitment + 1n }), 'InvalidRiskProof');
    await expectRefused(withSegment(submission, { isSurfaceSound: false }), 'InvalidRiskProof');
  });

  it('refuses values that no round was posted with', async () => {
    const posted = await postHonestRound(fixture, reportAt(1n, firstTime));
    const submission = await proved(posted);
    const { struct } = posted;
    const [btc, eth] = submission.values.underlyings;
    const changes: Partial<RoundValuesStruct>[] = [
      { timeSec: firstTime + 1n },
      { isJump: true },
      { esCount: 2n },
      { underlyings: [{ ...btc, indexMicros: btc.indexMicros + 1n }, eth] },
      { underlyings: [{ ...btc, premiumPpm: 1n }, eth] },
      { underlyings: [{ ...btc, scanRangePpm: btc.scanRangePpm - 1n }, eth] },
      { underlyings: [btc, { ...eth, scanFactorE9: eth.scanFactorE9 + 1n }] },
      { underlyings: [btc, { ...eth, fundingMicrosPerCoin: 1n }] },
      { underlyings: [{ ...btc, options: { ...btc.options, shortImPpm: 1n } }, eth] },
      { basisPpb: [0n] },
      { volPpm: [0n] },
    ];
    for (const change of changes) {
      await expectRefused({ ...submission, values: { ...struct, ...change } }, 'ValuesNotPosted');
    }
  });

  it('refuses a registry with an instrument missing, one more, or a parameter off by one', async () => {
    const posted = await postHonestRound(fixture, reportAt(1n, firstTime));
    const [first, second, third, fourth] = DEFAULT_REGISTRY;
    for (const registry of [
      DEFAULT_REGISTRY.slice(0, 3),
      [second, first, third, fourth],
      [first, second, third, { ...fourth, chargeImPpm: fourth.chargeImPpm + 1n }],
      [first, second, third, { ...fourth, bandPpm: fourth.bandPpm - 1n }],
    ]) {
      // The proof itself is honest for that registry: what refuses is that the contract holds another.
      await expectRefused(await proved(posted, registry), 'RegistryNotOfRound');
    }
  });

  it('refuses a proof for another round, contract, chain or circuit', async () => {
    const first = await postHonestRound(fixture, reportAt(1n, firstTime));
    const second = await postHonestRound(fixture, reportAt(2n, firstTime + 60n));
    const ofFirst = await proved(first);
    // Same prices and registry, so the same table: only the round number in the words differs.
    await expectRefused({ ...ofFirst, values: second.struct }, 'InvalidRiskProof');
    for (const foreign of [
      domainWordOf(fixture.chainId, BigInt(fixture.oracleAddress) + 1n, prover.circuitHash),
      domainWordOf(fixture.chainId + 1n, BigInt(fixture.oracleAddress), prover.circuitHash),
      domainWordOf(fixture.chainId, BigInt(fixture.oracleAddress), prover.circuitHash + 1n),
    ]) {
      await expectRefused(await proved(second, DEFAULT_REGISTRY, foreign), 'InvalidRiskProof');
    }
  });

  it('refuses public values that are not field elements', async () => {
    const submission = await proved(await postHonestRound(fixture, reportAt(1n, firstTime)));
    const { endHash, commitment } = submission.segment;
    await expectRefused(withSegment(submission, { endHash: endHash + FIELD_MODULUS }), 'NotAFieldElement');
    await expectRefused(
      withSegment(submission, { commitment: commitment + FIELD_MODULUS }),
      'NotAFieldElement',
    );
  });

  it('takes a malleated proof for the same table and no other', async () => {
    const submission = await proved(await postHonestRound(fixture, reportAt(1n, firstTime)));
    const q = 21888242871839275222246405745257275088696311157297823662689037894645226208583n;
    const { proof, endHash } = submission.segment;
    const { a, b, c } = proof;
    const negated: BatchProof = { a: [a[0], q - a[1]], b: [b[0], [q - b[1][0], q - b[1][1]]], c };
    await expectRefused(
      withSegment(submission, { proof: negated, endHash: endHash + 1n }),
      'InvalidRiskProof',
    );
    await submit(withSegment(submission, { proof: negated }));
    expect((await fixture.oracle.acceptedTable(0)).tableHash).to.equal(endHash);
    await expectRefused(submission, 'RoundNotProvable');
  });

  it('lets the newest round skip older ones, which can then no longer be proved', async () => {
    const first = await postHonestRound(fixture, reportAt(1n, firstTime));
    expect(await fixture.oracle.oldestUnprovedPostedAtSec()).to.equal(firstTime);
    const second = await postHonestRound(fixture, reportAt(2n, firstTime + 60n));
    const third = await postHonestRound(fixture, reportAt(3n, firstTime + 120n));
    expect(await fixture.oracle.oldestUnprovedPostedAtSec()).to.equal(firstTime);
    await submit(await proved(second));
    expect(await fixture.oracle.oldestUnprovedPostedAtSec()).to.equal(firstTime + 120n);
    await expectRefused(await proved(first), 'RoundNotProvable');
    await submit(await proved(third));
    expect(await fixture.oracle.oldestUnprovedPostedAtSec()).to.equal(0);
    expect(await fixture.oracle.acceptedCount()).to.equal(2);
  });

  it('tells a batch at once what it tells one by one', async () => {
    const { oracle } = fixture;
    const sameAt = async (index: bigint) => {
      const status = await oracle.priceStatus(index);
      const count: bigint = await oracle.acceptedCount();
      expect(status.acceptedCount).to.equal(count);
      expect(status.oldestUnprovedPostedAtSec).to.equal(await oracle.oldestUnprovedPostedAtSec());
      expect(status.pausedSec).to.equal(await oracle.pausedSeconds());
      const next = index + 1n < count ? (await oracle.acceptedTable(index + 1n)).acceptedAtSec : 0n;
      expect(status.nextAcceptedAtSec).to.equal(next);
      const table = status.table.toArray();
      if (index < count) expect(table).to.deep.equal((await oracle.acceptedTable(index)).toArray());
      else expect(table).to.deep.equal([0n, 0n, 0n, false, 0n, 0n]);
    };
    await sameAt(0n);
    await postHonestRound(fixture, reportAt(1n, firstTime));
    await sameAt(0n);
    await accepted(2n, firstTime + 60n);
    await accepted(3n, firstTime + 120n);
    await accepted(4n, firstTime + 500n, [START_PRICES[0] * 2n, START_PRICES[1]]);
    await mineAt(firstTime + 600n);
    await postHonestRound(fixture, reportAt(5n, firstTime + 601n));
    for (const index of [0n, 1n, 2n, 3n, 2n ** 256n - 1n]) await sameAt(index);
    await expect(oracle.acceptedTable(3))
      .to.be.revertedWithCustomError(oracle, 'UnknownTable')
      .withArgs(3, 3);
  });

  it('refuses a round that was never posted', async () => {
    const posted = await postHonestRound(fixture, reportAt(1n, firstTime));
    const submission = await proved(posted);
    await expectRefused({ ...submission, values: { ...posted.struct, roundNumber: 2n } }, 'RoundNotProvable');
  });

  it('proves a round with the registry it was posted under, whatever changed since', async () => {
    const posted = await postHonestRound(fixture, reportAt(1n, firstTime));
    const tuned = { ...DEFAULT_REGISTRY[2], bandPpm: 11_000n };
    const data = fixture.connection.ethers.AbiCoder.defaultAbiCoder().encode(
      [INSTRUMENT_TUPLE],
      [instrumentStruct(tuned)],
    );
    await fixture.parameters.announceChange(1, data);
    await mineAt(firstTime + 15n * 86_400n);
    await fixture.parameters.applyChange(0, 1, data);
    const tunedRegistry = DEFAULT_REGISTRY.map((entry) => (entry.id === tuned.id ? tuned : entry));
    await expectRefused(await proved(posted, tunedRegistry), 'RegistryNotOfRound');
    await submit(await proved(posted));
    const now = BigInt(await fixture.connection.networkHelpers.time.latest());
    const next = await postHonestRound(fixture, reportAt(2n, now + 60n));
    await expectRefused(await proved(next), 'RegistryNotOfRound');
    await submit(await proved(next, tunedRegistry));
  });

  it('counts the seconds without usable prices, and never backwards', async () => {
    const paused = () => fixture.oracle.pausedSeconds() as Promise<bigint>;
    await mineAt(firstTime);
    expect(await paused(), 'nothing proved yet').to.equal(60n);
    const start = firstTime + 10n;
    await accepted(1n, start); // accepted at start + 5
    const before = 60n + 10n + 5n;
    await mineAt(start + STALENESS_SEC);
    expect(await paused(), 'fresh').to.equal(before);
    await mineAt(start + STALENESS_SEC + 7n);
    expect(await paused(), 'stale for 7 seconds').to.equal(before + 7n);
    await accepted(2n, start + 200n);
    expect(await paused(), 'stale until the next table came').to.equal(before + 25n);
    await mineAt(start + 300n);
    expect(await paused(), 'running prices are not paused').to.equal(before + 25n);
  });

  it('pauses from an accepted jump until the next normal table', async () => {
    await accepted(1n, firstTime);
    const paused = () => fixture.oracle.pausedSeconds() as Promise<bigint>;
    const before = await paused();
    const crashed = START_PRICES.map((price) => (price * 80n) / 100n);
    await accepted(2n, firstTime + 60n, crashed);
    expect((await fixture.oracle.acceptedTable(1)).isJump).to.equal(true);
    await mineAt(firstTime + 100n);
    expect(await paused()).to.equal(before + 35n);
    await accepted(3n, firstTime + 120n, crashed);
    expect((await fixture.oracle.acceptedTable(2)).isJump).to.equal(false);
    expect(await paused()).to.equal(before + 60n);
    await mineAt(firstTime + 200n);
    expect(await paused()).to.equal(before + 60n);
  });
});
