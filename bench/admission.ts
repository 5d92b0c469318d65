/**
 * Signed orders verified and admitted per second by one engine, each acknowledged after its record is durable, with
 * orders of a thousand different keys; then the latency at half that load. Prints JSON.
 */
import os from 'node:os';
import { derivePublicKey } from '#protocol/crypto/eddsa.ts';
import type { Instrument, RiskRow, RiskTable } from '#protocol/instrument.ts';
import { SMALL_BATCH, STANDARD_SHAPE } from '#protocol/limits.ts';
import type { SignedMessages } from '#protocol/message.ts';
import { columnLosses } from '#protocol/risk/table.ts';
import { signMessages } from '#protocol/signing.ts';
import { lots, microsPerLot } from '#protocol/units.ts';
import { ENGINE_DEFAULTS } from '#sequencer/config.ts';
import { Engine } from '#sequencer/engine.ts';
import { PgliteStore } from '#sequencer/ledger/pglite-store.ts';
import { median } from './median.ts';

const KEYS = 1_000;
const ORDERS_PER_KEY = 4;
const RUNS = 5;
/** Orders a second that a core has to admit; latency is that at half this load. */
const BUDGET_PER_SECOND = 1_000;
const LATENCY_SECONDS = 5;
const PERP = 4;
const USD = 1_000_000n;
const NOW_SEC = 1_800_000_000n;
const DOMAIN = { chainId: 31337n, rollupAddress: 0xba11a57n };
const secretOf = (index: number): bigint => (1n << 200n) + BigInt(index);

const row: RiskRow = {
  instrumentId: PERP,
  marketSlot: 0,
  underlying: 0,
  isSpot: false,
  isReduceOnly: false,
  isSettled: false,
  mark: microsPerLot(100n * USD),
  fundingIndex: microsPerLot(0n),
  delta: microsPerLot(100n * USD),
  chargeImLong: microsPerLot(USD),
  chargeImShort: microsPerLot(USD),
  chargeMmLong: microsPerLot(600_000n),
  chargeMmShort: microsPerLot(600_000n),
  band: microsPerLot(USD),
  penalty: microsPerLot(USD),
  openInterestCap: lots(1n << 40n),
  positionCap: lots(1n << 40n),
  expirySec: 0n,
  linearLoss: microsPerLot(-4n * USD),
  pairLosses: [],
  losses: columnLosses(microsPerLot(-4n * USD), [], 0, STANDARD_SHAPE),
};
const table: RiskTable = {
  roundNumber: 1n,
  timeSec: NOW_SEC,
  rows: [row],
  esCount: 1,
  addOnUnitDollars: [10_000_000n, 5_000_000n],
  isJump: false,
};
const instrument: Instrument = {
  id: PERP,
  symbol: 'BTC-PERP',
  kind: 'perp',
  underlying: 0,
  marketSlot: 0,
  lotE8: 100_000n,
  tickMicrosPerLot: 10_000n,
  expirySec: 0n,
  strikeMicrosPerLot: 0n,
};

/** An engine with a thousand funded accounts; all their batches are proved, so nothing waits. */
async function fundedEngine(): Promise<Engine> {
  const engine = await Engine.start(
    {
      ...ENGINE_DEFAULTS,
      shape: STANDARD_SHAPE,
      // Accounts are opened in batches of the size they need; trading is not measured here.
      sizes: [{ capacity: { ...SMALL_BATCH, accounts: 250, l1Operations: 500 }, domainWord: 1n }],
      domain: DOMAIN,
      instruments: [instrument],
      unprovedBatchesMax: 1_000,
    },
    await PgliteStore.open(),
    (error) => {
      throw error;
    },
  );
  const operations = Array.from({ length: KEYS }, (_, i) => i + 1).flatMap((accountIndex) => [
    {
      kind: 'register',
      accountIndex,
      tokenId: 0,
      amount: 0n,
      publicKey: derivePublicKey(secretOf(accountIndex)),
    } as const,
    { kind: 'deposit', accountIndex, tokenId: 0, amount: 1_000_000n * USD, publicKey: [0n, 0n] } as const,
  ]);
  await engine.command({
    kind: 'l1-block',
    blockNumber: 1,
    blockHash: '0x1',
    timeSec: NOW_SEC,
    operations: operations.map((operation, queueIndex) => ({ queueIndex, operation })),
    confirmedQueueEnd: operations.length,
    tables: [{ index: 0, table, quotes: [], acceptedAtSec: NOW_SEC }],
    numbers: undefined,
  });
  while ((await engine.read((state) => state.l1Queue.length + (state.open?.actions.length ?? 0))) > 0) {
    await engine.command({ kind: 'seal', reason: 'asked' });
  }
  return engine;
}

