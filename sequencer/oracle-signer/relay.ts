/**
 * Collects signed reports for a round. The relay is trusted with nothing: the contract checks every signature
 * and takes the medians. It only leaves out who does not answer or answers something else than was asked.
 */
import { getAddress, verifyTypedData } from 'ethers';
import {
  checkRiskReport,
  RISK_REPORT_TYPES,
  type RiskReport,
  type RiskReportDomain,
  riskReportDomain,
} from '#protocol/risk/oracle-report.ts';
import type { ReportRequest, SignedReport } from './signer.ts';

export const QUORUM = 3;
const TIMEOUT_MS = 5_000;

export interface SignerAddress {
  readonly url: string;
  /** Address the contract knows. */
  readonly signer: string;
}

/** What became of one signer's voice. */
export interface MissingReport {
  readonly signer: string;
  readonly because: string;
}

export interface CollectedReports {
  /** In ascending order of address, as the contract wants them. */
  readonly reports: readonly SignedReport[];
  readonly missing: readonly MissingReport[];
}

interface ReportBody {
  readonly report: {
    readonly roundNumber: string;
    readonly timeSec: string;
    readonly indexMicros: readonly string[];
    readonly premiumPpm: readonly string[];
    readonly basisPpb: readonly string[];
    readonly volPpm: readonly string[];
  };
  readonly signature: { readonly r: string; readonly vs: string };
}

async function ask(
  { url, signer }: SignerAddress,
  request: ReportRequest,
  domain: RiskReportDomain,
): Promise<SignedReport> {
  const { roundNumber, timeSec, barCloseSec } = request;
  const query = `roundNumber=${roundNumber}&timeSec=${timeSec}&barCloseSec=${barCloseSec}`;
  const response = await fetch(`${url}/report?${query}`, { signal: AbortSignal.timeout(TIMEOUT_MS) });
  if (!response.ok) throw new Error(`status ${response.status}`);
  const { report: text, signature } = (await response.json()) as ReportBody;
  const report: RiskReport = {
    roundNumber: BigInt(text.roundNumber),
    timeSec: BigInt(text.timeSec),
    indexMicros: text.indexMicros.map(BigInt),
    premiumPpm: text.premiumPpm.map(BigInt),
    basisPpb: text.basisPpb.map(BigInt),
    volPpm: text.volPpm.map(BigInt),
  };
  checkRiskReport(report);
  if (report.roundNumber !== roundNumber) throw new Error(`reported round ${report.roundNumber}`);
  const { r, vs } = signature;
  const recovered = verifyTypedData(domain, RISK_REPORT_TYPES, report, { r, yParityAndS: vs });
  if (recovered !== getAddress(signer)) throw new Error('signature of another key');
  return { report, signer: recovered, signature: { r, vs } };
}

/**
 * Asks all signers at once.
 * @throws Error when fewer than three answered usably: then there is no round, and nothing else is safe.
 */
export async function collectReports(
  signers: readonly SignerAddress[],
  request: ReportRequest,
  chainId: number,
  oracleAddress: string,
): Promise<CollectedReports> {
  const domain = riskReportDomain(BigInt(chainId), oracleAddress);
  const answers = await Promise.allSettled(signers.map((address) => ask(address, request, domain)));
  const reports = answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []));
  const missing = answers.flatMap((answer, i) =>
    answer.status === 'rejected' ? [{ signer: signers[i].signer, because: String(answer.reason) }] : [],
  );
  if (reports.length < QUORUM) {
    const reasons = missing.map(({ signer, because }) => `${signer}: ${because}`).join('; ');
    throw new Error(
      `round ${request.roundNumber}: ${reports.length} of ${QUORUM} reports needed (${reasons})`,
    );
  }
  const ascending = [...reports].sort((a, b) => (BigInt(a.signer) < BigInt(b.signer) ? -1 : 1));
  return { reports: ascending, missing };
}
