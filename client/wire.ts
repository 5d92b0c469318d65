/** Signed messages as the API takes them: JSON in which every amount is a canonical decimal string. */
import type { Message, SignedMessages } from '#protocol/message.ts';

/** How the engine handles an order: its promise, not proved. */
export interface OrderOptions {
  /** 'ioc' with a limit is the market order. */
  readonly timeInForce?: 'gtc' | 'ioc' | 'fok';
  /** Refused if it would take. */
  readonly isPostOnly?: boolean;
}

const decimals = (pair: readonly [bigint, bigint]): [string, string] => [
  pair[0].toString(),
  pair[1].toString(),
];

/** Every bigint field as a decimal string, the others as they are. */
export const messageBody = (message: Message): Record<string, string | number | boolean> =>
  Object.fromEntries(
    Object.entries(message).map(([name, field]) => [
      name,
      typeof field === 'bigint' ? field.toString() : field,
    ]),
  );

/** Body of `POST /v1/messages`; `options[i]` belongs to message i and only matters for orders. */
export function submissionBody(signed: SignedMessages, options?: readonly OrderOptions[]): object {
  return {
    accountIndex: signed.accountIndex,
    epoch: signed.epoch.toString(),
    depth: signed.depth,
    messages: signed.messages.map(messageBody),
    signature: { r8: decimals(signed.signature.r8), s: signed.signature.s.toString() },
    ...(options === undefined ? {} : { options: signed.messages.map((_, i) => options[i] ?? {}) }),
  };
}
