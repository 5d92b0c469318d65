/** The rollup on the local chain: who does what, and the deployment plan of the main job. */
import { NonceManager, type Signer } from 'ethers';
import {
  type Deployment,
  type DeploymentPlan,
  deploy,
  ROUND_AGE_SEC_MAX,
  TEST_TOKENS,
} from '#contracts/deploy/deploy.ts';
import type { KeyGate } from '#contracts/deploy/verifier-gate.ts';
import { type BatchCapacity, MEDIUM_BATCH, SMALL_BATCH, STANDARD_SHAPE } from '#protocol/limits.ts';
import { DEFAULT_UNDERLYING_PARAMETERS } from '#protocol/risk/default-registry.ts';
import { RISK_SMALL } from '#protocol/risk/registry.ts';
import { checkVerificationKey } from '#prover/setup/key-gate.ts';
import type { LocalChain } from './chain.ts';
import type { MarketPlan } from './plan.ts';
import type { PreparedCircuit } from './setup.ts';

/** Batch sizes in the contract's order; their circuits have the same names. */
export const BATCH_CAPACITIES: readonly BatchCapacity[] = [SMALL_BATCH, MEDIUM_BATCH];

/** Circuits of the deployment; `batches` are those of BATCH_CAPACITIES. */
export interface Circuits {
  readonly batches: readonly PreparedCircuit[];
  readonly risk: PreparedCircuit;
}

const GOVERNANCE_DELAY_SEC = 14n * 86_400n;

/** Accounts of the chain before the traders' owners. */
const FIRST_OWNER = 4;

/** Accounts of the local chain by what they do here. Each has a transaction queue of its own. */
export interface Roles {
  readonly deployer: Signer;
  /** Sends batches. */
  readonly submitter: Signer;
  /** Posts and proves rounds. */
  readonly relay: Signer;
  /** Gives the insurance fund its first money. */
  readonly donor: Signer;
  /** L1 owners of the traders' accounts. */
  readonly owners: readonly Signer[];
}

export function rolesOn(chain: LocalChain, ownerCount: number): Roles {
  // The submitter counts its transactions itself: it writes each down before it is sent.
  const inOrder = (place: number): Signer => new NonceManager(chain.wallet(place));
  return {
    deployer: inOrder(0),
    submitter: chain.wallet(1),
    relay: inOrder(2),
    donor: inOrder(3),
    owners: Array.from({ length: ownerCount }, (_, i) => inOrder(FIRST_OWNER + i)),
  };
}

/** The deployment knows a key's points; the gate wants to know what kind of key it is as well. */
const keyGate: KeyGate = (key, chainId) =>
  checkVerificationKey({ protocol: 'groth16', curve: 'bn128', vk_alphabeta_12: undefined, ...key }, chainId);

export async function deployRollup(
  roles: Roles,
  circuits: Circuits,
  signers: readonly string[],
  { listing, steps }: MarketPlan,
): Promise<Deployment> {
  const governor = await roles.deployer.getAddress();
  const plan: DeploymentPlan = {
    shape: STANDARD_SHAPE,
    batches: BATCH_CAPACITIES.map((capacity, i) => ({ ...circuits.batches[i].plan, capacity })),
    risk: [{ ...circuits.risk.plan, geometry: RISK_SMALL }],
    tokens: TEST_TOKENS,
    oracle: {
      governor,
      delaySec: GOVERNANCE_DELAY_SEC,
      esCount: 1,
      signers,
      // The first round is near them, so it is no jump.
      indexMicros: steps[0].oracleBar.closeMicros,
      underlyings: DEFAULT_UNDERLYING_PARAMETERS,
      registry: listing.registry,
      stalenessSec: ROUND_AGE_SEC_MAX,
    },
    operator: governor,
    submitter: await roles.submitter.getAddress(),
  };
  return deploy(roles.deployer, plan, keyGate);
}
