import { expect } from 'chai';
import { priceStrike } from '#protocol/risk/option/option-row.ts';
import { shockedVols } from '#protocol/risk/option/vol-shock.ts';
import { type CallQuote, isBlockSound } from '#protocol/risk/surface.ts';
import {
  contextOf,
  microsPerLotOf,
  type QuotedExpiry,
  readChain,
  SNAPSHOTS,
} from '#test/support/option/chain.ts';

interface Surface {
  readonly forward: bigint;
  readonly calls: readonly CallQuote[];
}

/** The marks that a round would have of every strike of an expiry, at the exchange's volatilities. */
function surfaceOf(expiry: QuotedExpiry): Surface {
  const { forward, moves, terms } = contextOf(expiry);
  const calls = expiry.strikes.map(({ strike: dollars, call }): CallQuote => {
    const strike = microsPerLotOf(dollars, expiry.underlying);
    const volsPpm = shockedVols(BigInt(Math.round(call.vol * 1e6)), terms);
    return { strike, mark: priceStrike({ strike, volsPpm }, forward, moves).call.mark };
  });
  return { forward: forward.forward, calls };
}
const nameOf = ({ strikes }: QuotedExpiry): string => strikes[0].call.name.split('-').slice(0, 2).join('-');

interface Refusal {
  /** Middle strikes of the butterflies that cost less than nothing by more than a thousandth of the forward. */
  readonly butterflies: readonly number[];
  /** Without these the rest of the expiry is accepted. */
  readonly without: readonly number[];
}
/** Long expiries of ETH on 2026-02-05 21:29: volatilities of neighbouring strikes jumped by 1 to 5 points. */
const REFUSED: Readonly<Record<string, Refusal>> = {
  'ETH-26JUN26': { butterflies: [2_600], without: [2_600] },
  'ETH-25SEP26': { butterflies: [3_500], without: [3_400, 3_500, 3_600] },
  'ETH-25DEC26': {
    butterflies: [1_600, 2_500, 2_800, 4_000, 4_400, 4_600],
    without: [1_600, 2_400, 2_500, 2_800, 3_000, 4_000, 4_200, 4_400, 4_600],
  },
};

describe('surface rule on real chains', () => {
  for (const snapshot of SNAPSHOTS) {
    const isCrash = snapshot.file === '20260205';
    const expiries = readChain(snapshot);
    const refused = expiries.filter((expiry) => isCrash && nameOf(expiry) in REFUSED);

    it(`accepts ${expiries.length - refused.length} of ${expiries.length} expiries of ${snapshot.file} at every strike`, () => {
      const unsound = expiries.filter((expiry) => {
        const { forward, calls } = surfaceOf(expiry);
        return !isBlockSound(forward, calls);
      });
      expect(unsound.map(nameOf)).to.deep.equal(refused.map(nameOf));
      expect(expiries).to.have.length(24);
    });

    for (const expiry of refused) {
      const name = nameOf(expiry);
      const { butterflies, without } = REFUSED[name];
      it(`refuses ${name} at ${butterflies}: the exchange's own marks are as unsound`, () => {
        const { forward, calls } = surfaceOf(expiry);
        const quoted = expiry.strikes.map(({ call }, i) => ({
          strike: calls[i].strike,
          mark: BigInt(Math.round(call.mark * Number(forward))),
        }));
        const dollars = expiry.strikes.map(({ strike }) => strike);
        for (const marks of [calls, quoted]) {
          const unsound = dollars.filter(
            (_, i) => i > 0 && i + 1 < marks.length && !isBlockSound(forward, marks.slice(i - 1, i + 2)),
          );
          expect(unsound).to.deep.equal(butterflies);
          expect(isBlockSound(forward, marks)).to.equal(false);
          const rest = marks.filter((_, i) => !without.includes(dollars[i]));
          expect(isBlockSound(forward, rest)).to.equal(true);
        }
      });
    }
  }
});

describe('surface rule on a real chain that is tampered with', () => {
  const expiry = readChain(SNAPSHOTS[2])[4];
  const { forward, calls } = surfaceOf(expiry);
  const atTheMoney = calls.findIndex(({ strike }) => strike >= forward);
  const withMark = (i: number, mark: bigint): CallQuote[] =>
    calls.map((quote, j) => (i === j ? { ...quote, mark } : quote));

  it('refuses two neighbouring calls exchanged at the money', () => {
    const swapped = calls.map((quote, i) => ({
      ...quote,
      mark: calls[i === atTheMoney ? i + 1 : i === atTheMoney + 1 ? i - 1 : i].mark,
    }));
    expect(isBlockSound(forward, calls)).to.equal(true);
    expect(isBlockSound(forward, swapped)).to.equal(false);
  });

  it('refuses a strike at five times its volatility: what one dishonest median could do', () => {
    const { terms, moves, forward: moved } = contextOf(expiry);
    const volPpm = BigInt(Math.round(expiry.strikes[atTheMoney].call.vol * 1e6)) * 5n;
    const strike = calls[atTheMoney].strike;
    const { call } = priceStrike({ strike, volsPpm: shockedVols(volPpm, terms) }, moved, moves);
    expect(isBlockSound(forward, withMark(atTheMoney, call.mark))).to.equal(false);
  });
});
