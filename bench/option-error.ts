/**
 * Error of the option price on a dense grid, against double-precision Black-76:
 *
 *     node bench/option-error.ts
 *
 * Prints the largest errors as shares of the forward: docs/options.md quotes them.
 */
import { gridPoints, isInDomain, measure, noErrors } from '#test/support/option/error-grid.ts';

const [TIMES, VOLS, STRIKES] = [24, 24, 60];

const errors = noErrors();
for (const point of gridPoints(TIMES, VOLS, STRIKES)) if (isInDomain(point)) measure(point, errors);
console.log(JSON.stringify(errors, null, 2));
