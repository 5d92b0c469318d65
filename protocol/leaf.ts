/** Packing and hash of an account leaf: docs/protocol.md §2. */
import type { Account, OrderRecord, PositionSlot } from './account.ts';
import { poseidon } from './crypto/poseidon.ts';
import { InputError } from './errors.ts';
import {
  CASH_STAR_BITS,
  EPOCH_BITS,
  INSTRUMENT_ID_BITS,
  NONCE_WORD_BITS,
  NONCES_PER_WORD,
  RECORD_OFFSET_BITS,
  SIZE_BITS,
  SPOT_SLOTS,
  type StateShape,
  USED_MAP_BITS,
} from './limits.ts';
import { pack, unpack } from './pack.ts';
import type { Lots, Micros } from './units.ts';

const RECORD_BITS = RECORD_OFFSET_BITS + SIZE_BITS;
const SLOT_BITS = INSTRUMENT_ID_BITS + 1 + SIZE_BITS;
const SLOTS_PER_ELEMENT = 3;
const RECORDS_IN_CASH_ELEMENT = 2;
const RECORDS_PER_ELEMENT = 4;

const slotLayout = [
  { name: 'id', bits: INSTRUMENT_ID_BITS },
  { name: 'isShort', bits: 1 },
  { name: 'magnitude', bits: SIZE_BITS },
];
const recordLayout = [
  { name: 'offset', bits: RECORD_OFFSET_BITS },
  { name: 'filled', bits: SIZE_BITS },
];
const statusLayout = [
  { name: 'usedMap', bits: USED_MAP_BITS },
  { name: 'epoch', bits: EPOCH_BITS },
];
const cashLayout = [
  { name: 'cashBiased', bits: CASH_STAR_BITS + 1 },
  { name: 'baseWord', bits: NONCE_WORD_BITS },
  { name: 'record0', bits: RECORD_BITS },
  { name: 'record1', bits: RECORD_BITS },
];

const CASH_BIAS = 1n << BigInt(CASH_STAR_BITS);

/** 68 bits: id, side, magnitude. Empty slot: 0. */
export function packSlot(slot: PositionSlot): bigint {
  return pack(slotLayout, {
    id: BigInt(slot.instrumentId),
    isShort: slot.size < 0n ? 1n : 0n,
    magnitude: slot.size < 0n ? -slot.size : slot.size,
  });
}

function unpackSlot(packed: bigint): PositionSlot {
  const { id, isShort, magnitude } = unpack(slotLayout, packed);
  return { instrumentId: Number(id), size: (isShort === 1n ? -magnitude : magnitude) as Lots };
}

/** 55 bits: offset in the window, filled lots. */
function packRecord(record: OrderRecord, baseWord: bigint): bigint {
  return pack(recordLayout, {
    offset: record.nonce - BigInt(NONCES_PER_WORD) * baseWord,
    filled: record.filled,
  });
}

function packConcat(values: readonly bigint[], bits: number): bigint {
  return values.reduce((sum, value, i) => sum | (value << BigInt(bits * i)), 0n);
}

/** Packed records, empties first so that the offsets of live ones increase. */
export function packedRecords(account: Account, shape: StateShape): bigint[] {
  if (account.records.length > shape.recordSlots) {
    throw new InputError('records', account.records.length, `a leaf holds at most ${shape.recordSlots}`);
  }
  const live = account.records.map((record) => packRecord(record, account.baseWord));
  return [...Array<bigint>(shape.recordSlots - live.length).fill(0n), ...live];
}

/** The elements that are hashed, in order; those from index 2 on are published as public words. */
export function leafElements(account: Account, shape: StateShape): bigint[] {
  const records = packedRecords(account, shape);
  const slots = account.slots.map(packSlot);
  const status = pack(statusLayout, { usedMap: account.usedMap, epoch: account.epoch });
  const cash = pack(cashLayout, {
    cashBiased: account.cashStar + CASH_BIAS,
    baseWord: account.baseWord,
    record0: records[0] ?? 0n,
    record1: records[1] ?? 0n,
  });
  const furtherRecords: bigint[] = [];
  for (let i = RECORDS_IN_CASH_ELEMENT; i < shape.recordSlots; i += RECORDS_PER_ELEMENT) {
    furtherRecords.push(packConcat(records.slice(i, i + RECORDS_PER_ELEMENT), RECORD_BITS));
  }
  const positions: bigint[] = [];
  for (let i = 0; i < shape.derivativeSlots - 1; i += SLOTS_PER_ELEMENT) {
    positions.push(packConcat(slots.slice(i, Math.min(i + SLOTS_PER_ELEMENT, slots.length - 1)), SLOT_BITS));
  }
  const last = slots[slots.length - 1] | (packConcat(account.spot, SIZE_BITS) << BigInt(SLOT_BITS));
  return [...account.publicKey, status, cash, ...furtherRecords, ...positions, last];
}

/** The reverse of `leafElements`: rebuilds an account from published data and its key. */
export function accountFromElements(elements: readonly bigint[], shape: StateShape): Account {
  const [keyX, keyY, statusElement, cashElement, ...rest] = elements;
  const { usedMap, epoch } = unpack(statusLayout, statusElement);
  const cash = unpack(cashLayout, cashElement);
  const furtherCount = Math.ceil(
    Math.max(0, shape.recordSlots - RECORDS_IN_CASH_ELEMENT) / RECORDS_PER_ELEMENT,
  );
  const recordMask = (1n << BigInt(RECORD_BITS)) - 1n;
  const recordParts = [cash.record0, cash.record1];
  for (let i = 0; i + RECORDS_IN_CASH_ELEMENT < shape.recordSlots; i++) {
    recordParts.push(
      (rest[Math.floor(i / RECORDS_PER_ELEMENT)] >> BigInt(RECORD_BITS * (i % RECORDS_PER_ELEMENT))) &
        recordMask,
    );
  }
  const records = recordParts
    .filter((packed) => packed !== 0n)
    .map((packed) => {
      const { offset, filled } = unpack(recordLayout, packed);
      return { nonce: BigInt(NONCES_PER_WORD) * cash.baseWord + offset, filled: filled as Lots };
    });
  const slotMask = (1n << BigInt(SLOT_BITS)) - 1n;
  const positions = rest.slice(furtherCount);
  const last = positions[positions.length - 1];
  const slots = Array.from({ length: shape.derivativeSlots }, (_, i) =>
    i === shape.derivativeSlots - 1
      ? unpackSlot(last & slotMask)
      : unpackSlot(
          (positions[Math.floor(i / SLOTS_PER_ELEMENT)] >> BigInt(SLOT_BITS * (i % SLOTS_PER_ELEMENT))) &
            slotMask,
        ),
  );
  const sizeMask = (1n << BigInt(SIZE_BITS)) - 1n;
  const spot = Array.from(
    { length: SPOT_SLOTS },
    (_, i) => ((last >> BigInt(SLOT_BITS + SIZE_BITS * i)) & sizeMask) as Lots,
  );
  const account: Account = {
    publicKey: [keyX, keyY],
    epoch,
    baseWord: cash.baseWord,
    usedMap,
    records,
    cashStar: (cash.cashBiased - CASH_BIAS) as Micros,
    slots,
    spot,
  };
  const again = leafElements(account, shape);
  if (again.length !== elements.length || again.some((element, i) => element !== elements[i])) {
    throw new InputError('elements', elements.join(','), 'not the canonical packing of any account');
  }
  return account;
}

export const leafHash = (account: Account, shape: StateShape): bigint =>
  poseidon(leafElements(account, shape));
