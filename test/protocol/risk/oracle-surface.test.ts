import { expect } from 'chai';
import { DEFAULT_OPTION_PARAMETERS } from '#protocol/risk/default-registry.ts';
import { type RoundValues, riskRoundInputs } from '#protocol/risk/oracle-state.ts';
import {
  geometriesFromStructs,
  geometryStruct,
  instrumentStruct,
  registryFromStructs,
} from '#protocol/risk/oracle-structs.ts';
import { type BlockListing, blockListings, emptySurface, surfaceOf } from '#protocol/risk/oracle-surface.ts';
import { RISK_MORE, RISK_SMALL } from '#protocol/risk/registry.ts';
import { inDays, registryOf } from '#test/support/option-registry.ts';
import { ROUND_TIME_SEC } from '#test/support/risk-rounds.ts';

const SEGMENTS = [RISK_SMALL, RISK_MORE];
const INDEX = [97_000_000_000n, 3_300_000_000n];
const REGISTRY = registryOf(SEGMENTS, [
  { underlying: 0, expirySec: inDays(7n), strikes: [90_000_000n, 100_000_000n] },
  undefined,
  { underlying: 1, expirySec: inDays(30n), strikes: [30_000_000n, 33_000_000n, 36_000_000n] },
]);

describe('oracle surface', () => {
  it('knows of each block what is listed, in the order of its places', () => {
    const blocks = blockListings(REGISTRY, SEGMENTS);
    expect(blocks.length).to.equal(6);
    expect(blocks[0].strikesMicrosPerLot).to.deep.equal([90_000_000n, 100_000_000n]);
    expect(blocks[1]).to.deep.include({ expirySec: 0n, strikesMicrosPerLot: [0n, 0n] });
    expect(blocks[2]).to.deep.include({ expirySec: inDays(30n), underlying: 1, lotE8: 1_000_000n });
    expect(blocks[2].strikesMicrosPerLot).to.deep.equal([
      30_000_000n,
      33_000_000n,
      36_000_000n,
      0n,
      0n,
      0n,
      0n,
    ]);
    const { basisPpb, volPpm } = emptySurface(SEGMENTS);
    expect([basisPpb.length, volPpm.length]).to.deep.equal([6, 32]);
  });

  it('reaches the table: forwards by block, volatilities by strike place', () => {
    const values: RoundValues = {
      roundNumber: 1n,
      timeSec: ROUND_TIME_SEC,
      isJump: false,
      esCount: 1,
      underlyings: INDEX.map((indexMicros, u) => ({
        indexMicros,
        premiumPpm: 10n,
        scanRangePpm: 160_000n,
        scanFactorE9: 1_000_000_000n,
        fundingMicrosPerCoin: 0n,
        options: DEFAULT_OPTION_PARAMETERS[u],
      })),
      basisPpb: [11n, 12n, 13n, 14n, 15n, 16n],
      volPpm: Array.from({ length: 32 }, (_, k) => 1_000n + BigInt(k)),
      settlementMicros: Array<bigint>(6).fill(0n),
    };
    const { places } = riskRoundInputs(values, REGISTRY, SEGMENTS);
    const dated = places.flatMap((place) =>
      place === undefined || place.entry.expirySec === 0n
        ? []
        : [[place.entry.kind, place.premiumPpb, place.volPpm]],
    );
    expect(dated).to.deep.equal([
      ['future', 11n, 0n],
      ['option', 0n, 1_000n],
      ['option', 0n, 1_001n],
      ['future', 13n, 0n],
      ['option', 0n, 1_004n],
      ['option', 0n, 1_005n],
      ['option', 0n, 1_006n],
    ]);
  });

  it('survives the contract’s structs', () => {
    expect(registryFromStructs(REGISTRY.map(instrumentStruct))).to.deep.equal([...REGISTRY]);
    const told = geometriesFromStructs(SEGMENTS.map(geometryStruct));
    expect(told.map(({ name: _, ...places }) => places)).to.deep.equal(
      SEGMENTS.map(({ name: _, ...places }) => places),
    );
  });

  describe('total variance', () => {
    const block = (days: bigint, strikes: readonly bigint[], underlying = 0): BlockListing => ({
      expirySec: inDays(days),
      underlying,
      lotE8: 100_000n,
      strikesMicrosPerLot: strikes,
    });
    const verdict = (blocks: readonly BlockListing[], volPpm: readonly bigint[]) => {
      const result = surfaceOf({ basisPpb: blocks.map(() => 0n), volPpm }, blocks, INDEX, ROUND_TIME_SEC);
      return result.ok ? 'accepted' : `${result.code} ${Object.values(result.data).join(' ')}`;
    };
    const ATM = [97_000_000n];

    it('may fall by exactly a tenth', () => {
      // 10 days at 30 %, 100 days: 0.9 · 900 · 10 = 81 · 100.
      const blocks = [block(10n, ATM), block(100n, ATM)];
      expect(verdict(blocks, [300_000n, 90_000n])).to.equal('accepted');
      expect(verdict(blocks, [300_000n, 89_999n])).to.equal('total-variance-falls 0 1');
    });

    it('is judged in the order of expiry, whatever the order of the blocks', () => {
      const blocks = [block(100n, ATM), block(10n, ATM)];
      expect(verdict(blocks, [89_999n, 300_000n])).to.equal('total-variance-falls 1 0');
    });

    it('of one underlying says nothing of another, nor do blocks without options', () => {
      expect(verdict([block(10n, ATM), block(100n, ATM, 1)], [300_000n, 1n])).to.equal('accepted');
      expect(verdict([block(10n, ATM), block(50n, [0n]), block(100n, ATM)], [300_000n, 0n, 1n])).to.equal(
        'total-variance-falls 0 2',
      );
    });

    it('takes the lower of two strikes as far from the forward', () => {
      const twins = [96_000_000n, 98_000_000n];
      const blocks = [block(10n, ATM), block(100n, twins)];
      expect(verdict(blocks, [300_000n, 90_000n, 1n])).to.equal('accepted');
      expect(verdict(blocks, [300_000n, 1n, 90_000n])).to.equal('total-variance-falls 0 1');
    });

    it('of several blocks at the expiry before is the largest', () => {
      const blocks = [block(10n, ATM), block(10n, ATM), block(100n, ATM)];
      expect(verdict(blocks, [1n, 300_000n, 89_999n])).to.equal('total-variance-falls 1 2');
      expect(verdict(blocks, [300_000n, 1n, 89_999n])).to.equal('total-variance-falls 0 2');
    });
  });
});
