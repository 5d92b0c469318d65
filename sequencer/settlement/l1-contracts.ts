/** What the sequencer reads of the contracts (contracts/interfaces), at a block of its choice. */
import { Contract, type InterfaceAbi, type Provider } from 'ethers';
import { L1_KIND, type L1Kind, type L1Operation } from '#protocol/batch/batch.ts';
import { accountWordCount } from '#protocol/batch/calldata.ts';
import type { BatchSize } from '#protocol/batch/sizes.ts';
import { domainWord as domainWordOf, L1_OPERATION_LAYOUT } from '#protocol/batch/words.ts';
import { optionQuotes } from '#protocol/display/greeks.ts';
import { InputError, invariant } from '#protocol/errors.ts';
import type { StateShape } from '#protocol/limits.ts';
import type { SigningDomain } from '#protocol/message.ts';
import { unpack } from '#protocol/pack.ts';
import { PARAMETERS_ABI, PARAMETERS_READER, ROUND_POSTED_EVENT } from '#protocol/risk/oracle-abi.ts';
import { riskRoundInputs } from '#protocol/risk/oracle-state.ts';
import {
  type GeometryStruct,
  geometriesFromStructs,
  type InstrumentStruct,
  type RoundValuesStruct,
  registryFromStructs,
  roundValuesFromStruct,
} from '#protocol/risk/oracle-structs.ts';
import type { Registry, SegmentGeometry } from '#protocol/risk/registry.ts';
import { buildRiskTable, type RiskRoundInputs } from '#protocol/risk/round.ts';
import { tableHash } from '#protocol/risk/table.ts';
import type { AcceptedTable, L1Numbers, QueuedL1Operation } from '../commands.ts';

/** Errors are listed because a refused batch must say why. */
export const ROLLUP_ABI = [
  'event OperationQueued(uint64 indexed queueIndex, uint32 indexed accountIndex, uint256 word, uint256 keyX, uint256 keyY, uint256 dueNetSec)',
  'event BatchAccepted(uint64 indexed batchNumber, uint256 newStateRoot, uint256 batchTimeSec, uint256 acceptedIndex, uint256 newQueueHead)',
  'function oracle() view returns (address)',
  'function vault() view returns (address)',
  'function batchNumber() view returns (uint64)',
  'function stateRoot() view returns (uint256)',
  'function queueBounds() view returns (uint64 head, uint64 tail)',
  'function accountWords() view returns (uint256)',
  'function unfinishedRetirement() view returns (uint256 instrumentId)',
  'function finishRetirement()',
  'function batchSize(uint256) view returns (tuple(address verifier, uint16 accounts, uint16 l1Operations, uint16 withdrawals, uint16 liquidations, uint256 circuitHash))',
  'error NotSubmitter(address caller)',
  'error NotTopLevelCall(address caller)',
  'error IsFrozen()',
  'error OperationOverdue(uint64 queueIndex)',
  'error UnknownBatchSize(uint256 sizeIndex)',
  'error BatchTimeFell(uint256 lastSec, uint256 batchTimeSec)',
  'error BatchTimeAheadOfL1(uint256 l1Sec, uint256 batchTimeSec)',
  'error BatchTooLate(uint256 lagSec, uint256 lagMaxSec)',
  'error TableFell(uint256 lastIndex, uint256 acceptedIndex)',
  'error UnknownTable(uint256 acceptedIndex, uint256 acceptedCount)',
  'error TableNotYetAccepted(uint256 acceptedAtSec, uint256 batchTimeSec)',
  'error TableNotNewest(uint256 acceptedIndex, uint256 nextAcceptedAtSec)',
  'error RoundUnproved(uint256 postedAtSec)',
  'error TooManyOperations(uint256 count, uint256 countMax)',
  'error PendingDepositsCut(uint256 pendingEnd)',
  'error DepositOfLiquidatedAccount(uint256 accountIndex)',
  'error FundOverdrawn(uint256 fundBookedMicros, uint256 fundPaymentsMicros)',
  'error InvalidBatchProof(uint64 batchNumber)',
  'error BadOutcome(uint64 queueIndex, uint256 outcomeWord)',
  'error ServedBeyondLiquidity(uint256 tokenId, uint256 servedUnits, uint256 availableUnits)',
  'error ShortWithLiquidityLeft(uint256 tokenId, uint256 servedUnits, uint256 availableUnits)',
  'error RetirementUnfinished(uint256 instrumentId)',
  'error NothingRetired()',
  'error NotRollup(address caller)',
  'error NotExpired(uint256 id)',
  'error UnknownInstrument(uint256 id)',
];
const VAULT_ABI = [
  'function conservation(uint256) view returns (tuple(uint256 heldUnits, uint256 claimsUnits, uint256 queuedUnits, int256 liquidUnits, uint256 fundBookedMicros, uint256 fundHeldMicros))',
];
const ORACLE_ABI = [
  'function acceptedCount() view returns (uint256)',
  'function acceptedTable(uint256) view returns (tuple(uint64 roundNumber, uint64 roundTimeSec, uint64 acceptedAtSec, bool isJump, uint80 marginWord, uint256 tableHash))',
  ROUND_POSTED_EVENT,
  PARAMETERS_READER,
];

