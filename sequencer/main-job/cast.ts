/**
 * Who takes part in a market: what they bring, when they arrive and by which rule they trade. Nobody is marked for
 * liquidation; who falls is decided by prices, rules and the engine.
 */
import type { Strategy } from './strategies/strategy.ts';

const MICROS_PER_DOLLAR = 1_000_000n;
export const dollars = (amount: bigint): bigint => amount * MICROS_PER_DOLLAR;

export interface CastMember {
  readonly name: string;
  readonly strategy: Strategy;
  /** Step of the replay in which it registers and deposits; it trades from the next on, a market maker at once. */
  readonly arrivesAtStep: number;
  readonly depositMicros: bigint;
  /** Lots of spot tokens brought along, by token id. */
  readonly spotLots: Readonly<Partial<Record<1 | 2 | 3, bigint>>>;
  readonly isMarketMaker: boolean;
  /** Acts on every so many-th step. */
  readonly everySteps: number;
  /** What it does on L1 later, by step: a further deposit, or a withdrawal that the sequencer cannot refuse. */
  readonly laterOnL1?: readonly LaterOperation[];
}

export interface LaterOperation {
  readonly atStep: number;
  readonly kind: 'deposit' | 'withdraw';
  /** 0 quote in micros, 1..3 a spot token in lots. */
  readonly tokenId: number;
  readonly units: bigint;
}
