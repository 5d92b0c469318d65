/**
 * What a batch proof commits to before its challenge, in the one order in which it is hashed; the twin is
 * `circuits/bus/commitment.circom`. Everything that enters a key, an amount or a Freivalds sum of the
 * circuit's bus is here, or fixed by what is here: leaves by the state roots and the sorted indices.
 */
import { toField } from '../crypto/field.ts';
import { poseidon, poseidonChain } from '../crypto/poseidon.ts';
import {
  ACCOUNT_INDEX_BITS,
  AMOUNT_BITS,
  FLOOR_BACK_BITS,
  INSTRUMENT_ID_BITS,
  INTEREST_BITS,
  LOSS_BITS,
  MARKET_SLOT_BITS,
  ORDER_CASH_BITS,
  ORDER_FEE_BITS,
  ROW_COUNT_BITS,
  SIZE_BITS,
  SPOT_SLOTS,
  type StateShape,
} from '../limits.ts';
import { ORDER_LAYOUT, WITHDRAW_LAYOUT } from '../message.ts';
import { layoutBits, type PackField, pack } from '../pack.ts';

/** What a list of positions is valued by, in the order of `circuits/bus/functionals.circom`. */
export interface ListValues {
  readonly mark: bigint;
  readonly funding: bigint;
  readonly spotMark: bigint;
  readonly spotHaircut: bigint;
  readonly chargeIm: bigint;
  readonly chargeMm: bigint;
  readonly band: bigint;
  readonly penalty: bigint;
  /** Net delta per underlying. */
  readonly deltas: readonly bigint[];
}

export const listValues = (v: ListValues): bigint[] => [
  v.mark,
  v.funding,
  v.spotMark,
  v.spotHaircut,
  v.chargeIm,
  v.chargeMm,
  v.band,
  v.penalty,
  ...v.deltas,
];

export interface CommittedAccount {
  readonly accountIndex: number;
  readonly isTouched: boolean;
  readonly isEpochChanged: boolean;
  readonly isRaised: boolean;
  readonly isLiquidated: boolean;
  readonly isFundPaid: boolean;
  readonly orderCount: number;
  /** Orders and cancels. */
  readonly activityCount: number;
  readonly keyUses: number;
  /** Penalty of a liquidated account, or what the fund pays it. */
  readonly treasuryMicros: bigint;
  /** Per derivative slot, then per spot slot. */
  readonly isShrinking: readonly boolean[];
  /** Per record slot after the batch: an order of the batch made it what it is. */
  readonly isRecordChanged: readonly boolean[];
  readonly feesMicros: bigint;
  /** t of the upper bound of the expected shortfall. */
  readonly threshold: bigint;
  readonly oldLosses: readonly bigint[];
  readonly newLosses: readonly bigint[];
  readonly oldValues: ListValues;
  readonly newValues: ListValues;
}

export interface CommittedInstrument {
  readonly isUsed: boolean;
  readonly rowHash: bigint;
  readonly oldInterestLots: bigint;
  /** Up to the bound that the new open interest meets; for spot the new open interest itself. */
  readonly restLots: bigint;
  readonly marketSlot: number;
  readonly openingFills: number;
  readonly shrinkingFills: number;
  readonly isWithinCap: boolean;
}

export interface CommittedMessage {
  readonly packed: bigint;
  readonly signatureIndex: number;
  /** nonceWord − newBaseWord. */
  readonly windowWords: number;
  readonly isShrinking: boolean;
  readonly isContinued: boolean;
  readonly isRaising: boolean;
  /** Place of the order's instrument among the instrument rows. */
  readonly instrumentIndex: number;
  /** From the new position, or 0 where the order only shrinks it or trades spot, up to the position cap. */
  readonly capRoomLots: bigint;
  readonly fillLots: bigint;
  readonly restLots: bigint;
  readonly cashMicros: bigint;
  readonly feeMicros: bigint;
}

export interface CommittedWithdrawal {
  readonly packed: bigint;
  readonly signatureIndex: number;
  readonly isRaising: boolean;
  readonly isShrinking: boolean;
}

export interface CommittedSettlement {
  readonly isUsed: boolean;
  readonly accountIndex: number;
  readonly instrumentId: number;
  readonly isShort: boolean;
  readonly lots: bigint;
}

