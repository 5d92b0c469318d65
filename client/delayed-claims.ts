/**
 * Withdrawals beyond the outflow limit (contracts/libraries/DelayedWords.sol). A batch only appends their words to a
 * hash chain of their owner; `recordDelayed` takes them off again, from the last, and makes claims of them.
 */
import { AbiCoder, type Contract, type EventLog, keccak256, zeroPadValue } from 'ethers';
import { unpack } from '#protocol/pack.ts';

/** The chain of an owner without such withdrawals. */
export const DELAYED_CHAIN_START = zeroPadValue('0x01', 32);

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
  const delayed = await vault.queryFilter('ClaimDelayed');
  const recorded = await vault.queryFilter('ClaimRecorded');
  const logs = [...delayed, ...recorded].sort((a, b) => a.blockNumber - b.blockNumber || a.index - b.index);
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

/** Records everything that anyone withdrew beyond the limit; what may be claimed at once then can be. */
export async function recordAllDelayed(vault: Contract): Promise<void> {
  for (const [owner, words] of await unrecordedWords(vault)) {
    if (words.length > 0) await (await vault.recordDelayed(owner, DELAYED_CHAIN_START, words)).wait();
  }
}
