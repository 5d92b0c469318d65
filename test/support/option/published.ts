/** The published cases of test/fixtures/vectors/margin-published.json and the pricer in dollars that they are held against. */
import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { forwardMoves, underlyingMoves } from '#protocol/risk/option/moves.ts';
import { type OptionValues, priceStrike } from '#protocol/risk/option/option-row.ts';

export interface PublishedCase<Inputs, Expected> {
  readonly id?: string;
  /** Name in the parameters of its group. */
  readonly params?: string;
  readonly inp: Inputs;
  readonly exp: Expected;
}
interface Group {
  readonly id: string;
  readonly params?: unknown;
  readonly cases: readonly PublishedCase<unknown, unknown>[];
}
const { groups } = JSON.parse(readFileSync('test/fixtures/vectors/margin-published.json', 'utf8')) as {
  groups: Group[];
};

function groupOf(id: string): Group {
  const group = groups.find((other) => other.id === id);
  if (group === undefined) throw new Error(`no published group ${id}`);
  return group;
}
export const publishedCases = <Inputs, Expected>(id: string): readonly PublishedCase<Inputs, Expected>[] =>
  groupOf(id).cases as readonly PublishedCase<Inputs, Expected>[];
export const publishedParameters = <Parameters>(id: string): Parameters => groupOf(id).params as Parameters;

/** Every case is either tested or left out for a reason that is written down; `leftOut` by case number. */
export function expectAllAccounted(
  id: string,
  tested: number,
  leftOut: Readonly<Record<number, string>>,
): void {
  const reasons = Object.values(leftOut);
  expect(reasons.every((reason) => reason.length > 10)).to.equal(true);
  expect(tested + reasons.length, `cases of ${id}`).to.equal(publishedCases(id).length);
}

/** The bounds of docs/options.md, as shares of the forward, and the rounding of a mark or loss. */
export const [PRICE_ERROR_MAX, LOSS_ERROR_MAX, DELTA_ERROR_MAX] = [5e-7, 9e-7, 3.5e-3];
export const HALF_MICRO = 0.5e-6;
/** 2^20 moves to one. */
const MOVE_ONE = 2 ** 20;

export interface DollarOption {
  readonly mark: number;
  /** Per coin. */
  readonly delta: number;
  /** By MOVE_PAIRS. */
  readonly losses: readonly number[];
}

/** What is priced. Volatilities are fractions. */
export interface DollarStrike {
  readonly forward: number;
  readonly strike: number;
  readonly seconds: number;
  readonly vols: { readonly same: number; readonly up: number; readonly down: number };
  /** R. */
  readonly scanRange?: number;
  /** Coins in a lot; prices below 2^33 micros a lot need a smaller one for Bitcoin. */
  readonly lot?: number;
}

/** The integers' call and put at one strike, dollars per coin. */
export function priceInDollars({ forward, strike, seconds, vols, scanRange = 0.16, lot = 1 }: DollarStrike): {
  call: DollarOption;
  put: DollarOption;
} {
  const microsOf = (dollars: number) => BigInt(Math.round(dollars * lot * 1e6));
  const ppmOf = (share: number) => BigInt(Math.round(share * 1e6));
  const underlying = underlyingMoves(BigInt(Math.round((scanRange / 4) * MOVE_ONE)));
  const shared = forwardMoves(microsOf(forward), BigInt(Math.round(seconds)), underlying.quarterMove);
  const volsPpm = { same: ppmOf(vols.same), up: ppmOf(vols.up), down: ppmOf(vols.down) };
  const { call, put } = priceStrike({ strike: microsOf(strike), volsPpm }, shared, underlying);
  const dollars = (micros: bigint) => Number(micros) / 1e6 / lot;
  const optionOf = ({ mark, delta, losses }: OptionValues): DollarOption => ({
    mark: dollars(mark),
    delta: Number(delta) / Number(shared.forward),
    losses: losses.map(dollars),
  });
  return { call: optionOf(call), put: optionOf(put) };
}
