/**
 * How a batch travels to L1: the input of `MarginRollup.submitBatch` and the body inside it
 * (docs/protocol.md §7). The sequencer writes it; whoever rebuilds the state from L1 reads it.
 *
 * Body: the words the contract does not know itself (outcomes, withdrawals, liquidations, retirement, accounts), as a bitmap
 * of the non-zero words (bit i of byte i / 8, lowest first) followed by 31 bytes, most significant first, of
 * each. Every list of words has exactly one encoding; twin of `BatchWords.decode` (contracts/libraries).
 */
import { keccak_256 } from '@noble/hashes/sha3.js';
import { emptyAccount } from '../account.ts';
import { InputError, invariant } from '../errors.ts';
import { leafElements } from '../leaf.ts';
import type { BatchCapacity, StateShape } from '../limits.ts';
import type { BatchProof, SealedBatch } from './batch.ts';
import { accountWords, eventWords } from './words.ts';

const WORD_BYTES = 31;
const SLOT_BYTES = 32;

/** What the submitter states of a batch beside its body; `IMarginRollup.BatchHeader`. */
export interface SubmissionHeader {
  /** Index into the contract's list of batch circuits. */
  readonly sizeIndex: number;
  readonly newStateRoot: bigint;
  readonly batchTimeSec: bigint;
  /** Index of the oracle's accepted table. */
  readonly acceptedIndex: bigint;
  readonly l1OperationCount: number;
  /**
   * Queue index up to which waiting deposits of liquidated accounts were counted: every entry queued at or
   * before batch time lies below it.
   */
  readonly pendingEnd: bigint;
  readonly feesMicros: bigint;
  readonly penaltiesMicros: bigint;
  readonly fundPaymentsMicros: bigint;
  readonly hasTrades: boolean;
}

/** The arguments of `submitBatch`. */
export interface BatchSubmission {
  readonly header: SubmissionHeader;
  readonly body: Uint8Array;
  readonly commitment: bigint;
  readonly proof: BatchProof;
}

/** What the sequencer knows of the contract and the sealed batch does not say. */
export interface SubmissionPlace {
  readonly sizeIndex: number;
  readonly acceptedIndex: bigint;
  readonly pendingEnd: bigint;
}

/** The words of a body by what they are; unused rows and untouched accounts are zeros. */
export interface BodyWords {
  readonly outcomes: readonly bigint[];
  readonly withdrawals: readonly bigint[];
  readonly liquidations: readonly bigint[];
  /** Id of the retired instrument, or 0. */
  readonly retirement: bigint;
  /** Per account row: index + 1, then the leaf elements from 2 on. */
  readonly accounts: readonly (readonly bigint[])[];
}

/** Words of one account row: its index and the leaf without the key. */
export const accountWordCount = (shape: StateShape): number =>
  1 + leafElements(emptyAccount(shape), shape).length - 2;

export const bodyWordCount = (capacity: BatchCapacity, shape: StateShape): number =>
  capacity.l1Operations +
  capacity.withdrawals +
  capacity.liquidations +
  1 +
  capacity.accounts * accountWordCount(shape);

/** The words of a batch that the contract cannot form itself, in the order of the body. */
export function bodyWordsOf(batch: SealedBatch): bigint[] {
  const { l1Operations, withdrawals, liquidations } = batch.capacity;
  const events = eventWords(batch);
  const liquidationsAt = 4 * l1Operations + withdrawals;
  return [
    ...Array.from({ length: l1Operations }, (_, i) => events[4 * i + 3]),
    ...events.slice(4 * l1Operations, liquidationsAt),
    ...Array.from({ length: liquidations }, (_, i) => events[liquidationsAt + 2 * i]),
    events[liquidationsAt + 2 * liquidations],
    ...accountWords(batch),
  ];
}

