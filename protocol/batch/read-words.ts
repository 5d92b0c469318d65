/**
 * The reverse of `words.ts`: what a batch's public words say. Whoever has the calldata reads here what the
 * contract read, without asking the sequencer.
 */
import type { Account, PublicKey } from '../account.ts';
import { emptyAccount } from '../account.ts';
import { InputError } from '../errors.ts';
import type { MarginParameters } from '../instrument.ts';
import { accountFromElements, leafElements } from '../leaf.ts';
import { type BatchCapacity, INSTRUMENT_ID_BITS, type StateShape } from '../limits.ts';
import { unpack } from '../pack.ts';
import {
  L1_KIND,
  type L1Kind,
  type L1Operation,
  type L1Outcome,
  type LiquidationExecution,
  OUTCOME_REASON,
  type OutcomeReason,
  type PendingDeposits,
} from './batch.ts';
import {
  eventWordCount,
  HEADER_WORDS,
  L1_OPERATION_LAYOUT,
  LIQUIDATION_LAYOUT,
  OUTCOME_LAYOUT,
  PENDING_LAYOUT,
  readMarginWord,
  WITHDRAWAL_LAYOUT,
} from './words.ts';

export interface PublishedHeader {
  readonly domainWord: bigint;
  readonly chainId: bigint;
  readonly rollupAddress: bigint;
  readonly batchNumber: bigint;
  readonly oldStateRoot: bigint;
  readonly newStateRoot: bigint;
  readonly timeSec: bigint;
  readonly tableHash: bigint;
  readonly margin: MarginParameters;
  readonly pricesUsable: boolean;
  readonly fundBookedMicros: bigint;
  readonly feesMicros: bigint;
  readonly penaltiesMicros: bigint;
  readonly fundPaymentsMicros: bigint;
  readonly hasTrades: boolean;
}

export interface PublishedWithdrawal {
  readonly accountIndex: number;
  readonly tokenId: number;
  readonly servedAmount: bigint;
  readonly isShort: boolean;
}

export interface PublishedLiquidation extends LiquidationExecution {
  readonly pending: PendingDeposits;
}

/** A leaf after the batch, without its key: the key is known from L1. */
export interface PublishedAccount {
  readonly accountIndex: number;
  /** Leaf elements from index 2 on. */
  readonly elements: readonly bigint[];
}

export interface PublishedBatch {
  readonly header: PublishedHeader;
  readonly l1Operations: readonly { readonly operation: L1Operation; readonly outcome: L1Outcome }[];
  readonly withdrawals: readonly PublishedWithdrawal[];
  readonly liquidations: readonly PublishedLiquidation[];
  /** A settled instrument that nobody holds any more; 0 for none. */
  readonly retiredInstrument: number;
  readonly accounts: readonly PublishedAccount[];
}

/** Leaf elements that are published: all but the key. */
export const publishedElementCount = (shape: StateShape): number =>
  leafElements(emptyAccount(shape), shape).length - 2;

function flag(field: string, word: bigint): boolean {
  if (word !== 0n && word !== 1n) throw new InputError(field, word, 'expected 0 or 1');
  return word === 1n;
}

function readHeader(words: readonly bigint[]): PublishedHeader {
  return {
    domainWord: words[0],
    chainId: words[1],
    rollupAddress: words[2],
    batchNumber: words[3],
    oldStateRoot: words[4],
    newStateRoot: words[5],
    timeSec: words[6],
    tableHash: words[7],
    margin: readMarginWord(words[8]),
    pricesUsable: flag('pricesUsable', words[9]),
    fundBookedMicros: words[10],
    feesMicros: words[11],
    penaltiesMicros: words[12],
    fundPaymentsMicros: words[13],
    hasTrades: flag('hasTrades', words[14]),
  };
}

const nameOf = <K extends string>(names: Readonly<Record<K, number>>, value: bigint, field: string): K => {
  const found = (Object.keys(names) as K[]).find((name) => BigInt(names[name]) === value);
  if (found === undefined)
    throw new InputError(field, value, `expected one of ${Object.values(names).join(', ')}`);
  return found;
};

function readL1Operation([opWord, keyX, keyY, outcome]: readonly bigint[]) {
  const { kind, accountIndex, tokenId, amount } = unpack(L1_OPERATION_LAYOUT, opWord);
  const { isApplied, reason, served } = unpack(OUTCOME_LAYOUT, outcome);
  const publicKey: PublicKey = [keyX, keyY];
  return {
    operation: {
      kind: nameOf<L1Kind>(L1_KIND, kind, 'kind'),
      accountIndex: Number(accountIndex),
      tokenId: Number(tokenId),
      amount,
      publicKey,
    },
    outcome: {
      isApplied: isApplied === 1n,
      reason: nameOf<OutcomeReason>(OUTCOME_REASON, reason, 'reason'),
      served,
    },
  };
}

