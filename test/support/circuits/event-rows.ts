/** The two accounts of a batch that the tested rows belong to, and what rows add to its commitment. */
import { type CommittedBatch, commitmentValues } from '#protocol/batch/commitment.ts';
import { TINY_SHAPE } from '#protocol/limits.ts';

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

/** The elements that one part of a batch adds to its commitment. */
export const committedPart = (part: Partial<CommittedBatch>): bigint[] =>
  commitmentValues({ ...EMPTY_BATCH, ...part }, TINY_SHAPE).slice(0, -1);
