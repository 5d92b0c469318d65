import { expect } from 'chai';
import { accountGreeks } from '#client/greeks.ts';
import { portfolioGreeks } from '#protocol/display/greeks.ts';
import { STANDARD_SHAPE } from '#protocol/limits.ts';
import { holdingsOf, lossVector } from '#protocol/risk/margin.ts';
import { chainMarket, holderOf, mixedPositions } from '#test/support/option/chain-portfolio.ts';

describe('Greeks of an account from public data', () => {
  const market = chainMarket();
  const { inputs, table, quotes } = market;
  const account = holderOf(mixedPositions(market));

  it('are those of the protocol, with the loss vector of the margin rule', () => {
    const { scenarioLossMicros, ...greeks } = accountGreeks(account, inputs, table);
    expect(greeks).to.deep.equal(portfolioGreeks(holdingsOf(account, table), quotes));
    expect(scenarioLossMicros).to.deep.equal(lossVector(account, table, STANDARD_SHAPE));
    expect(scenarioLossMicros).to.have.length(32);
  });

  it('refuse inputs of another round', () => {
    expect(() => accountGreeks(account, { ...inputs, roundNumber: 8n }, table)).to.throw(
      'the table is of round 7',
    );
  });
});