export interface AcceptedBatchEvent {
  readonly batchNumber: number;
  readonly newStateRoot: bigint;
  readonly l1Block: number;
  readonly l1TxHash: string;
}

export class L1Contracts {
  readonly provider: Provider;
  readonly rollup: Contract;
  readonly #shape: StateShape;
  readonly #tokenCount: number;
  readonly #firstBlock: number;
  readonly #registries = new Map<string, Registry>();
  #oracle: Contract | undefined;
  #parameters: Contract | undefined;
  #segments: readonly SegmentGeometry[] | undefined;
  #vault: Contract | undefined;

  /** @param firstBlock the rollup's own block: nothing is older */
  constructor(
    provider: Provider,
    rollupAddress: string,
    place: { readonly shape: StateShape; readonly tokenCount: number; readonly firstBlock: number },
  ) {
    this.provider = provider;
    this.rollup = new Contract(rollupAddress, ROLLUP_ABI as InterfaceAbi, provider);
    this.#shape = place.shape;
    this.#tokenCount = place.tokenCount;
    this.#firstBlock = place.firstBlock;
  }

  /**
   * Compares our batch sizes with the contract's, by place: a proof of another circuit, or words for another shape of
   * the state, would only be refused when money waits for them. And a registry that is not bound to this rollup would never
   * hear of what its batches retire: the first stays unfinished, each later one would be refused.
   * @throws InputError at the first difference
   */
  async requireDeployed(sizes: readonly BatchSize[], domain: SigningDomain): Promise<void> {
    const words = accountWordCount(this.#shape);
    if ((await this.rollup.accountWords()) !== BigInt(words))
      throw new InputError('shape', `${words} words an account`, 'the contract has another shape');
    for (const [i, { capacity, domainWord }] of sizes.entries()) {
      const deployed = (await this.rollup.batchSize(i)).toObject();
      const kinds = ['accounts', 'l1Operations', 'withdrawals', 'liquidations'] as const;
      const word = domainWordOf(domain.chainId, domain.rollupAddress, deployed.circuitHash);
      if (word === domainWord && kinds.every((kind) => deployed[kind] === BigInt(capacity[kind]))) continue;
      throw new InputError(`sizes[${i}]`, capacity.name, `it is not the contract's size ${i}`);
    }
    const bound = await this.boundRollup();
    if (bound !== (await this.rollup.getAddress()))
      throw new InputError('rollup', bound, 'the registry is not bound to it: its governor has to do that');
  }

  /** Whose word on what nobody holds the registry takes. */
  async boundRollup(): Promise<string> {
    return (await this.#parametersOf(await this.#oracleContract())).rollup();
  }

  /** Queue entries queued in a range of blocks, in order of index. */
  async operations(fromBlock: number, toBlock: number): Promise<QueuedL1Operation[]> {
    const logs = await this.#logs(this.rollup, 'OperationQueued', [], fromBlock, toBlock);
    return logs
      .map((args) => ({ queueIndex: Number(args.queueIndex), operation: operationOf(args) }))
      .sort((a, b) => a.queueIndex - b.queueIndex);
  }

  async queueEnd(block: number): Promise<number> {
    return Number((await this.rollup.queueBounds({ blockTag: block })).tail);
  }

  async numbers(block: number): Promise<L1Numbers> {
    const vault = await this.#vaultContract();
    const sums = [];
    for (let tokenId = 0; tokenId < this.#tokenCount; tokenId++) {
      sums.push(await vault.conservation(tokenId, { blockTag: block }));
    }
    return {
      nextBatchNumber: (await this.batchNumber(block)) + 1,
      liquid: sums.map((sum) => sum.liquidUnits as bigint),
      fundBookedMicros: sums[0].fundBookedMicros,
    };
  }

  /** Number of the last accepted batch. */
  async batchNumber(block: number | 'latest'): Promise<number> {
    return Number(await this.rollup.batchNumber({ blockTag: block }));
  }

  async stateRoot(block: number | 'latest'): Promise<bigint> {
    return this.rollup.stateRoot({ blockTag: block });
  }

  /** What an accepted batch retired and the registry was not told yet; 0 for nothing. */
  async unfinishedRetirement(block: number | 'latest'): Promise<number> {
    return Number(await this.rollup.unfinishedRetirement({ blockTag: block }));
  }

  async accepted(batchNumber: number, toBlock: number): Promise<AcceptedBatchEvent | undefined> {
    const filter = this.rollup.filters.BatchAccepted(batchNumber);
    const [log] = await this.rollup.queryFilter(filter, this.#firstBlock, toBlock);
    if (log === undefined) return undefined;
    const args = this.rollup.interface.parseLog(log)?.args;
    invariant(args !== undefined, 'a filtered log is the event asked for');
    return {
      batchNumber,
      newStateRoot: args.newStateRoot,
      l1Block: log.blockNumber,
      l1TxHash: log.transactionHash,
    };
  }

  /** Tables with index ≥ `from` accepted up to a block, built from the oracle's events and compared with its hash. */
  async tables(from: number, block: number): Promise<AcceptedTable[]> {
    const oracle = await this.#oracleContract();
    const count = Number(await oracle.acceptedCount({ blockTag: block }));
    const tables: AcceptedTable[] = [];
    for (let index = from; index < count; index++) {
      const accepted = await oracle.acceptedTable(index, { blockTag: block });
      const inputs = await this.#inputs(oracle, accepted.roundNumber, block);
      const table = buildRiskTable(inputs, this.#shape);
      const hash = tableHash(table, this.#shape);
      if (hash !== accepted.tableHash)
        throw new InputError('tableHash', hash, `L1 accepted ${accepted.tableHash}`);
      tables.push({ index, table, quotes: optionQuotes(inputs), acceptedAtSec: accepted.acceptedAtSec });
    }
    return tables;
  }

  async #inputs(oracle: Contract, roundNumber: bigint, block: number): Promise<RiskRoundInputs> {
    const [posted] = await this.#logs(oracle, 'RoundPosted', [roundNumber], this.#firstBlock, block);
    invariant(posted !== undefined, 'an accepted round was posted');
    const values = posted.round as unknown as RoundValuesStruct;
    const parameters = await this.#parametersOf(oracle);
    // The oracle announces its first registry in its constructor, before the rollup exists.
    const registry = await this.#registry(parameters, values.registryHash, block);
    const segments = await this.#segmentsOf(parameters);
    return riskRoundInputs(roundValuesFromStruct(values), registry, segments);
  }

  async #parametersOf(oracle: Contract): Promise<Contract> {
    this.#parameters ??= new Contract(
      await oracle.parameters(),
      PARAMETERS_ABI as InterfaceAbi,
      this.provider,
    );
    return this.#parameters;
  }

  async #registry(parameters: Contract, registryHash: string, block: number): Promise<Registry> {
    const known = this.#registries.get(registryHash);
    if (known !== undefined) return known;
    const [changed] = await this.#logs(parameters, 'RegistryChanged', [registryHash], 0, block);
    invariant(changed !== undefined, 'a registry was announced');
    const registry = registryFromStructs(changed.instruments as unknown as InstrumentStruct[]);
    this.#registries.set(registryHash, registry);
    return registry;
  }

  /** They never change. */
  async #segmentsOf(parameters: Contract): Promise<readonly SegmentGeometry[]> {
    this.#segments ??= geometriesFromStructs((await parameters.segments()) as GeometryStruct[]);
    return this.#segments;
  }

