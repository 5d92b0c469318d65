import { expect } from 'chai';
import { FIELD_MODULUS } from '#protocol/crypto/field.ts';
import { type Constructor, deployRollup } from '#test/support/rollup.ts';

const NOBODY = '0x0000000000000000000000000000000000000000';
const NO_CODE = `0x${'12'.repeat(20)}`;
const settings = (change: Record<string, unknown>) => (values: Constructor) => ({
  ...values,
  settings: { ...values.settings, ...change },
});
const token = (index: number, change: Record<string, unknown>) => (values: Constructor) => ({
  ...values,
  tokens: values.tokens.map((one, i) => (i === index ? { ...one, ...change } : one)),
});
const size = (change: Record<string, unknown>) => (values: Constructor) => ({
  ...values,
  sizes: values.sizes.map((one) => ({ ...one, ...change })),
});

/** The first word of each message says which check it was. */
const REFUSED: Record<string, readonly [change: (values: Constructor) => Constructor, reason: string]> = {
  'an oracle without code': [settings({ oracle: NO_CODE }), 'oracle without code'],
  'no operator': [settings({ operator: NOBODY }), 'no operator or submitter'],
  'no submitter': [settings({ submitter: NOBODY }), 'no operator or submitter'],
  'a genesis root outside the field': [
    settings({ genesisRoot: FIELD_MODULUS }),
    'genesis root not in the field',
  ],
  'a tree too deep for account indices': [settings({ treeDepth: 13 }), 'account indices have 24 bits'],
  'a tree of depth 0': [settings({ treeDepth: 0 }), 'account indices have 24 bits'],
  'rows without words': [settings({ accountWords: 1 }), 'no account words or no batch size'],
  'no batch size': [(values) => ({ ...values, sizes: [] }), 'no account words or no batch size'],
  'a verifier without code': [size({ verifier: NO_CODE }), 'verifier without code'],
  'a batch that cannot serve the queue': [size({ l1Operations: 0 }), 'a batch that cannot serve the queue'],
  'no token': [(values) => ({ ...values, tokens: [] }), 'no token or too many'],
  'five tokens': [
    (values) => ({ ...values, tokens: [...values.tokens, ...values.tokens].slice(0, 5) }),
    'no token or too many',
  ],
  'a token twice': [(values) => token(2, { token: values.tokens[1].token })(values), 'token listed twice'],
  'a token without code': [token(1, { token: NO_CODE }), 'token without code'],
  'a unit of nothing': [token(1, { weiPerUnit: 0n }), 'unit or minimum is zero'],
  'no minimum': [token(1, { depositMinUnits: 0n }), 'unit or minimum is zero'],
  'a cap on lots that sums on L2 could exceed': [token(1, { capUnits: 2n ** 30n + 1n }), 'cap too large'],
  'a cap on micros that sums on L2 could exceed': [token(0, { capUnits: 2n ** 70n }), 'cap too large'],
  'an outflow floor that rounds to nothing': [
    token(1, { outflowFloorUnits: 3n }),
    'outflow floor out of range',
  ],
  'an outflow floor that its place cannot hold': [
    token(0, { outflowFloorUnits: 2n ** 56n }),
    'outflow floor out of range',
  ],
  'a floor of lots that its place cannot hold': [
    token(1, { outflowFloorUnits: 2n ** 40n }),
    'outflow floor out of range',
  ],
};

describe('MarginRollup, construction', () => {
  for (const [name, [change, reason]] of Object.entries(REFUSED)) {
    it(`refuses ${name}`, async () => {
      const error = await deployRollup({}, change).then(
        () => undefined,
        (refusal: Error) => refusal,
      );
      expect(error?.message).to.contain(reason);
    });
  }
});
