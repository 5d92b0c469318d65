import {
  type Contract,
  type ContractTransactionReceipt,
  getCreateAddress,
  type HDNodeWallet,
  Signature,
  Wallet,
} from 'ethers';
import { network } from 'hardhat';
import { DEFAULT_REGISTRY, DEFAULT_UNDERLYING_PARAMETERS } from '#protocol/risk/default-registry.ts';
import { RISK_REPORT_TYPES, type RiskReport, riskReportDomain } from '#protocol/risk/oracle-report.ts';
import type { RoundValues } from '#protocol/risk/oracle-state.ts';
import {
  geometryStruct,
  initialParametersStruct,
  type OracleSettings,
  type RoundValuesStruct,
  roundValuesFromStruct,
  roundValuesStruct,
} from '#protocol/risk/oracle-structs.ts';
import type { SurfaceValues } from '#protocol/risk/oracle-surface.ts';
import { RISK_TINY, type SegmentGeometry } from '#protocol/risk/registry.ts';

export const START_PRICES = [97_000_000_000n, 3_300_000_000n];
export const DAY_SEC = 86_400;
/** Runtime code of one byte: enough where a test does not get as far as a proof. */
const CODE_OF_ONE_BYTE = '0x6001600c60003960016000f300';

export type HardhatConnection = Awaited<ReturnType<typeof network.connect>>;
export type Signer = HDNodeWallet | Wallet;

/** An oracle on a chain of its own, and the keys of its five signers in ascending order of address. */
export interface OracleFixture {
  readonly connection: HardhatConnection;
  readonly oracle: Contract;
  readonly parameters: Contract;
  readonly proofs: Contract;
  readonly segments: readonly SegmentGeometry[];
  readonly signers: readonly Signer[];
  readonly oracleAddress: string;
  readonly chainId: bigint;
  readonly deployedAtSec: bigint;
  readonly settings: OracleSettings;
}

const ascending = (a: Signer, b: Signer): number => (BigInt(a.address) < BigInt(b.address) ? -1 : 1);

/** The same five keys in every run. */
export const ORACLE_SIGNERS: readonly Signer[] = [1n, 2n, 3n, 4n, 5n]
  .map((seed) => new Wallet(`0x${(0xba11a57n * 1_000n + seed).toString(16).padStart(64, '0')}`))
  .sort(ascending);

export function oracleSettings(governor: string, changes: Partial<OracleSettings> = {}): OracleSettings {
  return {
    governor,
    delaySec: BigInt(14 * DAY_SEC),
    instrumentLimit: 4,
    esCount: 1,
    signers: ORACLE_SIGNERS.map(({ address }) => address),
    indexMicros: START_PRICES,
    underlyings: DEFAULT_UNDERLYING_PARAMETERS,
    registry: DEFAULT_REGISTRY,
    ...changes,
  };
}

export interface DeployChoices {
  readonly settings?: Partial<OracleSettings>;
  readonly stalenessSec?: number;
  /** By default the tiny one alone. */
  readonly segments?: readonly SegmentGeometry[];
  /** Of the first segment; the others count on. */
  readonly circuitHash?: bigint;
  /** By default a chain of its own. */
  readonly connection?: HardhatConnection;
  /** Deploys the verifier of each segment; by default any code. */
  readonly verifier?: (connection: HardhatConnection, segment: SegmentGeometry) => Promise<string>;
}

async function anyCode({ ethers }: HardhatConnection): Promise<string> {
  const [deployer] = await ethers.getSigners();
  const receipt = await (await deployer.sendTransaction({ data: CODE_OF_ONE_BYTE })).wait();
  return receipt?.contractAddress as string;
}

