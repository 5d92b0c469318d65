/** What the API tells of orders, messages and batches on their way to L1, and of liquidations. */
import { expect } from 'chai';
import { httpClient } from '#client/http.ts';
import { verifyLiquidation } from '#client/liquidation.ts';
import { SequencerClient } from '#client/sequencer.ts';
import { InputError } from '#protocol/errors.ts';
import { TINY_SHAPE } from '#protocol/limits.ts';
import { ApiWorld } from '../../support/api.ts';
import { hashOf } from '../../support/engine.ts';
import { marked, PERP, sign, USD } from '../../support/ledger.ts';

const L1_TX_HASH = `0x${'ab'.repeat(32)}`;

describe('life cycles over HTTP', () => {
  let api: ApiWorld;

  beforeEach(async () => {
    api = await ApiWorld.open();
    await api.world.fund({ 1: 250n, 2: 10_000n, 3: 10_000n });
  });
  afterEach(async () => {
    expect(api.reported, 'failures of its own').to.deep.equal([]);
    await api.close();
  });

  const order = async (hash: string) => (await api.get(`/v1/orders/${hash}`)).body;
  const newest = () => api.world.engine.read((state) => state.nextBatchNumber - 1);

  async function submitted(batchNumber: number): Promise<void> {
    const { attempt } = await api.world.engine.read((state) => state.batches.get(batchNumber)!);
    await api.world.engine.command({
      kind: 'batch-submitted',
      batchNumber,
      attempt,
      l1TxHash: L1_TX_HASH,
    });
  }

  async function final(batchNumber: number): Promise<void> {
    const { newStateRoot } = await api.world.engine.read((state) => state.batches.get(batchNumber)!);
    await api.world.engine.command({
      kind: 'batch-final',
      batchNumber,
      newStateRoot,
      l1Block: 77,
      l1TxHash: L1_TX_HASH,
    });
  }

  it('tells an order as received, sequenced, sealed, proven, submitted, final', async () => {
    const maker = hashOf(await api.world.order(2, 'sell', 3n, 100n));
    expect(await order(maker)).to.include({
      status: 'received',
      isOpen: true,
      closeReason: null,
      fillCount: 0,
    });
    const taker = hashOf(await api.world.order(1, 'buy', 2n, 100n));
    const both = async (status: string) => {
      expect(await order(maker), status).to.include({
        status,
        isOpen: true,
        filledLots: '2',
        remainingLots: '1',
      });
      const { fills, ...filled } = await order(taker);
      expect(filled, status).to.include({ status, isOpen: false, closeReason: 'filled', remainingLots: '0' });
      expect(fills, status).to.have.length(1);
      expect(fills[0]).to.include({ lots: '2', cashMicros: `${200n * USD}`, batchStatus: status });
    };
    await both('sequenced');
    await api.world.seal();
    await both('sealed');
    await api.world.prove();
    await both('proven');
    await submitted(await newest());
    await both('submitted');
    for (let number = 1; number <= (await newest()); number++) await final(number);
    await both('final');
  });

  it('tells an order that needs several batches as far as the last of them is', async () => {
    const maker = hashOf(await api.world.order(2, 'sell', 3n, 100n));
    hashOf(await api.world.order(3, 'buy', 1n, 100n));
    await api.world.settle();
    for (let number = 1; number <= (await newest()); number++) await final(number);
    expect(await order(maker)).to.include({ status: 'final', isOpen: true });
    hashOf(await api.world.order(3, 'buy', 1n, 100n));
    expect(await order(maker)).to.include({ status: 'sequenced', fillCount: 2 });
    await api.world.seal();
    hashOf(await api.world.order(3, 'buy', 1n, 100n));
    await api.world.seal();
    // The later of two batches gets its proof first.
    const late = await newest();
    const entry = await api.world.engine.read((state) => state.unprovedBatches.map(({ number }) => number));
    expect(entry).to.deep.equal([late - 1, late]);
    await api.world.prove();
    await submitted(late);
    const told = await order(maker);
    expect(told.fills.map((fill: { batchStatus: string }) => fill.batchStatus)).to.deep.equal([
      'final',
      'proven',
      'submitted',
    ]);
    expect(told).to.include({ status: 'proven', isOpen: false, closeReason: 'filled' });
  });

  it('tells a voided fill with its numbers, and the other side as received again', async () => {
    const maker = hashOf(await api.world.order(2, 'sell', 12n, 100n));
    const taker = hashOf(await api.world.order(1, 'buy', 10n, 100n));
    await api.world.seal();
    const batchNumber = await newest();
    await api.world.round(marked(94n));
    expect(await api.world.engine.command({ kind: 'reseal', batchNumber, reason: 'BatchTooLate' })).to.equal(
      undefined,
    );
    const voided = await order(taker);
    expect(voided).to.include({ status: 'voided', isOpen: false, closeReason: 'voided', fillCount: 0 });
    expect(voided.because).to.deep.include({ code: 'insufficient-margin' });
    expect(voided.because.data).to.include({ accountIndex: 1 });
    expect(await order(maker)).to.include({ status: 'received', isOpen: true, remainingLots: '12' });
  });

  it('tells an order that ended without a fill as received, with the reason', async () => {
    const nonce = api.world.nonce(1);
    const cancelled = hashOf(await api.world.order(1, 'buy', 1n, 90n, { nonce }));
    await api.submit(sign(1, [{ kind: 'cancel', nonce, floorBackWords: 1 }]));
    expect(await order(cancelled)).to.include({
      status: 'received',
      isOpen: false,
      closeReason: 'cancelled',
    });
    const ioc = hashOf(await api.world.order(1, 'buy', 1n, 90n, {}, { timeInForce: 'ioc' }));
    expect(await order(ioc)).to.include({ status: 'received', isOpen: false, closeReason: 'ioc' });
  });

  it('tells a cancel as received while it waits, then as far as its batch is', async () => {
    const full = await ApiWorld.open({ unprovedBatchesMax: 1, unprovedBatchesReserve: 0 });
    await full.world.fund({ 1: 250n, 2: 10_000n });
    await full.world.order(2, 'sell', 1n, 100n);
    await full.world.order(1, 'buy', 1n, 100n);
    await full.world.seal();
    const answer = await full.submit(sign(1, [{ kind: 'cancel', nonce: 9n, floorBackWords: 1 }]));
    const path = `/v1/orders/${answer.body.results[0].hash}`;
    expect((await full.get(path)).body).to.include({ status: 'received', batchNumber: null, nonce: '9' });
    await full.world.prove();
    expect((await full.get(path)).body).to.include({ status: 'sequenced' });
    await full.world.seal();
    expect((await full.get(path)).body).to.include({ status: 'sealed' });
    await full.close();
  });

  it('tells a batch as sealed, proven, submitted, final, in the list and by itself', async () => {
    hashOf(await api.world.order(2, 'sell', 2n, 100n));
    hashOf(await api.world.order(1, 'buy', 2n, 100n));
    const batchNumber = (await newest()) + 1;
    const absent = await api.get(`/v1/batches/${batchNumber}`);
    expect([absent.status, absent.body.code]).to.deep.equal([404, 'not-found']);
    expect(absent.body.data).to.include({
      field: 'number',
      expected: `expected a number from 1 to ${batchNumber - 1}`,
    });
    const told = async (expected: object) => {
      const { body } = await api.get(`/v1/batches/${batchNumber}`);
      expect(body).to.include({ batchNumber, attempt: 0, actions: 1, ...expected });
      expect((await api.get('/v1/batches?limit=1')).body.batches[0]).to.include({ batchNumber, ...expected });
      return body;
    };
    await api.world.seal();
    const sealed = await told({ status: 'sealed', l1TxHash: null, l1Block: null });
    expect(sealed.oldStateRoot).to.not.equal(sealed.newStateRoot);
    expect(sealed.newStateRoot).to.equal(`${await api.world.engine.stateRoot()}`);
    expect(sealed.touchedAccounts).to.deep.equal([1, 2]);
    await api.world.prove();
    await told({ status: 'proven', l1TxHash: null });
    await submitted(batchNumber);
    await told({ status: 'submitted', l1TxHash: L1_TX_HASH, l1Block: null });
    await final(batchNumber);
    expect(await told({ status: 'final', l1TxHash: L1_TX_HASH, l1Block: 77 })).to.deep.equal({
      ...sealed,
      status: 'final',
      l1TxHash: L1_TX_HASH,
      l1Block: 77,
    });
  });

  describe('a liquidation', () => {
    let batchNumber: number;
    let client: SequencerClient;

    beforeEach(async () => {
      client = new SequencerClient(httpClient(api.url), TINY_SHAPE);
      hashOf(await api.world.order(2, 'sell', 10n, 100n));
      hashOf(await api.world.order(1, 'buy', 10n, 100n));
      await api.world.settle();
      hashOf(await api.world.order(3, 'buy', 10n, 90n));
      // At 90 equity is 150, MM 149.4: not below. At 89 it is 140, MM 147.74; a bid at 90 is inside the band.
      await api.world.round(marked(89n));
      await api.world.seal();
      batchNumber = await newest();
    });

    it('is told with the numbers that were proved, which the client computes again', async () => {
      const { evidence, stated, ...told } = await client.liquidation(batchNumber, 0);
      expect(told).to.deep.equal({ batchNumber });
      expect(evidence.rows).to.have.length(1);
      expect(evidence.rows[0]).to.include({ accountIndex: 1, instrumentId: PERP, isShort: false });
      expect(stated).to.include({ reason: 1 });
      expect(stated.before).to.deep.equal({
        equityMicros: 140n * USD,
        maintenanceMarginMicros: 147_740_000n,
        initialMarginMicros: 186_900_000n,
      });
      const verified = verifyLiquidation(evidence, TINY_SHAPE);
      expect(verified).to.deep.equal({ ok: true, value: stated });
      expect(evidence.after).to.deep.equal(await client.account(1));
      const { body } = await api.get(`/v1/batches/${batchNumber}`);
      expect(body).to.include({ isLiquidating: true, penaltiesMicros: `${stated.penaltyMicros}` });
      expect(body.liquidations).to.have.length(1);
    });

    it('does not convince the client when one number of it is another', async () => {
      const { evidence } = await client.liquidation(batchNumber, 0);
      const { before, after } = evidence;
      const richer = { ...evidence, before: { ...before, cashStar: before.cashStar + 10n * USD } };
      expect(verifyLiquidation(richer as typeof evidence, TINY_SHAPE)).to.include({
        ok: false,
        code: 'not-liquidatable',
      });
      const fined = { ...evidence, after: { ...after, cashStar: after.cashStar - 1n } };
      expect(verifyLiquidation(fined as typeof evidence, TINY_SHAPE)).to.include({
        ok: false,
        code: 'penalty',
      });
      const { get, post } = httpClient(api.url);
      const lying = new SequencerClient(
        {
          post,
          get: async (path) => {
            const body = (await get(path)) as { table: { rows: { mark: string }[] } };
            body.table.rows[0].mark = '1';
            return body;
          },
        },
        TINY_SHAPE,
      );
      const error = await lying.liquidation(batchNumber, 0).catch((thrown: unknown) => thrown);
      expect(error).to.be.instanceOf(InputError).with.property('field', 'tableHash');
    });

    it('has no other row, and other batches have none', async () => {
      const beyond = await api.get(`/v1/liquidations/${batchNumber}/1`);
      expect([beyond.status, beyond.body.code]).to.deep.equal([404, 'not-found']);
      expect(beyond.body.data).to.deep.equal({
        field: 'row',
        value: '1',
        expected: 'expected a row from 0 to 0',
      });
      const none = await api.get('/v1/liquidations/1/0');
      expect(none.body.data).to.include({ field: 'row', expected: 'expected a batch that liquidates' });
      const unsealed = await api.get(`/v1/liquidations/${batchNumber + 1}/0`);
      expect(unsealed.body.data).to.include({ field: 'batch', value: `${batchNumber + 1}` });
    });
  });
});
