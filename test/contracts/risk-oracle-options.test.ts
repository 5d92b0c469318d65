import { expect } from 'chai';
import { type ContractTransactionReceipt, Interface } from 'ethers';
import { network } from 'hardhat';
import { domainWord as domainWordOf } from '#protocol/batch/words.ts';
import { STANDARD_SHAPE } from '#protocol/limits.ts';
import { PARAMETERS_ABI } from '#protocol/risk/oracle-abi.ts';
import { type RoundValues, riskRoundInputs } from '#protocol/risk/oracle-state.ts';
import {
  type InstrumentStruct,
  type RoundValuesStruct,
  registryFromStructs,
  type SegmentProofStruct,
  segmentProofStructs,
} from '#protocol/risk/oracle-structs.ts';
import type { SurfaceValues } from '#protocol/risk/oracle-surface.ts';
import { type Registry, RISK_SMALL } from '#protocol/risk/registry.ts';
import { L1Reader } from '#sequencer/reconstruct/read-l1.ts';
import { L1Contracts } from '#sequencer/settlement/l1-contracts.ts';
import { registryOf } from '#test/support/option-registry.ts';
import {
  DAY_SEC,
  deployOracle,
  type HardhatConnection,
  ORACLE_SIGNERS,
  type OracleFixture,
  postHonestRound,
  reportAt,
  roundPosted,
  START_PRICES,
  signReports,
} from '#test/support/risk-oracle.ts';
import { type RiskProver, riskProver } from '#test/support/risk-prover.ts';
import { deployRollup, outcome, type RollupFixture, restoreAfterEach } from '#test/support/rollup.ts';

interface Submission {
  values: RoundValuesStruct;
  segment: SegmentProofStruct;
}

