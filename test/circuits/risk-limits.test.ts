import { expect } from 'chai';
import { UNDERLYINGS } from '#protocol/instrument.ts';
import { STANDARD_SHAPE, TINY_SHAPE } from '#protocol/limits.ts';
import { layoutBits, type PackField } from '#protocol/pack.ts';
import { PPB_ONE, quarterMoveNearest, SCAN_RANGE_PPM_MAX } from '#protocol/risk/linear-price.ts';
import { RISK_64, RISK_MORE, RISK_SMALL, RISK_TINY, slotsOf } from '#protocol/risk/registry.ts';
import {
  FLAGS_LAYOUT,
  INSTRUMENT_LIMITS_LAYOUT,
  INSTRUMENT_PRICE_LAYOUT,
  RISK_HEADER_WORDS,
  SETTLEMENT_LAYOUT,
  STRIKE_LAYOUT,
  TERMS_LAYOUT,
  UNDERLYING_LAYOUT,
  WORDS_PER_BLOCK,
} from '#protocol/risk/risk-words.ts';
import {
  BASIS_PPB_MAX,
  CHARGE_PPM_MAX,
  FUNDING_INDEX_BITS,
  INDEX_BITS,
  LOT_E8_MAX,
  PREMIUM_PPM_MAX,
  REPORTED_VOL_PPM_MAX,
  VOL_UP_FACTOR_PPM_MAX,
} from '#protocol/risk/round-limits.ts';
import { SURFACE_TOLERANCE_BITS } from '#protocol/risk/surface.ts';
import { LOSSES_PER_ELEMENT, PAIR_LOSS_BITS, ROW_VALUES } from '#protocol/risk/table.ts';
import { PPM_ONE } from '#protocol/units.ts';
import { readSource } from '#test/static/repository-files.ts';

const circuitLimits = new Map(
  ['circuits/risk/risk-limits.circom', 'circuits/risk/option/option-limits.circom'].flatMap((path) =>
    [...readSource(path).matchAll(/function (\w+)\(\) \{ return (\d+); \}/g)].map(
      ([, name, value]) => [name, Number(value)] as const,
    ),
  ),
);
const limit = (name: string): number => circuitLimits.get(name) ?? Number.NaN;
const widthOf = (layout: readonly PackField[], name: string) =>
  layout.find((field) => field.name === name)?.bits;

