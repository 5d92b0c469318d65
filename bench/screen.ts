/**
 * How many accounts a second the margin screen passes on one core: 16 positions of random instruments
 * among 64, 32 scenarios. Every account is computed in full, in the order of the table at random.
 * Prints JSON: median and spread of several runs.
 */
import os from 'node:os';
import { emptyAccount } from '#protocol/account.ts';
import type { RiskRow, RiskTable } from '#protocol/instrument.ts';
import { STANDARD_SHAPE } from '#protocol/limits.ts';
import { type Lots, lots, micros, microsPerLot } from '#protocol/units.ts';
import { AccountScreen } from '#sequencer/risk/screen.ts';
import { median } from './median.ts';

const ACCOUNTS = 200_000;
const RUNS = 9;

/** A linear congruential generator: the same accounts in every run. */
function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

function randomTable(random: () => number): RiskTable {
  const rows = Array.from({ length: STANDARD_SHAPE.marketSlots }, (_, i): RiskRow => {
    const mark = 1_000_000 + Math.floor(random() * 100_000_000);
    const share = (part: number) => microsPerLot(BigInt(Math.floor(mark * part)));
    return {
      instrumentId: i + 1,
      marketSlot: i,
      underlying: i % 2,
      isSpot: i < 3,
      isReduceOnly: false,
      isSettled: false,
      mark: microsPerLot(BigInt(mark)),
      fundingIndex: microsPerLot(i < 3 ? 0n : BigInt(Math.floor(random() * 1000))),
      delta: share(1),
      chargeImLong: share(0.02),
      chargeImShort: share(0.02),
      chargeMmLong: share(0.01),
      chargeMmShort: share(0.01),
      band: share(0.01),
      penalty: share(0.01),
      openInterestCap: lots(2n ** 40n),
      positionCap: lots(2n ** 40n),
      expirySec: 0n,
      linearLoss: microsPerLot(0n),
      pairLosses: [],
      losses: Array.from({ length: STANDARD_SHAPE.scenarios }, () => share(random() - 0.5)),
    };
  });
  return {
    roundNumber: 1n,
    timeSec: 1n,
    rows,
    esCount: 1,
    addOnUnitDollars: [10_000_000n, 5_000_000n],
    isJump: false,
  };
}

function filledScreen(random: () => number): AccountScreen {
  const screen = new AccountScreen(STANDARD_SHAPE);
  const blank = emptyAccount(STANDARD_SHAPE);
  for (let index = 1; index <= ACCOUNTS; index++) {
    const ids = new Set<number>();
    while (ids.size < STANDARD_SHAPE.derivativeSlots) ids.add(4 + Math.floor(random() * 61));
    const size = (): Lots => lots(BigInt(Math.floor((random() - 0.5) * 2000)) || 1n);
    screen.set(index, {
      ...blank,
      cashStar: micros(BigInt(Math.floor(random() * 2e12))),
      slots: [...ids].map((instrumentId) => ({ instrumentId, size: size() })),
      spot: blank.spot.map(() => lots(1n + BigInt(Math.floor(random() * 1000)))),
    });
  }
  return screen;
}

const random = generator(7);
const table = randomTable(random);
const screen = filledScreen(random);
let picked = screen.candidates(table).length;
const rates: number[] = [];
// On a shared machine the share of a core this process got matters: accounts per second of its own CPU time.
const cpuRates: number[] = [];
for (let run = 0; run < RUNS; run++) {
  const cpu = process.cpuUsage();
  const started = process.hrtime.bigint();
  picked = screen.candidates(table).length;
  rates.push(ACCOUNTS / (Number(process.hrtime.bigint() - started) / 1e9));
  const used = process.cpuUsage(cpu);
  cpuRates.push((1e6 * ACCOUNTS) / (used.user + used.system));
}
rates.sort((a, b) => a - b);
console.log(
  JSON.stringify({
    bench: 'screen',
    accounts: ACCOUNTS,
    positionsPerAccount: STANDARD_SHAPE.derivativeSlots + 3,
    instruments: STANDARD_SHAPE.marketSlots,
    scenarios: STANDARD_SHAPE.scenarios,
    picked,
    accountsPerSecondMedian: Math.round(median(rates)),
    accountsPerCpuSecondMedian: Math.round(median(cpuRates)),
    accountsPerSecondMin: Math.round(rates[0]),
    accountsPerSecondMax: Math.round(rates[RUNS - 1]),
    runs: RUNS,
    machine: { cpu: os.cpus()[0]?.model, cores: os.cpus().length, node: process.version },
  }),
);
