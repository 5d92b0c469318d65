/** The crash test itself: it fails where an acknowledgement comes before the durable write. */
import { expect } from 'chai';
import { Campaign, LOST } from '../support/crash/campaign.ts';
import type { KillPlan } from '../support/crash/plan.ts';
import { CrashWorld } from '../support/crash/world.ts';

const SEED = 11;
/** At the first write of half a second's work that comes: nothing of it is written. */
const KILL: KillPlan = {
  target: 'any',
  moment: 'before',
  afterMs: 500,
  writesLeft: 0,
  duringMicros: 0,
  prover: 'apart',
};

describe('a sequencer whose store acknowledges before it has written', function () {
  this.timeout(600_000);
  let world: CrashWorld;

  before(async () => {
    world = await CrashWorld.open('test-crash-detection', 'hasty');
  });
  after(() => world?.close());

  it('is found out by one kill', async () => {
    const lines: string[] = [];
    const failure = await new Campaign(world, SEED, (line) => lines.push(line)).run([KILL]).then(
      (summary) => `nothing: ${JSON.stringify(summary)}`,
      (error: Error) => error.message,
    );
    expect(failure, lines.join('\n')).to.contain(LOST);
  });
});
