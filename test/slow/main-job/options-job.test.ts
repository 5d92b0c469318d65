import { expect } from 'chai';
import { type FinishedJob, runMainJob } from '../../support/main-job.ts';

describe('npm start -- --exit --market options', function () {
  this.timeout(3_600_000);
  let job: FinishedJob;

  before(async () => {
    job = await runMainJob('--market', 'options');
  });

  it('ends with code 0, every order taken and every round of the night proved', () => {
    expect(job.code, job.output).to.equal(0);
    expect(job.figures.accounts).to.equal(7);
    expect(job.figures.ordersRefused).to.equal(0);
    expect(job.figures.rounds).to.equal(22);
    expect(job.output).to.not.match(/ VOID /);
  });

  it('liquidates the short wing by the book, a part of it, and nobody else', () => {
    const lines = job.output.match(/LIQUIDATION of .*/g) ?? [];
    expect(lines).to.not.deep.equal([]);
    for (const line of lines) {
      expect(line).to.match(
        /^LIQUIDATION of Maple \(equity below maintenance margin\): [\d.]+ BTC-6FEB26-60000-P bought/,
      );
    }
    expect(job.figures.fundPayments).to.equal(0);
  });

  it('shows what netting was worth at the bottom', () => {
    expect(job.output).to.match(/portfolio margin and its legs, 00:15/);
    expect(job.output).to.match(/ {2}−2\.00 BTC-13FEB26-70000-C +[\d,.]+ +[\d,.]+/);
  });

  it('rebuilds every root from L1 and conserves every token to the unit', () => {
    expect(job.output).to.match(
      /\d+ batches rebuilt from L1 data alone: every state root is the accepted one/,
    );
    for (const token of ['USDC, micros', 'WBTC, lots', 'WETH, lots']) {
      expect(job.output).to.match(new RegExp(`^  ${token} .* 0$`, 'm'));
    }
  });
});