export async function deployOracle(choices: DeployChoices = {}): Promise<OracleFixture> {
  const connection = choices.connection ?? (await network.connect());
  const { ethers } = connection;
  const [governor] = await ethers.getSigners();
  const settings = oracleSettings(governor.address, choices.settings);
  const segments = choices.segments ?? [RISK_TINY];
  const verifiers: string[] = [];
  for (const segment of segments) {
    verifiers.push(await (choices.verifier ?? anyCode)(connection, segment));
  }
  const circuitHash = choices.circuitHash ?? 1n;
  const proofs = await ethers.deployContract('RoundProofs', [
    segments.map((geometry, i) => ({
      geometry: geometryStruct(geometry),
      verifier: verifiers[i],
      circuitHash: circuitHash + BigInt(i),
    })),
  ]);
  const nonce = await governor.getNonce();
  const parameters = await ethers.deployContract('RiskParameters', [
    initialParametersStruct(settings),
    proofs,
    getCreateAddress({ from: governor.address, nonce: nonce + 1 }),
  ]);
  const oracle = await ethers.deployContract('RiskOracle', [parameters, choices.stalenessSec ?? 180]);
  const receipt = await oracle.deploymentTransaction()?.wait();
  const block = await ethers.provider.getBlock(receipt?.blockNumber as number);
  return {
    connection,
    oracle: oracle as unknown as Contract,
    parameters: parameters as unknown as Contract,
    proofs: proofs as unknown as Contract,
    segments,
    signers: ORACLE_SIGNERS,
    oracleAddress: await oracle.getAddress(),
    chainId: (await ethers.provider.getNetwork()).chainId,
    deployedAtSec: BigInt(block?.timestamp as number),
    settings,
  };
}

export interface SignedReports {
  readonly reports: readonly RiskReport[];
  readonly signatures: readonly { readonly r: string; readonly vs: string }[];
}

export async function signReports(
  fixture: Pick<OracleFixture, 'chainId' | 'oracleAddress'>,
  reports: readonly (readonly [Signer, RiskReport])[],
): Promise<SignedReports> {
  const domain = riskReportDomain(fixture.chainId, fixture.oracleAddress);
  const signatures = await Promise.all(
    reports.map(async ([signer, report]) => {
      const { r, yParityAndS } = Signature.from(
        await signer.signTypedData(domain, RISK_REPORT_TYPES, report),
      );
      return { r, vs: yParityAndS };
    }),
  );
  return { reports: reports.map(([, report]) => report), signatures };
}

/** What honest signers report when the chain's next block has this time. */
export const reportAt = (
  roundNumber: bigint,
  timeSec: bigint,
  indexMicros: readonly bigint[] = START_PRICES,
  premiumPpm: readonly bigint[] = [0n, 0n],
  surface: SurfaceValues = { basisPpb: [], volPpm: [] },
): RiskReport => ({ roundNumber, timeSec, indexMicros, premiumPpm, ...surface });

/** Three honest reports of the same values; the transaction's block gets the reports' time. */
export async function postHonestRound(
  fixture: OracleFixture,
  report: RiskReport,
): Promise<{
  values: RoundValues;
  struct: RoundValuesStruct;
  indexSeconds: bigint[];
  receipt: ContractTransactionReceipt;
}> {
  const { connection, oracle, signers } = fixture;
  const { reports, signatures } = await signReports(
    fixture,
    signers.slice(0, 3).map((signer) => [signer, report] as const),
  );
  await connection.networkHelpers.time.setNextBlockTimestamp(report.timeSec);
  const receipt = (await (await oracle.postRound(reports, signatures)).wait()) as ContractTransactionReceipt;
  return { ...roundPosted(fixture, receipt), receipt };
}

/** The event of a transaction that posted a round. */
export function roundPosted(
  { oracle }: Pick<OracleFixture, 'oracle'>,
  receipt: ContractTransactionReceipt,
): { values: RoundValues; struct: RoundValuesStruct; indexSeconds: bigint[] } {
  const log = receipt.logs
    .map((entry) => oracle.interface.parseLog(entry))
    .find((entry) => entry?.name === 'RoundPosted');
  if (log === undefined || log === null) throw new Error('the transaction posted no round');
  const struct = log.args.round as unknown as RoundValuesStruct;
  const values = roundValuesFromStruct(struct);
  // A plain copy: what ethers returns is frozen, and it cannot encode that again.
  return {
    values,
    struct: roundValuesStruct(values, struct.registryHash),
    indexSeconds: [...log.args.indexSeconds],
  };
}
