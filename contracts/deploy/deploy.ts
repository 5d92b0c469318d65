/**
 * Puts a rollup on a chain: tokens (test ones on a local chain only), verifiers, the oracle with its registry, and
 * MarginRollup, which creates its vault and fund. Nothing can be changed afterwards, so everything is checked before.
 */
import { Contract, ContractFactory, getAddress, getCreateAddress, type Provider, type Signer } from 'ethers';
import { accountWordCount } from '#protocol/batch/calldata.ts';
import { instrumentLimit, requireOrdered } from '#protocol/batch/sizes.ts';
import { invariant } from '#protocol/errors.ts';
import type { BatchCapacity, StateShape } from '#protocol/limits.ts';
import {
  geometryStruct,
  initialParametersStruct,
  type OracleSettings,
} from '#protocol/risk/oracle-structs.ts';
import { placesOfAll, type SegmentGeometry, slotsOf } from '#protocol/risk/registry.ts';
import { genesisState, stateRoot } from '#protocol/state.ts';
import { type Artifact, readArtifact } from './artifact.ts';
import {
  DeploymentRefused,
  type KeyGate,
  requireSoundVerifier,
  type VerificationKey,
} from './verifier-gate.ts';

export const LOCAL_CHAIN_ID = 31337n;

/** A token the rollup takes; units as in ITokenVault. */
export interface TokenPlan {
  /** An existing token, or a test token to be made (local chain only). */
  readonly token: string | { readonly name: string; readonly symbol: string; readonly decimals: number };
  readonly weiPerUnit: bigint;
  readonly depositMinUnits: bigint;
  readonly capUnits: bigint;
  readonly outflowFloorUnits: bigint;
}

export interface CircuitPlan {
  readonly verifier: Artifact;
  readonly verificationKey: VerificationKey;
  /** Names the circuit in public word 0. */
  readonly circuitHash: bigint;
}

export interface DeploymentPlan {
  readonly shape: StateShape;
  /** Each with at least the rows of the one before. The first costs least gas: it is to be the usual one. */
  readonly batches: readonly (CircuitPlan & { readonly capacity: BatchCapacity })[];
  /** Between them they prove a table, in this order. */
  readonly risk: readonly (CircuitPlan & { readonly geometry: SegmentGeometry })[];
  /** Quote first, then spot tokens 1, 2, 3. */
  readonly tokens: readonly TokenPlan[];
  readonly oracle: OraclePlan;
  /** Appoints the submitter. */
  readonly operator: string;
  /** Sends batches. */
  readonly submitter: string;
}

/** How many instruments may be listed follows from the circuits. */
export type OraclePlan = Omit<OracleSettings, 'instrumentLimit'> & {
  /** Prices older than this are not used. */
  readonly stalenessSec: bigint;
};

export interface Deployment {
  readonly chainId: bigint;
  readonly rollup: string;
  readonly vault: string;
  readonly fund: string;
  readonly oracle: string;
  readonly parameters: string;
  readonly tokens: readonly string[];
  readonly batchVerifiers: readonly string[];
  readonly riskVerifiers: readonly string[];
  readonly genesisRoot: bigint;
  /** L1 block of the rollup: where reading its events starts. */
  readonly l1Block: number;
}

/** Of MarginRollup.sol: the one age at which prices are stale, to the oracle as well. */
export const ROUND_AGE_SEC_MAX = 180n;

/** Micros and lots of the default tokens; WBTC is instrument 1, WETH instrument 2. */
export const TEST_TOKENS: readonly TokenPlan[] = [
  {
    token: { name: 'Test USD Coin', symbol: 'USDC', decimals: 6 },
    weiPerUnit: 1n,
    depositMinUnits: 10_000_000n,
    capUnits: 1_000_000_000_000_000n,
    outflowFloorUnits: 1_000_000_000_000n,
  },
  {
    token: { name: 'Test Wrapped Bitcoin', symbol: 'WBTC', decimals: 8 },
    weiPerUnit: 100_000n, // 0.001 BTC
    depositMinUnits: 1n,
    capUnits: 10_000_000n,
    outflowFloorUnits: 10_000n,
  },
  {
    token: { name: 'Test Wrapped Ether', symbol: 'WETH', decimals: 18 },
    weiPerUnit: 10_000_000_000_000_000n, // 0.01 ETH
    depositMinUnits: 1n,
    capUnits: 30_000_000n,
    outflowFloorUnits: 30_000n,
  },
];

