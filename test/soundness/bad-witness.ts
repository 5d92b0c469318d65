/**
 * Bad witnesses near an honest one: what a single constraint refuses and all others accept. Some wire near the
 * constraint gets another value, and what that violates is repaired by solving for one wire after the other, until the
 * constraint under judgement alone is violated. So a boolean falls: another bit of its sum flips, and it makes up.
 */
import { fieldInverse, FIELD_MODULUS as P } from '#protocol/crypto/field.ts';
import { type ConstraintSystem, evaluate } from './constraint-system.ts';

/** Wires tried as the first to change, repairs tried from each, and wires considered for one repair. */
const SEEDS = 8;
const STEPS = 4;
const CANDIDATES = 8;
/** A wire of more constraints than this follows from too much to be changed. */
const MENTIONS_MAX = 60;
/** Constraints between the one under judgement and the first wire to change, at most. */
const DISTANCE_MAX = 2;

const mod = (value: bigint): bigint => ((value % P) + P) % P;

type Three = [a: bigint, b: bigint, c: bigint];
interface Mention {
  readonly row: number;
  /** Coefficients of the wire in the three combinations. */
  readonly coefficients: Three;
}
interface Change {
  readonly wire: number;
  readonly value: bigint;
}

export class BadWitnessSearch {
  readonly #values: bigint[];
  readonly #wiresOf: readonly (readonly number[])[];
  readonly #mentions: Mention[][];
  /** Values of the three combinations of every constraint. */
  readonly #sums: Three[];
  readonly #violated = new Set<number>();
  readonly #changed = new Map<number, bigint>();
  /** Constraints between a wire and the one under judgement; without an entry, too many. */
  #distance: ReadonlyMap<number, number> = new Map();
  #target = -1;
  #steps = 0;

