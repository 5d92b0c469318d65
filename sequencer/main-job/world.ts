/** Everything that runs: chain, contracts, oracle processes, prover workers, sequencer. Started once, stopped once. */

import { join } from 'node:path';
import { readArtifact } from '#contracts/deploy/artifact.ts';
import type { Deployment } from '#contracts/deploy/deploy.ts';
import { ROUND_AGE_SEC_MAX } from '#contracts/deploy/deploy.ts';
import { domainWord } from '#protocol/batch/words.ts';
import { STANDARD_SHAPE } from '#protocol/limits.ts';
import type { SigningDomain } from '#protocol/message.ts';
import { ProofPool } from '#prover/proof-pool.ts';
import { riskProofTasks } from '#prover/witness/risk.ts';
import type { CircuitInput } from '#prover/witness-calculator.ts';
import { ENGINE_DEFAULTS } from '../config.ts';
import { PgliteStore } from '../ledger/pglite-store.ts';
import { L1Contracts } from '../settlement/l1-contracts.ts';
import { type Sequencer, startSequencer } from '../start.ts';
import { type LocalChain, startLocalChain } from './chain.ts';
import { BATCH_CAPACITIES, type Circuits, deployRollup, type Roles, rolesOn } from './deployment.ts';
import { drawSignerWallets, type OracleSigners, startOracleSigners } from './oracle-signers.ts';
import type { MarketPlan } from './plan.ts';
import { QueuedProofs } from './queued-proofs.ts';
import { RoundKeeper } from './rounds.ts';
import type { Stops } from './stops.ts';

/** One worker for the batch in hand, one for the round that the next bar waits for. */
const WORKER_COUNT = 2;
/** Sealing is asked for at the end of every bar; age only matters when nobody asks. */
const SEAL_AGE_MS = 20_000;
const POLL_MS = 200;

/** Seconds a proof took, witness included, by what was proved. */
export interface ProofTimes {
  readonly batchSec: number[];
  readonly roundSec: number[];
}

export interface World {
  readonly chain: LocalChain;
  readonly roles: Roles;
  readonly deployment: Deployment;
  readonly domain: SigningDomain;
  /** What the sequencer reads of the contracts. */
  readonly contracts: L1Contracts;
  readonly oracles: OracleSigners;
  readonly rounds: RoundKeeper;
  readonly sequencer: Sequencer;
  readonly apiUrl: string;
  readonly proofTimes: ProofTimes;
  /** Rejects when the sequencer cannot go on. */
  readonly failed: Promise<never>;
}

export interface WorldSettings {
  readonly root: string;
  /** Of the ledger and the chain's log. */
  readonly folder: string;
  readonly circuits: Circuits;
  readonly plan: MarketPlan;
  readonly ownerCount: number;
  readonly port: number;
  readonly report: (text: string) => void;
}

/** Starts all of it; whoever calls runs `stops` in the end, whether this succeeded or not. */
export async function startWorld(settings: WorldSettings, stops: Stops): Promise<World> {
  const { root, folder, circuits, plan, ownerCount, report } = settings;
  const pool = new ProofPool({ workerCount: WORKER_COUNT });
  stops.push(() => pool.close());
  const chain = await startLocalChain(root, join(folder, 'chain.log'));
  stops.push(() => chain.stop());
  await chain.advanceTo(plan.deployedSec);
  const roles = rolesOn(chain, ownerCount);
  const wallets = drawSignerWallets();
  const signerAddresses = wallets.map(({ address }) => address);
  const deployment = await deployRollup(roles, circuits, signerAddresses, plan);
  const oracles = await startOracleSigners(root, wallets, plan, deployment.chainId, deployment.oracle);
  stops.push(() => oracles.stop());
  const proofTimes: ProofTimes = { batchSec: [], roundSec: [] };
  const timed = async <T>(times: number[], task: () => Promise<T>): Promise<T> => {
    const startMs = performance.now();
    const result = await task();
    times.push((performance.now() - startMs) / 1000);
    return result;
  };
  const rounds = new RoundKeeper({
    relay: roles.relay,
    chainId: deployment.chainId,
    oracleAddress: deployment.oracle,
    oracleAbi: readArtifact('RiskOracle').abi,
    parametersAddress: deployment.parameters,
    circuitHashes: [circuits.risk.plan.circuitHash],
    signers: oracles.addresses,
    registry: plan.listing.registry,
    prove: (inputs, words) =>
      timed(proofTimes.roundSec, async () => {
        const [task] = riskProofTasks(inputs, STANDARD_SHAPE, words).segments;
        const { proof } = await pool.prove(circuits.risk.artifacts, task.input as unknown as CircuitInput);
        return [{ ...task, proof }];
      }),
  });
  const failure = Promise.withResolvers<never>();
  // Whoever waits for it sees it; until then it must not end the process by itself.
  failure.promise.catch(() => undefined);
  const domain = { chainId: deployment.chainId, rollupAddress: BigInt(deployment.rollup) };
  // A new chain is a new ledger: what an earlier run left belongs to a rollup that is gone.
  const store = await PgliteStore.openEmpty(join(folder, 'ledger'));
  stops.push(() => store.close());
  const proofs = await QueuedProofs.open({
    database: store.database,
    pool,
    artifactsOf: (name) => circuits.batches.find(({ artifacts }) => artifacts.name === name)?.artifacts,
    jobsAtOnce: 1,
  });
  stops.push(async () => {
    await pool.close();
    await proofs.close();
  });
  const contracts = new L1Contracts(chain.provider, deployment.rollup, {
    shape: STANDARD_SHAPE,
    tokenCount: deployment.tokens.length,
    firstBlock: deployment.l1Block,
  });
  const sequencer = await startSequencer({
    config: {
      ...ENGINE_DEFAULTS,
      shape: STANDARD_SHAPE,
      sizes: BATCH_CAPACITIES.map((capacity, i) => ({
        capacity,
        domainWord: domainWord(domain.chainId, domain.rollupAddress, circuits.batches[i].plan.circuitHash),
      })),
      domain,
      instruments: plan.listing.instruments,
      roundAgeMaxSec: ROUND_AGE_SEC_MAX,
    },
    store,
    proofs: {
      prove: (batch, attempt) => timed(proofTimes.batchSec, () => proofs.prove(batch, attempt)),
      forget: (batchNumber, attempt) => proofs.forget(batchNumber, attempt),
    },
    l1: {
      contracts,
      signer: roles.submitter,
      // A chain of one node on this machine has no reorganisations.
      depths: { round: 0, deposit: 0, final: 0 },
      firstBlock: deployment.l1Block,
    },
    api: { host: '127.0.0.1', port: settings.port },
    sealAgeMs: SEAL_AGE_MS,
    pollMs: POLL_MS,
    report: (error) => report(error.message),
    onFatal: (error) => failure.reject(error),
  });
  stops.push(() => sequencer.stop());
  const apiUrl = sequencer.url ?? '';
  return {
    chain,
    roles,
    deployment,
    domain,
    contracts,
    oracles,
    rounds,
    sequencer,
    apiUrl,
    proofTimes,
    failed: failure.promise,
  };
}
