import { expect } from 'chai';
import { AbiCoder, keccak256 } from 'ethers';
import type { BatchHeader, L1Operation, SealedBatch } from '#protocol/batch/batch.ts';
import { type BatchSubmission, submissionOf } from '#protocol/batch/calldata.ts';
import { domainWord, marginWord } from '#protocol/batch/words.ts';
import { multiplyPoint, SUBGROUP_ORDER } from '#protocol/crypto/baby-jubjub.ts';
import { TINY_BATCH, TINY_SHAPE } from '#protocol/limits.ts';
import type { Message, SignedMessages } from '#protocol/message.ts';
import { tableHash } from '#protocol/risk/table.ts';
import { signMessages } from '#protocol/signing.ts';
import { genesisState, type LedgerState, stateRoot } from '#protocol/state.ts';
import { openBatch } from '#protocol/transition/open-batch.ts';
import type { Operation } from '#protocol/transition/operation.ts';
import { artifactsOf, openBackend, type ProofBackend } from '#prover/prove.ts';
import { compileCircuit } from '#prover/setup/compile.ts';
import { developmentKey } from '#prover/setup/development-keys.ts';
import { exportVerifier } from '#prover/setup/export-verifier.ts';
import { buildCircuitInput } from '#prover/witness/build-circuit-input.ts';
import * as ledger from '#test/support/ledger.ts';
import {
  deployRollup,
  type RollupChoices,
  type RollupFixture,
  restoreAfterEach,
  USDC,
  WBTC,
} from '#test/support/rollup.ts';
import { verifierArtifact } from '../../sequencer/main-job/verifier-artifact.ts';

const BASE_FIELD = 21888242871839275222246405745257275088696311157297823662689037894645226208583n;
const USD = 1_000_000n;
/** 8⁻¹ modulo the order of the subgroup: the contract multiplies by 8. */
const EIGHTH = (SUBGROUP_ORDER * 7n + 1n) / 8n;

// Storage of MarginRollup (plain variables, and the mapping of owners) and of TokenVault (the ledger of the quote token).
const STATE_SLOTS = 12;
const OWNER_OF_SLOT = 4;
const QUOTE_LEDGER_SLOTS = [6, 7];

