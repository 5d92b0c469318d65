import { expect } from 'chai';
import { generatedTables, productCoefficients } from '#circuits/risk/option/tables.ts';
import { logNearest } from '#protocol/risk/option/fixed-log.ts';
import { type GridPlace, normalPerFineStepQ52, normalQ52 } from '#protocol/risk/option/normal-cdf.ts';
import { CDF_STEPS, PROBABILITY_ONE } from '#protocol/risk/option/scales.ts';
import { readSource } from '#test/static/repository-files.ts';
import { normal } from '#test/support/option/float-black76.ts';

const STEP = 3 / 2 ** 12;
const FINE_STEP = 3 / 2 ** 25;
/** The figures of docs/options.md. */
const [CDF_ERROR_MAX, DENSITY_ERROR_MAX, LOG_ERROR_MAX] = [6.3e-9, 2.5e-5, 9.8e-6];

const steps = Array.from({ length: Number(CDF_STEPS) }, (_, i) => BigInt(i));
const at = (place: bigint, isNegative = false): GridPlace => ({ steps: place, isNegative });
const deviations = (place: bigint): number => (Number(place) + 0.5) * STEP;

describe('tables of the option price', () => {
  it('are what their generator writes, byte for byte', () => {
    for (const [path, content] of generatedTables()) expect(readSource(path), path).to.equal(content);
  });

  it('reach the circuit as coefficients of products of bits: every setting gives back its value', () => {
    const values = Array.from({ length: 16 }, (_, i) => BigInt(i * i * 7 - 31));
    const coefficients = productCoefficients(values);
    values.forEach((value, setting) => {
      const sum = coefficients.reduce((s, c, mask) => ((mask & setting) === mask ? s + c : s), 0n);
      expect(sum).to.equal(value);
    });
  });
});

describe('normal distribution in integers', () => {
  it('is within 6.3e-9 of double precision at every place of the grid, on both sides', () => {
    for (const place of steps) {
      for (const isNegative of [false, true]) {
        const exact = normal(isNegative ? -deviations(place) : deviations(place));
        const error = Number(normalQ52(at(place, isNegative))) / 2 ** 52 - exact;
        expect(Math.abs(error), `step ${place}`).to.be.below(CDF_ERROR_MAX);
      }
    }
  });

  it('rises strictly from step to step, also from piece to piece, and stays within 0 and 1', () => {
    for (const place of steps.slice(1)) {
      expect(normalQ52(at(place)) > normalQ52(at(place - 1n)), `step ${place}`).to.equal(true);
    }
    expect(normalQ52(at(CDF_STEPS - 1n)) < PROBABILITY_ONE).to.equal(true);
    expect(normalQ52(at(CDF_STEPS - 1n, true)) > 0n).to.equal(true);
    expect(normalQ52(at(0n)) > normalQ52(at(0n, true))).to.equal(true);
  });

  it('is exactly 0 or 1, with no density, from 6 deviations on', () => {
    for (const place of [CDF_STEPS, CDF_STEPS + 1n, 1n << 15n]) {
      expect(normalQ52(at(place))).to.equal(PROBABILITY_ONE);
      expect(normalQ52(at(place, true))).to.equal(0n);
      expect(normalPerFineStepQ52(at(place))).to.equal(0n);
    }
  });

  it('has a density within 2.5e-5, never negative', () => {
    for (const place of steps) {
      const exact = Math.exp(-(deviations(place) ** 2) / 2) / Math.sqrt(2 * Math.PI);
      const density = normalPerFineStepQ52(at(place));
      expect(density >= 0n, `step ${place}`).to.equal(true);
      const error = Number(density) / 2 ** 52 / FINE_STEP - exact;
      expect(Math.abs(error), `step ${place}`).to.be.below(DENSITY_ERROR_MAX);
    }
  });
});

describe('logarithm in integers', () => {
  const errorOf = (x: bigint, scaleBits = 0n): number =>
    Math.abs(Number(logNearest(x, scaleBits)) / 2 ** 16 - Math.log(Number(x) / 2 ** Number(scaleBits)));

  it('is within 9.8e-6 for whole numbers from 1 to 2^35', () => {
    for (let x = 1n; x < 1n << 35n; x += x / 97n + 1n) {
      expect(errorOf(x), `ln ${x}`).to.be.below(LOG_ERROR_MAX);
    }
    expect(errorOf((1n << 35n) - 1n)).to.be.below(LOG_ERROR_MAX);
  });

  it('is within 9.8e-6 for every move between a half and one and a half', () => {
    for (let x = 1n << 19n; x <= 3n << 19n; x += 101n)
      expect(errorOf(x, 20n), `ln ${x}`).to.be.below(LOG_ERROR_MAX);
  });

  it('never falls where its argument rises', () => {
    let before = -1n;
    let falls = 0;
    for (let x = 1n; x < 1n << 21n; x += x / 20_000n + 1n) {
      const now = logNearest(x);
      if (now < before) falls++;
      before = now;
    }
    expect(falls).to.equal(0);
  });
});
