import { expect } from 'chai';
import { network } from 'hardhat';
import {
  DEFAULT_OPTION_PARAMETERS,
  DEFAULT_REGISTRY,
  DEFAULT_UNDERLYING_PARAMETERS,
} from '#protocol/risk/default-registry.ts';
import { INSTRUMENT_TUPLE, OPTION_PARAMETERS_TUPLE } from '#protocol/risk/oracle-abi.ts';
import { instrumentStruct, registryFromStructs } from '#protocol/risk/oracle-structs.ts';
import {
  type OptionParameters,
  type Registry,
  type RegistryEntry,
  RISK_MORE,
  RISK_SMALL,
} from '#protocol/risk/registry.ts';
import { lots } from '#protocol/units.ts';
import { futureEntry, optionEntry, registryOf } from '#test/support/option-registry.ts';
import {
  DAY_SEC,
  deployOracle,
  type HardhatConnection,
  type OracleFixture,
} from '#test/support/risk-oracle.ts';

const KIND = { list: 0, tune: 1, options: 6 } as const;
/** Places of RISK_SMALL: six linear ones, then a future and two strikes, twice. */
const FIRST_FUTURE = 6;
const FIRST_STRIKE = 7;
const SECOND_STRIKE = 8;
const OTHER_FUTURE = 9;
const OTHER_STRIKE = 10;
const DELAY_SEC = 14 * DAY_SEC;
const LIMIT = 16;
const name32 = (name: string) => `0x${Buffer.from(name).toString('hex').padEnd(64, '0')}`;

