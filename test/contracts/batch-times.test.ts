import { expect } from 'chai';
import { challengeOf, evaluationOf } from '#protocol/batch/words.ts';
import {
  type BatchChoice,
  deployRollup,
  type RollupFixture,
  restoreAfterEach,
} from '#test/support/rollup.ts';

const MINUTE = 60;

describe('MarginRollup, times and tables of a batch', () => {
  let fixture: RollupFixture;
  before(async () => {
    fixture = await deployRollup();
  });
  restoreAfterEach(() => fixture);

  const refuses = async (choice: BatchChoice, error: string, ...values: unknown[]) =>
    expect(fixture.submit(choice))
      .to.be.revertedWithCustomError(fixture.rollup, error)
      .withArgs(...values);
  const accepts = async (choice: BatchChoice) =>
    expect(fixture.submit(choice)).to.emit(fixture.rollup, 'BatchAccepted');

  it('never lets batch time fall, and lets it stand', async () => {
    const first = BigInt(await fixture.nowSec());
    await accepts({ batchTimeSec: first });
    await refuses({ batchTimeSec: first - 1n }, 'BatchTimeFell', first, first - 1n);
    await accepts({ batchTimeSec: first });
  });

  it('never lets batch time run ahead of L1, not by a second', async () => {
    const next = (await fixture.nowSec()) + 5;
    await fixture.setNextTime(next);
    await refuses({ batchTimeSec: BigInt(next) + 1n }, 'BatchTimeAheadOfL1', next, next + 1);
    await fixture.setNextTime(next + 1);
    await accepts({ batchTimeSec: BigInt(next) + 1n });
  });

  for (const [hasTrades, lagMax] of [
    [true, 5 * MINUTE],
    [false, 30 * MINUTE],
  ] as const) {
    it(`lets a batch ${hasTrades ? 'with' : 'without'} trades lag behind L1 by ${lagMax / MINUTE} minutes`, async () => {
      const time = await fixture.nowSec();
      await fixture.setNextTime(time + lagMax + 1);
      await refuses({ batchTimeSec: BigInt(time), hasTrades }, 'BatchTooLate', lagMax + 1, lagMax);
    });

    it(`and takes one ${hasTrades ? 'with' : 'without'} trades at exactly that lag`, async () => {
      const time = await fixture.nowSec();
      await fixture.setNextTime(time + lagMax);
      await accepts({ batchTimeSec: BigInt(time), hasTrades });
    });
  }

  it('takes the newest table accepted at or before batch time, and no other', async () => {
    const start = await fixture.nowSec();
    await fixture.wait(120);
    const second = start + 60;
    await fixture.acceptTable({ acceptedAtSec: second });
    await refuses(
      { batchTimeSec: BigInt(second) - 1n, acceptedIndex: 1n },
      'TableNotYetAccepted',
      second,
      second - 1,
    );
    await accepts({ batchTimeSec: BigInt(second) - 1n, acceptedIndex: 0n });
    await refuses({ batchTimeSec: BigInt(second), acceptedIndex: 0n }, 'TableNotNewest', 0, second);
    await accepts({ batchTimeSec: BigInt(second), acceptedIndex: 1n });
    await refuses({ acceptedIndex: 2n }, 'UnknownTable', 2, 2);
    await refuses({ batchTimeSec: BigInt(second), acceptedIndex: 0n }, 'TableFell', 1, 0);
  });

  it('holds batches back while a posted round stays unproved for ten minutes', async () => {
    const posted = await fixture.nowSec();
    await fixture.oracle.setUnproved(posted);
    await fixture.setNextTime(posted + 10 * MINUTE);
    await accepts({ batchTimeSec: BigInt(posted) });
    await fixture.setNextTime(posted + 10 * MINUTE + 1);
    await refuses({ batchTimeSec: BigInt(posted) }, 'RoundUnproved', posted);
    await fixture.oracle.setUnproved(0);
    await accepts({ batchTimeSec: BigInt(posted) });
  });

  describe('says whether prices are usable', () => {
    const PRICES_USABLE = 9;

    /** The words with this flag are what the verifier is asked about. */
    async function isUsable(choice: BatchChoice): Promise<boolean> {
      const submission = await fixture.submission(choice);
      const answers: boolean[] = [];
      for (const flag of [0n, 1n]) {
        const words = await wordsOf(
          submission.header.batchTimeSec,
          submission.header.acceptedIndex,
          submission,
        );
        words[PRICES_USABLE] = flag;
        const challenge = challengeOf(submission.commitment, words);
        await fixture.verifier.expectInputs([
          submission.commitment,
          challenge,
          evaluationOf(words, challenge),
        ]);
        const { restore } = await fixture.connection.networkHelpers.takeSnapshot();
        answers.push(
          await fixture.send(submission).then(
            () => true,
            () => false,
          ),
        );
        await restore();
      }
      expect(answers.filter(Boolean), 'exactly one value of the flag fits').to.have.length(1);
      return answers[1];
    }

    async function wordsOf(
      timeSec: bigint,
      index: bigint,
      { header }: Awaited<ReturnType<RollupFixture['submission']>>,
    ) {
      const { domainWord } = await import('#protocol/batch/words.ts');
      const { CIRCUIT_HASH, ES_COUNT, TABLE_HASH } = await import('#test/support/rollup.ts');
      const { chainId } = await fixture.connection.ethers.provider.getNetwork();
      const address = BigInt(await fixture.rollup.getAddress());
      const head = [
        domainWord(chainId, address, CIRCUIT_HASH),
        ...[chainId, address, 1n, await fixture.rollup.stateRoot(), header.newStateRoot, timeSec],
        ...[TABLE_HASH + index, ES_COUNT, 0n, 0n, 0n, 0n, 0n, 0n],
      ];
      const { l1Operations, withdrawals, liquidations } = fixture.capacity;
      const rest = fixture.bodyWords().length + 3 * l1Operations + liquidations;
      expect(rest).to.be.greaterThan(4 * l1Operations + withdrawals + 2 * liquidations + 1);
      return [...head, ...Array<bigint>(rest).fill(0n)];
    }

    it('up to 180 s after the time of the round, not of its acceptance', async () => {
      const round = await fixture.nowSec();
      await fixture.wait(400);
      await fixture.acceptTable({ acceptedAtSec: round + 100, roundTimeSec: round });
      expect(await isUsable({ batchTimeSec: BigInt(round) + 180n })).to.equal(true);
      expect(await isUsable({ batchTimeSec: BigInt(round) + 181n })).to.equal(false);
    });

    it('never in a jump round', async () => {
      await fixture.acceptTable({ isJump: true });
      expect(await isUsable({})).to.equal(false);
    });
  });
});
