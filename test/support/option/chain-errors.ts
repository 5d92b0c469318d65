/** Rows of real chains against double precision at the same inputs, and against the exchange's own marks. */
import { STANDARD_SHAPE } from '#protocol/limits.ts';
import { isTail, MOVE_PAIRS } from '#protocol/risk/option/moves.ts';
import { priceStrike } from '#protocol/risk/option/option-row.ts';
import { shockedVols } from '#protocol/risk/option/vol-shock.ts';
import { type OptionRowContext, optionRows } from '#protocol/risk/rows.ts';
import { optionEntry } from '../option-registry.ts';
import { contextOf, microsPerLotOf, type Quote, type QuotedExpiry } from './chain.ts';
import { floatMove } from './error-grid.ts';
import { floatBlack76 } from './float-black76.ts';

/** Errors of every instrument, in the order of the chain; shares of the forward, which is also coins. */
export interface ChainErrors {
  /** Our mark less Black-76 in double precision at the same whole micros, seconds and ppm. */
  readonly ownMark: number[];
  /** The exchange's mark less Black-76 in double precision at its volatility and the parity forward. */
  readonly exchangeMark: number[];
  /** What of that its rounding does not explain: volatility to 0.01 of a percent, mark to 10^-8. */
  readonly exchangeBeyondRounding: number[];
  /** Our mark less the exchange's. */
  readonly againstExchange: number[];
  /** Losses of the sixteen regular pairs and of the eight weighted tails less double precision, all instruments. */
  readonly regularLosses: number[];
  readonly tailLosses: number[];
}

export const noChainErrors = (): ChainErrors => ({
  ownMark: [],
  exchangeMark: [],
  exchangeBeyondRounding: [],
  againstExchange: [],
  regularLosses: [],
  tailLosses: [],
});

const [VOL_HALF_UNIT, MARK_HALF_UNIT] = [5e-5, 5e-9];

const volPpmOf = ({ vol }: Quote): bigint => BigInt(Math.round(vol * 1e6));

/** Call and put rows at one volatility, as a round makes them, with the inputs in double precision beside. */
function rowsOf(expiry: QuotedExpiry, strike: number, volPpm: bigint, context: OptionRowContext) {
  const strikeMicros = microsPerLotOf(strike, expiry.underlying);
  const listing = {
    underlying: expiry.underlying,
    expirySec: BigInt(expiry.expirySec),
    strikes: [strikeMicros],
  };
  const listed = {
    entry: optionEntry(1_000, strikeMicros, listing),
    premiumPpb: 0n,
    fundingIndexMicrosPerLot: 0n as never,
    volPpm,
    settlementMicros: 0n,
  };
  const place = { kind: 'strike' as const, block: 0, strike: 0, marketSlot: 0 };
  const [call, put] = optionRows(place, listed, context, STANDARD_SHAPE);
  const volsPpm = shockedVols(volPpm, context.terms);
  // A row packs the call's losses; the put's by pair are those of the pricer.
  const { put: putValues } = priceStrike({ strike: strikeMicros, volsPpm }, context.forward, context.moves);
  return {
    call: { mark: call.mark, losses: call.pairLosses },
    put: { mark: put.mark, losses: putValues.losses },
    inputs: { strike: Number(strikeMicros), seconds: Number(context.terms.timeSec), volsPpm },
  };
}

/** Appends the errors of every instrument of an expiry, call before put. */
export function measureExpiry(expiry: QuotedExpiry, errors: ChainErrors): void {
  const context = contextOf(expiry);
  const forward = Number(context.forward.forward);
  const seconds = expiry.expirySec - expiry.snapshot.timeSec;
  for (const quoted of expiry.strikes) {
    for (const type of ['call', 'put'] as const) {
      const quote = quoted[type];
      const { inputs, ...rows } = rowsOf(expiry, quoted.strike, volPpmOf(quote), context);
      const vols = inputs.volsPpm;
      const price = (at: number, volPpm: bigint) =>
        floatBlack76(at, inputs.strike, Number(volPpm) / 1e6, inputs.seconds)[type];
      const base = price(forward, vols.same);
      const coins = (vol: number) =>
        floatBlack76(expiry.forward, quoted.strike, vol, seconds)[type] / expiry.forward;
      const least = coins(quote.vol - VOL_HALF_UNIT) - MARK_HALF_UNIT;
      const most = coins(quote.vol + VOL_HALF_UNIT) + MARK_HALF_UNIT;
      errors.ownMark.push((Number(rows[type].mark) - base) / forward);
      errors.exchangeMark.push(quote.mark - coins(quote.vol));
      errors.exchangeBeyondRounding.push(Math.max(0, least - quote.mark, quote.mark - most));
      errors.againstExchange.push(Number(rows[type].mark) / forward - quote.mark);
      MOVE_PAIRS.forEach((pair, i) => {
        const { move, weight } = floatMove(pair, context.moves.quarterMove);
        const loss = weight * (base - price(forward * (1 + move), vols[pair.volMove]));
        const list = isTail(pair) ? errors.tailLosses : errors.regularLosses;
        list.push((Number(rows[type].losses[i]) - loss) / forward);
      });
    }
  }
}
