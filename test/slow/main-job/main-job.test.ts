import { readdirSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect } from 'chai';
import { prepareCircuit } from '#sequencer/main-job/setup.ts';
import { type FinishedJob, runMainJob } from '../../support/main-job.ts';
import {
  bankruptOf,
  endedInPlace,
  partialOf,
  shownLiquidations,
  spotSalesOf,
} from '../../support/main-job-summary.ts';

const ROOT = resolve(import.meta.dirname, '../../..');
const CIRCUITS = join(ROOT, 'build/circuits');

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
    const shown = shownLiquidations(output);
    expect(shown).to.have.length(Number(figures.liquidations));
    const partial = partialOf(shown);
    expect(partial, 'liquidated in part').to.not.deep.equal([]);
    for (const one of partial) expect(endedInPlace(one), JSON.stringify(one)).to.equal(true);
    const sales = spotSalesOf(shown);
    expect(sales, 'sales of collateral').to.have.length(1);
    expect(sales[0].closed.join()).to.match(/^[\d.]+ WETH sold at /);
    expect(bankruptOf(shown), 'bankrupt').to.have.length(1);
    expect(figures.fundPayments).to.equal(1);
    const [{ name }] = bankruptOf(shown);
    expect(output).to.match(new RegExp(`the fund pays ${name}'s debt of [\\d,.]+ USDC`));
  });

  it('makes no circuit and no key again that it has', async () => {
    const madeAt = () =>
      readdirSync(CIRCUITS, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map(({ parentPath, name }) => [name, statSync(join(parentPath, name)).mtimeMs] as const)
        .sort();
    const before = madeAt();
    expect(before.some(([name]) => name.endsWith('.zkey'))).to.equal(true);
    for (const name of ['batch-small', 'batch-medium', 'risk-small']) await prepareCircuit(ROOT, name);
    expect(madeAt()).to.deep.equal(before);
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
