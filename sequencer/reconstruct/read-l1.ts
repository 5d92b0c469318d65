/** Reads from an L1 node what `rebuild` needs: events, transaction inputs and nothing else. */
import { Contract, getBytes, type InterfaceAbi, type JsonRpcProvider, type Log, type Result } from 'ethers';
import type { L1Operation } from '#protocol/batch/batch.ts';
import { L1_KIND, type L1Kind } from '#protocol/batch/batch.ts';
import { decodeSubmitBatch } from '#protocol/batch/calldata.ts';
import { type PublishedLiquidation, readLiquidationRows } from '#protocol/batch/read-words.ts';
import { L1_OPERATION_LAYOUT } from '#protocol/batch/words.ts';
import { InputError, invariant } from '#protocol/errors.ts';
import type { RiskTable } from '#protocol/instrument.ts';
import type { BatchCapacity, StateShape } from '#protocol/limits.ts';
import { unpack } from '#protocol/pack.ts';
import {
  BLOCK_SETTLED_EVENT,
  PARAMETERS_ABI,
  PARAMETERS_READER,
  ROUND_POSTED_EVENT,
  ROUND_PROVED_EVENT,
} from '#protocol/risk/oracle-abi.ts';
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
import { min } from '#protocol/units.ts';
import type { VaultNumbers } from './conservation.ts';
import type { AcceptedBatch } from './rebuild.ts';

const ROLLUP_ABI = [
  'event OperationQueued(uint64 indexed queueIndex, uint32 indexed accountIndex, uint256 word, uint256 keyX, uint256 keyY, uint256 dueNetSec)',
  'event BatchAccepted(uint64 indexed batchNumber, uint256 newStateRoot, uint256 batchTimeSec, uint256 acceptedIndex, uint256 newQueueHead)',
  'event Liquidated(uint64 indexed batchNumber, uint256[] rows)',
  'function oracle() view returns (address)',
  'function stateRoot() view returns (uint256)',
  'function batchSize(uint256) view returns (tuple(address verifier, uint16 accounts, uint16 l1Operations, uint16 withdrawals, uint16 liquidations, uint256 circuitHash))',
  'function vault() view returns (address)',
];
const VAULT_ABI = [
  'function tokenConfig(uint256) view returns (tuple(address token, uint96 weiPerUnit, uint128 depositMinUnits, uint128 capUnits, uint128 outflowFloorUnits))',
  'function conservation(uint256) view returns (tuple(uint256 heldUnits, uint256 claimsUnits, uint256 queuedUnits, int256 liquidUnits, uint256 fundBookedMicros, uint256 fundHeldMicros))',
];
const ORACLE_ABI = [ROUND_POSTED_EVENT, ROUND_PROVED_EVENT, BLOCK_SETTLED_EVENT, PARAMETERS_READER];
const ERC20_ABI = ['function balanceOf(address) view returns (uint256)'];

type Arguments = Record<string, bigint>;

/** An expiry block whose settlement price the oracle fixed. */
export interface PublishedSettlement {
  readonly blockPlace: number;
  readonly futureId: number;
  /** Of one coin. */
  readonly settlementMicros: bigint;
}

/** A round and the table that follows from it. */
export interface ProvedRound {
  readonly inputs: RiskRoundInputs;
  readonly table: RiskTable;
}

export class L1Reader {
  readonly #provider: JsonRpcProvider;
  readonly #rollup: Contract;

  constructor(provider: JsonRpcProvider, rollupAddress: string) {
    this.#provider = provider;
    this.#rollup = new Contract(rollupAddress, ROLLUP_ABI as InterfaceAbi, provider);
  }

  stateRoot(): Promise<bigint> {
    return this.#rollup.stateRoot();
  }

  /** Every accepted batch in order, with the queue entries it consumed. */
  async batches(): Promise<AcceptedBatch[]> {
    const queued = await this.#queuedOperations();
    const accepted = await this.#events(this.#rollup, 'BatchAccepted');
    const batches: AcceptedBatch[] = [];
    let head = 0;
    for (const { log, args } of accepted) {
      const transaction = await this.#provider.getTransaction(log.transactionHash);
      invariant(transaction !== null, 'an accepted batch has its transaction');
      const submission = decodeSubmitBatch(getBytes(transaction.data));
      const newHead = Number(args.newQueueHead);
      batches.push({
        batchNumber: Number(args.batchNumber),
        submission,
        capacity: await this.#capacity(submission.header.sizeIndex),
        operations: queued.slice(head, newHead),
        l1TxHash: log.transactionHash,
      });
      invariant(
        submission.header.newStateRoot === args.newStateRoot,
        'the input states the root of the event',
      );
      head = newHead;
    }
    return batches;
  }

  /** Liquidation rows of every batch that has some, as the contract told them. */
  async liquidations(): Promise<Map<number, PublishedLiquidation[]>> {
    const byBatch = new Map<number, PublishedLiquidation[]>();
    for (const { log, args } of await this.#events(this.#rollup, 'Liquidated')) {
      // By place: a Result hides an argument named like a method of arrays.
      const rows: Result = this.#rollup.interface.decodeEventLog('Liquidated', log.data, log.topics)[1];
      byBatch.set(Number(args.batchNumber), readLiquidationRows(rows.toArray()));
    }
    return byBatch;
  }

