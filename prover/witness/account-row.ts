/** Signals of `circuits/row/account.circom` for one account of the batch. */
import type { Account, OrderRecord } from '#protocol/account.ts';
import type { AccountChange } from '#protocol/batch/batch.ts';
import { type CommittedAccount, distanceTo, listValues } from '#protocol/batch/commitment.ts';
import type { RiskTable } from '#protocol/instrument.ts';
import { leafHash } from '#protocol/leaf.ts';
import {
  LIQUIDATION_TOLERANCE_MICROS,
  NONCES_PER_WORD,
  SPOT_SLOTS,
  type StateShape,
} from '#protocol/limits.ts';
import {
  addOnUnitMicros,
  bestThreshold,
  initialMarginGap,
  lossVector,
  primalKScan,
  worstScenarios,
} from '#protocol/risk/margin.ts';
import { ADD_ON_PIECES, addOnPieceOf } from '#protocol/risk/size-add-on.ts';
import { quoteMeasure } from '#protocol/transition/judged.ts';
import type { AccountContext, BatchContext } from './context.ts';
import { valuesOf } from './list-values.ts';
import { childrenOnPath } from './paths.ts';
import { bit, type RowSignals } from './signals.ts';

/** Fields of one leaf, prefixed `old` or `new`; the epoch and the new key are computed inside. */
function leafSignals(
  side: 'old' | 'new',
  account: Account,
  shape: StateShape,
): Record<string, bigint | bigint[]> {
  const empties = Array<{ offset: bigint; filled: bigint }>(shape.recordSlots - account.records.length).fill({
    offset: 0n,
    filled: 0n,
  });
  const live = account.records.map(({ nonce, filled }) => ({
    offset: nonce - BigInt(NONCES_PER_WORD) * account.baseWord,
    filled,
  }));
  const records = [...empties, ...live];
  return {
    [`${side}UsedMap`]: account.usedMap,
    [`${side}BaseWord`]: account.baseWord,
    [`${side}CashStarMicros`]: account.cashStar,
    [`${side}RecordOffsets`]: records.map(({ offset }) => offset),
    [`${side}RecordFilledLots`]: records.map(({ filled }) => filled),
    [`${side}SlotIds`]: account.slots.map(({ instrumentId }) => BigInt(instrumentId)),
    [`${side}SlotIsShort`]: account.slots.map(({ size }) => bit(size < 0n)),
    [`${side}SlotLots`]: account.slots.map(({ size }) => (size < 0n ? -size : size)),
    [`${side}SpotLots`]: [...account.spot],
  };
}

/** Shrink bits per derivative slot, then per spot slot. */
function shrinkBits(context: BatchContext, row: AccountContext): boolean[] {
  const { accountIndex, before, after } = row.change;
  const ids = before.slots.map((slot, i) => slot.instrumentId || after.slots[i].instrumentId);
  const spotIds = Array.from({ length: SPOT_SLOTS }, (_, i) => i + 1);
  return [...ids, ...spotIds].map((id) =>
    id === 0 ? row.mustShrink : context.isShrinking(accountIndex, id),
  );
}

/** Per record slot after the batch, empties first: the record was not there before, or was filled less. */
function changedRecords({ before, after }: AccountChange, shape: StateShape): boolean[] {
  const empties = Array<boolean>(shape.recordSlots - after.records.length).fill(false);
  const isKept = (record: OrderRecord): boolean =>
    before.records.some(({ nonce, filled }) => nonce === record.nonce && filled === record.filled);
  return [...empties, ...after.records.map((record) => !isKept(record))];
}

/** What the commitment says of an account row. */
export function committedAccount(context: BatchContext, row: AccountContext): CommittedAccount {
  const { content, shape } = context.batch;
  const { table, esCount } = { table: content.header.table, esCount: content.header.table.esCount };
  const { change, events, counted } = row;
  const newLosses = lossVector(change.after, table, shape, counted);
  const fundPaid = events.fundPayments.reduce((sum, { amountMicros }) => sum + amountMicros, 0n);
  return {
    accountIndex: change.accountIndex,
    isTouched: change.isTouched,
    isEpochChanged: row.isEpochChanged,
    isRaised: context.raisingRow(change.accountIndex) !== undefined,
    isLiquidated: events.liquidations.length > 0,
    isFundPaid: events.fundPayments.length > 0,
    orderCount: events.orders.length,
    activityCount: events.orders.length + events.cancels.length,
    keyUses: content.signatures.filter((signed) => signed.accountIndex === change.accountIndex).length,
    treasuryMicros: (events.liquidated?.penaltyMicros ?? 0n) + fundPaid,
    isShrinking: shrinkBits(context, row),
    isRecordChanged: changedRecords(change, shape),
    feesMicros: events.orders.reduce((sum, { execution }) => sum + execution.feeMicros, 0n),
    threshold: bestThreshold(newLosses, esCount),
    oldLosses: lossVector(change.before, table, shape, counted),
    newLosses,
    oldValues: valuesOf({ account: change.before, counted }, table),
    newValues: valuesOf({ account: change.after, counted }, table),
  };
}

