/** What may happen to an engine, as data that fast-check can draw and shrink. */
import fc from 'fast-check';
import type { L1Kind } from '#protocol/batch/batch.ts';
import type { TimeInForce } from '#sequencer/commands.ts';
import { OTHER, PERP } from '../ledger.ts';

export const ACCOUNTS = [1, 2, 3, 4, 5];

/** Dollars and nonces are told from where the history stands, so that a shorter history still makes sense. */
export interface OrderStep {
  readonly account: number;
  readonly side: 'buy' | 'sell';
  readonly instrumentId: number;
  readonly lots: number;
  readonly dollarsFromMark: number;
  readonly isReduceOnly: boolean;
  readonly isShortLived: boolean;
  readonly floorBackWords: number;
  /** 0 for a fresh nonce, else one that was used so long ago. */
  readonly nonceBack: number;
}

export type Step =
  | ({ readonly kind: 'order'; readonly timeInForce: TimeInForce } & OrderStep)
  /** An order and one of another account that wants the opposite at the same price. */
  | ({ readonly kind: 'meet'; readonly other: number } & OrderStep)
  /** An order, a cancel and an order again under one signature. */
  | ({ readonly kind: 'bundle'; readonly nonceBackOfCancel: number } & OrderStep)
  | {
      readonly kind: 'cancel';
      readonly account: number;
      readonly nonceBack: number;
      readonly floorBackWords: number;
    }
  | { readonly kind: 'cancel-all'; readonly account: number }
  | { readonly kind: 'withdraw'; readonly account: number; readonly dollars: number }
  /** Sends a body again that was sent so long ago. */
  | { readonly kind: 'repeat'; readonly back: number }
  | {
      readonly kind: 'l1';
      readonly operation: L1Kind;
      readonly account: number;
      readonly dollars: number;
      readonly isConfirmed: boolean;
    }
  | { readonly kind: 'round'; readonly change: number; readonly isJump: boolean }
  /** The second perp is settled, once for all. */
  | { readonly kind: 'settle' }
  /** Longer than a round can be used; twice is longer than a missed batch waits for one. */
  | { readonly kind: 'silence' }
  | { readonly kind: 'seal' }
  | { readonly kind: 'prove' }
  | { readonly kind: 'finalize' }
  | { readonly kind: 'reseal'; readonly which: number }
  | { readonly kind: 'poison'; readonly which: number }
  | { readonly kind: 'restart' };

const account = fc.constantFrom(...ACCOUNTS);
const nonceBack = fc.oneof(
  { weight: 9, arbitrary: fc.constant(0) },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 3 }) },
);
const mostly = (usual: boolean) => fc.constantFrom(usual, usual, usual, usual, usual, !usual);

/** Of the mark from round to round: now and then so far that it bankrupts somebody. */
const change = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: -5, max: 5 }) },
  { weight: 1, arbitrary: fc.constantFrom(-30, 30) },
);

const orderFields = {
  account,
  side: fc.constantFrom<'buy' | 'sell'>('buy', 'sell'),
  instrumentId: fc.constantFrom(PERP, PERP, PERP, OTHER),
  lots: fc.integer({ min: 1, max: 10 }),
  dollarsFromMark: fc.integer({ min: -2, max: 2 }),
  isReduceOnly: mostly(false),
  isShortLived: mostly(false),
  floorBackWords: fc.constantFrom(1, 1, 1, 0),
  nonceBack,
};

const kind = <K extends Step['kind']>(name: K) => fc.constant(name);
const timeInForce = fc.constantFrom<TimeInForce>('gtc', 'gtc', 'gtc', 'ioc', 'fok');
const l1Kind = fc.constantFrom<L1Kind>('deposit', 'cancelAll', 'register', 'withdraw', 'fundDonation');

const weighted: readonly [number, fc.Arbitrary<Step>][] = [
  [40, fc.record({ kind: kind('order'), timeInForce, ...orderFields })],
  [14, fc.record({ kind: kind('meet'), other: account, ...orderFields })],
  [4, fc.record({ kind: kind('bundle'), nonceBackOfCancel: fc.nat(4), ...orderFields })],
  [
    9,
    fc.record({
      kind: kind('cancel'),
      account,
      nonceBack: fc.nat(6),
      floorBackWords: fc.constantFrom(1, 1, 0),
    }),
  ],
  [3, fc.record({ kind: kind('cancel-all'), account })],
  [4, fc.record({ kind: kind('withdraw'), account, dollars: fc.integer({ min: 1, max: 500 }) })],
  [3, fc.record({ kind: kind('repeat'), back: fc.nat(20) })],
  [
    5,
    fc.record({
      kind: kind('l1'),
      operation: l1Kind,
      account,
      dollars: fc.integer({ min: 1, max: 200 }),
      isConfirmed: mostly(true),
    }),
  ],
  [
    8,
    fc.record({
      kind: kind('round'),
      change,
      isJump: fc.integer({ min: 1, max: 8 }).map((n) => n === 1),
    }),
  ],
  [0.3, fc.record({ kind: kind('settle') })],
  [1, fc.record({ kind: kind('silence') })],
  [6, fc.record({ kind: kind('seal') })],
  [9, fc.record({ kind: kind('prove') })],
  [5, fc.record({ kind: kind('finalize') })],
  [3, fc.record({ kind: kind('reseal'), which: fc.nat(4) })],
  [3, fc.record({ kind: kind('poison'), which: fc.nat(4) })],
  [0.7, fc.record({ kind: kind('restart') })],
];

export const steps = (count: { readonly min: number; readonly max: number }): fc.Arbitrary<Step[]> =>
  fc.array(
    fc.oneof(...weighted.map(([weight, arbitrary]) => ({ weight: Math.round(10 * weight), arbitrary }))),
    {
      minLength: count.min,
      size: 'max',
      maxLength: count.max,
    },
  );
