/** Oracle rounds from reports to an accepted table: collect and post, prove and submit. */
import {
  Contract,
  type ContractTransactionReceipt,
  type Interface,
  type InterfaceAbi,
  type Result,
  type Signer,
} from 'ethers';
import type { BatchProof } from '#protocol/batch/batch.ts';
import { domainWord as domainWordOf } from '#protocol/batch/words.ts';
import { invariant } from '#protocol/errors.ts';
import type { RiskTable } from '#protocol/instrument.ts';
import { STANDARD_SHAPE } from '#protocol/limits.ts';
import { defaultSegments } from '#protocol/risk/default-registry.ts';
import { PARAMETERS_ABI } from '#protocol/risk/oracle-abi.ts';
import { type RoundValues, riskRoundInputs } from '#protocol/risk/oracle-state.ts';
import {
  type InstrumentStruct,
  type RoundValuesStruct,
  registryFromStructs,
  roundValuesFromStruct,
  roundValuesStruct,
  segmentProofStructs,
} from '#protocol/risk/oracle-structs.ts';
import type { Registry } from '#protocol/risk/registry.ts';
import type { SegmentStatement } from '#protocol/risk/risk-words.ts';
import type { RiskRoundInputs } from '#protocol/risk/round.ts';
import { buildRiskTable } from '#protocol/risk/round.ts';
import { collectReports, type SignerAddress } from '../oracle-signer/relay.ts';

/** Proves the table of a round, segment by segment. */
export type ProveRound = (
  inputs: RiskRoundInputs,
  /** By segment. */
  domainWords: readonly bigint[],
) => Promise<readonly (SegmentStatement & { readonly proof: BatchProof })[]>;

export interface RoundKeeperSettings {
  readonly relay: Signer;
  readonly chainId: bigint;
  readonly oracleAddress: string;
  readonly oracleAbi: InterfaceAbi;
  /** The registry's contract. */
  readonly parametersAddress: string;
  /** By segment. */
  readonly circuitHashes: readonly bigint[];
  readonly signers: readonly SignerAddress[];
  /** As deployed. */
  readonly registry: Registry;
  readonly prove: ProveRound;
}

/** An expiry block whose settlement price a round fixed. */
export interface SettledBlock {
  readonly blockPlace: number;
  readonly futureId: number;
  /** Of one coin. */
  readonly settlementMicros: bigint;
}

/** Signed, medians taken by the contract; L1 has no table of it yet. */
export interface PostedRound {
  readonly values: RoundValues;
  readonly registryHash: string;
  /** In force when it was posted. */
  readonly registry: Registry;
  /** Reports that were used, of five. */
  readonly reportCount: number;
  /** Blocks that this round settled. */
  readonly settled: readonly SettledBlock[];
  readonly gas: bigint;
}

export interface AcceptedRound {
  readonly table: RiskTable;
  /** Its options contradict each other: L1 took no table of it, the one before it stays in force. */
  readonly isVoid: boolean;
  /** Medians that the contract took, one coin, micros. */
  readonly indexMicros: readonly bigint[];
  /** Reports that were used, of five. */
  readonly reportCount: number;
  readonly postGas: bigint;
  readonly proveGas: bigint;
}

const CLEAR_BLOCK = 'function clearBlock(uint256 blockPlace)';

export class RoundKeeper {
  readonly #settings: RoundKeeperSettings;
  readonly #oracle: Contract;
  readonly #parameters: Contract;
  #registry: Registry;
  #lastRound = 0n;

  constructor(settings: RoundKeeperSettings) {
    const { oracleAddress, oracleAbi, parametersAddress, relay, registry } = settings;
    this.#settings = settings;
    this.#oracle = new Contract(oracleAddress, oracleAbi, relay);
    this.#parameters = new Contract(parametersAddress, [...PARAMETERS_ABI, CLEAR_BLOCK], relay);
    this.#registry = registry;
  }

