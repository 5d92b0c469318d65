/** Where the job keeps what it made, and what it leaves for the commands that run beside it. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

export const ROOT = resolve(import.meta.dirname, '../..');
export const FOLDER = join(ROOT, 'build/main-job');
export const REPORT_FOLDER = join(FOLDER, 'report');
/** Quote, WETH, WBTC. */
export const TOKEN_IDS: readonly number[] = [0, 1, 2];
/** Index into UNDERLYINGS of the coin whose price is the axis of the pictures. */
export const BTC = 0;

const FILE = join(FOLDER, 'served.json');

/** What `place-order.ts` and `npm run report` read; `npm run reconstruct` finds the chain and the rollup in it. */
export interface Served {
  readonly rpcUrl: string;
  readonly apiUrl: string;
  readonly chainId: string;
  readonly rollupAddress: string;
  /** By account index. */
  readonly names: Readonly<Record<number, string>>;
  readonly visitor: { readonly accountIndex: number; readonly secret: string };
}

export function writeServed(served: Served): void {
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(FILE, `${JSON.stringify(served, null, 2)}\n`);
}

/** @throws Error when no job serves here. */
export function readServed(): Served {
  try {
    return JSON.parse(readFileSync(FILE, 'utf8')) as Served;
  } catch (error) {
    throw new Error('nothing is served: start the job first (npm start) and leave it running', {
      cause: error,
    });
  }
}
