/** A market maker needs no new epoch: a thousand filled orders under one, with real proofs of batches on the way. */
import { expect } from 'chai';
import { TINY_BATCH } from '#protocol/limits.ts';
import { stateRoot } from '#protocol/state.ts';
import { openBackend, type ProofBackend, verifyProof } from '#prover/prove.ts';
import { buildCircuitInput } from '#prover/witness/build-circuit-input.ts';
import { prepareCircuit } from '#sequencer/main-job/setup.ts';
import { hashOf, World } from '../../support/engine.ts';

const MAKER = 1;
const TAKER = 2;
const FILLED_ORDERS = 1_000;
const PROOFS = 25;
/** In every so-many-th turn an order of the maker is filled in two batches: its record lives from one to the next. */
const SPLIT_EVERY = 7;
const BID = 99n;
const ASK = 101n;

describe('a maker with a thousand filled orders', function () {
  this.timeout(3_600_000);
  let backend: ProofBackend | undefined;
  let world: World;
  after(() => backend?.close());

  /** Two orders of the maker on one side, and whoever takes them; of some the last lot is taken in the next batch. */
  async function round(turn: number): Promise<string[]> {
    const isBid = turn % 2 === 0;
    const [side, opposite] = isBid ? (['buy', 'sell'] as const) : (['sell', 'buy'] as const);
    const price = isBid ? BID : ASK;
    const hashes = [];
    for (const sizeLots of [2n, 3n]) hashes.push(hashOf(await world.order(MAKER, side, sizeLots, price)));
    for (const takenLots of turn % SPLIT_EVERY === 0 ? [4n, 1n] : [5n]) {
      hashOf(await world.order(TAKER, opposite, takenLots, price, {}, { timeInForce: 'ioc' }));
      await world.seal();
    }
    return hashes;
  }

  /** Proves the last sealed batch with the circuit of this deployment; the proof is checked once more here. */
  async function proveLast(key: Parameters<typeof verifyProof>[0]): Promise<bigint> {
    const sealed = await world.engine.read((state) => [...state.batches.values()].at(-1)?.sealed);
    if (sealed === undefined) throw new Error('a batch was sealed');
    const { input, publicInputs } = buildCircuitInput(sealed);
    const proof = await (backend as ProofBackend).prove(input as never);
    const { commitment, challenge, evaluation } = publicInputs;
    expect(proof.publicSignals).to.deep.equal([commitment, challenge, evaluation]);
    expect(await verifyProof(key, proof)).to.equal(true);
    return sealed.newStateRoot;
  }

  it(`stays in its first epoch, and ${PROOFS} of its batches are proved`, async () => {
    const { artifacts } = await prepareCircuit(`${import.meta.dirname}/../../..`, 'batch-tiny');
    backend = await openBackend(artifacts);
    world = await World.open({ capacity: TINY_BATCH });
    await world.fund({ [MAKER]: 1_000_000n, [TAKER]: 1_000_000n });
    const hashes: string[] = [];
    const provedRoots = new Set<bigint>();
    for (let turn = 0; hashes.length < FILLED_ORDERS; turn++) {
      hashes.push(...(await round(turn)));
      const isProofDue = hashes.length * PROOFS >= (provedRoots.size + 1) * FILLED_ORDERS;
      if (isProofDue) provedRoots.add(await proveLast(artifacts.verificationKey));
      await world.prove();
    }
    expect(provedRoots.size).to.equal(PROOFS);
    const filled = await world.engine.read((state) =>
      hashes.filter((hash) => state.orders.get(hash)?.closed?.reason === 'filled'),
    );
    expect(filled).to.have.length(FILLED_ORDERS);
    const { epoch, baseWord } = await world.engine.read((state) => state.account(MAKER));
    expect(epoch).to.equal(1n);
    // The window went along with the nonces, by the floors that the orders sign.
    expect(baseWord).to.equal(BigInt(Math.floor((FILLED_ORDERS - 1) / 32)) - 1n);
    const root = await world.engine.read((state) => stateRoot(state.ledger));
    await world.start();
    expect(await world.engine.read((state) => stateRoot(state.ledger))).to.equal(root);
  });
});
