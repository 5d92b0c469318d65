/**
 * Nothing is made and nothing is lost: what the contracts hold of each token against what they owe and what
 * the accounts own, in exact integers.
 */
import type { Account } from '#protocol/account.ts';
import type { RiskTable } from '#protocol/instrument.ts';
import type { StateShape } from '#protocol/limits.ts';
import { marginOf } from '#protocol/risk/margin.ts';

/** What L1 says of one token, in units (micros of quote, lots of a spot token). */
export interface VaultNumbers {
  /** 0 quote, 1..3 spot. */
  readonly tokenId: number;
  /** ERC-20 balance of the vault, without what was sent past the rollup. */
  readonly vaultUnits: bigint;
  readonly claimsUnits: bigint;
  readonly queuedUnits: bigint;
  /** Booked for the insurance fund and not yet moved to it; negative when more was moved. 0 but for quote. */
  readonly treasuryToMoveUnits: bigint;
}

export interface TokenConservation extends VaultNumbers {
  /** Σ quoteBalance for quote, Σ spot lots for a spot token. */
  readonly accountsUnits: bigint;
  /** vault − (claims + queued + accounts + treasury to move); 0 when nothing is made or lost. */
  readonly differenceUnits: bigint;
}

/** What all accounts own of a token. Quote: Σ quoteBalance; its marks cancel because every market's sizes do. */
export function ownedUnits(
  accounts: Iterable<Account>,
  tokenId: number,
  table: RiskTable,
  shape: StateShape,
): bigint {
  let sum = 0n;
  for (const account of accounts) {
    sum += tokenId === 0 ? marginOf(account, table, shape).quoteBalance : account.spot[tokenId - 1];
  }
  return sum;
}

export function conservationOf(
  vault: VaultNumbers,
  accounts: Iterable<Account>,
  table: RiskTable,
  shape: StateShape,
): TokenConservation {
  const accountsUnits = ownedUnits(accounts, vault.tokenId, table, shape);
  const owed = vault.claimsUnits + vault.queuedUnits + accountsUnits + vault.treasuryToMoveUnits;
  return { ...vault, accountsUnits, differenceUnits: vault.vaultUnits - owed };
}
