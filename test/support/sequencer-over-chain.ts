/** A whole sequencer over a chain of Hardhat's that lives in the test's process; its clocks stand unless asked for. */
import { HDNodeWallet, type Wallet } from 'ethers';
import { TINY_BATCH } from '#protocol/limits.ts';
import type { Message } from '#protocol/message.ts';
import { signMessages } from '#protocol/signing.ts';
import type { LedgerStore } from '#sequencer/ledger/store.ts';
import { type L1Options, type Sequencer, type SequencerOptions, startSequencer } from '#sequencer/start.ts';
import { type ConfigChange, testConfig } from './engine.ts';
import { secretOf } from './ledger.ts';
import type { Connection } from './rollup.ts';
import { domainOf, TestContracts, type TestRollup, uncheckedProofs } from './settlement.ts';

const CHAIN_ID = 31337n;
/** The accounts of hardhat's own chain. */
const PHRASE = 'test test test test test test test test test test test junk';
const NO_DEPTH = { round: 0, deposit: 0, final: 0 };
const RECEIPT_TIMEOUT_MS = 2_000;

/** One of those accounts; it signs locally, as the sequencer's must. */
export const testWallet = ({ ethers }: Connection, index: number): Wallet =>
  HDNodeWallet.fromPhrase(PHRASE, undefined, `m/44'/60'/0'/0/${index}`).connect(
    ethers.provider as never,
  ) as never as Wallet;

interface OverChain
  extends Partial<Pick<SequencerOptions, 'proofs' | 'proofConcurrency' | 'pollMs' | 'report' | 'alarm'>>,
    Pick<SequencerOptions, 'onFatal'>,
    Partial<Pick<L1Options, 'contracts' | 'depths' | 'receiptTimeoutMs'>> {
  readonly connection: Connection;
  readonly place: TestRollup;
  /** Sends the batches. */
  readonly submitter: Wallet;
  readonly store: LedgerStore;
  /** To the settings for the tiny batch alone, on a rollup that `deployTestRollup` made without a circuit. */
  readonly change?: ConfigChange;
}

/** A process of the sequencer over the ledger there is; it believes every block at once. */
export function startOverChain({
  connection,
  place,
  submitter,
  contracts = new TestContracts(connection.ethers.provider as never, place),
  proofs = uncheckedProofs,
  change = {},
  depths = NO_DEPTH,
  receiptTimeoutMs = RECEIPT_TIMEOUT_MS,
  pollMs = 0,
  ...rest
}: OverChain): Promise<Sequencer> {
  return startSequencer({
    ...rest,
    config: testConfig({ capacity: TINY_BATCH, ...domainOf(CHAIN_ID, place.rollup), ...change }),
    proofs,
    l1: { contracts, signer: submitter, depths, firstBlock: place.firstBlock, receiptTimeoutMs },
    pollMs,
  });
}

/**
 * Has messages taken in that an account of the test signed.
 * @returns their hashes
 * @throws Error when any of them is refused
 */
export async function submitSigned(
  { engine }: Sequencer,
  place: TestRollup,
  accountIndex: number,
  messages: readonly Message[],
): Promise<string[]> {
  const { domain } = domainOf(CHAIN_ID, place.rollup);
  const done = await engine.submit(
    signMessages(domain, secretOf(accountIndex), { accountIndex, epoch: 1n, messages: [...messages] }),
  );
  if (!done.ok) throw new Error(done.message);
  return done.value.results.map((result) => {
    if (!result.ok) throw new Error(result.rejection.message);
    return result.hash;
  });
}

/**
 * Seals, proves, sends and reads back until L1 has everything, or sealing is halted.
 * @param troubles what was reported meanwhile
 * @throws Error with them when twelve turns are not enough
 */
export async function settleOverChain(sequencer: Sequencer, troubles: () => string): Promise<void> {
  for (let turn = 0; turn < 12; turn++) {
    await sequencer.seal();
    await sequencer.proven();
    await sequencer.submit();
    await sequencer.syncL1();
    const isSettled = await sequencer.engine.read((state) => {
      const notFinal = [...state.batches.values()].filter(({ status }) => status !== 'final').length;
      const open = state.l1Queue.length + notFinal + (state.open?.actions.length ?? 0);
      return open === 0 || state.isolation.halted !== undefined;
    });
    if (isSettled) return;
  }
  throw new Error(`not settled: ${troubles()}`);
}
