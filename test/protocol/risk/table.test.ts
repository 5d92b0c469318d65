import { expect } from 'chai';
import { toField } from '#protocol/crypto/field.ts';
import { poseidon, poseidonChain } from '#protocol/crypto/poseidon.ts';
import type { RiskRow } from '#protocol/instrument.ts';
import { STANDARD_SHAPE, TINY_SHAPE } from '#protocol/limits.ts';
import { pairOfColumns } from '#protocol/risk/option/moves.ts';
import { normalPerFineStepQ52, normalQ52 } from '#protocol/risk/option/normal-cdf.ts';
import { CDF_STEPS, FINE_BITS, PROBABILITY_ONE } from '#protocol/risk/option/scales.ts';
import { RISK_MORE, RISK_SMALL } from '#protocol/risk/registry.ts';
import { riskStatements } from '#protocol/risk/risk-words.ts';
import { buildRiskTable } from '#protocol/risk/round.ts';
import { scenariosOf } from '#protocol/risk/scenarios.ts';
import {
  columnLosses,
  lossElements,
  lossesHash,
  pairsOf,
  ROW_VALUES,
  rowHash,
  rowHashes,
  rowValues,
  tableHash,
} from '#protocol/risk/table.ts';
import { type MicrosPerLot, microsPerLot, PPM_ONE } from '#protocol/units.ts';
import { inDays, registryOf } from '#test/support/option-registry.ts';
import { roundOf } from '#test/support/risk-rounds.ts';

const SHAPE = { ...STANDARD_SHAPE, marketSlots: 76 };
const PRICE = { btc: 97_123_456_789n, eth: 3_312_345_678n };
const SEGMENTS = [RISK_SMALL, RISK_MORE];
const listings = [
  { underlying: 0, expirySec: inDays(30n), strikes: [90_000_000n, 100_000_000n] },
  { underlying: 1, expirySec: inDays(1n), strikes: [33_000_000n] },
  undefined,
  { underlying: 1, expirySec: inDays(400n), strikes: [20_000_000n, 30_000_000n, 40_000_000n] },
];
const round = roundOf(PRICE, {
  registry: registryOf(SEGMENTS, listings),
  segments: SEGMENTS,
  basisPpb: [10_000_000n, 0n, -5_000_000n],
});
const table = buildRiskTable(round, SHAPE);
const rowById = (id: number): RiskRow => {
  const row = table.rows.find(({ instrumentId }) => instrumentId === id);
  expect(row, `row ${id}`).not.to.equal(undefined);
  return row as RiskRow;
};
const calls = table.rows.filter(({ instrumentId }) => instrumentId >= 1000 && instrumentId % 2 === 0);
const futureOf = (call: RiskRow): RiskRow => rowById(100 + Math.floor((call.instrumentId - 1000) / 20));
const strikeOf = (call: RiskRow): bigint =>
  round.places.find((place) => place?.entry.id === call.instrumentId)?.entry.strikeMicrosPerLot ?? 0n;
const nearest = (value: bigint, divisor: bigint) => (2n * value + divisor) / (2n * divisor);

