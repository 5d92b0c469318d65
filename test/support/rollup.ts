/**
 * A rollup on a chain of its own whose verifier and oracle say what a test tells them: for the rules that the
 * contract itself keeps. What the proof guards is tested with real proofs elsewhere.
 */
import { type Contract, hexlify, type Signer } from 'ethers';
import { network } from 'hardhat';
import {
  accountWordCount,
  type BatchSubmission,
  encodeBody,
  encodeSubmitBatch,
  type SubmissionHeader,
} from '#protocol/batch/calldata.ts';
import { challengeOf, evaluationOf } from '#protocol/batch/words.ts';
import { BASE8 } from '#protocol/crypto/baby-jubjub.ts';
import { type BatchCapacity, type StateShape, TINY_BATCH, TINY_SHAPE } from '#protocol/limits.ts';
import { genesisState, stateRoot } from '#protocol/state.ts';
import { compileMock } from '#test/support/compile-mock.ts';
import { UNCHECKED_PROOF } from '#test/support/unchecked-proof.ts';

export type Connection = Awaited<ReturnType<typeof network.connect>>;
type HardhatEthersSigner = Awaited<ReturnType<Connection['ethers']['getSigners']>>[number];

export const CIRCUIT_HASH = 0xc1c1n;
export const ES_COUNT = 2n;
export const TABLE_HASH = 0x7ab1en;
/** Any point of the curve outside the small subgroup serves as key. */
export const KEY_POINT = BASE8;
export const DAY_SEC = 86_400;

export interface TokenChoice {
  /** In contracts/mocks. */
  readonly contract: string;
  readonly values?: readonly unknown[];
  readonly weiPerUnit: bigint;
  readonly depositMinUnits?: bigint;
  readonly capUnits?: bigint;
  readonly outflowFloorUnits?: bigint;
}

export const USDC: TokenChoice = {
  contract: 'TestToken',
  values: ['Test USD Coin', 'USDC', 6],
  weiPerUnit: 1n,
  depositMinUnits: 10_000_000n,
};
export const WBTC: TokenChoice = {
  contract: 'TestToken',
  values: ['Test Wrapped Bitcoin', 'WBTC', 8],
  weiPerUnit: 100_000n,
};
export const WETH: TokenChoice = {
  contract: 'TestToken',
  values: ['Test Wrapped Ether', 'WETH', 18],
  weiPerUnit: 10n ** 16n,
};

export interface RollupChoices {
  readonly shape?: StateShape;
  readonly capacity?: BatchCapacity;
  readonly tokens?: readonly TokenChoice[];
  /** A real one; by default a permissive mock. */
  readonly verifier?: { readonly abi: unknown; readonly bytecode: string };
  readonly circuitHash?: bigint;
  /** Further batch sizes, with the verifier above unless they have their own. */
  readonly larger?: readonly {
    readonly capacity: BatchCapacity;
    readonly circuitHash: bigint;
    readonly verifier?: { readonly abi: unknown; readonly bytecode: string };
  }[];
  readonly chainId?: number;
  /** An oracle with an accepted table, on its chain; by default a stub on a chain of its own. */
  readonly oracle?: { readonly connection: Connection; readonly contract: Contract };
}

/** The words of a body, given only where they are not zero. */
export interface BodyChoice {
  readonly outcomes?: readonly bigint[];
  readonly withdrawals?: readonly bigint[];
  readonly liquidations?: readonly bigint[];
  readonly retirement?: bigint;
  readonly accounts?: readonly bigint[];
}

export type BatchChoice = Partial<SubmissionHeader> & { readonly body?: BodyChoice };

interface RollupParts {
  readonly connection: Connection;
  readonly shape: StateShape;
  /** By sizeIndex. */
  readonly capacities: readonly BatchCapacity[];
  readonly rollup: Contract;
  readonly vault: Contract;
  readonly oracle: Contract;
  readonly verifier: Contract;
  readonly tokens: readonly Contract[];
  readonly signers: readonly HardhatEthersSigner[];
  readonly operator: HardhatEthersSigner;
  readonly submitter: HardhatEthersSigner;
}

export interface RollupFixture extends RollupParts {}

// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: the constructor assigns every part
export class RollupFixture {
  constructor(parts: RollupParts) {
    Object.assign(this, parts);
  }

  as(signer: Signer): Contract {
    return this.rollup.connect(signer) as Contract;
  }

  /** Of the first size. */
  get capacity(): BatchCapacity {
    return this.capacities[0];
  }

  async nowSec(): Promise<number> {
    return (await this.connection.ethers.provider.getBlock('latest'))?.timestamp as number;
  }

  wait(seconds: number | bigint): Promise<number> {
    return this.connection.networkHelpers.time.increase(seconds);
  }

  /** The time of the block that holds the next transaction. */
  setNextTime(timeSec: number | bigint): Promise<void> {
    return this.connection.networkHelpers.time.setNextBlockTimestamp(timeSec);
  }

