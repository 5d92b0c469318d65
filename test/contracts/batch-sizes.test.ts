import { expect } from 'chai';
import type { BatchHeader, L1Operation } from '#protocol/batch/batch.ts';
import { type BatchSubmission, submissionOf } from '#protocol/batch/calldata.ts';
import type { BatchSize } from '#protocol/batch/sizes.ts';
import { domainWord, marginWord } from '#protocol/batch/words.ts';
import { deriveRegistrationPoint } from '#protocol/crypto/eddsa.ts';
import { TINY_BATCH, TINY_SHAPE, TINY_WIDE_BATCH } from '#protocol/limits.ts';
import { tableHash } from '#protocol/risk/table.ts';
import { genesisState, type LedgerState, stateRoot } from '#protocol/state.ts';
import { type OpenBatch, openBatch } from '#protocol/transition/open-batch.ts';
import { artifactsOf, openBackend, type ProofBackend } from '#prover/prove.ts';
import { compileCircuit } from '#prover/setup/compile.ts';
import { developmentKey } from '#prover/setup/development-keys.ts';
import { exportVerifier } from '#prover/setup/export-verifier.ts';
import { buildCircuitInput } from '#prover/witness/build-circuit-input.ts';
import { L1Reader } from '#sequencer/reconstruct/read-l1.ts';
import { rebuild } from '#sequencer/reconstruct/rebuild.ts';
import * as ledger from '#test/support/ledger.ts';
import { deployRollup, type RollupFixture, restoreAfterEach } from '#test/support/rollup.ts';
import { verifierArtifact } from '../../sequencer/main-job/verifier-artifact.ts';

const CAPACITIES = [TINY_BATCH, TINY_WIDE_BATCH];
const [TINY, WIDE] = [0, 1];
const USD = 1_000_000n;

interface Circuit {
  readonly circuitHash: bigint;
  readonly verifier: ReturnType<typeof verifierArtifact>;
  readonly backend: ProofBackend;
}

async function circuitOf(name: string): Promise<Circuit> {
  const circuit = await compileCircuit(`circuits/main/${name}.circom`);
  const key = await developmentKey(circuit);
  const verifier = verifierArtifact(await exportVerifier(key.zkeyPath, circuit.name), 'build/verifiers');
  const backend = await openBackend(artifactsOf(circuit, key));
  return { circuitHash: BigInt(`0x${circuit.contentHash}`), verifier, backend };
}

