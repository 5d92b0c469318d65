/** What an oracle signer signs (EIP-712): plain data for any typed-data library. Twin of RiskOracle.RiskReport. */
import { InputError } from '../errors.ts';
import { UNDERLYINGS } from '../instrument.ts';
import { INDEX_BITS } from './round-limits.ts';

export interface RiskReport {
  /** The round this report is for: one above the last posted one. */
  readonly roundNumber: bigint;
  readonly timeSec: bigint;
  /** Index price of one coin, micros, per underlying. */
  readonly indexMicros: readonly bigint[];
  /** Perpetual mark over index − 1, signed; the contract clamps it to ±1 %. */
  readonly premiumPpm: readonly bigint[];
  /** Forward over index − 1, 1e-9, signed: one for each expiry block of all segments, listed or not. */
  readonly basisPpb: readonly bigint[];
  /** Implied volatility of a year: one for each strike place of all segments, listed or not. */
  readonly volPpm: readonly bigint[];
}

export interface RiskReportDomain {
  readonly name: 'Ballast Risk Oracle';
  readonly version: '1';
  readonly chainId: bigint;
  readonly verifyingContract: string;
}

export const RISK_REPORT_TYPES = {
  RiskReport: [
    { name: 'roundNumber', type: 'uint64' },
    { name: 'timeSec', type: 'uint64' },
    { name: 'indexMicros', type: `uint48[${UNDERLYINGS.length}]` },
    { name: 'premiumPpm', type: `int24[${UNDERLYINGS.length}]` },
    { name: 'basisPpb', type: 'int32[]' },
    { name: 'volPpm', type: 'uint24[]' },
  ],
};

/** Beyond this an int24 cannot carry a premium. */
const PREMIUM_REPORT_PPM_MAX = (1n << 23n) - 1n;
const BASIS_REPORT_PPB_MAX = (1n << 31n) - 1n;
const VOL_REPORT_PPM_MAX = (1n << 24n) - 1n;

export const riskReportDomain = (chainId: bigint, oracleAddress: string): RiskReportDomain => ({
  name: 'Ballast Risk Oracle',
  version: '1',
  chainId,
  verifyingContract: oracleAddress,
});

/** @throws InputError when the contract could not decode the report or would have to refuse its round. */
export function checkRiskReport(report: RiskReport): void {
  const { indexMicros, premiumPpm, basisPpb, volPpm } = report;
  if (indexMicros.length !== UNDERLYINGS.length || premiumPpm.length !== UNDERLYINGS.length) {
    throw new InputError('report', indexMicros.length, `one value for each of ${UNDERLYINGS.join(', ')}`);
  }
  for (const price of indexMicros) {
    if (price <= 0n || price >= 1n << BigInt(INDEX_BITS)) {
      throw new InputError('indexMicros', price, `expected 1 to 2^${INDEX_BITS} − 1`);
    }
  }
  for (const premium of premiumPpm) {
    if (premium > PREMIUM_REPORT_PPM_MAX || premium < -PREMIUM_REPORT_PPM_MAX) {
      throw new InputError('premiumPpm', premium, `expected at most ±${PREMIUM_REPORT_PPM_MAX}`);
    }
  }
  for (const basis of basisPpb) {
    if (basis > BASIS_REPORT_PPB_MAX || basis < -BASIS_REPORT_PPB_MAX) {
      throw new InputError('basisPpb', basis, `expected at most ±${BASIS_REPORT_PPB_MAX}`);
    }
  }
  for (const vol of volPpm) {
    if (vol < 0n || vol > VOL_REPORT_PPM_MAX) {
      throw new InputError('volPpm', vol, `expected 0 to ${VOL_REPORT_PPM_MAX}`);
    }
  }
}
