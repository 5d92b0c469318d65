/**
 * Error of the option price on a dense grid, against double-precision Black-76:
 *
 *     node bench/option-error.ts
 *
 * Prints the bounds that docs/options.md derives and the largest errors measured, as shares of the forward.
 */
import { derivedBounds } from '#test/support/option/error-bound.ts';
import { gridPoints, isInDomain, measure, noErrors } from '#test/support/option/error-grid.ts';

const [TIMES, VOLS, STRIKES] = [24, 24, 60];
/** The largest scan range of the grid. */
const SCAN_RANGE_MAX = 0.36;

const errors = noErrors();
for (const point of gridPoints(TIMES, VOLS, STRIKES)) if (isInDomain(point)) measure(point, errors);
console.log(JSON.stringify({ derived: derivedBounds(SCAN_RANGE_MAX), measured: errors }, null, 2));
