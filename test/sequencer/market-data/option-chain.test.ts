import { expect } from 'chai';
import { InputError } from '#protocol/errors.ts';
import { parseChain, readChains, secondsOf } from '#sequencer/market-data/option-chain.ts';
import { expectNear } from '../../support/near.ts';
import { readChain, SNAPSHOTS } from '../../support/option/chain.ts';

const HEADER = 'snapshot_utc,expiry_utc,strike,option_type,mark_price,mark_iv,forward_price';
const line = (strike: string, type: string, mark: string, vol = '0.8', snapshot = '2026-02-05T21:29:37Z') =>
  [snapshot, '2026-02-06T08:00:00Z', strike, type, mark, vol, '63700'].join(',');
const chainOf = (...lines: string[]) => parseChain([HEADER, ...lines].join('\n'));

describe('recorded option chains', () => {
  const chains = readChains();

  it('are of two moments, each with the same two expiries and every listed strike', () => {
    expect(chains.map(({ timeSec }) => timeSec)).to.deep.equal([
      secondsOf('2026-02-04T15:54:01Z'),
      secondsOf('2026-02-05T21:29:37Z'),
    ]);
    for (const { expiries } of chains) {
      expect(expiries.map(({ expirySec }) => expirySec)).to.deep.equal([
        secondsOf('2026-02-06T08:00:00Z'),
        secondsOf('2026-02-13T08:00:00Z'),
      ]);
    }
    expect(chains.map(({ expiries }) => expiries.map(({ strikes }) => strikes.length))).to.deep.equal([
      [46, 37],
      [52, 41],
    ]);
  });

  it('give volatilities as published, and the forward that put–call parity of the marks implies', () => {
    const [near6, far13] = chains[1].expiries;
    const at = (dollars: bigint) =>
      near6.strikes.find(({ strikeMicrosPerCoin }) => strikeMicrosPerCoin === dollars * 1_000_000n)?.volPpm;
    expect(at(60_000n)).to.equal(1_951_600n);
    expect(at(64_000n)).to.equal(1_481_200n);
    // Worked out from the marks by hand: 64,000 / (1 − (0.01829316 − 0.02287484)); its neighbours agree to a cent.
    expectNear(Number(near6.forwardMicrosPerCoin) / 1e6, 63_708.11, 0.02);
    expectNear(Number(far13.forwardMicrosPerCoin) / 1e6, 63_739.6, 0.02);
  });

  it('agree with the whole chains that pricing is tested on', () => {
    for (const chain of chains) {
      const snapshot = SNAPSHOTS.find(({ timeSec }) => BigInt(timeSec) === chain.timeSec)!;
      const whole = readChain(snapshot).filter(({ underlying }) => underlying === 0);
      for (const { expirySec, strikes } of chain.expiries) {
        const expiry = whole.find((other) => BigInt(other.expirySec) === expirySec)!;
        expect(strikes.map(({ strikeMicrosPerCoin, volPpm }) => [strikeMicrosPerCoin, volPpm])).to.deep.equal(
          expiry.strikes.map(({ strike, call }) => [
            BigInt(strike) * 1_000_000n,
            BigInt(Math.round(call.vol * 1e6)),
          ]),
        );
      }
    }
  });

  it('are refused with a typed error when they are not one moment with both options of every strike', () => {
    const [call, put] = [line('64000', 'call', '0.02'), line('64000', 'put', '0.025')];
    expect(chainOf(call, put).expiries[0].strikes.length).to.equal(1);
    const refused: [string, () => unknown][] = [
      ['header', () => parseChain('strike\n1')],
      ['line 3', () => chainOf(call, `${put},1`)],
      ['strike', () => chainOf(call)],
      ['strike', () => chainOf(call, put, put)],
      ['mark_iv', () => chainOf(call, line('64000', 'put', '0.025', '0.9'))],
      ['mark_iv', () => chainOf(line('64000', 'call', '0.02', '0'), line('64000', 'put', '0.02', '0'))],
      ['mark_price', () => chainOf(line('64000', 'call', '2e-2'), put)],
      ['mark_price', () => chainOf(line('64000', 'call', '1.5'), put)],
      ['price', () => chainOf(line('-64000', 'call', '0.02'), line('-64000', 'put', '0.02'))],
      ['snapshot_utc', () => chainOf(call, line('64000', 'put', '0.025', '0.8', '2026-02-05T21:29:38Z'))],
      ['time', () => secondsOf('2026-02-05')],
      ['time', () => secondsOf('2026-13-05T21:29:38Z')],
    ];
    for (const [field, parse] of refused) {
      expect(parse, field).to.throw(InputError).with.property('field', field);
    }
  });
});