/**
 * @throws DeploymentRefused when a key, a verifier or a token does not pass its gate
 * @throws InputError when the batch sizes are not in order
 */
export async function deploy(signer: Signer, plan: DeploymentPlan, keyGate: KeyGate): Promise<Deployment> {
  const { provider } = signer;
  invariant(provider !== null, 'a deployer is connected to a chain');
  requireOrdered(plan.batches.map(({ capacity }) => capacity));
  const { chainId } = await provider.getNetwork();
  for (const { verificationKey } of [...plan.batches, ...plan.risk]) keyGate(verificationKey, chainId);
  requireSegments(plan);
  requireSpotRows(plan);
  requireRoundAge(plan);
  await requireUnits(provider, plan);
  const tokens: string[] = [];
  for (const { token } of plan.tokens) tokens.push(await tokenAddress(signer, token, chainId));
  const riskVerifiers: string[] = [];
  for (const segment of plan.risk) riskVerifiers.push(await deployVerifier(signer, provider, segment));
  const batchVerifiers: string[] = [];
  for (const batch of plan.batches) batchVerifiers.push(await deployVerifier(signer, provider, batch));
  const oracle = await deployOracle(signer, plan, riskVerifiers);
  const genesisRoot = stateRoot(genesisState(plan.shape));
  const rollup = await create(signer, readArtifact('MarginRollup'), [
    {
      oracle: await oracle.getAddress(),
      operator: plan.operator,
      submitter: plan.submitter,
      genesisRoot,
      treeDepth: plan.shape.treeDepth,
      accountWords: accountWordCount(plan.shape),
    },
    plan.tokens.map((token, i) => ({ ...token, token: tokens[i] })),
    plan.batches.map(({ capacity, circuitHash }, i) => ({
      ...capacity,
      verifier: batchVerifiers[i],
      circuitHash,
    })),
  ]);
  await bindRollup(signer, plan.oracle.governor, oracle, rollup);
  const vault = new Contract(await rollup.vault(), readArtifact('TokenVault').abi, provider);
  return {
    chainId,
    rollup: await rollup.getAddress(),
    vault: await vault.getAddress(),
    fund: await vault.fund(),
    oracle: await oracle.getAddress(),
    parameters: await oracle.parameters(),
    tokens,
    batchVerifiers,
    riskVerifiers,
    genesisRoot,
    l1Block: (await rollup.deploymentTransaction()?.wait())?.blockNumber ?? 0,
  };
}

/** A table that the circuits cannot lay out in the state's market slots could never be proved. */
function requireSegments({ shape, risk }: DeploymentPlan): void {
  const geometries = risk.map(({ geometry }) => geometry);
  const slots = geometries.reduce((sum, geometry) => sum + slotsOf(geometry), 0);
  if (slots > shape.marketSlots) {
    throw new DeploymentRefused(
      `the risk circuits fill ${slots} market slots, the state has ${shape.marketSlots}`,
    );
  }
  // Breaks off unless each begins where the one before it ends, at a link of the hash.
  placesOfAll(geometries);
}

/** A deposit of a token without a row in the table could never be served, and everything behind it would wait. */
function requireSpotRows({ tokens, oracle }: DeploymentPlan): void {
  for (let tokenId = 1; tokenId < tokens.length; tokenId++) {
    if (oracle.registry.some((entry) => entry?.kind === 'spot' && entry.id === tokenId)) continue;
    throw new DeploymentRefused(
      `token ${tokenId} has no row: list instrument ${tokenId} as spot or leave the token out`,
    );
  }
}

/**
 * Deadlines stand still while the oracle calls its prices stale, and batches may not use them once the rollup does. Were the oracle's
 * later, a forced withdrawal that waits for prices would become overdue, and whoever likes could freeze.
 */
function requireRoundAge({ oracle }: DeploymentPlan): void {
  if (oracle.stalenessSec === ROUND_AGE_SEC_MAX) return;
  throw new DeploymentRefused(
    `the oracle's prices are stale after ${oracle.stalenessSec} s, the rollup's after ${ROUND_AGE_SEC_MAX} s: set stalenessSec to it`,
  );
}

