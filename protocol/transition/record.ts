/** Writes one more operation into a batch's content: rows are aggregated, and there are only so many. */
import type {
  BatchContent,
  LiquidatedAccount,
  LiquidationExecution,
  PendingDeposits,
  SettlementExecution,
} from '../batch/batch.ts';
import { accept, type Result } from '../errors.ts';
import type { BatchCapacity } from '../limits.ts';
import { signedHashOf } from '../signing.ts';
import { withShrinkFlags } from './message-rules.ts';
import type { LiquidateOperation, MessageReference } from './operation.ts';
import { batchFull, needsNewBatch } from './refusals.ts';

export interface Fill {
  readonly fillLots: bigint;
  readonly cashMicros: bigint;
  readonly feeMicros: bigint;
}

export const NO_FILL: Fill = { fillLots: 0n, cashMicros: 0n, feeMicros: 0n };

/** Finds or adds the signature row of a message tree. */
function withSignature(
  content: BatchContent,
  { signed }: MessageReference,
  capacity: BatchCapacity,
): Result<{ content: BatchContent; signatureIndex: number }> {
  const { domain } = content.header;
  const hash = signedHashOf(domain, signed);
  const known = content.signatures.findIndex(
    (other) => other === signed || signedHashOf(domain, other) === hash,
  );
  if (known >= 0) return accept({ content, signatureIndex: known });
  if (content.signatures.length >= capacity.signatures) return batchFull('signatures', capacity.signatures);
  const signatures = [...content.signatures, signed];
  return accept({ content: { ...content, signatures }, signatureIndex: signatures.length - 1 });
}

/** Adds a fill to the row of its order, or a row for a cancel or cancel-all. */
export function withMessage(
  content: BatchContent,
  reference: MessageReference,
  fill: Fill,
  capacity: BatchCapacity,
): Result<BatchContent> {
  const signature = withSignature(content, reference, capacity);
  if (!signature.ok) return signature;
  const { signatureIndex } = signature.value;
  const { position } = reference;
  const rows = content.messages;
  const known = rows.findIndex((row) => row.signatureIndex === signatureIndex && row.position === position);
  if (known < 0 && rows.length >= capacity.messages) return batchFull('messages', capacity.messages);
  if (known >= 0 && fill === NO_FILL) return needsNewBatch('this message is already in the batch');
  const messages =
    known < 0
      ? [...rows, { signatureIndex, position, ...fill, isShrinking: false }]
      : rows.map((row, i) =>
          i !== known
            ? row
            : {
                ...row,
                fillLots: row.fillLots + fill.fillLots,
                cashMicros: row.cashMicros + fill.cashMicros,
                feeMicros: row.feeMicros + fill.feeMicros,
              },
        );
  const next = { ...signature.value.content, messages };
  return accept({ ...next, messages: withShrinkFlags(next) });
}

export function withWithdrawal(
  content: BatchContent,
  reference: MessageReference,
  servedAmount: bigint,
  capacity: BatchCapacity,
): Result<BatchContent> {
  if (content.withdrawals.length >= capacity.withdrawals)
    return batchFull('withdrawals', capacity.withdrawals);
  const signature = withSignature(content, reference, capacity);
  if (!signature.ok) return signature;
  const row = { signatureIndex: signature.value.signatureIndex, position: reference.position, servedAmount };
  return accept({ ...signature.value.content, withdrawals: [...content.withdrawals, row] });
}

const isSamePending = (a: PendingDeposits, b: PendingDeposits): boolean =>
  a.quoteMicros === b.quoteMicros && a.spotLots.every((size, i) => size === b.spotLots[i]);

/** Rows strictly increase by (account, instrument): one row each, so nothing churns through the band. */
const byAccountAndInstrument = <Row extends { accountIndex: number; instrumentId: number }>(
  a: Row,
  b: Row,
): number => a.accountIndex - b.accountIndex || a.instrumentId - b.instrumentId;

/** Adds a close to the row of its account and instrument. `isShort`: the closed position is short. */
export function withLiquidation(
  content: BatchContent,
  operation: LiquidateOperation,
  isShort: boolean,
  capacity: BatchCapacity,
): Result<BatchContent> {
  const { accountIndex, instrumentId, lots, reason, pending } = operation;
  const known = content.liquidatedAccounts.find((account) => account.accountIndex === accountIndex);
  if (known !== undefined && (known.reason !== reason || !isSamePending(known.pending, pending))) {
    return needsNewBatch('an account is liquidated for one reason and with one pending word a batch', {
      accountIndex,
    });
  }
  const others = content.liquidations.filter(
    (row) => row.accountIndex !== accountIndex || row.instrumentId !== instrumentId,
  );
  const old = content.liquidations.find((row) => !others.includes(row));
  if (old === undefined && content.liquidations.length >= capacity.liquidations) {
    return batchFull('liquidations', capacity.liquidations);
  }
  const row: LiquidationExecution = {
    accountIndex,
    instrumentId,
    isShort,
    closedLots: lots + (old?.closedLots ?? 0n),
    cashMicros: lots * operation.priceMicrosPerLot + (old?.cashMicros ?? 0n),
  };
  const liquidatedAccounts =
    known !== undefined
      ? content.liquidatedAccounts
      : [...content.liquidatedAccounts, { accountIndex, reason, penaltyMicros: 0n, pending }];
  return accept({
    ...content,
    liquidations: [...others, row].sort(byAccountAndInstrument),
    liquidatedAccounts: [...liquidatedAccounts].sort((a, b) => a.accountIndex - b.accountIndex),
  });
}

/** @param row of a position that is still open in the batch, so there is none like it */
export function withSettlement(
  content: BatchContent,
  row: SettlementExecution,
  capacity: BatchCapacity,
): Result<BatchContent> {
  if (content.settlements.length >= capacity.settlements)
    return batchFull('settlements', capacity.settlements);
  return accept({ ...content, settlements: [...content.settlements, row].sort(byAccountAndInstrument) });
}

/** Writes the penalty that follows from the account's rows. */
export const withPenalty = (
  content: BatchContent,
  accountIndex: number,
  penaltyMicros: bigint,
): BatchContent => ({
  ...content,
  liquidatedAccounts: content.liquidatedAccounts.map(
    (account): LiquidatedAccount =>
      account.accountIndex === accountIndex ? { ...account, penaltyMicros } : account,
  ),
});
