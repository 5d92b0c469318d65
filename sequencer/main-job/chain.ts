/**
 * The local chain: a Hardhat node as a process of its own, and its clock. The chain lives on the day of the
 * replayed prices, so block times are the times of the bars.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { HDNodeWallet, JsonRpcProvider } from 'ethers';

const HARDHAT_CLI = 'node_modules/hardhat/dist/src/cli.js';
/** The node ends when its input does, so that it never outlives whoever started it, not even one that was killed. */
const END_WITH_PARENT = 'data:text/javascript,process.stdin.on("end",()=>process.exit()).resume()';
const READY = /JSON-RPC server at (http:\/\/[^\s/]+)/;
const START_TIMEOUT_MS = 60_000;
/** Milliseconds between looks at the chain; ethers' default of 4 s would be the slowest part of a bar. */
const POLLING_MS = 100;

/** Accounts of every Hardhat node; their keys are public, so they are worth nothing elsewhere. */
const PUBLIC_MNEMONIC = 'test test test test test test test test test test test junk';

export interface LocalChain {
  readonly url: string;
  readonly provider: JsonRpcProvider;
  /** Funded account of the chain by its place; it signs here, not in the node. */
  wallet(place: number): HDNodeWallet;
  /** Seconds since 1970 of the newest block. */
  nowSec(): Promise<bigint>;
  /** Mines a block at `timeSec`, or at once if the chain's clock is already past it. Returns its time. */
  advanceTo(timeSec: bigint): Promise<bigint>;
  /** Mines empty blocks, so that everything before them is that much deeper. */
  mine(blocks: number): Promise<void>;
  stop(): Promise<void>;
}

/** Starts the node and waits until it answers. Its log goes to `logPath`. */
export async function startLocalChain(root: string, logPath: string): Promise<LocalChain> {
  mkdirSync(dirname(logPath), { recursive: true });
  const log = createWriteStream(logPath);
  const child = spawn(
    process.execPath,
    [
      '--import',
      END_WITH_PARENT,
      join(root, HARDHAT_CLI),
      'node',
      '--network',
      'replay',
      '--hostname',
      '127.0.0.1',
      '--port',
      '0',
    ],
    {
      cwd: root,
      stdio: ['pipe', 'pipe', 'pipe'],
      // A group of its own: Ctrl-C reaches the job only, which ends the chain after all that needs it.
      detached: true,
      env: { ...process.env, NO_COLOR: '1' },
    },
  );
  child.stdout.pipe(log);
  child.stderr.pipe(log);
  const url = await readyUrl(child, logPath);
  const provider = new JsonRpcProvider(url, undefined, {
    staticNetwork: true,
    cacheTimeout: -1,
    batchMaxCount: 1,
  });
  provider.pollingInterval = POLLING_MS;
  const nowSec = async () =>
    BigInt((await provider.send('eth_getBlockByNumber', ['latest', false])).timestamp);
  return {
    url,
    provider,
    wallet: (place) =>
      HDNodeWallet.fromPhrase(PUBLIC_MNEMONIC, undefined, `m/44'/60'/0'/0/${place}`).connect(provider),
    nowSec,
    async advanceTo(timeSec) {
      const earliest = (await nowSec()) + 1n;
      await provider.send('evm_setNextBlockTimestamp', [Number(timeSec > earliest ? timeSec : earliest)]);
      await provider.send('evm_mine', []);
      return nowSec();
    },
    async mine(blocks) {
      await provider.send('hardhat_mine', [`0x${blocks.toString(16)}`, '0x0']);
    },
    async stop() {
      provider.destroy();
      await stopProcess(child);
    },
  };
}

function readyUrl(child: ChildProcess, logPath: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let seen = '';
    const timer = setTimeout(
      () => reject(new Error(`the local chain did not start in 60 s; see ${logPath}`)),
      START_TIMEOUT_MS,
    );
    child.stdout?.on('data', (chunk: Buffer) => {
      if (seen.length > 10_000) return;
      seen += chunk.toString();
      const url = READY.exec(seen)?.[1];
      if (url === undefined) return;
      clearTimeout(timer);
      resolve(url);
    });
    child.once('exit', (code) => {
      clearTimeout(timer);
      reject(new Error(`the local chain ended with code ${code}; see ${logPath}`));
    });
  });
}

/** Ends a child process and waits for it. */
export function stopProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    child.once('exit', () => resolve());
    child.kill('SIGTERM');
  });
}
