import { chmodSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { FIELD_MODULUS } from '#protocol/crypto/field.ts';
import {
  ArtifactError,
  type CircuitArtifacts,
  type CircuitProof,
  InvalidProofError,
  openBackend,
  RAPIDSNARK_VARIABLE,
  verifyProof,
} from '#prover/prove.ts';
import { BackendError, ProverPathError } from '#prover/rapidsnark.ts';
import { holdCurve } from '#prover/snarkjs.ts';
import { WitnessError } from '#prover/witness-calculator.ts';
import {
  fixtureArtifacts,
  rejectionOf,
  signedChainInput,
  signedChainOutputs,
  squareChainInput,
  temporaryFolder,
} from './support/circuits.ts';

describe('prove', () => {
  let folder: string;
  let artifacts: CircuitArtifacts;
  let honest: CircuitProof;
  let releaseCurve: () => Promise<void>;

  before(async () => {
    folder = temporaryFolder();
    releaseCurve = await holdCurve();
    artifacts = await fixtureArtifacts('signed-chain-small');
    const backend = await openBackend(artifacts, {});
    honest = await backend.prove(signedChainInput(1n));
    await backend.close();
  });
  after(async () => {
    await releaseCurve();
    rmSync(folder, { recursive: true });
  });

  it('gives a verified proof with the public signals in the order of declaration', async () => {
    const input = signedChainInput(1n);
    expect(honest.publicSignals).to.deep.equal([...signedChainOutputs(1n), input.Ax, input.Ay, 5n]);
    expect(await verifyProof(artifacts.verificationKey, honest)).to.equal(true);
  });

  it('proves a circuit of another size under its development key', async () => {
    const larger = await fixtureArtifacts('square-chain-long');
    const backend = await openBackend(larger, {});
    const proof = await backend.prove(squareChainInput(3n));
    expect(await verifyProof(larger.verificationKey, proof)).to.equal(true);
    expect(proof.publicSignals.slice(2)).to.deep.equal([7n, 8n, 9n]);
    for (let index = 0; index < 5; index++) {
      const tampered = proof.publicSignals.with(index, (proof.publicSignals[index] + 1n) % FIELD_MODULUS);
      expect(await verifyProof(larger.verificationKey, { ...proof, publicSignals: tampered })).to.equal(
        false,
      );
    }
    await backend.close();
  });

  for (let index = 0; index < 5; index++) {
    it(`refuses a proof whose public signal ${index} is off by one or by the modulus`, async () => {
      for (const change of [1n, FIELD_MODULUS]) {
        const publicSignals = honest.publicSignals.with(index, honest.publicSignals[index] + change);
        expect(await verifyProof(artifacts.verificationKey, { ...honest, publicSignals })).to.equal(false);
      }
    });
  }

  it('refuses proofs with public signals missing or added, also zeros', async () => {
    for (const publicSignals of [honest.publicSignals.slice(0, 4), [...honest.publicSignals, 0n], []]) {
      expect(await verifyProof(artifacts.verificationKey, { ...honest, publicSignals })).to.equal(false);
    }
  });

  it('refuses proofs with changed points', async () => {
    const { a, b, c } = honest.proof;
    const changes = [
      { a: c, b, c: a },
      { a: [a[0], a[1] + 1n] as const, b, c },
      { a, b: [b[1], b[0]] as const, c },
      { a, b, c: [0n, 0n] as const },
    ];
    for (const proof of changes) {
      expect(await verifyProof(artifacts.verificationKey, { ...honest, proof })).to.equal(false);
    }
  });

  it('has no proof for an input without a witness', async () => {
    const backend = await openBackend(artifacts, {});
    expect(await rejectionOf(backend.prove({ ...signedChainInput(1n), R8x: 1n }))).to.be.instanceOf(
      WitnessError,
    );
    await backend.close();
  });

  for (const file of ['zkeyPath', 'wasmPath'] as const) {
    it(`refuses a ${file.slice(0, 4)} file that is truncated, altered or missing`, async () => {
      const bytes = readFileSync(artifacts[file]);
      const path = join(folder, 'damaged');
      const flipped = Uint8Array.from(bytes);
      flipped[bytes.length >> 1] ^= 1;
      for (const damaged of [bytes.subarray(0, bytes.length - 1), flipped, undefined]) {
        if (damaged) writeFileSync(path, damaged);
        else rmSync(path);
        const error = await rejectionOf(openBackend({ ...artifacts, [file]: path }, {}));
        expect(error).to.be.instanceOf(ArtifactError);
      }
    });
  }

  it('never hands out a proof that does not verify', async () => {
    // A verification key that does not belong to the proving key.
    const { IC } = artifacts.verificationKey;
    const verificationKey = { ...artifacts.verificationKey, IC: [IC[1], IC[0], ...IC.slice(2)] };
    const backend = await openBackend({ ...artifacts, verificationKey }, {});
    expect(await rejectionOf(backend.prove(signedChainInput(1n)))).to.be.instanceOf(InvalidProofError);
    await backend.close();
  });

  describe('with an outside prover', () => {
    /** A stand-in for rapidsnark: same parameters, a shell script as its work. */
    function script(name: string, body: string): Record<string, string> {
      const path = join(folder, name);
      writeFileSync(path, `#!/bin/sh\nset -e\n${body}\n`);
      chmodSync(path, 0o755);
      return { [RAPIDSNARK_VARIABLE]: path };
    }

    /** Files that rapidsnark would write for the honest proof. */
    function answerFiles(): string {
      const { proof, publicSignals } = honest;
      const real = (pair: readonly [bigint, bigint]) => [String(pair[1]), String(pair[0])];
      const answer = {
        pi_a: [...proof.a.map(String), '1'],
        pi_b: [real(proof.b[0]), real(proof.b[1]), ['1', '0']],
        pi_c: [...proof.c.map(String), '1'],
        protocol: 'groth16',
      };
      writeFileSync(join(folder, 'proof.json'), JSON.stringify(answer));
      writeFileSync(join(folder, 'public.json'), JSON.stringify(publicSignals.map(String)));
      return `cp ${folder}/proof.json "$3"; cp ${folder}/public.json "$4"`;
    }

    const leftovers = () => readdirSync(tmpdir()).filter((name) => name.startsWith('ballast-rapidsnark-'));

    it('runs it on the same zkey and witness, and leaves no file behind', async () => {
      const before = leftovers();
      const seen = `cmp "$1" ${artifacts.zkeyPath}; head -c 4 "$2" | grep -q wtns; ${answerFiles()}`;
      const backend = await openBackend(artifacts, script('honest', seen));
      expect(backend.name).to.equal('rapidsnark');
      expect(await backend.prove(signedChainInput(1n))).to.deep.equal(honest);
      await backend.close();
      expect(leftovers()).to.deep.equal(before);
    });

    it('verifies what it says: a proof of something else is refused', async () => {
      const backend = await openBackend(
        artifacts,
        script('liar', `${answerFiles()}; sed -i 's/"5"\\]/"6"]/' "$4"`),
      );
      expect(await rejectionOf(backend.prove(signedChainInput(1n)))).to.be.instanceOf(InvalidProofError);
      await backend.close();
    });

    it('reports its failure with its words', async () => {
      const backend = await openBackend(artifacts, script('broken', 'echo out of memory >&2; exit 3'));
      const error = await rejectionOf(backend.prove(signedChainInput(1n)));
      expect(error).to.be.instanceOf(BackendError);
      expect(error.message).to.contain('code 3').and.to.contain('out of memory');
      await backend.close();
    });

    it('is refused when it is opened, if its path names no program, with the path and what is wrong', async () => {
      const before = leftovers();
      const plain = join(folder, 'plain');
      writeFileSync(plain, 'no program');
      chmodSync(plain, 0o644);
      const paths: [string, string][] = [
        [join(folder, 'absent'), 'does not exist'],
        [folder, 'is not a file'],
        [plain, 'cannot be executed'],
        [join(plain, 'inside'), 'does not exist'],
      ];
      for (const [path, problem] of paths) {
        const error = await rejectionOf(openBackend(artifacts, { [RAPIDSNARK_VARIABLE]: path }));
        expect(error).to.be.instanceOf(ProverPathError);
        expect(error.message).to.equal(`${path} ${problem}`);
      }
      expect(leftovers()).to.deep.equal(before);
    });

    it('fails as a backend if its file is executable and yet no program', async () => {
      const path = join(folder, 'garbage');
      writeFileSync(path, Uint8Array.of(0x7f, 0x45, 0x4c, 0x46, 0));
      chmodSync(path, 0o755);
      const backend = await openBackend(artifacts, { [RAPIDSNARK_VARIABLE]: path });
      expect(await rejectionOf(backend.prove(signedChainInput(1n)))).to.be.instanceOf(BackendError);
      await backend.close();
    });

    it('is not configured by an empty variable', async () => {
      const backend = await openBackend(artifacts, { [RAPIDSNARK_VARIABLE]: '' });
      expect(backend.name).to.not.equal('rapidsnark');
      await backend.close();
    });
  });
});
