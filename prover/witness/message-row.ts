/** Signals of signature, message and withdrawal rows: `circuits/row/{signature,message,withdrawal}.circom`. */
import type { CommittedMessage, CommittedWithdrawal } from '#protocol/batch/commitment.ts';
import { IDENTITY } from '#protocol/crypto/baby-jubjub.ts';
import { poseidon } from '#protocol/crypto/poseidon.ts';
import { type Message, packMessage, SIGNED_MESSAGES_TAG } from '#protocol/message.ts';
import { messageTreeRoot, signedHash } from '#protocol/signing.ts';
import { messageOf } from '#protocol/transition/events.ts';
import { nonceState, nonceWordOf } from '#protocol/transition/nonces.ts';
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

export function committedMessage(context: BatchContext, index: number): CommittedMessage {
  const { content } = context.batch;
  const row = content.messages[index];
  if (row === undefined) return UNUSED_MESSAGE;
  const message = messageOf(content, row);
  const { accountIndex } = content.signatures[row.signatureIndex];
  const { baseWord } = context.accountOf(accountIndex).change.after;
  const isOrder = message.kind === 'order';
  return {
    packed: packMessage(message),
    signatureIndex: row.signatureIndex,
    windowWords: message.kind === 'cancel-all' ? 0 : Number(nonceWordOf(message.nonce) - baseWord),
    isShrinking: isOrder && context.isShrinking(accountIndex, message.instrumentId),
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
