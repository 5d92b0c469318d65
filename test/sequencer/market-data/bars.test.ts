import { expect } from 'chai';
import { InputError, InvariantError } from '#protocol/errors.ts';
import {
  barsBetween,
  lastClosed,
  parseCandles,
  perLot,
  priceToMicros,
  readBars,
} from '#sequencer/market-data/bars.ts';

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

  it('holds the night of 2026-02-05 in quarter hours, within the oracle’s move bound', () => {
    const night = readBars('crash-2026');
    expect(night.length).to.equal(96);
    const bottom = night.reduce((low, bar) => (bar.closeMicros[0] < low.closeMicros[0] ? bar : low));
    expect(new Date(Number(bottom.closeSec) * 1000).toISOString()).to.equal('2026-02-06T00:15:00.000Z');
    expect(bottom.closeMicros).to.deep.equal([60_255_650_000n, 1_769_490_000n]);
    night.slice(1).forEach((bar, i) => {
      expect(bar.closeSec - night[i].closeSec).to.equal(900n);
      for (const coin of [0, 1]) {
        const ratio = Number(bar.closeMicros[coin]) / Number(night[i].closeMicros[coin]);
        expect(Math.abs(ratio - 1) < 0.05, `${bar.closeSec}`).to.equal(true);
      }
    });
  });

  it('knows of a moment what had closed by then', () => {
    expect(lastClosed(bars, bars[5].closeSec)).to.equal(bars[5]);
    expect(lastClosed(bars, bars[5].closeSec + 59n)).to.equal(bars[5]);
    expect(() => lastClosed(bars, bars[0].closeSec - 1n)).to.throw(InputError);
  });

  it('refuses candles of another form, or with a gap, by field', () => {
    const header = 'open_time_ms,open,high,low,close,volume';
    const candles = (...opens: string[]) =>
      [header, ...opens.map((open) => `${open},1,2,1,1.5,0`)].join('\n');
    expect(parseCandles(candles('60000', '120000'), 60n).map(({ openMs }) => openMs)).to.deep.equal([
      60_000n,
      120_000n,
    ]);
    const refused: [string, string][] = [
      ['header', candles('60000').replace('volume', 'size')],
      ['line 2', `${header}\n60000,1,2,1`],
      ['open_time_ms', candles('6e4')],
      ['open_time_ms', candles('60000', '180000')],
      ['open_time_ms', candles('60000', '60000')],
      ['price', `${header}\n60000,1,2,1,-1.5,0`],
    ];
    for (const [field, text] of refused) {
      expect(() => parseCandles(text, 60n), text)
        .to.throw(InputError)
        .with.property('field', field);
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