/** Which rule of docs/protocol.md §5 each cause is judged by. */
function ruleSignals(row: AccountContext, committed: CommittedAccount): RowSignals {
  const { events, marginBefore, marginAfter } = row;
  const k = marginAfter.esCount;
  const tokens = [
    ...events.withdrawals.map(({ message }) => message.tokenId),
    ...events.l1Operations
      .filter(({ operation, outcome }) => operation.kind === 'withdraw' && outcome.served > 0n)
      .map(({ operation }) => operation.tokenId),
  ];
  const reason = events.liquidated?.reason;
  const isEndCovered = initialMarginGap(marginAfter) <= 100n * k * LIQUIDATION_TOLERANCE_MICROS;
  const closedPenalty = committed.oldValues.penalty - committed.newValues.penalty;
  const isFull =
    committed.isLiquidated && marginAfter.equity >= 0n && committed.treasuryMicros === closedPenalty;
  const isNone =
    committed.isLiquidated && !isFull && marginAfter.equity <= 0n && committed.treasuryMicros === 0n;
  return {
    isFilled: bit(events.orders.length > 0),
    isReducing: bit(row.isReducing),
    isUnderMargin: bit(row.isUnderMargin),
    isQuoteRelative: bit(quoteMeasure(marginAfter) < 0n && quoteMeasure(marginBefore) < 0n),
    isQuoteWithdrawn: bit(tokens.includes(0)),
    isSpotWithdrawn: bit(tokens.some((token) => token !== 0)),
    isMarginLiquidation: bit(reason === 1),
    isDebtLiquidation: bit(reason === 2),
    isSmallAccount: bit(reason === 1 && !isEndCovered),
    isPenaltyFull: bit(isFull),
    isPenaltyRest: bit(committed.isLiquidated && !isFull && !isNone),
    isFundPaid: bit(committed.isFundPaid),
  };
}

function scanSignals(committed: CommittedAccount, esCount: number): RowSignals {
  const { threshold, newLosses, oldLosses } = committed;
  const chosen = (losses: readonly bigint[]) => {
    const rows = worstScenarios(losses, esCount);
    return { isWorst: losses.map((_, s) => bit(rows.includes(s))), isPositive: bit(rows.length > 0) };
  };
  const [oldDual, newDual] = [chosen(oldLosses), chosen(newLosses)];
  return {
    threshold,
    lossDistances: newLosses.map((loss) => distanceTo(threshold, loss)),
    isLossAbove: newLosses.map((loss) => bit(loss > threshold)),
    isScanPositive: bit(primalKScan(newLosses, esCount, threshold) > 0n),
    isOldWorst: oldDual.isWorst,
    isOldScanPositive: oldDual.isPositive,
    isNewWorst: newDual.isWorst,
    isNewScanPositive: newDual.isPositive,
  };
}

/** Sign and piece of the net delta per underlying, before and after; before, piece 0 is none at all. */
function addOnSignals({ oldValues, newValues }: CommittedAccount, table: RiskTable): RowSignals {
  const piece = (delta: bigint, u: number, first: number) =>
    ADD_ON_PIECES.slice(first).map((_, i) =>
      bit(addOnPieceOf(delta, addOnUnitMicros(table, u)) === first + i),
    );
  return {
    isOldDeltaNegative: oldValues.deltas.map((delta) => bit(delta < 0n)),
    isOldAddOnPiece: oldValues.deltas.map((delta, u) => piece(delta, u, 1)),
    isNewDeltaNegative: newValues.deltas.map((delta) => bit(delta < 0n)),
    isNewAddOnPiece: newValues.deltas.map((delta, u) => piece(delta, u, 0)),
  };
}

export function accountRow(
  context: BatchContext,
  row: AccountContext,
  committed: CommittedAccount,
): RowSignals {
  const { shape, content } = context.batch;
  const { accountIndex, isTouched, before, after, siblings } = row.change;
  return {
    index: BigInt(accountIndex),
    isTouched: bit(isTouched),
    children: childrenOnPath(leafHash(before, shape), accountIndex, siblings),
    oldPublicKey: before.publicKey,
    oldEpoch: before.epoch,
    ...leafSignals('old', before, shape),
    ...leafSignals('new', after, shape),
    isShrinking: committed.isShrinking.map(bit),
    isRecordChanged: committed.isRecordChanged.map(bit),
    isEpochChanged: bit(committed.isEpochChanged),
    isRaised: bit(committed.isRaised),
    orderCount: BigInt(committed.orderCount),
    activityCount: BigInt(committed.activityCount),
    keyUses: BigInt(committed.keyUses),
    feesMicros: committed.feesMicros,
    treasuryMicros: committed.treasuryMicros,
    ...ruleSignals(row, committed),
    oldLosses: committed.oldLosses,
    oldValues: listValues(committed.oldValues),
    newValues: listValues(committed.newValues),
    ...scanSignals(committed, content.header.table.esCount),
    ...addOnSignals(committed, content.header.table),
  };
}
