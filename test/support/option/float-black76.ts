/** Black-76 in double precision: the measure for the integers of protocol/risk/option. Nothing is shared with them. */
export const SECONDS_PER_YEAR = 31_536_000;

const density = (x: number): number => Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);

/** Terms of the continued fraction: beyond 3 deviations 60 leave less than 1e-16 of the tail. */
const FRACTION_TERMS = 60;

/** Φ(x), absolute error about 1e-16: a series of positive terms to 3 deviations, Laplace's continued fraction beyond. */
export function normal(x: number): number {
  const size = Math.abs(x);
  if (size > 3) {
    let rest = size;
    for (let n = FRACTION_TERMS; n > 0; n--) rest = size + n / rest;
    const tail = density(size) / rest;
    return x > 0 ? 1 - tail : tail;
  }
  let term = x;
  let sum = x;
  for (let n = 1; Math.abs(term) > 1e-18; n++) {
    term *= (x * x) / (2 * n + 1);
    sum += term;
  }
  return 0.5 + density(x) * sum;
}

export interface FloatOption {
  readonly call: number;
  readonly put: number;
  readonly callDelta: number;
}

/** Undiscounted call, put and call delta. */
export function floatBlack76(forward: number, strike: number, vol: number, seconds: number): FloatOption {
  const deviation = vol * Math.sqrt(seconds / SECONDS_PER_YEAR);
  const d2 = Math.log(forward / strike) / deviation - deviation / 2;
  const d1 = d2 + deviation;
  return {
    call: forward * normal(d1) - strike * normal(d2),
    put: strike * normal(-d2) - forward * normal(-d1),
    callDelta: normal(d1),
  };
}
