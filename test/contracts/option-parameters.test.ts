import { expect } from 'chai';
import fc from 'fast-check';
import { network } from 'hardhat';
import { STANDARD_SHAPE } from '#protocol/limits.ts';
import { DEFAULT_UNDERLYING_PARAMETERS } from '#protocol/risk/default-registry.ts';
import type { OracleSettings } from '#protocol/risk/oracle-structs.ts';
import { RISK_SMALL } from '#protocol/risk/registry.ts';
import { riskStatements } from '#protocol/risk/risk-words.ts';
import { SPOT_LOTS_MAX } from '#protocol/risk/round-limits.ts';
import { abs, lots, max } from '#protocol/units.ts';
import { registryOf } from '#test/support/option-registry.ts';
import { DAY_SEC, deployOracle, type HardhatConnection, START_PRICES } from '#test/support/risk-oracle.ts';
import { roundOf } from '#test/support/risk-rounds.ts';

const LIMIT = 16;

const name32 = (name: string) => `0x${Buffer.from(name).toString('hex').padEnd(64, '0')}`;

describe('the parameters of options at deployment', () => {
  for (const [field, value, parameter] of [
    ['volUpPpm', 1_000_001n, 'volUpPpm'],
    ['volDownPpm', 350_001n, 'volDownPpm'],
    ['volUpFloorPpm', 124_999n, 'volUpFloorPpm'],
    ['volUpFloorPpm', 2_000_001n, 'volUpFloorPpm'],
    ['rollMinPpm', 200_001n, 'rollMinPpm'],
    ['rollPerYearPpm', 200_001n, 'rollPerYearPpm'],
    ['rollPerYearPpm', 0n, 'rollPerYearPpm'],
    ['shortImPpm', 200_001n, 'shortImPpm'],
    ['shortMmPpm', 5_001n, 'shortMmPpm'],
    ['bandPpm', 50_001n, 'optionBandPpm'],
    ['penaltyPpm', 20_001n, 'optionPenaltyPpm'],
  ] as const) {
    it(`refuse to start with ${field} ${value}`, async () => {
      const underlyings = DEFAULT_UNDERLYING_PARAMETERS.map((parameters) => ({
        ...parameters,
        options: { ...parameters.options, [field]: value },
      }));
      const failure = await deployOracle({ settings: { underlyings } }).then(
        () => 'deployed',
        (error: Error) => error.message,
      );
      expect(failure).to.include('ParameterOutOfBounds').and.to.include(name32(parameter));
    });
  }
});

describe('the index prices that a registry admits', () => {
  it('are only such at which every row exists, whatever the market and the values', async () => {
    const connection: HardhatConnection = await network.connect();
    const now = BigInt(await connection.networkHelpers.time.latest());
    const shape = STANDARD_SHAPE;
    let deployed = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          lotE8: fc.bigInt(8_300n, 110_000n),
          capBits: fc.integer({ min: 1, max: 33 }),
          days: fc.bigInt(2n, 700n),
          moneyness: fc.integer({ min: 6, max: 990 }),
          vol: fc.constantFrom(1n, 500_000n, 8_000_000n),
          basis: fc.constantFrom(-500_000_000n, 0n, 500_000_000n),
          premium: fc.constantFrom(-10_000n, 10_000n),
        }),
        async ({ lotE8, capBits, days, moneyness, vol, basis, premium }) => {
          const lot = (START_PRICES[0] * lotE8) / 100_000_000n;
          const strike = (lot * BigInt(moneyness)) / 100n;
          const dates = {
            underlying: 0,
            expirySec: now + days * BigInt(DAY_SEC),
            lotE8,
            strikes: [strike, 2n * strike],
          };
          const cap = { openInterestCap: lots((1n << BigInt(capBits)) - 1n) };
          const registry = registryOf([RISK_SMALL], [dates]).map((entry) =>
            entry?.expirySec ? { ...entry, ...cap } : entry,
          );
          const settings: Partial<OracleSettings> = { registry, instrumentLimit: LIMIT };
          const made = await deployOracle({ connection, segments: [RISK_SMALL], settings }).catch(
            (error: Error) => {
              if (error.message.includes('ParameterOutOfBounds')) return undefined;
              throw error;
            },
          );
          if (made === undefined) return;
          deployed++;
          const { underlyings } = await made.parameters.roundParameters();
          for (const end of ['indexMinMicros', 'indexMaxMicros']) {
            const round = roundOf(
              { btc: underlyings[0][end], eth: START_PRICES[1] },
              {
                registry,
                segments: [RISK_SMALL],
                scanRangePpm: DEFAULT_UNDERLYING_PARAMETERS.map(
                  ({ baseScanRangePpm }) => 2n * baseScanRangePpm,
                ),
                scanFactorE9: [2_000_000_000n, 2_000_000_000n],
                premiumPpm: [premium, premium],
                basisPpb: [basis],
                volPpm: () => vol,
              },
            );
            // Throws where there is no table, and words that do not hold the values.
            const { table } = riskStatements({ ...round, timeSec: now }, shape, [1n]);
            const worst = table.rows
              .filter((row) => row.underlying === 0)
              .map((row) => {
                const losses = row.losses.map((loss) => abs(loss) as bigint);
                const lotCount = row.isSpot ? SPOT_LOTS_MAX : row.openInterestCap;
                return lotCount * losses.reduce((most, loss) => max(most, loss), 0n);
              });
            expect(worst.reduce((sum, loss) => sum + loss, 0n) < 1n << 62n, 'half of 2^63').to.equal(true);
          }
        },
      ),
      { numRuns: 40 },
    );
    expect(deployed).to.be.at.least(10);
  });
});
