import { expect } from 'chai';
import { STANDARD_SHAPE } from '#protocol/limits.ts';
import { DEFAULT_REGISTRY } from '#protocol/risk/default-registry.ts';
import {
  marketSlotsById,
  placeCount,
  placesOf,
  placesOfAll,
  type RegistryEntry,
  RISK_64,
  RISK_MORE,
  RISK_SMALL,
  RISK_TINY,
  type SegmentGeometry,
  slotsOf,
} from '#protocol/risk/registry.ts';
import { buildRiskTable, type RiskRoundInputs } from '#protocol/risk/round.ts';
import { type BlockListing, inDays, optionEntry, registryOf } from '#test/support/option-registry.ts';
import { changedInstrument, changedPlace, roundOf } from '#test/support/risk-rounds.ts';

const SHAPE = { ...STANDARD_SHAPE, marketSlots: 76 };
const PRICE = { btc: 97_000_000_000n, eth: 3_300_000_000n };

describe('places of a registry', () => {
  it('take one market slot, a strike two: its call, then its put', () => {
    expect(placesOf(RISK_SMALL).map(({ kind, marketSlot }) => `${kind} ${marketSlot}`)).to.deep.equal([
      ...[0, 1, 2, 3, 4, 5].map((slot) => `linear ${slot}`),
      ...['future 6', 'strike 7', 'strike 9', 'future 11', 'strike 12', 'strike 14'],
    ]);
    expect([RISK_SMALL, RISK_MORE, RISK_64, RISK_TINY].map(slotsOf)).to.deep.equal([16, 60, 76, 4]);
    expect([RISK_SMALL, RISK_MORE, RISK_64, RISK_TINY].map(placeCount)).to.deep.equal([12, 32, 44, 4]);
  });

  it('go on over segments: places, blocks and slots without a gap', () => {
    const places = placesOfAll([RISK_SMALL, RISK_MORE]);
    expect(places).to.have.length(44);
    expect(places[12]).to.deep.equal({ kind: 'future', block: 2, strike: 0, marketSlot: 16 });
    expect(places[43]).to.deep.equal({ kind: 'strike', block: 5, strike: 6, marketSlot: 74 });
    const slots = places.flatMap(({ kind, marketSlot }) =>
      kind === 'strike' ? [marketSlot, marketSlot + 1] : [marketSlot],
    );
    expect(slots).to.deep.equal(Array.from({ length: 76 }, (_, slot) => slot));
  });

  for (const [what, segments] of [
    ['leave a gap', [RISK_TINY, RISK_MORE]],
    ['overlap', [RISK_64, RISK_MORE]],
    ['do not begin at slot 0', [RISK_MORE]],
    ['begin inside a link of the hash', [RISK_TINY, { ...RISK_MORE, startSlot: 4 }]],
  ] as [string, SegmentGeometry[]][]) {
    it(`refuse segments that ${what}`, () => {
      expect(() => placesOfAll(segments)).to.throw('segments follow one another');
    });
  }

  it('name the market slot of every instrument, puts included', () => {
    const registry = registryOf(
      [RISK_SMALL],
      [undefined, { underlying: 1, expirySec: inDays(7n), strikes: [33_000_000n] }],
    );
    expect([...marketSlotsById(registry, [RISK_SMALL])]).to.deep.equal([
      [1, 0],
      [2, 1],
      [4, 2],
      [5, 3],
      [101, 11],
      [1020, 12],
      [1021, 13],
    ]);
  });
});