describe('RiskOracle: a round with futures and options, proved', function () {
  this.timeout(600_000);
  let prover: RiskProver;
  let fixture: OracleFixture;
  let registry: Registry;
  let domain: bigint;
  let firstTime: bigint;

  const deployVerifier = async ({ ethers }: HardhatConnection) => {
    const [deployer] = await ethers.getSigners();
    const factory = new ethers.ContractFactory(prover.verifier.abi, prover.verifier.bytecode, deployer);
    return (await (await factory.deploy()).waitForDeployment()).getAddress();
  };

  before(async () => {
    prover = await riskProver(`circuits/main/${RISK_SMALL.name}.circom`, STANDARD_SHAPE);
    const connection = await network.connect();
    const now = BigInt(await connection.networkHelpers.time.latest());
    registry = registryOf(
      [RISK_SMALL],
      [
        { underlying: 0, expirySec: now + 7n * BigInt(DAY_SEC), strikes: [90_000_000n, 105_000_000n] },
        { underlying: 1, expirySec: now + 90n * BigInt(DAY_SEC), strikes: [30_000_000n, 36_000_000n] },
      ],
    );
    fixture = await deployOracle({
      connection,
      verifier: deployVerifier,
      circuitHash: prover.circuitHash,
      segments: [RISK_SMALL],
      settings: { registry, instrumentLimit: 16 },
    });
    domain = domainWordOf(fixture.chainId, BigInt(fixture.oracleAddress), prover.circuitHash);
    firstTime = fixture.deployedAtSec + 60n;
  });
  after(() => prover?.close());
  restoreAfterEach(() => fixture);

  const SOUND: SurfaceValues = {
    basisPpb: [2_000_000n, -4_000_000n],
    volPpm: [640_000n, 590_000n, 750_000n, 700_000n],
  };
  /** The call of the higher strike is worth more than that of the lower. */
  const CROSSED: SurfaceValues = { ...SOUND, volPpm: [100_000n, 3_000_000n, 750_000n, 700_000n] };

  const post = (roundNumber: bigint, timeSec: bigint, surface = SOUND) =>
    postHonestRound(fixture, reportAt(roundNumber, timeSec, START_PRICES, [55n, -20n], surface));
  const proved = async (
    posted: { values: RoundValues; struct: RoundValuesStruct },
    change: Partial<RoundValues> = {},
    listed = registry,
  ): Promise<Submission> => {
    const inputs = riskRoundInputs({ ...posted.values, ...change }, listed, [RISK_SMALL]);
    const [segment] = segmentProofStructs(listed, [await prover.prove(inputs, domain)]);
    return { values: posted.struct, segment };
  };
  const submit = async ({ values, segment }: Submission): Promise<ContractTransactionReceipt> =>
    (await fixture.oracle.proveRound(values, [segment])).wait();
  const refused = (submission: Submission, error = 'InvalidRiskProof') =>
    expect(fixture.oracle.proveRound(submission.values, [submission.segment])).to.be.revertedWithCustomError(
      fixture.proofs,
      error,
    );

  it('is rebuilt and proved from L1 events alone', async () => {
    const { receipt } = await post(1n, firstTime);
    const posted = roundPosted(fixture, receipt);
    const [changed] = await fixture.parameters.queryFilter('RegistryChanged', 0);
    const parsed = new Interface(PARAMETERS_ABI).parseLog(changed)?.args.toObject(true);
    const announced = registryFromStructs((parsed as { instruments: InstrumentStruct[] }).instruments);
    expect(announced).to.deep.equal([...registry]);
    const submission = await proved(posted, {}, announced);
    await submit(submission);
    const table = await fixture.oracle.acceptedTable(0);
    expect(table.tableHash).to.equal(submission.segment.endHash);
    expect(table.roundTimeSec).to.equal(firstTime);
  });

  it('costs at most 260,000 gas to post and 410,000 to prove, first slots included', async () => {
    const posted = await post(1n, firstTime);
    const receipt = await submit(await proved(posted));
    expect(Number(posted.receipt.gasUsed)).to.be.at.most(260_000);
    expect(Number(receipt.gasUsed)).to.be.at.most(410_000);
  });

  it('takes no proof of another volatility, forward, time, parameter or registry', async () => {
    const posted = await post(1n, firstTime);
    const { values } = posted;
    const [btc, eth] = values.underlyings;
    const other = (list: readonly bigint[], place: number) =>
      list.map((value, i) => (i === place ? value + 1n : value));
    // Each is an honest proof, of words that are not the posted ones.
    for (const change of [
      { volPpm: other(values.volPpm, 3) },
      { basisPpb: other(values.basisPpb, 0) },
      { timeSec: values.timeSec + 1n },
      { underlyings: [{ ...btc, options: { ...btc.options, shortImPpm: 5_001n } }, eth] },
    ]) {
      await refused(await proved(posted, change));
    }
    const dearer = registry.map((entry) =>
      entry?.id === 1_022 ? { ...entry, strikeMicrosPerLot: entry.strikeMicrosPerLot + 1n } : entry,
    );
    const ofOther = await proved(posted, {}, dearer);
    await refused(ofOther, 'RegistryNotOfRound');
    const honest = await proved(posted);
    await refused({ ...honest, segment: { ...ofOther.segment, listed: honest.segment.listed } });
    await refused({ ...honest, segment: { ...honest.segment, endHash: honest.segment.endHash + 1n } });
    await refused({ ...honest, segment: { ...honest.segment, isSurfaceSound: false } });
    await submit(honest);
  });

  it('has a proof when its first block has expired, whatever was reported of it', async () => {
    const timeSec = firstTime + 8n * BigInt(DAY_SEC);
    const posted = await post(1n, timeSec, {
      basisPpb: [2n ** 31n - 1n, 0n],
      volPpm: [0n, 2n ** 24n - 1n, 1n, 1n],
    });
    await submit(await proved(posted));
    expect(await fixture.oracle.acceptedCount()).to.equal(1);
    // Nobody looked at the market around its expiry: it is not settled, so nobody may trade.
    expect((await fixture.oracle.acceptedTable(0)).isJump).to.equal(true);
  });

  it('has a proof when its first block is settled: at that price, at no other, and not as if it were not', async () => {
    const [expirySec] = registry.flatMap((entry) => (entry?.kind === 'future' ? [entry.expirySec] : []));
    for (let i = 1n; i <= 10n; i++) await post(i, expirySec - 180n * (11n - i));
    const posted = await post(11n, expirySec);
    const { values } = posted;
    expect(values.settlementMicros).to.deep.equal([START_PRICES[0], 0n]);
    expect([values.isJump, values.basisPpb, values.volPpm]).to.deep.equal([
      false,
      [0n, -4_000_000n],
      [0n, 0n, 750_000n, 700_000n],
    ]);
    for (const settlementMicros of [
      [START_PRICES[0] + 1_000n, 0n],
      [0n, 0n],
    ]) {
      const volPpm = settlementMicros[0] === 0n ? SOUND.volPpm : values.volPpm;
      await refused(await proved(posted, { settlementMicros, volPpm }));
    }
    const honest = await proved(posted);
    await expect(
      fixture.oracle.proveRound({ ...honest.values, settlementMicros: [START_PRICES[0] + 1n, 0n] }, [
        honest.segment,
      ]),
    )
      .to.be.revertedWithCustomError(fixture.oracle, 'ValuesNotPosted')
      .withArgs(11);
    await submit(honest);
    const table = await fixture.oracle.acceptedTable(0);
    expect([table.tableHash, table.isJump]).to.deep.equal([honest.segment.endHash, false]);
  });

  describe('whose options contradict each other', () => {
    let rollup: RollupFixture;
    let sound: Submission;
    let secondTime: bigint;

    /** A rollup on round 1, and round 2 posted with a crossed surface. */
    const crossed = async () => {
      const { connection, oracle } = fixture;
      sound = await proved(await post(1n, firstTime));
      await submit(sound);
      rollup = await deployRollup({ oracle: { connection, contract: oracle } });
      secondTime = BigInt(await rollup.nowSec()) + 30n;
      return proved(await post(2n, secondTime, CROSSED));
    };

    it('gives no table: the round is void and the table before it stays in force', async () => {
      const submission = await crossed();
      expect(submission.segment.isSurfaceSound).to.equal(false);
      const { oracle } = fixture;
      const before = await oracle.priceStatus(0);
      expect(await oracle.oldestUnprovedPostedAtSec()).to.equal(secondTime);
      await expect(oracle.proveRound(submission.values, [submission.segment]))
        .to.emit(oracle, 'RoundVoided')
        .withArgs(2)
        .and.not.to.emit(oracle, 'RoundProved');
      const after = await oracle.priceStatus(0);
      expect(after.table.toArray()).to.deep.equal(before.table.toArray());
      expect([after.acceptedCount, after.nextAcceptedAtSec, after.oldestUnprovedPostedAtSec]).to.deep.equal([
        1n,
        0n,
        0n,
      ]);
      expect((await oracle.clock()).lastProvedRound).to.equal(2);
      await expect(oracle.proveRound(submission.values, [submission.segment])).to.be.revertedWithCustomError(
        oracle,
        'RoundNotProvable',
      );
      // Prices get old all the same: nothing pretends that the void round had refreshed them.
      await rollup.setNextTime(firstTime + 180n + 40n);
      await connection().networkHelpers.mine();
      expect((await oracle.pausedSeconds()) - before.pausedSec).to.be.at.least(40n);
    });

    it('cannot be passed off as sound, nor a sound one as void', async () => {
      const submission = await crossed();
      await refused({ ...submission, segment: { ...submission.segment, isSurfaceSound: true } });
      await refused({ ...sound, values: submission.values });
    });

    it('holds up nobody who leaves: batches go on with the table before it', async () => {
      const submission = await crossed();
      const [owner] = rollup.signers;
      const account = await rollup.open(owner);
      await rollup.deposit(owner, account, 0, 500_000_000n);
      await rollup.serveQueue();
      const value = await rollup.rollup.queueFeeWei();
      await rollup.as(owner).requestWithdrawal(account, 0, 20_000_000n, { value });
      // An unproved round stops batches after ten minutes: that the void one counts as proved is what lets them go on.
      await rollup.setNextTime(secondTime + 601n);
      await connection().networkHelpers.mine();
      const served = { outcomes: [outcome(true, 20_000_000n)] };
      await expect(rollup.submit({ body: served })).to.be.revertedWithCustomError(
        rollup.rollup,
        'RoundUnproved',
      );
      await submit(submission);
      await rollup.submit({ body: served });
      expect(await rollup.vault.claimsUnits(owner.address, 0)).to.equal(20_000_000n);
    });

    it('is followed by the next sound one, and whoever reads L1 sees both tables', async () => {
      await submit(await crossed());
      const third = await proved(await post(3n, secondTime + 60n));
      await submit(third);
      expect(await fixture.oracle.acceptedCount()).to.equal(2);
      const reader = new L1Contracts(
        connection().ethers.provider as never,
        await rollup.rollup.getAddress(),
        { shape: STANDARD_SHAPE, tokenCount: 1, firstBlock: 0 },
      );
      const block = await connection().ethers.provider.getBlockNumber();
      const tables = await reader.tables(0, block);
      expect(tables.map(({ table }) => table.roundNumber)).to.deep.equal([1n, 3n]);
      const rebuilder = new L1Reader(connection().ethers.provider as never, await rollup.rollup.getAddress());
      expect([...(await rebuilder.rounds(STANDARD_SHAPE)).values()].map(({ table }) => table)).to.deep.equal(
        tables.map(({ table }) => table),
      );
      expect(tables[1].table.rows.map(({ instrumentId }) => instrumentId)).to.deep.equal([
        1, 2, 4, 5, 100, 1_000, 1_001, 1_002, 1_003, 101, 1_020, 1_021, 1_022, 1_023,
      ]);
    });

    const connection = () => fixture.connection;
  });

  it('takes the surface of four honest signers against a fifth that crosses it', async () => {
    const reports = ORACLE_SIGNERS.map((signer, i) => {
      const surface = i === 2 ? CROSSED : SOUND;
      return [signer, reportAt(1n, firstTime, START_PRICES, [55n, -20n], surface)] as const;
    });
    const signed = await signReports(fixture, reports);
    await fixture.connection.networkHelpers.time.setNextBlockTimestamp(firstTime);
    const receipt = await (await fixture.oracle.postRound(signed.reports, signed.signatures)).wait();
    const submission = await proved(roundPosted(fixture, receipt));
    expect(submission.segment.isSurfaceSound).to.equal(true);
    await submit(submission);
  });
});
