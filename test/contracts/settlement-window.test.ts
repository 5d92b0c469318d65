import { expect } from 'chai';
import type { Contract } from 'ethers';
import fc from 'fast-check';
import { network } from 'hardhat';
import { afterRound, type PriceStep, type SettlementWindow } from '#protocol/risk/settlement-window.ts';
import { readBars } from '#sequencer/market-data/bars.ts';
import { deployTestMock } from '#test/support/rollup.ts';
import { type Look, type Settlement, settlementOf, stepsOf } from '#test/support/settlement-rounds.ts';

const EXPIRY = 1_700_000_000n;
const START = EXPIRY - 1_800n;
const PRICE = 97_000_000_000n;
const EMPTY: SettlementWindow = {
  expirySec: 0n,
  startSec: 0n,
  lastRoundSec: 0n,
  rounds: 0,
  settlementMicros: 0n,
  startIndexSeconds: 0n,
};

/** Rounds at these times, one a second before them and the window; each price a little above the last. */
const at = (...times: readonly bigint[]): Look[] =>
  [(times[0] < START ? times[0] : START) - 1n, ...times].map((timeSec, i) => ({
    timeSec,
    micros: PRICE + BigInt(i) * 1_000_003n,
    isJump: false,
  }));
const everyFrom = (first: bigint, gap: bigint, count: number): bigint[] =>
  Array.from({ length: count }, (_, i) => first + gap * BigInt(i));

