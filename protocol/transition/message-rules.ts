/** What a signed message allows, whatever the account holds: docs/protocol.md §3. Judged on aggregated rows. */
import type { Account } from '../account.ts';
import type { BatchContent, BatchHeader, MessageExecution, WithdrawalExecution } from '../batch/batch.ts';
import { type Rejection, reject } from '../errors.ts';
import { ORDER_BETTER_BITS, ORDER_CASH_BITS, ORDER_FEE_BITS, ORDER_FEE_ROOM_BITS } from '../limits.ts';
import type { OrderMessage, SignedMessages, WithdrawMessage } from '../message.ts';
import { rowOf } from '../risk/table.ts';
import { verifySignedMessages } from '../signing.ts';
import { abs, PPM_ONE } from '../units.ts';
import type { AccountEvents } from './events.ts';

/** `before`: the account at the batch's start, whose key and epoch the signature must have. */
export function refuseSignature(
  signed: SignedMessages,
  before: Account,
  header: BatchHeader,
): Rejection | undefined {
  const { accountIndex } = signed;
  if (signed.epoch !== before.epoch) {
    return reject('wrong-epoch', 'the message was signed for another epoch of the account; sign again', {
      accountIndex,
      signedEpoch: signed.epoch,
      epoch: before.epoch,
    });
  }
  if (!verifySignedMessages(header.domain, before.publicKey, signed)) {
    return reject(
      'bad-signature',
      "the signature is not one of the account's key for this chain and contract",
      {
        accountIndex,
      },
    );
  }
  return undefined;
}

const expired = (
  header: BatchHeader,
  message: { expirySec: bigint; nonce: bigint },
): Rejection | undefined =>
  header.timeSec <= message.expirySec
    ? undefined
    : reject('expired', 'the batch is later than the expiry that was signed', {
        nonce: message.nonce,
        expirySec: message.expirySec,
        batchTimeSec: header.timeSec,
      });

/** Numbers ≥ 0 that an order row has only so many bits for. */
function refuseWidths(
  numbers: Readonly<Record<string, readonly [value: bigint, bits: number]>>,
): Rejection | undefined {
  const over = Object.entries(numbers).filter(([, [value, bits]]) => value >> BigInt(bits) > 0n);
  if (over.length === 0) return undefined;
  const data = over.flatMap(([name, [value, bits]]) => [
    [name, value],
    [`${name}Max`, (1n << BigInt(bits)) - 1n],
  ]);
  return reject(
    'out-of-range',
    'the fill does not fit an order row; fill less of it',
    Object.fromEntries(data),
  );
}

/** One order row: total fill, cash and fee in this batch. */
function refuseOrder(order: OrderMessage, row: MessageExecution, header: BatchHeader): Rejection | undefined {
  const risk = rowOf(header.table, order.instrumentId);
  const data = { nonce: order.nonce, instrumentId: order.instrumentId };
  if (risk === undefined)
    return reject('instrument-not-listed', 'this round does not list the instrument', data);
  if (risk.expirySec !== 0n && header.timeSec >= risk.expirySec) {
    return reject('instrument-expired', 'an expired instrument settles and no longer trades', {
      ...data,
      expirySec: risk.expirySec,
      batchTimeSec: header.timeSec,
    });
  }
  const { fillLots, cashMicros, feeMicros } = row;
  if (fillLots <= 0n || cashMicros < 0n || feeMicros < 0n) {
    return reject('empty-fill', 'a fill has lots, and neither its cash nor its fee is negative', {
      ...data,
      fillLots,
      cashMicros,
      feeMicros,
    });
  }
  const wide = refuseWidths({
    cashMicros: [cashMicros, ORDER_CASH_BITS],
    feeMicros: [feeMicros, ORDER_FEE_BITS],
  });
  if (wide !== undefined) return { ...wide, data: { ...data, ...wide.data } };
  const atLimit = fillLots * order.limitMicrosPerLot;
  if (order.side === 'buy' ? cashMicros > atLimit : cashMicros < atLimit) {
    return reject('limit-price', 'the fill is worse than the signed limit', {
      ...data,
      cashMicros,
      cashAtLimitMicros: atLimit,
    });
  }
  if (feeMicros * PPM_ONE > order.feeCapPpm * cashMicros) {
    return reject('fee-cap', 'the fee is above the signed cap', {
      ...data,
      feeMicros,
      feeCapPpm: order.feeCapPpm,
      cashMicros,
    });
  }
  const far = refuseWidths({
    betterMicros: [abs(atLimit - cashMicros), ORDER_BETTER_BITS],
    feeRoomPpmMicros: [order.feeCapPpm * cashMicros - feeMicros * PPM_ONE, ORDER_FEE_ROOM_BITS],
  });
  if (far !== undefined) return { ...far, data: { ...data, ...far.data } };
  return expired(header, order);
}

function refuseServed(
  message: WithdrawMessage,
  row: WithdrawalExecution,
  header: BatchHeader,
): Rejection | undefined {
  if (row.servedAmount <= 0n || row.servedAmount > message.amount) {
    return reject('served-amount', 'a withdrawal pays something, and no more than was signed', {
      nonce: message.nonce,
      servedAmount: row.servedAmount,
      amount: message.amount,
    });
  }
  return expired(header, message);
}

/** The first signed bound that the account's rows break. */
export function refuseMessages(events: AccountEvents, header: BatchHeader): Rejection | undefined {
  for (const { message, execution } of events.orders) {
    const refusal = refuseOrder(message, execution, header);
    if (refusal !== undefined) return refusal;
  }
  for (const { message, execution } of events.withdrawals) {
    const refusal = refuseServed(message, execution, header);
    if (refusal !== undefined) return refusal;
  }
  return undefined;
}

/** Sets the shrink flag of every order row that must have it: one reduce-only order binds its whole group. */
export function withShrinkFlags(content: BatchContent): MessageExecution[] {
  const keyOf = (row: MessageExecution): string | undefined => {
    const signed = content.signatures[row.signatureIndex];
    const message = signed.messages[row.position];
    return message.kind === 'order' ? `${signed.accountIndex}/${message.instrumentId}` : undefined;
  };
  const bound = new Set<string | undefined>();
  for (const row of content.messages) {
    const message = content.signatures[row.signatureIndex].messages[row.position];
    if (message.kind !== 'order') continue;
    const isMarketReduceOnly = rowOf(content.header.table, message.instrumentId)?.isReduceOnly ?? false;
    if (message.isReduceOnly || isMarketReduceOnly) bound.add(keyOf(row));
  }
  return content.messages.map((row) => {
    const key = keyOf(row);
    return { ...row, isShrinking: key !== undefined && bound.has(key) };
  });
}