/** @throws InputError when their number is not that of this capacity. */
export function splitBodyWords(
  words: readonly bigint[],
  capacity: BatchCapacity,
  shape: StateShape,
): BodyWords {
  const expected = bodyWordCount(capacity, shape);
  if (words.length !== expected) throw new InputError('words', words.length, `a body has ${expected} words`);
  const withdrawalsAt = capacity.l1Operations;
  const liquidationsAt = withdrawalsAt + capacity.withdrawals;
  const retirementAt = liquidationsAt + capacity.liquidations;
  const accountsAt = retirementAt + 1;
  const width = accountWordCount(shape);
  return {
    outcomes: words.slice(0, withdrawalsAt),
    withdrawals: words.slice(withdrawalsAt, liquidationsAt),
    liquidations: words.slice(liquidationsAt, retirementAt),
    retirement: words[retirementAt],
    accounts: Array.from({ length: capacity.accounts }, (_, i) =>
      words.slice(accountsAt + i * width, accountsAt + (i + 1) * width),
    ),
  };
}

/** Bitmap and non-zero words. @throws InputError for a word of more than 31 bytes. */
export function encodeBody(words: readonly bigint[]): Uint8Array {
  const bitmapBytes = Math.ceil(words.length / 8);
  const body = new Uint8Array(bitmapBytes + WORD_BYTES * words.filter((word) => word !== 0n).length);
  let at = bitmapBytes;
  words.forEach((word, i) => {
    if (word === 0n) return;
    if (word < 0n || word >= 1n << BigInt(8 * WORD_BYTES)) {
      throw new InputError(`words[${i}]`, word, `expected an integer of at most ${WORD_BYTES} bytes`);
    }
    body[i >> 3] |= 1 << (i & 7);
    writeBigEndian(body, at, WORD_BYTES, word);
    at += WORD_BYTES;
  });
  return body;
}

/** The reverse of `encodeBody`. @throws InputError for bytes that no list of `wordCount` words encodes to. */
export function decodeBody(body: Uint8Array, wordCount: number): bigint[] {
  const bitmapBytes = Math.ceil(wordCount / 8);
  if (body.length < bitmapBytes)
    throw new InputError('body', body.length, `expected ${bitmapBytes} bytes of bitmap`);
  let at = bitmapBytes;
  const words = Array.from({ length: wordCount }, (_, i) => {
    if (((body[i >> 3] >> (i & 7)) & 1) === 0) return 0n;
    if (at + WORD_BYTES > body.length) throw new InputError('body', body.length, `word ${i} is missing`);
    const word = readBigEndian(body, at, WORD_BYTES);
    if (word === 0n) throw new InputError('body', i, 'a word whose bit is set is not zero');
    at += WORD_BYTES;
    return word;
  });
  if (wordCount % 8 !== 0 && body[bitmapBytes - 1] >> (wordCount % 8) !== 0) {
    throw new InputError('body', body[bitmapBytes - 1], `a bit is set beyond word ${wordCount - 1}`);
  }
  if (at !== body.length) throw new InputError('body', body.length, `expected ${at} bytes`);
  return words;
}

/** What to send for a proved batch. */
export function submissionOf(
  batch: SealedBatch,
  place: SubmissionPlace,
  commitment: bigint,
  proof: BatchProof,
): BatchSubmission {
  const { content } = batch;
  return {
    header: {
      ...place,
      newStateRoot: batch.newStateRoot,
      batchTimeSec: content.header.timeSec,
      l1OperationCount: content.l1Operations.length,
      feesMicros: batch.feesMicros,
      penaltiesMicros: batch.penaltiesMicros,
      fundPaymentsMicros: batch.fundPaymentsMicros,
      hasTrades: content.liquidations.length > 0 || content.messages.some((message) => message.fillLots > 0n),
    },
    body: encodeBody(bodyWordsOf(batch)),
    commitment,
    proof,
  };
}

// THE ARGUMENTS AS SOLIDITY ENCODES THEM

const SUBMIT_BATCH_SIGNATURE =
  'submitBatch((uint256,uint256,uint32,uint32,uint32,uint64,uint88,uint88,uint88,bool),bytes,uint256,' +
  '(uint256[2],uint256[2][2],uint256[2]))';
const HEADER_SLOTS = 10;
const BODY_OFFSET_SLOT = HEADER_SLOTS;
const COMMITMENT_SLOT = HEADER_SLOTS + 1;
const PROOF_SLOT = HEADER_SLOTS + 2;
const HEAD_SLOTS = PROOF_SLOT + 8;

/** First four bytes of the input. */
export const SUBMIT_BATCH_SELECTOR: Uint8Array = keccak_256(
  new TextEncoder().encode(SUBMIT_BATCH_SIGNATURE),
).slice(0, 4);

