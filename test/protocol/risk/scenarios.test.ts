import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { UNDERLYINGS } from '#protocol/instrument.ts';
import { SCENARIOS, scenariosOf, TINY_SCENARIO_ROWS } from '#protocol/risk/scenarios.ts';

interface ListedRow {
  row: number;
  vol: string;
  weight: 'regular' | 'tail';
  moveOfScanRangePpm?: Record<string, number>;
  moveAbsolutePpm?: Record<string, number>;
}
const listed: ListedRow[] = JSON.parse(
  readFileSync(new URL('../../../protocol/vectors/scenarios.json', import.meta.url), 'utf8'),
).rows;

describe('scenarios', () => {
  it('are the 32 rows of the published list, in its order', () => {
    expect(listed).to.have.length(32);
    expect(SCENARIOS.map(({ row }) => row)).to.deep.equal(listed.map(({ row }) => row));
    expect(SCENARIOS.map(({ volMove }) => volMove)).to.deep.equal(listed.map(({ vol }) => vol));
  });

  it('move each underlying by the published part of its scan range', () => {
    for (const { row, weight, moveOfScanRangePpm } of listed.filter(({ weight }) => weight === 'regular')) {
      const moves = UNDERLYINGS.map((name) => moveOfScanRangePpm?.[name]);
      expect(SCENARIOS[row].quarters.map((quarters) => quarters * 250_000)).to.deep.equal(moves);
      expect(SCENARIOS[row].tailMovePpm, weight).to.equal(0);
    }
  });

  it('weigh a tail so that anything linear moves 0.75 of its scan range', () => {
    const tails = listed.filter(({ weight }) => weight === 'tail');
    expect(tails).to.have.length(8);
    for (const { row, moveAbsolutePpm } of tails) {
      UNDERLYINGS.forEach((name, underlying) => {
        const movePpm = moveAbsolutePpm?.[name] ?? Number.NaN;
        expect(SCENARIOS[row].tailMovePpm).to.equal(movePpm);
        // weight · move = (0.75 R / |move|) · move
        expect(SCENARIOS[row].quarters[underlying]).to.equal((0.75 * 4 * movePpm) / Math.abs(movePpm));
      });
    }
  });

  it('leave a losing row to every long, short and hedge in the tiny list', () => {
    const tiny = scenariosOf(TINY_SCENARIO_ROWS.length);
    for (const [btc, eth] of [
      [1, 0],
      [-1, 0],
      [0, 1],
      [0, -1],
      [1, 1],
      [-1, -1],
      [1, -1],
      [-1, 1],
    ]) {
      const losses = tiny.map(({ quarters }) => -(btc * quarters[0] + eth * quarters[1]));
      expect(Math.max(...losses), `${btc} BTC, ${eth} ETH`).to.be.at.least(4);
    }
  });

  it('refuse a number of rows that no list has', () => {
    expect(() => scenariosOf(31)).to.throw('scenarios: 31 is not valid');
  });
});
