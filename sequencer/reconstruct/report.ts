/** Rebuilds the ledger of a rollup from an L1 node and compares every root. Used by the command and the main job. */
import type { JsonRpcProvider } from 'ethers';
import type { PublishedLiquidation } from '#protocol/batch/read-words.ts';
import { invariant } from '#protocol/errors.ts';
import type { RiskTable } from '#protocol/instrument.ts';
import type { StateShape } from '#protocol/limits.ts';
import { type AccountMargin, marginOf } from '#protocol/risk/margin.ts';
import { marketSlotsById } from '#protocol/risk/registry.ts';
import { genesisState, type LedgerState, stateRoot } from '#protocol/state.ts';
import { conservationOf, type TokenConservation } from './conservation.ts';
import { L1Reader, type ProvedRound, type PublishedSettlement } from './read-l1.ts';
import { type AcceptedBatch, type RebuiltBatch, rebuild } from './rebuild.ts';

export interface AccountLine {
  readonly accountIndex: number;
  readonly margin: AccountMargin;
}

export interface Reconstruction {
  readonly batches: readonly AcceptedBatch[];
  /** Liquidation rows by batch number. */
  readonly liquidations: ReadonlyMap<number, readonly PublishedLiquidation[]>;
  /** The ledger after every batch; each had the root that L1 accepted. */
  readonly rebuilt: readonly RebuiltBatch[];
  readonly ledger: LedgerState;
  readonly tables: ReadonlyMap<number, RiskTable>;
  /** The same with what each table follows from. */
  readonly rounds: ReadonlyMap<number, ProvedRound>;
  readonly settlements: readonly PublishedSettlement[];
  /** Places of expiry blocks that were emptied, in order. */
  readonly clearedBlocks: readonly number[];
  /** The round of the last batch; undefined before the first. */
  readonly lastTable: RiskTable | undefined;
  /** Every account at that round, in order of index. */
  readonly accounts: readonly AccountLine[];
  /** Quote and the listed spot tokens. */
  readonly conservation: readonly TokenConservation[];
}

/**
 * @throws InputError at the first batch or round whose published data does not lead to what L1 accepted.
 * @param tokenIds tokens of the rollup, 0 for quote
 */
export async function reconstruct(
  provider: JsonRpcProvider,
  rollupAddress: string,
  shape: StateShape,
  tokenIds: readonly number[],
): Promise<Reconstruction> {
  const reader = new L1Reader(provider, rollupAddress);
  const segments = await reader.segments();
  // Of all registries: a place may be another's after its instrument was retired, an id never is.
  const slots = new Map(
    [...(await reader.registries()).values()].flatMap((registry) => [...marketSlotsById(registry, segments)]),
  );
  const batches = await reader.batches();
  const rounds = await reader.rounds(shape);
  const tables = new Map([...rounds].map(([index, { table }]) => [index, table]));
  const genesis = genesisState(shape);
  const rebuilt = rebuild(genesis, batches, slots);
  const ledger = rebuilt.at(-1)?.ledger ?? genesis;
  invariant(stateRoot(ledger) === (await reader.stateRoot()), 'the rebuilt ledger has the root L1 holds now');
  const lastTable = tables.get(Number(batches.at(-1)?.submission.header.acceptedIndex ?? -1));
  const accounts =
    lastTable === undefined
      ? []
      : [...ledger.accounts.entries()].map(([accountIndex, account]) => ({
          accountIndex,
          margin: marginOf(account, lastTable, shape),
        }));
  const conservation: TokenConservation[] = [];
  for (const tokenId of lastTable === undefined ? [] : tokenIds) {
    const owners = [...ledger.accounts.entries()].map(([, account]) => account);
    conservation.push(conservationOf(await reader.vault(tokenId), owners, lastTable as RiskTable, shape));
  }
  return {
    batches,
    liquidations: await reader.liquidations(),
    rebuilt,
    ledger,
    tables,
    rounds,
    settlements: await reader.settlements(),
    clearedBlocks: await reader.clearedBlocks(),
    lastTable,
    accounts,
    conservation,
  };
}
