import type { PublicKey } from './account.ts';
import { InputError } from './errors.ts';
import {
  AMOUNT_BITS,
  FEE_CAP_BITS,
  FLOOR_BACK_BITS,
  INSTRUMENT_ID_BITS,
  NONCE_BITS,
  PRICE_BITS,
  SIZE_BITS,
  TIME_BITS,
  TOKEN_ID_BITS,
} from './limits.ts';
import { type PackField, pack, unpack } from './pack.ts';

export const MESSAGE_KIND = { order: 1n, cancel: 2n, cancelAll: 3n, withdraw: 4n } as const;
/** "BALLAST" in ASCII: the domain tag of every signed message tree. */
export const SIGNED_MESSAGES_TAG = 0x42414c4c415354n;

export interface OrderMessage {
  readonly kind: 'order';
  readonly instrumentId: number;
  readonly side: 'buy' | 'sell';
  readonly isReduceOnly: boolean;
  readonly sizeLots: bigint;
  readonly limitMicrosPerLot: bigint;
  readonly expirySec: bigint;
  readonly nonce: bigint;
  /** When this takes effect every nonce below 32 · (⌊nonce / 32⌋ − floorBackWords) dies. */
  readonly floorBackWords: number;
  readonly feeCapPpm: bigint;
}
export interface CancelMessage {
  readonly kind: 'cancel';
  /** Nonce of the order to kill. */
  readonly nonce: bigint;
  readonly floorBackWords: number;
}
export interface CancelAllMessage {
  readonly kind: 'cancel-all';
}
export interface WithdrawMessage {
  readonly kind: 'withdraw';
  /** 0 is the quote token (amount in micros), 1..3 a spot token (amount in lots). */
  readonly tokenId: number;
  readonly amount: bigint;
  readonly expirySec: bigint;
  readonly nonce: bigint;
  readonly floorBackWords: number;
}
export type Message = OrderMessage | CancelMessage | CancelAllMessage | WithdrawMessage;

/** One signature over a tree of messages (docs/protocol.md §3). */
export interface SignedMessages {
  readonly accountIndex: number;
  readonly epoch: bigint;
  /** 0, 1 or 2: room for 1, 4 or 16 messages. */
  readonly depth: number;
  readonly messages: readonly Message[];
  readonly signature: { readonly r8: PublicKey; readonly s: bigint };
}

/** Where signatures are valid: another chain or contract is another domain. */
export interface SigningDomain {
  readonly chainId: bigint;
  readonly rollupAddress: bigint;
}

export const ORDER_LAYOUT: readonly PackField[] = [
  { name: 'kind', bits: 4 },
  { name: 'instrumentId', bits: INSTRUMENT_ID_BITS },
  { name: 'isSell', bits: 1 },
  { name: 'isReduceOnly', bits: 1 },
  { name: 'sizeLots', bits: SIZE_BITS },
  { name: 'limitMicrosPerLot', bits: PRICE_BITS },
  { name: 'expirySec', bits: TIME_BITS },
  { name: 'nonce', bits: NONCE_BITS },
  { name: 'floorBackWords', bits: FLOOR_BACK_BITS },
  { name: 'feeCapPpm', bits: FEE_CAP_BITS },
];
export const WITHDRAW_LAYOUT: readonly PackField[] = [
  { name: 'kind', bits: 4 },
  { name: 'tokenId', bits: TOKEN_ID_BITS },
  { name: 'amount', bits: AMOUNT_BITS },
  { name: 'expirySec', bits: TIME_BITS },
  { name: 'nonce', bits: NONCE_BITS },
  { name: 'floorBackWords', bits: FLOOR_BACK_BITS },
];

/** The packed field element that is a leaf of the signed tree. */
export function packMessage(message: Message): bigint {
  switch (message.kind) {
    case 'order':
      return pack(ORDER_LAYOUT, {
        kind: MESSAGE_KIND.order,
        instrumentId: BigInt(message.instrumentId),
        isSell: message.side === 'sell' ? 1n : 0n,
        isReduceOnly: message.isReduceOnly ? 1n : 0n,
        sizeLots: message.sizeLots,
        limitMicrosPerLot: message.limitMicrosPerLot,
        expirySec: message.expirySec,
        nonce: message.nonce,
        floorBackWords: BigInt(message.floorBackWords),
        feeCapPpm: message.feeCapPpm,
      });
    case 'cancel':
      return pack(ORDER_LAYOUT, {
        kind: MESSAGE_KIND.cancel,
        nonce: message.nonce,
        floorBackWords: BigInt(message.floorBackWords),
      });
    case 'cancel-all':
      return MESSAGE_KIND.cancelAll;
    case 'withdraw':
      return pack(WITHDRAW_LAYOUT, {
        kind: MESSAGE_KIND.withdraw,
        tokenId: BigInt(message.tokenId),
        amount: message.amount,
        expirySec: message.expirySec,
        nonce: message.nonce,
        floorBackWords: BigInt(message.floorBackWords),
      });
  }
}

/** The reverse of `packMessage`; refuses an unknown kind and any unused bit that is set. */
export function unpackMessage(packed: bigint): Message {
  const kind = packed & 15n;
  if (kind === MESSAGE_KIND.withdraw) {
    const fields = unpack(WITHDRAW_LAYOUT, packed);
    return {
      kind: 'withdraw',
      tokenId: Number(fields.tokenId),
      amount: fields.amount,
      expirySec: fields.expirySec,
      nonce: fields.nonce,
      floorBackWords: Number(fields.floorBackWords),
    };
  }
  const fields = unpack(ORDER_LAYOUT, packed);
  if (kind === MESSAGE_KIND.order) {
    return {
      kind: 'order',
      instrumentId: Number(fields.instrumentId),
      side: fields.isSell === 1n ? 'sell' : 'buy',
      isReduceOnly: fields.isReduceOnly === 1n,
      sizeLots: fields.sizeLots,
      limitMicrosPerLot: fields.limitMicrosPerLot,
      expirySec: fields.expirySec,
      nonce: fields.nonce,
      floorBackWords: Number(fields.floorBackWords),
      feeCapPpm: fields.feeCapPpm,
    };
  }
  const message: Message =
    kind === MESSAGE_KIND.cancel
      ? { kind: 'cancel', nonce: fields.nonce, floorBackWords: Number(fields.floorBackWords) }
      : { kind: 'cancel-all' };
  if (kind > MESSAGE_KIND.cancelAll || kind === 0n || packMessage(message) !== packed) {
    throw new InputError('message', packed, 'expected kind 1 to 4 and zero in every unused bit');
  }
  return message;
}
