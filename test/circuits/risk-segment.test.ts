import { expect } from 'chai';
import { poseidonChain } from '#protocol/crypto/poseidon.ts';
import { STANDARD_SHAPE } from '#protocol/limits.ts';
import { DEFAULT_REGISTRY } from '#protocol/risk/default-registry.ts';
import { type Registry, RISK_SMALL, type SegmentGeometry } from '#protocol/risk/registry.ts';
import { rowHashes } from '#protocol/risk/table.ts';
import { type CompiledCircuit, compileCircuit } from '#prover/setup/compile.ts';
import { circuitInputOf, riskProofTasks } from '#prover/witness/risk.ts';
import { calculateWitness, refusedBy } from '#test/support/circuit-witness.ts';
import { roundOf } from '#test/support/risk-rounds.ts';
import { restated } from '#test/support/risk-statements.ts';

/** The geometry of the fixture, and one more like it. */
const MIDDLE: SegmentGeometry = {
  name: 'risk-segment',
  startSlot: 16,
  linear: 15,
  blocks: 0,
  strikesPerBlock: 0,
};
const LAST = { ...MIDDLE, name: 'risk-segment-last', startSlot: 31 };
const SHAPE = { ...STANDARD_SHAPE, marketSlots: 61 };
const [START_HASH, END_HASH, FLAGS] = [2, 3, 4];
const WRONG_END = 'RiskTable: words[3] === segment.endHash;';

const perps = (count: number, firstId: number): Registry =>
  Array.from({ length: count }, (_, i) => ({ ...DEFAULT_REGISTRY[2 + (i % 2)], id: firstId + i }));

/** The first segment's linear places, then some of the second and third. */
const roundWith = (middle: number, last: number) =>
  roundOf(
    { btc: 97_123_456_789n, eth: 3_312_345_678n },
    {
      segments: [RISK_SMALL, MIDDLE, LAST],
      registry: [
        ...DEFAULT_REGISTRY,
        ...Array<undefined>(8).fill(undefined),
        ...perps(middle, 100),
        ...Array<undefined>(15 - middle).fill(undefined),
        ...perps(last, 200),
      ],
    },
  );
const proofTasks = (middle: number, last: number) =>
  riskProofTasks(roundWith(middle, last), SHAPE, [1n, 2n, 3n]);

describe('a segment in the middle of a table', () => {
  let circuit: CompiledCircuit;
  before(async function () {
    this.timeout(300_000);
    circuit = await compileCircuit('test/fixtures/circuits/risk-segment.circom');
  });

  it('goes on from the hash before it and ends with its own link', async () => {
    const { segments, table } = proofTasks(15, 3);
    expect(segments).to.have.length(3);
    const hashes = rowHashes(table, SHAPE);
    const [, middle, last] = segments;
    expect(middle.words[START_HASH]).to.equal(poseidonChain(hashes.slice(0, 16)));
    expect(middle.words[END_HASH]).to.equal(poseidonChain(hashes.slice(0, 31)));
    expect(last.words[START_HASH]).to.equal(middle.words[END_HASH]);
    await calculateWitness(circuit.wasmPath, middle.input);
  });

  it('absorbs the rest of the table as empty where it is the last', async () => {
    const { segments, tableHash } = proofTasks(2, 0);
    expect(segments).to.have.length(2);
    expect(segments[1].words[END_HASH]).to.equal(tableHash);
    await calculateWitness(circuit.wasmPath, segments[1].input);
  });

  const [, middle] = proofTasks(15, 3).segments;
  const [, last] = proofTasks(15, 0).segments;
  for (const [what, statement, change] of [
    ['another start', middle, (words: bigint[]) => (words[START_HASH] += 1n)],
    ['no start', middle, (words: bigint[]) => (words[START_HASH] = 0n)],
    ['another end', middle, (words: bigint[]) => (words[END_HASH] += 1n)],
    // Else a table could lose all that lies behind a segment.
    ['the name of the last though it is not', middle, (words: bigint[]) => (words[FLAGS] |= 1n)],
    [
      'the hash of the whole table though it is not the last',
      last,
      (words: bigint[]) => (words[FLAGS] &= 2n),
    ],
    [
      'the end of its own slots though it is the last',
      last,
      (words: bigint[]) => (words[END_HASH] = middle.words[END_HASH]),
    ],
  ] as const) {
    it(`refuses ${what}`, async () => {
      const changed = circuitInputOf(restated(statement, change));
      expect(await refusedBy(circuit.wasmPath, changed)).to.equal(WRONG_END);
    });
  }
});
