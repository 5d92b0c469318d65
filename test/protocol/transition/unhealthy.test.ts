/** What the owner of an unhealthy account may still do, and every way found to carry value out of it. */
import { expect } from 'chai';
import { sizeOf } from '#protocol/account.ts';
import { TINY_SHAPE } from '#protocol/limits.ts';
import { marginOf } from '#protocol/risk/margin.ts';
import { accountAt, type LedgerState } from '#protocol/state.ts';
import {
  atMicros,
  funded,
  l1,
  marked,
  match,
  must,
  OTHER,
  open,
  order,
  PERP,
  refusal,
  run,
  SPOT,
  settle,
  trade,
  USD,
} from '../../support/ledger.ts';

// Account 1 is long 10 lots from $100 with $250: at $90 equity 150, MM 149.4, IM 189; at $80 equity 50;
// at $70 equity −50. Account 2 is its own second account, 3 a stranger.
const start: LedgerState = settle(funded({ 1: 250n, 2: 10_000n, 3: 10_000n }), [match(1, 2, 10n, 100n)]);
const at = (dollars: bigint) => open(start, { table: marked(dollars) });
const health = (dollars: bigint) => marginOf(accountAt(start, 1), marked(dollars), TINY_SHAPE).health;

describe('an account between MM and IM', () => {
  it('may shrink at the mark and may not grow', () => {
    expect(health(90n)).to.equal('reduce-only');
    must(at(90n).execute(match(3, 1, 1n, 90n)));
    refusal(at(90n).execute(match(1, 3, 1n, 90n)), 'insufficient-margin');
  });

  it('may not come nearer to liquidation by giving money away in a fill', () => {
    // One lot frees $14.94 of MM: that much it may lose on it, and not a micro more.
    const sale = match(3, 1, 1n, 90n);
    must(at(90n).execute(atMicros(sale as never, 90n * USD - 14_940_000n)));
    refusal(at(90n).execute(atMicros(sale as never, 90n * USD - 14_940_001n)), 'insufficient-margin');
  });

  it('may hedge: MM falls though a new position opens', () => {
    must(at(90n).execute(match(3, 1, 10n, 100n, OTHER)));
  });

  it('may not flip through zero into new risk', () => {
    refusal(at(90n).execute(match(3, 1, 25n, 90n)), 'insufficient-margin');
    // The other side of zero with less margin than before is a reduction like any other.
    must(at(90n).execute(match(3, 1, 15n, 90n)));
  });
});

