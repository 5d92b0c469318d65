/**
 * THREATS O01, P09: a sequencer is killed fifty times under load, with batches in every state, also such as missed
 * their window and are executed again. What it acknowledged is there afterwards with the same effect, the same log
 * gives the same root, and L1 has every batch once.
 * `BALLAST_CRASH_SEED` chooses another run.
 */
import { expect } from 'chai';
import { Campaign } from '../../support/crash/campaign.ts';
import { drawTargets, generator, KILL_STATES } from '../../support/crash/plan.ts';
import { CrashWorld } from '../../support/crash/world.ts';

const KILLS = 50;
/** So many of them are aimed at each state; the others find what there is. */
const AIMED = 3;
/** The load under which it is killed. */
const COMMANDS_PER_SECOND_MIN = 50;
const SEED = Number(process.env.BALLAST_CRASH_SEED ?? 20261121);

describe('a sequencer that is killed', function () {
  this.timeout(3_600_000);
  let world: CrashWorld;

  before(async () => {
    world = await CrashWorld.open('test-crash');
  });
  after(() => world?.close());

  it(`keeps every acknowledged command over ${KILLS} kills, and applies no batch twice (seed ${SEED})`, async () => {
    const targets = drawTargets(KILLS, AIMED, generator(SEED));
    const summary = await new Campaign(world, SEED, (line) => console.log(`      ${line}`)).run(targets);
    console.log(`      ${JSON.stringify(summary)}`);
    expect(summary.kills).to.equal(KILLS);
    for (const state of KILL_STATES) {
      expect(summary.killsByState[state], `kills with something ${state}`).to.be.greaterThan(0);
    }
    expect(summary.batchesResealed).to.be.greaterThan(0);
    expect(summary.orphanedProvers).to.be.greaterThan(0);
    expect(summary.commandsAcknowledged).to.be.greaterThan(KILLS);
    expect(summary.trades).to.be.greaterThan(0);
    expect(summary.commandsPerSecond, 'commands answered a second').to.be.at.least(COMMANDS_PER_SECOND_MIN);
  });
});
