import { expect } from 'chai';
import { clock, coins, dollars, grouped, pricePerCoin, table } from '#sequencer/main-job/terminal.ts';

describe('numbers for people', () => {
  it('shows dollars with cents and their sign', () => {
    expect(dollars(722_269_404n)).to.equal('722.26');
    expect(dollars(-1_234_567_890_000n)).to.equal('−1,234,567.89');
    expect(dollars(-9_999n)).to.equal('−0.00');
  });

  it('shows lots as coins and prices of a lot as prices of a coin', () => {
    expect(coins(2_392n, 1_000_000n)).to.equal('23.92');
    expect(coins(1n, 100_000n)).to.equal('0.001');
    expect(pricePerCoin(20_043_000n, 1_000_000n)).to.equal('2,004.30');
  });

  it('shows counts in groups and durations as minutes and seconds', () => {
    expect(grouped(1_234_567)).to.equal('1,234,567');
    expect(clock(125_900)).to.equal('2:05');
  });

  it('lines up columns', () => {
    expect(
      table(
        ['who', 'dollars'],
        [
          ['Aspen', '1.00'],
          ['Birch', '1,000.00'],
        ],
      ),
    ).to.deep.equal(['  who     dollars', '  ─────  ────────', '  Aspen      1.00', '  Birch  1,000.00']);
  });
});
