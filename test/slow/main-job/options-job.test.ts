import { expect } from 'chai';
import { type FinishedJob, runMainJob } from '../../support/main-job.ts';
import { expectNear } from '../../support/near.ts';

describe('npm start -- --exit --market options', function () {
  this.timeout(3_600_000);
  let job: FinishedJob;

  before(async () => {
    job = await runMainJob('--market', 'options');
  });

  it('ends with code 0, every order taken and every round of the night proved', () => {
    expect(job.code, job.output).to.equal(0);
    expect(job.figures.accounts).to.equal(8);
    expect(job.figures.ordersRefused).to.equal(0);
    // One of them for the expiry, of the dozen that were posted.
    expect(job.figures.rounds).to.equal(23);
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

  it('settles the near expiry: every position becomes cash, nobody is left in it, its block is emptied', () => {
    expect(job.output).to.match(/^08:00 {2}EXPIRY of BTC-6FEB26: 12 rounds posted, one proved; /m);
    const [, price] = job.output.match(/^ {2}BTC-6FEB26 settled at ([\d,.]+); /m) ?? [];
    // Two closes for a quarter hour each; venues differ by 150 ppm.
    expectNear(Number(price.replace(',', '')), 65_104.045, 65_104.045 * 150e-6, 'settlement price');
    expect(job.output).to.match(/ positions left in it: 0; its block on L1 is empty$/m);
    expect(job.output).to.match(/^ *nobody holds anything of BTC-6FEB26: its block is empty on L1$/m);
    expect(job.figures.clearedBlocks).to.equal(1);
    const rows = job.output.match(/^ {2}\w+, [+−][\d.]+ BTC-6FEB26\S* .*$/gm) ?? [];
    expect(rows.length).to.be.at.least(8);
    expect(rows.length).to.equal(job.figures.settledPositions);
    expect(job.output.match(/ is settled: (long|short) /g)?.length).to.equal(rows.length);
    expect(rows.find((row) => row.includes('Tansy, +1.00 BTC-6FEB26-60000-C'))).to.match(/ 5,1\d\d\.\d\d$/);
    expect(job.output).to.match(/^ {2}together +0\.00$/m);
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
