import { PGlite } from '@electric-sql/pglite';
import { expect } from 'chai';
import fc from 'fast-check';
import {
  MemoryProofJobStore,
  type ProofJob,
  type ProofJobKey,
  type ProofJobStore,
  type ProofLease,
  StoredProofQueue,
} from '#prover/proof-queue.ts';
import { SqlProofJobStore } from '#prover/proof-queue-pglite.ts';
import type { CircuitProof } from '#prover/prove.ts';

const job = (batchNumber: number, sealAttempt = 0): ProofJob => ({
  batchNumber,
  sealAttempt,
  circuitName: 'batch-small',
  input: { root: 2n ** 250n + BigInt(batchNumber), rows: [[1n, 2n], [3n]] },
});
const proof = (value: bigint): CircuitProof => ({
  proof: {
    a: [value, 2n],
    b: [
      [3n, 4n],
      [5n, 2n ** 253n],
    ],
    c: [7n, 8n],
  },
  publicSignals: [value],
});
const key = ({ batchNumber, sealAttempt }: ProofJobKey) => [batchNumber, sealAttempt];

/** A queue over a store, with a clock that the test moves. */
function queueAt(store: ProofJobStore) {
  const clock = { nowMs: 1_700_000_000_000 };
  const options = { nowMs: () => clock.nowMs, leaseMs: 1000, failuresMax: 3, retryPauseMs: 100 };
  const queue = new StoredProofQueue(store, options);
  const lease = async () => (await queue.lease()) as ProofLease;
  return { clock, queue, lease };
}

let database: PGlite;
before(async () => {
  database = await PGlite.create();
});
after(() => database.close());

const stores: Record<string, () => Promise<ProofJobStore>> = {
  memory: async () => new MemoryProofJobStore(),
  PGlite: async () => {
    await database.exec('DROP TABLE IF EXISTS proof_job');
    return SqlProofJobStore.open(database);
  },
};

