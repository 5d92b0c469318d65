/** What became of the positions of an expiry, read off the ledgers before and after every batch. */
import { sizeOf } from '#protocol/account.ts';
import { STANDARD_SHAPE } from '#protocol/limits.ts';
import { rowOf } from '#protocol/risk/table.ts';
import { accountAt, genesisState } from '#protocol/state.ts';
import { abs } from '#protocol/units.ts';
import type { Reconstruction } from '../reconstruct/report.ts';
import type { Listing } from './listing.ts';
import { coins, dollars, pricePerCoin, table } from './terminal.ts';

/** A position that became cash. */
export interface Conversion {
  readonly batchNumber: number;
  readonly accountIndex: number;
  readonly instrumentId: number;
  /** + long, − short. */
  readonly sizeLots: bigint;
  readonly markMicrosPerLot: bigint;
  /** Received by a long, paid (−) by a short. */
  readonly cashMicros: bigint;
}

/** Positions that batches closed under a table in which they are settled: nothing but a settlement can. */
export function conversionsOf({
  batches,
  rebuilt,
  tables,
}: Pick<Reconstruction, 'batches' | 'rebuilt' | 'tables'>): Conversion[] {
  return rebuilt.flatMap(({ batchNumber, ledger, touched }, i) => {
    const riskTable = tables.get(Number(batches[i].submission.header.acceptedIndex));
    const before = rebuilt[i - 1]?.ledger ?? genesisState(STANDARD_SHAPE);
    if (riskTable === undefined) return [];
    return touched.flatMap((accountIndex) => {
      const after = accountAt(ledger, accountIndex);
      return accountAt(before, accountIndex).slots.flatMap(({ instrumentId, size }): Conversion[] => {
        const row = rowOf(riskTable, instrumentId);
        if (!row?.isSettled || sizeOf(after, instrumentId) === size) return [];
        const cashMicros = size * row.mark;
        return [
          { batchNumber, accountIndex, instrumentId, sizeLots: size, markMicrosPerLot: row.mark, cashMicros },
        ];
      });
    });
  });
}

/** Positions that the accounts still hold in the instruments of a future's expiry. */
function heldCount({ ledger }: Pick<Reconstruction, 'ledger'>, listing: Listing, futureId: number): number {
  const future = listing.instruments.find(({ id }) => id === futureId);
  const ids = listing.instruments
    .filter(
      ({ underlying, expirySec }) => underlying === future?.underlying && expirySec === future?.expirySec,
    )
    .map(({ id }) => id);
  const accounts = [...ledger.accounts.entries()].map(([, account]) => account);
  return accounts.flatMap((account) => ids.filter((id) => sizeOf(account, id) !== 0n)).length;
}

const positionText = ({ instrumentId, sizeLots }: Conversion, listing: Listing): string =>
  `${sizeLots > 0n ? '+' : '−'}${coins(abs(sizeLots), listing.lotE8Of(instrumentId))} ${listing.symbolOf(instrumentId)}`;

/** A line for every settled block, then a row for every position that became cash; nothing without an expiry. */
export function expiryLines(
  reconstruction: Pick<
    Reconstruction,
    'batches' | 'rebuilt' | 'tables' | 'ledger' | 'settlements' | 'clearedBlocks'
  >,
  listing: Listing,
  nameOf: (accountIndex: number) => string,
): string[] {
  const { settlements, clearedBlocks } = reconstruction;
  if (settlements.length === 0) return [];
  const conversions = conversionsOf(reconstruction);
  const blocks = settlements.map(({ futureId, blockPlace, settlementMicros }) => {
    const left = heldCount(reconstruction, listing, futureId);
    const isCleared = clearedBlocks.includes(blockPlace);
    return `  ${listing.symbolOf(futureId)} settled at ${dollars(settlementMicros)}; positions left in it: ${left}; its block on L1 is ${isCleared ? 'empty' : 'in use'}`;
  });
  const rows = conversions.map((one) => [
    `${nameOf(one.accountIndex)}, ${positionText(one, listing)}`,
    `${one.batchNumber}`,
    pricePerCoin(one.markMicrosPerLot, listing.lotE8Of(one.instrumentId)),
    dollars(one.cashMicros),
  ]);
  const sum = conversions.reduce((micros, { cashMicros }) => micros + cashMicros, 0n);
  return [
    ...blocks,
    ...table(
      ['position at expiry', 'batch', 'a coin', 'cash'],
      [...rows, ['together', '', '', dollars(sum)]],
    ),
  ];
}
