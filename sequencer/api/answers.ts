/** What the resources answer: the other half of the OpenAPI document. A test holds every real answer against it. */
import { z } from 'zod';

const int = z
  .string()
  .regex(/^(0|-?[1-9][0-9]*)$/)
  .describe('a whole number as a decimal string');
const ints = z.array(int);
const count = z.int().min(0);
const hash = z.string().regex(/^0x[0-9a-f]+$/);
const orNull = <T extends z.ZodType>(schema: T) => schema.nullable();
const numbers = z.record(z.string(), z.unknown()).describe('the numbers; amounts are decimal strings');

export const errorAnswer = z.strictObject({
  code: z.string().describe('stable, kebab-case'),
  message: z.string(),
  data: numbers,
  hint: z.string().describe('what to do about it'),
});
const because = orNull(errorAnswer.pick({ code: true, message: true, data: true }));

export const submissionAnswer = z.strictObject({
  bodyHash: hash,
  isRepeat: z.boolean().describe('this signed body had been taken before'),
  results: z.array(
    z.discriminatedUnion('status', [
      z.strictObject({ position: count, hash, status: z.literal('accepted') }),
      z.strictObject({ position: count, status: z.literal('refused'), error: errorAnswer }),
    ]),
  ),
});

const life = z.enum(['received', 'sequenced', 'sealed', 'proven', 'submitted', 'final']);
const order = z.looseObject({
  kind: z.literal('order'),
  hash,
  accountIndex: count,
  status: z.enum([...life.options, 'voided']).describe('the least of the batches of its fills'),
  isOpen: z.boolean(),
  closeReason: orNull(z.string()),
  because,
  filledLots: int,
  remainingLots: int,
  fillCount: count,
  fills: z
    .array(
      z.strictObject({
        tradeId: count,
        batchNumber: count,
        lots: int,
        cashMicros: int,
        feeMicros: int,
        batchStatus: life,
      }),
    )
    .describe('the newest hundred'),
});
const otherMessage = z.looseObject({
  kind: z.enum(['cancel', 'cancel-all', 'withdraw']),
  hash,
  accountIndex: count,
  status: z.enum([...life.options, 'dropped']),
  batchNumber: orNull(count),
  because,
});
export const orderAnswer = z.union([order, otherMessage]);

const level = z.strictObject({ limitMicrosPerLot: int, totalLots: int, orderCount: count });
export const bookAnswer = z.strictObject({
  instrumentId: count,
  bids: z.array(level),
  asks: z.array(level),
  sequence: count,
});

const margin = z.strictObject({
  cashMicros: int,
  equityMicros: int,
  quoteBalanceMicros: int,
  haircutSpotMicros: int,
  initialMarginMicros: int,
  maintenanceMarginMicros: int,
  scenarioLossMicros: ints.describe('loss +'),
  health: z.enum(['open', 'reduce-only', 'liquidatable', 'bankrupt']),
});
const greekSums = {
  underlying: count,
  deltaMicros: int,
  gammaMicrosPerPercent: int,
  vegaMicrosPerVolPoint: int,
  thetaMicrosPerDay: int,
};
const greeks = z.strictObject({
  positions: z.array(
    z.strictObject({
      ...greekSums,
      instrumentId: count,
      sizeLots: int,
      isSettled: z.boolean(),
      markMicrosPerLot: int,
      valueMicros: int,
      impliedVolPpm: orNull(int),
    }),
  ),
  byUnderlying: z.array(z.strictObject(greekSums)),
});
export const whatIfAnswer = margin.extend({ roundNumber: int, greeks });
export const accountAnswer = z.looseObject({
  accountIndex: count,
  publicKey: ints,
  epoch: int,
  cashStarMicros: int,
  leafElements: ints,
  positions: z.array(z.strictObject({ instrumentId: count, sizeLots: int })),
  roundNumber: orNull(int),
  margin: orNull(margin),
  greeks: orNull(greeks),
});

export const instrumentsAnswer = z.strictObject({
  makerFeePpm: int,
  takerFeePpm: int,
  orderMinMicros: int,
  roundNumber: orNull(int),
  instruments: z.array(
    z.looseObject({
      id: count,
      symbol: z.string(),
      kind: z.enum(['spot', 'perp', 'future', 'call', 'put']),
      lotE8: int,
      tickMicrosPerLot: int,
      risk: orNull(
        z.looseObject({ markMicrosPerLot: int, isSettled: z.boolean(), impliedVolPpm: orNull(int) }),
      ),
    }),
  ),
});

const table = z.looseObject({
  roundNumber: int,
  timeSec: int,
  esCount: count,
  isJump: z.boolean(),
  rows: z.array(z.looseObject({ instrumentId: count, mark: int, losses: ints })),
});
export const roundAnswer = table.extend({ acceptedIndex: count, acceptedAtSec: int, tableHash: int });

const batch = z.strictObject({
  batchNumber: count,
  attempt: count,
  status: z.enum(['sealed', 'proven', 'submitted', 'final']),
  sizeIndex: count,
  timeSec: int,
  roundNumber: int,
  oldStateRoot: int,
  newStateRoot: int,
  actions: count,
  isLiquidating: z.boolean(),
  l1TxHash: orNull(hash),
  l1Block: orNull(count),
});
const rows = z.array(numbers);
export const batchesAnswer = z.strictObject({ batches: z.array(batch) });
export const batchAnswer = batch.extend({
  feesMicros: int,
  penaltiesMicros: int,
  fundPaymentsMicros: int,
  orders: count,
  l1Operations: rows,
  withdrawals: rows,
  liquidations: rows,
  fundPayments: rows,
  settlements: rows,
  retiredInstrument: count,
  touchedAccounts: z.array(count),
});

const side = margin.omit({ cashMicros: true }).extend({ leafElements: ints });
export const liquidationAnswer = z.strictObject({
  batchNumber: int,
  row: count,
  accountIndex: count,
  instrumentId: count,
  isShort: z.boolean(),
  closedLots: int,
  cashMicros: int,
  reason: z.int().min(1).max(2).describe('1: below maintenance margin; 2: quote debt'),
  penaltyMicros: int,
  pending: z.strictObject({ quoteMicros: int, spotLots: ints }),
  rows,
  pricesUsable: z.boolean(),
  before: side,
  after: side,
  roundNumber: int,
  tableHash: int,
  table,
});

export const healthAnswer = z.looseObject({
  stateRoot: int,
  l1BlockNumber: count,
  l1TimeSec: int,
  roundNumber: orNull(int),
  openBatch: orNull(z.strictObject({ batchNumber: count, actions: count })),
  unprovedBatches: count,
  nextBatchNumber: count,
  logLength: count,
  waitingCommands: count,
});
export const documentAnswer = z.looseObject({
  openapi: z.string(),
  paths: z.record(z.string(), z.unknown()),
});
