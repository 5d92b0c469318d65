/**
 * Rows of every listed option of three real chains. docs/options.md has the table of their errors; bench/option-chain.ts
 * prints it. Nothing listed there lies outside the domain, expiries under a day included: each is priced.
 */
import { expect } from 'chai';
import {
  FORWARD_MICROS_MAX,
  FORWARD_MICROS_MIN,
  STRIKE_MICROS_MAX,
  STRIKE_MICROS_MIN,
} from '#protocol/risk/option/domain.ts';
import { shockedVols } from '#protocol/risk/option/vol-shock.ts';
import {
  contextOf,
  distributionOf,
  microsPerLotOf,
  type QuotedExpiry,
  readChain,
  SNAPSHOTS,
} from '#test/support/option/chain.ts';
import { type ChainErrors, measureExpiry, noChainErrors } from '#test/support/option/chain-errors.ts';
import { isPriceable } from '#test/support/option/priceable.ts';

const DAY_SEC = 86_400;
/** Half of what the bounds of docs/options.md allow, or less: these strikes are not the corners of the domain. */
const OWN_ERROR_MAX = { ownMark: 1e-7, regularLosses: 2e-7, tailLosses: 1.5e-7 };

/** Half a micro of a forward of 19 dollars a lot, counted as often as the strike is multiples of it: up to eight times. */
const INPUT_ROUNDING_MAX = 2.2e-7;

interface Expected {
  readonly file: string;
  readonly underlying: number;
  readonly instruments: number;
  /** Mean and largest distance of the exchange's marks from Black-76 at its own volatility, coins. */
  readonly exchangeMean: number;
  readonly exchangeMax: number;
  /** Largest part of it that its rounding of volatility and mark does not explain. */
  readonly beyondRoundingMax: number;
}
/** BTC was read at the stamped time, ETH minutes later: the crash moves its marks against the forward and the time left. */
const EXPECTED: readonly Expected[] = [
  {
    file: '20260118',
    underlying: 0,
    instruments: 658,
    exchangeMean: 2.5e-6,
    exchangeMax: 1.8e-5,
    beyondRoundingMax: 9e-7,
  },
  {
    file: '20260118',
    underlying: 1,
    instruments: 688,
    exchangeMean: 3.1e-6,
    exchangeMax: 1.9e-5,
    beyondRoundingMax: 4.4e-6,
  },
  {
    file: '20260204',
    underlying: 0,
    instruments: 798,
    exchangeMean: 2.2e-6,
    exchangeMax: 3.5e-5,
    beyondRoundingMax: 3.1e-5,
  },
  {
    file: '20260204',
    underlying: 1,
    instruments: 878,
    exchangeMean: 9.5e-6,
    exchangeMax: 1.8e-4,
    beyondRoundingMax: 1.7e-4,
  },
  {
    file: '20260205',
    underlying: 0,
    instruments: 902,
    exchangeMean: 2.0e-6,
    exchangeMax: 1.5e-5,
    beyondRoundingMax: 6e-6,
  },
  {
    file: '20260205',
    underlying: 1,
    instruments: 938,
    exchangeMean: 4.8e-6,
    exchangeMax: 6.0e-5,
    beyondRoundingMax: 6e-5,
  },
];

const chains = new Map(SNAPSHOTS.map((snapshot) => [snapshot.file, readChain(snapshot)]));
const expiriesOf = ({ file, underlying }: Expected): QuotedExpiry[] =>
  (chains.get(file) ?? []).filter((expiry) => expiry.underlying === underlying);

for (const expected of EXPECTED) {
  const coin = ['BTC', 'ETH'][expected.underlying];
  describe(`${coin} options of ${expected.file}`, () => {
    const expiries = expiriesOf(expected);
    let errors: ChainErrors;
    before(function () {
      this.timeout(60_000);
      errors = noChainErrors();
      for (const expiry of expiries) measureExpiry(expiry, errors);
    });

    it('all lie in the domain, the shocked volatilities too', () => {
      for (const expiry of expiries) {
        const { forward, terms } = contextOf(expiry);
        expect(forward.forward >= FORWARD_MICROS_MIN && forward.forward <= FORWARD_MICROS_MAX).to.equal(true);
        for (const { strike, call, put } of expiry.strikes) {
          const micros = microsPerLotOf(strike, expiry.underlying);
          expect(micros >= STRIKE_MICROS_MIN && micros <= STRIKE_MICROS_MAX).to.equal(true);
          for (const { vol } of [call, put]) {
            const vols = shockedVols(BigInt(Math.round(vol * 1e6)), terms);
            expect(isPriceable(vols, terms.timeSec)).to.equal(true);
          }
        }
      }
      // The first expiry is the only one under a day, and no hour's floor applies to it.
      const shortest = expiries.map(({ expirySec, snapshot }) => expirySec - snapshot.timeSec);
      expect(shortest.filter((seconds) => seconds < DAY_SEC)).to.have.length(1);
      expect(Math.min(...shortest)).to.be.above(3_600);
    });

    it('are marked and shocked as in double precision, far within the error of the exchange', () => {
      expect(errors.ownMark).to.have.length(expected.instruments);
      expect(errors.regularLosses).to.have.length(16 * expected.instruments);
      expect(errors.tailLosses).to.have.length(8 * expected.instruments);
      for (const [name, bound] of Object.entries(OWN_ERROR_MAX) as [keyof ChainErrors, number][]) {
        const { mean, p99, max } = distributionOf(errors[name]);
        expect(max, name)
          .to.be.below(bound)
          .and.above(bound / 20);
        expect(p99, name).to.be.below(bound);
        expect(mean, name).to.be.below(bound / 4);
      }
    });

    it('have the exchange’s marks, to what it rounds its volatility to and the instant of its prices', () => {
      const exchange = distributionOf(errors.exchangeMark);
      expect(exchange.mean).to.be.below(expected.exchangeMean);
      expect(exchange.max).to.be.below(expected.exchangeMax);
      expect(distributionOf(errors.exchangeBeyondRounding).max).to.be.below(expected.beyondRoundingMax);
      const against = distributionOf(errors.againstExchange);
      expect(against.mean).to.be.below(expected.exchangeMean);
      expect(against.max).to.be.below(expected.exchangeMax + OWN_ERROR_MAX.ownMark);
      // What separates us from the exchange is the exchange's, but for our own error and for what enters as whole micros.
      errors.againstExchange.forEach((difference, i) => {
        expect(Math.abs(difference + errors.exchangeMark[i])).to.be.below(
          OWN_ERROR_MAX.ownMark + INPUT_ROUNDING_MAX,
        );
      });
    });
  });
}

describe('quoted chains', () => {
  it('have one volatility for call and put but at eleven strikes, which are priced once for each', () => {
    const strikes = [...chains.values()].flat().flatMap((expiry) => expiry.strikes);
    expect(strikes).to.have.length(2_431);
    expect(strikes.filter(({ call, put }) => call.vol !== put.vol)).to.have.length(11);
  });
});