describe('settlement window', () => {
  let reader: Contract;
  before(async () => {
    reader = await deployTestMock(await network.connect(), 'SettlementWindowReader');
  });

  const twinWindows = (steps: readonly PriceStep[], before?: SettlementWindow) => {
    let window = before;
    return steps.map((step) => {
      const next = afterRound(window, EXPIRY, step);
      window = next ?? window;
      return next;
    });
  };
  const plain = (window: SettlementWindow) => ({ ...window, rounds: BigInt(window.rounds) });
  /** The contract's windows, which must be its twin's after every round. */
  const windowsOf = async (looks: readonly Look[], before: SettlementWindow = EMPTY) => {
    const steps = stepsOf(looks);
    const expected = twinWindows(steps, before);
    const told = await reader.windowsOf(EXPIRY, before, steps);
    steps.forEach((_, i) => {
      const { expirySec, startSec, lastRoundSec, rounds, settlementMicros, startIndexSeconds } = told[i];
      expect(
        { expirySec, startSec, lastRoundSec, rounds, settlementMicros, startIndexSeconds },
        `round ${i}`,
      ).to.deep.equal(plain(expected[i] ?? EMPTY));
    });
    return expected;
  };
  /** When and at what it was settled, or undefined: as the rule says it, too. */
  const settled = async (
    looks: readonly Look[],
    before?: SettlementWindow,
  ): Promise<Settlement | undefined> => {
    const windows = await windowsOf(looks, before);
    const place = windows.findIndex((window) => window !== undefined && window.settlementMicros !== 0n);
    const rule = settlementOf(looks, EXPIRY);
    if (place === -1) {
      expect(rule).to.equal(undefined);
      return undefined;
    }
    const { startSec, settlementMicros } = windows[place] as SettlementWindow;
    expect(rule).to.deep.include({ startSec, micros: settlementMicros, atSec: looks[place + 1].timeSec });
    for (const window of windows.slice(place)) expect(window).to.deep.equal(windows[place]);
    return rule;
  };

  it('is the half hour before expiry, to the second, when rounds lie beside its edges', async () => {
    const looks = at(...everyFrom(START - 20n, 60n, 31), EXPIRY + 40n);
    expect(await settled(looks)).to.deep.include({
      startSec: START,
      endSec: EXPIRY,
      atSec: EXPIRY + 40n,
    });
  });

  it('ends with a round at expiry itself, which counts', async () => {
    const looks = at(...everyFrom(START, 200n, 10));
    expect(looks.at(-1)?.timeSec).to.equal(EXPIRY);
    expect(await settled(looks)).to.deep.include({ startSec: START, endSec: EXPIRY, atSec: EXPIRY });
  });

  it('needs ten rounds: with nine it goes on until the tenth', async () => {
    const nine = everyFrom(START + 100n, 200n, 9);
    expect(nine.at(-1)).to.equal(EXPIRY - 100n);
    expect(await settled(at(...nine))).to.equal(undefined);
    expect(await settled(at(...nine, EXPIRY - 50n))).to.equal(undefined); // no round after its end yet
    const ten = await settled(at(...nine, EXPIRY - 50n, EXPIRY + 1n));
    expect(ten).to.deep.include({ startSec: START, endSec: EXPIRY, atSec: EXPIRY + 1n });
    const late = await settled(at(...nine, EXPIRY + 199n));
    expect(late).to.deep.include({ startSec: START, endSec: EXPIRY + 199n, atSec: EXPIRY + 199n });
  });

  it('bears a gap of 300 seconds and begins anew after one of 301', async () => {
    for (const [first, gap, isWhole] of [
      [299n, 300n, true],
      [300n, 60n, false],
      [60n, 301n, false],
    ] as const) {
      const looks = at(
        START + first,
        START + first + gap,
        ...everyFrom(START + first + gap + 100n, 100n, 40),
      );
      const result = await settled(looks);
      expect(result?.startSec, `${first}, ${gap}`).to.equal(
        isWhole ? START : START + first + (first > 299n ? 0n : gap),
      );
    }
  });

  it('takes no old price into it: a gap that reaches over its start begins it anew', async () => {
    const times = everyFrom(START + 100n, 60n, 40);
    const since = (sec: bigint): Look[] => [
      { timeSec: START - sec, micros: 2n * PRICE, isJump: false },
      ...at(...times).slice(1),
    ];
    expect((await settled(since(200n)))?.startSec).to.equal(START);
    expect((await settled(since(201n)))?.startSec).to.equal(START + 100n);
    expect((await settled(since(86_400n)))?.startSec).to.equal(START + 100n);
  });

  it('bears 300 seconds before its end, and not 301, whenever the next round comes', async () => {
    const until = (last: bigint) => everyFrom(last - 1_350n, 150n, 10);
    for (const next of [EXPIRY, EXPIRY + 1n, EXPIRY + 50_000n]) {
      const whole = await settled(at(...until(EXPIRY - 300n), next));
      expect(whole).to.deep.include({ startSec: START, endSec: EXPIRY, atSec: next });
      const late = await settled(at(...until(EXPIRY - 301n), next, ...everyFrom(next + 60n, 60n, 30)));
      expect(late).to.deep.include({ startSec: next, endSec: next + 1_800n, atSec: next + 1_800n });
    }
  });

  it('begins anew after every gap, until half an hour has none', async () => {
    const first = everyFrom(START - 200n, 60n, 20);
    const second = everyFrom((first.at(-1) as bigint) + 400n, 60n, 25);
    const third = everyFrom((second.at(-1) as bigint) + 301n, 60n, 40);
    const result = await settled(at(...first, ...second, ...third));
    expect(result).to.deep.include({ startSec: third[0], endSec: third[0] + 1_800n });
  });

  it('counts no jump, takes no price of it, and may end with one', async () => {
    const jump = (timeSec: bigint): Look => ({ timeSec, micros: 2n * PRICE, isJump: true });
    const times = everyFrom(START, 150n, 12);
    const looks = at(...times);
    const with2 = [
      ...looks.slice(0, 6),
      jump(START + 601n),
      ...looks.slice(6),
      jump(EXPIRY - 20n),
      jump(EXPIRY + 30n),
    ];
    const result = await settled(with2);
    expect(result).to.deep.include({ startSec: START, endSec: EXPIRY, atSec: EXPIRY + 30n });
    expect(result?.micros).to.equal((await settled([...looks, jump(EXPIRY + 5n)]))?.micros);
    // A jump in a gap does not end it.
    const gap = [
      ...looks.slice(0, 6),
      jump(START + 750n),
      ...looks.slice(8),
      ...at(...everyFrom(EXPIRY + 50n, 60n, 40)).slice(1),
    ];
    const after = looks[8].timeSec;
    expect(after - looks[5].timeSec).to.be.greaterThan(300n);
    expect((await settled(gap))?.startSec).to.equal(after);
  });

  it('has nothing of the expiry that was listed there before', async () => {
    const looks = at(...everyFrom(START - 20n, 60n, 31), EXPIRY + 40n);
    const old = { ...EMPTY, expirySec: EXPIRY - 86_400n, startSec: 5n, rounds: 30, settlementMicros: 77n };
    expect(await settled(looks, old)).to.deep.equal(await settled(looks));
  });

  it('follows the rule and its twin over real minutes with rounds at any times, gaps and jumps', async function () {
    this.timeout(120_000);
    const bars = readBars();
    const seen = { settled: 0, late: 0, extended: 0, open: 0 };
    const gapSec = fc.oneof(
      { weight: 30, arbitrary: fc.bigInt(30n, 220n) },
      { weight: 2, arbitrary: fc.constantFrom(299n, 300n, 301n) },
      { weight: 1, arbitrary: fc.bigInt(302n, 1_500n) },
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ gapSec, isJump: fc.integer({ min: 0, max: 30 }).map((n) => n === 0) }), {
          minLength: 10,
          maxLength: 60,
        }),
        fc.nat(bars.length - 1),
        fc.nat(1),
        fc.bigInt(1n, 2_500n),
        fc.bigInt(0n, 3n),
        async (rounds, firstBar, underlying, lead, pace) => {
          let timeSec = START - lead;
          const looks: Look[] = [{ timeSec, micros: bars[firstBar].closeMicros[underlying], isJump: false }];
          for (const { gapSec: gap, isJump } of rounds) {
            // Slowest: ten rounds do not fit half an hour.
            timeSec += gap > 220n ? gap : pace === 0n ? 200n + (gap % 90n) : gap / pace;
            const minute = Number((timeSec - looks[0].timeSec) / 60n);
            const bar = bars[(firstBar + minute) % bars.length];
            looks.push({ timeSec, micros: bar.closeMicros[underlying], isJump });
          }
          const result = await settled(looks);
          if (result === undefined) seen.open++;
          else if (result.startSec > START) seen.late++;
          else if (result.endSec > EXPIRY) seen.extended++;
          else seen.settled++;
        },
      ),
      { numRuns: 250, seed: 20_261_121 },
    );
    for (const [what, count] of Object.entries(seen)) expect(count, what).to.be.greaterThan(3);
  });
});