describe('RiskParameters: dated futures and options', () => {
  let fixture: OracleFixture;
  let restore: () => Promise<void>;
  /** Of the futures here, counted from the moment at which a change that is announced now is applied. */
  let appliedAtSec: bigint;

  before(async () => {
    fixture = await deployOracle({ segments: [RISK_SMALL, RISK_MORE], settings: { instrumentLimit: LIMIT } });
    appliedAtSec = fixture.deployedAtSec + BigInt(DELAY_SEC);
    restore = (await fixture.connection.networkHelpers.takeSnapshot()).restore;
  });
  afterEach(async () => {
    await restore();
    restore = (await fixture.connection.networkHelpers.takeSnapshot()).restore;
  });

  const encode = (types: string[], values: unknown[]) =>
    fixture.connection.ethers.AbiCoder.defaultAbiCoder().encode(types, values);
  const listData = (place: number, entry: RegistryEntry) =>
    encode(['uint256', INSTRUMENT_TUPLE], [place, instrumentStruct(entry)]);
  /** Announces what has to be listed, waits, and applies all but the last, which is returned. */
  const announceAll = async (changes: readonly (readonly [kind: number, data: string])[]) => {
    const first: bigint = await fixture.parameters.announcementCount();
    for (const [kind, data] of changes) await fixture.parameters.announceChange(kind, data);
    await fixture.connection.networkHelpers.time.increaseTo(appliedAtSec + 60n);
    const apply = (i: number) => fixture.parameters.applyChange(first + BigInt(i), ...changes[i]);
    for (let i = 0; i + 1 < changes.length; i++) await apply(i);
    return () => apply(changes.length - 1);
  };
  const list = async (...entries: readonly (readonly [place: number, entry: RegistryEntry])[]) => {
    const last = await announceAll(
      entries.map(([place, entry]) => [KIND.list, listData(place, entry)] as const),
    );
    return last();
  };
  const refusal = async (attempt: Promise<unknown>, error: string, args?: unknown[]) => {
    const refused = expect(attempt).to.be.revertedWithCustomError(fixture.parameters, error);
    await (args === undefined ? refused : refused.withArgs(...args));
  };
  const outOfBounds = async (attempt: Promise<unknown>, parameter: string) => {
    await refusal(attempt, 'ParameterOutOfBounds');
    const reason = await attempt.catch((error: Error) => error.message);
    expect(reason).to.include(name32(parameter));
  };
  const listed = async (): Promise<Registry> => registryFromStructs(await fixture.parameters.instruments());

  const block = (days = 30n, underlying = 0) => ({
    underlying,
    expirySec: appliedAtSec + days * BigInt(DAY_SEC),
    strikes: [],
  });
  const future = (days = 30n, id = 100) => futureEntry(id, block(days));
  const option = (strike: bigint, callId = 1_000, days = 30n) => optionEntry(callId, strike, block(days));
  const [LOW, HIGH] = [90_000_000n, 105_000_000n];

  it('are listed as a block: the future first, then strikes from the lowest', async () => {
    await list([FIRST_FUTURE, future()], [FIRST_STRIKE, option(LOW)], [SECOND_STRIKE, option(HIGH, 1_002)]);
    const registry = await listed();
    expect(registry.slice(FIRST_FUTURE)).to.deep.equal([
      future(),
      option(LOW),
      option(HIGH, 1_002),
      undefined,
      undefined,
      undefined,
    ]);
    expect(await fixture.parameters.instrumentCount()).to.equal(9);
    const { blocks } = await fixture.parameters.roundParameters();
    expect([...blocks[0]]).to.deep.equal([
      future().expirySec,
      0n,
      100_000n,
      100n,
      blocks[0].strikesMicrosPerLot,
    ]);
    expect([...blocks[0].strikesMicrosPerLot]).to.deep.equal([LOW, HIGH]);
    expect([...blocks[1].strikesMicrosPerLot]).to.deep.equal([0n, 0n]);
    expect(blocks.length).to.equal(RISK_SMALL.blocks + RISK_MORE.blocks);
  });

  it('open the next segment when something is listed there, and seven strikes fit a block', async () => {
    expect(await fixture.parameters.segmentsInUse()).to.equal(1);
    // The first places of the second segment: a future and seven strikes.
    const first = 12;
    const strikes = [1n, 2n, 3n].map((i) => 90_000_000n + i * 7_654_321n);
    await list(
      [first, future()],
      ...strikes.map((strike, i) => [first + 1 + i, option(strike, 1_000 + 2 * i)] as const),
    );
    expect(await fixture.parameters.segmentsInUse()).to.equal(2);
    expect((await listed()).length).to.equal(12 + 4 * 8);
    const { blocks } = await fixture.parameters.roundParameters();
    expect([...blocks[2].strikesMicrosPerLot]).to.deep.equal([...strikes, 0n, 0n, 0n, 0n]);
  });

  it('keep seven strikes of a block apart, as large as strikes can be', async () => {
    const connection: HardhatConnection = await network.connect();
    const now = BigInt(await connection.networkHelpers.time.latest());
    // $1,400 a lot, as much as a forward leaves room for; strikes up to twenty of them.
    const dear = {
      underlying: 0,
      expirySec: now + 30n * BigInt(DAY_SEC),
      strikes: [1n, 2n, 3n, 4n, 5n, 6n, 7n].map((i) => 28_000_000_000n + i),
      lotE8: 1_450_000n,
    };
    const geometry = { ...RISK_SMALL, blocks: 1, strikesPerBlock: 7 };
    const made = await deployOracle({
      connection,
      segments: [geometry],
      settings: {
        instrumentLimit: 32,
        registry: registryOf([geometry], [dear]),
        // Margin of a lot is at most $25: such a lot needs a market that hardly moves.
        underlyings: DEFAULT_UNDERLYING_PARAMETERS.map((parameters) => ({
          ...parameters,
          baseScanRangePpm: 2_000n,
          options: {
            ...parameters.options,
            rollMinPpm: 1n,
            rollPerYearPpm: 1n,
            shortImPpm: 2n,
            shortMmPpm: 1n,
          },
        })),
      },
    });
    const { blocks } = await made.parameters.roundParameters();
    expect([...blocks[0].strikesMicrosPerLot]).to.deep.equal(dear.strikes);
  });

  it('refuse an option before its future', async () => {
    await refusal(list([FIRST_STRIKE, option(LOW)]), 'NotOfItsBlock', [FIRST_STRIKE]);
  });

  for (const [field, change] of [
    ['underlying', { underlying: 1, lotE8: 100_000n }],
    ['lot', { lotE8: 99_999n }],
    ['expiry', { expirySec: 1n }],
  ] as const) {
    it(`refuse an option whose ${field} is not its future’s`, async () => {
      const other = { ...option(LOW), ...change };
      const entry = field === 'expiry' ? { ...other, expirySec: option(LOW).expirySec + 1n } : other;
      // The strike stays within its bounds for a lot of ether at the price of bitcoin's.
      const strike = field === 'underlying' ? { ...entry, strikeMicrosPerLot: 3_300_000n } : entry;
      await refusal(list([FIRST_FUTURE, future()], [FIRST_STRIKE, strike]), 'NotOfItsBlock', [FIRST_STRIKE]);
    });
  }

  it('refuse a strike behind an empty place, and strikes that do not ascend', async () => {
    await refusal(list([FIRST_FUTURE, future()], [SECOND_STRIKE, option(HIGH)]), 'StrikeAfterHole', [
      SECOND_STRIKE,
    ]);
    await restore();
    restore = (await fixture.connection.networkHelpers.takeSnapshot()).restore;
    for (const strike of [LOW, LOW - 1n]) {
      const attempt = list(
        [FIRST_FUTURE, future()],
        [FIRST_STRIKE, option(LOW)],
        [SECOND_STRIKE, option(strike, 1_002)],
      );
      await refusal(attempt, 'StrikesNotAscending', [LOW, strike]);
      await restore();
      restore = (await fixture.connection.networkHelpers.takeSnapshot()).restore;
    }
  });

  it('refuse a kind that the place does not take, a taken place, and one that is not there', async () => {
    const KINDS = { spot: 0, perp: 1, future: 2, option: 3 };
    for (const [place, entry] of [
      [4, future()],
      [4, option(LOW)],
      [FIRST_FUTURE, option(LOW)],
      [FIRST_STRIKE, future()],
      [FIRST_FUTURE, { ...DEFAULT_REGISTRY[2], id: 9 }],
      [OTHER_STRIKE, { ...DEFAULT_REGISTRY[2], id: 9 }],
    ] as const) {
      await refusal(list([place, entry]), 'KindNotOfPlace', [place, KINDS[entry.kind]]);
      await restore();
      restore = (await fixture.connection.networkHelpers.takeSnapshot()).restore;
    }
    await refusal(list([2, { ...DEFAULT_REGISTRY[2], id: 9 }]), 'PlaceTaken', [2]);
    await refusal(
      fixture.parameters.applyChange(0, KIND.list, listData(2, { ...DEFAULT_REGISTRY[2], id: 9 })),
      'PlaceTaken',
    );
    await restore();
    restore = (await fixture.connection.networkHelpers.takeSnapshot()).restore;
    await refusal(list([44, future()]), 'NoSuchPlace', [44, 44]);
  });

  it('refuse an odd id of an option, and any id twice: of a call, of a put, for anything', async () => {
    await refusal(list([FIRST_FUTURE, future()], [FIRST_STRIKE, option(LOW, 1_001)]), 'OddOptionId', [1_001]);
    const taken = async (entries: readonly (readonly [number, RegistryEntry])[], id: number) => {
      await restore();
      restore = (await fixture.connection.networkHelpers.takeSnapshot()).restore;
      await refusal(list(...entries), 'InstrumentIdTaken', [id]);
    };
    await taken([[FIRST_FUTURE, future(30n, 4)]], 4);
    // The perpetual of id 5 stands where the put of 4 would.
    const first = [
      [FIRST_FUTURE, future()],
      [FIRST_STRIKE, option(LOW)],
    ] as const;
    await taken([...first, [SECOND_STRIKE, option(HIGH, 1_000)]], 1_000);
    await taken([...first, [OTHER_FUTURE, future(60n, 1_001)]], 1_001);
    await taken(
      [
        [FIRST_FUTURE, future(30n, 1_001)],
        [FIRST_STRIKE, option(LOW)],
      ],
      1_001,
    );
    await taken([...first, [4, { ...DEFAULT_REGISTRY[2], id: 1_001 }]], 1_001);
  });

  it('count an option as two of the instruments that may be listed', async () => {
    const small = await deployOracle({ segments: [RISK_SMALL], settings: { instrumentLimit: 6 } });
    const before = fixture;
    fixture = small;
    appliedAtSec = small.deployedAtSec + BigInt(DELAY_SEC);
    const attempt = list([FIRST_FUTURE, future()], [FIRST_STRIKE, option(LOW)]);
    await refusal(attempt, 'ParameterOutOfBounds', [name32('instruments'), 7, 1, 6]);
    fixture = before;
    appliedAtSec = before.deployedAtSec + BigInt(DELAY_SEC);
  });

  const dated = (change: Partial<RegistryEntry>) => ({ ...future(), ...change });
  const strikeOf = (change: Partial<RegistryEntry>) => ({ ...option(LOW), ...change });
  for (const [what, parameter, entry] of [
    ['a future that expires within a day', 'expirySec', () => future(1n)],
    ['a future beyond two years', 'expirySec', () => future(731n)],
    ['a future that never expires', 'expirySec', () => dated({ expirySec: 0n })],
    ['a future with a strike', 'strikeMicrosPerLot', () => dated({ strikeMicrosPerLot: 1n })],
    ['a future with too much margin a lot', 'lotImMicros', () => dated({ lotE8: 150_000n })],
    ['a future under a spot id', 'id', () => dated({ id: 3 })],
    ['a future without a charge', 'chargeImPpm', () => dated({ chargeImPpm: 0n, chargeMmPpm: 0n })],
    ['a future without a cap', 'openInterestCapLots', () => dated({ openInterestCap: lots(0n) })],
    [
      'futures whose loss could leave the circuit',
      'indexMicros',
      () => dated({ openInterestCap: lots(1n << 46n) }),
    ],
    ['a future whose forward could be too cheap to price', 'indexMicros', () => dated({ lotE8: 8_000n })],
    ['a strike below a twentieth of the index', 'strikeMicrosPerLot', () => option(4_849_999n)],
    ['a strike above twenty times the index', 'strikeMicrosPerLot', () => option(1_940_000_001n)],
    ['a strike of nothing', 'strikeMicrosPerLot', () => option(0n)],
    ['an option with a charge of its own', 'chargeImPpm', () => strikeOf({ chargeImPpm: 1n })],
    ['an option with a band of its own', 'bandPpm', () => strikeOf({ bandPpm: 1n })],
    ['an option with a penalty of its own', 'penaltyPpm', () => strikeOf({ penaltyPpm: 1n })],
    [
      'an option with a cap beyond 47 bits',
      'positionCapLots',
      () => strikeOf({ positionCap: lots(1n << 47n) }),
    ],
    [
      'options whose loss could leave the circuit',
      'indexMicros',
      () => strikeOf({ openInterestCap: lots(1n << 44n) }),
    ],
  ] as [string, string, () => RegistryEntry][]) {
    it(`refuse ${what}`, async () => {
      const last = entry();
      const place = last.kind === 'future' ? FIRST_FUTURE : FIRST_STRIKE;
      const before = last.kind === 'future' ? [] : [[FIRST_FUTURE, future()] as const];
      await outOfBounds(list(...before, [place, last]), parameter);
    });
  }

  it('refuse a perpetual or a token with an expiry or a strike', async () => {
    const perp = { ...DEFAULT_REGISTRY[2], id: 9 };
    await outOfBounds(list([4, { ...perp, expirySec: future().expirySec }]), 'expirySec');
    await restore();
    restore = (await fixture.connection.networkHelpers.takeSnapshot()).restore;
    await outOfBounds(list([4, { ...perp, strikeMicrosPerLot: 1n }]), 'strikeMicrosPerLot');
  });

  it('take an expiry of 730 days when it is listed, and strikes at the ends of their range', async () => {
    const cheap = { ...block(730n), lotE8: 50_000n };
    const [least, most] = [2_425_000n, 970_000_000n];
    await list(
      [FIRST_FUTURE, futureEntry(100, cheap)],
      [FIRST_STRIKE, optionEntry(1_000, least, cheap)],
      [SECOND_STRIKE, optionEntry(1_002, most, cheap)],
    );
    expect((await listed()).filter((entry) => entry !== undefined).length).to.equal(7);
  });

  it('are tuned under their own id, never under that of the put, and keep expiry and strike', async () => {
    const caps = { openInterestCap: lots(1_100_000n), positionCap: lots(90_000n) };
    const setUp = [
      [KIND.list, listData(FIRST_FUTURE, future())],
      [KIND.list, listData(FIRST_STRIKE, option(LOW))],
    ] as const;
    const tuned = async (entry: RegistryEntry) => {
      const last = await announceAll([
        ...setUp,
        [KIND.tune, encode([INSTRUMENT_TUPLE], [instrumentStruct(entry)])],
      ]);
      return last();
    };
    const again = async () => {
      await restore();
      restore = (await fixture.connection.networkHelpers.takeSnapshot()).restore;
    };
    await refusal(tuned({ ...option(LOW), id: 1_001 }), 'UnknownInstrument', [1_001]);
    await again();
    await refusal(tuned(option(LOW + 1n)), 'FixedFieldChanged', [1_000]);
    await again();
    await refusal(tuned({ ...future(), expirySec: future().expirySec + 1n }), 'FixedFieldChanged', [100]);
    await again();
    await refusal(tuned({ ...option(LOW), positionCap: lots(89_999n) }), 'StepTooLarge');
    await again();
    // Announced before the option was listed, so overtaken: announce again.
    await refusal(tuned({ ...option(LOW), ...caps }), 'ChangeOvertaken');
  });

  describe('parameters of options', () => {
    const [defaults] = DEFAULT_OPTION_PARAMETERS;
    const optionsData = (options: OptionParameters, underlying = 0) =>
      encode(['uint256', OPTION_PARAMETERS_TUPLE], [underlying, options]);
    const setOptions = async (options: OptionParameters, underlying = 0) => {
      const last = await announceAll([[KIND.options, optionsData(options, underlying)]]);
      return last();
    };

    it('move by a tenth at most, each of them, after the delay', async () => {
      for (const field of Object.keys(defaults) as (keyof OptionParameters)[]) {
        const step = defaults[field] / 10n + 1n;
        await refusal(setOptions({ ...defaults, [field]: defaults[field] + step }), 'StepTooLarge');
        await restore();
        restore = (await fixture.connection.networkHelpers.takeSnapshot()).restore;
      }
      const changed = { ...defaults, volUpPpm: 495_000n, shortImPpm: 5_500n };
      await setOptions(changed);
      const { underlyings } = await fixture.parameters.roundParameters();
      expect(underlyings[0].options.toObject()).to.deep.equal(changed);
      expect(underlyings[1].options.toObject()).to.deep.equal(DEFAULT_OPTION_PARAMETERS[1]);
    });

    it('belong to an underlying that has a price', async () => {
      await outOfBounds(setOptions(defaults, 2), 'underlying');
    });
  });
});