describe('MarginRollup with two batch sizes and real proofs', function () {
  this.timeout(900_000);
  const circuits: Circuit[] = [];
  let fixture: RollupFixture;
  let sizes: BatchSize[];
  /** The first batch, sealed and proved for either size. */
  let first: BatchSubmission[];
  let afterFirst: LedgerState;

  before(async () => {
    for (const { name } of CAPACITIES) circuits.push(await circuitOf(name));
    const [tiny, wide] = circuits;
    fixture = await deployRollup({
      ...tiny,
      larger: [{ capacity: TINY_WIDE_BATCH, circuitHash: wide.circuitHash, verifier: wide.verifier }],
    });
    const { chainId, rollupAddress } = await domain();
    sizes = CAPACITIES.map((capacity, i) => ({
      capacity,
      domainWord: domainWord(chainId, rollupAddress, circuits[i].circuitHash),
    }));
    const atSec = await fixture.nowSec();
    const table = ledger.riskTable();
    await fixture.oracle.accept({
      roundNumber: 2n,
      roundTimeSec: atSec,
      acceptedAtSec: atSec,
      isJump: false,
      marginWord: marginWord(table),
      tableHash: tableHash(table, TINY_SHAPE),
    });
    const batch = await opened(genesisState(TINY_SHAPE), await queueFirstOperations(1));
    first = [await proved(batch, TINY), await proved(batch, WIDE)];
    afterFirst = batch.seal().state;
  });
  after(async () => {
    for (const { backend } of circuits) await backend.close();
  });
  restoreAfterEach(() => fixture);

  async function domain() {
    const { chainId } = await fixture.connection.ethers.provider.getNetwork();
    return { chainId, rollupAddress: BigInt(await fixture.rollup.getAddress()) };
  }

  async function queueFirstOperations(accountIndex: number): Promise<L1Operation[]> {
    const owner = fixture.signers[accountIndex];
    const [x, y] = deriveRegistrationPoint(ledger.secretOf(accountIndex));
    const value = await fixture.rollup.queueFeeWei();
    await fixture.as(owner).registerAccount(x, y, { value });
    await fixture.deposit(owner, accountIndex, 0, 1_000n * USD);
    return [ledger.l1('register', accountIndex), ledger.l1('deposit', accountIndex, 0, 1_000n * USD)];
  }

  async function opened(state: LedgerState, operations: L1Operation[]): Promise<OpenBatch> {
    const { capacity, domainWord: word } = sizes[WIDE];
    const header: BatchHeader = {
      domain: await domain(),
      domainWord: word,
      batchNumber: (await fixture.rollup.batchNumber()) + 1n,
      timeSec: BigInt(await fixture.nowSec()),
      table: ledger.riskTable(),
      pricesUsable: true,
      fundBookedMicros: 0n,
      liquid: [(await fixture.vault.conservation(0)).liquidUnits, 0n, 0n],
    };
    const steps = operations.map((operation) => ({ kind: 'l1', operation }) as const);
    return ledger.run(openBatch(state, header, capacity), ...steps);
  }

  async function proved(open: OpenBatch, sizeIndex: number): Promise<BatchSubmission> {
    const { batch } = open.seal(sizes[sizeIndex]);
    const { input, publicInputs } = buildCircuitInput(batch);
    const { proof } = await circuits[sizeIndex].backend.prove(input);
    const [, pendingEnd] = await fixture.rollup.queueBounds();
    const place = { sizeIndex, acceptedIndex: 1n, pendingEnd };
    return submissionOf(batch, place, publicInputs.commitment, proof);
  }

  /** In a block soon after batch time: the chain's clock stands while a slow machine proves. */
  async function sendInTime(submission: BatchSubmission) {
    const soon = Number(submission.header.batchTimeSec) + 10;
    await fixture.setNextTime(Math.max(soon, (await fixture.nowSec()) + 1));
    return fixture.send(submission);
  }

  for (const sizeIndex of [TINY, WIDE]) {
    it(`takes a proof of ${CAPACITIES[sizeIndex].name} under its own index`, async () => {
      await expect(sendInTime(first[sizeIndex])).to.emit(fixture.rollup, 'BatchAccepted');
      expect(await fixture.rollup.stateRoot()).to.equal(stateRoot(afterFirst));
    });

    it(`refuses a proof of ${CAPACITIES[sizeIndex].name} under the other index, the words being right for it`, async () => {
      const other = first[1 - sizeIndex];
      const { commitment, proof } = first[sizeIndex];
      await expect(sendInTime({ ...other, commitment, proof })).to.be.revertedWithCustomError(
        fixture.rollup,
        'InvalidBatchProof',
      );
      await expect(sendInTime({ ...other, proof })).to.be.revertedWithCustomError(
        fixture.rollup,
        'InvalidBatchProof',
      );
    });

    it(`reads no body of ${CAPACITIES[sizeIndex].name} under the other index`, async () => {
      const { header } = first[sizeIndex];
      const swapped = { ...first[sizeIndex], header: { ...header, sizeIndex: 1 - sizeIndex } };
      await expect(sendInTime(swapped)).to.be.revert(fixture.connection.ethers);
    });
  }

  it('is rebuilt from L1 data over batches of both sizes', async () => {
    await sendInTime(first[WIDE]);
    const batch = await opened(afterFirst, await queueFirstOperations(2));
    await sendInTime(await proved(batch, TINY));
    const { provider } = fixture.connection.ethers;
    const reader = new L1Reader(provider as never, await fixture.rollup.getAddress());
    const batches = await reader.batches();
    expect(batches.map(({ submission }) => submission.header.sizeIndex)).to.deep.equal([WIDE, TINY]);
    expect(batches.map(({ capacity }) => capacity.liquidations)).to.deep.equal([3, 2]);
    const rebuilt = rebuild(genesisState(TINY_SHAPE), batches, new Map());
    expect(rebuilt.map(({ touched }) => touched)).to.deep.equal([[1], [2]]);
    expect(stateRoot(rebuilt[1].ledger)).to.equal(await reader.stateRoot());
  });
});
