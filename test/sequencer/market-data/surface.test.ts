import { expect } from 'chai';
import { InputError } from '#protocol/errors.ts';
import { type OptionChain, readChains, secondsOf } from '#sequencer/market-data/option-chain.ts';
import { blockSurface, type ListedBlock } from '#sequencer/market-data/surface.ts';
import { expectNear } from '../../support/near.ts';

const chains = readChains();
const [earlier, later] = chains;
const NEAR = later.expiries[0];
const FAR = later.expiries[1];

const blockOf = (expirySec: bigint, ...dollars: number[]): ListedBlock => ({
  expirySec,
  strikesMicrosPerCoin: dollars.map((strike) => BigInt(Math.round(strike * 1e6))),
});
const allOf = ({ expirySec, strikes }: typeof NEAR): ListedBlock => ({
  expirySec,
  strikesMicrosPerCoin: strikes.map(({ strikeMicrosPerCoin }) => strikeMicrosPerCoin),
});
/** The index at which the surface's forward of the nearest expiry is the chain's. */
function indexOf(chain: OptionChain): bigint {
  const [{ expirySec, forwardMicrosPerCoin }] = chain.expiries;
  const { basisPpb } = blockSurface(chains, blockOf(expirySec), forwardMicrosPerCoin, chain.timeSec);
  return (forwardMicrosPerCoin * 1_000_000_000n) / (1_000_000_000n + basisPpb);
}
const volOf = (block: ListedBlock, index: number, timeSec: bigint): number =>
  Number(blockSurface(chains, block, BigInt(Math.round(index * 1e6)), timeSec).volPpm[0]);

describe('the option surface over time', () => {
  it('is the recorded chain at its moment: every volatility and both forwards', () => {
    for (const chain of chains) {
      const index = indexOf(chain);
      for (const expiry of chain.expiries) {
        const { basisPpb, volPpm } = blockSurface(chains, allOf(expiry), index, chain.timeSec);
        expiry.strikes.forEach(({ volPpm: published, strikeMicrosPerCoin }, i) => {
          // The forward of the later expiry is off by what a carry rounds: far less than a strike's distance.
          expectNear(Number(volPpm[i]), Number(published), 30, `vol at ${strikeMicrosPerCoin}`);
        });
        const forward = (Number(index) * (1e9 + Number(basisPpb))) / 1e9;
        expectNear(forward / 1e6, Number(expiry.forwardMicrosPerCoin) / 1e6, 0.01, 'forward');
      }
    }
  });

  it('holds the smile in standardised moneyness as price and time move after the last chain', () => {
    const atm = volOf(blockOf(NEAR.expirySec, 63_708.11), 63_708, later.timeSec);
    const hours = (h: number) => later.timeSec + BigInt(h * 3600);
    // At the forward, whatever the forward: the same volatility.
    for (const [price, h] of [
      [60_255, 3],
      [66_000, 5],
    ]) {
      const { basisPpb } = blockSurface(chains, blockOf(NEAR.expirySec), BigInt(price * 1e6), hours(h));
      const forward = price * (1 + Number(basisPpb) / 1e9);
      expectNear(volOf(blockOf(NEAR.expirySec, forward), price, hours(h)), atm, 2_000, `at ${price}`);
    }
    // The put of 60,000, then the one as many deviations below 63,000 with five hours left.
    const deviationOf = (sec: bigint) => (atm / 1e6) * Math.sqrt(Number(sec) / 31_536_000);
    const z = Math.log(60_000 / 63_708.11) / deviationOf(NEAR.expirySec - later.timeSec);
    const strike = 63_000 * Math.exp(z * deviationOf(18_000n));
    expectNear(volOf(blockOf(NEAR.expirySec, strike), 63_000, NEAR.expirySec - 18_000n), 1_951_600, 500);
  });

  it('goes from the first smile to the second in time, and stays outside', () => {
    const middle = (earlier.timeSec + later.timeSec) / 2n;
    const atForward = (timeSec: bigint) => {
      const { basisPpb } = blockSurface(chains, blockOf(FAR.expirySec), 66_000_000_000n, timeSec);
      return volOf(blockOf(FAR.expirySec, 66_000 * (1 + Number(basisPpb) / 1e9)), 66_000, timeSec);
    };
    const [first, half, last] = [earlier.timeSec, middle, later.timeSec].map(atForward);
    expect(first < half && half < last).to.equal(true);
    expectNear(half, (first + last) / 2, 5, 'half way');
    expect(atForward(earlier.timeSec - 86_400n)).to.equal(first);
    expect(atForward(later.timeSec + 3_600n)).to.equal(last);
  });

  it('is flat beyond the outermost strikes and finite after expiry', () => {
    const index = indexOf(later);
    const far = blockSurface(chains, blockOf(NEAR.expirySec, 1, 1_000_000), index, later.timeSec).volPpm;
    expect(far[0]).to.equal(NEAR.strikes[0].volPpm);
    expect(far[1]).to.equal(NEAR.strikes[NEAR.strikes.length - 1].volPpm);
    const { basisPpb, volPpm } = blockSurface(chains, allOf(NEAR), index, NEAR.expirySec + 900n);
    expect(basisPpb > 0n && basisPpb < 10_000n).to.equal(true);
    for (const vol of volPpm) expect(vol > 0n && vol < 8_000_000n).to.equal(true);
  });

  it('knows no expiry that was not recorded, and needs two for a carry', () => {
    const block = blockOf(secondsOf('2026-02-07T08:00:00Z'), 60_000);
    expect(() => blockSurface(chains, block, 63_000_000_000n, later.timeSec)).to.throw(InputError);
    expect(() => blockSurface([], allOf(NEAR), 63_000_000_000n, later.timeSec)).to.throw(InputError);
    const single = [{ ...later, expiries: [NEAR] }];
    expect(() => blockSurface(single, allOf(NEAR), 63_000_000_000n, later.timeSec)).to.throw(InputError);
  });
});
