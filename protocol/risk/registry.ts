/**
 * The registry of instruments and the places of a risk circuit.
 *
 * A table is proved by one or several *segments*, one proof each. A segment has, in this order, linear places
 * (spot, perpetual) and expiry blocks; a block is one place for a dated future and some for strikes. A place
 * takes one market slot, a strike two: its call, then its put. The registry is the list of all places of all
 * segments, `undefined` where nothing is listed.
 */

import { CHAIN_RATE, POSEIDON_INPUTS_MAX } from '../crypto/poseidon.ts';
import { invariant } from '../errors.ts';
import type { InstrumentKind } from '../instrument.ts';
import type { Lots } from '../units.ts';

export type LinearKind = Exclude<InstrumentKind, 'call' | 'put'>;
export type RegistryKind = LinearKind | 'option';

/** What the governed registry (`contracts/RiskParameters.sol`) says of a place. */
export interface RegistryEntry {
  /** Options: the id of the call, which is even; its put is the next. */
  readonly id: number;
  readonly kind: RegistryKind;
  /** Index into UNDERLYINGS. */
  readonly underlying: number;
  /** Size of one lot, 1e-8 of a coin. */
  readonly lotE8: bigint;
  /** Spot: the haircut of a long lot before its factor. Perpetual, future: the charge of either side. Option: 0. */
  readonly chargeImPpm: bigint;
  readonly chargeMmPpm: bigint;
  /** Linear kinds; 0 for options, whose band and penalty are shares of the index. */
  readonly bandPpm: bigint;
  readonly penaltyPpm: bigint;
  /** Options: of the call and of the put each. */
  readonly openInterestCap: Lots;
  readonly positionCap: Lots;
  readonly isReduceOnly: boolean;
  /** 0 but for dated futures and options. */
  readonly expirySec: bigint;
  /** 0 but for options. */
  readonly strikeMicrosPerLot: bigint;
}

/** By place; a list that ends early is empty from there on. */
export type Registry = readonly (RegistryEntry | undefined)[];

/** Governed per underlying: how its options and futures are margined. */
export interface OptionParameters {
  /** Volatility shocks at 30 days to expiry. */
  readonly volUpPpm: bigint;
  readonly volDownPpm: bigint;
  /** A volatility shocked upwards is at least this. */
  readonly volUpFloorPpm: bigint;
  /** Charge on delta for the time until expiry: the larger of the two, of which MM is three fifths. */
  readonly rollMinPpm: bigint;
  readonly rollPerYearPpm: bigint;
  /** Charge of a short option, of the index price of its lot. */
  readonly shortImPpm: bigint;
  readonly shortMmPpm: bigint;
  /** Of the index price of an option's lot. */
  readonly bandPpm: bigint;
  readonly penaltyPpm: bigint;
  /** Net delta up to this pays nothing for its size: the unit of the size add-on, whole dollars. */
  readonly addOnUnitDollars: bigint;
}

/** Sizes of one risk circuit. */
export interface SegmentGeometry {
  /** File name of its main component. */
  readonly name: string;
  /** Market slot of its first place: 0, or 16 + 15·j, so that it begins a link of the table's hash. */
  readonly startSlot: number;
  readonly linear: number;
  readonly blocks: number;
  readonly strikesPerBlock: number;
}

export const RISK_SMALL: SegmentGeometry = {
  name: 'risk-small',
  startSlot: 0,
  linear: 6,
  blocks: 2,
  strikesPerBlock: 2,
};
/** A whole table of the standard shape in one proof. */
export const RISK_64: SegmentGeometry = {
  name: 'risk-64',
  startSlot: 0,
  linear: 4,
  blocks: 8,
  strikesPerBlock: 4,
};
/** After RISK_SMALL: two proofs make one table. */
export const RISK_MORE: SegmentGeometry = {
  name: 'risk-more',
  startSlot: 16,
  linear: 0,
  blocks: 4,
  strikesPerBlock: 7,
};
/** Over TINY_SHAPE, for tests. */
export const RISK_TINY: SegmentGeometry = {
  name: 'risk-tiny',
  startSlot: 0,
  linear: 4,
  blocks: 0,
  strikesPerBlock: 0,
};

/** A place takes one market slot, a strike two. */
export const slotsOf = ({ linear, blocks, strikesPerBlock }: SegmentGeometry): number =>
  linear + blocks * (1 + 2 * strikesPerBlock);

export const placeCount = ({ linear, blocks, strikesPerBlock }: SegmentGeometry): number =>
  linear + blocks * (1 + strikesPerBlock);

export interface Place {
  readonly kind: 'linear' | 'future' | 'strike';
  /** Of the segment, for a future or strike. */
  readonly block: number;
  /** Of its block, for a strike. */
  readonly strike: number;
  /** A strike's call; its put is in the next. */
  readonly marketSlot: number;
}

/** Every place of a segment in order. */
export function placesOf({ startSlot, linear, blocks, strikesPerBlock }: SegmentGeometry): Place[] {
  const places: Place[] = [];
  let marketSlot = startSlot;
  for (let i = 0; i < linear; i++)
    places.push({ kind: 'linear', block: 0, strike: 0, marketSlot: marketSlot++ });
  for (let block = 0; block < blocks; block++) {
    places.push({ kind: 'future', block, strike: 0, marketSlot: marketSlot++ });
    for (let strike = 0; strike < strikesPerBlock; strike++) {
      places.push({ kind: 'strike', block, strike, marketSlot });
      marketSlot += 2;
    }
  }
  return places;
}

/** Every place of all segments, which follow one another; blocks count on over the segments. */
export function placesOfAll(segments: readonly SegmentGeometry[]): Place[] {
  let blocks = 0;
  let nextSlot = 0;
  return segments.flatMap((segment) => {
    const isAligned = segment.startSlot === 0 || (segment.startSlot - POSEIDON_INPUTS_MAX) % CHAIN_RATE === 0;
    invariant(
      segment.startSlot === nextSlot && isAligned,
      'segments follow one another at links of the hash',
    );
    nextSlot += slotsOf(segment);
    const places = placesOf(segment).map((place) => ({ ...place, block: blocks + place.block }));
    blocks += segment.blocks;
    return places;
  });
}

/** Market slots by instrument id, the puts included. */
export function marketSlotsById(
  registry: Registry,
  segments: readonly SegmentGeometry[],
): Map<number, number> {
  const places = placesOfAll(segments);
  const slots = new Map<number, number>();
  registry.forEach((entry, i) => {
    if (entry === undefined) return;
    slots.set(entry.id, places[i].marketSlot);
    if (entry.kind === 'option') slots.set(entry.id + 1, places[i].marketSlot + 1);
  });
  return slots;
}
