/**
 * Any history of a real engine: orders, cancels, L1, rounds, seals, proofs, poison, reseals and restarts in whatever order
 * they come. Prints seed and path of a failure; `SEED=1 REPLAY_PATH=33` plays that history again, `RUNS` plays more.
 */
import { expect } from 'chai';
import fc from 'fast-check';
import { History } from '../../support/history/history.ts';
import { type Step, steps } from '../../support/history/steps.ts';

const SEED = Number(process.env.SEED ?? 1);
const RUNS_DEFAULT = 50;
const RUNS = Number(process.env.RUNS ?? RUNS_DEFAULT);

/** What the default runs must have met, else they would show nothing about it. */
const MET = [
  'trade',
  'trade-voided',
  'liquidation',
  'withdrawal',
  'cancel-queued',
  'message-included',
  'message-dropped',
  'l1-operation',
  'key-registered',
  'position-settled',
  'instrument-retired',
  'batch-poisoned',
  'sealing-halted',
  'repeated body',
  'batch-status withdrawn',
  'batch-status final',
  'refused reseal',
  'refused batch-poisoned',
  'order-closed cancelled',
  'order-closed cancelled-all',
  'order-closed epoch-changed',
  'order-closed expired',
  'order-closed no-longer-passes',
  'order-closed prices-unusable',
  'order-closed proof-backlog',
  'order-closed voided',
  'restart',
];

/** Mostly few, so that the engine forgets what it may while it is still at work. */
const closedOrdersKept = fc.constantFrom(0, 3, 1_000);

async function play(kept: number, history: readonly Step[], met: Map<string, number>): Promise<void> {
  const played = await History.begin(kept, met);
  for (const step of history) await played.play(step);
  await played.drain();
  await played.restart();
}

describe('any history of an engine', () => {
  it('breaks no promise, loses nothing, is provable, and is the same after a restart', async function () {
    this.timeout(600_000);
    const met = new Map<string, number>();
    const path = process.env.REPLAY_PATH;
    const history = fc.asyncProperty(closedOrdersKept, steps({ min: 40, max: 120 }), (kept, steps) =>
      play(kept, steps, met),
    );
    // A history is not shrunk: that would take longer than all the runs.
    const options = { seed: SEED, numRuns: RUNS, endOnFailure: true };
    await fc.assert(history, path === undefined ? options : { ...options, path });
    if (SEED !== 1 || RUNS < RUNS_DEFAULT || path !== undefined) return;
    expect(MET.filter((name) => !met.has(name))).to.deep.equal([]);
  });
});
