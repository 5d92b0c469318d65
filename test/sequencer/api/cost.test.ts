/** THREATS O11: what one read costs is bounded by what it shows, whoever chooses the numbers in it and however long the ledger is. */
import { expect } from 'chai';
import { STANDARD_SHAPE } from '#protocol/limits.ts';
import type { BatchEntry, EngineState } from '#sequencer/state.ts';
import { ApiWorld } from '../../support/api.ts';
import { hashOf } from '../../support/engine.ts';
import { PERP } from '../../support/ledger.ts';
import { chainMarket } from '../../support/option/chain-portfolio.ts';

const BATCHES = 1_000_000;
const WALKS = ['values', 'keys', 'entries', 'forEach', Symbol.iterator] as const;

describe('the cost of a read', () => {
  let api: ApiWorld;
  let state: EngineState;
  let hash: string;
  let lookUps = 0;

  /** A map of a long-lived ledger: looked up it answers, walked over it fails the reader. */
  function forbidWalks(map: ReadonlyMap<unknown, unknown>): void {
    for (const walk of WALKS) {
      Object.defineProperty(map, walk, {
        value: () => {
          throw new Error(`a read walked over ${map.size} entries`);
        },
      });
    }
    const look = map.get.bind(map);
    map.get = (key) => {
      lookUps += 1;
      if (lookUps > 10_000) throw new Error('a read looked up more than it shows');
      return look(key);
    };
  }

  before(async () => {
    api = await ApiWorld.open();
    await api.world.fund({ 1: 10_000n, 2: 10_000n });
    hashOf(await api.world.order(2, 'sell', 5n, 100n));
    hash = hashOf(await api.world.order(1, 'buy', 5n, 100n));
    await api.world.settle();
    await api.world.engine.read((memory) => {
      state = memory;
    });
    const newest = state.batches.get(state.nextBatchNumber - 1) as BatchEntry;
    newest.status = 'final';
    const first = state.nextBatchNumber;
    for (let number = first; number < first + BATCHES; number++) {
      state.batches.set(number, { ...newest, number });
    }
    state.nextBatchNumber += BATCHES;
    const order = state.orders.get(hash);
    if (order === undefined) throw new Error('the order is known');
    order.fills = Array.from({ length: BATCHES }, () => order.fills[0]);
    const { batches, orders, messages, openOrders, bodies, attempts, cancelledNonces } = state;
    for (const map of [batches, orders, messages, openOrders, bodies, attempts, cancelledNonces])
      forbidWalks(map);
  });
  beforeEach(() => {
    lookUps = 0;
  });
  after(() => {
    expect(api.reported, 'failures of its own').to.deep.equal([]);
    return api.close();
  });

  it('lists at most the batches asked for, from any number on', async () => {
    const newest = state.nextBatchNumber - 1;
    const cases: [query: string, numbers: number[]][] = [
      ['?before=999999999999', Array.from({ length: 20 }, (_, i) => newest - i)],
      ['?before=999999999999&limit=2', [newest, newest - 1]],
      [`?before=${newest + 1}&limit=1`, [newest]],
      [`?before=${newest}&limit=1`, [newest - 1]],
      ['?before=3', [2, 1]],
      ['?before=1', []],
      ['?before=0', []],
    ];
    for (const [query, numbers] of cases) {
      lookUps = 0;
      const { status, body } = await api.get(`/v1/batches${query}`);
      expect(status, query).to.equal(200);
      expect(body.batches.map((batch: { batchNumber: number }) => batch.batchNumber)).to.deep.equal(numbers);
      expect(lookUps, query).to.be.at.most(20);
    }
  });

  it('refuses more than it lists, with the limit', async () => {
    const cases: [path: string, field: string, value: string, limit: number][] = [
      ['/v1/batches?before=1000000000000', 'before', '1000000000000', 999_999_999_999],
      ['/v1/batches?limit=100', 'limit', '100', 99],
      ['/v1/batches?limit=0', 'limit', '0', 99],
      [`/v1/book/${PERP}?depth=201`, 'depth', '201', 200],
      ['/v1/liquidations/1/128', 'row', '128', 127],
      ['/v1/accounts/16777216', 'index', '16777216', 16_777_215],
    ];
    for (const [path, field, value, limit] of cases) {
      const { status, body } = await api.get(path);
      expect(status, path).to.equal(400);
      expect(body.data, path).to.deep.include({ field, value, limit });
    }
    const positions = Array.from({ length: 65 }, (_, i) => ({ instrumentId: i + 4, sizeLots: '1' }));
    const { body } = await api.post('/v1/margin/what-if', JSON.stringify({ cashMicros: '0', positions }));
    expect(body.data).to.include({ field: 'positions', limit: 64, expected: 'expected at most 64 entries' });
  });

  it('walks over no batches, orders, messages or accounts, whatever is read', async () => {
    const paths = [
      ...[
        '/v1/health',
        '/v1/instruments',
        '/v1/round',
        '/v1/batches',
        '/v1/accounts/1',
        `/v1/orders/${hash}`,
      ],
      ...[
        `/v1/orders/0x${'0'.repeat(64)}`,
        `/v1/book/${PERP}?depth=200`,
        '/v1/batches/1',
        '/v1/liquidations/1/0',
      ],
      ...[`/v1/batches/${BATCHES}`, '/v1/batches/999999999999', '/v1/openapi.json'],
    ];
    for (const path of paths) {
      lookUps = 0;
      const { status, body } = await api.get(path);
      expect(status, `${path} ${JSON.stringify(body).slice(0, 200)}`).to.be.oneOf([200, 404]);
      expect(lookUps, path).to.be.at.most(200);
    }
    expect((await api.post('/v1/margin/what-if', '{"cashMicros":"0","positions":[]}')).status).to.equal(200);
  });

  it('shows of an order with many fills how many there are, and the newest hundred', async () => {
    const { body } = await api.get(`/v1/orders/${hash}`);
    expect(body).to.include({ fillCount: BATCHES, status: 'final' });
    expect(body.fills).to.have.length(100);
  });

  it('answers the largest numbers that a what-if takes', async () => {
    const cashMicros = `${-(2n ** 80n) + 1n}`;
    const sizeLots = `${2n ** 47n - 1n}`;
    const positions = [1, 4, 5, 6].map((instrumentId) => ({ instrumentId, sizeLots }));
    const answer = await api.post('/v1/margin/what-if', JSON.stringify({ cashMicros, positions }));
    expect(answer.status, JSON.stringify(answer.body)).to.equal(200);
    expect(answer.body.health).to.equal('bankrupt');
  });
});

