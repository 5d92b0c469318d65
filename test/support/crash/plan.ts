/** When a life ends and what it tells: shared by the campaign and the processes that it starts. */
import type { CircuitArtifacts } from '#prover/prove.ts';
import type { TestRollup } from '../settlement.ts';

/** What can be in flight when the sequencer dies. */
export const KILL_STATES = [
  'starting', // before it answers: while the database recovers or the log is folded
  'resting', // orders rest, no batch is on its way
  'sealed', // a batch waits for the prover, or is just being written
  'proving', // a proof is being made
  'proved', // a batch has its proof and no transaction yet
  'unmined', // its transaction is on the way and in no block
  'unseen', // L1 has taken the batch, the ledger does not know it
  'l1-events', // a round or a queue entry is just being written
  'resealing', // it is just being written that a batch missed its window
  'resealed', // a batch that was executed again is on its way: open, waiting, being proved, proved or sent
] as const;
export type KillState = (typeof KILL_STATES)[number];

/**
 * Before the write, which is held up until everything that was already told has left the process; at some instant
 * while the database works on it; or after it and before anyone hears of it.
 */
export const KILL_MOMENTS = ['before', 'during', 'after'] as const;
export type KillMoment = (typeof KILL_MOMENTS)[number];

export interface KillPlan {
  /** 'any' takes whatever is in flight at a moment drawn by lot. */
  readonly target: KillState | 'any';
  readonly moment: KillMoment;
  /** Milliseconds of work before it may die. */
  readonly afterMs: number;
  /** Writes that would do and are let pass. */
  readonly writesLeft: number;
  /** Microseconds from the beginning of the write to the kill, for 'during'. */
  readonly duringMicros: number;
  /** 'own': its proof workers are its children and are orphaned; 'apart': the prover outlives it. */
  readonly prover: 'own' | 'apart';
}

/** How the proof circuit is reached. */
export interface ProverPlace {
  readonly artifacts: CircuitArtifacts;
  /** Socket of the prover that outlives the sequencer. */
  readonly socket: string;
}

export interface LifeSettings {
  readonly directory: string;
  readonly rpcUrl: string;
  readonly submitterKey: string;
  readonly place: TestRollup;
  readonly circuitHash: bigint;
  readonly proverPlace: ProverPlace;
  /** 'hasty': with the fault that a campaign must find. */
  readonly store: 'durable' | 'hasty';
  /** Undefined lives until it is told to stop. */
  readonly plan: KillPlan | undefined;
}

/** Campaign → sequencer. */
export type ToLife =
  | { readonly kind: 'go' }
  | { readonly kind: 'submit'; readonly id: number; readonly text: string }
  | { readonly kind: 'report'; readonly id: number }
  | { readonly kind: 'stop' };

/** Sequencer → campaign. */
export type FromLife =
  | { readonly kind: 'ready'; readonly text: string }
  | { readonly kind: 'answer'; readonly id: number; readonly text: string; readonly news: string };

/** What must be the same in two lives whose logs have the same length. */
export interface Fingerprint {
  readonly logSequence: number;
  readonly root: bigint;
  readonly nextBatchNumber: number;
  readonly openActions: number;
  readonly openOrders: number;
  readonly closedOrders: number;
  readonly trades: number;
}

export interface ToldTrade {
  readonly tradeId: number;
  readonly makerHash: string;
  readonly takerHash: string;
  readonly lots: bigint;
  readonly cashMicros: bigint;
}

/** What became known since the last answer; all of it durable. */
export interface News {
  readonly trades: readonly ToldTrade[];
  readonly voided: readonly number[];
  /** Batches that are not on L1 yet. */
  readonly unfinished: number;
}

export interface LifeReport {
  readonly fingerprint: Fingerprint;
  /** SHA-256 over every order, message, batch and book. */
  readonly digest: string;
  readonly batches: readonly { number: number; attempt: number; root: bigint; status: string }[];
  /** Every body that was taken, with the hashes of its messages that were. */
  readonly bodies: readonly (readonly [body: string, taken: string])[];
  readonly trades: readonly ToldTrade[];
  /** Orders with a fill that did not pass again when its batch was executed again. */
  readonly voidedOrders: readonly string[];
}

/** The last words of a life, written before the kill. */
export interface KillRecord {
  readonly write: string;
  readonly writeNumber: number;
  /** Kinds of the commands in the write. */
  readonly commands: readonly string[];
  readonly moment: KillMoment;
  readonly isOnTarget: boolean;
  readonly states: readonly KillState[];
  /** Batches by status, and actions of the open one; of those not final, how many were executed again. */
  readonly batches: Readonly<Record<string, number>>;
  /** Batches whose transaction was broadcast and whose receipt is not in the log. */
  readonly sent: readonly number[];
  readonly durable: Fingerprint;
  /** With the write in flight; its digest. */
  readonly inMemory: Fingerprint;
  readonly digest: string;
  /** Proof workers of its own. */
  readonly workers: readonly number[];
}

/** Reproducible up to the scheduling of processes: the seed is in the report. */
export function generator(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const AFTER_MS_MIN = 300;
const AFTER_MS_RANGE = 1_700;
const WRITES_LEFT_RANGE: Partial<Record<KillPlan['target'], number>> = {
  any: 12,
  resting: 12,
  // There is one such write.
  resealing: 1,
  // From the first write after the reseal to the last before the batch is on L1.
  resealed: 400,
};
const WRITES_LEFT_RANGE_USUAL = 2;
const DURING_MICROS_RANGE = 2_500;
/**
 * One life in so many proves in children of its own; every second one that is to die while proving. No multiple of the
 * number of moments.
 */
const OWN_PROVER_EVERY = 7;

/** As many targets as kills, in an order drawn by lot: `aimed` of each state, 'any' for the rest. */
export function drawTargets(
  kills: number,
  aimed: number,
  random: (below: number) => number,
): KillPlan['target'][] {
  const targets: KillPlan['target'][] = KILL_STATES.flatMap((state) => Array(aimed).fill(state));
  while (targets.length < kills) targets.push('any');
  for (let i = targets.length - 1; i > 0; i--) {
    const other = random(i + 1);
    [targets[i], targets[other]] = [targets[other], targets[i]];
  }
  return targets;
}

/** @param place of the kill in its campaign: a third of them each fall before, during and after a write */
export function planFor(
  target: KillPlan['target'],
  place: number,
  random: (below: number) => number,
): KillPlan {
  // What L1 has taken is unseen only until the write that says so.
  const moment = target === 'unseen' ? 'before' : KILL_MOMENTS[place % KILL_MOMENTS.length];
  const isOwn = target === 'proving' ? place % 2 === 0 : place % OWN_PROVER_EVERY === OWN_PROVER_EVERY - 1;
  return {
    target,
    moment,
    afterMs: AFTER_MS_MIN + random(AFTER_MS_RANGE),
    writesLeft: random(WRITES_LEFT_RANGE[target] ?? WRITES_LEFT_RANGE_USUAL),
    duringMicros: random(DURING_MICROS_RANGE),
    prover: isOwn ? 'own' : 'apart',
  };
}
