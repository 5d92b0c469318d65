import { expect } from 'chai';
import { layoutBits, type PackField } from '#protocol/pack.ts';
import {
  INSTRUMENT_LIMITS_LAYOUT,
  INSTRUMENT_PRICE_LAYOUT,
  UNDERLYING_LAYOUT,
} from '#protocol/risk/risk-words.ts';
import {
  CHARGE_PPM_MAX,
  FORWARD_BASIS_PPM_MAX,
  FUNDING_INDEX_BITS,
  INDEX_BITS,
  LOT_E8_MAX,
  quarterMoveNearest,
  SCAN_RANGE_PPM_MAX,
} from '#protocol/risk/round.ts';
import { PPM_ONE } from '#protocol/units.ts';
import { readSource } from '#test/static/repository-files.ts';

const circuitLimits = new Map(
  [...readSource('circuits/risk/risk-limits.circom').matchAll(/function (\w+)\(\) \{ return (\d+); \}/g)].map(
    ([, name, value]) => [name, Number(value)],
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
    expect(limit('PRICE_PPM_BITS')).to.equal(widthOf(INSTRUMENT_PRICE_LAYOUT, 'pricePpm'));
    expect(limit('RATE_PPM_BITS')).to.equal(widthOf(UNDERLYING_LAYOUT, 'scanRangePpm'));
    for (const rate of ['chargeImPpm', 'chargeMmPpm', 'bandPpm', 'penaltyPpm']) {
      expect(limit('RATE_PPM_BITS')).to.equal(widthOf(INSTRUMENT_PRICE_LAYOUT, rate));
    }
    expect(limit('PPM_ONE')).to.equal(Number(PPM_ONE));
  });

  it('hold every value that the protocol accepts', () => {
    const fits = (value: bigint, bits: number) => expect(value < 1n << BigInt(bits)).to.equal(true);
    fits(LOT_E8_MAX, limit('LOT_E8_BITS'));
    fits(CHARGE_PPM_MAX, limit('RATE_PPM_BITS'));
    fits(SCAN_RANGE_PPM_MAX, limit('RATE_PPM_BITS'));
    fits(PPM_ONE + FORWARD_BASIS_PPM_MAX, limit('PRICE_PPM_BITS'));
    fits(quarterMoveNearest((1n << BigInt(limit('RATE_PPM_BITS'))) - 1n), limit('QUARTER_MOVE_BITS'));
  });

  it('leave every word below the field, so that a word has one meaning', () => {
    for (const layout of [UNDERLYING_LAYOUT, INSTRUMENT_PRICE_LAYOUT, INSTRUMENT_LIMITS_LAYOUT]) {
      expect(layoutBits(layout)).to.be.below(254);
    }
  });
});
