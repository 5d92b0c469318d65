import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { bn254 } from '@noble/curves/bn254.js';
import { expect } from 'chai';
import * as snarkjs from 'snarkjs';
import { FIELD_MODULUS } from '#protocol/crypto/field.ts';
import {
  checkVerificationKey,
  isDevelopmentKey,
  KeyRefusedError,
  LOCAL_CHAIN_ID,
} from '#prover/setup/key-gate.ts';
import { type ToxicWaste, toxicWasteFromSeed } from '#prover/setup/toxic-waste.ts';
import { writeDevelopmentZkey } from '#prover/setup/write-development-zkey.ts';
import {
  readVerificationKey,
  type SnarkjsProof,
  type VerificationKey,
  verifyPoints,
  withCurve,
} from '#prover/snarkjs.ts';
import { compileFixture, fixtureArtifacts, temporaryFolder } from '../support/circuits.ts';
import { writeKnownPtau } from '../support/known-ptau.ts';

const MAINNET = 1n;

/** (alpha1, beta2, −Σ x·IC): a proof of anything where gamma = delta. */
function forge(key: VerificationKey, publicSignals: readonly bigint[]): SnarkjsProof {
  const toPoint = ([x, y]: readonly string[]) => bn254.G1.Point.fromAffine({ x: BigInt(x), y: BigInt(y) });
  const sum = publicSignals.reduce(
    (total, signal, index) => total.add(toPoint(key.IC[index + 1]).multiplyUnsafe(signal)),
    toPoint(key.IC[0]),
  );
  const { x, y } = sum.negate().toAffine();
  return {
    pi_a: key.vk_alpha_1,
    pi_b: key.vk_beta_2,
    pi_c: [String(x), String(y), '1'],
    protocol: 'groth16',
  };
}

function refusalOf(key: VerificationKey, chainId = MAINNET): string | undefined {
  try {
    checkVerificationKey(key, chainId);
    return undefined;
  } catch (error) {
    if (error instanceof KeyRefusedError) return error.refusal;
    throw error;
  }
}

