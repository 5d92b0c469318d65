import { expect } from 'chai';
import { LiveFeed, type LiveMark } from '#sequencer/feed/live-feed.ts';
import { hashOf, rejectionOf, World } from '../../support/engine.ts';
import { marked, PERP, USD } from '../../support/ledger.ts';

describe('live feed', () => {
  it('passes on a mark when it has moved, and not more often than it should', async () => {
    const sent: (readonly LiveMark[])[] = [];
    const feed = new LiveFeed(
      async ({ marks }) => {
        sent.push(marks);
      },
      { movePpmMin: 1_000n, periodMsMin: 1_000 },
    );
    const at = (micros: bigint) => [{ instrumentId: PERP, markMicrosPerLot: micros }];
    await feed.observe(at(1_000_000n), 0);
    await feed.observe(at(1_000_999n), 2_000);
    await feed.observe(at(1_001_000n), 2_500);
    await feed.observe(at(1_002_000n), 2_600);
    await feed.observe(at(0n), 9_000);
    expect(sent.flat().map(({ markMicrosPerLot }) => markMicrosPerLot)).to.deep.equal([
      1_000_000n,
      1_001_000n,
    ]);
    feed.onRound();
    await feed.observe(at(1_001_000n), 9_001);
    expect(sent).to.have.length(3);
  });

  it('makes the engine refuse more, never less, until the next round', async () => {
    const world = await World.open();
    await world.fund({ 1: 1_100n, 2: 100_000n });
    hashOf(await world.order(2, 'sell', 50n, 100n));
    hashOf(await world.order(1, 'buy', 50n, 100n));
    await world.settle();
    const feed = new LiveFeed((command) => world.engine.command(command));
    await feed.observe([{ instrumentId: PERP, markMicrosPerLot: 99n * USD }], 0);
    expect(rejectionOf(await world.order(1, 'buy', 1n, 90n)).code).to.equal('insufficient-margin');
    hashOf(await world.order(1, 'sell', 1n, 101n));
    await feed.observe([{ instrumentId: PERP, markMicrosPerLot: 150n * USD }], 5_000);
    expect(rejectionOf(await world.order(1, 'buy', 10n, 99n)).code).to.equal('insufficient-margin');
    await world.round(marked(100n));
    hashOf(await world.order(1, 'buy', 1n, 90n));
  });
});
