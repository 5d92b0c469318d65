import { expect } from 'chai';
import { blackPrice, impliedVol } from '#protocol/display/black76.ts';
import {
  instrumentGreeks,
  optionGreeks,
  optionQuotes,
  type PortfolioGreeks,
  portfolioGreeks,
  termsOf,
  volOf,
} from '#protocol/display/greeks.ts';
import { STANDARD_SHAPE } from '#protocol/limits.ts';
import { holdingsOf, marginOf } from '#protocol/risk/margin.ts';
import { buildRiskTable, type PlaceRound, type RiskRoundInputs } from '#protocol/risk/round.ts';
import { rowOf } from '#protocol/risk/table.ts';
import { divideNearest } from '#protocol/units.ts';
import { expectNear } from '#test/support/near.ts';
import { lotsPerCoin } from '#test/support/option/chain.ts';
import { chainMarket, holderOf, mixedPositions } from '#test/support/option/chain-portfolio.ts';
import { floatBlack76 } from '#test/support/option/float-black76.ts';
import { changedPlace } from '#test/support/risk-rounds.ts';

const SECONDS_PER_YEAR = 31_536_000;
const HALF_MICRO = 0.5;
/** docs/options.md §3: of the forward. */
const [MARK_ERROR_MAX, DELTA_ERROR_MAX] = [5e-7, 3.5e-3];

const { inputs, table, quotes, expiries } = chainMarket();
const [{ calls, futureId }, , , far] = expiries;
const held = mixedPositions({ inputs, table, expiries });
const account = holderOf(held);

/** The proved mark of an instrument after a change of the round's inputs. */
function markAfter(change: (inputs: RiskRoundInputs) => RiskRoundInputs, instrumentId: number): number {
  const row = rowOf(buildRiskTable(change(inputs), STANDARD_SHAPE), instrumentId);
  return Number(row?.mark);
}
const placeOf = (instrumentId: number): number =>
  inputs.places.findIndex((listed) => listed?.entry.id === instrumentId);
const listedAt = (place: number): PlaceRound => inputs.places[place] as PlaceRound;

describe('quotes of a round', () => {
  it('are those of every option that is not settled, as its row was priced', () => {
    expect(quotes).to.have.length(2 * expiries.flatMap((listed) => listed.calls).length);
    for (const quote of quotes) {
      const { forward, strike, years, kind } = termsOf(quote);
      const exact = floatBlack76(forward, strike, volOf(quote), years * SECONDS_PER_YEAR)[kind];
      const mark = Number(rowOf(table, quote.instrumentId)?.mark);
      expectNear(mark, exact, MARK_ERROR_MAX * forward + HALF_MICRO, `mark of ${quote.instrumentId}`);
    }
  });

  it('hold the volatility that the proved mark implies', () => {
    let solved = 0;
    for (const quote of quotes) {
      const terms = termsOf(quote);
      const vega = Number(optionGreeks(quote).vegaMicrosPerLotPerVolPoint) * 100;
      const slack = (MARK_ERROR_MAX * terms.forward + HALF_MICRO) / vega;
      // Where the mark is hardly time value, its last micros say nothing about volatility.
      if (!(slack < 1e-3)) continue;
      const found = impliedVol(terms, Number(rowOf(table, quote.instrumentId)?.mark));
      if (!found.ok) throw new Error(found.message);
      expectNear(found.value, volOf(quote), 1.2 * slack, `volatility of ${quote.instrumentId}`);
      solved++;
    }
    expect(solved).to.be.above(quotes.length / 2);
  });
});