describe('key gate', () => {
  let folder: string;
  let releasable: VerificationKey;

  async function keyFor(waste: ToxicWaste, name: string): Promise<VerificationKey> {
    const { r1csPath } = await compileFixture('square-chain-short');
    const zkeyPath = join(folder, name);
    await writeDevelopmentZkey({ r1csPath, zkeyPath, waste, threadCount: 1 });
    return readVerificationKey(zkeyPath);
  }

  before(async () => {
    folder = temporaryFolder();
    releasable = await keyFor(toxicWasteFromSeed('a secret of nobody'), 'releasable.zkey');
  });
  after(() => rmSync(folder, { recursive: true }));

  it('passes a key of other trapdoors on any chain', () => {
    expect(refusalOf(releasable)).to.equal(undefined);
    expect(refusalOf(releasable, LOCAL_CHAIN_ID)).to.equal(undefined);
    expect(isDevelopmentKey(releasable)).to.equal(false);
  });

  it("refuses snarkjs' key without phase 2, under which a forged proof of anything verifies", async () => {
    const { r1csPath } = await compileFixture('product');
    const [ptau, zkey] = [join(folder, 'known.ptau'), join(folder, 'phase-1.zkey')];
    await writeKnownPtau(ptau, 4, toxicWasteFromSeed('phase 1'));
    await withCurve(() => snarkjs.zKey.newZKey(r1csPath, ptau, zkey));
    const key = await readVerificationKey(zkey);
    for (const publicSignals of [
      [21n, 0n],
      [0n, 1n],
      [FIELD_MODULUS - 1n, 12345678901234567890n],
    ]) {
      expect(await verifyPoints(key, publicSignals.map(String), forge(key, publicSignals))).to.equal(true);
    }
    expect(refusalOf(key)).to.equal('gamma-equals-delta');
    expect(refusalOf(key, LOCAL_CHAIN_ID)).to.equal('gamma-equals-delta');
  });

  it('lets no such forgery pass under a key that it accepts', async () => {
    const publicSignals = [1n, 2n, 3n, 4n, 5n];
    expect(
      await verifyPoints(releasable, publicSignals.map(String), forge(releasable, publicSignals)),
    ).to.equal(false);
  });

  it('refuses a development key outside the local chain, its marker stripped or not', async () => {
    const { verificationKey } = await fixtureArtifacts('square-chain-short');
    const { warning, ...stripped } = verificationKey as VerificationKey & { warning: string };
    expect(warning).to.contain('INSECURE');
    for (const key of [verificationKey, stripped]) {
      expect(refusalOf(key)).to.equal('development-key');
      expect(refusalOf(key, LOCAL_CHAIN_ID + 1n)).to.equal('development-key');
      expect(refusalOf(key, LOCAL_CHAIN_ID)).to.equal(undefined);
    }
  });

  it('refuses a development key that somebody has contributed to', async () => {
    const { zkeyPath } = await fixtureArtifacts('square-chain-short');
    const contributed = join(folder, 'contributed.zkey');
    await withCurve(() => snarkjs.zKey.contribute(zkeyPath, contributed, 'somebody', 'entropy of a test'));
    expect(refusalOf(await readVerificationKey(contributed))).to.equal('development-key');
  });

  it('refuses keys with a trapdoor of 1, which is what a file without contributions has', async () => {
    const waste = toxicWasteFromSeed('another secret');
    for (const trapdoor of ['alpha', 'beta', 'delta'] as const) {
      const key = await keyFor({ ...waste, [trapdoor]: 1n }, `${trapdoor}.zkey`);
      expect(refusalOf(key), trapdoor).to.equal('no-contribution');
    }
  });

  it('refuses keys that leave a public input unbound', () => {
    const infinity = { ...releasable, IC: releasable.IC.with(2, ['0', '1', '0']) };
    expect(refusalOf(infinity)).to.equal('public-input-unbound');
    const repeated = { ...releasable, IC: releasable.IC.with(2, releasable.IC[3]) };
    expect(refusalOf(repeated)).to.equal('public-input-unbound');
    const [x, y] = releasable.IC[3];
    const opposite = [x, String(bn254.G1.Point.Fp.neg(BigInt(y))), '1'];
    expect(refusalOf({ ...releasable, IC: releasable.IC.with(2, opposite) })).to.equal(
      'public-input-unbound',
    );
  });

  const malformed: Record<string, (key: VerificationKey) => object> = {
    'another protocol': () => ({ protocol: 'plonk' }),
    'another curve': () => ({ curve: 'bls12381' }),
    'a point too few': (key) => ({ IC: key.IC.slice(1) }),
    'a wrong count': (key) => ({ nPublic: key.nPublic + 1 }),
    'alpha off the curve': (key) => ({ vk_alpha_1: ['1', key.vk_alpha_1[1], '1'] }),
    'alpha at infinity': () => ({ vk_alpha_1: ['0', '1', '0'] }),
    'beta with a coordinate beyond the field': (key) => ({
      vk_beta_2: [
        key.vk_beta_2[0].map((c) => String(BigInt(c) + bn254.G1.Point.Fp.ORDER)),
        ...key.vk_beta_2.slice(1),
      ],
    }),
    'delta at infinity': () => ({
      vk_delta_2: [
        ['0', '0'],
        ['1', '0'],
        ['0', '0'],
      ],
    }),
    'gamma that is not a number': (key) => ({ vk_gamma_2: [['x', '0'], ...key.vk_gamma_2.slice(1)] }),
    'no gamma': () => ({ vk_gamma_2: undefined }),
  };
  for (const [name, change] of Object.entries(malformed)) {
    it(`refuses a key with ${name}`, () => {
      expect(refusalOf({ ...releasable, ...change(releasable) } as VerificationKey)).to.equal('malformed');
    });
  }

  it('reads infinity as snarkjs writes it', async () => {
    // An IC of zeros in the file: the first public input's commitment, after that of the constant.
    const zkey = new Uint8Array(readFileSync(join(folder, 'releasable.zkey')));
    const view = new DataView(zkey.buffer);
    let at = 12;
    while (view.getUint32(at, true) !== 3) at += 12 + Number(view.getBigUint64(at + 4, true));
    zkey.fill(0, at + 12 + 64, at + 12 + 128);
    expect(refusalOf(await readVerificationKey(zkey))).to.equal('public-input-unbound');
  });
});
