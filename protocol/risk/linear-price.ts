/** Marks, quarters of the scan range and shares of a mark: the arithmetic that linear rows and options share. */
import { divideNearest, type MicrosPerLot, microsPerLot, PPM_ONE } from '../units.ts';

/** R after its factor of at most 2. Above it 1 − R has no logarithm in the option circuit. */
export const SCAN_RANGE_PPM_MAX = 500_000n;
/** 2^20: the scale of a quarter of the scan range inside the proof. */
const MOVE_SCALE = 1n << 20n;
const LOT_SCALE_E8 = 100_000_000n;
export const PPB_ONE = 1_000_000_000n;

/** nearest(index · lot · (1 + premium)). */
export const markPerLotNearest = (indexMicros: bigint, lotE8: bigint, premiumPpb: bigint): MicrosPerLot =>
  microsPerLot(divideNearest(indexMicros * lotE8 * (PPB_ONE + premiumPpb), LOT_SCALE_E8 * PPB_ONE));

/** nearest(index · lot): what charges, bands and penalties of options are shares of. */
export const indexPerLotNearest = (indexMicros: bigint, lotE8: bigint): MicrosPerLot =>
  microsPerLot(divideNearest(indexMicros * lotE8, LOT_SCALE_E8));

/** A quarter of the scan range in units of 2^-20. */
export const quarterMoveNearest = (scanRangePpm: bigint): bigint =>
  divideNearest(scanRangePpm * MOVE_SCALE, 4n * PPM_ONE);

/** What one lot moves in a quarter of the scan range. */
export const quarterLossNearest = (mark: MicrosPerLot, quarterMove: bigint): MicrosPerLot =>
  microsPerLot(divideNearest(mark * quarterMove, MOVE_SCALE));

/** A share of a mark, a forward, a delta or an index price of one lot. */
export const shareNearest = (of: MicrosPerLot, ratePpm: bigint): MicrosPerLot =>
  microsPerLot(divideNearest(of * ratePpm, PPM_ONE));
