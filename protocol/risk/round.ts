/**
 * From a round's inputs to its risk table: the readable twin of `circuits/risk`. Exact integers; table values
 * round to nearest.
 */
import type { RiskRow, RiskTable } from '../instrument.ts';
import type { StateShape } from '../limits.ts';
import type { MicrosPerLot } from '../units.ts';
import { quarterMoveNearest } from './linear-price.ts';
import {
  type ForwardMoves,
  forwardMoves,
  type UnderlyingOptionMoves,
  underlyingMoves,
} from './option/moves.ts';
import {
  type OptionParameters,
  type Place,
  placesOfAll,
  type RegistryEntry,
  type SegmentGeometry,
} from './registry.ts';
import { checkRound, checkRows } from './round-domain.ts';
import { linearRow, optionRows, settledRows } from './rows.ts';
import { type BlockTerms, blockTerms } from './terms.ts';

export interface UnderlyingRound {
  /** Index price of one coin, micros. */
  readonly indexMicros: bigint;
  /** R of this round, its factor included. */
  readonly scanRangePpm: bigint;
  /** The factor itself, 1e9 … 2e9: haircuts grow by it as R does. */
  readonly scanFactorE9: bigint;
  readonly options: OptionParameters;
}

/** A place with something listed. */
export interface PlaceRound {
  readonly entry: RegistryEntry;
  /** Perpetual: mark over index − 1; dated future: forward over index − 1; else 0. Signed, 1e-9. */
  readonly premiumPpb: bigint;
  /** 0 but for perpetuals. */
  readonly fundingIndexMicrosPerLot: MicrosPerLot;
  /** Option: implied volatility of a year; else 0. */
  readonly volPpm: bigint;
  /** Dated future: index price of one coin at which its block is settled, micros; 0 until then and of other kinds. */
  readonly settlementMicros: bigint;
}

/** Everything a table depends on. The oracle's events carry it, so anyone can rebuild and prove a round. */
export interface RiskRoundInputs {
  readonly roundNumber: bigint;
  readonly timeSec: bigint;
  /** One per underlying, in the order of UNDERLYINGS. */
  readonly underlyings: readonly UnderlyingRound[];
  /** The circuits that can prove its table between them. */
  readonly segments: readonly SegmentGeometry[];
  /** By place over all segments; a list that ends early is empty from there on. */
  readonly places: readonly (PlaceRound | undefined)[];
  readonly esCount: number;
  readonly isJump: boolean;
}

/** An expiry block in use, by its number over all segments. */
export interface BlockRound {
  readonly future: PlaceRound;
  readonly terms: BlockTerms;
  /** 0 while it is not settled. */
  readonly settlementMicros: bigint;
  readonly strikes: readonly { readonly place: Place; readonly listed: PlaceRound }[];
}

/** Blocks whose future is listed; undefined for the others. */
export function blocksOf({
  segments,
  places,
  timeSec,
  underlyings,
}: RiskRoundInputs): (BlockRound | undefined)[] {
  const all = placesOfAll(segments).map((place, i) => ({ place, listed: places[i] }));
  const futures = all.filter(({ place }) => place.kind === 'future');
  return futures.map(({ place: { block }, listed: future }) => {
    if (future === undefined) return undefined;
    const { expirySec, underlying } = future.entry;
    return {
      future,
      terms: blockTerms(expirySec, timeSec, underlyings[underlying].options),
      settlementMicros: future.settlementMicros,
      strikes: all.flatMap(({ place, listed }) =>
        place.kind === 'strike' && place.block === block && listed !== undefined ? [{ place, listed }] : [],
      ),
    };
  });
}

/**
 * The table of a round.
 * @throws InputError when a value is outside the domain in which a proof exists. The contracts enforce the
 *   same domain where values enter, so every round they accept has a table.
 */
export function buildRiskTable(inputs: RiskRoundInputs, shape: StateShape): RiskTable {
  checkRound(inputs, shape);
  const { roundNumber, timeSec, esCount, isJump, underlyings } = inputs;
  const blocks = blocksOf(inputs);
  // Logarithms are not for free: none where nothing needs them.
  const moves = underlyings.map(({ scanRangePpm }, u) =>
    blocks.some((block) => block?.future.entry.underlying === u && block.settlementMicros === 0n)
      ? underlyingMoves(quarterMoveNearest(scanRangePpm))
      : undefined,
  );
  const forwards = new Map<number, ForwardMoves>();
  const rows = placesOfAll(inputs.segments).flatMap((place, i): RiskRow[] => {
    const listed = inputs.places[i];
    if (listed === undefined) return [];
    const underlying = underlyings[listed.entry.underlying];
    if (place.kind === 'linear') return [linearRow(place, listed, underlying, undefined, shape)];
    const block = blocks[place.block] as BlockRound;
    if (block.settlementMicros !== 0n) return settledRows(place, listed, block.settlementMicros, shape);
    const shared = moves[listed.entry.underlying] as UnderlyingOptionMoves;
    if (place.kind === 'future') {
      const row = linearRow(place, listed, underlying, block.terms, shape);
      forwards.set(place.block, forwardMoves(row.mark, block.terms.timeSec, shared.quarterMove));
      return [row];
    }
    const forward = forwards.get(place.block) as ForwardMoves;
    return optionRows(place, listed, { underlying, terms: block.terms, moves: shared, forward }, shape);
  });
  checkRows(rows);
  const addOnUnitDollars = underlyings.map(({ options }) => options.addOnUnitDollars);
  return { roundNumber, timeSec, rows, esCount, addOnUnitDollars, isJump };
}