  /** All proved rounds by the index of their table, built from the oracle's events and compared with its hashes. */
  async rounds(shape: StateShape): Promise<Map<number, ProvedRound>> {
    const oracle = await this.#oracle();
    const values = new Map<bigint, RoundValuesStruct>();
    for (const { log } of await this.#events(oracle, 'RoundPosted')) {
      // By place: a Result hides an argument named like a method of arrays.
      const round = (
        oracle.interface.decodeEventLog('RoundPosted', log.data, log.topics)[1] as Result
      ).toObject(true);
      values.set(round.roundNumber, round as unknown as RoundValuesStruct);
    }
    const registries = await this.registries();
    const segments = await this.segments();
    const rounds = new Map<number, ProvedRound>();
    for (const { args } of await this.#events(oracle, 'RoundProved')) {
      const round = values.get(args.roundNumber);
      const registry = round && registries.get(round.registryHash);
      invariant(
        round !== undefined && registry !== undefined,
        'a proved round was posted, its registry announced',
      );
      const inputs = riskRoundInputs(roundValuesFromStruct(round), registry, segments);
      const table = buildRiskTable(inputs, shape);
      const hash = tableHash(table, shape);
      if (hash !== args.tableHash) throw new InputError('tableHash', hash, `L1 accepted ${args.tableHash}`);
      rounds.set(Number(args.tableIndex), { inputs, table });
    }
    return rounds;
  }

  /** Every settlement of an expiry block, in order. */
  async settlements(): Promise<PublishedSettlement[]> {
    const events = await this.#events(await this.#oracle(), 'BlockSettled');
    return events.map(({ args }) => ({
      blockPlace: Number(args.blockPlace),
      futureId: Number(args.futureId),
      settlementMicros: args.settlementMicros,
    }));
  }

  /** Places of expiry blocks that were emptied after their settlement, in order. */
  async clearedBlocks(): Promise<number[]> {
    const events = await this.#events(await this.#parameters(), 'BlockCleared');
    return events.map(({ args }) => Number(args.blockPlace));
  }

  /** The circuits that prove a table between them. */
  async segments(): Promise<SegmentGeometry[]> {
    const parameters = await this.#parameters();
    return geometriesFromStructs((await parameters.segments()) as GeometryStruct[]);
  }

  /** Every registry the oracle ever announced, by hash. */
  async registries(): Promise<Map<string, Registry>> {
    const parameters = await this.#parameters();
    const registries = new Map<string, Registry>();
    for (const { log } of await this.#events(parameters, 'RegistryChanged')) {
      const parsed = parameters.interface.parseLog(log)?.args.toObject(true) as unknown as {
        registryHash: string;
        instruments: InstrumentStruct[];
      };
      registries.set(parsed.registryHash, registryFromStructs(parsed.instruments));
    }
    return registries;
  }

  /** What L1 holds and owes of a token. */
  async vault(tokenId: number): Promise<VaultNumbers> {
    const vaultAddress: string = await this.#rollup.vault();
    const vault = new Contract(vaultAddress, VAULT_ABI as InterfaceAbi, this.#provider);
    const { token, weiPerUnit } = await vault.tokenConfig(tokenId);
    const balanceWei: bigint = await new Contract(token, ERC20_ABI, this.#provider).balanceOf(vaultAddress);
    const sums: Arguments = await vault.conservation(tokenId);
    return {
      tokenId,
      // What is sent past the rollup is owed to nobody.
      vaultUnits: min(balanceWei / weiPerUnit, sums.heldUnits),
      claimsUnits: sums.claimsUnits,
      queuedUnits: sums.queuedUnits,
      treasuryToMoveUnits: sums.fundBookedMicros - sums.fundHeldMicros,
    };
  }

  async #oracle(): Promise<Contract> {
    return new Contract(await this.#rollup.oracle(), ORACLE_ABI as InterfaceAbi, this.#provider);
  }

  async #parameters(): Promise<Contract> {
    const oracle = await this.#oracle();
    return new Contract(await oracle.parameters(), PARAMETERS_ABI as InterfaceAbi, this.#provider);
  }

  async #queuedOperations(): Promise<L1Operation[]> {
    const events = await this.#events(this.#rollup, 'OperationQueued');
    return events.map(({ args }, i) => {
      invariant(Number(args.queueIndex) === i, 'the queue has no gap');
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
    });
  }

  async #capacity(sizeIndex: number): Promise<BatchCapacity> {
    const size = await this.#rollup.batchSize(sizeIndex);
    return {
      name: `size ${sizeIndex}`,
      accounts: Number(size.accounts),
      l1Operations: Number(size.l1Operations),
      withdrawals: Number(size.withdrawals),
      liquidations: Number(size.liquidations),
      // Rows that publish nothing leave no trace in the body.
      signatures: 0,
      messages: 0,
      instruments: 0,
      settlements: 0,
    };
  }

  async #events(contract: Contract, name: string): Promise<{ log: Log; args: Arguments }[]> {
    const logs = await contract.queryFilter(name, 0, 'latest');
    return logs.map((log) => ({
      log: log as Log,
      args: (contract.interface.parseLog(log)?.args.toObject() ?? {}) as Arguments,
    }));
  }
}
