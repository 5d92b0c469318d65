import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { FIELD_MODULUS } from '#protocol/crypto/field.ts';
import { ProverFileError } from '#prover/groth16/binary-sections.ts';
import { type Groth16Prover, openGroth16, randomBlinding } from '#prover/groth16/groth16.ts';
import { ProverThreadError } from '#prover/groth16/thread-pool.ts';
import { type CircuitArtifacts, InvalidProofError, openBackend, PROVER_VARIABLE } from '#prover/prove.ts';
import { holdCurve, provePoints, verifyPoints } from '#prover/snarkjs.ts';
import { type CircuitInput, WitnessCalculator } from '#prover/witness-calculator.ts';
import {
  fixtureArtifacts,
  productInput,
  rejectionOf,
  signedChainInput,
  squareChainInput,
} from '../support/circuits.ts';

const THREADS = 2;
const BLINDINGS = [
  { r: 0n, s: FIELD_MODULUS - 1n },
  { r: FIELD_MODULUS / 3n, s: FIELD_MODULUS / 7n },
];
const CIRCUITS: [string, CircuitInput][] = [
  ['product', productInput(6n, 7n)],
  ['square-chain-short', squareChainInput(3n)],
  ['signed-chain-small', signedChainInput(1n)],
];

/** Lets snarkjs draw these numbers, in this order, instead of random ones. */
async function withDraws<T>(draws: bigint[], use: () => Promise<T>): Promise<T> {
  const { curve_bn128: curve } = globalThis as unknown as {
    curve_bn128: { Fr: { random(): Uint8Array; e(value: bigint): Uint8Array } };
  };
  const { random } = curve.Fr;
  const rest = [...draws];
  curve.Fr.random = () => curve.Fr.e(rest.shift() as bigint);
  try {
    return await use();
  } finally {
    curve.Fr.random = random;
    expect(rest).to.deep.equal([]);
  }
}