describe('an account below MM', () => {
  it('sells to anyone within the band, at its edge too', () => {
    expect(health(80n)).to.equal('liquidatable');
    const sale = match(2, 1, 4n, 80n);
    must(at(80n).execute(atMicros(sale as never, 79_200_000n)));
    const refused = refusal(at(80n).execute(atMicros(sale as never, 79_199_999n)), 'loss-bound');
    expect(refused.data).to.include({ lossMicros: 3_200_004n, lossMicrosMax: 3_200_000n });
  });

  it('may not sell its position to its own second account for nothing', () => {
    refusal(at(80n).execute(match(2, 1, 10n, 1n)), 'loss-bound');
    refusal(at(80n).execute(match(2, 1, 5n, 1n)), 'loss-bound');
  });

  it('sold out completely may lose its own equity to the last micro, and leave no debt', () => {
    // Equity 50: at $75 all of it is gone and no position is left, which covers an IM of 0.
    must(at(80n).execute(match(2, 1, 10n, 75n)));
    refusal(at(80n).execute(atMicros(match(2, 1, 10n, 75n) as never, 74_999_999n)), 'loss-bound');
    // Barely unhealthy at $89 (equity 140, MM 147.74): the same, and in part only within the band.
    expect(health(89n)).to.equal('liquidatable');
    refusal(at(89n).execute(atMicros(match(2, 1, 10n, 75n) as never, 74_999_999n)), 'loss-bound');
    must(at(89n).execute(atMicros(match(2, 1, 1n, 89n) as never, 88_110_000n)));
    refusal(at(89n).execute(atMicros(match(2, 1, 1n, 89n) as never, 88_109_999n)), 'loss-bound');
  });

  it('pays signed fees on top of the band, and fees alone never break the bound', () => {
    const buy = order(2, { side: 'buy', sizeLots: 4n });
    const sell = order(1, { side: 'sell', sizeLots: 4n });
    const sale = trade(buy, sell, 4n, 80n, { taker: 3n * USD });
    must(at(80n).execute(atMicros(sale as never, 79_200_000n)));
    refusal(at(80n).execute(atMicros(sale as never, 79_199_999n)), 'loss-bound');
  });

  it('may not churn value away: what is closed and opened again closes nothing', () => {
    const once = run(at(80n), atMicros(match(2, 1, 5n, 80n) as never, 79_200_000n));
    refusal(once.execute(match(1, 2, 5n, 80n)), 'loss-bound');
    refusal(once.execute(atMicros(match(1, 2, 5n, 80n) as never, 79_200_001n)), 'loss-bound');
    must(once.execute(atMicros(match(1, 2, 5n, 80n) as never, 79_200_000n))); // nothing happened, nothing lost
  });

  it('may not churn over many batches either: each batch loses at most the band on what stays closed', () => {
    let state = start;
    for (let i = 0; i < 5; i++) {
      state = settle(state, [atMicros(match(2, 1, 2n, 80n) as never, 79_200_000n)], { table: marked(80n) });
    }
    const equity = marginOf(accountAt(state, 1), marked(80n), TINY_SHAPE).equity;
    expect(sizeOf(accountAt(state, 1), PERP)).to.equal(0n);
    expect(equity).to.equal(42n * USD); // 50 less 1 % of $800 once
  });

  it('may only shrink: no hedge, no flip, no other market', () => {
    refusal(at(80n).execute(match(3, 1, 10n, 100n, OTHER)), 'must-shrink');
    refusal(at(80n).execute(match(3, 1, 15n, 80n)), 'must-shrink');
    refusal(at(80n).execute(match(1, 3, 1n, 80n)), 'insufficient-margin');
  });

  it('may do more once a fill at a good price has made it healthy', () => {
    // Selling 2 lots at $300 brings equity to 490 with IM 134.4.
    must(at(80n).execute(match(3, 1, 2n, 300n)));
  });
});

describe('a bankrupt account', () => {
  it('may close at the mark, and its fills may not add a micro to the debt', () => {
    expect(health(70n)).to.equal('bankrupt');
    must(at(70n).execute(match(2, 1, 10n, 70n)));
    refusal(at(70n).execute(atMicros(match(2, 1, 10n, 70n) as never, 69_999_999n)), 'quote-debt');
    refusal(at(70n).execute(match(2, 1, 10n, 1n)), 'loss-bound');
    refusal(at(70n).execute(atMicros(match(2, 1, 5n, 70n) as never, 69_299_999n)), 'loss-bound');
  });

  it('may not buy spot on credit', () => {
    const state = settle(start, [{ kind: 'l1', operation: l1('deposit', 3, SPOT, 50n) }]);
    refusal(open(state, { table: marked(70n) }).execute(match(1, 3, 1n, 100n, SPOT)), 'insufficient-margin');
  });
});

describe('a deposit', () => {
  it('of $1 into an account below IM, below MM or bankrupt always passes', () => {
    for (const dollars of [90n, 80n, 70n]) {
      const batch = run(at(dollars), { kind: 'l1', operation: l1('deposit', 1, 0, USD) });
      expect(batch.content.l1Operations[0].outcome).to.deep.equal({
        isApplied: true,
        reason: 'none',
        served: USD,
      });
      expect(batch.accountAt(1).cashStar - accountAt(start, 1).cashStar).to.equal(USD);
      batch.seal();
    }
  });

  it('of spot into an unhealthy account that also trades waits for the next batch', () => {
    const batch = run(at(80n), match(3, 1, 1n, 80n));
    refusal(batch.execute({ kind: 'l1', operation: l1('deposit', 1, SPOT, 1n) }), 'needs-new-batch');
    must(
      open(batch.seal().state, { table: marked(80n) }).execute({
        kind: 'l1',
        operation: l1('deposit', 1, SPOT, 1n),
      }),
    );
  });
});
