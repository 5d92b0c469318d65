import { expect } from 'chai';
import { type Contract, ZeroAddress } from 'ethers';
import { network } from 'hardhat';
import { STANDARD_SHAPE } from '#protocol/limits.ts';
import { INSTRUMENT_TUPLE } from '#protocol/risk/oracle-abi.ts';
import { riskRoundInputs } from '#protocol/risk/oracle-state.ts';
import { instrumentStruct, registryFromStructs } from '#protocol/risk/oracle-structs.ts';
import { emptySurface } from '#protocol/risk/oracle-surface.ts';
import { type Registry, type RegistryEntry, RISK_MORE, RISK_SMALL } from '#protocol/risk/registry.ts';
import { segmentsInUse } from '#protocol/risk/risk-words.ts';
import { buildRiskTable } from '#protocol/risk/round.ts';
import { futureEntry, optionEntry, registryOf } from '#test/support/option-registry.ts';
import {
  DAY_SEC,
  deployOracle,
  type OracleFixture,
  postHonestRound,
  reportAt,
  START_PRICES,
} from '#test/support/risk-oracle.ts';

const SEGMENTS = [RISK_SMALL, RISK_MORE];
const KIND = { list: 0, tune: 1 } as const;
/** Blocks 0 and 2 are listed; block 2 is the first of the second segment. */
const [NEAR, EMPTY, FAR] = [0, 1, 2];
const FIRST_PLACE = 6;
const NEAR_IDS = [100, 1_000, 1_001, 1_002, 1_003];
const FAR_IDS = [102, 1_040, 1_041];
const STRIKES = [90_000_000n, 105_000_000n];

