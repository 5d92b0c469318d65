import { expect } from 'chai';
import { ApiRefusal, httpClient } from '#client/http.ts';
import { SequencerClient } from '#client/sequencer.ts';
import { sizeOf } from '#protocol/account.ts';
import { FIELD_MODULUS } from '#protocol/crypto/field.ts';
import { InputError } from '#protocol/errors.ts';
import { TINY_SHAPE } from '#protocol/limits.ts';
import { tableHash } from '#protocol/risk/table.ts';
import { PgliteStore } from '#sequencer/ledger/pglite-store.ts';
import { type Sequencer, startSequencer } from '#sequencer/start.ts';
import { testConfig } from '../support/engine.ts';
import { keyOf, l1, NOW_SEC, orderMessage, PERP, QUOTES, riskTable, sign, USD } from '../support/ledger.ts';

describe('client of the sequencer API', () => {
  let sequencer: Sequencer;
  let client: SequencerClient;
  const table = riskTable();

  before(async () => {
    sequencer = await startSequencer({
      config: testConfig(),
      store: await PgliteStore.open(),
      proofs: { prove: () => new Promise(() => undefined) },
      api: { host: '127.0.0.1', port: 0 },
      pollMs: 0,
      onFatal: (error) => {
        throw error;
      },
    });
    const operations = [1, 2]
      .flatMap((index) => [l1('register', index), l1('deposit', index, 0, 1_000n * USD)])
      .map((operation, queueIndex) => ({ queueIndex, operation }));
    await sequencer.engine.command({
      kind: 'l1-block',
      blockNumber: 1,
      blockHash: '0x1',
      timeSec: NOW_SEC,
      operations,
      confirmedQueueEnd: operations.length,
      tables: [{ index: 0, table, quotes: QUOTES, acceptedAtSec: NOW_SEC }],
      numbers: undefined,
    });
    client = new SequencerClient(httpClient(sequencer.url ?? ''), TINY_SHAPE);
  });
  after(() => sequencer.stop());

  let nonce = 0n;
  const order = (account: number, side: 'buy' | 'sell', sizeLots: bigint, dollars: bigint) =>
    sign(account, [orderMessage({ side, sizeLots, limitMicrosPerLot: dollars * USD, nonce: nonce++ })]);

  it('reads a leaf as the protocol knows it', async () => {
    const account = await client.account(1);
    expect(account.publicKey).to.deep.equal(keyOf(1));
    expect(account.cashStar).to.equal(1_000n * USD);
    expect(account.epoch).to.equal(1n);
  });

  it('reads the round with the very table whose hash L1 holds', async () => {
    const round = await client.round();
    expect(round).to.deep.equal(table);
    expect(tableHash(round, TINY_SHAPE)).to.equal(tableHash(table, TINY_SHAPE));
  });

  it('places orders that trade', async () => {
    const [resting] = await client.submit(order(1, 'sell', 5n, 100n));
    expect(resting.status).to.equal('accepted');
    expect((await client.book(PERP)).asks).to.deep.equal([{ limitMicrosPerLot: 100n * USD, totalLots: 5n }]);
    await client.submit(order(2, 'buy', 3n, 101n), [{ timeInForce: 'ioc' }]);
    expect(sizeOf(await client.account(2), PERP)).to.equal(3n);
    if (resting.status !== 'accepted') return;
    expect(await client.order(resting.hash)).to.include({
      filledLots: '3',
      isOpen: true,
      status: 'sequenced',
    });
  });

  it('gets the outcome of every message, also when none was taken', async () => {
    const [outcome] = await client.submit(order(1, 'buy', 90_000n, 100n));
    expect(outcome.status).to.equal('refused');
    if (outcome.status === 'refused') expect(outcome.error.code).to.equal('insufficient-margin');
  });

  it('throws when the submission as a whole is refused: another key’s signature', async () => {
    const stolen = { ...order(1, 'sell', 1n, 100n), accountIndex: 2 };
    const refusal = await client.submit(stolen).catch((error: unknown) => error);
    expect(refusal).to.be.instanceOf(ApiRefusal);
    expect((refusal as ApiRefusal).code).to.equal('wrong-signature');
  });

  it('may repeat a submission: the same hash, one order', async () => {
    const signed = order(1, 'sell', 2n, 120n);
    const [first] = await client.submit(signed);
    const [second] = await client.submit(signed);
    expect(second).to.deep.equal(first);
    expect((await client.book(PERP)).asks.at(-1)).to.deep.equal({
      limitMicrosPerLot: 120n * USD,
      totalLots: 2n,
    });
  });

  /** A sequencer that changes the numbers of one row of its table. */
  const lying = (change: (row: Record<string, string>) => void) =>
    new SequencerClient(
      {
        get: async (path) => {
          const body = (await httpClient(sequencer.url ?? '').get(path)) as {
            rows: Record<string, string>[];
          };
          change(body.rows[1]);
          return body;
        },
        post: () => Promise.reject(new Error('not used')),
      },
      TINY_SHAPE,
    );

  it('believes no table that does not have the hash it comes with', async () => {
    const client = lying((row) => {
      row.mark = '1';
    });
    expect(await client.round().catch((error: unknown) => error)).to.be.instanceOf(InputError);
  });

  it('believes no number that only hashes like the true one', async () => {
    for (const field of ['mark', 'fundingIndex', 'band', 'chargeMmLong', 'positionCap']) {
      for (const turns of [-1n, 1n]) {
        const client = lying((row) => {
          row[field] = `${BigInt(row[field]) + turns * FIELD_MODULUS}`;
        });
        const answer = await client.round().catch((error: unknown) => error);
        expect(answer, field).to.be.instanceOf(InputError);
      }
    }
  });
});
