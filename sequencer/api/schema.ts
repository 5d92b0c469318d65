/**
 * The edge: what a request may look like. Every object is closed, every amount a canonical decimal string,
 * and what comes out is the protocol's own types: inside there are no strings.
 */
import { z } from 'zod';
import { SUBGROUP_ORDER } from '#protocol/crypto/eddsa.ts';
import { FIELD_MODULUS } from '#protocol/crypto/field.ts';
import {
  ACCOUNT_INDEX_BITS,
  AMOUNT_BITS,
  EPOCH_BITS,
  FEE_CAP_BITS,
  FLOOR_BACK_BITS,
  INSTRUMENT_ID_BITS,
  MESSAGES_PER_SIGNATURE_MAX,
  NONCE_BITS,
  PRICE_BITS,
  ROW_COUNT_BITS,
  SIZE_BITS,
  SPOT_SLOTS,
  TIME_BITS,
} from '#protocol/limits.ts';
import type { Message, SignedMessages } from '#protocol/message.ts';

const DECIMAL_DIGITS_MAX = 78;
/** Exact as a number; far above what any rollup reaches. */
const BATCH_NUMBER_MAX = 999_999_999_999;
const BOOK_DEPTH_MAX = 200;
const BATCHES_MAX = 99;
export const BOOK_DEPTH_DEFAULT = 20;
export const BATCHES_DEFAULT = 20;

/** A canonical non-negative decimal below `limit`: no sign, no leading zero, ASCII digits only. */
const decimal = (limit: bigint, what: string) =>
  z
    .string()
    .max(DECIMAL_DIGITS_MAX, { error: 'too many digits', abort: true })
    .regex(/^(0|[1-9][0-9]*)$/, {
      error: 'expected a canonical decimal string such as "0" or "1250"',
      abort: true,
    })
    .refine((text) => BigInt(text) < limit, {
      error: `expected less than ${limit}`,
      params: { limit: `${limit}` },
    })
    .describe(what);
const bits = (width: number, what: string) => decimal(1n << BigInt(width), what);
const positive = (width: number, what: string) =>
  bits(width, what).refine((text) => text !== '0', { error: 'expected more than 0', params: { limit: '0' } });
const integer = (min: number, max: number, what: string) => z.int().min(min).max(max).describe(what);

export const accountIndex = integer(1, 2 ** ACCOUNT_INDEX_BITS - 1, 'index of the account in the tree');
export const instrumentId = integer(1, 2 ** INSTRUMENT_ID_BITS - 1, 'id of the instrument');
const floorBackWords = integer(0, 2 ** FLOOR_BACK_BITS - 1, 'words of nonces kept alive below this one');

const order = z.strictObject({
  kind: z.literal('order'),
  instrumentId,
  side: z.enum(['buy', 'sell']),
  isReduceOnly: z.boolean(),
  sizeLots: positive(SIZE_BITS, 'size in lots'),
  limitMicrosPerLot: positive(PRICE_BITS, 'limit price in micros of quote per lot'),
  expirySec: bits(TIME_BITS, 'last batch time at which it may be filled'),
  nonce: bits(NONCE_BITS, 'order nonce'),
  floorBackWords,
  feeCapPpm: bits(FEE_CAP_BITS, 'highest fee as a share of the cash that changes hands'),
});
const cancel = z.strictObject({
  kind: z.literal('cancel'),
  nonce: bits(NONCE_BITS, 'nonce of the order to cancel'),
  floorBackWords,
});
const cancelAll = z.strictObject({ kind: z.literal('cancel-all') });
const withdraw = z.strictObject({
  kind: z.literal('withdraw'),
  tokenId: integer(0, SPOT_SLOTS, '0 for quote, 1 to 3 for a spot token'),
  amount: positive(AMOUNT_BITS, 'micros of quote or lots of a spot token'),
  expirySec: bits(TIME_BITS, 'last batch time at which it may be served'),
  nonce: bits(NONCE_BITS, 'nonce, from the same window as orders'),
  floorBackWords,
});
const message = z.discriminatedUnion('kind', [order, cancel, cancelAll, withdraw]);

const coordinate = decimal(FIELD_MODULUS, 'a field element');
const signature = z.strictObject({
  r8: z.tuple([coordinate, coordinate]),
  s: decimal(SUBGROUP_ORDER, 'a scalar below the subgroup order'),
});

/** How the engine handles an order; its promise, not proved. */
export const orderOptions = z.strictObject({
  timeInForce: z.enum(['gtc', 'ioc', 'fok']).default('gtc').describe('ioc with a limit is the market order'),
  isPostOnly: z.boolean().default(false).describe('refused if it would take'),
});

