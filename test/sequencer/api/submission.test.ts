import { expect } from 'chai';
import { submissionBody } from '#client/wire.ts';
import { stateRoot } from '#protocol/state.ts';
import { type Answer, ApiWorld } from '../../support/api.ts';
import { LATER_SEC, NOW_SEC, orderMessage, sign, USD } from '../../support/ledger.ts';

describe('POST /v1/messages', () => {
  let api: ApiWorld;
  let root: bigint;

  before(async () => {
    api = await ApiWorld.open({ takerFeePpm: 500n, unprovedBatchesMax: 2, unprovedBatchesReserve: 1 });
    await api.world.fund({ 1: 10_000n, 2: 10_000n, 3: 210n });
    root = await api.world.engine.stateRoot();
  });
  after(() => api.close());

  /** Refused, with the numbers, a hint, no trace of our insides, and nothing changed. */
  async function expectRefusal(answer: Answer, status: number, code: string): Promise<Answer['body']> {
    expect(answer.body.code, JSON.stringify(answer.body)).to.equal(code);
    expect(answer.status).to.equal(status);
    expect(answer.body.hint).to.be.a('string').and.not.equal('');
    expect(JSON.stringify(answer.body)).not.to.match(/\.ts|node_modules|at \w+ \(/);
    expect(await api.world.engine.read((state) => stateRoot(state.ledger))).to.equal(root);
    expect(await api.world.engine.read((state) => state.open)).to.equal(undefined);
    return answer.body;
  }

  it('takes an order and tells its life', async () => {
    const answer = await api.submit(api.world.signOrder(1, 'buy', 2n, 90n));
    expect(answer.status).to.equal(200);
    const [{ hash, status }] = answer.body.results;
    expect(status).to.equal('accepted');
    const order = await api.get(`/v1/orders/${hash}`);
    expect(order.body).to.include({ status: 'open', remainingLots: '2', filledLots: '0', side: 'buy' });
    const book = await api.get('/v1/book/4');
    expect(book.body.bids).to.deep.equal([{ limitMicrosPerLot: '90000000', totalLots: '2', orderCount: 1 }]);
  });

  it('answers a repeated body with the same order and changes nothing', async () => {
    const signed = api.world.signOrder(1, 'buy', 1n, 80n);
    const first = await api.submit(signed);
    const log = api.world.engine.logSequence;
    const again = await api.submit(signed);
    expect(again.body.isRepeat).to.equal(true);
    expect(again.body.results).to.deep.equal(first.body.results);
    expect(api.world.engine.logSequence).to.equal(log);
  });

  it('refuses a signature of another key', async () => {
    const foreign = sign(2, [orderMessage({ side: 'buy', sizeLots: 1n, nonce: 60n })]);
    const body = await expectRefusal(
      await api.submit({ ...foreign, accountIndex: 1 }),
      401,
      'wrong-signature',
    );
    expect(body.data).to.include({ accountIndex: 1, chainId: '31337' });
  });

  it('refuses a signature over other content', async () => {
    const signed = api.world.signOrder(1, 'buy', 1n, 80n, { nonce: 61n });
    const [message] = signed.messages;
    const changed = { ...signed, messages: [{ ...message, sizeLots: 2n } as typeof message] };
    await expectRefusal(await api.submit(changed), 401, 'wrong-signature');
  });

  it('refuses an account that does not exist or has no key', async () => {
    const signed = sign(9, [orderMessage({ side: 'buy', sizeLots: 1n, nonce: 0n })]);
    await expectRefusal(await api.submit(signed), 404, 'unknown-account');
    const outside = sign(64, [orderMessage({ side: 'buy', sizeLots: 1n, nonce: 0n })]);
    await expectRefusal(await api.submit(outside), 404, 'unknown-account');
  });

  it('refuses an old epoch and says which one the account is in', async () => {
    const signed = api.world.signOrder(1, 'buy', 1n, 80n, { nonce: 62n }, 0n);
    const body = await expectRefusal(await api.submit(signed), 422, 'wrong-epoch');
    expect(body.data).to.include({ signedEpoch: '0', accountEpoch: '1' });
  });

  it('refuses an expired order with both times', async () => {
    const signed = api.world.signOrder(1, 'buy', 1n, 80n, { nonce: 62n, expirySec: NOW_SEC - 1n });
    const body = await expectRefusal(await api.submit(signed), 422, 'expired');
    expect(body.data).to.include({ expirySec: `${NOW_SEC - 1n}`, batchTimeSec: `${NOW_SEC}` });
  });

  it('refuses a nonce that an open order has', async () => {
    const signed = api.world.signOrder(1, 'sell', 1n, 200n, { nonce: 0n });
    const body = await expectRefusal(await api.submit(signed), 422, 'nonce-used');
    expect(body.data).to.include({ nonce: '0', isOpen: true });
  });

  it('refuses an instrument that is not listed', async () => {
    const signed = api.world.signOrder(1, 'buy', 1n, 80n, { nonce: 62n, instrumentId: 999 });
    const body = await expectRefusal(await api.submit(signed), 422, 'unknown-instrument');
    expect(body.data.instrumentId).to.equal(999);
  });

  it('refuses too little margin with both numbers, and takes it one lot smaller', async () => {
    const signed = api.world.signOrder(3, 'buy', 11n, 100n);
    const body = await expectRefusal(await api.submit(signed), 422, 'insufficient-margin');
    // 11 lots at $100: 21 % of $1,100; the fee of 0.05 % lowers equity by $0.55.
    expect(body.data).to.include({ equityMicros: '209450000', requiredMicros: '231000000' });
  });

  it('refuses a fee cap below the fee, a limit off the tick, a dust order', async () => {
    const capped = api.world.signOrder(1, 'buy', 1n, 80n, { nonce: 62n, feeCapPpm: 499n });
    expect((await expectRefusal(await api.submit(capped), 422, 'fee-cap-too-low')).data.takerFeePpm).to.equal(
      '500',
    );
    const off = api.world.signOrder(1, 'buy', 1n, 80n, { nonce: 62n, limitMicrosPerLot: 80n * USD + 1n });
    expect((await expectRefusal(await api.submit(off), 422, 'not-on-tick')).data.tickMicrosPerLot).to.equal(
      '10000',
    );
    const dust = api.world.signOrder(1, 'buy', 1n, 4n, { nonce: 62n });
    const body = await expectRefusal(await api.submit(dust), 422, 'order-too-small');
    expect(body.data).to.include({ notionalMicros: '4000000', minMicros: '5000000' });
  });

  it('refuses a reduce-only order without a position', async () => {
    const signed = api.world.signOrder(1, 'sell', 1n, 80n, { nonce: 62n, isReduceOnly: true });
    await expectRefusal(await api.submit(signed), 422, 'reduce-only-without-position');
  });

  it('tells of each message of a body by itself', async () => {
    const message = (nonce: bigint, sizeLots: bigint) =>
      orderMessage({ side: 'buy', sizeLots, limitMicrosPerLot: 70n * USD, nonce, expirySec: LATER_SEC });
    const answer = await api.submit(sign(1, [message(70n, 1n), message(0n, 1n), message(71n, 1n)]));
    expect(answer.status).to.equal(200);
    expect(answer.body.results.map((r: { status: string }) => r.status)).to.deep.equal([
      'accepted',
      'refused',
      'accepted',
    ]);
    expect(answer.body.results[1].error.code).to.equal('nonce-used');
  });

  const valid = () =>
    submissionBody(api.world.signOrder(1, 'buy', 1n, 80n, { nonce: 62n })) as Record<string, unknown>;
  const withOrder = (change: Record<string, unknown>) => {
    const body = valid();
    const [order] = body.messages as Record<string, unknown>[];
    return { ...body, messages: [{ ...order, ...change }] };
  };

  describe('numbers', () => {
    // THREATS S04
    const bad = [
      '1e3',
      '-0',
      '-1',
      '01',
      '00',
      '+1',
      'NaN',
      'Infinity',
      '1.0',
      '1.',
      '.5',
      '0x10',
      '0b1',
      '1_000',
      ' 1',
      '1 ',
      '1n',
      '',
      '١',
      '１',
      '1\u0000',
      '\n1',
      '٣',
      'null',
      '1,000',
      '9'.repeat(79),
      `${2n ** 47n}`,
    ];
    for (const text of bad) {
      it(`refuses the size ${JSON.stringify(text.slice(0, 20))}`, async () => {
        const answer = await api.post('/v1/messages', JSON.stringify(withOrder({ sizeLots: text })));
        await expectRefusal(answer, 400, 'invalid-request');
      });
    }
    it('refuses a size that is a JSON number, a list, null or missing', async () => {
      for (const sizeLots of [1, 1.5, 2 ** 53, null, ['1'], { $n: '1' }, true]) {
        const answer = await api.post('/v1/messages', JSON.stringify(withOrder({ sizeLots })));
        expect(answer.status, JSON.stringify(sizeLots)).to.equal(400);
      }
      await expectRefusal(
        await api.post('/v1/messages', JSON.stringify(withOrder({ sizeLots: undefined }))),
        400,
        'invalid-request',
      );
    });
    it('refuses an account index that is not a canonical integer', async () => {
      const text = JSON.stringify(valid());
      for (const index of ['1.0', '1e0', '-1', '01', '"1"', '16777216', '0', '1.5', '+1', '0x1', 'NaN']) {
        const answer = await api.post(
          '/v1/messages',
          text.replace('"accountIndex":1', `"accountIndex":${index}`),
        );
        expect(answer.status, index).to.equal(400);
        expect(answer.body.code, index).to.be.oneOf(['invalid-request', 'malformed-json']);
      }
    });
    it('refuses a signature scalar of the subgroup order: it would be a second signature', async () => {
      const body = valid();
      const { r8 } = body.signature as { r8: string[] };
      const order = 2736030358979909402780800718157159386076813972158567259200215660948447373041n;
      const answer = await api.post(
        '/v1/messages',
        JSON.stringify({ ...body, signature: { r8, s: `${order}` } }),
      );
      await expectRefusal(answer, 400, 'invalid-request');
    });
  });

  describe('shape', () => {
    it('refuses repeated keys, which two readers would read differently', async () => {
      const text = JSON.stringify(valid());
      const doubled = text.replace('"epoch":"1"', '"epoch":"1","epoch":"2"');
      await expectRefusal(await api.post('/v1/messages', doubled), 400, 'malformed-json');
      const escaped = text.replace('"epoch":"1"', '"epoch":"1","\\u0065poch":"2"');
      await expectRefusal(await api.post('/v1/messages', escaped), 400, 'malformed-json');
      const nested = text.replace('"sizeLots":"1"', '"sizeLots":"1","sizeLots":"1"');
      await expectRefusal(await api.post('/v1/messages', nested), 400, 'malformed-json');
    });
    it('refuses unknown keys anywhere', async () => {
      await expectRefusal(
        await api.post('/v1/messages', JSON.stringify({ ...valid(), recipient: '1' })),
        400,
        'invalid-request',
      );
      await expectRefusal(
        await api.post('/v1/messages', JSON.stringify(withOrder({ recipient: '1' }))),
        400,
        'invalid-request',
      );
      const proto = JSON.stringify(valid()).replace('{', '{"__proto__":{},');
      await expectRefusal(await api.post('/v1/messages', proto), 400, 'malformed-json');
    });
    it('refuses a tree that does not fit its depth', async () => {
      await expectRefusal(
        await api.post('/v1/messages', JSON.stringify({ ...valid(), depth: 3 })),
        400,
        'invalid-request',
      );
      const body = submissionBody(
        sign(
          1,
          [72n, 73n].map((nonce) => orderMessage({ side: 'buy', sizeLots: 1n, nonce })),
        ),
      );
      await expectRefusal(
        await api.post('/v1/messages', JSON.stringify({ ...body, depth: 0 })),
        400,
        'invalid-request',
      );
    });
    it('refuses what is not JSON', async () => {
      for (const text of [
        '',
        '{',
        '[',
        '{}x',
        'nul',
        '"',
        '{"a":}',
        '{,}',
        '[1,]',
        `${'['.repeat(5000)}`,
        "{'a':1}",
        '\u00a0{}',
      ]) {
        const answer = await api.post('/v1/messages', text);
        expect(answer.status, text.slice(0, 10)).to.equal(400);
      }
    });
    it('refuses other media types and compressed bodies', async () => {
      const text = JSON.stringify(valid());
      await expectRefusal(
        await api.post('/v1/messages', text, { 'content-type': 'text/plain' }),
        415,
        'unsupported-media-type',
      );
      await expectRefusal(
        await api.post('/v1/messages', text, { 'content-encoding': 'gzip' }),
        415,
        'unsupported-media-type',
      );
    });
    it('refuses a body of more than 64 KiB', async () => {
      const answer = await api.post('/v1/messages', `${JSON.stringify(valid())}${' '.repeat(65_536)}`);
      await expectRefusal(answer, 413, 'body-too-large');
    });
  });

  it('has told nobody of a failure of its own', () => {
    expect(api.reported).to.deep.equal([]);
  });
});