  constructor(system: ConstraintSystem, values: readonly bigint[]) {
    this.#values = [...values];
    this.#wiresOf = system.constraints.map((constraint) => [
      ...new Set(constraint.flatMap(({ wires }) => wires).filter((wire) => wire > 0)),
    ]);
    this.#sums = system.constraints.map(([a, b, c]) => [
      evaluate(a, values),
      evaluate(b, values),
      evaluate(c, values),
    ]);
    this.#mentions = Array.from({ length: system.wireCount }, () => []);
    system.constraints.forEach((constraint, row) => {
      for (const wire of this.#wiresOf[row]) this.#mentions[wire].push({ row, coefficients: [0n, 0n, 0n] });
      constraint.forEach(({ wires, coefficients }, part) => {
        wires.forEach((wire, i) => {
          const mention = this.#mentions[wire].at(-1);
          if (wire > 0 && mention !== undefined) mention.coefficients[part] += coefficients[i];
        });
      });
    });
  }

  /** Other values of some wires with which `target` is the only violated constraint; undefined if none was found. */
  find(target: number): ReadonlyMap<number, bigint> | undefined {
    this.#target = target;
    this.#distance = this.#distancesFrom(target);
    for (const seed of this.#seeds()) {
      this.#steps = 0;
      this.#change(seed);
      const isFound = this.#repair();
      const found = new Map([...this.#changed.keys()].map((wire) => [wire, this.#values[wire]]));
      for (const wire of found.keys()) this.#undo(wire);
      if (isFound) return found;
    }
    return undefined;
  }

  #distancesFrom(target: number): Map<number, number> {
    const distance = new Map(this.#wiresOf[target].map((wire) => [wire, 0]));
    const rows = new Set([target]);
    let ring = [...distance.keys()];
    for (let steps = 1; steps <= DISTANCE_MAX; steps++) {
      const mentions = ring.flatMap((wire) => (this.#isMovable(wire) ? this.#mentions[wire] : []));
      ring = [];
      for (const { row } of mentions) {
        if (rows.has(row)) continue;
        rows.add(row);
        const further = this.#wiresOf[row].filter((wire) => !distance.has(wire));
        for (const wire of further) distance.set(wire, steps);
        ring.push(...further);
      }
    }
    return distance;
  }

  #isMovable(wire: number): boolean {
    return this.#mentions[wire].length <= MENTIONS_MAX;
  }

  /** Near wires first, of these bits first, of these the ones that little depends on. */
  #seeds(): Change[] {
    const own = this.#wiresOf[this.#target];
    const seeds = [...this.#distance]
      .filter(([wire]) => this.#isMovable(wire))
      .map(([wire, distance]) => ({
        wire,
        value: this.#values[wire],
        rank: [
          distance,
          this.#values[wire] <= 1n ? 0 : 1,
          this.#mentions[wire].length,
          Math.min(...own.map((other) => Math.abs(other - wire))),
        ],
      }))
      .sort((x, y) => x.rank.reduce((order, rank, i) => order || rank - y.rank[i], 0))
      .slice(0, SEEDS);
    return seeds.flatMap(({ wire, value, rank: [distance] }) => {
      const flipped = { wire, value: mod(1n - value) };
      const next = { wire, value: mod(value + 1n) };
      if (distance === 0 && value !== 0n) return [flipped, next];
      return value <= 1n ? [flipped] : [next];
    });
  }

  #repair(): boolean {
    const [row] = this.#violated;
    if (row === undefined) return !this.#holds(this.#target);
    if (++this.#steps > STEPS) return false;
    for (const option of this.#options(row)) {
      this.#change(option);
      if (this.#repair()) return true;
      this.#undo(option.wire);
      if (this.#steps > STEPS) return false;
    }
    return false;
  }

  /** Single changes that satisfy a violated constraint, those first that violate the fewest others. */
  #options(row: number): Change[] {
    const rank = (wire: number): number =>
      100 * (this.#distance.get(wire) ?? DISTANCE_MAX + 1) + this.#mentions[wire].length;
    return this.#wiresOf[row]
      .filter((wire) => !this.#changed.has(wire) && this.#isMovable(wire))
      .sort((x, y) => rank(x) - rank(y))
      .slice(0, CANDIDATES)
      .flatMap((wire) => this.#solutions(row, wire).map((value) => ({ wire, value })))
      .map((change) => ({ change, cost: 1000 * this.#violations(change) + rank(change.wire) }))
      .sort((x, y) => x.cost - y.cost)
      .map(({ change }) => change);
  }

  /** Values of a wire with which a violated constraint holds. */
  #solutions(row: number, wire: number): bigint[] {
    const mention = this.#mentions[wire].find((candidate) => candidate.row === row);
    if (mention === undefined) return [];
    const [ka, kb, kc] = mention.coefficients;
    const [a, b, c] = this.#sums[row];
    const moved = (numerator: bigint, slope: bigint): bigint[] =>
      slope % P === 0n ? [] : [mod(this.#values[wire] + numerator * fieldInverse(mod(slope)))];
    if (ka === 0n || kb === 0n) return moved(c - a * b, ka * b + kb * a - kc);
    // A product of two factors with the wire, as of a bit: solved where it has to be 0.
    return kc === 0n && c === 0n ? [...moved(-a, ka), ...moved(-b, kb)] : [];
  }

  #violations({ wire, value }: Change): number {
    const difference = value - this.#values[wire];
    return this.#mentions[wire].filter(({ row, coefficients: [ka, kb, kc] }) => {
      const [a, b, c] = this.#sums[row];
      const gap = (a + ka * difference) * (b + kb * difference) - (c + kc * difference);
      return row !== this.#target && gap % P !== 0n;
    }).length;
  }

  #holds(row: number): boolean {
    const [a, b, c] = this.#sums[row];
    return (a * b - c) % P === 0n;
  }

  #change({ wire, value }: Change): void {
    this.#changed.set(wire, this.#values[wire]);
    this.#assign(wire, value);
  }

  #undo(wire: number): void {
    this.#assign(wire, this.#changed.get(wire) ?? 0n);
    this.#changed.delete(wire);
  }

  #assign(wire: number, value: bigint): void {
    const difference = value - this.#values[wire];
    this.#values[wire] = value;
    for (const { row, coefficients } of this.#mentions[wire]) {
      coefficients.forEach((coefficient, part) => {
        if (coefficient === 0n) return;
        this.#sums[row][part] = (this.#sums[row][part] + coefficient * difference) % P;
      });
      if (row === this.#target || this.#holds(row)) this.#violated.delete(row);
      else this.#violated.add(row);
    }
  }
}
