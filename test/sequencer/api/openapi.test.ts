import { expect } from 'chai';
import { submissionBody } from '#client/wire.ts';
import { RESOURCES } from '#sequencer/api/openapi.ts';
import { ApiWorld } from '../../support/api.ts';
import { hashOf } from '../../support/engine.ts';
import { marked, PERP, sign } from '../../support/ledger.ts';

describe('the OpenAPI document', () => {
  let api: ApiWorld;
  let orderHash: string;
  let cancelHash: string;
  let liquidating: number;

  before(async () => {
    api = await ApiWorld.open();
    await api.world.fund({ 1: 250n, 2: 10_000n, 3: 10_000n });
    hashOf(await api.world.order(2, 'sell', 12n, 100n));
    orderHash = hashOf(await api.world.order(1, 'buy', 10n, 100n));
    await api.world.settle();
    hashOf(await api.world.order(3, 'buy', 12n, 90n));
    await api.world.round(marked(89n));
    await api.world.seal();
    liquidating = await api.world.engine.read((state) => state.nextBatchNumber - 1);
    const cancel = await api.submit(sign(1, [{ kind: 'cancel', nonce: 40n, floorBackWords: 1 }]));
    cancelHash = cancel.body.results[0].hash;
  });
  after(() => api.close());

  it('has every route that is served, and no other', () => {
    const written = RESOURCES.map(({ method, path }) => `${method} ${path.replace(/\{(\w+)\}/g, ':$1')}`);
    expect(written).to.have.members(api.routes);
  });

  it('describes every answer: real ones fit it', async () => {
    const mixed = submissionBody(api.world.signOrder(2, 'buy', 1n, 80n));
    const real: [path: string, asked: string, body?: object][] = [
      ['/v1/openapi.json', '/v1/openapi.json'],
      ['/v1/messages', '/v1/messages', mixed],
      ['/v1/accounts/{index}', '/v1/accounts/1'],
      ['/v1/accounts/{index}', '/v1/accounts/9'],
      ['/v1/orders/{hash}', `/v1/orders/${orderHash}`],
      ['/v1/orders/{hash}', `/v1/orders/${cancelHash}`],
      ['/v1/book/{instrument}', `/v1/book/${PERP}`],
      ['/v1/instruments', '/v1/instruments'],
      ['/v1/round', '/v1/round'],
      [
        '/v1/margin/what-if',
        '/v1/margin/what-if',
        { cashMicros: '5', positions: [{ instrumentId: PERP, sizeLots: '-3' }] },
      ],
      ['/v1/batches', '/v1/batches'],
      ['/v1/batches/{number}', `/v1/batches/${liquidating}`],
      ['/v1/liquidations/{batch}/{row}', `/v1/liquidations/${liquidating}/0`],
      ['/v1/health', '/v1/health'],
    ];
    expect(new Set(real.map(([path]) => path))).to.deep.equal(new Set(RESOURCES.map(({ path }) => path)));
    for (const [path, asked, body] of real) {
      const answer = body === undefined ? await api.get(asked) : await api.post(asked, JSON.stringify(body));
      expect(answer.status, asked).to.equal(200);
      const fits = RESOURCES.find((resource) => resource.path === path)?.answer.safeParse(answer.body);
      expect(fits?.error?.issues, asked).to.equal(undefined);
    }
  });

  it('says of each resource what it takes, what it answers, and how it refuses', async () => {
    const { body } = await api.get('/v1/openapi.json');
    for (const { method, path } of RESOURCES) {
      const { responses } = body.paths[path][method];
      expect(responses[200].content['application/json'].schema, path).to.not.deep.equal({});
      expect(responses.default.content['application/json'].schema.$ref).to.equal(
        '#/components/schemas/Error',
      );
    }
    expect(body.components.schemas.Error.required).to.have.members(['code', 'message', 'data', 'hint']);
    const { schema } = body.paths['/v1/messages'].post.requestBody.content['application/json'];
    expect(schema.additionalProperties).to.equal(false);
    expect(schema.required).to.include.members(['accountIndex', 'messages', 'signature']);
  });
});