  /** Accepts a table whose prices are of now, unless told otherwise. @returns its index */
  async acceptTable(
    choice: Partial<Record<'roundTimeSec' | 'acceptedAtSec', number>> & { isJump?: boolean } = {},
  ) {
    const now = await this.nowSec();
    const index: bigint = await this.oracle.acceptedCount();
    const acceptedAtSec = choice.acceptedAtSec ?? now;
    await this.oracle.accept({
      roundNumber: index + 1n,
      roundTimeSec: choice.roundTimeSec ?? acceptedAtSec,
      acceptedAtSec,
      isJump: choice.isJump ?? false,
      marginWord: ES_COUNT,
      tableHash: TABLE_HASH + index,
    });
    return index;
  }

  /** Opens an account. @returns its index */
  async open(owner: Signer): Promise<number> {
    const value = await this.rollup.queueFeeWei();
    await this.as(owner).registerAccount(KEY_POINT[0], KEY_POINT[1], { value });
    return Number(await this.rollup.accountCount());
  }

  async fund(owner: Signer, tokenId: number, amountWei: bigint): Promise<void> {
    await this.tokens[tokenId].mint(await owner.getAddress(), amountWei);
    await (this.tokens[tokenId].connect(owner) as Contract).approve(await this.vault.getAddress(), amountWei);
  }

  async deposit(owner: Signer, accountIndex: number, tokenId: number, units: bigint) {
    const { weiPerUnit } = await this.vault.tokenConfig(tokenId);
    await this.fund(owner, tokenId, units * weiPerUnit);
    const value = await this.rollup.queueFeeWei();
    return this.as(owner).deposit(accountIndex, tokenId, units * weiPerUnit, { value });
  }

  async donate(giver: Signer, micros: bigint) {
    await this.fund(giver, 0, micros);
    return this.as(giver).donate(micros, { value: await this.rollup.queueFeeWei() });
  }

  /** For a size that was not deployed as for the first. */
  bodyWords(choice: BodyChoice = {}, sizeIndex = 0): bigint[] {
    const { l1Operations, withdrawals, liquidations, accounts } = this.capacities[sizeIndex] ?? this.capacity;
    const padded = (words: readonly bigint[] = [], count: number) =>
      Array.from({ length: count }, (_, i) => words[i] ?? 0n);
    return [
      ...padded(choice.outcomes, l1Operations),
      ...padded(choice.withdrawals, withdrawals),
      ...padded(choice.liquidations, liquidations),
      choice.retirement ?? 0n,
      ...padded(choice.accounts, accounts * accountWordCount(this.shape)),
    ];
  }

  /** What the submitter would send now: newest table, time of the last block, everything queued counted. */
  async submission(choice: BatchChoice = {}): Promise<BatchSubmission> {
    const { body, ...header } = choice;
    const [, tail] = await this.rollup.queueBounds();
    return {
      header: {
        sizeIndex: 0,
        newStateRoot: (await this.rollup.stateRoot()) + 1n,
        batchTimeSec: BigInt(await this.nowSec()),
        acceptedIndex: (await this.oracle.acceptedCount()) - 1n,
        l1OperationCount: body?.outcomes?.length ?? 0,
        pendingEnd: tail,
        feesMicros: 0n,
        penaltiesMicros: 0n,
        fundPaymentsMicros: 0n,
        hasTrades: false,
        ...header,
      },
      body: encodeBody(this.bodyWords(body, header.sizeIndex)),
      commitment: 0xc0ffeen,
      proof: UNCHECKED_PROOF,
    };
  }

  async send(submission: BatchSubmission, from: Signer = this.submitter) {
    return from.sendTransaction({
      to: await this.rollup.getAddress(),
      data: hexlify(encodeSubmitBatch(submission)),
    });
  }

  /** Submits a batch in a block of the same second as its time, if that is now. */
  async submit(choice: BatchChoice = {}) {
    return this.send(await this.submission(choice));
  }

  /** Makes the verifier take this statement and no other. */
  async expectWords(commitment: bigint, words: readonly bigint[]): Promise<void> {
    const challenge = challengeOf(commitment, words);
    await this.verifier.expectInputs([commitment, challenge, evaluationOf(words, challenge)]);
  }

  /** Serves everything that waits, deposits and withdrawals in full, in as many batches as it takes. */
  async serveQueue(): Promise<void> {
    for (;;) {
      const [head, tail] = await this.rollup.queueBounds();
      if (head === tail) return;
      const count = Math.min(Number(tail - head), this.capacity.l1Operations);
      const outcomes: bigint[] = [];
      for (let i = 0; i < count; i++) {
        const [{ word }] = await this.rollup.queueEntry(head + BigInt(i));
        outcomes.push(fullOutcome(word));
      }
      await this.submit({ body: { outcomes } });
    }
  }
}

