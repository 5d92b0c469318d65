import { expect } from 'chai';
import fc from 'fast-check';
import { STANDARD_SHAPE } from '#protocol/limits.ts';
import { DEFAULT_REGISTRY } from '#protocol/risk/default-registry.ts';
import { RISK_SMALL } from '#protocol/risk/registry.ts';
import { buildRiskTable, type RiskRoundInputs } from '#protocol/risk/round.ts';
import { rowHashes } from '#protocol/risk/table.ts';
import { abs, lots } from '#protocol/units.ts';
import { inDays, registryOf } from '#test/support/option-registry.ts';
import { changedInstrument, changedUnderlying, roundOf } from '#test/support/risk-rounds.ts';

const price = { btc: 97_000_000_000n, eth: 3_300_000_000n };

describe('risk round', () => {
  it('prices a perpetual, its charges and its losses as computed by hand', () => {
    const round = roundOf(price, { premiumPpm: [1_000n, 0n] });
    const perp = buildRiskTable(round, STANDARD_SHAPE).rows[2];
    expect(perp.mark).to.equal(97_097_000n); // 97,000 · 0.001 BTC · 1.001
    expect(perp.delta).to.equal(perp.mark);
    expect([perp.chargeImLong, perp.chargeImShort]).to.deep.equal([970_970n, 970_970n]);
    expect([perp.chargeMmLong, perp.chargeMmShort]).to.deep.equal([582_582n, 582_582n]);
    expect([perp.band, perp.penalty]).to.deep.equal([970_970n, 970_970n]);
    // R = 16 %: a quarter is 41,943/2^20 (nearest), so u = nearest(97,097,000 · 41,943 / 2^20).
    const quarter = 3_883_876n;
    expect(perp.losses.slice(0, 2)).to.deep.equal([3n * quarter, 3n * quarter]);
    expect(perp.losses.slice(12, 18)).to.deep.equal([-3n, -3n, 4n, -4n, -4n, 4n].map((k) => k * quarter));
    expect(perp.losses.slice(18, 20), 'only ETH moves').to.deep.equal([0n, 0n]);
    expect(perp.losses.slice(24)).to.deep.equal(
      [3n, 3n, -3n, -3n, -3n, -3n, -3n, -3n].map((k) => k * quarter),
    );
  });

  it('charges a spot lot its haircut, grown with the scan range, and only on the long side', () => {
    const round = roundOf(price, { scanFactorE9: [1_500_000_000n, 1_000_000_000n] });
    const [bitcoin, ether] = buildRiskTable(round, STANDARD_SHAPE).rows;
    expect(bitcoin.mark).to.equal(97_000_000n);
    expect(bitcoin.chargeImLong).to.equal(10_912_500n); // 97 · 7.5 % · 1.5
    expect(bitcoin.chargeMmLong).to.equal(7_275_000n); // 97 · 5 % · 1.5
    expect([bitcoin.chargeImShort, bitcoin.chargeMmShort]).to.deep.equal([0n, 0n]);
    expect(ether.chargeImLong).to.equal(2_475_000n); // 33 · 7.5 %
    expect([bitcoin.fundingIndex, ether.fundingIndex]).to.deep.equal([0n, 0n]);
  });

  it('rounds the haircut rate against the account', () => {
    // 75,000 ppm · 1.000000001 is just above 75,000 ppm: it counts as 75,001.
    const round = roundOf(price, { scanFactorE9: [1_000_000_001n, 1_000_000_000n] });
    expect(buildRiskTable(round, STANDARD_SHAPE).rows[0].chargeImLong).to.equal(
      (97_000_000n * 75_001n) / 1_000_000n,
    );
  });

  it('keeps what the batch assumes of spot, at the edges of what the registry admits', () => {
    // RiskParameters: haircut ≤ 45 % and base range ≤ 25 %, both at most doubled by the factor.
    fc.assert(
      fc.property(
        fc.bigInt({ min: 10_000n, max: (1n << 38n) / 1000n }),
        fc.bigInt({ min: 1n, max: 450_000n }),
        fc.bigInt({ min: 1n, max: 250_000n }),
        fc.bigInt({ min: 1_000_000_000n, max: 2_000_000_000n }),
        (indexMicros, chargeImPpm, baseRangePpm, factorE9) => {
          const scanRangePpm = (baseRangePpm * factorE9) / 1_000_000_000n;
          const round = roundOf(
            { btc: indexMicros * 1000n, eth: price.eth },
            {
              scanRangePpm: [scanRangePpm > 0n ? scanRangePpm : 1n, 180_000n],
              scanFactorE9: [factorE9, 1_000_000_000n],
            },
          );
          const changed = changedInstrument(round, 0, { chargeImPpm, chargeMmPpm: 1n });
          const spot = buildRiskTable(changed, STANDARD_SHAPE).rows[0];
          // Its worth after haircut is never negative, and no scenario takes 80 % of it (docs/protocol.md §5).
          expect(spot.chargeImLong <= spot.mark).to.equal(true);
          for (const loss of spot.losses) expect(10n * abs(loss) < 8n * spot.mark).to.equal(true);
        },
      ),
      { seed: 11 },
    );
  });

  it('moves nothing in the row where nothing moves, and the same both ways elsewhere', () => {
    for (const row of buildRiskTable(roundOf(price), STANDARD_SHAPE).rows) {
      expect(row.losses.slice(6, 8)).to.deep.equal([0n, 0n]);
      expect(row.losses[14]).to.equal(-row.losses[15]);
    }
  });

  it('stays within the widths of the table for every round in the domain', () => {
    fc.assert(
      fc.property(
        fc.bigInt(1_000_000_000n, 400_000_000_000n),
        fc.bigInt(30_000_000n, 20_000_000_000n),
        fc.bigInt(1n, 500_000n),
        fc.bigInt(-10_000n, 10_000n),
        (btc, eth, scanRangePpm, premium) => {
          const round = roundOf(
            { btc, eth },
            { scanRangePpm: [scanRangePpm, scanRangePpm], premiumPpm: [premium, -premium] },
          );
          for (const row of buildRiskTable(round, STANDARD_SHAPE).rows) {
            expect(row.mark > 0n && row.mark < 1n << 40n).to.equal(true);
            for (const loss of row.losses) expect(abs(loss) < 1n << 44n).to.equal(true);
            // The worst loss is R of the mark, up to the rounding of four quarters.
            const exact = row.mark * scanRangePpm;
            const bound = 2n * 1_000_000n + 2n * row.mark; // four half micros, and R to 2^-20 is within 1.91 ppm
            expect(abs(abs(row.losses[14]) * 1_000_000n - exact) <= bound).to.equal(true);
          }
        },
      ),
      { numRuns: 200 },
    );
  });

  it('leaves the slots beyond the registry empty', () => {
    const hashes = rowHashes(buildRiskTable(roundOf(price), STANDARD_SHAPE), STANDARD_SHAPE);
    expect(hashes.slice(0, 4).every((hash) => hash !== 0n)).to.equal(true);
    expect(hashes.slice(4)).to.deep.equal(Array(STANDARD_SHAPE.marketSlots - 4).fill(0n));
  });

  const refusals: [string, RiskRoundInputs, string][] = [
    ['a premium beyond 1 %', roundOf(price, { premiumPpm: [10_001n, 0n] }), '|premiumPpb|: 10001000'],
    ['a price of zero', roundOf({ btc: 0n, eth: price.eth }), 'BTC index: 0'],
    ['a price beyond 44 bits', roundOf({ btc: 1n << 44n, eth: price.eth }), 'BTC index: 17592186044416'],
    [
      'a scan range beyond one half',
      changedUnderlying(roundOf(price), 1, { scanRangePpm: 500_001n }),
      'ETH scan range: 500001',
    ],
    [
      'a factor beyond 2',
      changedUnderlying(roundOf(price), 0, { scanFactorE9: 2_000_000_001n }),
      'BTC factor: 2000000001',
    ],
    ['an id used twice', changedInstrument(roundOf(price), 3, { id: 4 }), 'id: 4'],
    ['a perpetual with a spot id', changedInstrument(roundOf(price), 2, { id: 3 }), 'id: 3'],
    ['a spot token with a derivative id', changedInstrument(roundOf(price), 0, { id: 4 }), 'id: 4'],
    [
      'a lot above one coin',
      changedInstrument(roundOf(price), 2, { lotE8: 100_000_001n }),
      'lotE8: 100000001',
    ],
    [
      'maintenance above initial',
      changedInstrument(roundOf(price), 2, { chargeMmPpm: 10_001n }),
      'chargeMmPpm: 10001',
    ],
    ['an expiry on a perpetual', changedInstrument(roundOf(price), 2, { expirySec: 1n }), 'expirySec: 1'],
    [
      'open interest whose loss could leave the circuit',
      changedInstrument(roundOf(price), 2, { openInterestCap: lots((1n << 47n) - 1n) }),
      'sum of lots × worst loss',
    ],
    [
      'a lot worth less than half a micro',
      changedInstrument(roundOf({ btc: 400n, eth: price.eth }), 2, { lotE8: 1n }),
      'mark of',
    ],
    ['more expected-shortfall rows than scenarios', { ...roundOf(price), esCount: 33 }, 'esCount: 33'],
  ];
  for (const [what, round, reason] of refusals) {
    it(`refuses ${what}`, () => {
      expect(() => buildRiskTable(round, STANDARD_SHAPE)).to.throw(reason);
    });
  }

  it('refuses more instruments than there are places, and a place beyond the market slots', () => {
    const places = Array.from({ length: 13 }, () => undefined);
    expect(() => buildRiskTable({ ...roundOf(price), places }, STANDARD_SHAPE)).to.throw(
      'places: 13 is not valid; expected 0 to 12',
    );
    expect(() => buildRiskTable(roundOf(price), { ...STANDARD_SHAPE, marketSlots: 3 })).to.throw(
      'marketSlot: 3 is not valid',
    );
  });

  it('takes a hole in the registry: what lies behind keeps its market slot', () => {
    const [, ether, , etherPerp] = DEFAULT_REGISTRY;
    const { rows } = buildRiskTable(
      roundOf(price, { registry: [undefined, ether, undefined, undefined, undefined, etherPerp] }),
      STANDARD_SHAPE,
    );
    expect(rows.map(({ instrumentId, marketSlot }) => [instrumentId, marketSlot])).to.deep.equal([
      [2, 1],
      [5, 5],
    ]);
  });

  it('takes a dated future as the same row on its forward, its roll on top of its charge', () => {
    const expirySec = inDays(365n);
    const registry = registryOf([RISK_SMALL], [{ underlying: 0, expirySec, strikes: [] }], []);
    const round = roundOf(price, { registry, basisPpb: [30_000_000n] });
    const [row] = buildRiskTable(round, STANDARD_SHAPE).rows;
    expect(row.marketSlot).to.equal(6);
    expect(row.mark).to.equal(99_910_000n); // 97,000 · 0.001 · 1.03
    expect(row.delta).to.equal(row.mark);
    expect(row.expirySec).to.equal(expirySec);
    // 1 % + 6 %, and 0.6 of either.
    expect([row.chargeImLong, row.chargeImShort]).to.deep.equal([6_993_700n, 6_993_700n]);
    expect([row.chargeMmLong, row.chargeMmShort]).to.deep.equal([4_196_220n, 4_196_220n]);
    // R = 16 %: a quarter is 41,943/2^20.
    expect(row.linearLoss).to.equal(-((2n * row.mark * 41_943n + (1n << 20n)) >> 21n));
    expect(row.losses[14]).to.equal(-4n * row.linearLoss);
  });
});
