/** After the job: the market goes on, a bar a minute, and a visitor's account waits to be used. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { submissionBody } from '#client/wire.ts';
import { signMessages } from '#protocol/signing.ts';
import { BAR_SEC, barsBetween, readBars } from '#sequencer/market-data/bars.ts';
import type { Market } from './market.ts';
import { LAST_MINUTE } from './replay.ts';
import { ETH_PERP } from './strategies/strategy.ts';
import type { Terminal } from './terminal.ts';
import type { World } from './world.ts';

const LAST_RECORDED_MINUTE = '13:59';
const VISITOR_DEPOSIT_MICROS = 10_000_000_000n;
const EXAMPLE_LOTS = 10n;
const DAY_SEC = 86_400n;

/** What `place-order.ts` and `npm run reconstruct` read. */
export interface Served {
  readonly rpcUrl: string;
  readonly apiUrl: string;
  readonly chainId: string;
  readonly rollupAddress: string;
  readonly visitor: { readonly accountIndex: number; readonly secret: string };
}

/** Serves until the process is told to stop. */
export async function serve(world: World, market: Market, screen: Terminal, folder: string): Promise<void> {
  const { chain, deployment, apiUrl, domain } = world;
  const visitor = await market.openVisitor(VISITOR_DEPOSIT_MICROS);
  const served: Served = {
    rpcUrl: chain.url,
    apiUrl,
    chainId: deployment.chainId.toString(),
    rollupAddress: deployment.rollup,
    visitor: { accountIndex: visitor.accountIndex, secret: visitor.key.secret.toString() },
  };
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'served.json'), `${JSON.stringify(served, null, 2)}\n`);
  const order = signMessages(domain, visitor.key.secret, {
    accountIndex: visitor.accountIndex,
    epoch: 1n,
    messages: [
      {
        kind: 'order',
        instrumentId: ETH_PERP,
        side: 'buy',
        isReduceOnly: false,
        sizeLots: EXAMPLE_LOTS,
        limitMicrosPerLot: 30_000_000n,
        expirySec: (await chain.nowSec()) + DAY_SEC,
        nonce: 0n,
        floorBackWords: 0,
        feeCapPpm: 1_000n,
      },
    ],
  });
  writeFileSync(join(folder, 'order.json'), `${JSON.stringify(submissionBody(order))}\n`);
  screen.phase('The market goes on, a bar a minute. Ctrl-C ends it');
  screen.lines([
    '  A visitor has an account with 10,000 USDC. Place its signed order for 0.1 ETH-PERP:',
    `    curl -s -H 'content-type: application/json' -d @build/main-job/order.json ${apiUrl}/v1/messages`,
    '  Sign and place any other through client/ (buy or sell, instrument id, lots):',
    '    node sequencer/main-job/place-order.ts sell 5 10',
    `  See what became of it: curl -s ${apiUrl}/v1/accounts/${visitor.accountIndex}`,
    '  Rebuild everything from L1: npm run reconstruct',
  ]);
  await Promise.race([goOn(world, market), world.failed]);
}

/** The recorded minutes after the job's, then their last one for as long as it takes. */
async function goOn(world: World, market: Market): Promise<never> {
  const bars = barsBetween(readBars(), LAST_MINUTE, LAST_RECORDED_MINUTE);
  for (let place = 1; ; place++) {
    const startMs = performance.now();
    const oracleBar = bars[Math.min(place, bars.length - 2)];
    const live = bars[Math.min(place + 1, bars.length - 1)];
    const feed = bars.slice(0, place + 1).map((bar) => bar.closeMicros);
    await market.step(
      { index: Number.MAX_SAFE_INTEGER, oracleBar, feed: [...feed, live.closeMicros] },
      (member) => member.isMarketMaker,
    );
    await sleep(Math.max(0, Number(BAR_SEC) * 1000 - (performance.now() - startMs)));
    await world.sequencer.seal();
  }
}