describe('rows of options', () => {
  it('are worth, move and lose, a call less its put, what the dated future does, to the micro', () => {
    expect(calls).to.have.length(6);
    for (const call of calls) {
      const [put, future] = [rowById(call.instrumentId + 1), futureOf(call)];
      expect(call.mark - put.mark).to.equal(future.mark - strikeOf(call));
      expect(call.delta - put.delta).to.equal(future.delta);
      expect(call.losses.map((loss, s) => loss - put.losses[s])).to.deep.equal([...future.losses]);
    }
  });

  it('are charged the roll of their delta, call and put together that of the forward', () => {
    for (const call of calls) {
      const [put, future] = [rowById(call.instrumentId + 1), futureOf(call)];
      const expiry = Number(future.expirySec - round.timeSec) / 86_400;
      const rollIm = expiry > 45.7 ? 65_754n : 7_500n;
      const rollMm = expiry > 45.7 ? 39_453n : 4_500n;
      expect(call.chargeImLong).to.equal(nearest(call.delta * rollIm, PPM_ONE));
      expect(call.chargeMmLong).to.equal(nearest(call.delta * rollMm, PPM_ONE));
      expect(call.chargeImLong + put.chargeImLong).to.equal(nearest(future.mark * rollIm, PPM_ONE));
      expect(call.chargeMmLong + put.chargeMmLong).to.equal(nearest(future.mark * rollMm, PPM_ONE));
      expect(call.chargeImLong >= 0n && put.chargeImLong >= 0n).to.equal(true);
    }
  });

  it('add to a short the governed share of the index, and take band and penalty from it', () => {
    for (const call of calls) {
      const indexLot = nearest(
        call.underlying === 0 ? PRICE.btc * 100_000n : PRICE.eth * 1_000_000n,
        10n ** 8n,
      );
      for (const row of [call, rowById(call.instrumentId + 1)]) {
        expect(row.chargeImShort - row.chargeImLong).to.equal(nearest(indexLot * 5_000n, PPM_ONE));
        expect(row.chargeMmShort - row.chargeMmLong).to.equal(nearest(indexLot * 3_000n, PPM_ONE));
        expect(row.band).to.equal(nearest(indexLot * 5_000n, PPM_ONE));
        expect(row.penalty).to.equal(nearest(indexLot * 1_000n, PPM_ONE));
        expect(row.fundingIndex).to.equal(0n);
        expect(row.expirySec).to.equal(futureOf(call).expirySec);
      }
    }
  });

  it('carry the losses of the call, and what a put loses more by the quarter', () => {
    for (const call of calls) {
      const [put, future] = [rowById(call.instrumentId + 1), futureOf(call)];
      expect(put.pairLosses).to.deep.equal(call.pairLosses);
      expect([call.linearLoss, put.linearLoss]).to.deep.equal([0n, -future.linearLoss]);
    }
  });

  // Else a roll could be negative, and no witness would exist for the division that rounds it.
  it('have a delta between 0 and the forward: no place of the grid has a probability outside [0, 1]', () => {
    const excess = 1n << (FINE_BITS - 1n);
    for (let steps = 0n; steps <= CDF_STEPS; steps++) {
      for (const isNegative of [true, false]) {
        const [middle, slope] = [normalQ52, normalPerFineStepQ52].map((f) => f({ steps, isNegative }));
        for (const offset of [-excess, excess - 1n]) {
          const probability = middle + slope * offset;
          if (probability < 0n || probability > PROBABILITY_ONE)
            expect.fail(`${steps} ${isNegative} ${offset}`);
        }
      }
    }
  });
});

describe('encoding of a row', () => {
  it('packs the pairs that some column uses: all 24, or 7 of the tiny shape', () => {
    expect(pairsOf(STANDARD_SHAPE)).to.deep.equal(Array.from({ length: 24 }, (_, i) => i));
    expect(pairsOf(TINY_SHAPE)).to.deep.equal([0, 2, 4, 6, 8, 16, 23]);
    for (const shape of [STANDARD_SHAPE, TINY_SHAPE])
      for (const u of [0, 1]) expect(pairsOf(shape)).to.include.members(pairOfColumns(shape.scenarios, u));
  });

  it('makes the risk array of the linear and the pair losses, column by column', () => {
    const pairLosses = Array.from({ length: 24 }, (_, i) => microsPerLot(1_000n + BigInt(i)));
    const linear = microsPerLot(-7n);
    for (const u of [0, 1]) {
      const losses = columnLosses(linear, pairLosses, u, STANDARD_SHAPE);
      scenariosOf(32).forEach(({ quarters }, s) => {
        const pair = pairLosses[pairOfColumns(32, u)[s]];
        expect(losses[s]).to.equal(pair - 7n * BigInt(quarters[u]));
      });
    }
    expect(columnLosses(linear, [], 0, TINY_SHAPE)).to.deep.equal([28n, -28n, 0n, 0n, -28n, 28n, 21n, -21n]);
  });

  it('puts seven losses into an element, the first lowest, each less than 2^35 either way', () => {
    const most = (1n << 35n) - 1n;
    const losses = [-most - 1n, most, 0n, 1n, -1n, 2n, 3n, 4n].map(microsPerLot);
    const bias = 1n << 35n;
    const [first, second] = lossElements(losses);
    expect(first).to.equal(
      losses.slice(0, 7).reduce((sum, loss, i) => sum + ((loss + bias) << BigInt(36 * i)), 0n),
    );
    expect(second).to.equal(4n + bias);
    expect(lossesHash(losses)).to.equal(poseidon([first, second]));
    for (const loss of [most + 1n, -most - 2n])
      expect(() => lossElements([microsPerLot(loss)])).to.throw('expected an integer from 0 to 2^36');
    expect(lossElements(calls[0].pairLosses)).to.have.length(4);
    expect(lossesHash([])).to.equal(0n);
  });

  it('is one Poseidon block of fifteen values', () => {
    for (const row of [table.rows[0], calls[0]]) {
      const values = rowValues(row, SHAPE);
      expect(values).to.have.length(ROW_VALUES);
      expect(rowHash(row, SHAPE)).to.equal(poseidon([...values.map(toField), 0n]));
    }
  });

  it('binds every value of a row, every loss of a pair included', () => {
    const [call] = calls;
    const hashes = new Set([rowHash(call, SHAPE)]);
    const changed = (change: Partial<RiskRow>) => {
      const row = { ...call, ...change };
      const losses = columnLosses(row.linearLoss, row.pairLosses, row.underlying, SHAPE);
      hashes.add(rowHash({ ...row, losses }, SHAPE));
    };
    const numbers = [
      ...['mark', 'fundingIndex', 'delta', 'chargeImLong', 'chargeImShort', 'chargeMmLong', 'chargeMmShort'],
      ...['band', 'penalty', 'openInterestCap', 'positionCap', 'expirySec', 'linearLoss'],
    ] as (keyof RiskRow)[];
    for (const name of numbers) changed({ [name]: (call[name] as bigint) + 1n });
    changed({ instrumentId: call.instrumentId + 1 });
    changed({ underlying: 1 });
    changed({ isSpot: true });
    changed({ isReduceOnly: true });
    call.pairLosses.forEach((_, i) => {
      const next = (loss: MicrosPerLot, j: number) => (j === i ? microsPerLot(loss + 1n) : loss);
      changed({ pairLosses: call.pairLosses.map(next) });
    });
    expect(hashes.size).to.equal(1 + numbers.length + 4 + 24);
  });

  it('refuses a risk array that is not made of what the hash binds', () => {
    const [call] = calls;
    const losses = call.losses.map((loss, s) => (s === 5 ? microsPerLot(loss + 1n) : loss));
    expect(() => rowHash({ ...call, losses }, SHAPE)).to.throw('the risk array of a row');
  });
});

