/** What netting was worth when it mattered: each account's margin beside that of its legs one by one. */
import { type PortfolioMargin, portfolioMargin } from '#client/legs.ts';
import type { Account } from '#protocol/account.ts';
import type { RiskTable } from '#protocol/instrument.ts';
import { rowOf } from '#protocol/risk/table.ts';
import { abs } from '#protocol/units.ts';
import type { Reconstruction } from '../reconstruct/report.ts';
import type { Listing } from './listing.ts';
import { coins, dollars, table } from './terminal.ts';

/** Accounts as one batch left them, and the table it was judged by. */
export interface Moment {
  readonly accounts: readonly (readonly [accountIndex: number, account: Account])[];
  readonly table: RiskTable;
}

/** After the last batch of the round in which an instrument was cheapest; undefined before the first batch. */
export function lowestMoment(
  { batches, rebuilt, tables }: Pick<Reconstruction, 'batches' | 'rebuilt' | 'tables'>,
  instrumentId: number,
): Moment | undefined {
  let lowest: { readonly mark: bigint; readonly moment: Moment } | undefined;
  for (const [i, { submission }] of batches.entries()) {
    const riskTable = tables.get(Number(submission.header.acceptedIndex));
    const mark = riskTable && rowOf(riskTable, instrumentId)?.mark;
    if (riskTable === undefined || mark === undefined || (lowest && mark > lowest.mark)) continue;
    const accounts = [...rebuilt[i].ledger.accounts.entries()];
    lowest = { mark, moment: { accounts, table: riskTable } };
  }
  return lowest?.moment;
}

const numbers = (initial: bigint, maintenance: bigint): string[] => [dollars(initial), dollars(maintenance)];

function rowsOf(name: string, { margin, legs, ...sums }: PortfolioMargin, listing: Listing): string[][] {
  const leg = ({ instrumentId, sizeLots }: PortfolioMargin['legs'][number]): string => {
    const size = coins(abs(sizeLots), listing.lotE8Of(instrumentId));
    return `  ${sizeLots > 0n ? '+' : '−'}${size} ${listing.symbolOf(instrumentId)}`;
  };
  return [
    [name, ...numbers(margin.initialMarginMicrosUp, margin.maintenanceMarginMicrosUp)],
    ...legs.map((one) => [leg(one), ...numbers(one.initialMarginMicrosUp, one.maintenanceMarginMicrosUp)]),
    ['  leg by leg', ...numbers(sums.legsInitialMarginMicros, sums.legsMaintenanceMarginMicros)],
  ];
}

/** One group of rows for every account of two legs or more. */
export function portfolioLines(
  { accounts, table: riskTable }: Moment,
  nameOf: (accountIndex: number) => string,
  listing: Listing,
): string[] {
  const time = new Date(Number(riskTable.timeSec) * 1000).toISOString().slice(11, 16);
  const rows = accounts
    .map(([accountIndex, account]) => ({ accountIndex, portfolio: portfolioMargin(account, riskTable) }))
    .filter(({ portfolio }) => portfolio.legs.length > 1)
    .flatMap(({ accountIndex, portfolio }) => rowsOf(nameOf(accountIndex), portfolio, listing));
  return table([`portfolio margin and its legs, ${time}`, 'IM', 'MM'], rows);
}
