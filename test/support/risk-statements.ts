/** Statements of risk proofs with other words than the honest ones. */
import { challengeOf, evaluationOf } from '#protocol/batch/words.ts';
import { poseidonChain } from '#protocol/crypto/poseidon.ts';
import type { SegmentStatement } from '#protocol/risk/risk-words.ts';

type Stated = Pick<SegmentStatement, 'words' | 'publicInputs'>;

/** A statement with changed words, its commitment, challenge and evaluation made honestly for them. */
export function restated(statement: Pick<Stated, 'words'>, change: (words: bigint[]) => void): Stated {
  const words = [...statement.words];
  change(words);
  const commitment = poseidonChain(words);
  const challenge = challengeOf(commitment, words);
  return { words, publicInputs: { commitment, challenge, evaluation: evaluationOf(words, challenge) } };
}