export interface CommittedFlags {
  /** Per market slot: some instrument row uses it. */
  readonly hasRow: readonly boolean[];
  readonly isSignatureUsed: readonly boolean[];
  /** Per L1 operation row. */
  readonly isShrinking: readonly boolean[];
}

/** All rows, padded to the capacity. */
export interface CommittedBatch {
  /** Words 0 to 14. */
  readonly header: readonly bigint[];
  readonly events: readonly bigint[];
  readonly accounts: readonly CommittedAccount[];
  readonly instruments: readonly CommittedInstrument[];
  /** Inner hashes Poseidon(R8, A, M) of the signatures. */
  readonly signatures: readonly bigint[];
  readonly messages: readonly CommittedMessage[];
  readonly withdrawals: readonly CommittedWithdrawal[];
  readonly settlements: readonly CommittedSettlement[];
  readonly flags: CommittedFlags;
}

/** Losses are committed as their distance to t and the side they lie on, this many to an element. */
export const LOSSES_PER_ELEMENT = 4;
const DISTANCE_BITS = LOSS_BITS + 1;
const SIGNATURE_INDEX_BITS = 8;
const INSTRUMENT_INDEX_BITS = 8;

const bit = (flag: boolean): bigint => (flag ? 1n : 0n);
const bits = (flags: readonly boolean[]): bigint =>
  flags.reduce((sum, flag, i) => sum | (bit(flag) << BigInt(i)), 0n);

export const distanceTo = (threshold: bigint, loss: bigint): bigint =>
  loss > threshold ? loss - threshold : threshold - loss;

function lossElements(row: CommittedAccount): bigint[] {
  const elements: bigint[] = [];
  for (let start = 0; start < row.newLosses.length; start += LOSSES_PER_ELEMENT) {
    const layout: PackField[] = [];
    const values: Record<string, bigint> = {};
    row.newLosses.slice(start, start + LOSSES_PER_ELEMENT).forEach((loss, i) => {
      layout.push({ name: `distance${i}`, bits: DISTANCE_BITS }, { name: `isAbove${i}`, bits: 1 });
      values[`distance${i}`] = distanceTo(row.threshold, loss);
      values[`isAbove${i}`] = bit(loss > row.threshold);
    });
    elements.push(pack(layout, values));
  }
  return elements;
}

function accountElements(row: CommittedAccount, shape: StateShape): bigint[] {
  const layout: PackField[] = [
    { name: 'accountIndex', bits: ACCOUNT_INDEX_BITS },
    { name: 'flags', bits: 5 },
    { name: 'orderCount', bits: ROW_COUNT_BITS },
    { name: 'activityCount', bits: ROW_COUNT_BITS },
    { name: 'keyUses', bits: ROW_COUNT_BITS },
    { name: 'treasuryMicros', bits: AMOUNT_BITS },
    { name: 'isShrinking', bits: shape.derivativeSlots + SPOT_SLOTS },
    { name: 'isRecordChanged', bits: shape.recordSlots },
  ];
  const packed = pack(layout, {
    accountIndex: BigInt(row.accountIndex),
    flags: bits([row.isTouched, row.isEpochChanged, row.isRaised, row.isLiquidated, row.isFundPaid]),
    orderCount: BigInt(row.orderCount),
    activityCount: BigInt(row.activityCount),
    keyUses: BigInt(row.keyUses),
    treasuryMicros: row.treasuryMicros,
    isShrinking: bits(row.isShrinking),
    isRecordChanged: bits(row.isRecordChanged),
  });
  return [
    packed,
    row.feesMicros,
    row.threshold,
    ...lossElements(row),
    ...row.oldLosses,
    ...listValues(row.oldValues),
    ...listValues(row.newValues),
  ];
}

const INSTRUMENT_LAYOUT: readonly PackField[] = [
  { name: 'restLots', bits: INTEREST_BITS },
  { name: 'marketSlot', bits: MARKET_SLOT_BITS },
  { name: 'openingFills', bits: ROW_COUNT_BITS },
  { name: 'shrinkingFills', bits: ROW_COUNT_BITS },
  { name: 'flags', bits: 2 },
];

