/** Writes circuits/limits.circom and the main files from protocol/limits.ts: widths and sizes have one home. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as limits from '#protocol/limits.ts';
import { ORDER_LAYOUT, SIGNED_MESSAGES_TAG, WITHDRAW_LAYOUT } from '#protocol/message.ts';
import { layoutBits } from '#protocol/pack.ts';

const CONSTANTS: Readonly<Record<string, bigint | number>> = {
  ACCOUNT_INDEX_BITS: limits.ACCOUNT_INDEX_BITS,
  INSTRUMENT_ID_BITS: limits.INSTRUMENT_ID_BITS,
  TOKEN_ID_BITS: limits.TOKEN_ID_BITS,
  SIZE_BITS: limits.SIZE_BITS,
  INTEREST_BITS: limits.INTEREST_BITS,
  PRICE_BITS: limits.PRICE_BITS,
  AMOUNT_BITS: limits.AMOUNT_BITS,
  ORDER_CASH_BITS: limits.ORDER_CASH_BITS,
  ORDER_FEE_BITS: limits.ORDER_FEE_BITS,
  ORDER_BETTER_BITS: limits.ORDER_BETTER_BITS,
  ORDER_FEE_ROOM_BITS: limits.ORDER_FEE_ROOM_BITS,
  TIME_BITS: limits.TIME_BITS,
  EPOCH_BITS: limits.EPOCH_BITS,
  NONCE_WORD_BITS: limits.NONCE_WORD_BITS,
  NONCE_BITS: limits.NONCE_BITS,
  FLOOR_BACK_BITS: limits.FLOOR_BACK_BITS,
  FEE_CAP_BITS: limits.FEE_CAP_BITS,
  RECORD_OFFSET_BITS: limits.RECORD_OFFSET_BITS,
  CASH_STAR_BITS: limits.CASH_STAR_BITS,
  USED_MAP_BITS: limits.USED_MAP_BITS,
  PENDING_QUOTE_BITS: limits.PENDING_QUOTE_BITS,
  LOSS_BITS: limits.LOSS_BITS,
  DELTA_BITS: limits.DELTA_BITS,
  MONEY_BITS: limits.MONEY_BITS,
  ES_COUNT_BITS: limits.ES_COUNT_BITS,
  ES_COUNT_WORD_BITS: limits.ES_COUNT_WORD_BITS,
  ADD_ON_UNIT_BITS: limits.ADD_ON_UNIT_BITS,
  MARKET_SLOT_BITS: limits.MARKET_SLOT_BITS,
  ROW_COUNT_BITS: limits.ROW_COUNT_BITS,
  SPOT_SLOTS: limits.SPOT_SLOTS,
  LIQUIDATION_TOLERANCE_MICROS: limits.LIQUIDATION_TOLERANCE_MICROS,
  QUOTE_DEBT_TOLERANCE_MICROS: limits.QUOTE_DEBT_TOLERANCE_MICROS,
  SIGNED_MESSAGES_TAG,
  ORDER_MESSAGE_BITS: layoutBits(ORDER_LAYOUT),
  WITHDRAW_MESSAGE_BITS: layoutBits(WITHDRAW_LAYOUT),
};

export function renderLimits(): string {
  const functions = Object.entries(CONSTANTS).map(
    ([name, value]) => `function ${name}() { return ${value}; }`,
  );
  return `pragma circom 2.2.0;\n\n// Written by circuits/limits.ts from protocol/limits.ts.\n${functions.join('\n')}\n`;
}

/** Parameters of `template Batch`, in their order there. */
export const batchParameters = (shape: limits.StateShape, capacity: limits.BatchCapacity): number[] => [
  shape.treeDepth,
  shape.derivativeSlots,
  shape.recordSlots,
  shape.nonceWords,
  shape.marketSlots,
  shape.scenarios,
  capacity.accounts,
  capacity.signatures,
  capacity.messages,
  capacity.instruments,
  capacity.l1Operations,
  capacity.withdrawals,
  capacity.liquidations,
  capacity.settlements,
];

export const renderMain = (shape: limits.StateShape, capacity: limits.BatchCapacity): string =>
  `pragma circom 2.2.0;\n\n// Written by circuits/limits.ts from protocol/limits.ts.\ninclude "../batch.circom";\n\n` +
  `component main { public [commitment, challenge, evaluation] } = Batch(${batchParameters(shape, capacity).join(', ')});\n`;

/** Path under circuits/ and content of every generated file. */
export const generatedFiles = (): [path: string, content: string][] => [
  ['limits.circom', renderLimits()],
  ['main/batch-small.circom', renderMain(limits.STANDARD_SHAPE, limits.SMALL_BATCH)],
  ['main/batch-medium.circom', renderMain(limits.STANDARD_SHAPE, limits.MEDIUM_BATCH)],
  ['main/batch-tiny.circom', renderMain(limits.TINY_SHAPE, limits.TINY_BATCH)],
  ['main/batch-tiny-wide.circom', renderMain(limits.TINY_SHAPE, limits.TINY_WIDE_BATCH)],
];

if (import.meta.main) {
  for (const [path, content] of generatedFiles()) writeFileSync(join(import.meta.dirname, path), content);
}