describe('MarginRollup with real proofs', function () {
  this.timeout(900_000);
  let backend: ProofBackend;
  let fixture: RollupFixture;
  /** Rollups with the same history and one difference. */
  let twins: Record<'none' | 'chain id' | 'address' | 'circuit hash', RollupFixture>;
  let circuitHash: bigint;
  let state: LedgerState;
  /** Proved on the first rollup, ready to be sent. */
  let trade: BatchSubmission;

  before(async () => {
    const circuit = await compileCircuit('circuits/main/batch-tiny.circom');
    const key = await developmentKey(circuit);
    const artifact = verifierArtifact(await exportVerifier(key.zkeyPath, circuit.name), 'build/verifiers');
    circuitHash = BigInt(`0x${circuit.contentHash}`);
    backend = await openBackend(artifactsOf(circuit, key));
    fixture = await deployWith({ verifier: artifact, circuitHash });
    twins = {
      none: await deployWith({ verifier: artifact, circuitHash }),
      'chain id': await deployWith({ verifier: artifact, circuitHash, chainId: 31338 }),
      // One token less to deploy, so the rollup's address is another.
      address: await deployWith({ verifier: artifact, circuitHash, tokens: [USDC, WBTC] }),
      'circuit hash': await deployWith({ verifier: artifact, circuitHash: circuitHash + 1n }),
    };
    state = genesisState(TINY_SHAPE);
    for (const accountIndex of [1, 2]) {
      const queued = await queueFirstOperations(fixture, accountIndex);
      const { submission, after } = await prove(queued.map((operation) => ({ kind: 'l1', operation })));
      await sendInTime(submission);
      state = after;
    }
    const expirySec = 4_000_000_000n;
    const buy = ledger.orderMessage({ side: 'buy', sizeLots: 10n, nonce: 1n, expirySec });
    const sell = ledger.orderMessage({ side: 'sell', sizeLots: 10n, nonce: 1n, expirySec });
    const leave = ledger.withdrawMessage({ amount: 20n * USD, nonce: 9n, expirySec });
    const [buyer, seller] = [await signed(1, [buy]), await signed(2, [sell, leave])];
    const trading: Operation[] = [
      ledger.trade({ signed: buyer, position: 0 }, { signed: seller, position: 0 }, 10n, 100n, {
        maker: 3n,
        taker: 5n,
      }),
      { kind: 'withdraw', signed: seller, position: 1 },
    ];
    trade = (await prove(trading)).submission;
  });
  after(() => backend?.close());
  restoreAfterEach(() => fixture);

  async function deployWith(choices: RollupChoices): Promise<RollupFixture> {
    const deployed = await deployRollup(choices);
    await acceptTable(deployed, await deployed.nowSec());
    return deployed;
  }

  async function acceptTable(target: RollupFixture, atSec: number): Promise<void> {
    const table = ledger.riskTable();
    await target.oracle.accept({
      roundNumber: 2n,
      roundTimeSec: atSec,
      acceptedAtSec: atSec,
      isJump: false,
      marginWord: marginWord(table),
      tableHash: tableHash(table, TINY_SHAPE),
    });
  }

  /** In a block soon after batch time: the chain's clock stands while a slow machine proves. */
  async function sendInTime(submission: BatchSubmission, target = fixture) {
    const soon = Number(submission.header.batchTimeSec) + 10;
    const now = await target.nowSec();
    await target.setNextTime(Math.max(soon, now + 1));
    return target.send(submission);
  }

  async function queueFirstOperations(target: RollupFixture, accountIndex: number): Promise<L1Operation[]> {
    const owner = target.signers[accountIndex];
    const point = multiplyPoint(ledger.keyOf(accountIndex), EIGHTH);
    const value = await target.rollup.queueFeeWei();
    await target.as(owner).registerAccount(point[0], point[1], { value });
    await target.deposit(owner, accountIndex, 0, 1_000n * USD);
    return [ledger.l1('register', accountIndex), ledger.l1('deposit', accountIndex, 0, 1_000n * USD)];
  }

  async function domain() {
    const { chainId } = await fixture.connection.ethers.provider.getNetwork();
    return { chainId, rollupAddress: BigInt(await fixture.rollup.getAddress()) };
  }

  const signed = async (accountIndex: number, messages: Message[]): Promise<SignedMessages> =>
    signMessages(await domain(), ledger.secretOf(accountIndex), { accountIndex, epoch: 1n, messages });

  /** Executes, seals and proves on the state of the first rollup. */
  async function prove(
    operations: Operation[],
  ): Promise<{ submission: BatchSubmission; after: LedgerState }> {
    const { chainId, rollupAddress } = await domain();
    const { vault, rollup } = fixture;
    const header: BatchHeader = {
      domain: { chainId, rollupAddress },
      domainWord: domainWord(chainId, rollupAddress, circuitHash),
      batchNumber: (await rollup.batchNumber()) + 1n,
      timeSec: BigInt(await fixture.nowSec()),
      table: ledger.riskTable(),
      pricesUsable: true,
      fundBookedMicros: await vault.fundBookedMicros(),
      liquid: await Promise.all([0, 1, 2].map(async (id) => (await vault.conservation(id)).liquidUnits)),
    };
    const sealed = ledger.run(openBatch(state, header, TINY_BATCH), ...operations).seal();
    return { submission: await proved(sealed.batch), after: sealed.state };
  }

  async function proved(batch: SealedBatch): Promise<BatchSubmission> {
    const { input, publicInputs } = buildCircuitInput(batch);
    const { proof } = await backend.prove(input);
    const [, pendingEnd] = await fixture.rollup.queueBounds();
    return submissionOf(
      batch,
      { sizeIndex: 0, acceptedIndex: 1n, pendingEnd },
      publicInputs.commitment,
      proof,
    );
  }

  const refuses = (submission: BatchSubmission, target = fixture) =>
    expect(sendInTime(submission, target)).to.be.revertedWithCustomError(target.rollup, 'InvalidBatchProof');

  it('takes registrations and deposits, a trade and a withdrawal from genesis on', async () => {
    expect(await fixture.rollup.batchNumber()).to.equal(2n);
    expect(await fixture.rollup.stateRoot()).to.equal(stateRoot(state));
    await expect(sendInTime(trade)).to.emit(fixture.rollup, 'BatchAccepted');
    const { liquidUnits, claimsUnits, fundBookedMicros } = await fixture.vault.conservation(0);
    expect([liquidUnits, claimsUnits, fundBookedMicros]).to.deep.equal([1_980n * USD - 8n, 20n * USD, 8n]);
    expect(await fixture.vault.claimsUnits(fixture.signers[2].address, 0)).to.equal(20n * USD);
  });

  it('refuses the proof for every other statement', async () => {
    const { header } = trade;
    const changed: Partial<typeof header>[] = [
      { newStateRoot: header.newStateRoot + 1n },
      { batchTimeSec: header.batchTimeSec + 1n },
      { feesMicros: header.feesMicros + 1n },
      { feesMicros: 0n },
      { penaltiesMicros: 1n },
      { hasTrades: false },
    ];
    for (const change of changed) await refuses({ ...trade, header: { ...header, ...change } });
    await refuses({ ...trade, commitment: trade.commitment + 1n });
    // Byte 32 from the end lies inside the last leaf word.
    await refuses({ ...trade, body: trade.body.with(-1, trade.body[trade.body.length - 1] ^ 1) });
  });

  for (const difference of ['chain id', 'address', 'circuit hash'] as const) {
    it(`refuses it where nothing but the ${difference} differs`, async () => {
      await giveState(twins[difference]);
      await refuses(trade, twins[difference]);
    });
  }

  it('takes it where nothing differs', async () => {
    await giveState(twins.none);
    await expect(sendInTime(trade, twins.none)).to.emit(twins.none.rollup, 'BatchAccepted');
  });

  /** Gives a twin what the first two batches left in storage, as far as the third reads it. */
  async function giveState(target: RollupFixture): Promise<void> {
    const [source, address] = [await fixture.rollup.getAddress(), await target.rollup.getAddress()];
    for (let slot = 0; slot < STATE_SLOTS; slot++) {
      const value = await fixture.connection.ethers.provider.getStorage(source, slot);
      await target.connection.networkHelpers.setStorageAt(address, slot, value);
    }
    const ownerSlot = keccak256(
      AbiCoder.defaultAbiCoder().encode(['uint256', 'uint256'], [2, OWNER_OF_SLOT]),
    );
    await target.connection.networkHelpers.setStorageAt(
      address,
      ownerSlot,
      BigInt(fixture.signers[2].address),
    );
    expect(await target.rollup.ownerOf(2)).to.equal(fixture.signers[2].address);
    for (const name of ['stateRoot', 'batchNumber', 'batchTimeSec', 'acceptedIndex'] as const) {
      expect(await target.rollup[name](), name).to.equal(await fixture.rollup[name]());
    }
    const vaults = [await fixture.vault.getAddress(), await target.vault.getAddress()];
    for (const slot of QUOTE_LEDGER_SLOTS) {
      const value = await fixture.connection.ethers.provider.getStorage(vaults[0], slot);
      await target.connection.networkHelpers.setStorageAt(vaults[1], slot, value);
    }
    expect(await target.vault.conservation(0)).to.deep.equal(await fixture.vault.conservation(0));
  }

  it('makes one transition of a proof and its mirror image (−A, −B, C)', async () => {
    const { a, b, c } = trade.proof;
    const negated = (point: readonly [bigint, bigint]) => [point[0], BASE_FIELD - point[1]] as const;
    const mirrored = {
      a: negated(a),
      b: [b[0], [BASE_FIELD - b[1][0], BASE_FIELD - b[1][1]]] as const,
      c,
    };
    await expect(sendInTime({ ...trade, proof: mirrored })).to.emit(fixture.rollup, 'BatchAccepted');
    await refuses(trade);
    await refuses({ ...trade, proof: mirrored });
    expect(await fixture.rollup.batchNumber()).to.equal(3n);
  });

  it('pays the same owner whoever copies the proof: only the submitter sends at all', async () => {
    await expect(fixture.send(trade, fixture.signers[5])).to.be.revertedWithCustomError(
      fixture.rollup,
      'NotSubmitter',
    );
  });
});
