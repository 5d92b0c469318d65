import { expect } from 'chai';
import { STANDARD_SHAPE } from '#protocol/limits.ts';
import { RISK_64, RISK_MORE, RISK_SMALL, type SegmentGeometry, slotsOf } from '#protocol/risk/registry.ts';
import { tableHash } from '#protocol/risk/table.ts';
import { compileCircuit } from '#prover/setup/compile.ts';
import { circuitInputOf, riskProofTasks } from '#prover/witness/risk.ts';
import { calculateWitness, refusedBy } from '#test/support/circuit-witness.ts';
import { type BlockListing, fullBlocks, registryOf } from '#test/support/option-registry.ts';
import { roundOf } from '#test/support/risk-rounds.ts';
import { restated } from '#test/support/risk-statements.ts';

const PRICE = { btc: 97_123_456_789n, eth: 3_312_345_678n };
const SHAPE = { ...STANDARD_SHAPE, marketSlots: slotsOf(RISK_64) };
const basisPpb = Array.from({ length: 8 }, (_, i) => 3_000_000n * BigInt(i - 2));

const proofTasks = (
  segments: readonly SegmentGeometry[],
  blocks: readonly (BlockListing | undefined)[],
  volPpm = (callId: number) => 500_000n + 7_777n * BigInt(callId % 13),
) =>
  riskProofTasks(
    roundOf(PRICE, { segments, registry: registryOf(segments, blocks), basisPpb, volPpm }),
    SHAPE,
    [1n, 2n],
  );

describe('large risk tables', function () {
  this.timeout(3_600_000);

  it('of 64 options are those of their twin in one proof, full and with holes', async () => {
    const { wasmPath } = await compileCircuit('circuits/main/risk-64.circom');
    const full = fullBlocks([RISK_64], PRICE);
    const { table, segments } = proofTasks([RISK_64], full);
    expect(table.rows).to.have.length(76);
    await calculateWitness(wasmPath, segments[0].input);
    const holes = full.map((block, i) =>
      i % 3 === 1 ? undefined : { ...block, strikes: block.strikes.slice(0, i % 5) },
    );
    await calculateWitness(wasmPath, proofTasks([RISK_64], holes).segments[0].input);
    const broken = proofTasks([RISK_64], full, (callId) => (callId === 1144 ? 4_000_000n : 500_000n));
    expect(broken.isSurfaceSound).to.equal(false);
    await calculateWitness(wasmPath, broken.segments[0].input);
    const claimed = restated(broken.segments[0], (words) => (words[4] = 3n));
    expect(await refusedBy(wasmPath, circuitInputOf(claimed))).to.equal(
      'RiskTable: flags.fields[1] === isSurfaceSound;',
    );
  });

  it('of two segments are those of their twin in two proofs, the second going on from the first', async () => {
    const small = await compileCircuit('circuits/main/risk-small.circom');
    const more = await compileCircuit('circuits/main/risk-more.circom');
    const both = [RISK_SMALL, RISK_MORE];
    const { table, tableHash: whole, segments } = proofTasks(both, fullBlocks(both, PRICE));
    // Two linear places of the first segment are free.
    expect(table.rows).to.have.length(74);
    await calculateWitness(small.wasmPath, segments[0].input);
    await calculateWitness(more.wasmPath, segments[1].input);
    expect(segments[1].words[2]).to.equal(segments[0].words[3]);
    expect(segments[1].words[3]).to.equal(whole);
    expect(whole).to.equal(tableHash(table, SHAPE));
    const elsewhere = restated(segments[1], (words) => (words[2] += 1n));
    expect(await refusedBy(more.wasmPath, circuitInputOf(elsewhere))).to.equal(
      'RiskTable: words[3] === segment.endHash;',
    );
  });
});