for (const [name, open] of Object.entries(stores)) {
  describe(`proof queue in ${name}`, () => {
    let store: ProofJobStore;
    let clock: { nowMs: number };
    let queue: StoredProofQueue;
    let lease: () => Promise<ProofLease>;

    beforeEach(async () => {
      store = await open();
      ({ clock, queue, lease } = queueAt(store));
    });

    it('leases the oldest batch first, with the input as it was, and each job once', async () => {
      for (const batchNumber of [10, 9, 11]) await queue.enqueue(job(batchNumber));
      await queue.enqueue(job(9, 1));
      const leases = [await lease(), await lease(), await lease(), await lease()];
      expect(leases.map((taken) => key(taken.job))).to.deep.equal([
        [9, 0],
        [9, 1],
        [10, 0],
        [11, 0],
      ]);
      expect(leases[2].job).to.deep.equal(job(10));
      expect(await queue.lease()).to.equal(undefined);
    });

    it('knows a job that is enqueued twice', async () => {
      expect(await queue.enqueue(job(1))).to.equal('added');
      expect(await queue.enqueue(job(1))).to.equal('known');
      expect(await queue.backlogCount()).to.equal(1);
    });

    it('keeps a proof, tells it, and accepts its report again', async () => {
      await queue.enqueue(job(1));
      const { fencingToken } = await lease();
      expect(await queue.complete(job(1), fencingToken, proof(6n))).to.equal('accepted');
      expect(await queue.complete(job(1), fencingToken, proof(6n))).to.equal('accepted');
      const record = await queue.read(job(1));
      expect([record?.status, record?.proof]).to.deep.equal(['proven', proof(6n)]);
      expect([await queue.backlogCount(), await queue.lease()]).to.deep.equal([0, undefined]);
    });

    it('passes a job on when its lease runs out, and fences off whoever comes late', async () => {
      await queue.enqueue(job(1));
      const stalled = await lease();
      clock.nowMs += 999;
      expect(await queue.lease()).to.equal(undefined);
      clock.nowMs += 1;
      const second = await lease();
      expect(second.fencingToken).to.be.greaterThan(stalled.fencingToken);
      expect(await queue.heartbeat(job(1), stalled.fencingToken)).to.equal('stale');
      expect(await queue.complete(job(1), stalled.fencingToken, proof(1n))).to.equal('stale');
      expect(await queue.fail(job(1), stalled.fencingToken, { message: 'late', isPermanent: true })).to.equal(
        'stale',
      );
      expect(await queue.release(job(1), stalled.fencingToken)).to.equal('stale');
      expect(await queue.complete(job(1), second.fencingToken, proof(2n))).to.equal('accepted');
      expect(await queue.complete(job(1), stalled.fencingToken, proof(1n))).to.equal('stale');
      expect((await queue.read(job(1)))?.proof).to.deep.equal(proof(2n));
    });

    it('still takes a proof after the lease when nobody else has the job', async () => {
      await queue.enqueue(job(1));
      const { fencingToken } = await lease();
      clock.nowMs += 5000;
      expect(await queue.complete(job(1), fencingToken, proof(1n))).to.equal('accepted');
    });

    it('keeps a lease alive by heartbeats', async () => {
      await queue.enqueue(job(1));
      const { fencingToken } = await lease();
      for (let beat = 0; beat < 5; beat++) {
        clock.nowMs += 900;
        expect(await queue.heartbeat(job(1), fencingToken)).to.equal('accepted');
        expect(await queue.lease()).to.equal(undefined);
      }
    });

    it('pauses longer after each failure and quarantines at the limit', async () => {
      await queue.enqueue(job(1));
      for (const pauseMs of [100, 200]) {
        const { fencingToken } = await lease();
        expect(await queue.fail(job(1), fencingToken, { message: 'crashed', isPermanent: false })).to.equal(
          'accepted',
        );
        clock.nowMs += pauseMs - 1;
        expect(await queue.lease()).to.equal(undefined);
        clock.nowMs += 1;
      }
      const { fencingToken } = await lease();
      await queue.fail(job(1), fencingToken, { message: 'crashed a third time', isPermanent: false });
      clock.nowMs += 1_000_000;
      expect(await queue.lease()).to.equal(undefined);
      const record = await queue.read(job(1));
      expect([record?.status, record?.lastFailure]).to.deep.equal(['quarantined', 'crashed a third time']);
    });

    it('quarantines a poisoned job at once and goes on with the next', async () => {
      await queue.enqueue(job(1));
      await queue.enqueue(job(2));
      const { fencingToken } = await lease();
      await queue.fail(job(1), fencingToken, { message: 'no witness', isPermanent: true });
      expect(key((await lease()).job)).to.deep.equal([2, 0]);
      clock.nowMs += 500;
      expect((await queue.read(job(1)))?.status).to.equal('quarantined');
      expect(await queue.backlogCount()).to.equal(2);
    });

    it('quarantines a job that takes every prover down with it', async () => {
      await queue.enqueue(job(1));
      for (let crash = 0; crash < 3; crash++) {
        await lease();
        clock.nowMs += 1000;
      }
      expect(await queue.lease()).to.equal(undefined);
      const record = await queue.read(job(1));
      expect([record?.status, record?.failureCount]).to.deep.equal(['quarantined', 3]);
    });

    it('does not count a job given back untried', async () => {
      await queue.enqueue(job(1));
      for (let round = 0; round < 10; round++) {
        const { fencingToken } = await lease();
        expect(await queue.release(job(1), fencingToken)).to.equal('accepted');
      }
      expect((await queue.read(job(1)))?.failureCount).to.equal(0);
    });

    it('forgets a job with its proof, also while it is proved', async () => {
      for (const batchNumber of [1, 2]) await queue.enqueue(job(batchNumber));
      const [first, second] = [await lease(), await lease()];
      await queue.forget(job(1));
      expect(await queue.complete(job(1), first.fencingToken, proof(1n))).to.equal('stale');
      await queue.complete(job(2), second.fencingToken, proof(2n));
      await queue.forget(job(2));
      await queue.forget(job(3));
      expect([await queue.read(job(1)), await queue.read(job(2))]).to.deep.equal([undefined, undefined]);
      clock.nowMs += 10_000;
      expect([await queue.lease(), await queue.backlogCount()]).to.deep.equal([undefined, 0]);
    });

    it('is taken over with its proofs and nothing else: leases and quarantines of a life before end', async () => {
      for (const batchNumber of [1, 2, 3, 4]) await queue.enqueue(job(batchNumber));
      const [proven, poisoned, leased] = [await lease(), await lease(), await lease()];
      await queue.complete(job(1), proven.fencingToken, proof(1n));
      await queue.fail(job(2), poisoned.fencingToken, { message: 'no witness', isPermanent: true });
      const next = queueAt(store);
      await next.queue.takeOver();
      expect((await next.queue.read(job(1)))?.proof).to.deep.equal(proof(1n));
      expect(await next.queue.lease()).to.equal(undefined);
      for (const batchNumber of [1, 2, 3, 4]) await next.queue.enqueue(job(batchNumber));
      const again = [await next.lease(), await next.lease(), await next.lease()];
      expect(again.map((taken) => taken.job.batchNumber)).to.deep.equal([2, 3, 4]);
      expect(leased.job.batchNumber).to.equal(3);
    });

    it('says of a quarantined job whether it can never succeed', async () => {
      for (const batchNumber of [1, 2]) await queue.enqueue(job(batchNumber));
      const { fencingToken } = await lease();
      await queue.fail(job(1), fencingToken, { message: 'no witness', isPermanent: true });
      for (let failure = 0; failure < 3; failure++) {
        const taken = await lease();
        await queue.fail(job(2), taken.fencingToken, { message: 'killed', isPermanent: false });
        clock.nowMs += 10_000;
      }
      const records = [await queue.read(job(1)), await queue.read(job(2))];
      expect(records.map((record) => [record?.status, record?.isUnprovable])).to.deep.equal([
        ['quarantined', true],
        ['quarantined', false],
      ]);
    });

    it('gives each job to one of many that ask at once', async () => {
      const numbers = Array.from({ length: 8 }, (_, index) => index);
      for (const batchNumber of numbers) await queue.enqueue(job(batchNumber));
      const rivals = numbers.map(() => queueAt(store).queue.lease());
      const leases = await Promise.all(rivals);
      const taken = leases.map((one) => one?.job.batchNumber as number);
      expect(taken.toSorted((x, y) => x - y)).to.deep.equal(numbers);
    });
  });
}

