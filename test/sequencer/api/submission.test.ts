import { expect } from 'chai';
import { type Answer, ApiWorld } from '../../support/api.ts';
import { LATER_SEC, NOW_SEC, orderMessage, sign, USD, withdrawMessage } from '../../support/ledger.ts';

describe('POST /v1/messages', () => {
  let api: ApiWorld;

  before(async () => {
    api = await ApiWorld.open({ takerFeePpm: 500n, unprovedBatchesMax: 2, unprovedBatchesReserve: 1 });
    await api.world.fund({ 1: 10_000n, 2: 10_000n, 3: 210n }, { 2: 5n });
  });
  after(() => api.close());

  const refused = (attempt: () => Promise<Answer>, status: number, code: string) =>
    api.refusal(attempt, status, code);

  it('takes an order and tells its life', async () => {
    const answer = await api.submit(api.world.signOrder(1, 'buy', 2n, 90n));
    expect(answer.status).to.equal(200);
    const [{ hash, status }] = answer.body.results;
    expect(status).to.equal('accepted');
    const order = await api.get(`/v1/orders/${hash}`);
    expect(order.body).to.include({ isOpen: true, remainingLots: '2', filledLots: '0', side: 'buy' });
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
    const body = await refused(() => api.submit({ ...foreign, accountIndex: 1 }), 401, 'wrong-signature');
    expect(body.data).to.include({ accountIndex: 1, chainId: '31337' });
  });

  it('refuses a signature over other content', async () => {
    const signed = api.world.signOrder(1, 'buy', 1n, 80n, { nonce: 61n });
    const [message] = signed.messages;
    const changed = { ...signed, messages: [{ ...message, sizeLots: 2n } as typeof message] };
    await refused(() => api.submit(changed), 401, 'wrong-signature');
  });

  it('refuses an account that does not exist or has no key', async () => {
    const signed = sign(9, [orderMessage({ side: 'buy', sizeLots: 1n, nonce: 0n })]);
    await refused(() => api.submit(signed), 404, 'unknown-account');
    const outside = sign(64, [orderMessage({ side: 'buy', sizeLots: 1n, nonce: 0n })]);
    await refused(() => api.submit(outside), 404, 'unknown-account');
  });

  it('refuses an old epoch and says which one the account is in', async () => {
    const signed = api.world.signOrder(1, 'buy', 1n, 80n, { nonce: 62n }, 0n);
    const body = await refused(() => api.submit(signed), 422, 'wrong-epoch');
    expect(body.data).to.include({ signedEpoch: '0', accountEpoch: '1' });
  });

  it('refuses an expired order with both times', async () => {
    const signed = api.world.signOrder(1, 'buy', 1n, 80n, { nonce: 62n, expirySec: NOW_SEC - 1n });
    const body = await refused(() => api.submit(signed), 422, 'expired');
    expect(body.data).to.include({ expirySec: `${NOW_SEC - 1n}`, batchTimeSec: `${NOW_SEC}` });
  });

  it('refuses a nonce that an open order has', async () => {
    const signed = api.world.signOrder(1, 'sell', 1n, 200n, { nonce: 0n });
    const body = await refused(() => api.submit(signed), 422, 'nonce-used');
    expect(body.data).to.include({ nonce: '0', isOpen: true });
  });

  it('refuses an instrument that is not listed', async () => {
    const signed = api.world.signOrder(1, 'buy', 1n, 80n, { nonce: 62n, instrumentId: 999 });
    const body = await refused(() => api.submit(signed), 422, 'unknown-instrument');
    expect(body.data.instrumentId).to.equal(999);
  });

  it('refuses too little margin with both numbers, and takes it one lot smaller', async () => {
    const signed = api.world.signOrder(3, 'buy', 11n, 100n);
    const body = await refused(() => api.submit(signed), 422, 'insufficient-margin');
    // 11 lots at $100: 21 % of $1,100; the fee of 0.05 % lowers equity by $0.55.
    expect(body.data).to.include({ equityMicros: '209450000', requiredMicros: '231000000' });
  });

  it('refuses a fee cap below the fee, a limit off the tick, a dust order', async () => {
    const capped = api.world.signOrder(1, 'buy', 1n, 80n, { nonce: 62n, feeCapPpm: 499n });
    expect((await refused(() => api.submit(capped), 422, 'fee-cap-too-low')).data.takerFeePpm).to.equal(
      '500',
    );
    const off = api.world.signOrder(1, 'buy', 1n, 80n, { nonce: 62n, limitMicrosPerLot: 80n * USD + 1n });
    expect((await refused(() => api.submit(off), 422, 'not-on-tick')).data.tickMicrosPerLot).to.equal(
      '10000',
    );
    const dust = api.world.signOrder(1, 'buy', 1n, 4n, { nonce: 62n });
    const body = await refused(() => api.submit(dust), 422, 'order-too-small');
    expect(body.data).to.include({ notionalMicros: '4000000', minMicros: '5000000' });
  });

  it('refuses a reduce-only order without a position', async () => {
    const signed = api.world.signOrder(1, 'sell', 1n, 80n, { nonce: 62n, isReduceOnly: true });
    await refused(() => api.submit(signed), 422, 'reduce-only-without-position');
  });

  it('refuses options that contradict each other, or that the book cannot keep', async () => {
    const buy = (dollars: bigint) => api.world.signOrder(1, 'buy', 1n, dollars, { nonce: 62n });
    const attempt = (dollars: bigint, options: object) => () => api.submit(buy(dollars), [options]);
    const both = attempt(80n, { isPostOnly: true, timeInForce: 'ioc' });
    expect((await refused(both, 422, 'contradicting-options')).data.timeInForce).to.equal('ioc');
    const fok = attempt(80n, { timeInForce: 'fok' });
    expect((await refused(fok, 422, 'fok-not-fillable')).data).to.include({
      sizeLots: '1',
      takeableLots: '0',
    });
    await api.submit(api.world.signOrder(2, 'sell', 1n, 150n));
    const taking = attempt(150n, { isPostOnly: true });
    expect((await refused(taking, 422, 'post-only-would-take')).data).to.include({
      limitMicrosPerLot: `${150n * USD}`,
      bestMicrosPerLot: `${150n * USD}`,
    });
  });

  it('refuses a floor outside the window and a withdrawal that margin does not cover', async () => {
    const floor = api.world.signOrder(1, 'buy', 1n, 80n, { nonce: 62n, floorBackWords: 5 });
    expect((await refused(() => api.submit(floor), 422, 'floor-out-of-window')).data).to.include({
      floorBackWords: 5,
      wordsMax: 1,
    });
    // It is judged on the open batch, here with a trade in it.
    await api.submit(api.world.signOrder(2, 'sell', 1n, 100n));
    await api.submit(api.world.signOrder(1, 'buy', 1n, 100n));
    const withdrawing = (account: number, amount: bigint, tokenId: number) => () =>
      api.submit(sign(account, [withdrawMessage({ amount, tokenId, nonce: 61n, expirySec: LATER_SEC })]));
    const spot = await refused(withdrawing(1, 1n, 1), 422, 'insufficient-spot');
    expect(spot.data).to.include({ field: 'amount', tokenId: 1, heldLots: '0', missingLots: '1' });
    const margin = await refused(withdrawing(1, 10_001n * USD, 0), 422, 'insufficient-margin');
    expect(margin.data).to.include({
      field: 'amount',
      equityMicros: '-1050000',
      initialMarginMicros: '21000000',
    });
    const debt = await refused(withdrawing(3, 211n * USD, 0), 422, 'quote-debt');
    expect(debt.data).to.include({ field: 'amount', quoteBalanceMicros: `${-USD}` });
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

  describe('while proofs are behind', () => {
    const trade = async () => {
      await api.submit(api.world.signOrder(2, 'sell', 1n, 100n));
      await api.submit(api.world.signOrder(1, 'buy', 1n, 100n));
      await api.world.seal();
    };
    const orderNow = () => api.world.signOrder(1, 'buy', 1n, 70n, { nonce: 62n });

    before(async () => {
      for (let i = 0; i < 2; i++) await trade();
    });

    it('refuses what would need another batch, with the numbers of the backlog', async () => {
      const body = await refused(() => api.submit(orderNow()), 503, 'proof-backlog');
      expect(body.data).to.include({ unprovedBatches: 2, limit: 2, lane: 'ordinary' });
      expect(body.data.results).to.have.length(1);
    });

    it('takes a cancel and a reduce-only order all the same', async () => {
      const closing = api.world.signOrder(1, 'sell', 1n, 120n, { isReduceOnly: true });
      expect((await api.submit(closing)).status).to.equal(200);
      const cancel = sign(1, [{ kind: 'cancel', nonce: 70n, floorBackWords: 1 }]);
      expect((await api.submit(cancel)).status).to.equal(200);
    });

    it('takes the refused order once a proof is there', async () => {
      await api.world.prove();
      expect((await api.submit(orderNow())).status).to.equal(200);
    });
  });

  it('has told nobody of a failure of its own', () => {
    expect(api.reported).to.deep.equal([]);
  });
});