describe('widths of the risk circuit', () => {
  it('are those of the protocol', () => {
    expect(limit('INDEX_BITS')).to.equal(INDEX_BITS);
    expect(limit('FUNDING_INDEX_BITS')).to.equal(FUNDING_INDEX_BITS);
    expect(limit('UNDERLYING_BITS')).to.equal(widthOf(INSTRUMENT_PRICE_LAYOUT, 'underlying'));
    expect(limit('LOT_E8_BITS')).to.equal(widthOf(INSTRUMENT_PRICE_LAYOUT, 'lotE8'));
    expect(limit('PRICE_PPB_BITS')).to.equal(widthOf(INSTRUMENT_PRICE_LAYOUT, 'pricePpb'));
    expect(limit('RATE_PPM_BITS')).to.equal(widthOf(UNDERLYING_LAYOUT, 'scanRangePpm'));
    for (const rate of ['chargeImPpm', 'chargeMmPpm', 'bandPpm', 'penaltyPpm']) {
      expect(limit('RATE_PPM_BITS')).to.equal(widthOf(INSTRUMENT_PRICE_LAYOUT, rate));
    }
    expect(limit('PPM_ONE')).to.equal(Number(PPM_ONE));
    expect(limit('PPB_ONE')).to.equal(Number(PPB_ONE));
    expect(limit('RISK_HEADER_WORDS')).to.equal(RISK_HEADER_WORDS);
    expect(limit('WORDS_PER_BLOCK')).to.equal(WORDS_PER_BLOCK);
    expect(limit('ROW_VALUES')).to.equal(ROW_VALUES);
    expect(limit('PAIR_LOSS_BITS')).to.equal(PAIR_LOSS_BITS);
    expect(limit('PAIR_LOSSES_PER_ELEMENT')).to.equal(LOSSES_PER_ELEMENT);
    expect(1 << limit('SURFACE_TOLERANCE_BITS')).to.equal(1 << Number(SURFACE_TOLERANCE_BITS));
  });

  it('are those of the words of a block', () => {
    const widths = Object.fromEntries(TERMS_LAYOUT.map(({ name, bits }) => [name, bits]));
    const rate = limit('RATE_PPM_BITS');
    expect(widths).to.deep.equal({
      timeSec: limit('OPTION_TIME_BITS'),
      upPpm: limit('VOL_UP_FACTOR_BITS'),
      downPpm: rate,
      upFloorPpm: limit('VOL_BITS'),
      leastVolPpm: limit('VOL_BITS'),
      rollImPpm: rate,
      rollMmPpm: rate,
      shortImPpm: rate,
      shortMmPpm: rate,
      bandPpm: rate,
      penaltyPpm: rate,
      isSettled: 1,
    });
    expect(widthOf(SETTLEMENT_LAYOUT, 'settlementMicros')).to.equal(limit('INDEX_BITS'));
    expect(widthOf(STRIKE_LAYOUT, 'strikeMicrosPerLot')).to.equal(limit('STRIKE_BITS'));
    expect(widthOf(STRIKE_LAYOUT, 'volPpm')).to.equal(limit('VOL_BITS'));
  });

  it('give the main files the geometry of the protocol', () => {
    for (const { name, startSlot, linear, blocks, strikesPerBlock } of [
      RISK_TINY,
      RISK_SMALL,
      RISK_MORE,
      RISK_64,
    ]) {
      const { scenarios, marketSlots } =
        name === 'risk-tiny' ? TINY_SHAPE : { ...STANDARD_SHAPE, marketSlots: slotsOf(RISK_64) };
      const parameters = [
        UNDERLYINGS.length,
        scenarios,
        marketSlots,
        startSlot,
        linear,
        blocks,
        strikesPerBlock,
      ];
      expect(readSource(`circuits/main/${name}.circom`)).to.contain(`= RiskTable(${parameters.join(', ')});`);
    }
  });

  it('hold every value that the protocol accepts', () => {
    const fits = (value: bigint, bits: number) => expect(value < 1n << BigInt(bits)).to.equal(true);
    fits(LOT_E8_MAX, limit('LOT_E8_BITS'));
    fits(CHARGE_PPM_MAX, limit('RATE_PPM_BITS'));
    fits(SCAN_RANGE_PPM_MAX, limit('RATE_PPM_BITS'));
    fits(PPB_ONE + BASIS_PPB_MAX, limit('PRICE_PPB_BITS'));
    fits(PPB_ONE + 1_000n * PREMIUM_PPM_MAX, limit('PRICE_PPB_BITS'));
    fits(VOL_UP_FACTOR_PPM_MAX, limit('VOL_UP_FACTOR_BITS'));
    fits(REPORTED_VOL_PPM_MAX, limit('VOL_BITS'));
    fits(quarterMoveNearest((1n << BigInt(limit('RATE_PPM_BITS'))) - 1n), limit('QUARTER_MOVE_BITS'));
  });

  it('leave every word below the field, so that a word has one meaning', () => {
    for (const layout of [
      FLAGS_LAYOUT,
      UNDERLYING_LAYOUT,
      INSTRUMENT_PRICE_LAYOUT,
      INSTRUMENT_LIMITS_LAYOUT,
      TERMS_LAYOUT,
      SETTLEMENT_LAYOUT,
      STRIKE_LAYOUT,
    ]) {
      expect(layoutBits(layout)).to.be.below(254);
    }
  });
});
