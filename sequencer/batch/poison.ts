/**
 * A batch that can never be proved stops all that follow it, for L1 takes batches in order. So its actions are executed
 * again in two halves, each in batches of its own; the half that is poisoned again is halved again, until an action stands
 * alone and is left out, with a reason told to whoever signed it. That is log2 of the actions of a batch, and one
 * witness that fails takes seconds. Actions that only together had no witness are simply parted.
 *
 * What the engine did by itself (liquidation, fund payment, settlement) is judged anew after that: such an account is kept apart, then
 * left alone for a while. An L1 operation cannot be left out: alone and unprovable it halts sealing, which only a
 * proof of its batch, or its repetition after a missed window, ends.
 */
import { accept, invariant, type Result, reject } from '#protocol/errors.ts';
import type { Command } from '../commands.ts';
import type { BatchAction, BatchEntry, EngineState } from '../state.ts';
import { actionsFrom, executeAgain, nameOf, refuseReseal, retirementName } from './reseal.ts';

type Poisoned = Extract<Command, { kind: 'batch-poisoned' }>;

/** What is executed or left out as one, under the name of each of its actions. */
interface Unit {
  readonly name: string;
  readonly first: BatchAction;
}

/** In the order of the batch; all that was done to an account by the engine is one. */
function unitsOf(actions: readonly BatchAction[]): Unit[] {
  const units = new Map<string, Unit>();
  for (const first of actions) {
    const name = nameOf(first);
    if (!units.has(name)) units.set(name, { name, first });
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
  if (units.length === 1 && units[0].first.kind === 'l1') {
    halt(state, command, units[0].first);
    return accept(undefined);
  }
  const refusal = refuseReseal(state, batchNumber);
  if (refusal !== undefined) return refusal;
  const dropped = units.length > 1 ? [] : [units[0]?.name ?? retirementOf(entry)];
  state.isolation.poisonedCount++;
  state.emit({ kind: 'batch-poisoned', batchNumber, attempt, error, dropped });
  if (units.length > 1) part(state, entry, units);
  else if (units.length === 1) bar(state, units[0]);
  executeAgain(state, batchNumber, {
    names: new Set(dropped),
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

function halt(state: EngineState, { batchNumber, attempt, error }: Poisoned, action: BatchAction): void {
  invariant(action.kind === 'l1', 'only an operation of L1 cannot be left out');
  const { queueIndex, operation } = action.queued;
  const halted = { batchNumber, attempt, queueIndex, operation, error };
  state.isolation.poisonedCount++;
  state.isolation.halted = halted;
  state.emit({ kind: 'sealing-halted', ...halted });
}

/** A batch without an action tells L1 of a retirement and nothing else. */
function retirementOf({ sealed }: BatchEntry): string {
  const instrumentId = sealed?.content.retiredInstrument ?? 0;
  invariant(instrumentId !== 0, 'a sealed batch is not empty');
  return retirementName(instrumentId);
}

/** Ends a batch before the second half and after it. */
function part(state: EngineState, entry: BatchEntry, units: readonly Unit[]): void {
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
}

/** Otherwise the engine would do the same again at once. */
function bar({ isolation, l1TimeSec, config }: EngineState, { first }: Unit): void {
  const accountIndex = accountOf(first);
  if (accountIndex !== undefined) {
    isolation.barredUntilSec.set(accountIndex, l1TimeSec + config.unprovablePauseSec);
  }
}