describe('hash of a table', () => {
  const { tableHash: whole, segments } = riskStatements(round, SHAPE, [1n, 2n]);

  it('is, over segments, that of the whole: each begins where the one before it ends', () => {
    expect(segments).to.have.length(2);
    const [first, second] = segments.map(({ words }) => words);
    expect(first[2]).to.equal(0n);
    expect(second[2]).to.equal(first[3]);
    expect(second[3]).to.equal(whole);
    expect(whole).to.equal(tableHash(table, SHAPE));
    expect(first[3]).to.equal(poseidon(rowHashes(table, SHAPE).slice(0, 16)));
    expect([first[4], second[4]], 'isLast and isSurfaceSound').to.deep.equal([2n, 3n]);
  });

  it('needs no proof of segments behind the last listed place', () => {
    const few = roundOf(PRICE, { registry: registryOf(SEGMENTS, listings.slice(0, 2)), segments: SEGMENTS });
    const statements = riskStatements(few, SHAPE, [1n]);
    expect(statements.segments).to.have.length(1);
    // The rest of the table is absorbed as empty.
    expect(statements.segments[0].words[3]).to.equal(statements.tableHash);
    expect(statements.tableHash).to.equal(poseidonChain(rowHashes(statements.table, SHAPE)));
    const none = riskStatements(roundOf(PRICE, { registry: [], segments: SEGMENTS }), SHAPE, [1n]);
    expect(none.segments).to.have.length(1);
    expect(none.tableHash).to.equal(poseidonChain(Array(76).fill(0n)));
  });

  it('does not change with the number of slots in its last link', () => {
    const few = roundOf(PRICE, { registry: registryOf([RISK_SMALL], listings.slice(0, 2)) });
    const hashes = [64, 76].map((marketSlots) => {
      const shape = { ...STANDARD_SHAPE, marketSlots };
      return tableHash(buildRiskTable(few, shape), shape);
    });
    expect(hashes[0]).to.equal(hashes[1]);
  });

  it('says whether the surfaces are sound, segment by segment', () => {
    // The far ETH block lies in the second segment: a dear middle strike breaks it alone.
    const crossed = roundOf(PRICE, {
      registry: registryOf(SEGMENTS, listings),
      segments: SEGMENTS,
      volPpm: (callId) => (callId === 1062 ? 3_000_000n : 620_000n),
    });
    const statements = riskStatements(crossed, SHAPE, [1n, 2n]);
    expect(statements.segments.map(({ isSurfaceSound }) => isSurfaceSound)).to.deep.equal([true, false]);
    expect(statements.segments.map(({ words }) => words[4])).to.deep.equal([2n, 1n]);
    expect(statements.isSurfaceSound).to.equal(false);
  });
});
