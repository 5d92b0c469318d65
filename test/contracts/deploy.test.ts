import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { bn254 } from '@noble/curves/bn254.js';
import { expect } from 'chai';
import { ZeroAddress } from 'ethers';
import { network } from 'hardhat';
import { readArtifact } from '#contracts/deploy/artifact.ts';
import { type DeploymentPlan, deploy, ROUND_AGE_SEC_MAX, TEST_TOKENS } from '#contracts/deploy/deploy.ts';
import { DeploymentRefused, type KeyGate, type VerificationKey } from '#contracts/deploy/verifier-gate.ts';
import { InputError } from '#protocol/errors.ts';
import { type BatchCapacity, TINY_BATCH, TINY_SHAPE } from '#protocol/limits.ts';
import { RISK_SMALL, RISK_TINY } from '#protocol/risk/registry.ts';
import { genesisState, stateRoot } from '#protocol/state.ts';
import { checkVerificationKey } from '#prover/setup/key-gate.ts';
import { compileMock } from '#test/support/compile-mock.ts';
import { ORACLE_SIGNERS, oracleSettings } from '#test/support/risk-oracle.ts';
import { type RiskProver, riskProver } from '#test/support/risk-prover.ts';

const MAIN = join(import.meta.dirname, '../../circuits/main/risk-tiny.circom');

const keyGate: KeyGate = (key, chainId) =>
  checkVerificationKey({ ...key, protocol: 'groth16', curve: 'bn128', vk_alphabeta_12: undefined }, chainId);

/** The error that a promise is rejected with. */
const errorOf = (promise: Promise<unknown>): Promise<Error> =>
  promise.then(
    () => {
      throw new Error('was not refused');
    },
    (error) => error,
  );

