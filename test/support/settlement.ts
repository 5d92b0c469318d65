/**
 * A rollup for the sequencer's own tests: the real MarginRollup and vault, with a verifier that takes any proof and
 * an oracle whose tables a test accepts. What the proof guards is tested with real proofs elsewhere; here it is
 * order, time, nonces, repeats.
 */
import { Contract, ContractFactory, type InterfaceAbi, type Provider, type Signer } from 'ethers';
import { readArtifact } from '#contracts/deploy/artifact.ts';
import type { CircuitPlan } from '#contracts/deploy/deploy.ts';
import { accountWordCount } from '#protocol/batch/calldata.ts';
import { challengeOf, domainWord, evaluationOf, marginWord, publicWords } from '#protocol/batch/words.ts';
import { deriveRegistrationPoint } from '#protocol/crypto/eddsa.ts';
import type { RiskTable } from '#protocol/instrument.ts';
import { type BatchCapacity, TINY_SHAPE } from '#protocol/limits.ts';
import { tableHash } from '#protocol/risk/table.ts';
import { genesisState, stateRoot } from '#protocol/state.ts';
import type { ProofService } from '#sequencer/batch/proof-driver.ts';
import type { AcceptedTable } from '#sequencer/commands.ts';
import { L1Contracts } from '#sequencer/settlement/l1-contracts.ts';
import { compileMock } from './compile-mock.ts';
import { QUOTES, riskTable, secretOf } from './ledger.ts';
import { UNCHECKED_PROOF } from './unchecked-proof.ts';

const CIRCUIT_HASH = 0xc1c1n;
const UNIT = { weiPerUnit: 1n, depositMinUnits: 1n, capUnits: 2n ** 30n, outflowFloorUnits: 2n ** 30n };

const COMMITMENT = 77n;

/** Answers at once; the statement is the real one, so the contract's words can be compared with it. */
export const uncheckedProofs: ProofService = {
  prove: async (batch) => {
    const words = publicWords(batch);
    const challenge = challengeOf(COMMITMENT, words);
    return {
      proof: UNCHECKED_PROOF,
      inputs: { commitment: COMMITMENT, challenge, evaluation: evaluationOf(words, challenge) },
    };
  },
};

export interface TestRollup {
  readonly rollup: string;
  readonly oracle: string;
  readonly verifier: string;
  readonly tokens: readonly string[];
  readonly firstBlock: number;
}

/** What a test accepts unless it has prices of its own. Nothing is sent but the hash: readers know the tables. */
const USUAL_TABLE = riskTable();

/**
 * @param circuit with its generated verifier, where proofs are real; without it every proof is taken
 * @param larger further batch sizes, of which every proof is taken
 */
export async function deployTestRollup(
  deployer: Signer,
  submitter: string,
  capacity: BatchCapacity,
  circuit?: Pick<CircuitPlan, 'verifier' | 'circuitHash'>,
  larger: readonly BatchCapacity[] = [],
): Promise<TestRollup> {
  const create = async (abi: InterfaceAbi, bytecode: string, values: unknown[] = []): Promise<Contract> => {
    const contract = await new ContractFactory(abi, bytecode, deployer).deploy(...values);
    await contract.waitForDeployment();
    return contract as Contract;
  };
  const mock = (name: string) => {
    const { abi, bytecode } = compileMock(name);
    return create(abi, bytecode);
  };
  const { circuitHash } = circuit ?? { circuitHash: CIRCUIT_HASH };
  const oracle = await mock('ClockedOracle');
  const verifier = await (circuit === undefined
    ? mock('PermissiveVerifier')
    : create(circuit.verifier.abi as InterfaceAbi, circuit.verifier.bytecode));
  const testToken = readArtifact('mocks/TestToken');
  const usd = await create(testToken.abi, testToken.bytecode, ['Test USD Coin', 'USDC', 6]);
  const spot = await create(testToken.abi, testToken.bytecode, ['Test Wrapped Bitcoin', 'WBTC', 8]);
  const { abi, bytecode } = readArtifact('MarginRollup');
  const rollup = await create(abi, bytecode, [
    {
      oracle: await oracle.getAddress(),
      operator: await deployer.getAddress(),
      submitter,
      genesisRoot: stateRoot(genesisState(TINY_SHAPE)),
      treeDepth: TINY_SHAPE.treeDepth,
      accountWords: accountWordCount(TINY_SHAPE),
    },
    [
      { ...UNIT, capUnits: 2n ** 60n, token: await usd.getAddress() },
      { ...UNIT, token: await spot.getAddress() },
    ],
    [
      { ...capacity, verifier: await verifier.getAddress(), circuitHash },
      ...(await Promise.all(
        larger.map(async (size, i) => ({
          ...size,
          verifier: await verifier.getAddress(),
          circuitHash: circuitHash + BigInt(i + 1),
        })),
      )),
    ],
  ]);
  return {
    rollup: await rollup.getAddress(),
    oracle: await oracle.getAddress(),
    verifier: await verifier.getAddress(),
    tokens: [await usd.getAddress(), await spot.getAddress()],
    firstBlock: (await rollup.deploymentTransaction()?.wait())?.blockNumber ?? 0,
  };
}

