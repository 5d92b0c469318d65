/** What outlives every sequencer of the campaign: the chain, the contracts, the keys and a prover. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Contract, NonceManager } from 'ethers';
import { readArtifact } from '#contracts/deploy/artifact.ts';
import { TINY_BATCH } from '#protocol/limits.ts';
import { encode } from '#sequencer/ledger/codec.ts';
import { type LocalChain, startLocalChain, stopProcess } from '#sequencer/main-job/chain.ts';
import { prepareCircuit } from '#sequencer/main-job/setup.ts';
import { USD } from '../ledger.ts';
import { deployTestRollup, L1World, type TestRollup } from '../settlement.ts';
import type { LifeSettings } from './plan.ts';
import { ACCOUNTS } from './traffic.ts';

const ROOT = join(import.meta.dirname, '../../..');
const DEPOSIT_MICROS = 1_000_000n * USD;
const SMALL_DEPOSIT_MICROS = 10n * USD;
/** More than the contract allows between a batch with a trade and its block. */
const LEAP_SEC = 360;

const errorName = (error: { revert?: { name: string } | null; message: string }): string =>
  error.revert?.name ?? error.message;

export class CrashWorld {
  readonly chain: LocalChain;
  readonly place: TestRollup;
  readonly l1: L1World;
  readonly settings: Omit<LifeSettings, 'plan'>;
  readonly workFolder: string;
  readonly #folder: string;
  readonly #prover: ChildProcess;
  #isMining = false;
  #miner: Promise<void> = Promise.resolve();

  private constructor(parts: {
    chain: LocalChain;
    place: TestRollup;
    l1: L1World;
    settings: Omit<LifeSettings, 'plan'>;
    workFolder: string;
    folder: string;
    prover: ChildProcess;
  }) {
    this.chain = parts.chain;
    this.place = parts.place;
    this.l1 = parts.l1;
    this.settings = parts.settings;
    this.workFolder = parts.workFolder;
    this.#folder = parts.folder;
    this.#prover = parts.prover;
  }

  /** @param name of a folder under build/ for what is worth keeping */
  static async open(name: string, store: LifeSettings['store'] = 'durable'): Promise<CrashWorld> {
    const workFolder = join(ROOT, 'build', name);
    mkdirSync(workFolder, { recursive: true });
    const folder = mkdtempSync(join(tmpdir(), 'ballast-crash-'));
    const { artifacts, plan } = await prepareCircuit(ROOT, 'batch-tiny');
    const chain = await startLocalChain(ROOT, join(workFolder, 'chain.log'));
    const proverPlace = { artifacts, socket: join(folder, 'prover') };
    const prover = fork(join(import.meta.dirname, 'prover-process.ts'), [encode(proverPlace)]);
    await once(prover, 'message');
    const owner = new NonceManager(chain.wallet(0));
    const place = await deployTestRollup(owner, chain.wallet(1).address, TINY_BATCH, plan);
    const l1 = new L1World(place, owner);
    await l1.acceptRound();
    for (const account of ACCOUNTS) {
      await l1.open(account);
      await l1.deposit(account, DEPOSIT_MICROS);
    }
    await CrashWorld.#fundDeposits(place, l1, owner);
    await chain.mine(2);
    await chain.provider.send('evm_setAutomine', [false]);
    const settings = {
      directory: join(folder, 'ledger'),
      rpcUrl: chain.url,
      submitterKey: chain.wallet(1).privateKey,
      place,
      circuitHash: plan.circuitHash,
      proverPlace,
      store,
    };
    return new CrashWorld({ chain, place, l1, settings, workFolder, folder, prover });
  }

  /** Later deposits are one transaction each. */
  static async #fundDeposits(place: TestRollup, l1: L1World, owner: NonceManager): Promise<void> {
    const token = new Contract(place.tokens[0], readArtifact('mocks/TestToken').abi, owner);
    await (await token.mint(await owner.getAddress(), DEPOSIT_MICROS)).wait();
    await (await token.approve(await l1.rollup.vault(), DEPOSIT_MICROS)).wait();
  }

  /**
   * Blocks come every so many milliseconds until `pauseMining`.
   * @param holdMs for so long no block takes a batch that waits for one
   */
  mineEvery(periodMs: number, holdMs = 0): void {
    if (this.#isMining) return;
    this.#isMining = true;
    this.#miner = (async () => {
      let heldSinceMs: number | undefined;
      while (this.#isMining) {
        if (holdMs > 0 && (await this.#isBatchPending())) heldSinceMs ??= performance.now();
        else heldSinceMs = undefined;
        if (heldSinceMs === undefined || performance.now() - heldSinceMs > holdMs) {
          await this.chain.provider.send('evm_mine', []);
          heldSinceMs = undefined;
        }
        await new Promise((resolve) => setTimeout(resolve, periodMs));
      }
    })();
  }

  async #isBatchPending(): Promise<boolean> {
    const { provider, wallet } = this.chain;
    const submitter = wallet(1).address;
    const [mined, known] = await Promise.all(
      (['latest', 'pending'] as const).map((tag) => provider.getTransactionCount(submitter, tag)),
    );
    return known > mined;
  }

  async pauseMining(): Promise<void> {
    this.#isMining = false;
    await this.#miner;
  }

  /** A round and, for an account, a queue entry, in whichever block takes them. */
  async news(accountIndex: number | undefined): Promise<void> {
    const round = this.l1.acceptRound();
    if (accountIndex !== undefined) {
      const value = (await this.l1.rollup.queueFeeWei()) * 2n;
      const values = [accountIndex, 0, SMALL_DEPOSIT_MICROS, { value }];
      // Asked first: a refusal would leave a gap in the wallet's nonces. An account has room for four young deposits.
      const refusal = await this.l1.rollup.deposit.staticCall(...values).then(() => undefined, errorName);
      if (refusal === undefined) await this.l1.rollup.deposit(...values);
      else if (refusal !== 'TooManyDeposits') throw new Error(`L1 refuses a deposit: ${refusal}`);
    }
    await round;
  }

  /** L1's clock leaps past the window of every batch with a trade that is not on L1; a round for later ones comes. */
  async missWindow(): Promise<void> {
    const round = this.l1.acceptRound();
    await this.chain.provider.send('evm_increaseTime', [LEAP_SEC]);
    await round;
  }

  async close(): Promise<void> {
    await this.pauseMining();
    await stopProcess(this.#prover);
    await this.chain.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
