/** Risk tables of real strikes: a round of RISK_64 with four expiries of each coin, four strikes in each. */

import type { RiskTable } from '#protocol/instrument.ts';
import { STANDARD_SHAPE } from '#protocol/limits.ts';
import { DEFAULT_REGISTRY } from '#protocol/risk/default-registry.ts';
import { RISK_64 } from '#protocol/risk/registry.ts';
import { buildRiskTable, type RiskRoundInputs } from '#protocol/risk/round.ts';
import { microsPerLot } from '#protocol/units.ts';
import { futureEntry, optionEntry } from '../option-registry.ts';
import {
  contextOf,
  microsPerLotOf,
  type QuotedExpiry,
  type QuotedStrike,
  readChain,
  type Snapshot,
} from './chain.ts';

/** Listed strikes nearest to these shares of the forward. */
const STRIKE_SHARES = [0.85, 1, 1.1, 1.3];
const FIRST_FUTURE_ID = 100;
const FIRST_CALL_ID = 1_000;

/** One expiry of a table with the ids of its instruments. A put's id is its call's plus one. */
export interface ListedExpiry {
  readonly expiry: QuotedExpiry;
  readonly futureId: number;
  readonly calls: readonly { readonly id: number; readonly quoted: QuotedStrike }[];
}
export interface ChainTable {
  readonly inputs: RiskRoundInputs;
  readonly table: RiskTable;
  readonly expiries: readonly ListedExpiry[];
}

function chosenStrikes({ strikes, forward }: QuotedExpiry): QuotedStrike[] {
  const chosen = STRIKE_SHARES.map((share) =>
    strikes.reduce((best, other) =>
      Math.abs(other.strike - share * forward) < Math.abs(best.strike - share * forward) ? other : best,
    ),
  );
  return [...new Set(chosen)];
}

/** @param expiryNumbers of the chain of each coin, 0 the next to expire; four of them */
export function chainTable(snapshot: Snapshot, expiryNumbers: readonly number[], esCount = 1): ChainTable {
  const chain = readChain(snapshot);
  const chosen = [0, 1].flatMap((underlying) => {
    const own = chain.filter((expiry) => expiry.underlying === underlying);
    return expiryNumbers.map((number) => own[number]);
  });
  const expiries = chosen.map(
    (expiry, block): ListedExpiry => ({
      expiry,
      futureId: FIRST_FUTURE_ID + block,
      calls: chosenStrikes(expiry).map((quoted, i) => ({ id: FIRST_CALL_ID + 20 * block + 2 * i, quoted })),
    }),
  );
  const none = {
    premiumPpb: 0n,
    fundingIndexMicrosPerLot: microsPerLot(0n),
    volPpm: 0n,
    settlementMicros: 0n,
  };
  const linear = DEFAULT_REGISTRY.map((entry) => ({ entry, ...none }));
  const blocks = expiries.flatMap(({ expiry, futureId, calls }) => {
    const { underlying, forward } = expiry;
    const listing = { underlying, expirySec: BigInt(expiry.expirySec), strikes: [] };
    const basis = BigInt(Math.round((forward / snapshot.index[underlying] - 1) * 1e9));
    const options = calls.map(({ id, quoted: { strike, call } }) => ({
      entry: optionEntry(id, microsPerLotOf(strike, underlying), listing),
      ...none,
      volPpm: BigInt(Math.round(call.vol * 1e6)),
    }));
    const empty = Array.from({ length: RISK_64.strikesPerBlock - options.length }, () => undefined);
    return [{ entry: futureEntry(futureId, listing), ...none, premiumPpb: basis }, ...options, ...empty];
  });
  const inputs: RiskRoundInputs = {
    roundNumber: 7n,
    timeSec: BigInt(snapshot.timeSec),
    isJump: false,
    esCount,
    underlyings: [0, 1].map((underlying) => contextOf(chosen[underlying * expiryNumbers.length]).underlying),
    segments: [RISK_64],
    places: [...linear, ...blocks],
  };
  return { inputs, table: buildRiskTable(inputs, STANDARD_SHAPE), expiries };
}
