import { expect } from 'chai';
import fc from 'fast-check';
import { TINY_SHAPE } from '#protocol/limits.ts';
import { DEFAULT_REGISTRY, DEFAULT_UNDERLYING_PARAMETERS } from '#protocol/risk/default-registry.ts';
import { INSTRUMENT_TUPLE } from '#protocol/risk/oracle-abi.ts';
import {
  geometryStruct,
  instrumentStruct,
  type OracleSettings,
  registryFromStructs,
} from '#protocol/risk/oracle-structs.ts';
import { type RegistryEntry, RISK_TINY } from '#protocol/risk/registry.ts';
import { riskStatements } from '#protocol/risk/risk-words.ts';
import { lots } from '#protocol/units.ts';
import {
  DAY_SEC,
  deployOracle,
  ORACLE_SIGNERS,
  type OracleFixture,
  oracleSettings,
  postHonestRound,
  reportAt,
  START_PRICES,
} from '#test/support/risk-oracle.ts';
import { roundOf } from '#test/support/risk-rounds.ts';

const KIND = { list: 0, tune: 1, underlying: 2, esCount: 3, signers: 4, governor: 5 } as const;
const name32 = (name: string) => `0x${Buffer.from(name).toString('hex').padEnd(64, '0')}`;

describe('RiskParameters', () => {
  let fixture: OracleFixture;
  let shared: OracleFixture;
  let restore: () => Promise<void>;

  before(async () => {
    shared = await deployOracle({
      settings: { registry: DEFAULT_REGISTRY.slice(0, 3), underlyings: oracleSettings('').underlyings },
    });
    restore = (await shared.connection.networkHelpers.takeSnapshot()).restore;
  });
  beforeEach(() => {
    fixture = shared;
  });
  afterEach(async () => {
    await restore();
    restore = (await shared.connection.networkHelpers.takeSnapshot()).restore;
  });

  const encode = (types: string[], values: unknown[]) =>
    fixture.connection.ethers.AbiCoder.defaultAbiCoder().encode(types, values);
  const instrumentData = (entry: RegistryEntry) => encode([INSTRUMENT_TUPLE], [instrumentStruct(entry)]);
  /** At the first free place of the tiny circuit unless told otherwise. */
  const listData = (entry: RegistryEntry, place = 3) =>
    encode(['uint256', INSTRUMENT_TUPLE], [place, instrumentStruct(entry)]);
  const perp = DEFAULT_REGISTRY[2];
  const etherPerp = DEFAULT_REGISTRY[3];
  const wait = (seconds: number) => fixture.connection.networkHelpers.time.increase(seconds);
  const announce = async (kind: number, data: string): Promise<bigint> => {
    const changeId: bigint = await fixture.parameters.announcementCount();
    await fixture.parameters.announceChange(kind, data);
    return changeId;
  };
  const apply = (changeId: bigint, kind: number, data: string) =>
    fixture.parameters.applyChange(changeId, kind, data);
  /** Announces, waits for the delay and applies. */
  const change = async (kind: number, data: string) => {
    const changeId = await announce(kind, data);
    await wait(14 * DAY_SEC);
    return apply(changeId, kind, data);
  };
  const expectRefused = async (attempt: Promise<unknown>, error: string, args?: unknown[]) => {
    const refused = expect(attempt).to.be.revertedWithCustomError(fixture.parameters, error);
    await (args === undefined ? refused : refused.withArgs(...args));
  };
  const expectOutOfBounds = (attempt: Promise<unknown>, parameter: string) =>
    expectRefused(attempt, 'ParameterOutOfBounds').then(async () => {
      const reason = await attempt.catch((error: Error) => error.message);
      expect(reason).to.include(name32(parameter));
    });
  const listed = async () => registryFromStructs(await fixture.parameters.instruments());

  it('starts with the given registry, in its order', async () => {
    expect(await listed()).to.deep.equal([...DEFAULT_REGISTRY.slice(0, 3), undefined]);
    expect([...(await fixture.parameters.signers())]).to.deep.equal(
      ORACLE_SIGNERS.map(({ address }) => address),
    );
  });

  it('applies a change only after its delay, by anyone, and once', async () => {
    const data = instrumentData({ ...perp, bandPpm: 11_000n });
    const changeId = await announce(KIND.tune, data);
    await wait(14 * DAY_SEC - 2);
    await expectRefused(apply(changeId, KIND.tune, data), 'ChangeNotReady');
    await wait(1);
    const [, stranger] = await fixture.connection.ethers.getSigners();
    await (fixture.parameters.connect(stranger) as typeof fixture.parameters).applyChange(
      changeId,
      KIND.tune,
      data,
    );
    expect((await listed())[2]?.bandPpm).to.equal(11_000n);
    await expectRefused(apply(changeId, KIND.tune, data), 'UnknownChange', [changeId]);
  });

  it('lets only the governor announce and withdraw', async () => {
    const [, stranger] = await fixture.connection.ethers.getSigners();
    const theirs = fixture.parameters.connect(stranger) as typeof fixture.parameters;
    await expectRefused(theirs.announceChange(KIND.esCount, encode(['uint8'], [2])), 'NotGovernor', [
      stranger.address,
    ]);
    const changeId = await announce(KIND.esCount, encode(['uint8'], [2]));
    await expectRefused(theirs.withdrawChange(changeId), 'NotGovernor', [stranger.address]);
    await fixture.parameters.withdrawChange(changeId);
    await wait(14 * DAY_SEC);
    await expectRefused(apply(changeId, KIND.esCount, encode(['uint8'], [2])), 'UnknownChange', [changeId]);
  });

  it('refuses other contents than the announced ones', async () => {
    const announced = instrumentData({ ...perp, bandPpm: 10_500n });
    const changeId = await announce(KIND.tune, announced);
    await wait(14 * DAY_SEC);
    const other = instrumentData({ ...perp, bandPpm: 11_000n });
    await expectRefused(apply(changeId, KIND.tune, other), 'UnknownChange', [changeId]);
    await expectRefused(apply(changeId, KIND.list, announced), 'UnknownChange', [changeId]);
  });

  it('lets an announcement lapse, so that none is kept in stock', async () => {
    const data = instrumentData({ ...perp, bandPpm: 11_000n });
    const changeId = await announce(KIND.tune, data);
    await wait(28 * DAY_SEC + 1);
    await expectRefused(apply(changeId, KIND.tune, data), 'ChangeLapsed');
  });

  it('moves no number by more than 10 % in a delay, however many changes were announced', async () => {
    const first = instrumentData({ ...perp, bandPpm: 11_000n });
    const second = instrumentData({ ...perp, bandPpm: 12_000n });
    const ids = [await announce(KIND.tune, first), await announce(KIND.tune, second)];
    await wait(14 * DAY_SEC);
    await expectRefused(apply(ids[1], KIND.tune, second), 'StepTooLarge', [
      name32('bandPpm'),
      10_000n,
      12_000n,
    ]);
    await apply(ids[0], KIND.tune, first);
    await expectRefused(apply(ids[1], KIND.tune, second), 'ChangeOvertaken');
    await change(KIND.tune, second);
    expect((await listed())[2]?.bandPpm).to.equal(12_000n);
  });

  for (const [field, value] of [
    ['chargeImPpm', 11_001n],
    ['chargeMmPpm', 5_399n],
    ['bandPpm', 8_999n],
    ['penaltyPpm', 11_001n],
    ['openInterestCap', lots(11_000_001n)],
    ['positionCap', lots(1_100_001n)],
  ] as const) {
    it(`refuses a step of ${field} beyond 10 %`, async () => {
      await expectRefused(change(KIND.tune, instrumentData({ ...perp, [field]: value })), 'StepTooLarge');
    });
  }

  it('keeps kind, underlying and lot of a listed instrument', async () => {
    for (const fixed of [{ lotE8: 100_001n }, { underlying: 1 }]) {
      await expectRefused(change(KIND.tune, instrumentData({ ...perp, ...fixed })), 'FixedFieldChanged', [4]);
    }
    await expectRefused(change(KIND.tune, instrumentData(etherPerp)), 'UnknownInstrument', [5]);
  });

  it('lists a new instrument at the announced place and tells its whole registry', async () => {
    const data = listData(etherPerp);
    const before = await fixture.parameters.registryHash();
    await expect(change(KIND.list, data)).to.emit(fixture.parameters, 'RegistryChanged');
    expect(await listed()).to.deep.equal([...DEFAULT_REGISTRY.slice(0, 3), etherPerp]);
    const structs = (await listed()).map(instrumentStruct);
    const { keccak256 } = fixture.connection.ethers;
    const segmentHash = keccak256(encode([`${INSTRUMENT_TUPLE}[]`], [structs]));
    const hash = keccak256(encode(['bytes32[]'], [[segmentHash]]));
    expect(await fixture.parameters.registryHash())
      .to.equal(hash)
      .and.not.to.equal(before);
  });

  it('lists no more instruments than the smallest batch has rows', async () => {
    fixture = await deployOracle({
      segments: [{ ...RISK_TINY, linear: 5 }],
      settings: { registry: DEFAULT_REGISTRY },
    });
    const fifth = listData({ ...etherPerp, id: 6 }, 4);
    await expectRefused(change(KIND.list, fifth), 'ParameterOutOfBounds', [name32('instruments'), 5, 1, 4]);
  });

  it('never lists an id twice', async () => {
    await expectRefused(change(KIND.list, listData({ ...etherPerp, id: 4 })), 'InstrumentIdTaken', [4]);
  });

  for (const [what, field, entry] of [
    ['a perpetual under a spot id', 'id', { ...etherPerp, id: 3 }],
    ['a spot token under a derivative id', 'id', { ...etherPerp, kind: 'spot' as const }],
    ['an id of 21 bits', 'id', { ...etherPerp, id: 2 ** 20 }],
    ['an underlying that has no price', 'underlying', { ...etherPerp, underlying: 2 }],
    ['a lot above one coin', 'lotE8', { ...etherPerp, lotE8: 100_000_001n }],
    ['a lot of nothing', 'lotE8', { ...etherPerp, lotE8: 0n }],
    ['a lot with more than $25 of initial margin', 'lotImMicros', { ...etherPerp, lotE8: 4_000_000n }],
    ['maintenance above initial margin', 'chargeMmPpm', { ...etherPerp, chargeMmPpm: 10_001n }],
    ['a charge above 20 %', 'chargeImPpm', { ...etherPerp, chargeImPpm: 200_001n }],
    ['a band above 5 %', 'bandPpm', { ...etherPerp, bandPpm: 50_001n }],
    ['a penalty above 2 %', 'penaltyPpm', { ...etherPerp, penaltyPpm: 20_001n }],
    ['a cap beyond 47 bits', 'openInterestCapLots', { ...etherPerp, openInterestCap: lots(1n << 47n) }],
    [
      'lots whose loss could leave the circuit',
      'indexMicros',
      { ...etherPerp, openInterestCap: lots(1n << 46n) },
    ],
  ] as [string, string, RegistryEntry][]) {
    it(`refuses to list ${what}`, async () => {
      await expectOutOfBounds(change(KIND.list, listData(entry)), field);
    });
  }

  it('judges a listing at the oracle’s last confirmed price, not at a jump’s', async () => {
    // One lot: $66 · (18 % + 1 %) = $12.5; at twice the price it would be $25.08, above the limit.
    const entry = { ...etherPerp, lotE8: 2_000_000n };
    const changeId = await announce(KIND.list, listData(entry));
    await wait(14 * DAY_SEC);
    const timeSec = BigInt(await fixture.connection.networkHelpers.time.latest()) + 10n;
    const doubled = [START_PRICES[0], 2n * START_PRICES[1]];
    const jump = await postHonestRound(fixture, reportAt(1n, timeSec, doubled));
    expect(jump.values.isJump).to.equal(true);
    const snapshot = await fixture.connection.networkHelpers.takeSnapshot();
    await apply(changeId, KIND.list, listData(entry));
    await snapshot.restore();
    await postHonestRound(fixture, reportAt(2n, timeSec + 60n, doubled));
    await expectOutOfBounds(apply(changeId, KIND.list, listData(entry)), 'lotImMicros');
  });

  it('moves scan range and reference volatility within 10 %', async () => {
    const data = (range: bigint, vol: bigint) => encode(['uint256', 'uint24', 'uint24'], [0, range, vol]);
    await expectRefused(change(KIND.underlying, data(176_001n, 28_000n)), 'StepTooLarge');
    await expectRefused(change(KIND.underlying, data(160_000n, 25_199n)), 'StepTooLarge');
    await change(KIND.underlying, data(176_000n, 25_200n));
    const { underlyings } = await fixture.parameters.roundParameters();
    expect(underlyings[0].baseScanRangePpm).to.equal(176_000n);
    expect(underlyings[0].referenceVolPpm).to.equal(25_200n);
    expect(underlyings[1].baseScanRangePpm).to.equal(180_000n);
  });

  it('lets caps come down after the price outgrew them, not go up', async () => {
    // 2.18e9 lots of 0.001 BTC: the range of prices ends at 4.2 times the first one, headroom is 4.
    const wide = { ...perp, openInterestCap: lots(2_180_000_000n) };
    fixture = await deployOracle({ settings: { registry: [wide] } });
    const timeSec = BigInt(await fixture.connection.networkHelpers.time.latest()) + 10n;
    await postHonestRound(fixture, reportAt(1n, timeSec, [(START_PRICES[0] * 109n) / 100n, START_PRICES[1]]));
    const more = instrumentData({ ...wide, openInterestCap: lots(2_180_000_001n) });
    await expectOutOfBounds(change(KIND.tune, more), 'indexMicros');
    const { underlyings: before } = await fixture.parameters.roundParameters();
    await change(KIND.tune, instrumentData({ ...wide, openInterestCap: lots(2_175_000_000n) }));
    const { underlyings: after } = await fixture.parameters.roundParameters();
    expect(after[0].indexMaxMicros > before[0].indexMaxMicros).to.equal(true);
  });

  it('admits only prices at which every instrument has a row, in any market and at any premium', async () => {
    const entryOf = (lotE8: bigint, capBits: number, isSpot: boolean) => (_: unknown, i: number) => ({
      ...DEFAULT_REGISTRY[isSpot ? i : 2 + i],
      lotE8,
      openInterestCap: lots((1n << BigInt(capBits)) - 1n),
    });
    let deployed = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.bigInt(1n, 300_000n),
        fc.integer({ min: 1, max: 47 }),
        fc.boolean(),
        async (lotE8, capBits, isSpot) => {
          const registry = [0, 1].map(entryOf(lotE8, capBits, isSpot));
          const made = await deployOracle({ settings: { registry } }).catch((error: Error) => {
            if (error.message.includes('ParameterOutOfBounds')) return undefined;
            throw error;
          });
          if (made === undefined) return;
          deployed++;
          const { underlyings } = await made.parameters.roundParameters();
          for (const end of ['indexMinMicros', 'indexMaxMicros']) {
            for (const sign of [1n, -1n]) {
              const round = roundOf(
                { btc: underlyings[0][end], eth: underlyings[1][end] },
                {
                  registry,
                  segments: [RISK_TINY],
                  scanRangePpm: DEFAULT_UNDERLYING_PARAMETERS.map(
                    ({ baseScanRangePpm }) => 2n * baseScanRangePpm,
                  ),
                  scanFactorE9: [2_000_000_000n, 2_000_000_000n],
                  premiumPpm: [sign * 10_000n, sign * 10_000n],
                  fundingMicrosPerCoin: [sign * (1n << 49n), -sign * (1n << 49n)],
                },
              );
              // Throws where there is no table, and words that do not hold the values.
              riskStatements(round, TINY_SHAPE, [1n]);
            }
          }
        },
      ),
      { numRuns: 20 },
    );
    expect(deployed).to.be.at.least(3);
  });

  it('makes a market reduce-only after the delay', async () => {
    await change(KIND.tune, instrumentData({ ...perp, isReduceOnly: true }));
    expect((await listed())[2]?.isReduceOnly).to.equal(true);
  });

  it('moves the expected-shortfall count by one', async () => {
    await expectOutOfBounds(change(KIND.esCount, encode(['uint8'], [3])), 'esCount');
    await change(KIND.esCount, encode(['uint8'], [2]));
    expect(await fixture.parameters.esCount()).to.equal(2);
    await change(KIND.esCount, encode(['uint8'], [1]));
    await expectOutOfBounds(change(KIND.esCount, encode(['uint8'], [0])), 'esCount');
  });

  it('replaces the signers after the delay: the old ones count no more', async () => {
    const [governor, ...others] = await fixture.connection.ethers.getSigners();
    const fresh = others.slice(0, 5).map(({ address }) => address);
    await change(KIND.signers, encode(['address[5]'], [fresh]));
    expect([...(await fixture.parameters.signers())]).to.deep.equal(fresh);
    expect(await fixture.parameters.isSigner(ORACLE_SIGNERS[0].address)).to.equal(false);
    expect(await fixture.parameters.isSigner(fresh[4])).to.equal(true);
    const twice = [...fresh.slice(0, 4), fresh[0]];
    await expectRefused(change(KIND.signers, encode(['address[5]'], [twice])), 'BadSigner', [fresh[0]]);
    const timeSec = BigInt(await fixture.connection.networkHelpers.time.latest()) + 10n;
    await expect(postHonestRound(fixture, reportAt(1n, timeSec))).to.be.revertedWithCustomError(
      fixture.oracle,
      'NotASigner',
    );
    expect(await fixture.parameters.governor()).to.equal(governor.address);
  });

  it('hands governance over after the delay', async () => {
    const [, heir] = await fixture.connection.ethers.getSigners();
    await change(KIND.governor, encode(['address'], [heir.address]));
    expect(await fixture.parameters.governor()).to.equal(heir.address);
    await expectRefused(
      fixture.parameters.announceChange(KIND.esCount, encode(['uint8'], [2])),
      'NotGovernor',
    );
  });

  const dust = {
    ...DEFAULT_REGISTRY[3],
    lotE8: 1n,
    openInterestCap: lots(1n),
    positionCap: lots(1n),
  };
  for (const [what, settings, reason] of [
    ['a delay below seven days', { delaySec: BigInt(7 * DAY_SEC - 1) }, 'delaySec'],
    ['a registry longer than its limit', { instrumentLimit: 3 }, 'instruments'],
    [
      'a lot that is too large at the first price',
      { indexMicros: [160_000_000_000n, START_PRICES[1]] },
      'lotImMicros',
    ],
    [
      'a lot so small that its mark could vanish',
      { registry: [dust], indexMicros: [START_PRICES[0], 300n] },
      'indexMicros',
    ],
  ] as [string, Partial<OracleSettings>, string][]) {
    it(`refuses to start with ${what}`, async () => {
      const refusal = await deployOracle({ settings }).then(
        () => 'deployed',
        (error: Error) => error.message,
      );
      expect(refusal).to.include('ParameterOutOfBounds').and.to.include(name32(reason));
    });
  }

  it('refuses to start with a verifier that has no code', async () => {
    const [, nobody] = await fixture.connection.ethers.getSigners();
    const segment = { geometry: geometryStruct(RISK_TINY), verifier: nobody.address, circuitHash: 1n };
    await expect(fixture.connection.ethers.deployContract('RoundProofs', [[segment]]))
      .to.be.revertedWithCustomError(fixture.proofs, 'VerifierWithoutCode')
      .withArgs(nobody.address);
  });

  it('serves the oracle it was made for and no other', async () => {
    const deployment = fixture.connection.ethers.deployContract('RiskOracle', [fixture.parameters, 180]);
    await expect(deployment)
      .to.be.revertedWithCustomError(fixture.oracle, 'ParametersOfAnotherOracle')
      .withArgs(fixture.oracleAddress);
  });
});
