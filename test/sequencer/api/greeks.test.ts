import { expect } from 'chai';
import { ApiRefusal, httpClient } from '#client/http.ts';
import { SequencerClient } from '#client/sequencer.ts';
import { instrumentGreeks, portfolioGreeks } from '#protocol/display/greeks.ts';
import { InputError } from '#protocol/errors.ts';
import { STANDARD_SHAPE } from '#protocol/limits.ts';
import { holdingsOf, marginOf } from '#protocol/risk/margin.ts';
import { buildRiskTable } from '#protocol/risk/round.ts';
import { rowOf } from '#protocol/risk/table.ts';
import { ApiWorld } from '../../support/api.ts';
import { hashOf } from '../../support/engine.ts';
import { l1, USD } from '../../support/ledger.ts';
import { CASH_MICROS, chainMarket, holderOf, mixedPositions } from '../../support/option/chain-portfolio.ts';
import { changedPlace } from '../../support/risk-rounds.ts';

const refusalOf = async (answer: Promise<unknown>): Promise<ApiRefusal> => {
  const error = await answer.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).to.be.instanceOf(ApiRefusal);
  return error as ApiRefusal;
};

describe('implied volatility, Greeks and scenarios over HTTP', () => {
  const market = chainMarket();
  const { inputs, table, quotes, listing, expiries } = market;
  const positions = mixedPositions(market);
  const [{ calls, futureId }] = expiries;
  let api: ApiWorld;
  let client: SequencerClient;

  before(async () => {
    api = await ApiWorld.open({ shape: STANDARD_SHAPE, instruments: listing.instruments });
    client = new SequencerClient(httpClient(api.url));
  });
  after(() => {
    expect(api.reported, 'failures of its own').to.deep.equal([]);
    return api.close();
  });

  describe('before any round', () => {
    it('lists instruments without a risk', async () => {
      const listed = await client.instruments();
      expect(listed).to.have.length(listing.instruments.length);
      expect(listed.every(({ risk }) => risk === undefined)).to.equal(true);
    });

    it('has no answer to what-if, and no margin of an account', async () => {
      expect(await refusalOf(client.whatIf(0n, []))).to.include({ status: 404, code: 'not-found' });
      expect(await client.accountRisk(1)).to.equal(undefined);
    });
  });

  describe('at a round', () => {
    before(async () => {
      const traders = [1, 2].flatMap((index) => [
        l1('register', index),
        l1('deposit', index, 0, 100_000n * USD),
      ]);
      await api.world.l1Block(traders, [table], { timeSec: inputs.timeSec, quotes });
      await api.world.settle();
    });

    it('shows every instrument with mark, volatility and Greeks of one lot', async () => {
      const listed = await client.instruments();
      expect(listed.map(({ risk, ...instrument }) => instrument)).to.deep.equal(listing.instruments);
      for (const { id, risk } of listed) {
        const row = rowOf(table, id)!;
        const expected = { markMicrosPerLot: row.mark, isSettled: false, ...instrumentGreeks(row, quotes) };
        expect(risk).to.deep.equal(expected);
      }
      const options = listed.filter(({ risk }) => risk?.impliedVolPpm !== undefined);
      expect(options.map(({ id }) => id)).to.have.members(quotes.map(({ instrumentId }) => instrumentId));
    });

    it('computes the whole set for spot, perpetual, future and options: what the protocol computes', async () => {
      const account = holderOf(positions);
      const margin = marginOf(account, table, STANDARD_SHAPE);
      expect(await client.whatIf(CASH_MICROS, positions)).to.deep.equal({
        roundNumber: table.roundNumber,
        cashMicros: margin.cash,
        equityMicros: margin.equity,
        quoteBalanceMicros: margin.quoteBalance,
        haircutSpotMicros: margin.haircutSpot,
        initialMarginMicros: margin.initialMarginMicrosUp,
        maintenanceMarginMicros: margin.maintenanceMarginMicrosUp,
        health: margin.health,
        scenarioLossMicros: margin.losses,
        ...portfolioGreeks(holdingsOf(account, table), quotes),
      });
    });

    it('says amounts as whole decimal strings and what has no volatility as null', async () => {
      const body = {
        cashMicros: '0',
        positions: positions.map((p) => ({ ...p, sizeLots: `${p.sizeLots}` })),
      };
      const answer = await api.post('/v1/margin/what-if', JSON.stringify(body));
      const [spot, , , option] = answer.body.greeks.positions;
      expect(spot.impliedVolPpm).to.equal(null);
      expect(option.impliedVolPpm).to.match(/^[1-9][0-9]*$/);
      for (const entry of [spot, option, ...answer.body.greeks.byUnderlying])
        for (const [name, value] of Object.entries(entry))
          if (/Micros/.test(name)) expect(value, name).to.match(/^(0|-?[1-9][0-9]*)$/);
      expect(
        answer.body.greeks.byUnderlying.map((sum: { underlying: number }) => sum.underlying),
      ).to.deep.equal([0, 1]);
    });

    it('computes an empty portfolio: no risk, no Greeks, 32 scenarios of 0', async () => {
      const { scenarioLossMicros, positions: none, byUnderlying, ...rest } = await client.whatIf(7n, []);
      expect(rest).to.include({ equityMicros: 7n, initialMarginMicros: 0n, health: 'open' });
      expect(scenarioLossMicros).to.deep.equal(Array(32).fill(0n));
      expect(none).to.deep.equal([]);
      expect(byUnderlying).to.deep.equal(
        [0, 1].map((underlying) => ({
          underlying,
          deltaMicros: 0n,
          gammaMicrosPerPercent: 0n,
          vegaMicrosPerVolPoint: 0n,
          thetaMicrosPerDay: 0n,
        })),
      );
    });

    it('shows of an account what what-if says of its positions', async () => {
      const { id } = calls[1];
      const mark = rowOf(table, id)!.mark;
      const limitMicrosPerLot = (mark / 10_000n) * 10_000n;
      const order = { instrumentId: id, limitMicrosPerLot, expirySec: inputs.timeSec + 3_600n };
      hashOf(await api.world.order(1, 'sell', 20n, 0n, order));
      hashOf(await api.world.order(2, 'buy', 20n, 0n, order));
      for (const [accountIndex, sizeLots] of [
        [1, -20n],
        [2, 20n],
      ] as const) {
        const risk = await client.accountRisk(accountIndex);
        expect(risk?.positions[0].gammaMicrosPerPercent).to.not.equal(0n);
        expect(risk).to.deep.equal(
          await client.whatIf(risk?.cashMicros ?? 0n, [{ instrumentId: id, sizeLots }]),
        );
      }
    });

    it('refuses an instrument that the round does not list, naming it', async () => {
      const refusal = await refusalOf(client.whatIf(0n, [{ instrumentId: 999, sizeLots: 1n }]));
      expect(refusal).to.include({ status: 422, code: 'unknown-instrument' });
      expect(refusal.data).to.deep.equal({ field: 'instrumentId', instrumentId: 999 });
    });

    it('refuses what is not a portfolio, naming the field', async () => {
      const twice = await refusalOf(client.whatIf(0n, [positions[1], positions[1]]));
      expect(twice).to.include({ status: 400, code: 'invalid-request' });
      const borrowed = await refusalOf(client.whatIf(0n, [{ instrumentId: 1, sizeLots: -1n }]));
      expect(borrowed).to.include({ status: 400, code: 'invalid-request' });
      const bad: [string, unknown, string][] = [
        ['a cash that is a number', { cashMicros: 0, positions: [] }, 'cashMicros'],
        [
          'a fractional size',
          { cashMicros: '0', positions: [{ instrumentId: 4, sizeLots: '1.5' }] },
          'sizeLots',
        ],
        [
          'a size too wide',
          { cashMicros: '0', positions: [{ instrumentId: 4, sizeLots: `${2n ** 47n}` }] },
          'sizeLots',
        ],
        ['an unknown key', { cashMicros: '0', positions: [], vol: '1' }, 'vol'],
        ['no positions', { cashMicros: '0' }, 'positions'],
      ];
      for (const [what, body, field] of bad) {
        const answer = await api.post('/v1/margin/what-if', JSON.stringify(body));
        expect(answer.status, what).to.equal(400);
        expect(answer.body.code, what).to.equal('invalid-request');
        expect(answer.body.data.field, what).to.contain(field);
      }
    });

    it('is not believed by the client when a Greek is missing or no integer', async () => {
      const { get, post } = httpClient(api.url);
      for (const gamma of [undefined, '1.5', null, 'NaN']) {
        const lying = new SequencerClient({
          get,
          post: async (path, body) => {
            const answer = (await post(path, body)) as { greeks: { byUnderlying: object[] } };
            Object.assign(answer.greeks.byUnderlying[0], { gammaMicrosPerPercent: gamma });
            return answer;
          },
        });
        const error = await lying.whatIf(0n, []).catch((thrown: unknown) => thrown);
        expect(error).to.be.instanceOf(InputError);
      }
    });
  });

  describe('at the round that settles the first expiry', () => {
    before(async () => {
      const place = inputs.places.findIndex((listed) => listed?.entry.id === futureId);
      const { expirySec } = inputs.places[place]!.entry;
      const settled = changedPlace(
        { ...inputs, roundNumber: inputs.roundNumber + 1n, timeSec: expirySec },
        place,
        { settlementMicros: inputs.underlyings[0].indexMicros },
      );
      await api.world.l1Block([], [buildRiskTable(settled, STANDARD_SHAPE)], {
        timeSec: expirySec,
        quotes: quotes.filter(({ instrumentId }) => !calls.some(({ id }) => (instrumentId & ~1) === id)),
      });
    });

    it('shows a settled option at its settlement value, with neither volatility nor Greeks', async () => {
      const listed = await client.instruments();
      const settled = listed.filter(({ risk }) => risk?.isSettled);
      expect(settled.map(({ id }) => id)).to.have.members([
        futureId,
        ...calls.flatMap(({ id }) => [id, id + 1]),
      ]);
      for (const { risk } of settled) {
        expect(risk).to.include({ impliedVolPpm: undefined, deltaMicrosPerLot: 0n });
        expect(risk).to.include({ vegaMicrosPerLotPerVolPoint: 0n, thetaMicrosPerLotPerDay: 0n });
      }
    });

    it('counts a settled position in equity and in no scenario', async () => {
      const id = calls[0].id;
      const {
        positions: held,
        scenarioLossMicros,
        equityMicros,
      } = await client.whatIf(0n, [{ instrumentId: id, sizeLots: 10n }]);
      expect(held[0]).to.include({ isSettled: true, deltaMicros: 0n, impliedVolPpm: undefined });
      expect(held[0].valueMicros).to.equal(equityMicros);
      expect(equityMicros > 0n).to.equal(true);
      expect(scenarioLossMicros).to.deep.equal(Array(32).fill(0n));
    });
  });
});
