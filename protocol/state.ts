/** The ledger: accounts and open interest under one root. docs/protocol.md §2. Every version is a value. */
import { type Account, emptyAccount, sizeOf } from './account.ts';
import { MerkleTree } from './crypto/merkle-tree.ts';
import { poseidon, poseidonChain } from './crypto/poseidon.ts';
import { InputError } from './errors.ts';
import { accountFromElements, leafElements, leafHash } from './leaf.ts';
import type { StateShape } from './limits.ts';
import { PersistentArray } from './persistent-array.ts';
import { abs } from './units.ts';

export interface LedgerState {
  readonly shape: StateShape;
  /** Accounts that were ever written; the others are empty. */
  readonly accounts: PersistentArray<Account>;
  readonly tree: MerkleTree;
  /** Lots held per market slot, long and short alike: 0 means that nobody holds the instrument. */
  readonly openInterest: readonly bigint[];
}

export function genesisState(shape: StateShape): LedgerState {
  return {
    shape,
    accounts: PersistentArray.empty<Account>(),
    tree: MerkleTree.empty(shape.treeDepth, leafHash(emptyAccount(shape), shape)),
    openInterest: Array<bigint>(shape.marketSlots).fill(0n),
  };
}

export const marketsHash = (openInterest: readonly bigint[]): bigint => poseidonChain(openInterest);

export const stateRootOf = (accountsRoot: bigint, openInterest: readonly bigint[]): bigint =>
  poseidon([accountsRoot, marketsHash(openInterest)]);

export const stateRoot = (state: LedgerState): bigint => stateRootOf(state.tree.root, state.openInterest);

/** The account at an index; the empty account where nothing was ever written. */
export const accountAt = (state: LedgerState, accountIndex: number): Account =>
  state.accounts.get(accountIndex) ?? emptyAccount(state.shape);

/** The state with one account replaced. @throws RangeError outside the tree. */
export const withAccount = (state: LedgerState, accountIndex: number, account: Account): LedgerState => ({
  ...state,
  accounts: state.accounts.set(accountIndex, account),
  tree: state.tree.set(accountIndex, leafHash(account, state.shape)),
});

export const withOpenInterest = (state: LedgerState, openInterest: readonly bigint[]): LedgerState => ({
  ...state,
  openInterest,
});

/** Whether an index can belong to a user: inside the tree, and not 0, which means "none" in a word. */
export const isUserIndex = (shape: StateShape, accountIndex: number): boolean =>
  Number.isInteger(accountIndex) && accountIndex > 0 && accountIndex < 4 ** shape.treeDepth;

/** Sums over the whole ledger, for conservation checks: O(accounts). */
export interface LedgerTotals {
  readonly cashStarMicros: bigint;
  /** Σ signed size per instrument. */
  readonly sizeLots: ReadonlyMap<number, bigint>;
  /** Σ of the sizes without their sign, per instrument. */
  readonly heldLots: ReadonlyMap<number, bigint>;
}

export function ledgerTotals(state: LedgerState): LedgerTotals {
  let cashStarMicros = 0n;
  const sizeLots = new Map<number, bigint>();
  const heldLots = new Map<number, bigint>();
  for (const [, account] of state.accounts.entries()) {
    cashStarMicros += account.cashStar;
    for (const id of [1, 2, 3, ...account.slots.map((slot) => slot.instrumentId)]) {
      if (id === 0) continue;
      const size = sizeOf(account, id);
      sizeLots.set(id, (sizeLots.get(id) ?? 0n) + size);
      heldLots.set(id, (heldLots.get(id) ?? 0n) + abs(size as bigint));
    }
  }
  return { cashStarMicros, sizeLots, heldLots };
}

/** A snapshot as plain JSON: every account in its canonical packing, hexadecimal. */
export interface StateSnapshot {
  readonly shape: StateShape;
  readonly stateRoot: string;
  readonly openInterest: readonly string[];
  readonly accounts: readonly { readonly accountIndex: number; readonly elements: readonly string[] }[];
}

const hex = (value: bigint): string => `0x${value.toString(16)}`;

export const encodeSnapshot = (state: LedgerState): StateSnapshot => ({
  shape: state.shape,
  stateRoot: hex(stateRoot(state)),
  openInterest: state.openInterest.map(hex),
  accounts: [...state.accounts.entries()].map(([accountIndex, account]) => ({
    accountIndex,
    elements: leafElements(account, state.shape).map(hex),
  })),
});

/** The reverse of `encodeSnapshot`. @throws InputError when the content does not have the root it states. */
export function decodeSnapshot(snapshot: StateSnapshot): LedgerState {
  const { shape } = snapshot;
  if (snapshot.openInterest.length !== shape.marketSlots) {
    throw new InputError(
      'openInterest',
      snapshot.openInterest.length,
      `expected ${shape.marketSlots} markets`,
    );
  }
  const start = withOpenInterest(genesisState(shape), snapshot.openInterest.map(BigInt));
  const state = snapshot.accounts.reduce(
    (sofar, { accountIndex, elements }) =>
      withAccount(sofar, accountIndex, accountFromElements(elements.map(BigInt), shape)),
    start,
  );
  if (hex(stateRoot(state)) !== snapshot.stateRoot) {
    throw new InputError(
      'stateRoot',
      snapshot.stateRoot,
      `the snapshot's content has root ${hex(stateRoot(state))}`,
    );
  }
  return state;
}
