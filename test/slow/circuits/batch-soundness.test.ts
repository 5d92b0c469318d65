/**
 * Soundness gate of the batch circuit on its constraint system, at one witness of every honest trace: each wire in turn
 * gets other values, what follows from it is recomputed, and some constraint must notice. The exceptions below were
 * read one by one; anything else that goes unnoticed fails.
 */
import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { FIELD_MODULUS } from '#protocol/crypto/field.ts';
import { compileCircuit } from '#prover/setup/compile.ts';
import { buildCircuitInput } from '#prover/witness/build-circuit-input.ts';
import {
  type ConstraintSystem,
  type Determination,
  determineWires,
  firstViolation,
  readConstraintSystem,
} from '#test/soundness/constraint-system.ts';
import { WitnessMutator } from '#test/soundness/witness-mutation.ts';
import { TRACES } from '#test/support/batch-traces.ts';
import { calculateWitness } from '#test/support/circuit-witness.ts';

/** Wires that may change, by name without indices, and why nothing depends on them there. */
const FREE: readonly { readonly name: RegExp; readonly why: string }[] = [
  {
    name: /(\.inverse|Inverse|\.inv|\.inverses\[\])$/,
    why: 'the inverse of a zero is multiplied by zero and read nowhere else',
  },
  {
    name: /^main\.accountIs(Filled|QuoteWithdrawn|SpotWithdrawn)\[\]$/,
    why: 'without its cause the flag only adds a rule, which this account meets',
  },
  {
    name: /^main\.accountIs(Reducing|UnderMargin|QuoteRelative|SmallAccount)\[\]$/,
    why: 'a choice between rules of which this account meets both, or none applies',
  },
  {
    name: /^main\.accountIs(ScanPositive|OldScanPositive|NewScanPositive|OldWorst|NewWorst|LossAbove)\[\](\[\])?$/,
    why: 'another valid bound of the scan: weaker or equal, and still enough',
  },
  { name: /^main\.isFundExhausted$/, why: 'only read where a fund payment leaves a debt' },
  {
    name: /^main\.instrumentIsWithinCap\[\]$/,
    why: 'open interest is within its cap and not rising: either says so',
  },
  {
    name: /^main\.instruments\[\]\.isExpiring$/,
    why: 'without fills or without an expiry it gates nothing',
  },
  { name: /^main\.accountThreshold\[\]$/, why: 'another threshold is another valid upper bound' },
];
/** Content of an instrument row that no instrument uses: its id counts as 0, it takes no weight and no fills. */
const INSTRUMENT_CONTENT = /^main\.instrument(Row|Underlying|IsSpot|IsReduceOnly|IsWithinCap)\[(\d+)\]/;
/** The upper children of a message's tree: read only where the signature's tree has two levels. */
const UPPER_CHILD = /^main\.(message|withdrawal)Children\[(\d+)\]\[1\]/;
/** A cause was there: clearing its flag must be noticed. */
const CAUSE =
  /^main\.accountIs(Filled|QuoteWithdrawn|SpotWithdrawn|MarginLiquidation|DebtLiquidation|FundPaid)\[\]$/;

interface Subject {
  readonly system: ConstraintSystem;
  readonly witness: readonly bigint[];
  readonly determination: Determination;
}

function namesByWire(symPath: string): Map<number, string> {
  const names = new Map<number, string>();
  for (const row of readFileSync(symPath, 'utf8').trim().split('\n')) {
    const [, wire, , name] = row.split(',');
    // The first name of a wire is the outermost.
    if (!names.has(Number(wire))) names.set(Number(wire), name);
  }
  return names;
}

/** Wires of which some other value went unnoticed. */
function unnoticedWires({ system, witness, determination }: Subject): number[] {
  const mutator = new WitnessMutator(system, witness, determination);
  const unnoticed: number[] = [];
  for (let wire = 1; wire < system.wireCount; wire++) {
    const value = witness[wire];
    const others = [value + 1n, value - 1n, FIELD_MODULUS - value, 1n - value, 1n << 47n];
    const isFree = others.some(
      (other) => (other - value) % FIELD_MODULUS !== 0n && mutator.mutate(wire, other) < 0,
    );
    if (isFree) unnoticed.push(wire);
  }
  return unnoticed;
}

describe('soundness of the batch circuit', function () {
  this.timeout(1_800_000);
  let system: ConstraintSystem;
  let names: Map<number, string>;
  /** By kind and row: what a second level adds to the root; zero where there is none. */
  const toTopWires: Record<string, number[]> = { message: [], withdrawal: [] };
  let witnessOf: (trace: string) => Promise<bigint[]>;

  before(async () => {
    const circuit = await compileCircuit('circuits/main/batch-tiny.circom');
    system = readConstraintSystem(circuit.r1csPath);
    names = namesByWire(circuit.symPath);
    for (const [wire, name] of names) {
      const row = /^main\.(message|withdrawal)s\[(\d+)\]\.signed\.toTop$/.exec(name);
      if (row !== null) toTopWires[row[1]][Number(row[2])] = wire;
    }
    witnessOf = (trace) => calculateWitness(circuit.wasmPath, buildCircuitInput(TRACES[trace]()).input);
  });

  for (const trace of Object.keys(TRACES)) {
    it(`notices another value of any wire: ${trace}`, async () => {
      const witness = await witnessOf(trace);
      expect(firstViolation(system, witness)).to.equal(-1);
      const determination = determineWires(system, witness);
      const usedInstruments = new Set(
        [...names].flatMap(([wire, name]) => {
          const index = /^main\.instrumentIsUsed\[(\d+)\]$/.exec(name)?.[1];
          return index !== undefined && witness[wire] === 1n ? [index] : [];
        }),
      );
      for (const wire of unnoticedWires({ system, witness, determination })) {
        const name = names.get(wire) ?? `wire ${wire}`;
        const instrument = INSTRUMENT_CONTENT.exec(name)?.[2];
        if (instrument !== undefined && !usedInstruments.has(instrument)) continue;
        const upper = UPPER_CHILD.exec(name);
        if (upper !== null && witness[toTopWires[upper[1]][Number(upper[2])]] === 0n) continue;
        const plain = name.replace(/\[\d+\]/g, '[]');
        expect(
          FREE.some((free) => free.name.test(plain)),
          `${name} may change unnoticed`,
        ).to.equal(true);
        if (CAUSE.test(plain)) expect(witness[wire], `${name} may be cleared`).to.equal(0n);
      }
    });
  }
});
