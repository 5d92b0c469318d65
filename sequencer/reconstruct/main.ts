/**
 * `npm run reconstruct [-- <rpc url> <rollup address>]`: rebuilds every account from L1 alone, compares every
 * root and prints each account's equity. Without arguments: the chain that `npm start` keeps serving.
 */
import { readFileSync } from 'node:fs';
import { JsonRpcProvider } from 'ethers';
import { STANDARD_SHAPE } from '#protocol/limits.ts';
import { reconstruct } from './report.ts';

/** Where the main job writes down what it serves. */
const SERVED = new URL('../../build/main-job/served.json', import.meta.url);
const TOKEN_IDS = [0, 1, 2];

const dollars = (micros: bigint): string =>
  (Number(micros) / 1e6).toLocaleString('en-US', { minimumFractionDigits: 2 });

async function main(): Promise<number> {
  const [rpcUrl, rollupAddress] = process.argv.slice(2);
  const place =
    rpcUrl && rollupAddress ? { rpcUrl, rollupAddress } : JSON.parse(readFileSync(SERVED, 'utf8'));
  const provider = new JsonRpcProvider(place.rpcUrl, undefined, { staticNetwork: true });
  try {
    const { batches, accounts, lastTable, conservation } = await reconstruct(
      provider,
      place.rollupAddress,
      STANDARD_SHAPE,
      TOKEN_IDS,
    );
    console.log(`${batches.length} batches rebuilt from L1 data; every state root is the accepted one`);
    console.log(`accounts at round ${lastTable?.roundNumber ?? 'none'}:`);
    for (const { accountIndex, margin } of accounts) {
      const { equity, initialMarginMicrosUp, maintenanceMarginMicrosUp, health } = margin;
      console.log(
        `  ${String(accountIndex).padStart(4)}  equity ${dollars(equity).padStart(16)}` +
          `  IM ${dollars(initialMarginMicrosUp).padStart(14)}  MM ${dollars(maintenanceMarginMicrosUp).padStart(14)}  ${health}`,
      );
    }
    for (const { tokenId, differenceUnits } of conservation) {
      console.log(`token ${tokenId}: vault − everything owed = ${differenceUnits}`);
    }
    return conservation.every(({ differenceUnits }) => differenceUnits === 0n) ? 0 : 1;
  } finally {
    provider.destroy();
  }
}

main().then(
  (code) => {
    process.exitCode = code;
  },
  (error: Error) => {
    console.error(`reconstruct: ${error.message}`);
    process.exitCode = 1;
  },
);
