/** Five oracle signers as processes of their own, each with a key drawn here and now. One of them lies. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Wallet } from 'ethers';
import { STANDARD_SHAPE } from '#protocol/limits.ts';
import { defaultSegments } from '#protocol/risk/default-registry.ts';
import type { SignerAddress } from '../oracle-signer/relay.ts';
import type { SignerSettings } from '../oracle-signer/signer.ts';
import { watchedBlocks } from '../oracle-signer/surface-report.ts';
import { stopProcess } from './chain.ts';
import type { MarketPlan } from './plan.ts';

const SIGNER_COUNT = 5;
/** The fifth reports half of every price: with four honest ones the median does not move. */
const LIAR = 4;
const LIE_PPM = 500_000;
const HONEST_PPM = 1_000_000;
/** Venues differ by this much at most. */
export const NOISE_PPM_MAX = 150;
const START_TIMEOUT_MS = 30_000;

export interface OracleSigners {
  readonly addresses: readonly SignerAddress[];
  /** Address of the one that lies. */
  readonly liar: string;
  stop(): Promise<void>;
}

export const drawSignerWallets = (): Wallet[] =>
  Array.from({ length: SIGNER_COUNT }, () => new Wallet(Wallet.createRandom().privateKey));

/** Starts a process for each wallet; they need the oracle's address, which is part of what they sign. */
export async function startOracleSigners(
  root: string,
  wallets: readonly Wallet[],
  { recording, listing }: MarketPlan,
  chainId: bigint,
  oracleAddress: string,
): Promise<OracleSigners> {
  const children: ChildProcess[] = [];
  const blocks = watchedBlocks(listing.registry, defaultSegments(STANDARD_SHAPE));
  const stop = async (): Promise<void> => {
    for (const child of children) child.stdin?.end();
    await Promise.all(children.map(stopProcess));
  };
  try {
    const addresses = await Promise.all(
      wallets.map((wallet, i) => {
        const settings: SignerSettings = {
          name: `signer ${i + 1}`,
          privateKey: wallet.privateKey,
          recording,
          chainId: Number(chainId),
          oracleAddress,
          noisePpmMax: NOISE_PPM_MAX,
          clockOffsetSec: i - 2,
          priceFactorPpm: i === LIAR ? LIE_PPM : HONEST_PPM,
          blocks,
        };
        return startSigner(root, settings, children);
      }),
    );
    return { addresses, liar: wallets[LIAR].address, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function startSigner(
  root: string,
  settings: SignerSettings,
  children: ChildProcess[],
): Promise<SignerAddress> {
  const child = spawn(process.execPath, [join(root, 'sequencer/oracle-signer/main.ts')], {
    cwd: root,
    stdio: ['pipe', 'pipe', 'inherit'],
    // A group of its own: Ctrl-C reaches the job only.
    detached: true,
  });
  children.push(child);
  child.stdin?.write(`${JSON.stringify(settings)}\n`);
  return new Promise<SignerAddress>((resolve, reject) => {
    const fail = (why: string) => reject(new Error(`${settings.name} did not start: ${why}`));
    const timer = setTimeout(() => fail('no answer in 30 s'), START_TIMEOUT_MS);
    child.once('exit', (code) => fail(`ended with code ${code}`));
    createInterface({ input: child.stdout as NodeJS.ReadableStream }).once('line', (line) => {
      clearTimeout(timer);
      resolve(JSON.parse(line) as SignerAddress);
    });
  });
}