describe('RiskParameters: what expired and nobody holds', () => {
  let fixture: OracleFixture;
  let registry: Registry;
  let governor: Contract;
  let rollup: Contract;
  let anyone: Contract;
  let [governorAddress, rollupAddress, anyoneAddress]: string[] = [];
  let expirySec: bigint;
  let restore: () => Promise<void>;

  before(async () => {
    const connection = await network.connect();
    const now = BigInt(await connection.networkHelpers.time.latest());
    expirySec = now + BigInt(7 * DAY_SEC);
    registry = registryOf(SEGMENTS, [
      { underlying: 0, expirySec, strikes: STRIKES },
      undefined,
      { underlying: 0, expirySec: expirySec + BigInt(DAY_SEC), strikes: STRIKES.slice(0, 1) },
    ]);
    fixture = await deployOracle({
      connection,
      segments: SEGMENTS,
      settings: { instrumentLimit: 16, registry },
    });
    const [ofGovernor, ofRollup, other] = await connection.ethers.getSigners();
    governor = fixture.parameters;
    rollup = governor.connect(ofRollup) as Contract;
    anyone = governor.connect(other) as Contract;
    [governorAddress, rollupAddress, anyoneAddress] = [ofGovernor, ofRollup, other].map(
      ({ address }) => address,
    );
    restore = (await connection.networkHelpers.takeSnapshot()).restore;
  });
  afterEach(async () => {
    await restore();
    restore = (await fixture.connection.networkHelpers.takeSnapshot()).restore;
  });

  const refusal = async (attempt: Promise<unknown>, error: string, args: unknown[] = []) => {
    await expect(attempt)
      .to.be.revertedWithCustomError(governor, error)
      .withArgs(...args);
  };
  const bound = async () => governor.bindRollup(rollupAddress);
  const expired = async (sinceSec = 1n) => {
    await bound();
    await fixture.connection.networkHelpers.time.increaseTo(expirySec + sinceSec);
  };
  const retireAll = async (ids: readonly number[]) => {
    for (const id of ids) await rollup.retire(id);
  };
  const listed = async (): Promise<Registry> => registryFromStructs(await governor.instruments());

  describe('the rollup', () => {
    it('is bound by the governor alone, once, and never to nothing', async () => {
      const { bindRollup } = anyone;
      await refusal(bindRollup(rollupAddress), 'NotGovernor', [anyoneAddress]);
      await refusal(governor.bindRollup(ZeroAddress), 'RollupNotBindable', [ZeroAddress, 0]);
      await expect(bound()).to.emit(governor, 'RollupBound').withArgs(rollupAddress);
      expect(await governor.rollup()).to.equal(rollupAddress);
      await refusal(governor.bindRollup(rollupAddress), 'RollupNotBindable', [rollupAddress, 0]);
      await refusal(governor.bindRollup(governor), 'RollupNotBindable', [rollupAddress, 0]);
    });

    it('cannot be bound any more once a change is announced: users had to know it before', async () => {
      const data = fixture.connection.ethers.AbiCoder.defaultAbiCoder().encode(['uint8'], [1]);
      await governor.announceChange(3, data);
      await refusal(bound(), 'RollupNotBindable', [ZeroAddress, 1]);
      await governor.withdrawChange(0);
      await refusal(bound(), 'RollupNotBindable', [ZeroAddress, 1]);
    });

    it('is the only one that retires, the governor is not', async () => {
      await expired();
      await refusal(governor.retire(100), 'NotRollup', [governorAddress]);
      await refusal(anyone.retire(100), 'NotRollup', [anyoneAddress]);
      await expect(rollup.retire(100)).to.emit(governor, 'InstrumentRetired').withArgs(100);
    });

    it('that is not bound cannot retire', async () => {
      await fixture.connection.networkHelpers.time.increaseTo(expirySec);
      await refusal(rollup.retire(100), 'NotRollup', [rollupAddress]);
    });
  });

  it('is not retired before its expiry, and nothing that never expires', async () => {
    await bound();
    await fixture.connection.networkHelpers.time.setNextBlockTimestamp(expirySec - 1n);
    await refusal(rollup.retire(1_001), 'NotExpired', [1_001]);
    await fixture.connection.networkHelpers.time.setNextBlockTimestamp(expirySec);
    await rollup.retire(1_001);
    await refusal(rollup.retire(102), 'NotExpired', [102]);
    for (const id of [1, 4]) await refusal(rollup.retire(id), 'NotExpired', [id]);
    for (const id of [0, 7, 1_004, 99_999]) await refusal(rollup.retire(id), 'UnknownInstrument', [id]);
  });

  it('may be retired twice: no rollup is stuck for saying so again', async () => {
    await expired();
    await retireAll([1_000, 1_000]);
    await expect(rollup.retire(1_000)).not.to.emit(governor, 'InstrumentRetired');
    // Four of five are left, not three.
    await refusal(anyone.clearBlock(NEAR), 'BlockInUse', [NEAR, 4]);
  });

  it('is cleared by anyone once future, calls and puts are retired, each of them', async () => {
    await expired();
    for (let left = NEAR_IDS.length; left > 0; left--) {
      await refusal(anyone.clearBlock(NEAR), 'BlockInUse', [NEAR, left]);
      await rollup.retire(NEAR_IDS[left - 1]);
    }
    await expect(anyone.clearBlock(NEAR)).to.emit(governor, 'BlockCleared').withArgs(NEAR);
    await refusal(anyone.clearBlock(NEAR), 'NoSuchBlock', [NEAR]);
    for (const place of [EMPTY, 6, 1_000]) await refusal(anyone.clearBlock(place), 'NoSuchBlock', [place]);
    await refusal(anyone.clearBlock(FAR), 'BlockInUse', [FAR, 3]);
  });

  it('leaves the registry with a new hash, its places empty and the rest as it was', async () => {
    await expired();
    await retireAll(NEAR_IDS);
    const [before, count] = [await governor.registryHash(), await governor.instrumentCount()];
    const least = (await governor.underlyingParameters(0)).indexMinMicros;
    const receipt = await (await anyone.clearBlock(NEAR)).wait();
    const names = receipt.logs.map((entry: never) => governor.interface.parseLog(entry)?.name);
    expect(names).to.include.members(['RegistryChanged', 'BlockCleared']);
    expect(await governor.registryHash()).not.to.equal(before);
    expect(await governor.instrumentCount()).to.equal(count - 5n);
    expect(await listed()).to.deep.equal(
      registry.map((entry, place) => (place >= FIRST_PLACE && place < FIRST_PLACE + 3 ? undefined : entry)),
    );
    const { blocks } = await governor.roundParameters();
    expect([...blocks[NEAR].strikesMicrosPerLot]).to.deep.equal([0n, 0n]);
    expect([blocks[NEAR].expirySec, blocks[NEAR].futureId, blocks[FAR].futureId]).to.deep.equal([
      0n,
      0n,
      102n,
    ]);
    // The far block has the same lot: its bound on the index stays.
    expect((await governor.underlyingParameters(0)).indexMinMicros).to.equal(least);
  });

  it('needs no second proof of a round when the last segment is empty again', async () => {
    await expired(BigInt(DAY_SEC));
    expect(await governor.segmentsInUse()).to.equal(2);
    await retireAll(FAR_IDS);
    await anyone.clearBlock(FAR);
    expect(await governor.segmentsInUse()).to.equal(1);
    const places = await listed();
    expect(places.length).to.equal(12);
    const timeSec = BigInt(await fixture.connection.networkHelpers.time.latest()) + 60n;
    const report = reportAt(1n, timeSec, START_PRICES, [0n, 0n], emptySurface(SEGMENTS));
    const { values, struct } = await postHonestRound(fixture, report);
    const inputs = riskRoundInputs(values, places, SEGMENTS);
    expect(segmentsInUse(inputs)).to.equal(1);
    expect(struct.registryHash).to.equal(await governor.registryHash());
    const ids = buildRiskTable(inputs, STANDARD_SHAPE).rows.map(({ instrumentId }) => instrumentId);
    expect(ids).to.include.members(NEAR_IDS).and.not.to.include.members(FAR_IDS);
  });

  describe('a block listed anew after clearing', () => {
    const DELAY_SEC = 14 * DAY_SEC;
    let newExpirySec: bigint;
    const change = (place: number, entry: RegistryEntry) =>
      fixture.connection.ethers.AbiCoder.defaultAbiCoder().encode(
        ['uint256', INSTRUMENT_TUPLE],
        [place, instrumentStruct(entry)],
      );
    const block = () => ({ underlying: 1, expirySec: newExpirySec, strikes: [] });
    /** Announced while the old block is there, applied two weeks later, when it is gone. */
    const announced = async (...entries: readonly (readonly [number, RegistryEntry])[]) => {
      for (const [place, entry] of entries) await governor.announceChange(KIND.list, change(place, entry));
      return (i: number) => governor.applyChange(i, KIND.list, change(...entries[i]));
    };
    const later = () => fixture.connection.networkHelpers.time.increaseTo(expirySec + 10n * BigInt(DAY_SEC));
    const cleared = async () => {
      await retireAll(NEAR_IDS);
      await anyone.clearBlock(NEAR);
    };
    beforeEach(async () => {
      await bound();
      newExpirySec = expirySec + BigInt(DELAY_SEC);
    });

    it('takes new ids, another underlying and its own strikes', async () => {
      const apply = await announced(
        [FIRST_PLACE, futureEntry(200, block())],
        [FIRST_PLACE + 1, optionEntry(2_000, 33_000_000n, block())],
      );
      await later();
      await refusal(apply(0), 'PlaceTaken', [FIRST_PLACE]);
      await cleared();
      await apply(0);
      await apply(1);
      const { blocks } = await governor.roundParameters();
      expect([blocks[NEAR].underlying, blocks[NEAR].futureId]).to.deep.equal([1n, 200n]);
      expect([...blocks[NEAR].strikesMicrosPerLot]).to.deep.equal([33_000_000n, 0n]);
      expect((await listed())[FIRST_PLACE + 2]).to.equal(undefined);
    });

    it('refuses every id that was ever used: of the future, of a call, of a put', async () => {
      const apply = await announced(
        [FIRST_PLACE, futureEntry(100, block())],
        [FIRST_PLACE, futureEntry(1_001, block())],
        [FIRST_PLACE, futureEntry(200, block())],
        [FIRST_PLACE + 1, optionEntry(1_002, 33_000_000n, block())],
        [FIRST_PLACE + 1, optionEntry(100, 33_000_000n, block())],
      );
      await later();
      await cleared();
      await refusal(apply(0), 'InstrumentIdTaken', [100]);
      await refusal(apply(1), 'InstrumentIdTaken', [1_001]);
      await apply(2);
      await refusal(apply(3), 'InstrumentIdTaken', [1_002]);
      await refusal(apply(4), 'InstrumentIdTaken', [100]);
    });

    it('is not touched by the ids of the old one: neither retired nor tuned', async () => {
      const apply = await announced([FIRST_PLACE, futureEntry(200, block())]);
      await later();
      await cleared();
      await apply(0);
      for (const id of NEAR_IDS) await rollup.retire(id);
      await refusal(anyone.clearBlock(NEAR), 'BlockInUse', [NEAR, 1]);
      await refusal(rollup.retire(200), 'NotExpired', [200]);
      const old = registry[FIRST_PLACE] as RegistryEntry;
      const data = fixture.connection.ethers.AbiCoder.defaultAbiCoder().encode(
        [INSTRUMENT_TUPLE],
        [instrumentStruct(old)],
      );
      await governor.announceChange(KIND.tune, data);
      await fixture.connection.networkHelpers.time.increase(DELAY_SEC);
      await refusal(governor.applyChange(1, KIND.tune, data), 'UnknownInstrument', [100]);
    });

    it('has a window of its own: the old settlement price is none of its', async () => {
      const { oracle, connection } = fixture;
      let roundNumber = 0n;
      const post = async (timeSec: bigint) => {
        const report = reportAt(++roundNumber, timeSec, START_PRICES, [0n, 0n], {
          basisPpb: emptySurface(SEGMENTS).basisPpb,
          volPpm: emptySurface(SEGMENTS).volPpm.map(() => 600_000n),
        });
        return postHonestRound(fixture, report);
      };
      const settle = async (atSec: bigint) => {
        for (let left = 1_800n; left > 0n; left -= 180n) await post(atSec - left);
        return post(atSec);
      };
      const apply = await announced([FIRST_PLACE, futureEntry(200, block())]);
      const { receipt, values } = await settle(expirySec);
      await expect(receipt).to.emit(oracle, 'BlockSettled').withArgs(NEAR, 100, START_PRICES[0]);
      expect(values.settlementMicros.slice(0, 3)).to.deep.equal([START_PRICES[0], 0n, 0n]);
      await later();
      await cleared();
      const without = await post(BigInt(await connection.networkHelpers.time.latest()) + 60n);
      expect(without.values.settlementMicros).to.deep.equal(Array(6).fill(0n));
      await apply(0);
      const before = await post(newExpirySec - 3_600n);
      expect(before.values.settlementMicros[NEAR]).to.equal(0n);
      expect((await oracle.settlementWindows(NEAR)).settlementMicros).to.equal(START_PRICES[0]);
      const again = await settle(newExpirySec);
      await expect(again.receipt).to.emit(oracle, 'BlockSettled').withArgs(NEAR, 200, START_PRICES[1]);
      expect(again.values.settlementMicros[NEAR]).to.equal(START_PRICES[1]);
    });
  });

  it('fits a deployment however much is listed from the start', async () => {
    const connection = await network.connect();
    const now = BigInt(await connection.networkHelpers.time.latest());
    const full = registryOf(
      SEGMENTS,
      Array.from({ length: 6 }, (_, b) => ({
        underlying: b % 2,
        expirySec: now + BigInt((b + 2) * DAY_SEC),
        strikes: Array.from(
          { length: b < 2 ? 2 : 7 },
          (__, k) => (b % 2 === 0 ? 90_000_000n : 30_000_000n) + BigInt(k),
        ),
      })),
    );
    const made = await deployOracle({
      connection,
      segments: SEGMENTS,
      settings: { instrumentLimit: 128, registry: full },
    });
    expect(registryFromStructs(await made.parameters.instruments())).to.deep.equal([...full]);
    const { data } = (await made.parameters.deploymentTransaction()) ?? { data: '0x' };
    expect(data.length / 2 - 1)
      .to.be.greaterThan(20_000)
      .and.at.most(40_000);
  });
});
