/**
 * The batch circuit without one constraint, for every constraint: it accepts what the circuit refuses. What is shown
 * and what is not stands in test/soundness/constraint-removal.ts; the constraints that nothing here shows to matter are
 * listed with their reasons in test/soundness/removal-review.ts.
 */
import { expect } from 'chai';
import { type CompiledCircuit, compileCircuit } from '#prover/setup/compile.ts';
import { buildCircuitInput } from '#prover/witness/build-circuit-input.ts';
import { BatchLiar, withLie } from '#test/soundness/batch-liar.ts';
import { ATTACK_FILES, ATTACKS, LIES } from '#test/soundness/batch-lies.ts';
import { ConstraintRemoval, kindsOf } from '#test/soundness/constraint-removal.ts';
import {
  type ConstraintSystem,
  firstViolation,
  readConstraintSystem,
} from '#test/soundness/constraint-system.ts';
import { plainKind, REASONS, REVIEWED } from '#test/soundness/removal-review.ts';
import { namesByWire } from '#test/soundness/wire-names.ts';
import { type Attack, attacksOf, inputOf } from '#test/support/attack.ts';
import { TRACES } from '#test/support/batch-traces.ts';
import { calculateWitness } from '#test/support/circuit-witness.ts';

/** Chosen so that each shows more constraints to matter at first order than any other would after those before it. */
const AT_FIRST_ORDER = [
  'a liquidation of two positions',
  'an order filled in two batches, the second time raising the window far',
  'a settlement of an account that is liquidated',
  'a cancel-all and a donation from L1',
  'a fund payment of a whole debt',
  'a settlement beside a fill and a withdrawal of the same account',
  'a forced withdrawal of spot that quote debt binds',
  'settlements of two positions of one account',
  'a settlement of the last short, which retires the instrument',
  'a signed withdrawal',
  'a registration and a first deposit',
  'a cancel of one and a cancel-all of another',
  'a fill that reduces an account below MM, inside the band',
  'a liquidation that leaves exactly the penalty',
  'a retirement of what nobody ever held',
  'a liquidation with spot waiting in the queue, of which nothing is held',
  'a liquidation with spot waiting in the queue beyond the position cap',
];
const SEARCHED = [
  'a trade that opens two positions, with fees',
  'messages of a tree of sixteen and of a tree of four',
  'nothing at all',
  'a liquidation with spot waiting in the queue, of which nothing is held',
];

describe('batch circuit without one of its constraints', function () {
  this.timeout(1_800_000);
  let circuit: CompiledCircuit;
  let system: ConstraintSystem;
  let removal: ConstraintRemoval;
  let liar: BatchLiar;
  let attacks: ReadonlyMap<string, () => Attack>;
  const shown = { atFirstOrder: 0, byWitness: 0, byLie: 0 };

  const witnessOf = async (trace: string): Promise<bigint[]> => {
    const witness = await calculateWitness(circuit.wasmPath, buildCircuitInput(TRACES[trace]()).input);
    expect(firstViolation(system, witness)).to.equal(-1);
    return witness;
  };

  before(async () => {
    circuit = await compileCircuit('circuits/main/batch-tiny.circom');
    system = readConstraintSystem(circuit.r1csPath);
    removal = new ConstraintRemoval(system);
    liar = await BatchLiar.open(circuit, system);
    attacks = await attacksOf(ATTACK_FILES);
  });

  for (const trace of AT_FIRST_ORDER) {
    it(`accepts a direction that only the removed constraint refuses: ${trace}`, async () => {
      const killed = removal.killAtFirstOrder(await witnessOf(trace));
      expect(killed).to.be.greaterThan(0);
      shown.atFirstOrder += killed;
    });
  }

  for (const trace of SEARCHED) {
    it(`accepts a witness near an honest one: ${trace}`, async () => {
      const killed = removal.killByWitness(await witnessOf(trace));
      expect(killed).to.be.greaterThan(0);
      shown.byWitness += killed;
    });
  }

  for (const name of ATTACKS) {
    it(`accepts an attack: ${name}`, async () => {
      const attack = attacks.get(name);
      expect(attack, 'an attack of that name').to.not.equal(undefined);
      if (attack !== undefined) await expectNews(await liar.follow(inputOf(attack())));
    });
  }

  for (const [trace, lies] of Object.entries(LIES)) {
    for (const lie of lies) {
      const told = Object.entries(lie).map(([signal, value]) => `${signal} = ${value}`);
      it(`accepts ${told.join(', ')} in ${trace}`, async () => {
        const { input } = buildCircuitInput(TRACES[trace]());
        await expectNews(await liar.follow(withLie(input, lie)));
      });
    }
  }

  /** One constraint alone refuses these values, and nothing before showed that it matters. */
  async function expectNews(values: readonly bigint[]): Promise<void> {
    const before = removal.survivors.size;
    expect(removal.killByLie(values, liar.telling), 'the only violated constraint').to.not.equal(undefined);
    expect(removal.survivors.size, 'constraints of which nothing is shown').to.equal(before - 1);
    shown.byLie++;
  }

  it('accepts nothing new without the constraints that were reviewed, and these alone', () => {
    const kinds = kindsOf(system, namesByWire(circuit.symPath));
    // One of a kind is enough: the others are the same line of the source for another row, slot or bit.
    const openKinds = [...kinds].filter(([, constraints]) =>
      constraints.every((constraint) => removal.survivors.has(constraint)),
    );
    const open = openKinds.map(([kind]) => plainKind(kind));
    const left = openKinds.reduce((sum, [, constraints]) => sum + constraints.length, 0);
    const sameLine = removal.survivors.size - left;
    console.log({ constraints: system.constraints.length, ...shown, sameLine, left, ofKinds: open.length });
    for (const [what, list] of Object.entries(REASONS)) {
      const isOfList = (kind: string) => list.some(({ kinds: pattern }) => pattern.test(plainKind(kind)));
      const count = openKinds.reduce((sum, [kind, of]) => sum + (isOfList(kind) ? of.length : 0), 0);
      console.log({ what, constraints: count });
    }
    const unexplained = open.filter((kind) => !REVIEWED.some(({ kinds: pattern }) => pattern.test(kind)));
    expect(unexplained).to.deep.equal([]);
    const stale = REVIEWED.filter(({ kinds: pattern }) => !open.some((kind) => pattern.test(kind)));
    expect(
      stale.map(({ kinds: pattern }) => pattern.source),
      'shown to matter: strike them off',
    ).to.deep.equal([]);
  });
});