describe('proof queue under any schedule', () => {
  const actions = fc.array(
    fc.oneof(
      fc.record({ do: fc.constantFrom('lease', 'complete', 'fail', 'beat', 'release'), who: fc.nat(2) }),
      fc.record({ do: fc.constant('wait'), who: fc.nat(1500) }),
    ),
    { maxLength: 40 },
  );

  it('accepts one proof per job, from the holder of its newest lease', async () => {
    const property = fc.asyncProperty(actions, async (schedule) => {
      const { clock, queue } = queueAt(new MemoryProofJobStore());
      await queue.enqueue(job(1));
      const held: (ProofLease | undefined)[] = [undefined, undefined, undefined];
      let newestToken = 0;
      const acceptedFrom = new Set<number>();
      for (const { do: action, who } of schedule) {
        if (action === 'wait') clock.nowMs += who;
        const mine = held[who];
        if (action === 'lease') {
          held[who] = (await queue.lease()) ?? mine;
          newestToken = Math.max(newestToken, held[who]?.fencingToken ?? 0);
        }
        if (mine === undefined) continue;
        if (action === 'beat') await queue.heartbeat(job(1), mine.fencingToken);
        if (action === 'release') await queue.release(job(1), mine.fencingToken);
        if (action === 'fail')
          await queue.fail(job(1), mine.fencingToken, { message: 'x', isPermanent: false });
        if (action !== 'complete') continue;
        const result = await queue.complete(job(1), mine.fencingToken, proof(BigInt(mine.fencingToken)));
        if (result === 'accepted') {
          expect(mine.fencingToken).to.equal(newestToken);
          acceptedFrom.add(mine.fencingToken);
        }
      }
      expect(acceptedFrom.size).to.be.at.most(1);
      const record = await queue.read(job(1));
      expect(record?.proof).to.deep.equal(
        acceptedFrom.size ? proof(BigInt([...acceptedFrom][0])) : undefined,
      );
    });
    await fc.assert(property, { numRuns: 200 });
  });
});