  /** Brings one round to an accepted table, or to its end if it is void. @param barCloseSec the bar whose prices it carries */
  async run(timeSec: bigint, barCloseSec: bigint): Promise<AcceptedRound> {
    return this.prove(await this.post(timeSec, barCloseSec));
  }

  /** Collects reports and posts the next round. It counts for averages and settlements also if nobody ever proves it. */
  async post(timeSec: bigint, barCloseSec: bigint): Promise<PostedRound> {
    const { signers, chainId, oracleAddress } = this.#settings;
    const request = { roundNumber: this.#lastRound + 1n, timeSec, barCloseSec };
    const { reports } = await collectReports(signers, request, Number(chainId), oracleAddress);
    const receipt = await this.#send(this.#oracle, 'postRound', [
      reports.map(({ report }) => report),
      reports.map(({ signature }) => signature),
    ]);
    this.#lastRound = request.roundNumber;
    // By place: a Result hides an argument named like a method of arrays.
    const [posted] = logsOf(receipt, this.#oracle.interface, 'RoundPosted');
    invariant(posted !== undefined, 'a posted round tells its values');
    const struct = (posted[1] as Result).toObject(true) as unknown as RoundValuesStruct;
    return {
      values: roundValuesFromStruct(struct),
      registryHash: struct.registryHash,
      registry: this.#registry,
      reportCount: reports.length,
      settled: logsOf(receipt, this.#oracle.interface, 'BlockSettled').map((event) => ({
        blockPlace: Number(event.blockPlace),
        futureId: Number(event.futureId),
        settlementMicros: event.settlementMicros,
      })),
      gas: receipt.gasUsed,
    };
  }

  /** Proves a posted round. Earlier ones that nobody proved are skipped for ever. */
  async prove({ values, registryHash, registry, reportCount, gas }: PostedRound): Promise<AcceptedRound> {
    const { chainId, oracleAddress, prove, circuitHashes } = this.#settings;
    const inputs = riskRoundInputs(values, registry, defaultSegments(STANDARD_SHAPE));
    const domainWords = circuitHashes.map((hash) => domainWordOf(chainId, BigInt(oracleAddress), hash));
    const segments = await prove(inputs, domainWords);
    const table = buildRiskTable(inputs, STANDARD_SHAPE);
    const proved = await this.#send(this.#oracle, 'proveRound', [
      roundValuesStruct(values, registryHash),
      segmentProofStructs(registry, segments),
    ]);
    return {
      table,
      isVoid: segments.some(({ isSurfaceSound }) => !isSurfaceSound),
      indexMicros: values.underlyings.map((underlying) => underlying.indexMicros),
      reportCount,
      postGas: gas,
      proveGas: proved.gasUsed,
    };
  }

  /** Empties a settled block of which everything is retired; rounds from here on are of the new registry. */
  async clearBlock(blockPlace: number): Promise<void> {
    const receipt = await this.#send(this.#parameters, 'clearBlock', [blockPlace]);
    const [changed] = logsOf(receipt, this.#parameters.interface, 'RegistryChanged');
    invariant(changed !== undefined, 'a cleared block leaves another registry');
    const { instruments } = changed.toObject(true) as unknown as {
      instruments: readonly InstrumentStruct[];
    };
    this.#registry = registryFromStructs(instruments);
  }

  async #send(
    contract: Contract,
    method: string,
    values: readonly unknown[],
  ): Promise<ContractTransactionReceipt> {
    const sent = await contract.getFunction(method).send(...values);
    const receipt = await sent.wait();
    invariant(receipt?.status === 1, `${method} was mined`);
    return receipt as ContractTransactionReceipt;
  }
}

/** Arguments of every event of that name in a receipt. */
function logsOf(receipt: ContractTransactionReceipt, declared: Interface, name: string): Result[] {
  return receipt.logs.flatMap((log) => {
    const parsed = declared.parseLog(log);
    return parsed?.name === name ? [parsed.args] : [];
  });
}