/** isApplied:1 · reason:3 · served:88 */
export const outcome = (isApplied: boolean, served = 0n, reason = 0n): bigint =>
  (isApplied ? 1n : 0n) | (reason << 1n) | (served << 4n);

const fullOutcome = (opWord: bigint): bigint => {
  const kind = opWord & 15n;
  return outcome(true, kind === 2n || kind === 3n ? opWord >> 32n : 0n);
};

const deployMock = (connection: Connection, name: string): Promise<Contract> =>
  deployArtifact(connection, compileMock(name));

async function deployArtifact(
  connection: Connection,
  { abi, bytecode }: { readonly abi: unknown; readonly bytecode: string },
): Promise<Contract> {
  const [deployer] = await connection.ethers.getSigners();
  const factory = new connection.ethers.ContractFactory(abi as never, bytecode, deployer);
  const contract = await factory.deploy();
  await contract.waitForDeployment();
  return contract as unknown as Contract;
}

export const deployTestMock = deployMock;

export interface Constructor {
  readonly settings: Record<string, unknown>;
  readonly tokens: Record<string, unknown>[];
  readonly sizes: Record<string, unknown>[];
}

/** Deploys a rollup. @param change alters the arguments of its constructor */
export async function deployRollup(
  choices: RollupChoices = {},
  change: (values: Constructor) => Constructor = (values) => values,
): Promise<RollupFixture> {
  const { chainId = 31337 } = choices;
  const connection = choices.oracle?.connection ?? (await network.connect({ override: { chainId } }));
  const { ethers } = connection;
  const shape = choices.shape ?? TINY_SHAPE;
  const capacity = choices.capacity ?? TINY_BATCH;
  const [, operator, submitter, ...signers] = await ethers.getSigners();
  const oracle = choices.oracle?.contract ?? (await deployMock(connection, 'OracleStub'));
  const verifier = await deployArtifact(connection, choices.verifier ?? compileMock('PermissiveVerifier'));
  const sizes: Record<string, unknown>[] = [
    { ...capacity, verifier: await verifier.getAddress(), circuitHash: choices.circuitHash ?? CIRCUIT_HASH },
  ];
  for (const larger of choices.larger ?? []) {
    const own = larger.verifier === undefined ? verifier : await deployArtifact(connection, larger.verifier);
    sizes.push({ ...larger.capacity, verifier: await own.getAddress(), circuitHash: larger.circuitHash });
  }
  const tokens: Contract[] = [];
  const configs: Record<string, unknown>[] = [];
  for (const choice of choices.tokens ?? [USDC, WBTC, WETH]) {
    const token = await ethers.deployContract(choice.contract, [...(choice.values ?? [])]);
    tokens.push(token as unknown as Contract);
    configs.push({
      token: await token.getAddress(),
      weiPerUnit: choice.weiPerUnit,
      depositMinUnits: choice.depositMinUnits ?? 1n,
      capUnits: choice.capUnits ?? (configs.length === 0 ? 2n ** 34n : 2n ** 30n),
      outflowFloorUnits: choice.outflowFloorUnits ?? 2n ** 30n,
    });
  }
  const values = change({
    settings: {
      oracle: await oracle.getAddress(),
      operator: operator.address,
      submitter: submitter.address,
      genesisRoot: stateRoot(genesisState(shape)),
      treeDepth: shape.treeDepth,
      accountWords: accountWordCount(shape),
    },
    tokens: configs,
    sizes,
  });
  const rollup = await ethers.deployContract('MarginRollup', [values.settings, values.tokens, values.sizes]);
  const vault = await ethers.getContractAt('TokenVault', await rollup.vault());
  const fixture = new RollupFixture({
    connection,
    shape,
    capacities: [capacity, ...(choices.larger ?? []).map((larger) => larger.capacity)],
    rollup: rollup as unknown as Contract,
    vault: vault as unknown as Contract,
    oracle,
    verifier,
    tokens,
    signers,
    operator,
    submitter,
  });
  if (choices.oracle === undefined) await fixture.acceptTable();
  return fixture;
}

/** A rollup with an account of its first signer, an empty queue and fresh prices. */
export async function deployRollupWithAccount(): Promise<{
  readonly fixture: RollupFixture;
  readonly account: number;
}> {
  const fixture = await deployRollup();
  const account = await fixture.open(fixture.signers[0]);
  await fixture.serveQueue();
  // Past the spacing behind the registration: what is queued now is due a deadline from now.
  await fixture.wait(60);
  await fixture.acceptTable();
  return { fixture, account };
}

/** Hooks that give every test the state of `before`. @returns the same for the cases of one test */
export function restoreAfterEach(fixture: () => { readonly connection: Connection }): () => Promise<void> {
  let restore: () => Promise<void>;
  const keep = async () => {
    ({ restore } = await fixture().connection.networkHelpers.takeSnapshot());
  };
  const reset = async () => {
    await restore();
    await keep();
  };
  before(keep);
  afterEach(reset);
  return reset;
}
