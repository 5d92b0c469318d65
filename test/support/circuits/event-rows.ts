/** The two accounts of a batch that the tested rows belong to, what rows add to its commitment, and nothing of each. */
import { type CommittedBatch, commitmentValues, type ListValues } from '#protocol/batch/commitment.ts';
import { TINY_SHAPE } from '#protocol/limits.ts';
import type { AccountEvents } from '#protocol/transition/events.ts';

export const ACCOUNTS = [5n, 77n];

/** What is committed of a batch of no rows. */
export const EMPTY_BATCH: CommittedBatch = {
  header: [],
  events: [],
  accounts: [],
  instruments: [],
  signatures: [],
  messages: [],
  withdrawals: [],
  settlements: [],
  flags: { hasRow: [], isSignatureUsed: [], isShrinking: [] },
};

/** What an account without money and positions is worth. */
export const NO_VALUES: ListValues = {
  mark: 0n,
  funding: 0n,
  spotMark: 0n,
  spotHaircut: 0n,
  chargeIm: 0n,
  chargeMm: 0n,
  band: 0n,
  penalty: 0n,
  deltas: [0n, 0n],
};

/** What an account lives through in a batch that does not touch it. */
export const noEvents = (accountIndex: number): AccountEvents => ({
  accountIndex,
  orders: [],
  cancels: [],
  cancelAllCount: 0,
  withdrawals: [],
  l1Operations: [],
  liquidations: [],
  liquidated: undefined,
  fundPayments: [],
  settlements: [],
});

/** The elements that one part of a batch adds to its commitment. */
export const committedPart = (part: Partial<CommittedBatch>): bigint[] =>
  commitmentValues({ ...EMPTY_BATCH, ...part }, TINY_SHAPE).slice(0, -1);
