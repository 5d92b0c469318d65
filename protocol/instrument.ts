import type { Lots, MicrosPerLot } from './units.ts';

/** Kinds of instrument. This order lists spot and perp; the state and the table hold the others. */
export type InstrumentKind = 'spot' | 'perp' | 'future' | 'call' | 'put';

/** Index of an underlying in every per-underlying list. */
export const UNDERLYINGS = ['BTC', 'ETH'] as const;
export type Underlying = (typeof UNDERLYINGS)[number];

/** What the governed registry says of an instrument; constant while it is listed. */
export interface Instrument {
  /** Never reused. Spot tokens are 1, 2, 3; everything else from 4. */
  readonly id: number;
  readonly symbol: string;
  readonly kind: InstrumentKind;
  readonly underlying: number;
  /** Row of the risk table and of the open-interest list. */
  readonly marketSlot: number;
  /** Size of one lot, 1e-8 of a coin. */
  readonly lotE8: bigint;
  /** Step of limit prices; the engine's rule, not proved. */
  readonly tickMicrosPerLot: bigint;
  /** 0 for spot and perp. */
  readonly expirySec: bigint;
  /** 0 but for options. Micros per lot. */
  readonly strikeMicrosPerLot: bigint;
}

/** One row of a round's risk table; field order and hash in docs/protocol.md §4. */
export interface RiskRow {
  readonly instrumentId: number;
  readonly marketSlot: number;
  readonly underlying: number;
  readonly isSpot: boolean;
  readonly isReduceOnly: boolean;
  /** Expired: the mark is the settlement value, everything else 0; implies isReduceOnly. */
  readonly isSettled: boolean;
  readonly mark: MicrosPerLot;
  /** Running sum; + is paid by longs. */
  readonly fundingIndex: MicrosPerLot;
  readonly delta: MicrosPerLot;
  readonly chargeImLong: MicrosPerLot;
  readonly chargeImShort: MicrosPerLot;
  readonly chargeMmLong: MicrosPerLot;
  readonly chargeMmShort: MicrosPerLot;
  /** How far a liquidation may trade from the mark. */
  readonly band: MicrosPerLot;
  readonly penalty: MicrosPerLot;
  readonly openInterestCap: Lots;
  readonly positionCap: Lots;
  readonly expirySec: bigint;
  /** What one long lot loses for each quarter of the scan range that its underlying moves up, beside pairLosses. */
  readonly linearLoss: MicrosPerLot;
  /** Options: what a long call loses in each pair of pairsOf(shape). Empty for anything linear. */
  readonly pairLosses: readonly MicrosPerLot[];
  /** What one long lot loses in each scenario; loss +. Length: shape.scenarios. Made of the two above. */
  readonly losses: readonly MicrosPerLot[];
}

/** Governed numbers of a round beside its rows: public word 8 of a batch. */
export interface MarginParameters {
  /** Expected shortfall over the k worst rows; 1 is the plain worst case. */
  readonly esCount: number;
  /** Per underlying: net delta up to this is margined without an add-on for its size. */
  readonly addOnUnitDollars: readonly bigint[];
}

/** The table of one round, proved by the risk circuit. */
export interface RiskTable extends MarginParameters {
  readonly roundNumber: bigint;
  /** Oracle time of the round. */
  readonly timeSec: bigint;
  /** Rows in increasing order of marketSlot; at most shape.marketSlots. */
  readonly rows: readonly RiskRow[];
  /** False in a jump round: no new risk, no liquidation. */
  readonly isJump: boolean;
}
