import { expect } from 'chai';
import type { Contract } from 'ethers';
import { network } from 'hardhat';
import { INSTRUMENT_TUPLE } from '#protocol/risk/oracle-abi.ts';
import { instrumentStruct } from '#protocol/risk/oracle-structs.ts';
import { emptySurface } from '#protocol/risk/oracle-surface.ts';
import { type RegistryEntry, RISK_MORE, RISK_SMALL } from '#protocol/risk/registry.ts';
import { futureEntry, optionEntry, registryOf } from '#test/support/option-registry.ts';
import {
  DAY_SEC,
  deployOracle,
  type OracleFixture,
  reportAt,
  roundPosted,
  START_PRICES,
  signReports,
} from '#test/support/risk-oracle.ts';

const SEGMENTS = [RISK_SMALL, RISK_MORE];
/** The future of the first block, and that of the second, where nothing is listed at first. */
const [FIRST_PLACE, OTHER_PLACE] = [6, 9];
const OLD_IDS = [100, 1_000, 1_001];
const LIST = 0;
const LISTING_SEC = 60n;

describe('RiskOracle: reports of the time before a listing', () => {
  let fixture: OracleFixture;
  let governor: Contract;
  let rollup: Contract;
  let expirySec: bigint;

  beforeEach(async () => {
    const connection = await network.connect();
    expirySec = BigInt(await connection.networkHelpers.time.latest()) + BigInt(7 * DAY_SEC);
    fixture = await deployOracle({
      connection,
      segments: SEGMENTS,
      settings: {
        instrumentLimit: 16,
        registry: registryOf(SEGMENTS, [{ underlying: 0, expirySec, strikes: [97_000_000n] }]),
      },
    });
    const [, ofRollup] = await connection.ethers.getSigners();
    governor = fixture.parameters;
    rollup = governor.connect(ofRollup) as Contract;
    await governor.bindRollup(ofRollup.address);
  });

  const now = async () => BigInt(await fixture.connection.networkHelpers.time.latest());
  const listData = (place: number, entry: RegistryEntry) =>
    fixture.connection.ethers.AbiCoder.defaultAbiCoder().encode(
      ['uint256', INSTRUMENT_TUPLE],
      [place, instrumentStruct(entry)],
    );
  /** Announces listings and waits until anyone may apply them, which the answer does. */
  const ready = async (...entries: readonly (readonly [number, RegistryEntry])[]) => {
    const data = entries.map(([place, entry]) => listData(place, entry));
    for (const one of data) await governor.announceChange(LIST, one);
    await fixture.connection.networkHelpers.time.increase(14 * DAY_SEC);
    return async () => {
      for (const [i, one] of data.entries()) await governor.applyChange(i, LIST, one);
      return now();
    };
  };
  /** Three reports with one volatility and the index as the forward in every place, listed or not. */
  const signed = (timesSec: readonly bigint[]) => {
    const { basisPpb, volPpm } = emptySurface(SEGMENTS);
    const surface = { basisPpb, volPpm: volPpm.map(() => 2_500_000n) };
    return signReports(
      fixture,
      timesSec.map((timeSec, i) => [
        fixture.signers[i],
        reportAt(1n, timeSec, START_PRICES, [0n, 0n], surface),
      ]),
    );
  };
  const postAt = async (timesSec: readonly bigint[], atSec: bigint) => {
    const { reports, signatures } = await signed(timesSec);
    await fixture.connection.networkHelpers.time.setNextBlockTimestamp(atSec);
    return fixture.oracle.postRound(reports, signatures);
  };
  const block = (underlying: number) => ({ underlying, expirySec: expirySec + 372n * 86_400n, strikes: [] });

  it('do not price other options that took the place of those they were signed for', async () => {
    const apply = await ready(
      [FIRST_PLACE, futureEntry(200, block(0))],
      [FIRST_PLACE + 1, optionEntry(2_000, 97_000_000n, block(0))],
    );
    for (const id of OLD_IDS) await rollup.retire(id);
    const { reports, signatures } = await signed(Array(3).fill((await now()) + 5n));
    await governor.clearBlock(0);
    const listedAtSec = await apply();
    await expect(fixture.oracle.postRound(reports, signatures))
      .to.be.revertedWithCustomError(fixture.oracle, 'ReportBeforeListing')
      .withArgs(reports[0].timeSec, listedAtSec + LISTING_SEC);
  });

  it('do not put a future at the index because no signer named a forward yet', async () => {
    const apply = await ready([OTHER_PLACE, futureEntry(200, block(1))]);
    const listedAtSec = await apply();
    const least = listedAtSec + LISTING_SEC;
    await expect(postAt([least, least - 1n, least], least))
      .to.be.revertedWithCustomError(fixture.oracle, 'ReportBeforeListing')
      .withArgs(least - 1n, least);
    const receipt = await (await postAt([least, least, least], least + 1n)).wait();
    expect(roundPosted(fixture, receipt).values.timeSec).to.equal(least);
  });
});
