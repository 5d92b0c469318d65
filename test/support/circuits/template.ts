/**
 * Single templates as circuits of their own, compiled from their source and cached by its content. With `hints`, signals
 * that the template computes for the prover (`<--`) become inputs of it, every constraint as it stands: each lie can be
 * told, and everything else that the prover may choose follows it honestly.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect } from 'chai';
import fc from 'fast-check';
import { FIELD_MODULUS, toField } from '#protocol/crypto/field.ts';
import { type CompiledCircuit, compileCircuit } from '#prover/setup/compile.ts';
import { R1csFile } from '#prover/setup/r1cs.ts';
import {
  type ConstraintSystem,
  determineWires,
  firstViolation,
  type LinearCombination,
  readConstraintSystem,
} from '#test/soundness/constraint-system.ts';
import { freeWires } from '#test/soundness/tangent-space.ts';
import { namesByWire } from '#test/soundness/wire-names.ts';
import { WitnessMutator } from '#test/soundness/witness-mutation.ts';
import { CircuitUnderTest } from '../circuit-refusal.ts';
import { calculateWitness } from '../circuit-witness.ts';

const FOLDER = 'build/templates';
const COMPILE_LIMIT_MS = 120_000;

/** Random cases of one property: witnesses cost milliseconds. */
export const RUNS = { numRuns: 25 } as const;
/** 1/2 in the field: a bit, a size or an index that is no integer. */
export const HALF = (FIELD_MODULUS + 1n) / 2n;
export const fieldElement: fc.Arbitrary<bigint> = fc.oneof(
  { weight: 3, arbitrary: fc.bigInt(0n, FIELD_MODULUS - 1n) },
  { weight: 1, arbitrary: fc.bigInt(0n, 3n) },
);

/** Signals by name; negative numbers stand for their field elements. */
export type Values = { readonly [signal: string]: Value };
export type Value = bigint | number | boolean | readonly Value[];
type FieldValue = bigint | FieldValue[];
type FieldValues = Record<string, FieldValue>;

const asField = (value: Value): FieldValue =>
  typeof value === 'object' ? value.map(asField) : toField(BigInt(value));
export const asFields = (values: Values): FieldValues =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [name, asField(value)]));

/** Outputs by name; arrays flat, in the order of their indices. */
export type Outputs = Record<string, bigint | bigint[]>;