describe('deployment', function () {
  this.timeout(300_000);
  let prover: RiskProver;
  before(async () => {
    prover = await riskProver(MAIN, TINY_SHAPE);
  });
  after(() => prover.close());

  async function planOn(chainId = 31337, change: (plan: DeploymentPlan) => DeploymentPlan = (plan) => plan) {
    const connection = await network.connect({ override: { chainId } });
    const [deployer, operator, submitter] = await connection.ethers.getSigners();
    const circuit = {
      verifier: prover.verifier,
      verificationKey: prover.key.verificationKey as unknown as VerificationKey,
      circuitHash: prover.circuitHash,
    };
    const { instrumentLimit: _, ...settings } = oracleSettings(operator.address);
    const plan: DeploymentPlan = {
      shape: TINY_SHAPE,
      // Any verifier of three public inputs passes the gates; that it is the batch's is the circuit hash's matter.
      batches: [{ ...circuit, capacity: TINY_BATCH }],
      risk: [{ ...circuit, geometry: RISK_TINY }],
      tokens: TEST_TOKENS,
      oracle: {
        ...settings,
        stalenessSec: ROUND_AGE_SEC_MAX,
        signers: ORACLE_SIGNERS.map(({ address }) => address),
      },
      operator: operator.address,
      submitter: submitter.address,
    };
    return { connection, deployer, plan: change(plan) };
  }

  it('builds one system whose parts know each other', async () => {
    const { connection, deployer, plan } = await planOn();
    const deployed = await deploy(deployer as never, plan, keyGate);
    const { ethers } = connection;
    const rollup = await ethers.getContractAt('MarginRollup', deployed.rollup);
    const vault = await ethers.getContractAt('TokenVault', deployed.vault);
    expect(await rollup.stateRoot()).to.equal(stateRoot(genesisState(TINY_SHAPE)));
    expect(await rollup.vault()).to.equal(deployed.vault);
    expect(await vault.rollup()).to.equal(deployed.rollup);
    expect(await rollup.oracle()).to.equal(deployed.oracle);
    expect(await rollup.submitter()).to.equal(plan.submitter);
    expect((await rollup.batchSize(0)).verifier).to.equal(deployed.batchVerifiers[0]);
    expect((await vault.tokenConfig(2)).token).to.equal(deployed.tokens[2]);
    expect(await ethers.provider.getCode(deployed.fund)).to.not.equal('0x');
    const receiptBlock = await ethers.provider.getBlock(deployed.l1Block);
    expect(receiptBlock?.transactions).to.have.length(1);
  });

  it('binds the rollup to its registry where the deployer governs, and leaves it to another governor', async () => {
    for (const isOwn of [true, false]) {
      const { connection, deployer, plan } = await planOn();
      const governor = isOwn ? deployer.address : plan.oracle.governor;
      const deployed = await deploy(
        deployer as never,
        { ...plan, oracle: { ...plan.oracle, governor } },
        keyGate,
      );
      const parameters = await connection.ethers.getContractAt('RiskParameters', deployed.parameters);
      expect(await parameters.rollup()).to.equal(isOwn ? deployed.rollup : ZeroAddress);
      if (isOwn) continue;
      const own = parameters.connect(await connection.ethers.getSigner(governor)) as typeof parameters;
      await own.bindRollup(deployed.rollup);
      expect(await parameters.rollup()).to.equal(deployed.rollup);
    }
  });

  const narrow = { ...TINY_BATCH, name: 'batch-narrow', instruments: 3 };
  const withCapacities = (capacities: readonly BatchCapacity[]) => (plan: DeploymentPlan) => ({
    ...plan,
    batches: capacities.map((capacity) => ({ ...plan.batches[0], capacity })),
  });

  it('lists as many instruments as the largest batch has rows, not one more', async () => {
    const { connection, deployer, plan } = await planOn(31337, withCapacities([narrow, TINY_BATCH]));
    const deployed = await deploy(deployer as never, plan, keyGate);
    expect(deployed.batchVerifiers).to.have.length(2);
    const parameters = await connection.ethers.getContractAt('RiskParameters', deployed.parameters);
    expect(await parameters.instrumentLimit()).to.equal(TINY_BATCH.instruments);
    const { deployer: other, plan: beyond } = await planOn(31337, withCapacities([narrow]));
    expect(beyond.oracle.registry).to.have.length(4);
    const error = await errorOf(deploy(other as never, beyond, keyGate));
    expect(error.message).to.match(/ParameterOutOfBounds/);
  });

  it('refuses batch sizes out of order before it sends anything', async () => {
    for (const capacities of [[TINY_BATCH, narrow], [TINY_BATCH, TINY_BATCH], []]) {
      const { deployer, plan } = await planOn(31337, withCapacities(capacities));
      expect(await errorOf(deploy(deployer as never, plan, keyGate))).to.be.instanceOf(InputError);
      expect(await deployer.getNonce()).to.equal(0);
    }
  });

  it('refuses a development key outside the local chain', async () => {
    const { deployer, plan } = await planOn(1);
    const error = await errorOf(deploy(deployer as never, plan, keyGate));
    expect(error).to.include({ name: 'KeyRefusedError', refusal: 'development-key' });
  });

  it('refuses a key whose second phase was skipped', async () => {
    const { deployer, plan } = await planOn(31337, (honest) => {
      const [segment] = honest.risk;
      const key = segment.verificationKey;
      return {
        ...honest,
        risk: [{ ...segment, verificationKey: { ...key, vk_delta_2: key.vk_gamma_2 } }],
      };
    });
    const error = await errorOf(deploy(deployer as never, plan, keyGate));
    expect(error).to.include({ name: 'KeyRefusedError', refusal: 'gamma-equals-delta' });
  });

  for (const part of ['batches', 'risk'] as const) {
    it(`refuses a verifier that accepts random proofs (${part})`, async () => {
      const { deployer, plan } = await planOn(31337, (honest) => {
        const verifier = compileMock('PermissiveVerifier');
        return part === 'risk'
          ? { ...honest, risk: [{ ...honest.risk[0], verifier }] }
          : { ...honest, batches: [{ ...honest.batches[0], verifier }] };
      });
      const error = await errorOf(deploy(deployer as never, plan, keyGate));
      expect(error).to.be.instanceOf(DeploymentRefused);
      expect(error.message).to.contain('accepts a random proof');
    });
  }

  it('refuses a verifier whose code skips the second phase, though the key given for it does not', async () => {
    const { deployer, plan } = await planOn(31337, (honest) => {
      const [segment] = honest.risk;
      const key = segment.verificationKey;
      const hex = (decimal: string) => BigInt(decimal).toString(16).padStart(64, '0');
      const forged = key.vk_delta_2
        .slice(0, 2)
        .flat()
        .reduce((code, coordinate, i) => {
          const replaced = code.replaceAll(hex(coordinate), hex(key.vk_gamma_2.slice(0, 2).flat()[i]));
          expect(replaced, 'the constant stood in the code').to.not.equal(code);
          return replaced;
        }, segment.verifier.bytecode);
      return { ...honest, risk: [{ ...segment, verifier: { ...segment.verifier, bytecode: forged } }] };
    });
    const error = await errorOf(deploy(deployer as never, plan, keyGate));
    expect(error).to.be.instanceOf(DeploymentRefused);
    expect(error.message).to.contain('the forgery of a key without second phase');
  });

  it('refuses a verifier of another key', async () => {
    const { x, y } = bn254.G1.Point.BASE.double().toAffine();
    const { deployer, plan } = await planOn(31337, (honest) => {
      const [segment] = honest.risk;
      const [first, ...rest] = segment.verificationKey.IC;
      const IC = [first, rest[0], rest[1], [String(x), String(y), '1']];
      return {
        ...honest,
        risk: [{ ...segment, verificationKey: { ...segment.verificationKey, IC } }],
      };
    });
    const error = await errorOf(deploy(deployer as never, plan, keyGate));
    expect(error).to.be.instanceOf(DeploymentRefused);
    expect(error.message).to.contain(`does not hold the coordinate ${x}`);
  });

  it('refuses risk circuits whose tables do not fit the state, or do not follow one another', async () => {
    const wide = await planOn(31337, (plan) => ({
      ...plan,
      risk: [{ ...plan.risk[0], geometry: RISK_SMALL }],
    }));
    const error = await errorOf(deploy(wide.deployer as never, wide.plan, keyGate));
    expect(error).to.be.instanceOf(DeploymentRefused);
    expect(error.message).to.contain('fill 16 market slots, the state has 4');
    const apart = await planOn(31337, (plan) => ({
      ...plan,
      shape: { ...plan.shape, marketSlots: 64 },
      risk: [plan.risk[0], { ...plan.risk[0], geometry: { ...RISK_TINY, startSlot: 16 } }],
    }));
    expect((await errorOf(deploy(apart.deployer as never, apart.plan, keyGate))).message).to.contain(
      'segments follow one another',
    );
  });

  it('refuses a token that the table has no row for: its deposits would stop the queue', async () => {
    const third = { ...TEST_TOKENS[2], token: { name: 'Test Gold', symbol: 'GOLD', decimals: 18 } };
    for (const [tokenId, change] of [
      [3, (plan: DeploymentPlan) => ({ ...plan, tokens: [...TEST_TOKENS, third] })],
      [
        2,
        (plan: DeploymentPlan) => {
          const registry = plan.oracle.registry.map((entry) => (entry?.id === 2 ? undefined : entry));
          return { ...plan, oracle: { ...plan.oracle, registry } };
        },
      ],
    ] as const) {
      const { deployer, plan } = await planOn(31337, change);
      const error = await errorOf(deploy(deployer as never, plan, keyGate));
      expect(error).to.be.instanceOf(DeploymentRefused);
      expect(error.message).to.contain(`token ${tokenId} has no row`);
      expect(await deployer.getNonce(), 'nothing was sent').to.equal(0);
    }
  });

  it('refuses an oracle whose prices age at another rate than the rollup lets batches use them', async () => {
    const source = readFileSync(join(import.meta.dirname, '../../contracts/MarginRollup.sol'), 'utf8');
    expect(source).to.include(`ROUND_AGE_SEC_MAX = ${ROUND_AGE_SEC_MAX};`);
    for (const stalenessSec of [ROUND_AGE_SEC_MAX - 1n, ROUND_AGE_SEC_MAX + 1n, 3_600n]) {
      const { deployer, plan } = await planOn(31337, (usual) => ({
        ...usual,
        oracle: { ...usual.oracle, stalenessSec },
      }));
      const error = await errorOf(deploy(deployer as never, plan, keyGate));
      expect(error).to.be.instanceOf(DeploymentRefused);
      expect(error.message).to.contain(`stale after ${stalenessSec} s`);
      expect(await deployer.getNonce(), 'nothing was sent').to.equal(0);
    }
  });

  it('refuses a token of which a unit is not what the table calls a lot or a micro', async () => {
    for (const [tokenId, weiPerUnit, right] of [
      [0, 10n, 1n],
      [1, 1_000_000n, 100_000n],
      [2, 10n ** 15n, 10n ** 16n],
    ] as const) {
      const { deployer, plan } = await planOn(31337, (usual) => ({
        ...usual,
        tokens: usual.tokens.map((token, i) => (i === tokenId ? { ...token, weiPerUnit } : token)),
      }));
      const error = await errorOf(deploy(deployer as never, plan, keyGate));
      expect(error).to.be.instanceOf(DeploymentRefused);
      expect(error.message).to.contain(`token ${tokenId} has`).and.to.contain(`set weiPerUnit to ${right}`);
      expect(await deployer.getNonce(), 'nothing was sent').to.equal(0);
    }
  });

  it('refuses tokens without code, and test tokens outside the local chain', async () => {
    const noCode = `0x${'12'.repeat(20)}`;
    const local = await planOn(31337, (plan) => ({
      ...plan,
      tokens: [{ ...TEST_TOKENS[0], token: noCode }, ...TEST_TOKENS.slice(1)],
    }));
    expect((await errorOf(deploy(local.deployer as never, local.plan, keyGate))).message).to.contain(
      'no code at token',
    );
    const elsewhere = await planOn(5);
    const error = await errorOf(deploy(elsewhere.deployer as never, elsewhere.plan, () => undefined));
    expect(error).to.be.instanceOf(DeploymentRefused);
    expect(error.message).to.contain('test token on chain 5');
  });

  it('leaves no verifier that accepts everything in the build', () => {
    expect(() => readArtifact('mocks/PermissiveVerifier')).to.throw('ENOENT');
  });
});
