import { expect } from 'chai';
import { InputError } from '#protocol/errors.ts';
import { STANDARD_SHAPE } from '#protocol/limits.ts';
import { defaultSegments } from '#protocol/risk/default-registry.ts';
import { mediansOf } from '#protocol/risk/oracle-state.ts';
import { blockListings, surfaceOf } from '#protocol/risk/oracle-surface.ts';
import { FAR, NEAR, OPTIONS_LISTING } from '#sequencer/main-job/options/listing.ts';
import { lastClosed, readBars } from '#sequencer/market-data/bars.ts';
import { readChains } from '#sequencer/market-data/option-chain.ts';
import { blockSurface } from '#sequencer/market-data/surface.ts';
import { reportOf, type SignerSettings } from '#sequencer/oracle-signer/signer.ts';
import { listingOf, surfaceReport, watchedBlocks } from '#sequencer/oracle-signer/surface-report.ts';

const chains = readChains();
const segments = defaultSegments(STANDARD_SHAPE);
const watched = watchedBlocks(OPTIONS_LISTING.registry, segments);
const blocks = watched.map(listingOf);
const index = [63_700_000_000n, 1_876_000_000n];
const timeSec = chains[1].timeSec;

describe('what a signer says of dated instruments', () => {
  it('watches every block of the circuit, as plain numbers that survive a line of JSON', () => {
    const common = { underlying: 0, lotE8: 100_000 };
    expect(watched).to.deep.equal([
      { ...common, expirySec: Number(NEAR.expirySec), strikesMicrosPerLot: [60_000_000, 66_000_000] },
      { ...common, expirySec: Number(FAR.expirySec), strikesMicrosPerLot: [60_000_000, 70_000_000] },
    ]);
    expect(JSON.parse(JSON.stringify(watched))).to.deep.equal(watched);
    expect(blocks).to.deep.equal(blockListings(OPTIONS_LISTING.registry, segments));
  });

  it('is the surface, block by block, and 0 where nothing is listed', () => {
    const { basisPpb, volPpm } = surfaceReport(chains, blocks, index, timeSec);
    const near = blockSurface(
      chains,
      { expirySec: NEAR.expirySec, strikesMicrosPerCoin: [60_000_000_000n, 66_000_000_000n] },
      index[0],
      timeSec,
    );
    expect([basisPpb.length, volPpm.length]).to.deep.equal([2, 4]);
    expect([basisPpb[0], ...volPpm.slice(0, 2)]).to.deep.equal([near.basisPpb, ...near.volPpm]);
    const partly = blockListings(OPTIONS_LISTING.registry.slice(0, 8), segments);
    const report = surfaceReport(chains, partly, index, timeSec);
    expect(report.basisPpb[1]).to.equal(0n);
    expect(report.volPpm).to.deep.equal([near.volPpm[0], 0n, 0n, 0n]);
    expect(surfaceReport(chains, blockListings([], segments), index, timeSec)).to.deep.equal({
      basisPpb: [0n, 0n],
      volPpm: [0n, 0n, 0n, 0n],
    });
  });

  it('has a median that the contract takes, and that one liar of five does not move beyond the honest', () => {
    const settingsOf = (i: number): SignerSettings => ({
      name: `signer ${i}`,
      recording: 'crash-2026',
      privateKey: `0x${(i + 1).toString(16).padStart(64, '0')}`,
      chainId: 31337,
      oracleAddress: `0x${'11'.repeat(20)}`,
      noisePpmMax: 150,
      clockOffsetSec: 0,
      priceFactorPpm: i === 4 ? 500_000 : 1_000_000,
      blocks: watched,
    });
    const bars = readBars('crash-2026');
    const { closeSec } = lastClosed(bars, timeSec);
    const request = { roundNumber: 1n, timeSec, barCloseSec: closeSec };
    const reports = [0, 1, 2, 3, 4].map((i) => reportOf({ bars, chains }, settingsOf(i), request));
    const medians = mediansOf(reports);
    medians.volPpm.forEach((median, place) => {
      const honest = reports.slice(0, 4).map(({ volPpm }) => volPpm[place]);
      expect(new Set(honest).size, 'venues differ').to.be.greaterThan(1);
      expect(honest.every((vol) => 2n * reports[4].volPpm[place] < vol + 1_000n)).to.equal(true);
      expect(honest).to.include(median);
    });
    expect(surfaceOf(medians, blocks, medians.indexMicros, timeSec).ok).to.equal(true);
  });

  it('is 0 of what expired a minute ago: what is listed there next is not priced by it', () => {
    const at = (sinceSec: bigint) => surfaceReport(chains, blocks, index, NEAR.expirySec + sinceSec);
    expect(at(59n).volPpm.every((vol) => vol > 0n)).to.equal(true);
    const { basisPpb, volPpm } = at(60n);
    expect([basisPpb[0], ...volPpm.slice(0, 2)]).to.deep.equal([0n, 0n, 0n]);
    expect(volPpm.slice(2).every((vol) => vol > 0n)).to.equal(true);
  });

  it('is nothing for an expiry that was not recorded', () => {
    const unknown = [{ ...blocks[0], expirySec: blocks[0].expirySec + 86_400n }];
    expect(() => surfaceReport(chains, unknown, index, timeSec)).to.throw(InputError);
  });
});
