/**
 * From a sealed batch to the input of its circuit (`circuits/batch.circom`): every choice of the witness
 * (best thresholds, chosen scenarios, which rule judges an account) is made here from the batch alone.
 */
import type { PublicInputs, SealedBatch } from '#protocol/batch/batch.ts';
import { type CommittedBatch, commitmentOf, firstChallenges } from '#protocol/batch/commitment.ts';
import { challengeOf, evaluationOf, eventWords, headerWords, publicWords } from '#protocol/batch/words.ts';
import { invariant } from '#protocol/errors.ts';
import type { RiskRow } from '#protocol/instrument.ts';
import type { CircuitInput } from '../witness-calculator.ts';
import { accountRow, committedAccount } from './account-row.ts';
import { BatchContext } from './context.ts';
import { committedSettlement, isL1Shrinking, l1Row, liquidationRow, settlementRow } from './event-rows.ts';
import { committedInstrument, hasRow, instrumentRow, marketSignals, usedRows } from './instrument-row.ts';
import { weightsOf } from './list-values.ts';
import {
  committedMessage,
  committedWithdrawal,
  messageRow,
  signatureRow,
  withdrawalRow,
} from './message-row.ts';
import { asColumns, asSignals, bit } from './signals.ts';

export interface BatchCircuitTask {
  readonly input: CircuitInput;
  readonly words: readonly bigint[];
  readonly publicInputs: PublicInputs;
}

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

/** A batch with everything that is fixed before its challenge. */
export interface CommittedTask {
  readonly context: BatchContext;
  /** The risk rows of the instruments the batch needs. */
  readonly rows: readonly RiskRow[];
  readonly committed: CommittedBatch;
}

export function commitBatch(batch: SealedBatch): CommittedTask {
  const { capacity } = batch;
  invariant(batch.accounts.length === capacity.accounts, 'a sealed batch has every account row');
  const context = new BatchContext(batch);
  const rows = usedRows(context);
  const messages = range(capacity.messages).map((i) => committedMessage(context, i, rows));
  const signatures = range(capacity.signatures).map((i) => signatureRow(context, i));
  const committed = {
    header: headerWords(batch),
    events: eventWords(batch),
    accounts: context.accounts.map((row) => committedAccount(context, row)),
    instruments: range(capacity.instruments).map((i) => committedInstrument(context, rows[i], messages)),
    signatures: signatures.map(({ innerHash }) => innerHash),
    messages,
    withdrawals: range(capacity.withdrawals).map((i) => committedWithdrawal(context, i)),
    settlements: range(capacity.settlements).map((i) => committedSettlement(context, i)),
    flags: {
      hasRow: hasRow(context, rows),
      isSignatureUsed: signatures.map(({ isUsed }) => isUsed),
      isShrinking: range(capacity.l1Operations).map((i) => isL1Shrinking(context, i)),
    },
  };
  return { context, rows, committed };
}

function headerSignals(batch: SealedBatch): Record<string, bigint> {
  const { header } = batch.content;
  return {
    domainWord: header.domainWord,
    chainId: header.domain.chainId,
    rollupAddress: header.domain.rollupAddress,
    batchNumber: header.batchNumber,
    batchTimeSec: header.timeSec,
    esCount: BigInt(header.table.esCount),
    pricesUsable: bit(header.pricesUsable),
    fundBookedMicros: header.fundBookedMicros,
    hasTrades: headerWords(batch)[14],
    retiredInstrument: BigInt(batch.content.retiredInstrument),
    oldAccountsRoot: batch.oldAccountsRoot,
    isFundExhausted: bit(batch.fundPaymentsMicros === header.fundBookedMicros),
  };
}

/** Circuit input, public words and public inputs of a sealed batch. @throws InvariantError when it has no proof. */
export const buildCircuitInput = (batch: SealedBatch): BatchCircuitTask => circuitTask(commitBatch(batch));

/** Derives the challenge from the commitment, the weights from the challenge, and lays out the signals. */
export function circuitTask({ context, rows, committed }: CommittedTask): BatchCircuitTask {
  const { batch } = context;
  const { capacity, content } = batch;
  const commitment = commitmentOf(committed, batch.shape);
  const words = publicWords(batch);
  const challenge = challengeOf(commitment, words);
  const publicInputs = { commitment, challenge, evaluation: evaluationOf(words, challenge) };
  const { delta } = firstChallenges(challenge);
  const lists = context.accounts.flatMap(({ change, counted }) => [
    { account: change.before, counted },
    { account: change.after, counted },
  ]);
  const instruments = committed.instruments.map((row, i) => {
    const weights =
      rows[i] === undefined
        ? { longWeight: 0n, shortWeight: 0n }
        : weightsOf(lists, content.header.table, rows[i].instrumentId, delta);
    return instrumentRow(context, rows[i], row, weights);
  });
  const input: CircuitInput = {
    ...asSignals({
      ...publicInputs,
      ...headerSignals(batch),
      ...marketSignals(context, rows),
      addOnUnitDollars: [...content.header.table.addOnUnitDollars],
    }),
    ...asColumns(
      'account',
      context.accounts.map((row, i) => accountRow(context, row, committed.accounts[i])),
    ),
    ...asColumns('instrument', instruments),
    ...asColumns(
      'signature',
      range(capacity.signatures).map((i) => signatureRow(context, i).signals),
    ),
    ...asColumns(
      'message',
      committed.messages.map((row, i) => messageRow(context, i, row)),
    ),
    ...asColumns(
      'withdrawal',
      committed.withdrawals.map((row, i) => withdrawalRow(context, i, row)),
    ),
    ...asColumns(
      'l1',
      range(capacity.l1Operations).map((i) => l1Row(context, i)),
    ),
    ...asColumns(
      'liquidation',
      range(capacity.liquidations).map((i) => liquidationRow(context, i)),
    ),
    ...asColumns('settlement', committed.settlements.map(settlementRow)),
  };
  return { input, words, publicInputs };
}
