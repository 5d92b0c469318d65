/** Search for the end of an interval of integers. */

/**
 * The last integer that passes, where all from `passing` to it pass and all after it to `failing` fail.
 * @param passing known to pass
 * @param failing known to fail, greater than `passing`
 */
export function lastPassing(passes: (value: bigint) => boolean, passing: bigint, failing: bigint): bigint {
  let low = passing;
  let high = failing;
  while (high - low > 1n) {
    const middle = (low + high) >> 1n;
    if (passes(middle)) low = middle;
    else high = middle;
  }
  return low;
}
