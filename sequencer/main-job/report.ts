/**
 * `npm run report`: draws the books of the chain that `npm start` keeps serving, rebuilt from L1 alone, at the lowest price
 * of Bitcoin that a batch saw. Pictures go to build/main-job/report.
 */
import { JsonRpcProvider } from 'ethers';
import { STANDARD_SHAPE } from '#protocol/limits.ts';
import { L1Reader } from '../reconstruct/read-l1.ts';
import { reconstruct } from '../reconstruct/report.ts';
import { writeBooksReport } from './books-report.ts';
import { Listing } from './listing.ts';
import { lowestMoment } from './portfolio-lines.ts';
import { BTC, REPORT_FOLDER, readServed, TOKEN_IDS } from './served.ts';

const WBTC = 1;

async function main(): Promise<void> {
  const served = readServed();
  const provider = new JsonRpcProvider(served.rpcUrl, undefined, { staticNetwork: true });
  try {
    const reconstruction = await reconstruct(provider, served.rollupAddress, STANDARD_SHAPE, TOKEN_IDS);
    const registries = await new L1Reader(provider, served.rollupAddress).registries();
    const listing = new Listing([...registries.values()].at(-1) ?? []);
    const moment = lowestMoment(reconstruction, WBTC);
    if (moment === undefined) throw new Error('no batch was accepted yet: there is no book to draw');
    const nameOf = (accountIndex: number): string => served.names[accountIndex] ?? `account ${accountIndex}`;
    for (const path of writeBooksReport(reconstruction, moment, BTC, { listing, nameOf }, REPORT_FOLDER)) {
      console.log(path);
    }
  } finally {
    provider.destroy();
  }
}

main().catch((error: Error) => {
  console.error(`report: ${error.message}`);
  process.exitCode = 1;
});