/** Transaction input of `submitBatch`. */
export function encodeSubmitBatch(submission: BatchSubmission): Uint8Array {
  const { header, body, commitment, proof } = submission;
  const slots = [
    BigInt(header.sizeIndex),
    header.newStateRoot,
    header.batchTimeSec,
    header.acceptedIndex,
    BigInt(header.l1OperationCount),
    header.pendingEnd,
    header.feesMicros,
    header.penaltiesMicros,
    header.fundPaymentsMicros,
    header.hasTrades ? 1n : 0n,
    BigInt(SLOT_BYTES * HEAD_SLOTS),
    commitment,
    ...proof.a,
    ...proof.b[0],
    ...proof.b[1],
    ...proof.c,
    BigInt(body.length),
  ];
  invariant(slots.length === HEAD_SLOTS + 1, 'the head of submitBatch has as many slots as its arguments');
  const bodyAt = 4 + SLOT_BYTES * slots.length;
  const input = new Uint8Array(bodyAt + SLOT_BYTES * Math.ceil(body.length / SLOT_BYTES));
  input.set(SUBMIT_BATCH_SELECTOR);
  slots.forEach((slot, i) => {
    writeBigEndian(input, 4 + SLOT_BYTES * i, SLOT_BYTES, slot);
  });
  input.set(body, bodyAt);
  return input;
}

/**
 * The reverse, as lenient as Solidity: the body is where its offset says, and what else is there does not
 * matter. A submitter who encodes oddly must not become unreadable.
 * @throws InputError when the contract could not have accepted the input.
 */
export function decodeSubmitBatch(input: Uint8Array): BatchSubmission {
  const slotAt = (at: number): bigint => {
    if (at + SLOT_BYTES > input.length)
      throw new InputError('input', input.length, `expected more than ${at} bytes`);
    return readBigEndian(input, at, SLOT_BYTES);
  };
  const slot = (i: number): bigint => slotAt(4 + SLOT_BYTES * i);
  if (SUBMIT_BATCH_SELECTOR.some((byte, i) => input[i] !== byte)) {
    throw new InputError('input', input.slice(0, 4).join(','), 'not a call of submitBatch');
  }
  const lengthAt = 4 + smallInteger('body offset', slot(BODY_OFFSET_SLOT), input.length);
  const length = smallInteger('body length', slotAt(lengthAt), input.length - lengthAt - SLOT_BYTES);
  const bodyAt = lengthAt + SLOT_BYTES;
  return {
    header: {
      sizeIndex: smallInteger('sizeIndex', slot(0), Number.MAX_SAFE_INTEGER),
      newStateRoot: slot(1),
      batchTimeSec: slot(2),
      acceptedIndex: slot(3),
      l1OperationCount: smallInteger('l1OperationCount', slot(4), Number.MAX_SAFE_INTEGER),
      pendingEnd: slot(5),
      feesMicros: slot(6),
      penaltiesMicros: slot(7),
      fundPaymentsMicros: slot(8),
      hasTrades: smallInteger('hasTrades', slot(9), 1) === 1,
    },
    body: input.slice(bodyAt, bodyAt + length),
    commitment: slot(COMMITMENT_SLOT),
    proof: {
      a: [slot(PROOF_SLOT), slot(PROOF_SLOT + 1)],
      b: [
        [slot(PROOF_SLOT + 2), slot(PROOF_SLOT + 3)],
        [slot(PROOF_SLOT + 4), slot(PROOF_SLOT + 5)],
      ],
      c: [slot(PROOF_SLOT + 6), slot(PROOF_SLOT + 7)],
    },
  };
}

function smallInteger(field: string, integer: bigint, max: number): number {
  if (integer > BigInt(max)) throw new InputError(field, integer, `expected at most ${max}`);
  return Number(integer);
}

function writeBigEndian(bytes: Uint8Array, at: number, length: number, integer: bigint): void {
  let rest = integer;
  for (let i = at + length - 1; i >= at; i--) {
    bytes[i] = Number(rest & 255n);
    rest >>= 8n;
  }
}

function readBigEndian(bytes: Uint8Array, at: number, length: number): bigint {
  let integer = 0n;
  for (let i = at; i < at + length; i++) integer = (integer << 8n) | BigInt(bytes[i]);
  return integer;
}
