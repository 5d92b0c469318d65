/**
 * Withdrawals beyond the outflow limit (contracts/libraries/DelayedWords.sol). A batch only appends their words to a
 * hash chain of their owner; `recordDelayed` takes them off again, from the last, and makes claims of them.
 */
import { AbiCoder, type Contract, type EventLog, keccak256, zeroPadValue } from 'ethers';
import { InputError } from '#protocol/errors.ts';
import { unpack } from '#protocol/pack.ts';

/** The chain of an owner without such withdrawals. */
export const DELAYED_CHAIN_START = zeroPadValue('0x01', 32);
/** A word fills two slots, about 50,000 gas; a transaction may use no more than 2^24 (EIP-7825). */
const WORDS_PER_CALL_MAX = 200;

const DELAYED_LAYOUT = [
  { name: 'tokenId', bits: 4 },
  { name: 'delayedUnits', bits: 72 },
  { name: 'startsAtSec', bits: 40 },
  { name: 'endsAtSec', bits: 40 },
  { name: 'immediateUnits', bits: 72 },
] as const;

export const readDelayedWord = (word: bigint) =>
  unpack(DELAYED_LAYOUT, word) as Record<(typeof DELAYED_LAYOUT)[number]['name'], bigint>;

/** The chain after these words. */
export const delayedChain = (earlier: string, words: readonly bigint[]): string =>
  words.reduce(
    (chain, word) => keccak256(AbiCoder.defaultAbiCoder().encode(['bytes32', 'uint256'], [chain, word])),
    earlier,
  );

/** Words that nobody has recorded yet, by owner, the first withdrawal first. */
export async function unrecordedWords(vault: Contract): Promise<Map<string, bigint[]>> {
  // One question, so that no block comes between what was delayed and what was recorded.
  const logs = await vault.queryFilter([['ClaimDelayed', 'ClaimRecorded']]);
  logs.sort((a, b) => a.blockNumber - b.blockNumber || a.index - b.index);
  const byOwner = new Map<string, bigint[]>();
  for (const log of logs as EventLog[]) {
    const words = byOwner.get(log.args.owner) ?? [];
    // A call records the last ones, so each of its events stands for one less at the end.
    if (log.eventName === 'ClaimDelayed') words.push(log.args.claimWord);
    else words.pop();
    byOwner.set(log.args.owner, words);
  }
  return byOwner;
}

/**
 * Records these words of an owner in as many calls as they need, the last first. Whoever else records meanwhile, or a
 * batch that delays more, ends it early without an error: what is left shows in `unrecordedWords`.
 * @throws InputError when the node's events do not lead to the owner's chain
 */
export async function recordDelayed(
  vault: Contract,
  owner: string,
  words: readonly bigint[],
  wordsPerCallMax = WORDS_PER_CALL_MAX,
): Promise<void> {
  for (let end = words.length; end > 0; end -= wordsPerCallMax) {
    const start = Math.max(0, end - wordsPerCallMax);
    const earlier = delayedChain(DELAYED_CHAIN_START, words.slice(0, start));
    const piece = words.slice(start, end);
    try {
      await (await vault.recordDelayed(owner, earlier, piece)).wait();
    } catch (error) {
      const chain: string = await vault.delayedChain(owner);
      if (chain === delayedChain(earlier, piece)) throw error;
      const left = (await unrecordedWords(vault)).get(owner) ?? [];
      if (chain === delayedChain(DELAYED_CHAIN_START, left)) return;
      throw new InputError('events', owner, 'the node does not know every event of this owner');
    }
  }
}

/** Records everything that anyone withdrew beyond the limit; what may be claimed at once then can be. */
export async function recordAllDelayed(vault: Contract, wordsPerCallMax = WORDS_PER_CALL_MAX): Promise<void> {
  for (const [owner, words] of await unrecordedWords(vault)) {
    await recordDelayed(vault, owner, words, wordsPerCallMax);
  }
}