  async #oracleContract(): Promise<Contract> {
    this.#oracle ??= new Contract(await this.rollup.oracle(), ORACLE_ABI as InterfaceAbi, this.provider);
    return this.#oracle;
  }

  async #vaultContract(): Promise<Contract> {
    this.#vault ??= new Contract(await this.rollup.vault(), VAULT_ABI as InterfaceAbi, this.provider);
    return this.#vault;
  }

  async #logs(contract: Contract, name: string, indexed: unknown[], fromBlock: number, toBlock: number) {
    const logs = await contract.queryFilter(contract.filters[name](...indexed), fromBlock, toBlock);
    return logs.map((log) => {
      const parsed = contract.interface.parseLog(log);
      invariant(parsed !== null, 'a filtered log is the event asked for');
      return parsed.args.toObject(true) as Record<string, bigint>;
    });
  }
}

function operationOf(args: Record<string, bigint>): L1Operation {
  const { kind, accountIndex, tokenId, amount } = unpack(L1_OPERATION_LAYOUT, args.word);
  const name = (Object.keys(L1_KIND) as L1Kind[]).find((key) => BigInt(L1_KIND[key]) === kind);
  if (name === undefined) throw new InputError('kind', kind, 'not a kind of L1 operation');
  return {
    kind: name,
    accountIndex: Number(accountIndex),
    tokenId: Number(tokenId),
    amount,
    publicKey: [args.keyX, args.keyY],
  };
}
