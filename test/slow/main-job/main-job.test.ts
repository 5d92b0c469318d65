import { expect } from 'chai';
import { type FinishedJob, runMainJob } from '../../support/main-job.ts';

describe('npm start -- --exit', function () {
  this.timeout(3_600_000);
  let code: FinishedJob['code'];
  let output: string;
  let figures: FinishedJob['figures'];

  before(async () => {
    ({ code, output, figures } = await runMainJob());
  });

  it('ends with code 0', () => {
    expect(code, output).to.equal(0);
  });

  it('has at least 8 accounts, 300 signed orders and 25 proved and accepted batches', () => {
    expect(figures.accounts).to.be.at.least(8);
    expect(figures.ordersTaken).to.be.at.least(300);
    expect(figures.batches).to.be.at.least(25);
  });

  it('liquidates by the book: a part, WETH collateral, and a bankrupt account that the fund pays', () => {
    expect(figures.liquidations).to.be.at.least(3);
    expect(figures.fundPayments).to.equal(1);
    expect(output).to.match(/LIQUIDATION of \w+ \(equity below maintenance margin\): [\d.]+ ETH-PERP sold/);
    expect(output).to.match(/LIQUIDATION of \w+ \(quote debt beyond 60 % of its spot\): [\d.]+ WETH sold/);
    expect(output).to.match(/the fund pays \w+'s debt of [\d,.]+ USDC/);
  });

  it('pays a withdrawal and a refund on L1', () => {
    expect(output).to.match(/is refused \(positionCap\)/);
    expect(output).to.match(/\w+ claims 12\.00 WBTC on L1/);
    expect(output).to.match(/\w+ claims [\d,.]+ USDC on L1/);
  });

  it('rebuilds every root from L1 and conserves every token to the unit', () => {
    expect(output).to.match(/\d+ batches rebuilt from L1 data alone: every state root is the accepted one/);
    for (const token of ['USDC, micros', 'WBTC, lots', 'WETH, lots']) {
      expect(output).to.match(new RegExp(`^  ${token} .* 0$`, 'm'));
    }
  });
});