const INCLUDE = /^(\s*include\s+")([^"]+)(";)/gm;

/** The same lines, with `hints` of one template as its inputs. */
function withHintsAsInputs(source: string, template: string, hints: readonly string[]): string {
  const original = bodyOf(source, template);
  let body = original;
  const linesOf = (text: string): string => text.replace(/[^\n]/g, '');
  for (const hint of hints) {
    const declared = new RegExp(`signal (?:output )?${hint}((?:\\[[^;<]*\\])?)( <--[^;]*)?;`);
    const assigned = new RegExp(`^[^\\S\\n]*${hint}(?:\\[.*?\\])* <--[^;]*;`, 'm');
    const [before, replaced] = [
      body,
      body.replace(declared, (_, size, rest) => `signal input ${hint}${size};${linesOf(rest ?? '')}`),
    ];
    body = replaced.replace(assigned, linesOf);
    expect(replaced, `${template} declares ${hint}`).to.not.equal(before);
    expect(/ <--/.test(before.match(declared)?.[0] ?? '') || body !== replaced, `${hint} is a hint`).to.equal(
      true,
    );
  }
  return source.replace(original, () => body);
}

/** The body of a template, from its name to its closing brace. */
function bodyOf(source: string, name: string): string {
  const start = source.search(new RegExp(`^template ${name}\\(`, 'm'));
  expect(start, `${name} is in the file`).to.be.at.least(0);
  return source.slice(start, source.indexOf('\n}', start));
}

function mainSource(path: string, instance: string, hints: readonly string[], wrapper: string): string {
  const source = readFileSync(path, 'utf8');
  const name = instance.slice(0, instance.indexOf('('));
  const head =
    hints.length === 0
      ? `pragma circom 2.2.0;\n\ninclude "${path}";\n\n${wrapper}`
      : // Included by their place in the project: the copy lies elsewhere.
        withHintsAsInputs(source, name, hints).replace(INCLUDE, (line, open, included, close) => {
          const own = join(dirname(path), included);
          return existsSync(own) ? `${open}${own}${close}` : line;
        });
  // Public, because the compiler may drop private inputs that others determine.
  const inputs = [...bodyOf(`${head}\n${source}`, name).matchAll(/signal input (\w+)/g)].map(
    ([, input]) => input,
  );
  return `${head}\ncomponent main { public [${inputs.join(', ')}] } = ${instance};\n`;
}

function writeMain(path: string, instance: string, hints: readonly string[], wrapper: string): string {
  const source = mainSource(path, instance, hints, wrapper);
  const hash = createHash('sha256').update(source).digest('hex').slice(0, 8);
  const main = join(FOLDER, `${instance.slice(0, instance.indexOf('('))}-${hash}.circom`);
  if (!existsSync(main)) {
    mkdirSync(FOLDER, { recursive: true });
    writeFileSync(`${main}.${process.pid}`, source);
    renameSync(`${main}.${process.pid}`, main);
  }
  return main;
}

/** Wires in the order inputs, outputs, inner: what is not an input is to be determined by them. */
function inputsFirst(
  system: ConstraintSystem,
  outputs: number,
): { system: ConstraintSystem; order: number[] } {
  const inputs = system.publicCount - outputs;
  const order = Array.from({ length: system.wireCount }, (_, place) =>
    place === 0 || place > outputs + inputs ? place : place <= inputs ? outputs + place : place - inputs,
  );
  const placeOf = new Map(order.map((wire, place) => [wire, place]));
  const moved = ({ wires, coefficients }: LinearCombination): LinearCombination => ({
    wires: wires.map((wire) => placeOf.get(wire) as number),
    coefficients,
  });
  const constraints = system.constraints.map(([a, b, c]) => [moved(a), moved(b), moved(c)] as const);
  const constraintsOf = order.map((wire) => system.constraintsOf[wire]);
  return { system: { ...system, publicCount: inputs, constraints, constraintsOf }, order };
}

function outputCountOf(r1csPath: string): number {
  const file = new R1csFile(r1csPath);
  file.close();
  return file.header.outputCount;
}

export class TemplateCircuit {
  readonly #circuit: CompiledCircuit;
  readonly #underTest: CircuitUnderTest;
  readonly #system: ConstraintSystem;
  readonly #names: ReadonlyMap<number, string>;
  readonly #outputCount: number;

  private constructor(circuit: CompiledCircuit, underTest: CircuitUnderTest) {
    this.#circuit = circuit;
    this.#underTest = underTest;
    this.#system = readConstraintSystem(circuit.r1csPath);
    this.#names = namesByWire(circuit.symPath);
    this.#outputCount = outputCountOf(circuit.r1csPath);
  }

  /** @param instance the template with its parameters, as `main` names it. */
  static async open(
    path: string,
    instance: string,
    hints: readonly string[] = [],
    wrapper = '',
  ): Promise<TemplateCircuit> {
    const circuit = await compileCircuit(writeMain(path, instance, hints, wrapper), {
      outputRoot: FOLDER,
      timeLimitMs: COMPILE_LIMIT_MS,
    });
    return new TemplateCircuit(circuit, await CircuitUnderTest.open(circuit.wasmPath));
  }

  /** @throws WitnessError when the template refuses the input. */
  async outputs(input: Values): Promise<Outputs> {
    const witness = await calculateWitness(this.#circuit.wasmPath, asFields(input));
    const outputs: Outputs = {};
    for (let wire = 1; wire <= this.#outputCount; wire++) {
      const [, name, index] = /^main\.(\w+)(\[.*)?$/.exec(this.#names.get(wire) ?? '') ?? [];
      const list = outputs[name];
      if (index === undefined) outputs[name] = witness[wire];
      else if (Array.isArray(list)) list.push(witness[wire]);
      else outputs[name] = [witness[wire]];
    }
    return outputs;
  }

  /** The outputs are exactly the twin's. */
  async equals(input: Values, twin: Values): Promise<void> {
    expect(await this.outputs(input)).to.deep.equal(asFields(twin));
  }

  async accepts(input: Values, what?: string): Promise<void> {
    expect(await this.#refusal(input), what).to.equal(undefined);
  }

  async isAccepted(input: Values): Promise<boolean> {
    return (await this.#refusal(input)) === undefined;
  }

  /** @param line what refuses it, as the source says it, after the template's name. */
  async refuses(input: Values, line: string, what?: string): Promise<void> {
    expect(await this.#refusal(input), what).to.equal(line);
  }

  #refusal(input: Values): Promise<string | undefined> {
    return this.#underTest.refusal(asFields(input));
  }

  /**
   * With the inputs given nothing else can change: no wire is free in the neighbourhood, and every other value of every
   * wire, with all that follows from it, violates a constraint. `free` names the wires that may, as nothing reads them.
   */
  async leavesNoChoice(input: Values, free: readonly string[] = []): Promise<void> {
    const { system, order } = inputsFirst(this.#system, this.#outputCount);
    const witness = await calculateWitness(this.#circuit.wasmPath, asFields(input));
    const values = order.map((wire) => witness[wire]);
    expect(firstViolation(system, values)).to.equal(-1);
    // Components without a name are called after their place in the file.
    const nameOf = (place: number): string =>
      this.#names.get(order[place])?.replace(/_\d+_\d+/g, '') ?? `wire ${order[place]}`;
    expect(freeWires(system, values).map(nameOf)).to.have.members(free);
    const mutator = new WitnessMutator(system, values, determineWires(system, values));
    for (let place = 1 + system.publicCount; place < system.wireCount; place++) {
      if (free.includes(nameOf(place))) continue;
      const value = values[place];
      for (const other of [value + 1n, value - 1n, FIELD_MODULUS - value, 1n - value, 2n * value]) {
        if ((other - value) % FIELD_MODULUS === 0n) continue;
        expect(mutator.mutate(place, other), `${nameOf(place)}: ${value} → ${other}`).to.be.at.least(0);
      }
    }
  }

  /** Whether the honest assignment is a witness with some of its wires changed by their names. */
  async isWitness(input: Values, change: (name: string) => bigint | undefined): Promise<boolean> {
    const witness = await calculateWitness(this.#circuit.wasmPath, asFields(input));
    let changed = 0;
    for (const [wire, name] of this.#names) {
      const value = wire > 0 ? change(name) : undefined;
      if (value === undefined) continue;
      witness[wire] = toField(value);
      changed++;
    }
    expect(changed, 'changed wires').to.be.at.least(1);
    return firstViolation(this.#system, witness) < 0;
  }
}

/** Compiled on its first use. `wrapper`: a template of the test's own that `instance` names. */
export function template(
  path: string,
  instance: string,
  hints: readonly string[] = [],
  wrapper = '',
): () => Promise<TemplateCircuit> {
  let opened: Promise<TemplateCircuit> | undefined;
  return () => {
    opened ??= TemplateCircuit.open(path, instance, hints, wrapper);
    return opened;
  };
}
