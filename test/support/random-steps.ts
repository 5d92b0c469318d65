/** What may happen next in a random market (random-market.ts). */
import fc from 'fast-check';
import { OTHER, PERP, SPOT, THIRD } from './ledger.ts';

export const ACCOUNTS = [1, 2, 3, 4];
export const IDS = [SPOT, PERP, OTHER, THIRD];

/** How much of a token waits in the L1 queue: nothing, some lots, all that the position cap has room for, or a lot more. */
type Waiting = 'none' | 'some' | 'to-cap' | 'beyond';

export interface Step {
  readonly kind:
    | 'trade'
    | 'close'
    | 'withdraw'
    | 'force'
    | 'deposit'
    | 'pay-fund'
    | 'round'
    | 'cancel-all'
    | 'settle';
  readonly a: number;
  readonly b: number;
  readonly id: number;
  readonly lots: bigint;
  readonly percent: bigint;
  readonly isReduceOnly: boolean;
  /** Deposits that wait for an account that is liquidated: dollars, and of either token. */
  readonly waitingDollars: bigint;
  readonly waiting: readonly Waiting[];
}

const often = (kind: Step['kind'], weight: number) => ({ weight, arbitrary: fc.constant(kind) });

const waiting = fc.oneof(
  { weight: 3, arbitrary: fc.constant<Waiting>('none') },
  { weight: 4, arbitrary: fc.constantFrom<Waiting>('some', 'to-cap', 'beyond') },
);

const stepOf = (kind: fc.Arbitrary<Step['kind']>): fc.Arbitrary<Step> =>
  fc.record({
    kind,
    a: fc.constantFrom(...ACCOUNTS),
    b: fc.constantFrom(...ACCOUNTS),
    id: fc.constantFrom(...IDS),
    lots: fc.bigInt({ min: 1n, max: 30n }),
    percent: fc.oneof(
      { weight: 4, arbitrary: fc.bigInt({ min: 97n, max: 103n }) },
      { weight: 1, arbitrary: fc.bigInt({ min: 55n, max: 150n }) },
    ),
    isReduceOnly: fc.integer({ min: 0, max: 5 }).map((n) => n === 0),
    waitingDollars: fc.oneof(fc.constant(0n), fc.bigInt({ min: 1n, max: 40n })),
    waiting: fc.array(waiting, { minLength: 2, maxLength: 2 }),
  });

export const step = stepOf(
  fc.oneof(
    often('trade', 8),
    often('close', 8),
    often('round', 4),
    often('withdraw', 3),
    often('force', 1),
    often('deposit', 1),
    often('pay-fund', 2),
    often('cancel-all', 1),
    often('settle', 2),
  ),
);

/** Mostly liquidations, and users who ask L1 for their money meanwhile. */
export const crisisStep = stepOf(
  fc.oneof(
    often('trade', 2),
    often('close', 16),
    often('round', 4),
    often('withdraw', 1),
    often('force', 5),
    often('deposit', 1),
    often('settle', 1),
  ),
);