describe('groth16', () => {
  let release: () => Promise<void>;
  before(async () => {
    release = await holdCurve();
  });
  after(() => release());

  for (const [name, input] of CIRCUITS) {
    describe(`on ${name}`, () => {
      let artifacts: CircuitArtifacts;
      let zkey: Uint8Array;
      let witness: Uint8Array;
      let prover: Groth16Prover;

      before(async () => {
        artifacts = await fixtureArtifacts(name);
        zkey = readFileSync(artifacts.zkeyPath);
        const calculator = await WitnessCalculator.create(readFileSync(artifacts.wasmPath));
        witness = await calculator.calculate(input);
        prover = await openGroth16(zkey, THREADS);
      });
      after(() => prover.close());

      it("makes snarkjs' points for the same blinding", async () => {
        await provePoints(zkey, witness); // makes the curve
        for (const blinding of BLINDINGS) {
          const expected = await withDraws([blinding.r, blinding.s], () => provePoints(zkey, witness));
          expect(await prover.make(witness, blinding)).to.deep.equal(expected);
        }
      });

      it('makes proofs that verify and differ each time, also when asked for many at once', async () => {
        const made = await Promise.all([1, 2, 3].map(() => prover.make(witness)));
        for (const { proof, publicSignals } of made) {
          expect(await verifyPoints(artifacts.verificationKey, publicSignals, proof)).to.equal(true);
        }
        expect(new Set(made.map(({ proof }) => proof.pi_a[0])).size).to.equal(made.length);
      });

      it('makes no proof of a witness with any one wire changed', async () => {
        const valuesAt = witness.length - 32 * ((witness.length - 76) / 32);
        const wires = (witness.length - valuesAt) / 32;
        for (const wire of [1, wires >> 1, wires - 1]) {
          const tampered = Uint8Array.from(witness);
          tampered[valuesAt + 32 * wire] ^= 1;
          const { proof, publicSignals } = await prover.make(tampered);
          expect(await verifyPoints(artifacts.verificationKey, publicSignals, proof)).to.equal(false);
        }
      });

      it('refuses witnesses and keys that are cut off or of another kind', async () => {
        for (const damaged of [witness.subarray(0, witness.length - 32), witness.subarray(4), zkey]) {
          expect(await rejectionOf(prover.make(damaged))).to.be.instanceOf(ProverFileError);
        }
        for (const damaged of [zkey.subarray(0, zkey.length - 1), witness, new Uint8Array(0)]) {
          expect(await rejectionOf(openGroth16(damaged, THREADS))).to.be.instanceOf(ProverFileError);
        }
      });
    });
  }

  it('is the prover by default, and refuses its own proof when the witness was tampered with', async () => {
    const artifacts = await fixtureArtifacts('signed-chain-small');
    const backend = await openBackend(artifacts, {});
    expect(backend.name).to.equal('ballast');
    const { calculate } = WitnessCalculator.prototype;
    WitnessCalculator.prototype.calculate = async function (input) {
      const witness = await calculate.call(this, input);
      witness[witness.length - 32] ^= 1;
      return witness;
    };
    try {
      const error = await rejectionOf(backend.prove(signedChainInput(1n)));
      expect(error).to.be.instanceOf(InvalidProofError);
      // Nothing of the witness in what may be logged.
      expect(error.message).to.equal('the proof that ballast made for signed-chain-small does not verify');
    } finally {
      WitnessCalculator.prototype.calculate = calculate;
      await backend.close();
    }
  });

  it('leaves the choice of snarkjs to the environment, and refuses unknown names', async () => {
    const artifacts = await fixtureArtifacts('square-chain-short');
    const backend = await openBackend(artifacts, { [PROVER_VARIABLE]: 'snarkjs' });
    expect(backend.name).to.equal('snarkjs');
    await backend.prove(squareChainInput(3n));
    await backend.close();
    const error = await rejectionOf(openBackend(artifacts, { [PROVER_VARIABLE]: 'other' }));
    expect(error).to.be.instanceOf(RangeError);
    expect(error.message).to.contain('other');
  });

  it('draws blinding numbers over the whole field, and never at or above the order', () => {
    const draws = Array.from({ length: 500 }, randomBlinding).flatMap(({ r, s }) => [r, s]);
    expect(draws.every((draw) => draw >= 0n && draw < FIELD_MODULUS)).to.equal(true);
    expect(new Set(draws).size).to.equal(draws.length);
    // 1000 uniform numbers have 125 in each eighth, within about five standard deviations of 10.5.
    for (let part = 0n; part < 8n; part++) {
      const [low, high] = [part, part + 1n].map((bound) => (bound * FIELD_MODULUS) / 8n);
      const inPart = draws.filter((draw) => draw >= low && draw < high).length;
      expect(inPart).to.be.within(70, 180);
    }
  });

  it('lets the process end after close, and fails what is still running', async () => {
    const artifacts = await fixtureArtifacts('square-chain-short');
    const calculator = await WitnessCalculator.create(readFileSync(artifacts.wasmPath));
    const witness = await calculator.calculate(squareChainInput(3n));
    const prover = await openGroth16(readFileSync(artifacts.zkeyPath), THREADS);
    const running = rejectionOf(prover.make(witness));
    await prover.close();
    expect(await running).to.be.instanceOf(ProverThreadError);
    expect(await rejectionOf(prover.make(witness))).to.be.instanceOf(ProverThreadError);
  });

  it('holds no process open: one that proves and closes ends by itself', () => {
    const script = join(import.meta.dirname, '../support/prove-and-close.ts');
    const { status, stdout, stderr } = spawnSync(process.execPath, [script], {
      timeout: 60_000,
      encoding: 'utf8',
    });
    expect({ status, stderr }).to.deep.equal({ status: 0, stderr: '' });
    expect(stdout.trim()).to.equal('ballast 5');
  });
});
