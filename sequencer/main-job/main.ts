/**
 * `npm start`: a real market day on a local chain, every batch proved and accepted. `--exit` ends after the
 * summary; otherwise the market goes on at its own pace and takes orders. `--port N` chooses the API's port, `--market`
 * which market is played (plan.ts).
 */
import { writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { STANDARD_SHAPE } from '#protocol/limits.ts';
import { RISK_SMALL } from '#protocol/risk/registry.ts';
import { type Reconstruction, reconstruct } from '../reconstruct/report.ts';
import { writeBooksReport } from './books-report.ts';
import { BATCH_CAPACITIES, type Circuits } from './deployment.ts';
import { conversionsOf, expiryLines } from './expiry-lines.ts';
import { type Flags, flagsOf } from './flags.ts';
import { Market } from './market.ts';
import { Narrator } from './narrator.ts';
import { NOISE_PPM_MAX } from './oracle-signers.ts';
import { type MarketPlan, planOf } from './plan.ts';
import { lowestMoment, portfolioLines } from './portfolio-lines.ts';
import { serve } from './serve.ts';
import { BTC, FOLDER, REPORT_FOLDER, ROOT, TOKEN_IDS } from './served.ts';
import { buildContracts, type PreparedCircuit, prepareCircuit } from './setup.ts';
import { runToEnd, type Stops } from './stops.ts';
import { Story } from './story.ts';
import { WBTC } from './strategies/strategy.ts';
import {
  accountLines,
  batchSizesText,
  conservationLines,
  gasOf,
  liquidationLines,
  liquidationsOf,
  mean,
  secondsText,
} from './summary.ts';
import { clock, grouped, type Terminal, terminal } from './terminal.ts';
import { startWorld, type World } from './world.ts';

async function prepare(screen: Terminal): Promise<Circuits> {
  screen.phase('Contracts, circuits and INSECURE development keys (kept in build/ for the next start)');
  const contracts = buildContracts(ROOT);
  const prepared = async (name: string): Promise<PreparedCircuit> => {
    const circuit = await prepareCircuit(ROOT, name);
    const { constraintCount, seconds } = circuit;
    screen.line(`  ${name}  ${grouped(constraintCount).padStart(8)} constraints  ${seconds.toFixed(1)} s`);
    return circuit;
  };
  // The rollup is deployed with the verifiers of all its batch sizes, so the first batch waits for every key. Side by
  // side they take two cores as long as one circuit takes one.
  const batches = Promise.all(BATCH_CAPACITIES.map(({ name }) => prepared(name)));
  const risk = prepared(RISK_SMALL.name);
  await Promise.all([batches, risk, contracts]);
  return { batches: await batches, risk: await risk };
}

/** Seconds from the start to the first batch that L1 took; 0 before. */
function watchFirstBatch(story: Story, screen: Terminal, startMs: number): () => number {
  let seconds = 0;
  story.onEvent((event) => {
    if (seconds > 0 || event.kind !== 'batch-status' || event.status === 'proven') return;
    seconds = (performance.now() - startMs) / 1000;
    screen.line(`  first batch proved and accepted ${clock(seconds * 1000)} after the start`);
  });
  return () => seconds;
}

async function replay(plan: MarketPlan, market: Market, screen: Terminal): Promise<void> {
  screen.phase(plan.headline);
  for (const step of plan.steps) {
    if (step.index === plan.expiry?.beforeStep) await market.expire(plan.expiry);
    await market.step(step);
  }
  await market.settle();
}

/** What a benchmark keeps; bigints as decimal strings. */
type Figures = Record<string, number | string>;

function writeFigures(figures: Figures): void {
  writeFileSync(join(FOLDER, 'figures.json'), `${JSON.stringify(figures, null, 2)}\n`);
}

/** A part of the summary, set off from the next one; nothing without lines. */
const withBlank = (lines: readonly string[]): string[] => (lines.length === 0 ? [] : [...lines, '']);

async function summarise(
  plan: MarketPlan,
  world: World,
  market: Market,
  story: Story,
  circuits: Circuits,
  screen: Terminal,
): Promise<{ readonly reconstruction: Reconstruction; readonly figures: Figures }> {
  const { provider } = world.chain;
  const reconstruction = await reconstruct(provider, world.deployment.rollup, STANDARD_SHAPE, TOKEN_IDS);
  const nameOf = (accountIndex: number): string => market.nameOf(accountIndex);
  const liquidations = liquidationsOf(reconstruction);
  const gas = await gasOf(provider, reconstruction);
  const lowest = lowestMoment(reconstruction, WBTC);
  const { batchSec, roundSec } = world.proofTimes;
  const figures = {
    accounts: market.participants.length,
    ordersTaken: story.ordersAccepted,
    ordersRefused: market.refusedCodes.length,
    ordersFilled: story.filledOrderCount,
    trades: story.trades + story.liquidations.length,
    batches: reconstruction.batches.length,
    rounds: roundSec.length,
    liquidations: liquidations.length,
    fundPayments: story.fundPayments.length,
    settledPositions: conversionsOf(reconstruction).length,
    clearedBlocks: reconstruction.clearedBlocks.length,
    claims: market.claims.length,
    largerBatches: reconstruction.batches.filter(({ submission }) => submission.header.sizeIndex > 0).length,
    batchConstraints: circuits.batches[0].constraintCount,
    roundConstraints: circuits.risk.constraintCount,
    batchProofSec: mean(batchSec),
    roundProofSec: mean(roundSec),
    gasPerBatch: (gas.total / BigInt(reconstruction.batches.length)).toString(),
    gasPerFilledOrder: (gas.total / BigInt(Math.max(1, story.filledOrderCount))).toString(),
  };
  const names = { listing: plan.listing, nameOf };
  const pictures =
    lowest === undefined ? [] : writeBooksReport(reconstruction, lowest, BTC, names, REPORT_FOLDER);
  screen.phase('What happened');
  screen.lines([
    `  ${figures.accounts} accounts; ${grouped(figures.ordersTaken)} signed orders taken, ${figures.ordersRefused} refused, ${figures.ordersFilled} filled in ${figures.trades} trades`,
    `  ${figures.batches} batches proved and accepted (${batchSizesText(reconstruction, circuits)}); a proof took ${secondsText(batchSec)}`,
    `  ${figures.rounds} oracle rounds proved, ${grouped(figures.roundConstraints)} constraints each; a proof took ${secondsText(roundSec)}`,
    `  L1 gas, data included: ${grouped(BigInt(figures.gasPerBatch))} a batch, ${grouped(BigInt(figures.gasPerFilledOrder))} a filled order`,
    `  oracle ${world.oracles.liar.slice(0, 10)}… reported half of every price; the accepted ones stayed within ${market.priceErrorPpmMax} ppm of the recorded (venues differ by ${NOISE_PPM_MAX})`,
    '',
    ...liquidationLines(liquidations, plan.listing, nameOf),
    '',
    ...(lowest === undefined ? [] : portfolioLines(lowest, nameOf, plan.listing)),
    ...(pictures.length === 0
      ? []
      : [`  ${pictures.length} pictures of these books: ${relative(ROOT, REPORT_FOLDER)}`]),
    '',
    ...withBlank(expiryLines(reconstruction, plan.listing, nameOf)),
    ...accountLines(reconstruction, nameOf, (accountIndex) => market.ideaOf(accountIndex)),
    '',
    `  ${figures.batches} batches rebuilt from L1 data alone: every state root is the accepted one`,
    `  ${figures.liquidations} liquidations recomputed from public data: every one was right`,
    '',
    ...conservationLines(reconstruction),
  ]);
  return { reconstruction, figures };
}

const isConserved = ({ conservation }: Reconstruction): boolean =>
  conservation.length === TOKEN_IDS.length &&
  conservation.every(({ differenceUnits }) => differenceUnits === 0n);

async function run(flags: Flags, stops: Stops): Promise<number> {
  const startMs = performance.now();
  const screen = terminal(
    (text) => process.stdout.write(text),
    () => performance.now(),
  );
  const plan = planOf(flags.market);
  const circuits = await prepare(screen);
  screen.phase('Chain, contracts, five oracles, sequencer, proof workers');
  const world = await startWorld(
    {
      root: ROOT,
      folder: FOLDER,
      circuits,
      plan,
      ownerCount: plan.cast.length + 1,
      port: flags.port,
      report: (text) => screen.note(`again: ${text}`),
    },
    stops,
  );
  const story = new Story();
  const market: Market = new Market(
    plan,
    world,
    new Narrator(screen, story, plan.listing, (index) => market.nameOf(index)),
  );
  world.sequencer.engine.subscribe((events) => {
    for (const event of events) story.see(event);
  });
  const firstBatchSec = watchFirstBatch(story, screen, startMs);
  screen.line(
    `  chain ${world.chain.url} (id ${world.deployment.chainId}), rollup ${world.deployment.rollup}`,
  );
  screen.line(`  API ${world.apiUrl}/v1/openapi.json`);
  await Promise.race([replay(plan, market, screen), world.failed]);
  const { reconstruction, figures } = await summarise(plan, world, market, story, circuits, screen);
  const totalSec = (performance.now() - startMs) / 1000;
  screen.line(`\nDone in ${clock(totalSec * 1000)}.`);
  writeFigures({ ...figures, firstBatchSec: firstBatchSec(), totalSec });
  if (!isConserved(reconstruction)) {
    screen.line('Conservation is broken: the differences above are not all zero.');
    return 1;
  }
  if (!flags.isExiting) await serve(plan, world, market, screen);
  return 0;
}

await runToEnd((stops) => run(flagsOf(process.argv.slice(2)), stops));
