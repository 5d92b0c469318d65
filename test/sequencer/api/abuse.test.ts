/** THREATS S07, S11, S12, S15, O11: what one peer or one account can do to the others through the API. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { submissionBody } from '#client/wire.ts';
import type { Message } from '#protocol/message.ts';
import { peerOf, RateLimiter } from '#sequencer/api/rate-limit.ts';
import { type Answer, ApiWorld } from '../../support/api.ts';
import { hashOf } from '../../support/engine.ts';
import { OTHER, orderMessage, PERP, sign, USD } from '../../support/ledger.ts';
import { ask, slowSocket } from '../../support/peers.ts';

const HONEST = '127.0.0.1';
const STRANGER = '127.0.0.2';
const THIRD_PEER = '127.0.0.3';

const countOf = (answers: readonly Answer[], code: string): number =>
  answers.filter(({ body }) => body.code === code).length;

const posting = (api: ApiWorld, from: string, body: object | string, headers?: Record<string, string>) =>
  ask(api.url, from, '/v1/messages', typeof body === 'string' ? body : JSON.stringify(body), headers);

const cancelOf = (accountIndex: number, nonce: bigint) =>
  submissionBody(sign(accountIndex, [{ kind: 'cancel', nonce, floorBackWords: 1 }]));

describe('slow connections', () => {
  let api: ApiWorld;

  before(async () => {
    api = await ApiWorld.open(
      {},
      // Time enough for all sockets to connect before the first one is closed, on a slow machine too.
      { headersTimeoutMs: 5_000, requestTimeoutMs: 6_000, connectionsPerPeerMax: 120, connectionsMax: 400 },
      // The honest client asks for as long as the flood lasts.
      { peer: { read: { perSec: 1, burst: 1_000_000 } } },
    );
    await api.world.fund({ 1: 10_000n });
  });
  after(() => api?.close());

  /** 300 sockets of two peers, of which the server keeps 120 each, and what an honest client hears meanwhile. */
  async function flood(text: string): Promise<{ heard: string[]; answers: Answer[] }> {
    const slow = Array.from({ length: 300 }, (_, i) =>
      slowSocket(api.url, i % 2 === 0 ? STRANGER : THIRD_PEER, text, 200),
    );
    let isOver = false;
    const all = Promise.all(slow.map(({ closed }) => closed)).finally(() => {
      isOver = true;
    });
    const answers: Answer[] = [];
    while (!isOver) {
      answers.push(await ask(api.url, HONEST, '/v1/accounts/1'));
      await sleep(20);
    }
    return { heard: await all, answers };
  }

  for (const [what, text] of [
    ['headers', 'GET /v1/health HTTP/1.1\r\nHost: x\r\nX: '],
    [
      'a body',
      'POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9999\r\n\r\n ',
    ],
  ] as const) {
    it(`are closed when they send ${what} byte by byte; others are answered meanwhile`, async () => {
      const { heard, answers } = await flood(text);
      // 60 were over the limit of their peer and heard nothing.
      expect(heard.filter((said) => said === '').length).to.be.at.least(60);
      for (const said of heard.filter((spoken) => spoken !== '')) {
        expect(said).to.match(/^HTTP\/1\.1 408 /);
        const body = JSON.parse(said.slice(said.indexOf('\r\n\r\n')));
        expect(body).to.include({ code: 'request-timeout' });
        expect(body.data).to.deep.equal({ field: 'request', limitMs: 6_000, headersLimitMs: 5_000 });
      }
      expect(answers.length).to.be.greaterThan(3);
      expect(new Set(answers.map(({ status }) => status))).to.deep.equal(new Set([200]));
      expect((await ask(api.url, STRANGER, '/v1/health')).status).to.equal(200);
    });
  }
});

