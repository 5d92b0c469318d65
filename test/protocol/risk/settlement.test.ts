import { expect } from 'chai';
import { InputError } from '#protocol/errors.ts';
import { STANDARD_SHAPE } from '#protocol/limits.ts';
import { RISK_SMALL } from '#protocol/risk/registry.ts';
import { riskStatements } from '#protocol/risk/risk-words.ts';
import { buildRiskTable } from '#protocol/risk/round.ts';
import { registryOf } from '#test/support/option-registry.ts';
import { changedPlace, ROUND_TIME_SEC, type RoundChoices, roundOf } from '#test/support/risk-rounds.ts';

const [LINEAR, FUTURE, STRIKE] = [2, 6, 7];
const PRICE = { btc: 97_000_000_000n, eth: 3_300_000_000n };
const blocks = (expirySec: bigint) => [
  { underlying: 0, expirySec, strikes: [90_000_000n, 105_000_000n] },
  { underlying: 0, expirySec: ROUND_TIME_SEC + 86_400n, strikes: [90_000_000n, 105_000_000n] },
];
const settledRound = (settlementMicros: bigint, expirySec = ROUND_TIME_SEC, choices: RoundChoices = {}) =>
  roundOf(PRICE, {
    registry: registryOf([RISK_SMALL], blocks(expirySec)),
    settlementMicros: [settlementMicros],
    ...choices,
  });
const tableOf = (...args: Parameters<typeof settledRound>) =>
  buildRiskTable(settledRound(...args), STANDARD_SHAPE);

describe('settled blocks', () => {
  it('stand at the settlement value, whatever the market is now, and ask for no margin', () => {
    const rows = tableOf(93_000_000_400n).rows.filter(({ isSettled }) => isSettled);
    expect(rows.map(({ instrumentId, mark }) => [instrumentId, mark])).to.deep.equal([
      [100, 93_000_000n],
      [1_000, 3_000_000n],
      [1_001, 0n],
      [1_002, 0n],
      [1_003, 12_000_000n],
    ]);
    for (const row of rows) {
      expect(row.isReduceOnly).to.equal(true);
      expect(row.expirySec).to.equal(ROUND_TIME_SEC);
      expect(row.openInterestCap).to.equal(1_000_000n);
      expect(row.pairLosses).to.deep.equal([]);
      const { delta, chargeImLong, chargeImShort, chargeMmLong, chargeMmShort, band, penalty, linearLoss } =
        row;
      const nothing = [
        delta,
        chargeImLong,
        chargeImShort,
        chargeMmLong,
        chargeMmShort,
        band,
        penalty,
        linearLoss,
      ];
      expect([...nothing, ...row.losses].every((value) => value === 0n)).to.equal(true);
    }
  });

  it('leave every other row as it is', () => {
    const others = (settlementMicros: bigint) =>
      tableOf(settlementMicros).rows.filter(
        ({ instrumentId }) => ![100, 1_000, 1_001, 1_002, 1_003].includes(instrumentId),
      );
    expect(others(93_000_000_400n)).to.deep.equal(others(0n));
    expect(others(0n).length).to.equal(4 + 5);
  });

  it('pay a conversion exactly: call less put is the future less the strike', () => {
    for (const settlementMicros of [1_000_000n, 90_000_000_499n, 90_000_000_500n, 400_000_000_001n]) {
      const marks = new Map(
        tableOf(settlementMicros).rows.map(({ instrumentId, mark }) => [instrumentId, mark]),
      );
      const of = (id: number) => marks.get(id) as bigint;
      for (const [call, strike] of [
        [1_000, 90_000_000n],
        [1_002, 105_000_000n],
      ] as const) {
        expect(of(call) - of(call + 1)).to.equal(of(100) - strike);
        expect(of(call) >= 0n && of(call + 1) >= 0n).to.equal(true);
      }
    }
  });

  it('have no volatility to say, which others must', () => {
    const round = settledRound(93_000_000_000n, ROUND_TIME_SEC, {
      volPpm: (id) => (id < 1_020 ? 0n : 600_000n),
    });
    expect(riskStatements(round, STANDARD_SHAPE, [1n]).isSurfaceSound).to.equal(true);
    const missing = settledRound(93_000_000_000n, ROUND_TIME_SEC, { volPpm: () => 0n });
    expect(() => buildRiskTable(missing, STANDARD_SHAPE)).to.throw(InputError, /volPpm/);
    expect(() =>
      buildRiskTable(settledRound(0n, ROUND_TIME_SEC, { volPpm: () => 0n }), STANDARD_SHAPE),
    ).to.throw(InputError, /volPpm/);
  });

  it('are refused before expiry, at a price without a value, and where nothing expires', () => {
    expect(() => tableOf(93_000_000_000n, ROUND_TIME_SEC + 1n)).to.throw(
      InputError,
      /timeSec of a settled block/,
    );
    for (const settlementMicros of [1n, 499n, 1n << 44n, ((1n << 33n) - 1n) * 1_000n + 500n])
      expect(() => tableOf(settlementMicros), `${settlementMicros}`).to.throw(InputError, /settlement/);
    for (const place of [LINEAR, STRIKE]) {
      const round = changedPlace(settledRound(93_000_000_000n), place, { settlementMicros: 1n });
      expect(() => buildRiskTable(round, STANDARD_SHAPE)).to.throw(InputError, /settlementMicros/);
    }
    expect(settledRound(93_000_000_000n).places[FUTURE]?.settlementMicros).to.equal(93_000_000_000n);
  });
});