describe('Greeks of an option', () => {
  // Every proved mark is off by its bound at most: a difference of two by twice that, over the step.
  const errorOf = (forward: number) => 2 * (MARK_ERROR_MAX * forward + HALF_MICRO);

  for (const name of ['call', 'put'] as const) {
    // Months left: steps far above the errors of marks are small against a deviation and against the time.
    const callId = far.calls[1].id;
    const id = name === 'call' ? callId : callId + 1;
    const quote = quotes.find(({ instrumentId }) => instrumentId === id)!;
    const { forward, years } = termsOf(quote);
    const greeks = optionGreeks(quote);

    it(`are the finite differences of the proved price of a ${name}: delta and gamma`, () => {
      const place = placeOf(far.futureId);
      const { premiumPpb } = listedAt(place);
      const stepPpb = 20_000_000n;
      const at = (steps: bigint) =>
        markAfter((old) => changedPlace(old, place, { premiumPpb: premiumPpb + steps * stepPpb }), id);
      const [down, here, up] = [at(-1n), at(0n), at(1n)];
      // The premium is a share of the index.
      const index = forward / (1 + Number(premiumPpb) / 1e9);
      const step = (index * Number(stepPpb)) / 1e9;
      const delta = ((up - down) / (2 * step)) * forward;
      // Third order: the step is less than a sixth of a deviation, so a part of (1/6)²/6 of a delta of one.
      expectNear(
        Number(greeks.deltaMicrosPerLot),
        delta,
        0.005 * forward + (errorOf(forward) * forward) / (2 * step),
      );
      const gamma = ((up - 2 * here + down) / step ** 2) * (forward ** 2 / 100);
      // Fourth order: (1/6)²/12.
      const slack = 0.003 * gamma + (2 * errorOf(forward) * forward ** 2) / (100 * step ** 2);
      expectNear(Number(greeks.gammaMicrosPerLotPerPercent), gamma, slack);
      expect(slack).to.be.below(0.01 * gamma);
    });

    it(`are the finite differences of the proved price of a ${name}: vega`, () => {
      const place = placeOf(callId);
      const { volPpm } = listedAt(place);
      const at = (stepPpm: bigint) =>
        markAfter((old) => changedPlace(old, place, { volPpm: volPpm + stepPpm }), id);
      const vega = (at(10_000n) - at(-10_000n)) / 2;
      const slack = errorOf(forward) / 2 + 0.002 * vega;
      expectNear(Number(greeks.vegaMicrosPerLotPerVolPoint), vega, slack);
      expect(slack).to.be.below(0.01 * vega);
    });

    it(`are the finite differences of the proved price of a ${name}: theta`, () => {
      const later = (seconds: bigint) => markAfter((old) => ({ ...old, timeSec: old.timeSec + seconds }), id);
      const theta = later(43_200n) - later(-43_200n);
      // Second order vanishes in the middle; third order is (half a day / life)² of theta.
      const slack = errorOf(forward) + Math.abs(theta) * (0.5 / (365 * years)) ** 2;
      expectNear(Number(greeks.thetaMicrosPerLotPerDay), theta, slack);
      expect(slack).to.be.below(0.02 * Math.abs(theta));
    });
  }

  it('have the delta of the proved row, to its bound', () => {
    for (const quote of quotes) {
      const row = rowOf(table, quote.instrumentId);
      const { deltaMicrosPerLot } = optionGreeks(quote);
      expectNear(
        Number(deltaMicrosPerLot),
        Number(row?.delta),
        DELTA_ERROR_MAX * Number(quote.forwardMicrosPerLot),
      );
    }
  });

  it('have the exchange’s vega of a coin', () => {
    for (const { id, quoted } of calls) {
      const { vegaMicrosPerLotPerVolPoint } = optionGreeks(
        quotes.find(({ instrumentId }) => instrumentId === id)!,
      );
      const dollarsPerCoin = (Number(vegaMicrosPerLotPerVolPoint) * lotsPerCoin(0)) / 1e6;
      // Theirs were read minutes after their marks.
      expectNear(dollarsPerCoin, quoted.call.vega, 0.03 * quoted.call.vega);
    }
  });

  it('are in the units they are named in: a move of 1 %, a volatility point, a day', () => {
    for (const quote of quotes) {
      const terms = termsOf(quote);
      const vol = volOf(quote);
      const g = optionGreeks(quote);
      const gain = (change: Partial<typeof terms>, at = vol) =>
        blackPrice({ ...terms, ...change }, at) - blackPrice(terms, vol);
      // What is left is of third order in the move, of second in volatility and time.
      const slack = 2e-4 * terms.forward + HALF_MICRO;
      const percent = 0.01 * Number(g.deltaMicrosPerLot) + (0.01 * Number(g.gammaMicrosPerLotPerPercent)) / 2;
      expectNear(gain({ forward: 1.01 * terms.forward }), percent, slack, '1 %');
      expectNear(gain({}, vol + 0.01), Number(g.vegaMicrosPerLotPerVolPoint), slack, 'a volatility point');
      const day = gain({ years: terms.years - 1 / 365 });
      expectNear(day, Number(g.thetaMicrosPerLotPerDay), slack + 0.3 * Math.abs(day), 'a day');
    }
  });
});