describe('rate limits', () => {
  let api: ApiWorld;
  const small = (burst: number) => ({ perSec: 0.001, burst });

  beforeEach(async () => {
    api = await ApiWorld.open(
      {},
      {},
      {
        peer: { order: small(6), cancel: small(6), read: small(6), malformed: small(6) },
        account: { order: small(4), cancel: small(4) },
      },
    );
    await api.world.fund({ 1: 10_000n, 2: 10_000n, 3: 10_000n, 4: 10_000n });
  });
  afterEach(async () => {
    expect(api.reported, 'failures of its own').to.deep.equal([]);
    await api?.close();
  });

  const buy = (accountIndex: number, nonce: bigint) =>
    submissionBody(api.world.signOrder(accountIndex, 'buy', 1n, 90n, { nonce }));

  it('count many keys behind one peer together, and another peer by itself', async () => {
    const answers: Answer[] = [];
    for (let i = 0; i < 8; i++) {
      const headers = {
        'x-forwarded-for': `10.0.0.${i}`,
        forwarded: `for=10.0.1.${i}`,
        'x-real-ip': `10.0.2.${i}`,
      };
      answers.push(await posting(api, STRANGER, buy((i % 4) + 1, BigInt(i)), headers));
    }
    expect(answers.map(({ status }) => status)).to.deep.equal([200, 200, 200, 200, 200, 200, 429, 429]);
    expect(answers[7].body.data).to.include({ field: 'peer', scope: 'peer', lane: 'order', burst: 6 });
    expect(answers[7].body.data.retryAfterMs).to.be.greaterThan(0);
    expect((await posting(api, HONEST, buy(4, 20n))).status).to.equal(200);
  });

  it('count one account behind many peers together, by message', async () => {
    const three = [0n, 1n, 2n].map((nonce) => orderMessage({ side: 'buy', sizeLots: 1n, nonce }));
    expect((await posting(api, STRANGER, submissionBody(sign(1, three)))).status).to.equal(200);
    expect((await posting(api, THIRD_PEER, buy(1, 3n))).status).to.equal(200);
    const limited = await posting(api, HONEST, buy(1, 4n));
    expect([limited.status, limited.body.data.scope]).to.deep.equal([429, 'account']);
    expect((await posting(api, HONEST, buy(2, 0n))).status).to.equal(200);
  });

  it('keep a budget for cancels by themselves, for peer and account', async () => {
    for (let i = 0n; i < 4n; i++) expect((await posting(api, STRANGER, buy(1, i))).status).to.equal(200);
    for (let i = 4n; i < 7n; i++) await posting(api, STRANGER, buy(1, i));
    expect((await posting(api, STRANGER, buy(2, 0n))).body.data).to.include({ scope: 'peer', lane: 'order' });
    for (let i = 0n; i < 4n; i++) expect((await posting(api, STRANGER, cancelOf(1, i))).status).to.equal(200);
    const limited = await posting(api, STRANGER, cancelOf(1, 9n));
    expect(limited.body.data).to.include({ scope: 'account', lane: 'cancel', burst: 4 });
    expect((await posting(api, STRANGER, cancelOf(2, 9n))).status).to.equal(200);
  });

  it('make a peer pay for submissions that cannot be read, and nobody else', async () => {
    const unreadable: [string, number][] = [
      ['{', 400],
      ['{}', 400],
      [JSON.stringify({ ...buy(1, 0n), depth: 3 }), 400],
      [' '.repeat(70_000), 413],
      ['[]', 400],
      ['1', 400],
    ];
    for (const [body, status] of unreadable)
      expect((await posting(api, STRANGER, body)).status).to.equal(status);
    const limited = await posting(api, STRANGER, '{');
    expect([limited.status, limited.body.data.lane]).to.deep.equal([429, 'malformed']);
    // It is not read any more, whatever it is.
    expect((await posting(api, STRANGER, buy(1, 0n))).body.data.lane).to.equal('malformed');
    expect((await posting(api, HONEST, buy(1, 0n))).status).to.equal(200);
  });

  it('count reads and unknown paths', async () => {
    const paths = ['/v1/health', '/', '/v2', '/v1/batches', '/v1/orders/1', '/v1/messages', '/v1/health'];
    const statuses = [];
    for (const path of paths) statuses.push((await ask(api.url, STRANGER, path)).status);
    expect(statuses).to.deep.equal([200, 404, 404, 200, 400, 404, 429]);
    expect((await ask(api.url, HONEST, '/v1/health')).status).to.equal(200);
  });

  it('take a /64 of IPv6 for one peer, and an IPv4 address in IPv6 for itself', () => {
    expect(peerOf('2001:db8:1:2:3:4:5:6')).to.equal(peerOf('2001:db8:1:2::1'));
    expect(peerOf('2001:db8::1')).to.equal(peerOf('2001:db8::ffff:1'));
    expect(peerOf('2001:db8:1:3::1')).to.not.equal(peerOf('2001:db8:1:2::1'));
    expect(peerOf('::1')).to.equal(peerOf('::2'));
    expect(peerOf('::ffff:192.0.2.7')).to.equal('192.0.2.7');
    expect(peerOf('192.0.2.7')).to.not.equal(peerOf('192.0.2.8'));
  });

  it('refill with time, up to the burst', () => {
    const limiter = new RateLimiter('peer', { read: { perSec: 2, burst: 3 } });
    const taken = (nowMs: number) => {
      let count = 0;
      while (limiter.charge('a', 'read', nowMs) === undefined) count += 1;
      return count;
    };
    expect([taken(0), taken(499), taken(500), taken(1_500), taken(1_000_000)]).to.deep.equal([3, 0, 1, 2, 3]);
    expect(limiter.refusal('a', 'read', 1_000_000)?.data).to.include({ retryAfterMs: 500 });
    // A clock that goes back gives nothing and takes nothing.
    expect(limiter.charge('a', 'read', 0)?.data).to.include({ retryAfterMs: 500 });
  });
});

