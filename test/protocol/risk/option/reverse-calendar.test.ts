import { expect } from 'chai';
import type { RiskRow } from '#protocol/instrument.ts';
import { STANDARD_SHAPE } from '#protocol/limits.ts';
import { pairOfColumns } from '#protocol/risk/option/moves.ts';
import { priceStrike } from '#protocol/risk/option/option-row.ts';
import { shockedVols } from '#protocol/risk/option/vol-shock.ts';
import { placesOf, RISK_64 } from '#protocol/risk/registry.ts';
import { optionRows } from '#protocol/risk/rows.ts';
import { microsPerLot } from '#protocol/units.ts';
import {
  contextOf,
  microsPerLotOf,
  type QuotedExpiry,
  readChain,
  SNAPSHOTS,
} from '#test/support/option/chain.ts';
import { optionEntry } from '#test/support/option-registry.ts';

const PPM_ONE = 1e6;
const COLUMNS = pairOfColumns(STANDARD_SHAPE.scenarios, 0);

/** The bitcoin expiries of a recorded chain. */
const bitcoinOf = (snapshot: (typeof SNAPSHOTS)[number]): QuotedExpiry[] =>
  readChain(snapshot).filter(({ underlying }) => underlying === 0);

/** Losses of one lot of every call by strike. */
function callLosses(expiry: QuotedExpiry): Map<number, bigint[]> {
  const { terms, forward, moves } = contextOf(expiry);
  return new Map(
    expiry.strikes.map(({ strike, call }) => {
      const volsPpm = shockedVols(BigInt(Math.round(call.vol * PPM_ONE)), terms);
      const { losses } = priceStrike({ strike: microsPerLotOf(strike, 0), volsPpm }, forward, moves).call;
      return [strike, COLUMNS.map((pair) => losses[pair])];
    }),
  );
}

/** Reverse calendars of a chain (long the near call, short the far one at its strike): how many, how many without a loss. */
function count(expiries: readonly QuotedExpiry[]): [all: number, withoutLoss: number] {
  const losses = expiries.map(callLosses);
  const spreads = losses.flatMap((near, i) =>
    losses
      .slice(i + 1)
      .flatMap((far) =>
        [...near].flatMap(([strike, nearLosses]) =>
          far.has(strike) ? [nearLosses.map((loss, s) => loss - (far.get(strike) as bigint[])[s])] : [],
        ),
      ),
  );
  return [spreads.length, spreads.filter((spread) => spread.every((loss) => loss <= 0n)).length];
}

describe('reverse calendars (docs/margin.md)', () => {
  const expected = [
    ['in a rising term structure none is without a loss', 880, 0],
    ['in a falling one a few are', 1_095, 4],
    ['in the crash a few are', 1_283, 5],
  ] as const;
  expected.forEach(([claim, all, withoutLoss], i) => {
    it(claim, () => {
      expect(count(bitcoinOf(SNAPSHOTS[i]))).to.deep.equal([all, withoutLoss]);
    });
  });

  describe('of calls of 62,000 in the crash, a coin long until 7 February and short until 27 March', () => {
    const STRIKE = 62_000;
    const [nearExpiry, farExpiry] = [1, 7].map((number) => bitcoinOf(SNAPSHOTS[2])[number]);
    const strikePlace = placesOf(RISK_64).find(({ kind }) => kind === 'strike')!;

    /** The call's row, at another volatility if given. */
    function rowOf(expiry: QuotedExpiry, vol?: number): RiskRow {
      const quoted = expiry.strikes.find(({ strike }) => strike === STRIKE)!;
      const listing = { underlying: 0, expirySec: BigInt(expiry.expirySec), strikes: [] };
      const listed = {
        entry: optionEntry(1_000, microsPerLotOf(STRIKE, 0), listing),
        premiumPpb: 0n,
        fundingIndexMicrosPerLot: microsPerLot(0n),
        volPpm: BigInt(Math.round((vol ?? quoted.call.vol) * PPM_ONE)),
        settlementMicros: 0n,
      };
      return optionRows(strikePlace, listed, contextOf(expiry), STANDARD_SHAPE)[0];
    }
    /** Whole dollars a coin: a thousand lots. */
    const dollars = (microsOfLot: bigint): number => Math.round(Number(microsOfLot) / 1_000);
    const near = rowOf(nearExpiry);
    const far = rowOf(farExpiry);

    it('gains in each of the 32 scenarios, least where price falls by a quarter of R and volatility with it', () => {
      const gains = near.losses.map((loss, s) => dollars(far.losses[s] - loss));
      expect(gains).to.have.length(32);
      expect(Math.min(...gains)).to.equal(18);
      expect(gains.indexOf(18)).to.equal(5);
      // Price still: volatility up, volatility down.
      expect([gains[6], gains[7]]).to.deep.equal([147, 87]);
    });

    it('has the charges as its whole margin', () => {
      expect(dollars(near.chargeImLong + far.chargeImShort)).to.equal(932);
      expect(dollars(near.chargeMmLong + far.chargeMmShort)).to.equal(559);
    });

    it('loses more than them where one volatility alone moves, which no scenario does', () => {
      expect(dollars(near.mark - rowOf(nearExpiry, 0.7257).mark)).to.equal(1_153);
      expect(dollars(rowOf(farExpiry, 0.8257).mark - far.mark)).to.equal(910);
    });
  });
});
