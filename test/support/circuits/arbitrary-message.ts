/** Random signed messages, every field over its whole width. */
import fc from 'fast-check';
import { type Message, type OrderMessage, packMessage, type WithdrawMessage } from '#protocol/message.ts';
import { childrenOnPath } from '#prover/witness/paths.ts';

const bits = (count: number): fc.Arbitrary<bigint> =>
  fc.oneof(fc.bigInt(0n, (1n << BigInt(count)) - 1n), fc.constantFrom(0n, 1n, (1n << BigInt(count)) - 1n));
const floorBackWords = fc.nat(7);

export const anyOrder: fc.Arbitrary<OrderMessage> = fc.record({
  kind: fc.constant('order' as const),
  instrumentId: fc.nat(2 ** 20 - 1),
  side: fc.constantFrom('buy' as const, 'sell' as const),
  isReduceOnly: fc.boolean(),
  sizeLots: bits(47),
  limitMicrosPerLot: bits(40),
  expirySec: bits(32),
  nonce: bits(40),
  floorBackWords,
  feeCapPpm: bits(20),
});

/** Orders, cancels and cancel-alls. */
export const anyOrderMessage: fc.Arbitrary<Message> = fc.oneof(
  { weight: 3, arbitrary: anyOrder },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('cancel' as const), nonce: bits(40), floorBackWords }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'cancel-all' as const }) },
);

/** Of one of the four tokens. */
export const anyWithdrawal: fc.Arbitrary<WithdrawMessage> = fc.record({
  kind: fc.constant('withdraw' as const),
  tokenId: fc.nat(3),
  amount: bits(88),
  expirySec: bits(32),
  nonce: bits(40),
  floorBackWords,
});

/** A message alone under signature row 1 of two, as rows read it; row 0 is used by another account. */
export function signedMessage(message: Message | undefined, accountIndex: bigint) {
  const packed = message === undefined ? 0n : packMessage(message);
  const children = childrenOnPath(packed, 0, [
    [0n, 0n, 0n],
    [0n, 0n, 0n],
  ]);
  return {
    message: packed,
    signatureIndex: 1,
    place: 0,
    children,
    signatureIsUsed: [1, 1],
    signatureAccount: [accountIndex + 1n, accountIndex],
    signatureRoot: [1234n, packed],
    signatureIsDepth1: [0, 0],
    signatureIsDepth2: [0, 0],
  };
}