export const submission = z.strictObject({
  accountIndex,
  epoch: bits(EPOCH_BITS, 'the account epoch under which it is signed'),
  depth: integer(0, 2, 'room for 1, 4 or 16 messages'),
  messages: z.array(message).min(1).max(MESSAGES_PER_SIGNATURE_MAX),
  signature,
  options: z
    .array(orderOptions)
    .max(MESSAGES_PER_SIGNATURE_MAX)
    .optional()
    .describe('one per message, in order; ignored for other kinds than orders'),
});
export type SubmissionBody = z.infer<typeof submission>;

const signedDecimal = (width: number, what: string) =>
  z
    .string()
    .max(DECIMAL_DIGITS_MAX, { error: 'too many digits', abort: true })
    .regex(/^(0|-?[1-9][0-9]*)$/, { error: 'expected a canonical signed decimal string', abort: true })
    .refine(
      (text) => {
        const value = BigInt(text);
        return (value < 0n ? -value : value) < 1n << BigInt(width);
      },
      { error: `expected a magnitude below 2^${width}`, params: { limit: `${1n << BigInt(width)}` } },
    )
    .describe(what);

export const whatIf = z.strictObject({
  cashMicros: signedDecimal(80, 'cash of the portfolio'),
  positions: z
    .array(z.strictObject({ instrumentId, sizeLots: signedDecimal(SIZE_BITS, 'long +, short −') }))
    .max(64),
});

/** A whole number as it stands in a path or query. */
const whole = (min: number, max: number, what: string) =>
  z
    .string()
    .max(DECIMAL_DIGITS_MAX, { error: 'too many digits', abort: true })
    .regex(/^(0|[1-9][0-9]*)$/, { error: `expected a whole number from ${min} to ${max}`, abort: true })
    .refine((text) => Number(text) >= min && Number(text) <= max, {
      error: `expected a whole number from ${min} to ${max}`,
      params: { limit: max },
    })
    .describe(what);
const batchNumber = whole(1, BATCH_NUMBER_MAX, 'number of a batch, counted from 1');

export const accountParams = z.strictObject({
  index: whole(1, 2 ** ACCOUNT_INDEX_BITS - 1, 'index of the account in the tree'),
});
export const orderParams = z.strictObject({
  hash: z
    .string()
    .regex(/^0x[0-9a-f]{64}$/, { error: 'expected 0x and 64 lower-case hexadecimal digits' })
    .describe('hash of an order or another message, as its submission was answered'),
});
export const instrumentParams = z.strictObject({
  instrument: whole(1, 2 ** INSTRUMENT_ID_BITS - 1, 'id of the instrument'),
});
export const batchParams = z.strictObject({ number: batchNumber });
export const liquidationParams = z.strictObject({
  batch: batchNumber,
  row: whole(0, 2 ** ROW_COUNT_BITS - 1, 'place among the liquidation rows of the batch, from 0'),
});
export const bookQuery = z.strictObject({
  depth: whole(1, BOOK_DEPTH_MAX, `levels of each side; ${BOOK_DEPTH_DEFAULT} unless said`).optional(),
});
export const batchesQuery = z.strictObject({
  before: whole(0, BATCH_NUMBER_MAX, 'only batches with a smaller number; the newest unless said').optional(),
  limit: whole(1, BATCHES_MAX, `how many at most; ${BATCHES_DEFAULT} unless said`).optional(),
});

function toMessage(body: SubmissionBody['messages'][number]): Message {
  switch (body.kind) {
    case 'order':
      return {
        ...body,
        sizeLots: BigInt(body.sizeLots),
        limitMicrosPerLot: BigInt(body.limitMicrosPerLot),
        expirySec: BigInt(body.expirySec),
        nonce: BigInt(body.nonce),
        feeCapPpm: BigInt(body.feeCapPpm),
      };
    case 'cancel':
      return { ...body, nonce: BigInt(body.nonce) };
    case 'cancel-all':
      return body;
    case 'withdraw':
      return {
        ...body,
        amount: BigInt(body.amount),
        expirySec: BigInt(body.expirySec),
        nonce: BigInt(body.nonce),
      };
  }
}

export const toSignedMessages = (body: SubmissionBody): SignedMessages => ({
  accountIndex: body.accountIndex,
  epoch: BigInt(body.epoch),
  depth: body.depth,
  messages: body.messages.map(toMessage),
  signature: {
    r8: [BigInt(body.signature.r8[0]), BigInt(body.signature.r8[1])],
    s: BigInt(body.signature.s),
  },
});
