import { connect, type Socket } from 'node:net';
import { expect } from 'chai';
import { ApiWorld } from '../../support/api.ts';
import { hashOf } from '../../support/engine.ts';
import { PERP, sign, USD } from '../../support/ledger.ts';

/** Everything the server sends on a raw connection until it closes it, and how long that took. */
function raw(url: string, write: (socket: Socket) => void): Promise<{ text: string; ms: number }> {
  const { hostname, port } = new URL(url);
  const startedMs = performance.now();
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname);
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk.toString();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => resolve({ text, ms: performance.now() - startedMs }));
    socket.on('connect', () => write(socket));
  });
}

describe('the HTTP edge', () => {
  let api: ApiWorld;
  before(async () => {
    api = await ApiWorld.open(
      {},
      { headersTimeoutMs: 500, requestTimeoutMs: 900, connectionsPerPeerMax: 20 },
      {
        peer: { order: { perSec: 0.001, burst: 8 }, cancel: { perSec: 0.001, burst: 8 } },
        account: { order: { perSec: 0.001, burst: 2 } },
      },
    );
    await api.world.fund({ 1: 10_000n, 2: 10_000n });
  });
  after(() => api.close());

  it('closes a connection whose headers do not end', async () => {
    const { text, ms } = await raw(api.url, (socket) =>
      socket.write('GET /v1/health HTTP/1.1\r\nHost: x\r\nX: '),
    );
    // Whichever clock rings first: the one for headers answers, the one for silent sockets just closes.
    expect(text).to.match(/408|^$/);
    expect(ms).to.be.lessThan(5_000);
  });

  it('closes a connection whose body does not end', async () => {
    const head =
      'POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{';
    const { text, ms } = await raw(api.url, (socket) => socket.write(head));
    expect(text).to.match(/408|^$/);
    expect(ms).to.be.lessThan(6_000);
  });

  it('refuses headers of more than 16 KiB', async () => {
    const { text } = await raw(api.url, (socket) =>
      socket.write(`GET /v1/health HTTP/1.1\r\nHost: x\r\n${`X-A: ${'a'.repeat(900)}\r\n`.repeat(30)}\r\n`),
    );
    expect(text).to.match(/431/);
  });

  it('refuses a chunked body that grows beyond 64 KiB', async () => {
    const { text } = await raw(api.url, (socket) => {
      socket.write(
        'POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n',
      );
      const chunk = `8000\r\n${' '.repeat(0x8000)}\r\n`;
      for (let i = 0; i < 8; i++) socket.write(chunk);
    });
    expect(text).to.match(/413/);
  });

  it('caps the connections of one peer', async () => {
    const { hostname, port } = new URL(api.url);
    const sockets = Array.from({ length: 40 }, () => connect(Number(port), hostname));
    const closed = await Promise.all(
      sockets.map(
        (socket) =>
          new Promise<boolean>((resolve) => {
            socket.on('error', () => undefined);
            socket.on('close', () => resolve(true));
            setTimeout(() => resolve(false), 300);
          }),
      ),
    );
    for (const socket of sockets) socket.destroy();
    expect(closed.filter(Boolean).length).to.be.at.least(20);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect((await api.get('/v1/health')).status).to.equal(200);
  });

  it('limits orders by account and keeps a budget for cancels', async () => {
    const order = () => api.submit(api.world.signOrder(1, 'buy', 1n, 90n));
    expect((await order()).status).to.equal(200);
    expect((await order()).status).to.equal(200);
    const limited = await order();
    expect(limited.status).to.equal(429);
    expect(limited.body).to.include({ code: 'rate-limited' });
    expect(limited.body.data).to.include({ scope: 'account', lane: 'order', burst: 2 });
    expect((await api.submit(sign(1, [{ kind: 'cancel', nonce: 0n, floorBackWords: 1 }]))).status).to.equal(
      200,
    );
  });

  it('does not charge an account for what a stranger signs in its name', async () => {
    const foreign = { ...api.world.signOrder(1, 'buy', 1n, 90n), accountIndex: 2 };
    for (let i = 0; i < 3; i++) expect((await api.submit(foreign)).body.code).to.equal('wrong-signature');
    expect((await api.submit(api.world.signOrder(2, 'buy', 1n, 90n))).status).to.equal(200);
  });

  it('limits by peer whatever X-Forwarded-For says, and cancels have their own lane', async () => {
    const text = '{}';
    let limited: string | undefined;
    for (let i = 0; i < 12 && limited === undefined; i++) {
      const answer = await api.post('/v1/margin/what-if', text, { 'x-forwarded-for': `10.0.0.${i}` });
      if (answer.status === 429) limited = answer.body.data.scope;
    }
    expect(limited).to.equal('peer');
    const cancel = sign(2, [{ kind: 'cancel', nonce: 40n, floorBackWords: 1 }]);
    expect((await api.submit(cancel)).status).to.equal(200);
  });
});