function readWithdrawal([word]: readonly bigint[]): PublishedWithdrawal {
  const { accountIndex, tokenId, servedAmount, isShort } = unpack(WITHDRAWAL_LAYOUT, word);
  return {
    accountIndex: Number(accountIndex),
    tokenId: Number(tokenId),
    servedAmount,
    isShort: isShort === 1n,
  };
}

/** Deposits that waited in the queue, from a pending word. @throws InputError when it is not canonical. */
export function readPendingWord(word: bigint): PendingDeposits {
  const { quoteMicros, lots1, lots2, lots3 } = unpack(PENDING_LAYOUT, word);
  return { quoteMicros, spotLots: [lots1, lots2, lots3] };
}

function readLiquidation([word, pendingWord]: readonly bigint[]): PublishedLiquidation {
  const { accountIndex, instrumentId, isShort, closedLots, cashMicros } = unpack(LIQUIDATION_LAYOUT, word);
  return {
    accountIndex: Number(accountIndex),
    instrumentId: Number(instrumentId),
    isShort: isShort === 1n,
    closedLots,
    cashMicros,
    pending: readPendingWord(pendingWord),
  };
}

/** Liquidations from their words, two a row, as the L1 event tells them. @throws InputError when one is not canonical. */
export function readLiquidationRows(words: readonly bigint[]): PublishedLiquidation[] {
  if (words.length % 2 !== 0) throw new InputError('rows', words.length, 'expected two words a row');
  return usedRows(words, words.length / 2, 2, 'liquidations').map(readLiquidation);
}

function readRetirement(word: bigint): number {
  if (word >> BigInt(INSTRUMENT_ID_BITS) !== 0n)
    throw new InputError('retiredInstrument', word, `expected an id of ${INSTRUMENT_ID_BITS} bits`);
  return Number(word);
}

/** Rows of `width` words; unused rows are all zero and come last. */
function usedRows(words: readonly bigint[], count: number, width: number, what: string): bigint[][] {
  const rows = Array.from({ length: count }, (_, i) => words.slice(width * i, width * (i + 1)));
  const used = rows.filter((row) => row[0] !== 0n);
  const tail = rows.slice(used.length);
  if (tail.some((row) => row.some((word) => word !== 0n))) {
    throw new InputError(what, words.join(','), 'unused rows are all zero and come last');
  }
  return used;
}

/**
 * Reads the words of one batch.
 * @throws InputError when their number does not fit the sizes, or a word is not canonical.
 */
export function readPublicWords(
  words: readonly bigint[],
  shape: StateShape,
  capacity: BatchCapacity,
): PublishedBatch {
  const elementCount = publishedElementCount(shape);
  const expected = HEADER_WORDS + eventWordCount(capacity) + capacity.accounts * (1 + elementCount);
  if (words.length !== expected) throw new InputError('words', words.length, `expected ${expected} words`);
  let at = HEADER_WORDS;
  const next = (count: number, width: number, what: string): bigint[][] => {
    const rows = usedRows(words.slice(at, at + count * width), count, width, what);
    at += count * width;
    return rows;
  };
  const l1Operations = next(capacity.l1Operations, 4, 'L1 operations').map(readL1Operation);
  const withdrawals = next(capacity.withdrawals, 1, 'withdrawals').map(readWithdrawal);
  const liquidations = next(capacity.liquidations, 2, 'liquidations').map(readLiquidation);
  const retiredInstrument = readRetirement(words[at]);
  at += 1;
  // Untouched accounts may stand between touched ones: rows follow the account index.
  const accounts = Array.from({ length: capacity.accounts }, (_, i) =>
    words.slice(at + i * (1 + elementCount), at + (i + 1) * (1 + elementCount)),
  ).flatMap(([index, ...elements]): PublishedAccount[] => {
    if (index !== 0n) return [{ accountIndex: Number(index) - 1, elements }];
    if (elements.some((word) => word !== 0n))
      throw new InputError('accounts', elements.join(','), 'expected zeros');
    return [];
  });
  return { header: readHeader(words), l1Operations, withdrawals, liquidations, retiredInstrument, accounts };
}

/** The published leaf with its key. @throws InputError when the packing is not canonical. */
export const publishedLeaf = (
  published: PublishedAccount,
  publicKey: PublicKey,
  shape: StateShape,
): Account => accountFromElements([...publicKey, ...published.elements], shape);
