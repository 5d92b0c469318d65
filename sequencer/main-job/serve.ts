/** After the job: the market goes on, a bar a minute, and a visitor's account waits to be used. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { submissionBody } from '#client/wire.ts';
import { signMessages } from '#protocol/signing.ts';
import { DAY_SEC } from '#protocol/units.ts';
import type { Market } from './market.ts';
import type { MarketPlan } from './plan.ts';
import { FOLDER, type Served, writeServed } from './served.ts';
import { ETH_PERP } from './strategies/strategy.ts';
import type { Terminal } from './terminal.ts';
import type { World } from './world.ts';

/** A recorded bar, however long, in real time. */
const PACE_MS = 60_000;
const VISITOR_DEPOSIT_MICROS = 10_000_000_000n;
const EXAMPLE_LOTS = 10n;

/** A command as it runs beside any Node: what is printed here is pasted into another terminal. */
const withNode24 = (command: string): string => `npx -y -p node@24 -c "${command}"`;

/** Serves until the process is told to stop. */
export async function serve(plan: MarketPlan, world: World, market: Market, screen: Terminal): Promise<void> {
  const { chain, deployment, apiUrl, domain } = world;
  const visitor = await market.openVisitor(VISITOR_DEPOSIT_MICROS);
  const served: Served = {
    rpcUrl: chain.url,
    apiUrl,
    chainId: deployment.chainId.toString(),
    rollupAddress: deployment.rollup,
    names: Object.fromEntries(
      Array.from({ length: plan.cast.length }, (_, i) => [i + 1, market.nameOf(i + 1)]),
    ),
    visitor: { accountIndex: visitor.accountIndex, secret: visitor.key.secret.toString() },
  };
  writeServed(served);
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
  writeFileSync(join(FOLDER, 'order.json'), `${JSON.stringify(submissionBody(order))}\n`);
  screen.phase('The market goes on, a bar a minute. Ctrl-C ends it');
  screen.lines([
    '  A visitor has an account with 10,000 USDC. Place its signed order for 0.1 ETH-PERP:',
    `    curl -s -H 'content-type: application/json' -d @build/main-job/order.json ${apiUrl}/v1/messages`,
    '  Sign and place any other through client/ (buy or sell, instrument id, lots):',
    `    ${withNode24('node sequencer/main-job/place-order.ts sell 5 10')}`,
    `  See what became of it: curl -s ${apiUrl}/v1/accounts/${visitor.accountIndex}`,
    `  Rebuild everything from L1: ${withNode24('npm run reconstruct')}`,
  ]);
  await Promise.race([goOn(plan, world, market), world.failed]);
}

/** The recorded bars after the story's, then the last one for as long as it takes. */
async function goOn(plan: MarketPlan, world: World, market: Market): Promise<never> {
  for (let n = 1; ; n++) {
    const startMs = performance.now();
    await market.step(plan.stepAfter(n), (member) => member.isMarketMaker);
    await sleep(Math.max(0, PACE_MS - (performance.now() - startMs)));
    await world.sequencer.seal();
  }
}
