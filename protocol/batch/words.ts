/**
 * The public words of a batch: their one order and encoding (docs/protocol.md §7). The contract
 * (`MarginRollup`), the circuit (`circuits/bus/public-words.circom`) and `reconstruct` read the same list.
 */
import { keccak_256 } from '@noble/hashes/sha3.js';
import { FIELD_MODULUS } from '../crypto/field.ts';
import { type MarginParameters, UNDERLYINGS } from '../instrument.ts';
import { leafElements } from '../leaf.ts';
import {
  ACCOUNT_INDEX_BITS,
  ADD_ON_UNIT_BITS,
  AMOUNT_BITS,
  type BatchCapacity,
  ES_COUNT_WORD_BITS,
  INSTRUMENT_ID_BITS,
  PENDING_QUOTE_BITS,
  SIZE_BITS,
  TOKEN_ID_BITS,
} from '../limits.ts';
import { type PackField, pack, unpack } from '../pack.ts';
import { tableHash } from '../risk/table.ts';
import {
  L1_KIND,
  type L1Operation,
  type L1Outcome,
  type LiquidationExecution,
  OUTCOME_REASON,
  type PendingDeposits,
  type SealedBatch,
} from './batch.ts';

export const HEADER_WORDS = 15;

export const L1_OPERATION_LAYOUT: readonly PackField[] = [
  { name: 'kind', bits: 4 },
  { name: 'accountIndex', bits: ACCOUNT_INDEX_BITS },
  { name: 'tokenId', bits: TOKEN_ID_BITS },
  { name: 'amount', bits: AMOUNT_BITS },
];
export const OUTCOME_LAYOUT: readonly PackField[] = [
  { name: 'isApplied', bits: 1 },
  { name: 'reason', bits: 3 },
  { name: 'served', bits: AMOUNT_BITS },
];
export const WITHDRAWAL_LAYOUT: readonly PackField[] = [
  { name: 'accountIndex', bits: ACCOUNT_INDEX_BITS },
  { name: 'tokenId', bits: TOKEN_ID_BITS },
  { name: 'servedAmount', bits: AMOUNT_BITS },
  { name: 'isShort', bits: 1 },
];
export const LIQUIDATION_LAYOUT: readonly PackField[] = [
  { name: 'accountIndex', bits: ACCOUNT_INDEX_BITS },
  { name: 'instrumentId', bits: INSTRUMENT_ID_BITS },
  { name: 'isShort', bits: 1 },
  { name: 'closedLots', bits: SIZE_BITS },
  { name: 'cashMicros', bits: AMOUNT_BITS },
];
export const PENDING_LAYOUT: readonly PackField[] = [
  { name: 'quoteMicros', bits: PENDING_QUOTE_BITS },
  { name: 'lots1', bits: SIZE_BITS },
  { name: 'lots2', bits: SIZE_BITS },
  { name: 'lots3', bits: SIZE_BITS },
];

const bit = (flag: boolean): bigint => (flag ? 1n : 0n);

export const l1OperationWord = (operation: L1Operation): bigint =>
  pack(L1_OPERATION_LAYOUT, {
    kind: BigInt(L1_KIND[operation.kind]),
    accountIndex: BigInt(operation.accountIndex),
    tokenId: BigInt(operation.tokenId),
    amount: operation.amount,
  });

export const outcomeWord = (outcome: L1Outcome): bigint =>
  pack(OUTCOME_LAYOUT, {
    isApplied: bit(outcome.isApplied),
    reason: BigInt(OUTCOME_REASON[outcome.reason]),
    served: outcome.served,
  });

export const withdrawalWord = (w: {
  accountIndex: number;
  tokenId: number;
  servedAmount: bigint;
  isShort: boolean;
}): bigint =>
  pack(WITHDRAWAL_LAYOUT, {
    accountIndex: BigInt(w.accountIndex),
    tokenId: BigInt(w.tokenId),
    servedAmount: w.servedAmount,
    isShort: bit(w.isShort),
  });

export const liquidationWord = (row: LiquidationExecution): bigint =>
  pack(LIQUIDATION_LAYOUT, {
    accountIndex: BigInt(row.accountIndex),
    instrumentId: BigInt(row.instrumentId),
    isShort: bit(row.isShort),
    closedLots: row.closedLots,
    cashMicros: row.cashMicros,
  });

export const pendingWord = (pending: PendingDeposits): bigint =>
  pack(PENDING_LAYOUT, {
    quoteMicros: pending.quoteMicros,
    lots1: pending.spotLots[0] ?? 0n,
    lots2: pending.spotLots[1] ?? 0n,
    lots3: pending.spotLots[2] ?? 0n,
  });

/** Word 8: what of the round's parameters the accounts' margin reads. */
const MARGIN_LAYOUT: readonly PackField[] = [
  { name: 'esCount', bits: ES_COUNT_WORD_BITS },
  ...UNDERLYINGS.map((name) => ({ name, bits: ADD_ON_UNIT_BITS })),
];