let nonceRound = 0n;
/** One fresh resting order per key and turn, in an order that never repeats a key soon. */
function signedOrders(count: number): SignedMessages[] {
  const orders: SignedMessages[] = [];
  while (orders.length < count) {
    const nonce = nonceRound++;
    for (let accountIndex = 1; accountIndex <= KEYS && orders.length < count; accountIndex++) {
      const side = accountIndex % 2 === 0 ? 'buy' : 'sell';
      const dollars = side === 'buy' ? 80n : 120n;
      orders.push(
        signMessages(DOMAIN, secretOf(accountIndex), {
          accountIndex,
          epoch: 1n,
          messages: [
            {
              kind: 'order',
              instrumentId: PERP,
              side,
              isReduceOnly: false,
              sizeLots: 1n,
              limitMicrosPerLot: (dollars + (BigInt(accountIndex) % 10n)) * USD,
              expirySec: NOW_SEC + 3_600n,
              nonce,
              floorBackWords: 1,
              feeCapPpm: 1_000n,
            },
          ],
        }),
      );
    }
  }
  return orders;
}

async function admit(engine: Engine, signed: SignedMessages): Promise<void> {
  const done = await engine.submit(signed);
  if (!done.ok || !done.value.results[0].ok) throw new Error('an order of the benchmark was refused');
}

const engine = await fundedEngine();
// Warm up: a window table per key.
for (const signed of signedOrders(KEYS)) await admit(engine, signed);
const rates: number[] = [];
const cpuRates: number[] = [];
for (let run = 0; run < RUNS; run++) {
  const orders = signedOrders((KEYS * ORDERS_PER_KEY) / RUNS);
  const cpu = process.cpuUsage();
  const started = performance.now();
  await Promise.all(orders.map((signed) => admit(engine, signed)));
  rates.push((1000 * orders.length) / (performance.now() - started));
  const used = process.cpuUsage(cpu);
  cpuRates.push((1e6 * orders.length) / (used.user + used.system));
}
rates.sort((a, b) => a - b);
const halfRate = Math.min(median(rates), BUDGET_PER_SECOND) / 2;
const paced = signedOrders(Math.floor(halfRate * LATENCY_SECONDS));
const latencies: number[] = [];
const begun = performance.now();
const waits: Promise<void>[] = [];
for (let i = 0; i < paced.length; i++) {
  const dueMs = begun + (1000 * i) / halfRate;
  const earlyMs = dueMs - performance.now();
  if (earlyMs > 0) await new Promise((resolve) => setTimeout(resolve, earlyMs));
  waits.push(admit(engine, paced[i]).then(() => void latencies.push(performance.now() - dueMs)));
}
await Promise.all(waits);
latencies.sort((a, b) => a - b);
console.log(
  JSON.stringify({
    bench: 'admission',
    keys: KEYS,
    ordersPerSecondMedian: Math.round(median(rates)),
    ordersPerSecondMin: Math.round(rates[0]),
    ordersPerSecondMax: Math.round(rates[RUNS - 1]),
    ordersPerCpuSecondMedian: Math.round(median(cpuRates)),
    halfLoadPerSecond: Math.round(halfRate),
    latencyMsMedian: Number(median(latencies).toFixed(1)),
    latencyMsP99: Number(latencies[Math.floor(latencies.length * 0.99)].toFixed(1)),
    runs: RUNS,
    machine: {
      cpu: os.cpus()[0]?.model,
      cores: os.cpus().length,
      node: process.version,
      loadAverage: os.loadavg()[0],
    },
  }),
);
process.exit(0);
