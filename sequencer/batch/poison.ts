/**
 * A batch that can never be proved stops all that follow it, for L1 takes batches in order. So its actions are executed
 * again in two halves, each in batches of its own; the half that is poisoned again is halved again, until an action stands
 * alone and is left out, with a reason told to whoever signed it. That is log2 of the actions of a batch, and one
 * witness that fails takes seconds. Actions that only together had no witness are simply parted.
 *
 * What the engine did by itself (liquidation, fund payment, settlement) is judged anew after that: such an account is kept apart, then
 * left alone for a while. An L1 operation cannot be left out: alone and unprovable it halts sealing, which only a
 * proof of its batch, or its repetition after a missed window, ends.
 *
 * Whoever bids can make a liquidation unprovable, and shall not starve it: the bidder is barred from liquidations first,
 * each time for twice as long; the liquidated account only where it fails against another bidder, too.
 */
import { accept, invariant, type Result, reject } from '#protocol/errors.ts';
import type { Command } from '../commands.ts';
import type { BatchAction, BatchEntry, EngineState } from '../state.ts';
import { actionsFrom, executeAgain, nameOf, type Omission, refuseReseal, retirementName } from './reseal.ts';

type Poisoned = Extract<Command, { kind: 'batch-poisoned' }>;

/** What is executed or left out as one, under the name of each of its actions. */
interface Unit {
  readonly name: string;
  readonly first: BatchAction;
  readonly actions: BatchAction[];
}

/** In the order of the batch; all that was done to an account by the engine is one. */
function unitsOf(actions: readonly BatchAction[]): Unit[] {
  const units = new Map<string, Unit>();
  for (const action of actions) {
    const name = nameOf(action);
    const unit = units.get(name);
    if (unit === undefined) units.set(name, { name, first: action, actions: [action] });
    else unit.actions.push(action);
  }
  return [...units.values()];
}

/** Judged anew instead of done again. */
const isJudgedAnew = ({ kind }: BatchAction): boolean => kind === 'liquidate' || kind === 'pay-fund';

const accountOf = (action: BatchAction): number | undefined =>
  action.kind === 'liquidate' || action.kind === 'pay-fund' || action.kind === 'settlement'
    ? action.operation.accountIndex
    : undefined;

/** Refused while `reseal` would be: what is sound in the batch shall not be voided for want of a price. */
export function isolatePoison(state: EngineState, command: Poisoned): Result<void> {
  const { batchNumber, attempt, error } = command;
  const entry = state.batches.get(batchNumber);
  invariant(entry?.attempt === attempt, 'a batch that still stands is poisoned');
  const units = unitsOf(entry.actions);
  const isAlone = units.length === 1 && toldRetirement(entry, units[0]) === 0;
  if (isAlone && units[0].first.kind === 'l1') {
    halt(state, command, units[0].first);
    tellAgain(state, units[0]);
    return accept(undefined);
  }
  const refusal = refuseReseal(state, batchNumber);
  if (refusal !== undefined) return refusal;
  const fault = units.length > 1 ? part(state, entry, units) : findFault(state, entry, units.at(0));
  state.isolation.poisonedCount++;
  state.emit({ kind: 'batch-poisoned', batchNumber, attempt, error, dropped: fault.dropped });
  executeAgain(state, batchNumber, {
    ...fault,
    because: reject(
      'unprovable',
      'no batch that holds it can be proved: it is left out and will not be tried again',
      {
        batchNumber,
        attempt,
        error,
      },
    ),
  });
  return accept(undefined);
}

/** What is left out, with the names to tell. */
interface Fault extends Omit<Omission, 'because'> {
  readonly dropped: readonly string[];
}

const NOTHING: Fault = { dropped: [], actions: new Set(), retirement: 0 };

/** Of a batch that holds no more than one unit. A retirement is no action: it goes first, and then the unit is judged. */
function findFault(state: EngineState, entry: BatchEntry, unit: Unit | undefined): Fault {
  const retirement = unit === undefined ? retirementOf(entry) : toldRetirement(entry, unit);
  if (retirement !== 0) {
    if (unit !== undefined) state.isolation.untold.set(unit.name, retirement);
    return { ...NOTHING, dropped: [retirementName(retirement)], retirement };
  }
  invariant(unit !== undefined, 'a sealed batch is not empty');
  if (takeSteps(state, unit)) return NOTHING;
  bar(state, unit);
  tellAgain(state, unit);
  return { ...NOTHING, dropped: [unit.name], actions: new Set(unit.actions) };
}