describe('Greeks of a portfolio', () => {
  const { positions, byUnderlying } = portfolioGreeks(holdingsOf(account, table), quotes);
  const names = [
    'deltaMicros',
    'gammaMicrosPerPercent',
    'vegaMicrosPerVolPoint',
    'thetaMicrosPerDay',
  ] as const satisfies (keyof PortfolioGreeks)[];

  it('value every position by the proved mark: with cash they are the equity, exactly', () => {
    expect(positions.map(({ instrumentId, sizeLots }) => ({ instrumentId, sizeLots }))).to.deep.equal(held);
    const value = positions.reduce((sum, { valueMicros }) => sum + valueMicros, 0n);
    expect(value + account.cashStar).to.equal(marginOf(account, table, STANDARD_SHAPE).equity);
  });

  it('are size times one lot, and their sums by underlying, exactly', () => {
    for (const { underlying, ...sums } of byUnderlying) {
      const own = positions.filter((position) => position.underlying === underlying);
      expect(own.length).to.be.above(0);
      for (const name of names)
        expect(sums[name]).to.equal(own.reduce((total, position) => total + position[name], 0n));
    }
    for (const position of positions) {
      const row = rowOf(table, position.instrumentId)!;
      const { deltaMicrosPerLot, impliedVolPpm } = instrumentGreeks(row, quotes);
      expect(position.deltaMicros).to.equal(position.sizeLots * deltaMicrosPerLot);
      expect(position.impliedVolPpm).to.equal(impliedVolPpm);
    }
  });

  it('have the net deltas of the margin rule, to the bound of a row', () => {
    const { netDeltas } = marginOf(account, table, STANDARD_SHAPE);
    byUnderlying.forEach(({ deltaMicros, underlying }) => {
      const options = positions.filter(
        (position) => position.underlying === underlying && position.impliedVolPpm !== undefined,
      );
      const bound = options.reduce((sum, { instrumentId, sizeLots }) => {
        const quote = quotes.find((other) => other.instrumentId === instrumentId)!;
        return sum + Math.abs(Number(sizeLots)) * DELTA_ERROR_MAX * Number(quote.forwardMicrosPerLot);
      }, 0);
      expectNear(Number(deltaMicros), Number(netDeltas[underlying]), bound);
    });
  });

  it('are delta alone for spot, perpetual and future; short options earn time and lose on moves', () => {
    const [spot, perp, future, short, long] = positions;
    for (const linear of [spot, perp, future]) {
      expect(linear.deltaMicros).to.equal(linear.valueMicros);
      expect(names.slice(1).map((name) => linear[name])).to.deep.equal([0n, 0n, 0n]);
      expect(linear.impliedVolPpm).to.equal(undefined);
    }
    expect(short.thetaMicrosPerDay > 0n && short.gammaMicrosPerPercent < 0n).to.equal(true);
    expect(long.thetaMicrosPerDay < 0n && long.vegaMicrosPerVolPoint > 0n).to.equal(true);
  });

  it('are nothing for what is settled', () => {
    const settlementMicros = inputs.underlyings[0].indexMicros;
    const { expirySec } = listedAt(placeOf(futureId)).entry;
    const settled = changedPlace({ ...inputs, timeSec: expirySec }, placeOf(futureId), { settlementMicros });
    const after = buildRiskTable(settled, STANDARD_SHAPE);
    const left = optionQuotes(settled);
    expect(left).to.have.length(quotes.length - 2 * calls.length);
    const greeks = portfolioGreeks(holdingsOf(account, after), left);
    for (const { instrumentId, isSettled, sizeLots, valueMicros, ...rest } of greeks.positions) {
      const isOfBlock = [futureId, calls[1].id, calls[0].id + 1].includes(instrumentId);
      expect(isSettled).to.equal(isOfBlock);
      if (!isOfBlock) continue;
      expect(names.map((name) => rest[name])).to.deep.equal([0n, 0n, 0n, 0n]);
      expect(rest.impliedVolPpm).to.equal(undefined);
      expect(valueMicros).to.equal(sizeLots * rest.markMicrosPerLot);
    }
    expect(greeks.positions.find(({ instrumentId }) => instrumentId === futureId)?.markMicrosPerLot).to.equal(
      divideNearest(settlementMicros * 100_000n, 100_000_000n),
    );
  });

  it('refuse a round whose option has no quote', () => {
    expect(() => portfolioGreeks(holdingsOf(account, table), [])).to.throw('comes with the quote');
  });
});
