/** Signals of signature, message and withdrawal rows: `circuits/row/{signature,message,withdrawal}.circom`. */
import { sizeOf } from '#protocol/account.ts';
import type { CommittedMessage, CommittedWithdrawal } from '#protocol/batch/commitment.ts';
import { IDENTITY } from '#protocol/crypto/baby-jubjub.ts';
import { poseidon } from '#protocol/crypto/poseidon.ts';
import type { RiskRow } from '#protocol/instrument.ts';
import { type Message, packMessage, SIGNED_MESSAGES_TAG } from '#protocol/message.ts';
import { messageTreeRoot, signedHash } from '#protocol/signing.ts';
import { messageOf } from '#protocol/transition/events.ts';
import { nonceState, nonceWordOf } from '#protocol/transition/nonces.ts';
import { abs } from '#protocol/units.ts';
import type { BatchContext } from './context.ts';
import { emptyMessageChildren, messageChildren } from './paths.ts';
import { bit, type RowSignals } from './signals.ts';

export interface SignatureWitness {
  readonly isUsed: boolean;
  /** Poseidon(R8, A, M). */
  readonly innerHash: bigint;
  readonly signals: RowSignals;
}

/** Not checked where unused; the identity keeps every curve formula defined. */
function unusedSignature(context: BatchContext): SignatureWitness {
  const { chainId, rollupAddress } = context.batch.content.header.domain;
  const message = poseidon([SIGNED_MESSAGES_TAG, chainId, rollupAddress, 0n, 0n, 0n, 0n]);
  return {
    isUsed: false,
    innerHash: poseidon([...IDENTITY, ...IDENTITY, message]),
    signals: {
      isUsed: 0n,
      accountIndex: 0n,
      epoch: 0n,
      isDepth1: 0n,
      isDepth2: 0n,
      messageCount: 0n,
      root: 0n,
      publicKey: IDENTITY,
      r8: IDENTITY,
      s: 0n,
    },
  };
}

export function signatureRow(context: BatchContext, index: number): SignatureWitness {
  const { header, signatures } = context.batch.content;
  if (index >= signatures.length) return unusedSignature(context);
  const signed = signatures[index];
  const { publicKey } = context.accountOf(signed.accountIndex).change.before;
  const { r8, s } = signed.signature;
  return {
    isUsed: true,
    innerHash: poseidon([...r8, ...publicKey, signedHash(header.domain, signed)]),
    signals: {
      isUsed: 1n,
      accountIndex: BigInt(signed.accountIndex),
      epoch: signed.epoch,
      isDepth1: bit(signed.depth === 1),
      isDepth2: bit(signed.depth === 2),
      messageCount: BigInt(signed.messages.length),
      root: messageTreeRoot(signed.messages, signed.depth),
      publicKey,
      r8,
      s,
    },
  };
}

const UNUSED_MESSAGE: CommittedMessage = {
  packed: 0n,
  signatureIndex: 0,
  windowWords: 0,
  isShrinking: false,
  isContinued: false,
  isRaising: false,
  instrumentIndex: 0,
  capRoomLots: 0n,
  fillLots: 0n,
  restLots: 0n,
  cashMicros: 0n,
  feeMicros: 0n,
};

function isRaising(
  context: BatchContext,
  accountIndex: number,
  kind: 'message' | 'withdrawal',
  index: number,
): boolean {
  const raising = context.raisingRow(accountIndex);
  return raising !== undefined && raising[0] === kind && raising[1] === index;
}

/** Filled before the batch and what is left of the order after it (of a cancelled one: what was filled). */
function progressOf(context: BatchContext, accountIndex: number, message: Message, fillLots: bigint) {
  if (message.kind !== 'order' && message.kind !== 'cancel') return { isContinued: false, restLots: 0n };
  const state = nonceState(context.accountOf(accountIndex).change.before, message.nonce);
  const filledBefore = state.kind === 'live' ? state.record.filled : 0n;
  const restLots = message.kind === 'order' ? message.sizeLots - filledBefore - fillLots : filledBefore;
  return { isContinued: state.kind === 'live', restLots };
}

