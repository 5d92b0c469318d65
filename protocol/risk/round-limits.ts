/** The domain in which a round has a table and a proof. The contracts enforce it where values enter. */

/** Index prices of one whole coin stay below 2^44 micros (17.6 million dollars). */
export const INDEX_BITS = 44;
export const FUNDING_INDEX_BITS = 50;
/** One coin: no lot is larger. */
export const LOT_E8_MAX = 100_000_000n;
export const SCAN_FACTOR_ONE_E9 = 1_000_000_000n;
export const SCAN_FACTOR_E9_MAX = 2_000_000_000n;
/** The mark of a perpetual stays within 1 % of the index. */
export const PREMIUM_PPM_MAX = 10_000n;
/** A dated future's forward lies within a half of the index. */
export const BASIS_PPB_MAX = 500_000_000n;
/** What a report may say of a listed strike: 800 %. */
export const REPORTED_VOL_PPM_MAX = 8_000_000n;
/** Charges, band and penalty after every factor, in ppm of the mark: they must fit 20 bits of a word. */
export const CHARGE_PPM_MAX = 1_000_000n;
/** Factor of a volatility shocked upwards: 22 bits of a word. */
export const VOL_UP_FACTOR_PPM_MAX = (1n << 22n) - 1n;
/**
 * Shocks at 30 days that may be governed: at a day they are 2.774191 times as large, and must leave a factor
 * within its word.
 */
export const VOL_UP_PPM_MAX = 1_151_436n;
export const VOL_DOWN_PPM_MAX = 360_465n;
/** At the longest time to expiry the roll is then below one half, which leaves as much for a future's own charge. */
export const ROLL_PER_YEAR_PPM_MAX = 100_000n;
/** Σ over instruments of lots that can exist × worst loss: keeps every account's scenario loss below 2^64. */
export const MARKET_LOSS_BITS = 59;
/** Lots of a spot token in the whole system: the rollup's own cap, for the table's does not bind deposits. */
export const SPOT_LOTS_MAX = 1n << 30n;
