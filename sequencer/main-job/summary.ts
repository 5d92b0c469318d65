/** What is printed at the end. Everything about state comes from L1: `reconstruct` read it, nothing is remembered. */

import type { JsonRpcProvider } from 'ethers';
import { type VerifiedLiquidation, verifyLiquidation } from '#client/liquidation.ts';
import { ROUND_AGE_SEC_MAX } from '#contracts/deploy/deploy.ts';
import type { PublishedLiquidation } from '#protocol/batch/read-words.ts';
import { invariant } from '#protocol/errors.ts';
import { STANDARD_SHAPE } from '#protocol/limits.ts';
import { accountAt, genesisState } from '#protocol/state.ts';
import type { Reconstruction } from '../reconstruct/report.ts';
import { tokenSymbol } from './amounts.ts';
import type { Circuits } from './deployment.ts';
import type { Listing } from './listing.ts';
import { REASONS } from './narrator.ts';
import { coins, dollars, grouped, pricePerCoin, table } from './terminal.ts';

export interface ShownLiquidation extends VerifiedLiquidation {
  readonly batchNumber: number;
  readonly accountIndex: number;
  readonly rows: readonly PublishedLiquidation[];
}

/**
 * Every liquidation of the chain, recomputed from the leaves before and after, the words and the table.
 * @throws InvariantError when one of them was not right: then something was accepted that must not be
 */
export function liquidationsOf(reconstruction: Reconstruction): ShownLiquidation[] {
  const { batches, rebuilt, tables, liquidations } = reconstruction;
  return [...liquidations].flatMap(([batchNumber, all]) => {
    const { header } = batches[batchNumber - 1].submission;
    const riskTable = tables.get(Number(header.acceptedIndex));
    invariant(riskTable !== undefined, 'an accepted batch has a proved table');
    const before = rebuilt[batchNumber - 2]?.ledger ?? genesisState(STANDARD_SHAPE);
    const after = rebuilt[batchNumber - 1].ledger;
    const pricesUsable = !riskTable.isJump && header.batchTimeSec <= riskTable.timeSec + ROUND_AGE_SEC_MAX;
    return [...new Set(all.map(({ accountIndex }) => accountIndex))].map((accountIndex): ShownLiquidation => {
      const rows = all.filter((row) => row.accountIndex === accountIndex);
      const verified = verifyLiquidation({
        accountIndex,
        before: accountAt(before, accountIndex),
        after: accountAt(after, accountIndex),
        rows,
        table: riskTable,
        pricesUsable,
      });
      invariant(verified.ok, `the liquidation of account ${accountIndex} in batch ${batchNumber} was right`);
      return { ...verified.value, batchNumber, accountIndex, rows };
    });
  });
}

/** How many batches were proved with which circuit. */
export const batchSizesText = ({ batches }: Reconstruction, circuits: Circuits): string =>
  circuits.batches
    .map(({ artifacts, constraintCount }, i) => {
      const count = batches.filter(({ submission }) => submission.header.sizeIndex === i).length;
      return `${count} × ${artifacts.name} of ${grouped(constraintCount)} constraints`;
    })
    .join(', ');

/** One row for each side of a liquidation: the account before and after it. */
export function liquidationLines(
  liquidations: readonly ShownLiquidation[],
  listing: Listing,
  nameOf: (accountIndex: number) => string,
): string[] {
  const rows = liquidations.flatMap(
    ({ batchNumber, accountIndex, reason, rows: legs, before, after, penaltyMicros }) => {
      const closed = legs.map(({ instrumentId, closedLots, cashMicros, isShort }) => {
        const lotE8 = listing.lotE8Of(instrumentId);
        const price = pricePerCoin(cashMicros / closedLots, lotE8);
        const size = `${coins(closedLots, lotE8)} ${listing.symbolOf(instrumentId)}`;
        return `${size} ${isShort ? 'bought' : 'sold'} at ${price}`;
      });
      const numbers = (side: typeof before) => [
        dollars(side.equityMicros),
        dollars(side.initialMarginMicros),
        dollars(side.maintenanceMarginMicros),
      ];
      return [
        [`${nameOf(accountIndex)}, batch ${batchNumber}: ${REASONS[reason]}`, ...numbers(before)],
        [`  ${closed.join(', ')}; penalty ${dollars(penaltyMicros)}`, ...numbers(after)],
      ];
    },
  );
  return table(['liquidated (before, after)', 'equity', 'IM', 'MM'], rows);
}

export function conservationLines({ conservation }: Reconstruction): string[] {
  const rows = conservation.map((sums) => [
    sums.tokenId === 0 ? 'USDC, micros' : `${tokenSymbol(sums.tokenId)}, lots`,
    grouped(sums.vaultUnits),
    grouped(sums.claimsUnits),
    grouped(sums.queuedUnits),
    grouped(sums.accountsUnits),
    grouped(sums.treasuryToMoveUnits),
    grouped(sums.differenceUnits),
  ]);
  return table(['token', 'vault', 'claims', 'queued', 'accounts', 'treasury to move', 'difference'], rows);
}

export function accountLines(
  { accounts }: Reconstruction,
  nameOf: (accountIndex: number) => string,
  ideaOf: (accountIndex: number) => string,
): string[] {
  const rows = accounts.map(({ accountIndex, margin }) => [
    `${nameOf(accountIndex)}, ${ideaOf(accountIndex)}`,
    dollars(margin.equity),
    dollars(margin.initialMarginMicrosUp),
    dollars(margin.maintenanceMarginMicrosUp),
    margin.health,
  ]);
  return table(['account, from L1 data alone', 'equity', 'IM', 'MM', 'health'], rows);
}

export interface GasNumbers {
  readonly perBatch: readonly bigint[];
  readonly total: bigint;
}

/** Gas of every accepted batch, from its receipt. */
export async function gasOf(provider: JsonRpcProvider, { batches }: Reconstruction): Promise<GasNumbers> {
  const perBatch: bigint[] = [];
  for (const { l1TxHash } of batches) {
    const receipt = await provider.getTransactionReceipt(l1TxHash);
    invariant(receipt !== null, 'an accepted batch has a receipt');
    perBatch.push(receipt.gasUsed);
  }
  return { perBatch, total: perBatch.reduce((sum, gas) => sum + gas, 0n) };
}

/** 0 of nothing. */
export const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);

/** Least, mean and most of some seconds. */
export function secondsText(seconds: readonly number[]): string {
  if (seconds.length === 0) return 'none';
  const [least, most] = [Math.min(...seconds), Math.max(...seconds)];
  return `${mean(seconds).toFixed(1)} s on average (${least.toFixed(1)} to ${most.toFixed(1)})`;
}
