import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import * as snarkjs from 'snarkjs';
import { FIELD_MODULUS } from '#protocol/crypto/field.ts';
import { type CircuitInput, WitnessCalculator, WitnessError } from '#prover/witness-calculator.ts';
import { compileFixture, rejectionOf, signedChainInput } from './support/circuits.ts';

describe('witness calculator', () => {
  let calculator: WitnessCalculator;
  let wasmPath: string;
  const honest = signedChainInput(1n);

  before(async () => {
    ({ wasmPath } = await compileFixture('signed-chain-small'));
    calculator = await WitnessCalculator.create(readFileSync(wasmPath));
  });

  async function refusalOf(input: CircuitInput): Promise<WitnessError> {
    const error = await rejectionOf(calculator.calculate(input));
    expect(error).to.be.instanceOf(WitnessError);
    return error as WitnessError;
  }

  it("writes the bytes of snarkjs' own witness file", async () => {
    const expected = { type: 'mem', data: new Uint8Array() };
    await snarkjs.wtns.calculate(honest, wasmPath, expected);
    const actual = await calculator.calculate(honest);
    expect(Buffer.from(actual).equals(Buffer.from(expected.data))).to.equal(true);
  });

  it('takes nested arrays as one signal', async () => {
    const { values } = honest as { values: bigint[] };
    const nested = { ...honest, values: [values.slice(0, 8), [values.slice(8)]] };
    expect(await calculator.calculate(nested)).to.deep.equal(await calculator.calculate(honest));
  });

  it('says which template refuses an input without a witness, and works again after it', async () => {
    const error = await refusalOf({ ...honest, S: (honest.S as bigint) + 1n });
    expect(error.code).to.equal('constraint-failed');
    expect(error.message).to.contain('ForceEqualIfEnabled').and.to.contain('SignedChain');
    expect(await calculator.calculate(honest)).to.be.instanceOf(Uint8Array);
  });

  const { S: _, ...withoutS } = honest;
  const mismatches: Record<string, CircuitInput> = {
    'a signal missing': withoutS,
    'a signal too many': { ...honest, extra: 1n },
    'a value too few': { ...honest, values: (honest.values as bigint[]).slice(1) },
    'a value too many': { ...honest, values: [...(honest.values as bigint[]), 1n] },
  };
  const noElements: Record<string, CircuitInput> = {
    'a value beyond the field': { ...honest, salt: FIELD_MODULUS },
    'a negative value': { ...honest, salt: -1n },
    'a value that is not a bigint': { ...honest, salt: 5 as unknown as bigint },
  };
  for (const [name, input] of Object.entries(mismatches)) {
    it(`refuses an input with ${name}`, async () => {
      expect((await refusalOf(input)).code).to.equal('input-mismatch');
    });
  }
  for (const [name, input] of Object.entries(noElements)) {
    it(`refuses an input with ${name}`, async () => {
      expect((await refusalOf(input)).code).to.equal('not-in-field');
    });
  }
});
