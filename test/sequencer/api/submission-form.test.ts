/** THREATS S04, S06: numbers and bodies outside the form. What was given and what was expected comes back, and nothing else happens. */
import { expect } from 'chai';
import { submissionBody } from '#client/wire.ts';
import { SUBGROUP_ORDER } from '#protocol/crypto/eddsa.ts';
import { type Answer, ApiWorld } from '../../support/api.ts';
import { orderMessage, sign } from '../../support/ledger.ts';

const SIZE = 'messages.0.sizeLots';
const CANONICAL = 'expected a canonical decimal string such as "0" or "1250"';

describe('the form of POST /v1/messages', () => {
  let api: ApiWorld;

  before(async () => {
    api = await ApiWorld.open({}, {}, { peer: { malformed: { perSec: 1_000, burst: 1_000 } } });
    await api.world.fund({ 1: 10_000n, 2: 10_000n });
    // Something to lose: an open batch, open orders, used nonces.
    await api.submit(api.world.signOrder(2, 'sell', 2n, 100n));
    await api.submit(api.world.signOrder(1, 'buy', 1n, 100n));
  });
  after(async () => {
    expect(api.reported, 'failures of its own').to.deep.equal([]);
    await api.close();
  });

  const valid = () =>
    submissionBody(api.world.signOrder(1, 'buy', 1n, 80n, { nonce: 62n })) as Record<string, unknown>;
  const withOrder = (change: Record<string, unknown>) => {
    const body = valid();
    const [order] = body.messages as Record<string, unknown>[];
    return { ...body, messages: [{ ...order, ...change }] };
  };
  const post = (body: unknown, headers?: Record<string, string>): Promise<Answer> =>
    api.post('/v1/messages', typeof body === 'string' ? body : JSON.stringify(body), headers);
  const invalid = async (body: unknown, data: object): Promise<void> => {
    const answer = await api.refusal(() => post(body), 400, 'invalid-request');
    expect(answer.data).to.deep.equal(data);
  };
  const malformed = async (text: string, data: object): Promise<void> => {
    const answer = await api.refusal(() => post(text), 400, 'malformed-json');
    expect(answer.data, text.slice(0, 40)).to.deep.include(data);
  };

  describe('numbers', () => {
    const bad = [
      ...['1e3', '-0', '-1', '01', '00', '+1', 'NaN', 'Infinity', '1.0', '1.', '.5', '0x10', '0b1', '1_000'],
      ...[' 1', '1 ', '1n', '', '١', '１', '1\u0000', '\n1', '٣', 'null', '1,000'],
    ];
    for (const value of bad) {
      it(`refuses the size ${JSON.stringify(value)}`, () =>
        invalid(withOrder({ sizeLots: value }), { field: SIZE, value, expected: CANONICAL }));
    }

    it('refuses a size beyond its type and says where that ends', async () => {
      const limit = `${2n ** 47n}`;
      const expected = `expected less than ${limit}`;
      await invalid(withOrder({ sizeLots: limit }), { field: SIZE, value: limit, expected, limit });
      await invalid(withOrder({ sizeLots: '0' }), {
        field: SIZE,
        value: '0',
        expected: 'expected more than 0',
        limit: '0',
      });
    });

    it('says of a very long number its beginning and its length', () =>
      invalid(withOrder({ sizeLots: '9'.repeat(50_000) }), {
        field: SIZE,
        value: `${'9'.repeat(64)}… (50000 characters)`,
        expected: 'expected at most 78 characters',
        limit: 78,
      }));

    it('refuses a size that is a JSON number, a list, null or missing', async () => {
      const expected = 'expected a value of type string';
      const given: [unknown, string | null][] = [
        [1, '1'],
        [null, 'null'],
        [['1'], '["1"]'],
        [{ $n: '1' }, '{"$n":"1"}'],
        [true, 'true'],
        [undefined, null],
      ];
      for (const [sizeLots, value] of given) {
        await invalid(withOrder({ sizeLots }), { field: SIZE, value, expected });
      }
      for (const token of ['1.5', '1e15', '9007199254740993', '-0', '01']) {
        const text = JSON.stringify(valid()).replace('"sizeLots":"1"', `"sizeLots":${token}`);
        const expected = 'expected a canonical integer; amounts are decimal strings';
        await malformed(text, { field: `body, character ${text.indexOf(token)}`, value: token, expected });
      }
    });

    it('refuses an account index that is not a canonical integer within the tree', async () => {
      const text = JSON.stringify(valid());
      const withIndex = (index: string) => text.replace('"accountIndex":1', `"accountIndex":${index}`);
      for (const index of ['1.0', '1e0', '01', '1.5', '-01']) {
        await malformed(withIndex(index), {
          value: index,
          expected: 'expected a canonical integer; amounts are decimal strings',
        });
      }
      for (const index of ['+1', 'NaN'])
        await malformed(withIndex(index), { expected: 'expected a JSON value' });
      await malformed(withIndex('0x1'), { expected: 'expected "," or "}"' });
      const field = 'accountIndex';
      await invalid(withIndex('"1"'), { field, value: '1', expected: 'expected a value of type number' });
      await invalid(withIndex('-1'), { field, value: '-1', expected: 'expected at least 1', limit: 1 });
      await invalid(withIndex('0'), { field, value: '0', expected: 'expected at least 1', limit: 1 });
      const limit = 2 ** 24 - 1;
      await invalid(withIndex('16777216'), {
        field,
        value: '16777216',
        expected: `expected at most ${limit}`,
        limit,
      });
    });

    it('refuses a signature scalar of the subgroup order: it would be a second signature', async () => {
      const body = valid();
      const { r8 } = body.signature as { r8: string[] };
      const limit = `${SUBGROUP_ORDER}`;
      await invalid(
        { ...body, signature: { r8, s: limit } },
        {
          field: 'signature.s',
          value: `${limit.slice(0, 64)}… (${limit.length} characters)`,
          expected: `expected less than ${limit}`,
          limit,
        },
      );
    });
  });

  describe('shape', () => {
    it('refuses repeated keys, which two readers would read differently', async () => {
      const text = JSON.stringify(valid());
      const repeated = { value: 'repeated', expected: 'expected each key at most once in an object' };
      const withEpochs = text.replace('"epoch":"1"', '"epoch":"1","epoch":"2"');
      await malformed(withEpochs, { field: 'epoch', ...repeated });
      const escaped = text.replace('"epoch":"1"', '"epoch":"1","\\u0065poch":"2"');
      await malformed(escaped, { field: 'epoch', ...repeated });
      const nested = text.replace('"sizeLots":"1"', '"sizeLots":"1","sizeLots":"1"');
      await malformed(nested, { field: 'sizeLots', ...repeated });
    });

    it('refuses unknown keys anywhere, and names the first', async () => {
      const expected = 'expected no field of this name';
      await invalid({ ...valid(), recipient: '7' }, { field: 'recipient', value: '7', expected });
      await invalid(withOrder({ recipient: '7' }), { field: 'messages.0.recipient', value: '7', expected });
      await invalid(
        { ...valid(), [`x${'y'.repeat(5_000)}`]: 1 },
        { field: `x${'y'.repeat(63)}… (5001 characters)`, value: '1', expected },
      );
      await malformed(JSON.stringify(valid()).replace('{', '{"__proto__":{},'), {
        expected: 'expected another key than __proto__',
      });
    });

    it('refuses another kind, side or time in force, and lists those there are', async () => {
      const kinds = 'expected one of order, cancel, cancel-all, withdraw';
      await invalid(withOrder({ kind: 'gift' }), {
        field: 'messages.0.kind',
        value: 'gift',
        expected: kinds,
      });
      const sides = 'expected one of buy, sell';
      await invalid(withOrder({ side: 'both' }), {
        field: 'messages.0.side',
        value: 'both',
        expected: sides,
      });
      await invalid(
        { ...valid(), options: [{ timeInForce: 'day' }] },
        { field: 'options.0.timeInForce', value: 'day', expected: 'expected one of gtc, ioc, fok' },
      );
    });

    it('refuses a tree that does not fit its depth, no message, and more than sixteen', async () => {
      const limited = (limit: number) => ({ expected: `expected at most ${limit}`, limit });
      await invalid({ ...valid(), depth: 3 }, { field: 'depth', value: '3', ...limited(2) });
      const two = [72n, 73n].map((nonce) => orderMessage({ side: 'buy', sizeLots: 1n, nonce }));
      await invalid(
        { ...submissionBody(sign(1, two)), depth: 0 },
        {
          field: 'depth',
          value: '0',
          expected: 'expected at most 1 messages at this depth',
          messages: 2,
          limit: 1,
        },
      );
      const none = { field: 'messages', value: '[]', expected: 'expected at least 1 entries', limit: 1 };
      await invalid({ ...valid(), messages: [] }, none);
      const [message] = valid().messages as object[];
      const answer = await api.refusal(
        () => post({ ...valid(), messages: Array(17).fill(message) }),
        400,
        'invalid-request',
      );
      expect(answer.data).to.include({
        field: 'messages',
        expected: 'expected at most 16 entries',
        limit: 16,
      });
    });

    it('refuses more values than any schema takes before it looks at them', async () => {
      const many = { messages: Array(16_000).fill({}) };
      await malformed(JSON.stringify(many), { expected: 'expected at most 1024 values' });
      const keys = Object.fromEntries(Array.from({ length: 5_000 }, (_, i) => [`k${i}`, 1]));
      await malformed(JSON.stringify(keys), { expected: 'expected at most 1024 values' });
    });

    it('refuses what is not JSON, and says where it is wrong', async () => {
      const texts: [text: string, at: number, value: string, expected: string][] = [
        ['', 0, 'its end', 'expected a JSON value'],
        ['{', 1, 'its end', 'expected a string'],
        ['[', 1, 'its end', 'expected a JSON value'],
        ['{}x', 2, 'x', 'expected one JSON value and nothing after it'],
        ['nul', 0, 'nul', 'expected a JSON value'],
        ['"', 0, '"', 'expected a string'],
        ['{"a":}', 5, '}', 'expected a JSON value'],
        ['{,}', 1, ',}', 'expected a string'],
        ['[1,]', 3, ']', 'expected a JSON value'],
        ['['.repeat(5_000), 9, '['.repeat(24), 'expected nesting of at most 8'],
        ["{'a':1}", 1, "'a':1}", 'expected a string'],
        ['\u00a0{}', 0, '\u00a0{}', 'expected a JSON value'],
      ];
      for (const [text, at, value, expected] of texts) {
        await malformed(text, { field: `body, character ${at}`, value, expected });
      }
    });

    it('refuses other media types and compressed bodies', async () => {
      const refused = async (headers: Record<string, string>, data: object) => {
        const answer = await api.refusal(() => post(valid(), headers), 415, 'unsupported-media-type');
        expect(answer.data).to.deep.equal(data);
      };
      await refused(
        { 'content-type': 'text/plain' },
        { field: 'content-type', value: 'text/plain', expected: 'application/json' },
      );
      await refused(
        { 'content-encoding': 'gzip' },
        { field: 'content-encoding', value: 'gzip', expected: 'no compression' },
      );
    });

    it('refuses a body of more than 64 KiB with both numbers', async () => {
      const text = `${JSON.stringify(valid())}${' '.repeat(65_536)}`;
      const answer = await api.refusal(() => post(text), 413, 'body-too-large');
      expect(answer.data).to.deep.equal({ field: 'body', givenBytes: `${text.length}`, limitBytes: 65_536 });
    });
  });
});