/** The instrument whose retirement the batch tells beside its only unit; 0 where the unit itself emptied it. */
function toldRetirement({ sealed }: BatchEntry, { first }: Unit): number {
  const instrumentId = sealed?.content.retiredInstrument ?? 0;
  return first.kind === 'settlement' && first.operation.instrumentId === instrumentId ? 0 : instrumentId;
}

/** The unit alone was at fault: the retirement that was beside it is told after all. */
function tellAgain({ isolation, retired }: EngineState, { name }: Unit): void {
  const instrumentId = isolation.untold.get(name);
  if (instrumentId === undefined) return;
  isolation.untold.delete(name);
  retired.delete(instrumentId);
}

/** Whether all that was done to an account is tried again a step at a time: only one of the makers may be at fault. */
function takeSteps({ isolation }: EngineState, { first, actions }: Unit): boolean {
  if (first.kind !== 'liquidate' && first.kind !== 'pay-fund') return false;
  const { accountIndex } = first.operation;
  if (actions.length === 1 || isolation.apart.has(accountIndex)) return false;
  isolation.apart.add(accountIndex);
  return true;
}

function halt(state: EngineState, { batchNumber, attempt, error }: Poisoned, action: BatchAction): void {
  invariant(action.kind === 'l1', 'only an operation of L1 cannot be left out');
  const { queueIndex, operation } = action.queued;
  const halted = { batchNumber, attempt, queueIndex, operation, error };
  state.isolation.poisonedCount++;
  state.isolation.halted = halted;
  state.emit({ kind: 'sealing-halted', ...halted });
}

/** A batch without an action tells L1 of a retirement and nothing else. */
function retirementOf({ sealed }: BatchEntry): number {
  const instrumentId = sealed?.content.retiredInstrument ?? 0;
  invariant(instrumentId !== 0, 'a sealed batch is not empty');
  return instrumentId;
}

/** Ends a batch before the second half and after it. */
function part(state: EngineState, entry: BatchEntry, units: readonly Unit[]): Fault {
  const { isolation } = state;
  const following = actionsFrom(state, entry.number + 1);
  const secondHalf = units.slice(Math.ceil(units.length / 2)).map(({ first }) => first);
  const ends = [secondHalf, following].flatMap(
    (actions) => actions.find((action) => !isJudgedAnew(action)) ?? [],
  );
  isolation.cuts = new Set([...isolation.cuts, ...ends.map(nameOf)]);
  for (const { first } of units) {
    if (first.kind === 'liquidate' || first.kind === 'pay-fund')
      isolation.apart.add(first.operation.accountIndex);
  }
  return NOTHING;
}

/** Doublings of a maker's pause, at most. */
const MAKER_DOUBLINGS_MAX = 6;

/** Otherwise the engine would do the same again at once. */
function bar({ isolation, l1TimeSec, config }: EngineState, { first, actions }: Unit): void {
  const accountIndex = accountOf(first);
  if (accountIndex === undefined) return;
  const { barredMakers, barredUntilSec, failedAgainst } = isolation;
  const makers = [...new Set(actions.flatMap(makerOf))];
  for (const maker of makers) {
    const failures = barredMakers.get(maker)?.failures ?? 0;
    const pauseSec = config.unprovablePauseSec << BigInt(Math.min(failures, MAKER_DOUBLINGS_MAX));
    barredMakers.set(maker, { untilSec: l1TimeSec + pauseSec, failures: failures + 1 });
  }
  const earlier = failedAgainst.get(accountIndex);
  if (makers.length > 0 && (earlier === undefined || makers.includes(earlier))) {
    failedAgainst.set(accountIndex, makers[0]);
    return;
  }
  failedAgainst.delete(accountIndex);
  barredUntilSec.set(accountIndex, l1TimeSec + config.unprovablePauseSec);
}

const makerOf = (action: BatchAction): number[] =>
  action.kind === 'liquidate' ? [action.operation.against.signed.accountIndex] : [];

/** A liquidation that was proved clears account and maker of what came before; a pause that has begun lasts. */
export function noteProof({ isolation }: EngineState, { actions }: BatchEntry): void {
  for (const action of actions) {
    isolation.untold.delete(nameOf(action));
    if (action.kind !== 'liquidate') continue;
    isolation.failedAgainst.delete(action.operation.accountIndex);
    for (const maker of makerOf(action)) {
      const bar = isolation.barredMakers.get(maker);
      if (bar !== undefined) isolation.barredMakers.set(maker, { ...bar, failures: 0 });
    }
  }
}