/** Vault and table must mean the same by a unit: neither can be changed later, and every deposit would count for another value. */
async function requireUnits(provider: Provider, { tokens, oracle }: DeploymentPlan): Promise<void> {
  for (const [tokenId, { token, weiPerUnit }] of tokens.entries()) {
    const decimals = await decimalsOf(provider, token);
    if (decimals === undefined) continue;
    // A unit in 1e-8 of the whole: a micro of quote, a lot of spot.
    const unitE8 =
      tokenId === 0 ? 100n : (oracle.registry.find((entry) => entry?.id === tokenId)?.lotE8 ?? 0n);
    if (weiPerUnit * 10n ** 8n === unitE8 * 10n ** BigInt(decimals)) continue;
    throw new DeploymentRefused(
      `token ${tokenId} has ${decimals} decimals and ${weiPerUnit} wei a unit, but a unit of the table is ` +
        `${unitE8}e-8 of a whole: set weiPerUnit to ${(unitE8 * 10n ** BigInt(decimals)) / 10n ** 8n}`,
    );
  }
}

/** Undefined where there is no code, which is refused when the token's turn comes. */
async function decimalsOf(provider: Provider, token: TokenPlan['token']): Promise<number | undefined> {
  if (typeof token !== 'string') return token.decimals;
  if ((await provider.getCode(token)) === '0x') return undefined;
  return Number(await new Contract(token, ['function decimals() view returns (uint8)'], provider).decimals());
}

/** The registry enforces it: at no time are more instruments listed than the circuits have slots and batches have rows for. */
function instrumentLimitOf({ shape, batches, risk }: DeploymentPlan): number {
  const slots = risk.reduce((sum, { geometry }) => sum + slotsOf(geometry), 0);
  const served = instrumentLimit(
    batches.map(({ capacity }) => capacity),
    shape,
  );
  return Math.min(slots, served);
}

/** Verifiers of a round, the registry, and the oracle: the registry names the oracle before it is there. */
async function deployOracle(
  signer: Signer,
  plan: DeploymentPlan,
  riskVerifiers: readonly string[],
): Promise<Contract> {
  const proofs = await create(signer, readArtifact('RoundProofs'), [
    plan.risk.map(({ geometry, circuitHash }, i) => ({
      geometry: geometryStruct(geometry),
      verifier: riskVerifiers[i],
      circuitHash,
    })),
  ]);
  const nonce = await signer.getNonce('pending');
  const parameters = await create(signer, readArtifact('RiskParameters'), [
    initialParametersStruct({ ...plan.oracle, instrumentLimit: instrumentLimitOf(plan) }),
    await proofs.getAddress(),
    getCreateAddress({ from: await signer.getAddress(), nonce: nonce + 1 }),
  ]);
  return create(signer, readArtifact('RiskOracle'), [
    await parameters.getAddress(),
    plan.oracle.stalenessSec,
  ]);
}

/** Only the governor may: another one than the deployer has to do it before announcing anything. */
async function bindRollup(
  signer: Signer,
  governor: string,
  oracle: Contract,
  rollup: Contract,
): Promise<void> {
  if (getAddress(governor) !== (await signer.getAddress())) return;
  const parameters = new Contract(await oracle.parameters(), readArtifact('RiskParameters').abi, signer);
  await (await parameters.bindRollup(await rollup.getAddress())).wait();
}

async function create(signer: Signer, artifact: Artifact, values: readonly unknown[]): Promise<Contract> {
  const contract = await new ContractFactory(artifact.abi, artifact.bytecode, signer).deploy(...values);
  return (await contract.waitForDeployment()) as Contract;
}

async function tokenAddress(signer: Signer, token: TokenPlan['token'], chainId: bigint): Promise<string> {
  if (typeof token !== 'string') {
    if (chainId !== LOCAL_CHAIN_ID) throw new DeploymentRefused(`a test token on chain ${chainId}`);
    const made = await create(signer, readArtifact('mocks/TestToken'), [
      token.name,
      token.symbol,
      token.decimals,
    ]);
    return made.getAddress();
  }
  if ((await signer.provider?.getCode(token)) === '0x')
    throw new DeploymentRefused(`no code at token ${token}`);
  return token;
}

async function deployVerifier(signer: Signer, provider: Provider, circuit: CircuitPlan): Promise<string> {
  const verifier = await create(signer, circuit.verifier, []);
  const address = await verifier.getAddress();
  await requireSoundVerifier(provider, address, circuit.verificationKey);
  return address;
}