const instrumentElements = (row: CommittedInstrument): bigint[] => [
  row.rowHash,
  row.oldInterestLots,
  pack(INSTRUMENT_LAYOUT, {
    restLots: row.restLots,
    marketSlot: BigInt(row.marketSlot),
    openingFills: BigInt(row.openingFills),
    shrinkingFills: BigInt(row.shrinkingFills),
    flags: bits([row.isUsed, row.isWithinCap]),
  }),
];

const MESSAGE_LAYOUT: readonly PackField[] = [
  { name: 'packed', bits: layoutBits(ORDER_LAYOUT) },
  { name: 'signatureIndex', bits: SIGNATURE_INDEX_BITS },
  { name: 'windowWords', bits: FLOOR_BACK_BITS },
  { name: 'flags', bits: 3 },
  { name: 'instrumentIndex', bits: INSTRUMENT_INDEX_BITS },
];
const FILL_LAYOUT: readonly PackField[] = [
  { name: 'fillLots', bits: SIZE_BITS },
  { name: 'restLots', bits: SIZE_BITS },
  { name: 'capRoomLots', bits: SIZE_BITS },
  { name: 'cashMicros', bits: ORDER_CASH_BITS },
  { name: 'feeMicros', bits: ORDER_FEE_BITS },
];

const messageElements = (row: CommittedMessage): bigint[] => [
  pack(MESSAGE_LAYOUT, {
    packed: row.packed,
    signatureIndex: BigInt(row.signatureIndex),
    windowWords: BigInt(row.windowWords),
    flags: bits([row.isShrinking, row.isContinued, row.isRaising]),
    instrumentIndex: BigInt(row.instrumentIndex),
  }),
  pack(FILL_LAYOUT, {
    fillLots: row.fillLots,
    restLots: row.restLots,
    capRoomLots: row.capRoomLots,
    cashMicros: row.cashMicros,
    feeMicros: row.feeMicros,
  }),
];

const WITHDRAWAL_LAYOUT: readonly PackField[] = [
  { name: 'packed', bits: layoutBits(WITHDRAW_LAYOUT) },
  { name: 'signatureIndex', bits: SIGNATURE_INDEX_BITS },
  { name: 'flags', bits: 2 },
];

const withdrawalElement = (row: CommittedWithdrawal): bigint =>
  pack(WITHDRAWAL_LAYOUT, {
    packed: row.packed,
    signatureIndex: BigInt(row.signatureIndex),
    flags: bits([row.isRaising, row.isShrinking]),
  });

/** Its cash is not here: the row of the instrument, which is, has the mark. */
const SETTLEMENT_LAYOUT: readonly PackField[] = [
  { name: 'accountIndex', bits: ACCOUNT_INDEX_BITS },
  { name: 'instrumentId', bits: INSTRUMENT_ID_BITS },
  { name: 'isShort', bits: 1 },
  { name: 'isUsed', bits: 1 },
  { name: 'lots', bits: SIZE_BITS },
];

const settlementElement = (row: CommittedSettlement): bigint =>
  pack(SETTLEMENT_LAYOUT, {
    accountIndex: BigInt(row.accountIndex),
    instrumentId: BigInt(row.instrumentId),
    isShort: bit(row.isShort),
    isUsed: bit(row.isUsed),
    lots: row.lots,
  });

/** The list that is hashed, as field elements. */
export const commitmentValues = (batch: CommittedBatch, shape: StateShape): bigint[] =>
  [
    ...batch.header,
    ...batch.events,
    ...batch.accounts.flatMap((row) => accountElements(row, shape)),
    ...batch.instruments.flatMap(instrumentElements),
    ...batch.signatures,
    ...batch.messages.flatMap(messageElements),
    ...batch.withdrawals.map(withdrawalElement),
    ...batch.settlements.map(settlementElement),
    bits([...batch.flags.hasRow, ...batch.flags.isSignatureUsed, ...batch.flags.isShrinking]),
  ].map(toField);

export const commitmentOf = (batch: CommittedBatch, shape: StateShape): bigint =>
  poseidonChain(commitmentValues(batch, shape));

/** δ weighs the lists of positions, γ the components of a list, β the fields of a bus key. */
export interface FirstChallenges {
  readonly delta: bigint;
  readonly gamma: bigint;
  readonly beta: bigint;
}

export const firstChallenges = (challenge: bigint): FirstChallenges => ({
  delta: poseidon([challenge, 1n]),
  gamma: poseidon([challenge, 2n]),
  beta: poseidon([challenge, 3n]),
});
