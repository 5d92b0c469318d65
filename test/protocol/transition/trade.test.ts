import { expect } from 'chai';
import { sizeOf } from '#protocol/account.ts';
import { accountAt } from '#protocol/state.ts';
import { openBatch } from '#protocol/transition/open-batch.ts';
import { batchHeader, funded, match, must, PERP, ROOMY, refusal, settle, USD } from '../../support/ledger.ts';

describe('a trade', () => {
  it('moves lots and cash, and opens interest', () => {
    const state = settle(funded({ 1: 1000n, 2: 1000n }), [match(1, 2, 10n, 100n)]);
    expect(sizeOf(accountAt(state, 1), PERP)).to.equal(10n);
    expect(sizeOf(accountAt(state, 2), PERP)).to.equal(-10n);
    expect(accountAt(state, 1).cashStar).to.equal(0n);
    expect(accountAt(state, 2).cashStar).to.equal(2000n * USD);
    expect(state.openInterest[1]).to.equal(10n);
  });

  it('is accepted with equity exactly at initial margin and refused one lot beyond', () => {
    // A lot at $100 needs 20 % scan and 1 % charge: $21.
    const state = funded({ 1: 210n, 2: 1000n });
    must(openBatch(state, batchHeader(), ROOMY).execute(match(1, 2, 10n, 100n)));
    const refused = refusal(
      openBatch(state, batchHeader(), ROOMY).execute(match(1, 2, 11n, 100n)),
      'insufficient-margin',
    );
    expect(refused.data.equityMicros).to.equal(210n * USD);
    expect(refused.data.initialMarginMicros).to.equal(231n * USD);
  });
});