describe('a flood of bad signatures', () => {
  let api: ApiWorld;

  before(async () => {
    api = await ApiWorld.open(
      {},
      {},
      { peer: { order: { perSec: 0.001, burst: 120 }, cancel: { perSec: 0.001, burst: 40 } } },
    );
    await api.world.fund({ 1: 10_000n, 2: 10_000n });
    hashOf(await api.world.order(1, 'buy', 1n, 90n, { nonce: 7n }));
  });
  after(() => api?.close());

  it('is cut off by peer, charges no account, and a cancel of another peer is answered among it', async () => {
    const forged = submissionBody({
      ...api.world.signOrder(2, 'buy', 1n, 90n, { nonce: 8n }),
      accountIndex: 1,
    });
    const forgedCancel = { ...cancelOf(2, 7n), accountIndex: 1 };
    const answers: Answer[] = [];
    let isOver = false;
    // Forty at a time, each followed by the next, for as long as it takes.
    const flood = Array.from({ length: 40 }, async (_, i) => {
      while (!isOver) answers.push(await posting(api, STRANGER, i % 5 === 0 ? forgedCancel : forged));
    });
    while (answers.length < 300) await sleep(10);
    const cancelled = await posting(api, HONEST, cancelOf(1, 7n));
    isOver = true;
    await Promise.all(flood);
    expect(cancelled.status).to.equal(200);
    const checked = countOf(answers, 'wrong-signature');
    // 120 orders and 40 cancels of one burst.
    expect(checked).to.equal(160);
    expect(countOf(answers, 'rate-limited')).to.equal(answers.length - checked);
    expect(await api.world.engine.read((state) => state.openOrders.get(1))).to.equal(undefined);
    expect(
      (await posting(api, HONEST, submissionBody(api.world.signOrder(1, 'buy', 1n, 90n, { nonce: 9n }))))
        .status,
    ).to.equal(200);
  });
});

describe('dust at many prices', () => {
  const OPEN_MAX = 48;
  const SPAMMERS = [3, 4, 5, 6, 7, 8, 9, 10];
  const TICK = 10_000n;
  let api: ApiWorld;

  before(async () => {
    api = await ApiWorld.open({ openOrdersPerAccountMax: OPEN_MAX });
    await api.world.fund(Object.fromEntries([1, 2, ...SPAMMERS].map((account) => [account, 10_000n])));
  });
  after(() => api?.close());

  const submit = (accountIndex: number, messages: Message[]) => api.submit(sign(accountIndex, messages));

  it('is not taken below the least notional, to the micro', async () => {
    const lot = (limitMicrosPerLot: bigint) =>
      submit(3, [orderMessage({ side: 'buy', sizeLots: 1n, limitMicrosPerLot, nonce: 63n })]);
    const refused = await lot(5n * USD - TICK);
    expect(refused.body).to.include({ code: 'order-too-small' });
    expect(refused.body.data).to.include({ notionalMicros: '4990000', minMicros: '5000000' });
    expect((await lot(5n * USD)).status).to.equal(200);
    await submit(3, [{ kind: 'cancel', nonce: 63n, floorBackWords: 1 }]);
  });

  it('ends at the open orders that an account may have; the book stays whole, and trades', async () => {
    for (const [i, account] of SPAMMERS.entries()) {
      const orders = Array.from({ length: OPEN_MAX + 1 }, (_, at) =>
        orderMessage({
          side: 'buy',
          sizeLots: 1n,
          limitMicrosPerLot: 5n * USD + BigInt(i * 100 + at) * TICK,
          nonce: BigInt(at),
          floorBackWords: 1,
        }),
      );
      for (let at = 0; at < OPEN_MAX; at += 16) {
        expect((await submit(account, orders.slice(at, at + 16))).body.results).to.have.length(16);
      }
      const refused = await submit(account, orders.slice(OPEN_MAX));
      expect([refused.status, refused.body.code]).to.deep.equal([422, 'too-many-open-orders']);
      expect(refused.body.data).to.include({ open: OPEN_MAX, limit: OPEN_MAX });
    }
    const { bids } = (await api.get(`/v1/book/${PERP}?depth=200`)).body;
    expect(bids).to.have.length(200);
    expect(bids[0].limitMicrosPerLot).to.equal(`${5n * USD + 747n * TICK}`);
    expect(await api.world.engine.read((state) => state.book(PERP).orderCount)).to.equal(
      SPAMMERS.length * OPEN_MAX,
    );
    // Better prices come first, whatever lies behind them.
    hashOf(await api.world.order(2, 'buy', 2n, 100n));
    const sold = hashOf(await api.world.order(1, 'sell', 2n, 100n));
    expect((await api.get(`/v1/orders/${sold}`)).body).to.include({ closeReason: 'filled', filledLots: '2' });
    hashOf(await api.world.order(2, 'buy', 2n, 100n, { instrumentId: OTHER }));
  });
});
