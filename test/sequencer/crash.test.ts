/** The short form of test/slow/sequencer/crash.test.ts: one kill in each state that takes work to recover from. */
import { expect } from 'chai';
import { Campaign } from '../support/crash/campaign.ts';
import { CrashWorld } from '../support/crash/world.ts';

const TARGETS = ['sealed', 'l1-events', 'unmined', 'proving', 'unseen', 'starting'] as const;
const SEED = 7;

describe('a sequencer that is killed a few times', function () {
  this.timeout(600_000);
  let world: CrashWorld;

  before(async () => {
    world = await CrashWorld.open('test-crash-short');
  });
  after(() => world?.close());

  it('keeps every acknowledged command, and applies no batch twice', async () => {
    const lines: string[] = [];
    const summary = await new Campaign(world, SEED, (line) => lines.push(line)).run(TARGETS);
    for (const state of TARGETS) {
      expect(
        summary.killsByState[state],
        `kills with something ${state}: ${lines.join('\n')}`,
      ).to.be.at.least(1);
    }
    expect(summary.commandsAcknowledged).to.be.greaterThan(TARGETS.length);
    expect(summary.trades).to.be.greaterThan(0);
  });
});
