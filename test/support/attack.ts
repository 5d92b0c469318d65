/** One way to write an attack on the batch circuit: what is forged, and the constraint that must refuse it. */
import { expect } from 'chai';
import type { SealedBatch } from '#protocol/batch/batch.ts';
import type { CommittedBatch } from '#protocol/batch/commitment.ts';
import { toField } from '#protocol/crypto/field.ts';
import { compileCircuit } from '#prover/setup/compile.ts';
import { circuitTask, commitBatch } from '#prover/witness/build-circuit-input.ts';
import type { CircuitInput, SignalValue } from '#prover/witness-calculator.ts';
import { CircuitUnderTest } from './circuit-refusal.ts';

/** Reads and writes single input signals by name and place. */
export interface Signals {
  get(name: string, ...place: number[]): bigint;
  set(name: string, ...placeAndValue: [...place: number[], value: bigint]): void;
  add(name: string, ...placeAndDifference: [...place: number[], difference: bigint]): void;
}
type Writable<T> = { -readonly [K in keyof T]: T[K] extends object ? Writable<T[K]> : T[K] };

export interface Attack {
  readonly batch: SealedBatch;
  /** Lies told before the challenge; the commitment covers them. */
  readonly commit?: (committed: Writable<CommittedBatch>) => void;
  /** Lies told afterwards, to any input signal. */
  readonly signals?: (signals: Signals) => void;
}

type Nested = bigint | Nested[];
const copy = (value: SignalValue): Nested => (typeof value === 'bigint' ? value : value.map(copy));

function signalsOf(input: Record<string, Nested>): Signals {
  const holder = (name: string, place: readonly number[]): Nested[] | Record<string, Nested> =>
    place.slice(0, -1).reduce<Nested[]>((list, index) => list[index] as Nested[], input[name] as Nested[]);
  const get = (name: string, ...place: number[]): bigint => {
    const found = place.reduce<Nested>((list, index) => (list as Nested[])[index], input[name]);
    if (typeof found !== 'bigint') throw new RangeError(`${name}[${place.join('][')}] is no signal`);
    return found;
  };
  const set = (name: string, ...rest: (number | bigint)[]): void => {
    const place = rest.slice(0, -1) as number[];
    get(name, ...place);
    const value = toField(rest[rest.length - 1] as bigint);
    if (place.length === 0) input[name] = value;
    else (holder(name, place) as Nested[])[place[place.length - 1]] = value;
  };
  return {
    get,
    set: set as Signals['set'],
    add: ((name: string, ...rest: (number | bigint)[]) => {
      const place = rest.slice(0, -1) as number[];
      set(name, ...place, get(name, ...place) + (rest[rest.length - 1] as bigint));
    }) as Signals['add'],
  };
}

export function inputOf(attack: Attack): CircuitInput {
  const honest = commitBatch(attack.batch);
  const committed = structuredClone(honest.committed);
  attack.commit?.(committed as Writable<CommittedBatch>);
  const { input } = circuitTask({ ...honest, committed });
  const signals = Object.fromEntries(Object.entries(input).map(([name, value]) => [name, copy(value)]));
  attack.signals?.(signalsOf(signals));
  return signals;
}

/** A circuit that is compiled on its first use. */
export function circuitOf(path: string): () => Promise<CircuitUnderTest> {
  let circuit: Promise<CircuitUnderTest> | undefined;
  return () => {
    circuit ??= compileCircuit(path).then(({ wasmPath }) => CircuitUnderTest.open(wasmPath));
    return circuit;
  };
}
export const tinyCircuit = circuitOf('circuits/main/batch-tiny.circom');

const declared = new Map<string, () => Attack>();

/** The attacks that files of tests declare, by name. Their tests are not declared again for whoever asks. */
export async function attacksOf(files: readonly string[]): Promise<ReadonlyMap<string, () => Attack>> {
  const own = { describe: globalThis.describe, it: globalThis.it };
  const open = (_: string, declare: (this: unknown) => void): void => declare.call({ timeout() {} });
  Object.assign(globalThis, { describe: open, it() {} });
  try {
    for (const file of files) await import(`#test/circuits/${file}.test.ts`);
  } finally {
    Object.assign(globalThis, own);
  }
  return declared;
}

/** Declares one test per attack: the circuit refuses it, at the constraint whose text is given. */
export function refuses(
  attacks: Readonly<Record<string, readonly [reason: string, make: () => Attack]>>,
  circuit = tinyCircuit,
): void {
  for (const [name, [reason, make]] of Object.entries(attacks)) {
    declared.set(name, make);
    it(`refuses ${name}`, async () => {
      const refusal = await (await circuit()).refusal(inputOf(make()));
      expect(refusal, 'the attack has a witness').to.not.equal(undefined);
      expect(refusal).to.include(reason);
    });
  }
}

/** Declares one test per honest neighbour of an attack: it has a witness. */
export function accepts(neighbours: Readonly<Record<string, () => Attack>>, circuit = tinyCircuit): void {
  for (const [name, make] of Object.entries(neighbours)) {
    it(`accepts ${name}`, async () => {
      expect(await (await circuit()).refusal(inputOf(make()))).to.equal(undefined);
    });
  }
}

export const BUS = 'Batch: total === 0;';
export const FREIVALDS = 'Batch: values === 0;';