describe('what the API shows', () => {
  let api: ApiWorld;
  before(async () => {
    api = await ApiWorld.open();
    await api.world.fund({ 1: 230n, 2: 10_000n, 3: 10_000n });
    hashOf(await api.world.order(2, 'sell', 10n, 100n));
    hashOf(await api.world.order(1, 'buy', 10n, 100n));
    await api.world.settle();
  });
  after(() => api.close());

  it('shows an account with its margin, and no order of it', async () => {
    const { status, body } = await api.get('/v1/accounts/1');
    expect(status).to.equal(200);
    expect(body.positions).to.deep.equal([{ instrumentId: PERP, sizeLots: '10' }]);
    expect(body.margin).to.deep.include({
      equityMicros: '230000000',
      initialMarginMicros: '210000000',
      health: 'open',
    });
    expect(JSON.stringify(body)).not.to.match(/openOrders|hash/);
  });

  it('computes what-if with the whole scenario vector', async () => {
    const body = { cashMicros: `${1_000n * USD}`, positions: [{ instrumentId: PERP, sizeLots: '-10' }] };
    const answer = await api.post('/v1/margin/what-if', JSON.stringify(body));
    expect(answer.status).to.equal(200);
    expect(answer.body.scenarioLossMicros).to.deep.equal(
      [-20n, 20n, 0n, 0n, 20n, -20n, -15n, 15n].map((percent) => `${percent * 10n * USD}`),
    );
    expect(answer.body).to.include({
      initialMarginMicros: '210000000',
      equityMicros: '0',
      health: 'liquidatable',
    });
    const twice = { ...body, positions: [...body.positions, ...body.positions] };
    expect((await api.post('/v1/margin/what-if', JSON.stringify(twice))).status).to.equal(400);
  });

  it('lists batches newest first and shows one', async () => {
    const { body } = await api.get('/v1/batches?limit=2');
    expect(body.batches).to.have.length(2);
    expect(body.batches[0].batchNumber).to.be.greaterThan(body.batches[1].batchNumber);
    const one = await api.get(`/v1/batches/${body.batches[0].batchNumber}`);
    expect(one.body.touchedAccounts).to.deep.equal([1, 2]);
    expect((await api.get('/v1/batches/999')).body.code).to.equal('not-found');
  });

  it('shows the round, the instruments and the health of the engine', async () => {
    expect((await api.get('/v1/round')).body.rows).to.have.length(4);
    expect((await api.get('/v1/instruments')).body.instruments).to.have.length(4);
    const health = await api.get('/v1/health');
    expect(health.body.unprovedBatches).to.equal(0);
    expect(health.body.stateRoot).to.match(/^[0-9]+$/);
  });

  it('answers unknown paths, methods and identifiers alike', async () => {
    for (const path of [
      '/',
      '/v1',
      '/v2/health',
      '/v1/accounts/0',
      '/v1/accounts/abc',
      '/v1/accounts/99999999',
      '/v1/orders/0x12',
      '/v1/book/0',
      '/v1/liquidations/1/0',
    ]) {
      const { status, body } = await api.get(path);
      expect(status, path).to.be.oneOf([400, 404]);
      expect(body.code, path).to.be.oneOf(['not-found', 'invalid-request']);
    }
  });
});