/** Settings for a rollup of `deployTestRollup` with several sizes. */
export function sizesOf(chainId: bigint, rollup: string, capacities: readonly BatchCapacity[]) {
  const { domain } = domainOf(chainId, rollup);
  const wordOf = (i: number) => domainOf(chainId, rollup, CIRCUIT_HASH + BigInt(i)).domainWord;
  return { domain, sizes: capacities.map((capacity, i) => ({ capacity, domainWord: wordOf(i) })) };
}

export const domainOf = (chainId: bigint, rollup: string, circuitHash: bigint = CIRCUIT_HASH) => {
  const rollupAddress = BigInt(rollup);
  const domain = { chainId, rollupAddress };
  return { domain, domainWord: domainWord(chainId, rollupAddress, circuitHash) };
};

const ORACLE_ABI = [
  'function acceptedCount() view returns (uint256)',
  'function acceptedTable(uint256) view returns (tuple(uint64 roundNumber, uint64 roundTimeSec, uint64 acceptedAtSec, bool isJump, uint80 marginWord, uint256 tableHash))',
];

/** Reads tables from the stub, which tells no round values: the table is the one of those known that has its hash. */
export class TestContracts extends L1Contracts {
  readonly #oracle: Contract;
  readonly #known: readonly RiskTable[];

  constructor(provider: Provider, place: TestRollup, known: readonly RiskTable[] = [USUAL_TABLE]) {
    super(provider, place.rollup, { shape: TINY_SHAPE, tokenCount: 2, firstBlock: place.firstBlock });
    this.#oracle = new Contract(place.oracle, ORACLE_ABI as InterfaceAbi, provider);
    this.#known = known;
  }

  /** The stub has no registry. */
  override boundRollup(): Promise<string> {
    return this.rollup.getAddress();
  }

  override async tables(from: number, block: number): Promise<AcceptedTable[]> {
    const count = Number(await this.#oracle.acceptedCount({ blockTag: block }));
    const tables: AcceptedTable[] = [];
    for (let index = from; index < count; index++) {
      const accepted = await this.#oracle.acceptedTable(index, { blockTag: block });
      const rows = this.#known.find((table) => tableHash(table, TINY_SHAPE) === accepted.tableHash);
      if (rows === undefined) throw new Error('not a table that was accepted');
      const { roundNumber, roundTimeSec: timeSec, acceptedAtSec } = accepted;
      tables.push({ index, table: { ...rows, roundNumber, timeSec }, quotes: QUOTES, acceptedAtSec });
    }
    return tables;
  }
}

/** What users and the oracle do on L1. */
export class L1World {
  readonly #place: TestRollup;
  readonly #owner: Signer;
  readonly #rollup: Contract;
  readonly #oracle: Contract;

  constructor(place: TestRollup, owner: Signer) {
    this.#place = place;
    this.#owner = owner;
    this.#rollup = new Contract(place.rollup, readArtifact('MarginRollup').abi, owner);
    this.#oracle = new Contract(place.oracle, compileMock('ClockedOracle').abi, owner);
  }

  get rollup(): Contract {
    return this.#rollup;
  }

  async nowSec(): Promise<bigint> {
    return BigInt((await this.#owner.provider!.getBlock('latest'))!.timestamp);
  }

  /** Accepts the next round with prices of now. */
  async acceptRound(table: RiskTable = USUAL_TABLE): Promise<void> {
    const accepted = await this.#oracle.accept(marginWord(table), tableHash(table, TINY_SHAPE));
    await accepted.wait();
  }

  /** Opens the next account, for the key that tests sign with at that index. */
  async open(accountIndex: number): Promise<void> {
    const [x, y] = deriveRegistrationPoint(secretOf(accountIndex));
    const opened = await this.#rollup.registerAccount(x, y, { value: await this.#fee() });
    await opened.wait();
  }

  async deposit(accountIndex: number, micros: bigint, tokenId = 0): Promise<void> {
    const vault: string = await this.#rollup.vault();
    const token = new Contract(this.#place.tokens[tokenId], readArtifact('mocks/TestToken').abi, this.#owner);
    await (await token.mint(await this.#owner.getAddress(), micros)).wait();
    await (await token.approve(vault, micros)).wait();
    const queued = await this.#rollup.deposit(accountIndex, tokenId, micros, { value: await this.#fee() });
    await queued.wait();
  }

  /** What the registry, which is the oracle here, was told. */
  async retired(): Promise<number[]> {
    return (await this.#oracle.retired()).map(Number);
  }

  async refuseRetirements(isRefusing: boolean): Promise<void> {
    await (await this.#oracle.refuseRetirements(isRefusing)).wait();
  }

  /** As anyone may. @param priorityFee so that it comes early in its block, which is not waited for */
  async finishRetirement(signer: Signer, priorityFee?: bigint): Promise<void> {
    const rollup = this.#rollup.connect(signer) as Contract;
    if (priorityFee === undefined) {
      await (await rollup.finishRetirement()).wait();
      return;
    }
    const fees = { maxPriorityFeePerGas: priorityFee, maxFeePerGas: 3n * priorityFee };
    // No estimate: a node makes it behind what is pending.
    await rollup.finishRetirement({ ...fees, gasLimit: 200_000n });
  }

  async #fee(): Promise<bigint> {
    return (await this.#rollup.queueFeeWei()) * 2n;
  }
}