export const marginWord = ({ esCount, addOnUnitDollars }: MarginParameters): bigint =>
  pack(MARGIN_LAYOUT, {
    esCount: BigInt(esCount),
    ...Object.fromEntries(UNDERLYINGS.map((name, u) => [name, addOnUnitDollars[u]])),
  });

/** @throws InputError when the word is not canonical. */
export function readMarginWord(word: bigint): MarginParameters {
  const fields = unpack(MARGIN_LAYOUT, word);
  return { esCount: Number(fields.esCount), addOnUnitDollars: UNDERLYINGS.map((name) => fields[name]) };
}

/** Words 0 to 14. */
export function headerWords(batch: SealedBatch): bigint[] {
  const { header, messages, liquidations } = batch.content;
  const hasTrades = liquidations.length > 0 || messages.some((message) => message.fillLots > 0n);
  return [
    header.domainWord,
    header.domain.chainId,
    header.domain.rollupAddress,
    header.batchNumber,
    batch.oldStateRoot,
    batch.newStateRoot,
    header.timeSec,
    tableHash(header.table, batch.shape),
    marginWord(header.table),
    bit(header.pricesUsable),
    header.fundBookedMicros,
    batch.feesMicros,
    batch.penaltiesMicros,
    batch.fundPaymentsMicros,
    bit(hasTrades),
  ];
}

const padded = (rows: bigint[][], count: number, width: number): bigint[] =>
  Array.from({ length: count }, (_, i) => rows[i] ?? Array<bigint>(width).fill(0n)).flat();

/** Words of L1 operations, withdrawals, liquidations and the retirement, unused rows zero. */
export function eventWords(batch: SealedBatch): bigint[] {
  const { content, capacity } = batch;
  const l1 = content.l1Operations.map(({ operation, outcome }) => [
    l1OperationWord(operation),
    ...operation.publicKey,
    outcomeWord(outcome),
  ]);
  const withdrawals = content.withdrawals.map((row) => {
    const signed = content.signatures[row.signatureIndex];
    const message = signed.messages[row.position];
    if (message.kind !== 'withdraw') throw new Error('a withdrawal row names a message of another kind');
    const isShort = row.servedAmount < message.amount;
    return [
      withdrawalWord({
        accountIndex: signed.accountIndex,
        tokenId: message.tokenId,
        servedAmount: row.servedAmount,
        isShort,
      }),
    ];
  });
  const liquidations = content.liquidations.map((row) => {
    const account = content.liquidatedAccounts.find((a) => a.accountIndex === row.accountIndex);
    if (account === undefined) throw new Error('a liquidation row without its account');
    return [liquidationWord(row), pendingWord(account.pending)];
  });
  return [
    ...padded(l1, capacity.l1Operations, 4),
    ...padded(withdrawals, capacity.withdrawals, 1),
    ...padded(liquidations, capacity.liquidations, 2),
    BigInt(content.retiredInstrument),
  ];
}

/** Data availability: index + 1 and the leaf without its key, all zero for an untouched account. */
export function accountWords(batch: SealedBatch): bigint[] {
  return batch.accounts.flatMap((change) => {
    const elements = leafElements(change.after, batch.shape).slice(2);
    return change.isTouched
      ? [BigInt(change.accountIndex) + 1n, ...elements]
      : [0n, ...elements.map(() => 0n)];
  });
}

export const publicWords = (batch: SealedBatch): bigint[] => [
  ...headerWords(batch),
  ...eventWords(batch),
  ...accountWords(batch),
];

export const eventWordCount = (capacity: BatchCapacity): number =>
  4 * capacity.l1Operations + capacity.withdrawals + 2 * capacity.liquidations + 1;

function bytes32(value: bigint): Uint8Array {
  const bytes = new Uint8Array(32);
  let rest = value;
  for (let i = 31; i >= 0; i--) {
    bytes[i] = Number(rest & 255n);
    rest >>= 8n;
  }
  return bytes;
}

/** keccak256 of 32-byte big-endian values, mod p: the contract computes the same. */
export function keccakField(values: readonly bigint[]): bigint {
  const data = new Uint8Array(32 * values.length);
  for (const [i, value] of values.entries()) data.set(bytes32(value), 32 * i);
  let digest = 0n;
  for (const byte of keccak_256(data)) digest = (digest << 8n) | BigInt(byte);
  return digest % FIELD_MODULUS;
}

/** Word 0. */
export const domainWord = (chainId: bigint, rollupAddress: bigint, circuitHash: bigint): bigint =>
  keccakField([chainId, rollupAddress, circuitHash]);

/** r = keccak256(C ‖ count ‖ words) mod p. */
export const challengeOf = (commitment: bigint, words: readonly bigint[]): bigint =>
  keccakField([commitment, BigInt(words.length), ...words]);

/** y = Σ word_i · r^i. */
export function evaluationOf(words: readonly bigint[], challenge: bigint): bigint {
  let y = 0n;
  for (let i = words.length - 1; i >= 0; i--) y = (y * challenge + words[i]) % FIELD_MODULUS;
  return y;
}