/** Where the order finds the position cap, and what is left up to it; spot and what only shrinks have all of it left. */
function capOf(
  context: BatchContext,
  accountIndex: number,
  message: Message,
  rows: readonly RiskRow[],
): Pick<CommittedMessage, 'instrumentIndex' | 'capRoomLots' | 'isShrinking'> {
  if (message.kind !== 'order') return { instrumentIndex: 0, capRoomLots: 0n, isShrinking: false };
  const { instrumentId } = message;
  const instrumentIndex = rows.findIndex((row) => row.instrumentId === instrumentId);
  // Without a market there is no proof either.
  if (instrumentIndex < 0) return { instrumentIndex: 0, capRoomLots: 0n, isShrinking: false };
  const row = rows[instrumentIndex];
  const isShrinking = context.isShrinking(accountIndex, instrumentId);
  const size: bigint = sizeOf(context.accountOf(accountIndex).change.after, instrumentId);
  const openedLots = isShrinking || row.isSpot ? 0n : abs(size);
  return { instrumentIndex, capRoomLots: row.positionCap - openedLots, isShrinking };
}

/** @param rows those of the batch's instruments, in their order */
export function committedMessage(
  context: BatchContext,
  index: number,
  rows: readonly RiskRow[],
): CommittedMessage {
  const { content } = context.batch;
  const row = content.messages[index];
  if (row === undefined) return UNUSED_MESSAGE;
  const message = messageOf(content, row);
  const { accountIndex } = content.signatures[row.signatureIndex];
  const { baseWord } = context.accountOf(accountIndex).change.after;
  return {
    packed: packMessage(message),
    signatureIndex: row.signatureIndex,
    windowWords: message.kind === 'cancel-all' ? 0 : Number(nonceWordOf(message.nonce) - baseWord),
    ...capOf(context, accountIndex, message, rows),
    ...progressOf(context, accountIndex, message, row.fillLots),
    isRaising: isRaising(context, accountIndex, 'message', index),
    fillLots: row.fillLots,
    cashMicros: row.cashMicros,
    feeMicros: row.feeMicros,
  };
}

export function messageRow(context: BatchContext, index: number, committed: CommittedMessage): RowSignals {
  const { messages, signatures } = context.batch.content;
  const row = messages[index];
  const { place, children } =
    row === undefined
      ? emptyMessageChildren()
      : messageChildren(signatures[row.signatureIndex], row.position);
  return {
    content: committed.packed,
    signatureIndex: BigInt(committed.signatureIndex),
    place: BigInt(place),
    children,
    fillLots: committed.fillLots,
    restLots: committed.restLots,
    cashMicros: committed.cashMicros,
    feeMicros: committed.feeMicros,
    windowWords: BigInt(committed.windowWords),
    isShrinking: bit(committed.isShrinking),
    isContinued: bit(committed.isContinued),
    isRaising: bit(committed.isRaising),
    instrumentIndex: BigInt(committed.instrumentIndex),
    capRoomLots: committed.capRoomLots,
  };
}

export function committedWithdrawal(context: BatchContext, index: number): CommittedWithdrawal {
  const { content } = context.batch;
  const row = content.withdrawals[index];
  if (row === undefined) return { packed: 0n, signatureIndex: 0, isRaising: false, isShrinking: false };
  const message = messageOf(content, row);
  const { accountIndex } = content.signatures[row.signatureIndex];
  const isSpot = message.kind === 'withdraw' && message.tokenId !== 0;
  return {
    packed: packMessage(message),
    signatureIndex: row.signatureIndex,
    isRaising: isRaising(context, accountIndex, 'withdrawal', index),
    isShrinking: isSpot && context.isShrinking(accountIndex, message.tokenId),
  };
}

export function withdrawalRow(
  context: BatchContext,
  index: number,
  committed: CommittedWithdrawal,
): RowSignals {
  const { withdrawals, signatures } = context.batch.content;
  const row = withdrawals[index];
  const { place, children } =
    row === undefined
      ? emptyMessageChildren()
      : messageChildren(signatures[row.signatureIndex], row.position);
  return {
    content: committed.packed,
    signatureIndex: BigInt(committed.signatureIndex),
    place: BigInt(place),
    children,
    servedAmount: row?.servedAmount ?? 0n,
    isRaising: bit(committed.isRaising),
    isShrinking: bit(committed.isShrinking),
  };
}
