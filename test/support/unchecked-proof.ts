/** Stands for a proof, and for its statement, where nothing checks either. */
import type { BatchProof, PublicInputs } from '#protocol/batch/batch.ts';

export const UNCHECKED_PROOF: BatchProof = {
  a: [1n, 2n],
  b: [
    [3n, 4n],
    [5n, 6n],
  ],
  c: [7n, 8n],
};

export const UNCHECKED_INPUTS: PublicInputs = { commitment: 1n, challenge: 2n, evaluation: 3n };
