import { expect } from 'chai';
import { InputError } from '#protocol/errors.ts';
import { STANDARD_SHAPE } from '#protocol/limits.ts';
import { defaultSegments } from '#protocol/risk/default-registry.ts';
import { PPM_ONE } from '#protocol/units.ts';
import { NEAR, OPTIONS_LISTING } from '#sequencer/main-job/options/listing.ts';
import { readChains } from '#sequencer/market-data/option-chain.ts';
import { blockSurface } from '#sequencer/market-data/surface.ts';
import { type Differences, surfaceReport, watchedBlocks } from '#sequencer/oracle-signer/surface-report.ts';

const chains = readChains();
const segments = defaultSegments(STANDARD_SHAPE);
const blocks = watchedBlocks(OPTIONS_LISTING.registry, segments);
const index = [63_700_000_000n, 1_876_000_000n];
const timeSec = chains[1].timeSec;

describe('what a signer says of dated instruments', () => {
  it('watches every block of the circuit, as plain numbers that survive a line of JSON', () => {
    expect(blocks).to.deep.equal([
      {
        underlying: 0,
        expirySec: Number(NEAR.expirySec),
        strikesMicrosPerCoin: [60_000_000_000, 66_000_000_000],
      },
      {
        underlying: 0,
        expirySec: Number(NEAR.expirySec) + 7 * 86_400,
        strikesMicrosPerCoin: [60_000_000_000, 70_000_000_000],
      },
    ]);
    expect(JSON.parse(JSON.stringify(blocks))).to.deep.equal(blocks);
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
    const partly = watchedBlocks(OPTIONS_LISTING.registry.slice(0, 8), segments);
    const report = surfaceReport(chains, partly, index, timeSec);
    expect(report.basisPpb[1]).to.equal(0n);
    expect(report.volPpm).to.deep.equal([near.volPpm[0], 0n, 0n, 0n]);
    expect(surfaceReport(chains, watchedBlocks([], segments), index, timeSec)).to.deep.equal({
      basisPpb: [0n, 0n],
      volPpm: [0n, 0n, 0n, 0n],
    });
  });

  it('has a median that one liar of five does not move beyond the honest', () => {
    const honest = [-90n, -20n, 40n, 110n].map(
      (ppm): Differences => ({
        basisPpm: () => PPM_ONE + ppm,
        volPpm: () => PPM_ONE + ppm,
      }),
    );
    const liar: Differences = { basisPpm: () => 500_000n, volPpm: () => 500_000n };
    const volsOf = (differences: Differences): bigint =>
      surfaceReport(chains, blocks, index, timeSec, differences).volPpm[0];
    const honestVols = honest.map(volsOf).sort((a, b) => Number(a - b));
    const all = [...honestVols, volsOf(liar)].sort((a, b) => Number(a - b));
    expect(all[0]).to.equal(volsOf(liar));
    expect(all[2]).to.equal(honestVols[1]);
    expect(new Set(honestVols).size).to.equal(4);
  });

  it('is nothing for an expiry that was not recorded', () => {
    const unknown = [{ ...blocks[0], expirySec: blocks[0].expirySec + 86_400 }];
    expect(() => surfaceReport(chains, unknown, index, timeSec)).to.throw(InputError);
  });
});