describe('the cost of a round with options', () => {
  let api: ApiWorld;

  before(async () => {
    const { listing, table, quotes, inputs } = chainMarket();
    api = await ApiWorld.open({ shape: STANDARD_SHAPE, instruments: listing.instruments });
    await api.world.l1Block([], [table], { timeSec: inputs.timeSec, quotes });
  });
  after(() => api.close());

  it('is not paid again by each reader: table and state are hashed once each', async () => {
    const hashes = async () => {
      const [round, health] = await Promise.all([api.get('/v1/round'), api.get('/v1/health')]);
      return [round.body.tableHash, health.body.stateRoot];
    };
    const first = await hashes();
    // A table and a ledger are values: nobody changes one in place. If a reader hashed again, this would show.
    await api.world.engine.read(({ table, ledger }) => {
      (table?.table as { isJump: boolean }).isJump = true;
      (ledger.openInterest as bigint[])[0] += 1n;
    });
    expect((await api.get('/v1/round')).body.isJump).to.equal(true);
    expect(await hashes()).to.deep.equal(first);
  });
});

describe('the cost of a batch from the store', () => {
  let api: ApiWorld;

  before(async () => {
    api = await ApiWorld.open({}, {}, { peer: { read: { perSec: 1, burst: 100 } } });
    await api.world.fund({ 1: 10_000n });
  });
  after(() => api.close());

  it('is paid by its reader: what a peer may read in a second does not keep the engine busy for ten', async () => {
    const statuses: number[] = [];
    for (let i = 0; i < 5; i++) statuses.push((await api.get('/v1/batches/1')).status);
    expect(statuses).to.deep.equal([200, 200, 200, 200, 429]);
    const refused = await api.get('/v1/batches/1');
    expect(refused.body).to.include({ code: 'rate-limited' });
    expect(refused.body.data).to.include({ lane: 'read', burst: 100 });
  });
});
