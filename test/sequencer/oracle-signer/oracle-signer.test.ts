import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { expect } from 'chai';
import { Wallet } from 'ethers';
import { InputError } from '#protocol/errors.ts';
import { barsBetween, readBars } from '#sequencer/market-data/bars.ts';
import { readChains } from '#sequencer/market-data/option-chain.ts';
import { collectReports, type SignerAddress } from '#sequencer/oracle-signer/relay.ts';
import { noiseOf, reportOf, type SignerSettings, signReport } from '#sequencer/oracle-signer/signer.ts';
import { listingOf, surfaceReport } from '#sequencer/oracle-signer/surface-report.ts';

const bars = readBars();
const chains = readChains();
const market = { bars, chains };
const [bar] = barsBetween(bars, '12:53', '12:53');
const request = { roundNumber: 7n, timeSec: bar.closeSec + 2n, barCloseSec: bar.closeSec };
/** An expiry of the recorded chains, long before it. */
const BLOCK = {
  expirySec: Number(chains[0].expiries[1].expirySec),
  underlying: 0,
  lotE8: 100_000,
  strikesMicrosPerLot: [35_000_000, 40_000_000, 0],
};
const oracleAddress = `0x${'11'.repeat(20)}`;
const settingsOf = (i: number): SignerSettings => ({
  name: `signer ${i}`,
  recording: 'crash-2021',
  privateKey: `0x${(i + 1).toString(16).padStart(64, '0')}`,
  chainId: 31337,
  oracleAddress,
  noisePpmMax: 200,
  clockOffsetSec: i - 2,
  priceFactorPpm: 1_000_000,
  blocks: [BLOCK],
});

describe('oracle signer', () => {
  it('reports the close of the minute within its noise, by its own clock', () => {
    const report = reportOf(market, settingsOf(4), request);
    expect(report.timeSec).to.equal(request.timeSec + 2n);
    report.indexMicros.forEach((price, i) => {
      const off = ((price - bar.closeMicros[i]) * 1_000_000n) / bar.closeMicros[i];
      expect(off >= -200n && off <= 200n).to.equal(true);
    });
  });

  it('disagrees a little with the others, and always the same way', () => {
    const seen = [0, 1, 2, 3, 4].map((i) => reportOf(market, settingsOf(i), request).indexMicros[0]);
    expect(new Set(seen).size).to.be.greaterThan(1);
    expect(reportOf(market, settingsOf(0), request)).to.deep.equal(reportOf(market, settingsOf(0), request));
    expect(noiseOf('a', 0)).to.equal(0n);
  });

  it('reports forwards and volatilities as its venue sees them, and lies about them as about prices', () => {
    const settings = settingsOf(3);
    const { basisPpb, volPpm } = reportOf(market, settings, request);
    const honest = surfaceReport(chains, [listingOf(BLOCK)], bar.closeMicros, request.timeSec);
    expect([basisPpb.length, volPpm.length]).to.deep.equal([1, 3]);
    expect(volPpm[2]).to.equal(0n);
    basisPpb.forEach((basis, b) => {
      const off = basis - honest.basisPpb[b];
      expect(off >= -200_000n && off <= 200_000n, `block ${b} by ${off} ppb`).to.equal(true);
    });
    volPpm.forEach((vol, k) => {
      const off = (1_000_000n * (vol - honest.volPpm[k])) / (honest.volPpm[k] || 1n);
      expect(off >= -200n && off <= 200n, `strike ${k} by ${off} ppm`).to.equal(true);
    });
    const liar = { ...settings, priceFactorPpm: 500_000 };
    const halved = reportOf(market, liar, request).volPpm.map((vol, k) => 2n * vol - volPpm[k]);
    expect(halved.every((off) => off >= -1n && off <= 1n)).to.equal(true);
  });

  it('says nothing of a minute it has not seen', () => {
    expect(() => reportOf(market, settingsOf(0), { ...request, barCloseSec: 60n })).to.throw(InputError);
  });

  it('signs for one chain and one contract', async () => {
    const report = reportOf(market, settingsOf(0), request);
    const here = await signReport(report, settingsOf(0));
    const there = await signReport(report, { ...settingsOf(0), oracleAddress: `0x${'22'.repeat(20)}` });
    expect(here.signature).to.not.deep.equal(there.signature);
  });
});

describe('relay of oracle reports', function () {
  this.timeout(60_000);
  const children: ChildProcess[] = [];
  const signers: SignerAddress[] = [];

  async function start(settings: SignerSettings): Promise<SignerAddress> {
    const child = spawn(process.execPath, ['sequencer/oracle-signer/main.ts'], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    children.push(child);
    child.stdin?.write(`${JSON.stringify(settings)}\n`);
    const line = await new Promise<string>((resolve, reject) => {
      createInterface({ input: child.stdout! }).once('line', resolve);
      child.once('exit', (code) => reject(new Error(`a signer ended with ${code}`)));
    });
    return JSON.parse(line) as SignerAddress;
  }

  before(async () => {
    signers.push(...(await Promise.all([0, 1, 2].map((i) => start(settingsOf(i))))));
  });
  after(() => {
    for (const child of children) child.stdin?.end();
  });

  it('gives reports of separate processes in ascending order of address', async () => {
    const { reports, missing } = await collectReports(signers, request, 31337, oracleAddress);
    expect(missing).to.deep.equal([]);
    const addresses = reports.map(({ signer }) => BigInt(signer));
    expect(addresses).to.deep.equal([...addresses].sort((a, b) => (a < b ? -1 : 1)));
    expect(addresses.length).to.equal(3);
  });

  it('leaves out who signs with another key than the contract knows, and stops below three', async () => {
    const stranger = new Wallet(`0x${'99'.repeat(32)}`).address;
    const false3 = [signers[0], signers[1], { ...signers[2], signer: stranger }];
    const failure = await collectReports(false3, request, 31337, oracleAddress).catch(
      (error: Error) => error,
    );
    expect((failure as Error).message)
      .to.include('2 of 3')
      .and.to.include('signature of another key');
  });

  it('leaves out who does not answer, and goes on with three', async () => {
    const silent = { url: 'http://127.0.0.1:1', signer: new Wallet(`0x${'98'.repeat(32)}`).address };
    const { reports, missing } = await collectReports([...signers, silent], request, 31337, oracleAddress);
    expect(reports.length).to.equal(3);
    expect(missing.map(({ signer }) => signer)).to.deep.equal([silent.signer]);
  });

  it('ends its processes when their input closes', async () => {
    const child = spawn(process.execPath, ['sequencer/oracle-signer/main.ts'], {
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    child.stdin?.end();
    const code = await new Promise((resolve) => child.once('exit', resolve));
    expect(code).to.equal(0);
  });
});