describe('a registry with options', () => {
  const listing: BlockListing = {
    underlying: 0,
    expirySec: inDays(30n),
    strikes: [90_000_000n, 100_000_000n],
  };
  const round = roundOf(PRICE, { registry: registryOf([RISK_SMALL], [listing]), segments: [RISK_SMALL] });
  const [FUTURE, LOW, HIGH] = [6, 7, 8];
  const only = (entries: Record<number, RegistryEntry | undefined>): RiskRoundInputs =>
    roundOf(PRICE, {
      registry: Array.from({ length: 12 }, (_, i) => (i in entries ? entries[i] : round.places[i]?.entry)),
    });
  const low = optionEntry(1000, 90_000_000n, listing);

  it('gives every listed thing a row, and nothing else', () => {
    expect(buildRiskTable(round, SHAPE).rows.map((row) => [row.instrumentId, row.marketSlot])).to.deep.equal([
      ...DEFAULT_REGISTRY.map(({ id }, slot) => [id, slot]),
      [100, 6],
      [1000, 7],
      [1001, 8],
      [1002, 9],
      [1003, 10],
    ]);
  });

  const refusals: [string, RiskRoundInputs, string][] = [
    ['an option without its future', only({ 6: undefined }), 'options need the future of their block'],
    ['a hole among the strikes', only({ 7: undefined }), 'strikes are listed without holes'],
    [
      'strikes that fall',
      changedInstrument(round, HIGH, { strikeMicrosPerLot: 89_999_999n }),
      'strikes of a block ascend',
    ],
    [
      'one strike twice',
      changedInstrument(round, HIGH, { strikeMicrosPerLot: 90_000_000n }),
      'strikes of a block ascend',
    ],
    ['an option of another underlying', changedInstrument(round, LOW, { underlying: 1 }), 'underlying: 1'],
    ['an option of another lot', changedInstrument(round, LOW, { lotE8: 100_001n }), 'lotE8: 100001'],
    [
      'an option of another expiry',
      changedInstrument(round, LOW, { expirySec: inDays(31n) }),
      `expirySec: ${inDays(31n)}`,
    ],
    ['a call with an odd id', changedInstrument(round, LOW, { id: 1005 }), 'the id of a call is even'],
    ['a put whose id is taken', changedInstrument(round, FUTURE, { id: 1001 }), 'id: 1001'],
    ['a strike of 0', changedInstrument(round, LOW, { strikeMicrosPerLot: 0n }), 'strikeMicrosPerLot: 0'],
    [
      'a strike of 2^35',
      changedInstrument(round, HIGH, { strikeMicrosPerLot: 1n << 35n }),
      'strikeMicrosPerLot: 34359738368',
    ],
    ['a charge of an option alone', changedInstrument(round, LOW, { chargeImPpm: 1n }), 'chargeImPpm: 1'],
    ['a band of an option alone', changedInstrument(round, LOW, { bandPpm: 1n }), 'bandPpm: 1'],
    [
      'a strike on a future',
      changedInstrument(round, FUTURE, { strikeMicrosPerLot: 1n }),
      'strikeMicrosPerLot: 1',
    ],
    ['a future without expiry', changedInstrument(round, FUTURE, { expirySec: 0n }), 'expirySec: 0'],
    ['an option in a linear place', only({ 4: { ...low, id: 2000 } }), 'kind: option'],
    ['a future in a linear place', changedInstrument(round, 2, { kind: 'future' }), 'kind: future'],
    ['a perpetual in a block', changedInstrument(round, FUTURE, { kind: 'perp' }), 'kind: perp'],
    ['a volatility of 0', changedPlace(round, LOW, { volPpm: 0n }), 'volPpm: 0'],
    ['a volatility above 800 %', changedPlace(round, LOW, { volPpm: 8_000_001n }), 'volPpm: 8000001'],
    ['a volatility of a future', changedPlace(round, FUTURE, { volPpm: 1n }), 'volPpm: 1'],
    ['a premium of an option', changedPlace(round, LOW, { premiumPpb: 1n }), '|premiumPpb|: 1'],
    [
      'a basis above one half',
      changedPlace(round, FUTURE, { premiumPpb: -500_000_001n }),
      '|premiumPpb|: 500000001',
    ],
    [
      'a forward beyond 2^33',
      changedInstrument(
        changedInstrument(changedInstrument(round, FUTURE, { lotE8: 9_000_000n }), LOW, {
          lotE8: 9_000_000n,
        }),
        HIGH,
        { lotE8: 9_000_000n },
      ),
      'mark of 100',
    ],
  ];
  for (const [what, inputs, reason] of refusals) {
    it(`is refused for ${what}`, () => {
      expect(() => buildRiskTable(inputs, SHAPE)).to.throw(reason);
    });
  }

  for (const [what, change, reason] of [
    ['a shock that lifts a volatility out of its word', { volUpPpm: 3_194_304n }, 'upPpm'],
    ['a shock below 0', { volDownPpm: 1_000_001n }, 'downPpm'],
    ['a floor that an hour cannot price', { volUpFloorPpm: 100_000n }, 'volUpFloorPpm'],
    ['a floor of 2^23', { volUpFloorPpm: 1n << 23n }, 'volUpFloorPpm'],
    ['a roll above the forward', { rollMinPpm: 1_000_001n }, 'rollImPpm'],
    ['a roll that lifts the charge above the mark', { rollMinPpm: 990_001n }, 'charge: 1000001'],
    ['maintenance of a short above initial', { shortMmPpm: 5_001n }, 'shortMmPpm'],
    ['a band above the index', { bandPpm: 1_000_001n }, 'option bandPpm'],
    ['a penalty above the index', { penaltyPpm: 1_000_001n }, 'option penaltyPpm'],
  ] as const) {
    it(`is refused for ${what}`, () => {
      const underlyings = round.underlyings.map((underlying) => ({
        ...underlying,
        options: { ...underlying.options, ...change },
      }));
      expect(() => buildRiskTable({ ...round, underlyings }, SHAPE)).to.throw(`${reason}`);
    });
  }
});
