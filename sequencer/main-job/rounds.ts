/** One oracle round from reports to an accepted table: collect, post, prove, submit. */
import {
  Contract,
  type ContractTransactionReceipt,
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
import { riskRoundInputs } from '#protocol/risk/oracle-state.ts';
import {
  type RoundValuesStruct,
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
  /** By segment. */
  readonly circuitHashes: readonly bigint[];
  readonly signers: readonly SignerAddress[];
  readonly registry: Registry;
  readonly prove: ProveRound;
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

export class RoundKeeper {
  readonly #settings: RoundKeeperSettings;
  readonly #oracle: Contract;
  #lastRound = 0n;

  constructor(settings: RoundKeeperSettings) {
    this.#settings = settings;
    this.#oracle = new Contract(settings.oracleAddress, settings.oracleAbi, settings.relay);
  }

  /** Brings one round to an accepted table, or to its end if it is void. @param barCloseSec the minute whose prices it carries */
  async run(timeSec: bigint, barCloseSec: bigint): Promise<AcceptedRound> {
    const { signers, chainId, oracleAddress, registry, prove, circuitHashes } = this.#settings;
    const request = { roundNumber: this.#lastRound + 1n, timeSec, barCloseSec };
    const { reports } = await collectReports(signers, request, Number(chainId), oracleAddress);
    const posted = await this.#send('postRound', [
      reports.map(({ report }) => report),
      reports.map(({ signature }) => signature),
    ]);
    this.#lastRound = request.roundNumber;
    const struct = this.#valuesOf(posted);
    const values = roundValuesFromStruct(struct);
    const inputs = riskRoundInputs(values, registry, defaultSegments(STANDARD_SHAPE));
    const domainWords = circuitHashes.map((hash) => domainWordOf(chainId, BigInt(oracleAddress), hash));
    const segments = await prove(inputs, domainWords);
    const table = buildRiskTable(inputs, STANDARD_SHAPE);
    const proved = await this.#send('proveRound', [
      roundValuesStruct(values, struct.registryHash),
      segmentProofStructs(registry, segments),
    ]);
    return {
      table,
      isVoid: segments.some(({ isSurfaceSound }) => !isSurfaceSound),
      indexMicros: values.underlyings.map((underlying) => underlying.indexMicros),
      reportCount: reports.length,
      postGas: posted.gasUsed,
      proveGas: proved.gasUsed,
    };
  }

  #valuesOf(receipt: ContractTransactionReceipt): RoundValuesStruct {
    for (const log of receipt.logs) {
      const parsed = this.#oracle.interface.parseLog(log);
      if (parsed?.name !== 'RoundPosted') continue;
      // By place: a Result hides an argument named like a method of arrays.
      return (parsed.args[1] as Result).toObject(true) as unknown as RoundValuesStruct;
    }
    invariant(false, 'a posted round tells its values');
  }

  async #send(method: string, values: readonly unknown[]): Promise<ContractTransactionReceipt> {
    const sent = await this.#oracle.getFunction(method).send(...values);
    const receipt = await sent.wait();
    invariant(receipt?.status === 1, `${method} was mined`);
    return receipt as ContractTransactionReceipt;
  }
}
