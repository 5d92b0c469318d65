import { expect } from 'chai';
import type { SealedBatch } from '#protocol/batch/batch.ts';
import {
  type BatchSubmission,
  bodyWordCount,
  bodyWordsOf,
  decodeBody,
  encodeBody,
  splitBodyWords,
  submissionOf,
} from '#protocol/batch/calldata.ts';
import { InputError } from '#protocol/errors.ts';
import { leafElements } from '#protocol/leaf.ts';
import { TINY_SHAPE } from '#protocol/limits.ts';
import { accountAt, genesisState, type LedgerState, stateRoot } from '#protocol/state.ts';
import { openBatch } from '#protocol/transition/open-batch.ts';
import type { Operation } from '#protocol/transition/operation.ts';
import { type AcceptedBatch, applyAcceptedBatch, rebuild } from '#sequencer/reconstruct/rebuild.ts';
import {
  batchHeader,
  l1,
  match,
  PERP,
  ROOMY,
  riskTable,
  run,
  SPOT,
  settledAt,
  USD,
  withdrawal,
} from '../../support/ledger.ts';
import { UNCHECKED_PROOF } from '../../support/unchecked-proof.ts';

const slots = new Map([
  [SPOT, 0],
  [PERP, 1],
]);
/** Batches from the third on are at the round that a test gives. */
const FIRST_AT_TABLE = 2;
const register = (index: number): Operation => ({ kind: 'l1', operation: l1('register', index) });
const deposit = (index: number, tokenId: number, amount: bigint): Operation => ({
  kind: 'l1',
  operation: l1('deposit', index, tokenId, amount),
});

/** What a chain would hold after these batches, and the ledgers the sequencer had. */
function chainOf(
  contents: Operation[][],
  table = riskTable(),
): { batches: AcceptedBatch[]; ledgers: LedgerState[] } {
  const batches: AcceptedBatch[] = [];
  const ledgers: LedgerState[] = [];
  let state = genesisState(TINY_SHAPE);
  contents.forEach((operations, i) => {
    const header = batchHeader({
      batchNumber: BigInt(i + 1),
      table: i < FIRST_AT_TABLE ? riskTable() : table,
    });
    const sealed = run(openBatch(state, header, ROOMY), ...operations).seal();
    batches.push(acceptedOf(sealed.batch, i + 1));
    ledgers.push(sealed.state);
    state = sealed.state;
  });
  return { batches, ledgers };
}

function acceptedOf(batch: SealedBatch, batchNumber: number): AcceptedBatch {
  const place = { sizeIndex: 0, acceptedIndex: 0n, pendingEnd: 0n };
  const submission: BatchSubmission = submissionOf(batch, place, 1n, UNCHECKED_PROOF);
  const operations = batch.content.l1Operations.map(({ operation }) => operation);
  return { batchNumber, submission, capacity: ROOMY, operations, l1TxHash: `0x${batchNumber}` };
}

const market = (): Operation[][] => [
  [register(1), deposit(1, 0, 5_000n * USD), register(2), deposit(2, 0, 5_000n * USD)],
  [deposit(1, SPOT, 30n), match(1, 2, 10n, 100n)],
  [{ kind: 'withdraw', ...withdrawal(2, 70n * USD) }, match(2, 1, 4n, 100n)],
  [register(1)],
];

describe('reconstruction from L1 data', () => {
  it('gives every leaf and every root the sequencer had', () => {
    const { batches, ledgers } = chainOf(market());
    const rebuilt = rebuild(genesisState(TINY_SHAPE), batches, slots);
    rebuilt.forEach(({ ledger }, i) => {
      expect(stateRoot(ledger), `root after batch ${i + 1}`).to.equal(stateRoot(ledgers[i]));
      for (const index of [1, 2]) {
        expect(leafElements(accountAt(ledger, index), TINY_SHAPE)).to.deep.equal(
          leafElements(accountAt(ledgers[i], index), TINY_SHAPE),
        );
      }
    });
    expect(rebuilt.at(-1)?.ledger.openInterest).to.deep.equal(ledgers.at(-1)?.openInterest);
  });

  it('follows longs and shorts of a settled instrument that leave at different times', () => {
    const settle = (accountIndex: number): Operation => ({
      kind: 'settle',
      accountIndex,
      instrumentId: PERP,
    });
    const contents = [
      ...market().slice(0, 2),
      [settle(1)],
      [{ kind: 'withdraw', ...withdrawal(1, USD) }],
      [settle(2)],
    ];
    const { batches, ledgers } = chainOf(contents as Operation[][], settledAt({ [PERP]: 107n }));
    const rebuilt = rebuild(genesisState(TINY_SHAPE), batches, slots);
    expect(rebuilt.map(({ ledger }) => stateRoot(ledger))).to.deep.equal(ledgers.map(stateRoot));
    expect(rebuilt.map(({ ledger }) => ledger.openInterest[1])).to.deep.equal([0n, 20n, 10n, 10n, 0n]);
    const retired = batches.map(({ submission }) => {
      const words = decodeBody(submission.body, bodyWordCount(ROOMY, TINY_SHAPE));
      return splitBodyWords(words, ROOMY, TINY_SHAPE).retirement;
    });
    expect(retired).to.deep.equal([0n, 0n, 0n, 0n, BigInt(PERP)]);
  });

  it('names the accounts a batch touched', () => {
    const rebuilt = rebuild(genesisState(TINY_SHAPE), chainOf(market()).batches, slots);
    expect(rebuilt.map(({ touched }) => touched)).to.deep.equal([[1, 2], [1, 2], [1, 2], [1]]);
  });

  it('stops at a batch whose published leaf is not the accepted one', () => {
    const { batches } = chainOf(market());
    const start = rebuild(genesisState(TINY_SHAPE), batches.slice(0, 1), slots)[0].ledger;
    const [, second] = batches;
    const forged = chainOf([market()[0], [deposit(1, SPOT, 31n), match(1, 2, 10n, 100n)]]).batches[1];
    const submission = { ...second.submission, body: forged.submission.body };
    expect(() => applyAcceptedBatch(start, { ...second, submission }, slots)).to.throw(
      InputError,
      'batch 2 was accepted',
    );
  });

  it('stops when a batch is left out', () => {
    const { batches } = chainOf(market());
    const gap = [batches[0], batches[2]];
    expect(() => rebuild(genesisState(TINY_SHAPE), gap, slots)).to.throw(InputError, 'expected batch 2');
  });

  it('needs the key from the queue: without it the root differs', () => {
    const { batches } = chainOf(market());
    const keyless = batches.map((batch) => ({ ...batch, operations: [] }));
    expect(() => rebuild(genesisState(TINY_SHAPE), keyless, slots)).to.throw(
      InputError,
      'batch 1 was accepted',
    );
  });

  it('reads no body of another number of words', () => {
    const { batches } = chainOf(market());
    const { submission } = batches[0];
    const sealed = run(openBatch(genesisState(TINY_SHAPE), batchHeader(), ROOMY), register(1)).seal();
    const body = encodeBody([...bodyWordsOf(sealed.batch), 1n]);
    const longer = { ...batches[0], submission: { ...submission, body } };
    expect(() => applyAcceptedBatch(genesisState(TINY_SHAPE), longer, slots)).to.throw(InputError);
  });
});
