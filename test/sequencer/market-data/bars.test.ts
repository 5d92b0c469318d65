import { expect } from 'chai';
import { InputError, InvariantError } from '#protocol/errors.ts';
import { barsBetween, perLot, priceToMicros, readBars } from '#sequencer/market-data/bars.ts';

const MOVE_BOUND_PPM = 100_000n;

describe('replayed market', () => {
  const bars = readBars();

  it('is two hours of one-minute bars without a gap', () => {
    expect(bars.length).to.equal(120);
    expect(bars[119].closeSec - bars[0].closeSec).to.equal(119n * 60n);
  });

  it('holds the bottom of 2021-05-19 as the exchange published it', () => {
    const [bottom] = barsBetween(bars, '13:09', '13:09');
    expect(bottom.closeMicros).to.deep.equal([30_101_000_000n, 1_925_160_000n]);
  });

  it('stays within the oracle’s move bound from each bar of the replay to the next', () => {
    const replayed = barsBetween(bars, '12:38', '13:11');
    for (let i = 1; i < replayed.length; i++) {
      for (const coin of [0, 1]) {
        const before = replayed[i - 1].closeMicros[coin];
        const change = replayed[i].closeMicros[coin] - before;
        const movePpm = ((change < 0n ? -change : change) * 1_000_000n) / before;
        expect(movePpm < MOVE_BOUND_PPM, `bar ${i}, coin ${coin}`).to.equal(true);
      }
    }
  });

  it('reads decimals exactly and refuses what it would have to round', () => {
    expect(priceToMicros('37969.52')).to.equal(37_969_520_000n);
    expect(priceToMicros('2000')).to.equal(2_000_000_000n);
    for (const text of ['1.1234567', '-3', '1e3', '', ' 1', '0x1']) {
      expect(() => priceToMicros(text), text).to.throw(InputError);
    }
  });

  it('prices a lot without rounding, or not at all', () => {
    expect(perLot(2_609_780_000n, 1_000_000n)).to.equal(26_097_800n);
    expect(() => perLot(1n, 1n)).to.throw(InvariantError);
  });
});
