/** A portfolio of every kind over a round of real strikes, as tests and benches of margin and Greeks hold it. */
import { type Account, emptyAccount } from '#protocol/account.ts';
import { type OptionQuote, optionQuotes } from '#protocol/display/greeks.ts';
import { STANDARD_SHAPE } from '#protocol/limits.ts';
import { RISK_64 } from '#protocol/risk/registry.ts';
import { lots, type Micros } from '#protocol/units.ts';
import { Listing } from '#sequencer/main-job/listing.ts';
import { SNAPSHOTS } from './chain.ts';
import { type ChainTable, chainTable } from './chain-table.ts';

/** Of the chain of each coin: from three days to five months. */
const EXPIRIES = [2, 4, 6, 9];

export interface ChainMarket extends ChainTable {
  readonly quotes: readonly OptionQuote[];
  readonly listing: Listing;
}

/** A round of the calm snapshot with what it lists. */
export function chainMarket(): ChainMarket {
  const market = chainTable(SNAPSHOTS[0], EXPIRIES);
  const registry = market.inputs.places.map((listed) => listed?.entry);
  return { ...market, quotes: optionQuotes(market.inputs), listing: new Listing(registry, [RISK_64]) };
}

export const CASH_MICROS = 5_000_000_000n;

/** Spot, a perpetual, a future, calls and puts, long and short, of both coins. */
export function mixedPositions({ expiries }: ChainTable) {
  const [{ calls, futureId }] = expiries;
  const ether = expiries[5].calls[2].id + 1;
  return [
    { instrumentId: 1, sizeLots: 50n },
    { instrumentId: 4, sizeLots: 300n },
    { instrumentId: futureId, sizeLots: -120n },
    { instrumentId: calls[1].id, sizeLots: -400n },
    { instrumentId: calls[0].id + 1, sizeLots: 250n },
    { instrumentId: ether, sizeLots: 7_000n },
  ];
}

export function holderOf(positions: ReturnType<typeof mixedPositions>): Account {
  const [spot, ...derivatives] = positions;
  return {
    ...emptyAccount(STANDARD_SHAPE),
    cashStar: CASH_MICROS as Micros,
    spot: [spot.sizeLots, 0n, 0n].map(lots),
    slots: derivatives.map(({ instrumentId, sizeLots }) => ({ instrumentId, size: lots(sizeLots) })),
  };
}
