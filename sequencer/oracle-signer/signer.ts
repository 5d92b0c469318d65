/**
 * One of the five voices of the oracle: what it saw, signed (EIP-712, `RiskOracle.RiskReport`). It trusts
 * nobody: it reads its own copy of the market, has its own clock and its own key.
 */
import { Signature, Wallet } from 'ethers';
import { InputError, invariant } from '#protocol/errors.ts';
import { UNDERLYINGS } from '#protocol/instrument.ts';
import {
  checkRiskReport,
  RISK_REPORT_TYPES,
  type RiskReport,
  riskReportDomain,
} from '#protocol/risk/oracle-report.ts';
import { divideNearest, PPM_ONE } from '#protocol/units.ts';
import type { Bar, RecordingName } from '#sequencer/market-data/bars.ts';
import type { OptionChain } from '#sequencer/market-data/option-chain.ts';
import { listingOf, surfaceReport, type WatchedBlock } from './surface-report.ts';

export interface SignedReport {
  readonly report: RiskReport;
  readonly signer: string;
  /** EIP-2098. */
  readonly signature: { readonly r: string; readonly vs: string };
}

/** What makes one signer differ from another. */
export interface SignerSettings {
  readonly name: string;
  readonly privateKey: string;
  /** The stretch of recorded market that it watches. */
  readonly recording: RecordingName;
  readonly chainId: number;
  readonly oracleAddress: string;
  /** Its venue's price differs from the recorded one by up to this much, differently each minute. */
  readonly noisePpmMax: number;
  /** Seconds its clock is ahead (+) or behind (−). */
  readonly clockOffsetSec: number;
  /** 1,000,000 for the honest. */
  readonly priceFactorPpm: number;
  /** Expiry blocks whose forwards and volatilities it reports; its venue differs in them as in prices. */
  readonly blocks: readonly WatchedBlock[];
}

/** A signer's own copy of what was recorded. */
export interface RecordedMarket {
  readonly bars: readonly Bar[];
  readonly chains: readonly OptionChain[];
}

/** What is asked of a signer: nothing about prices but which minute. */
export interface ReportRequest {
  readonly roundNumber: bigint;
  /** The clock of the chain. */
  readonly timeSec: bigint;
  /** End of the minute whose close is wanted. */
  readonly barCloseSec: bigint;
}

/** A whole number from −most to +most that depends on the text alone (FNV-1a): venues differ, replays do not. */
export function noiseOf(text: string, most: number): bigint {
  let hash = 0x811c9dc5;
  for (const character of text) hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x01000193) >>> 0;
  return BigInt((hash % (2 * most + 1)) - most);
}

/** What this signer believes of a minute. @throws InputError when it has no such minute. */
export function reportOf(
  { bars, chains }: RecordedMarket,
  settings: SignerSettings,
  request: ReportRequest,
): RiskReport {
  const bar = bars.find(({ closeSec }) => closeSec === request.barCloseSec);
  if (bar === undefined)
    throw new InputError('barCloseSec', request.barCloseSec, 'no such minute in the data');
  invariant(bar.closeMicros.length === UNDERLYINGS.length, 'a bar prices every underlying');
  const factor = BigInt(settings.priceFactorPpm);
  const noiseFor = (what: string) =>
    noiseOf(`${settings.name}/${what}/${bar.closeSec}`, settings.noisePpmMax);
  const surface = surfaceReport(chains, settings.blocks.map(listingOf), bar.closeMicros, request.timeSec);
  return {
    roundNumber: request.roundNumber,
    timeSec: request.timeSec + BigInt(settings.clockOffsetSec),
    indexMicros: bar.closeMicros.map((close, underlying) => {
      return divideNearest(close * (PPM_ONE + noiseFor(`${underlying}`)) * factor, PPM_ONE * PPM_ONE);
    }),
    // The recorded market has no perpetual of ours: its mark is the index.
    premiumPpm: bar.closeMicros.map(() => 0n),
    basisPpb: surface.basisPpb.map((basis, block) => basis + 1000n * noiseFor(`basis ${block}`)),
    volPpm: surface.volPpm.map((vol, strike) =>
      divideNearest(vol * (PPM_ONE + noiseFor(`vol ${strike}`)) * factor, PPM_ONE * PPM_ONE),
    ),
  };
}

export async function signReport(report: RiskReport, settings: SignerSettings): Promise<SignedReport> {
  const wallet = new Wallet(settings.privateKey);
  const domain = riskReportDomain(BigInt(settings.chainId), settings.oracleAddress);
  checkRiskReport(report);
  const signature = Signature.from(await wallet.signTypedData(domain, RISK_REPORT_TYPES, report));
  return { report, signer: wallet.address, signature: { r: signature.r, vs: signature.yParityAndS } };
}
