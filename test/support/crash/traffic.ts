/** Signed messages of a few traders: most of them rest or are ended without a trade, a few trade or cancel. */
import type { Message, SignedMessages, SigningDomain } from '#protocol/message.ts';
import { signMessages } from '#protocol/signing.ts';
import type { OrderOptions } from '#sequencer/commands.ts';
import { orderMessage, secretOf, USD } from '../ledger.ts';

export const ACCOUNTS = [1, 2, 3];
const MARK = 100n;
const FOR_EVER_SEC = 4_000_000_000n;
/** Resting orders leave the book by themselves: an account may have 128 of them. */
const REST_SEC_MIN = 4n;
const REST_SEC_RANGE = 6;

export interface Submission {
  readonly signed: SignedMessages;
  readonly options: readonly OrderOptions[];
}

export class Traffic {
  readonly #domain: SigningDomain;
  readonly #random: (below: number) => number;
  readonly #nonces = new Map<number, bigint>(ACCOUNTS.map((account) => [account, 0n]));
  readonly #quiet: Submission[] = [];

  constructor(domain: SigningDomain, random: (below: number) => number) {
    this.#domain = domain;
    this.#random = random;
  }

  /** How many quiet messages are signed and not yet taken. */
  get ahead(): number {
    return this.#quiet.length;
  }

  /** Signs one more; resting orders are to be sent within a few seconds of `nowSec`. */
  signAhead(nowSec: bigint): void {
    this.#quiet.push(this.#quietOrder(nowSec));
  }

  /** An order that finds nobody: half of them rest, half end at once. */
  quiet(nowSec: bigint): Submission {
    return this.#quiet.shift() ?? this.#quietOrder(nowSec);
  }

  #quietOrder(nowSec: bigint): Submission {
    const rests = this.#random(2) === 0;
    const isBuy = this.#random(2) === 0;
    const away = BigInt(5 + this.#random(30));
    const expirySec = rests ? nowSec + REST_SEC_MIN + BigInt(this.#random(REST_SEC_RANGE)) : FOR_EVER_SEC;
    return this.#order(
      this.#anyone(),
      isBuy,
      isBuy ? MARK - away : MARK + away,
      expirySec,
      rests ? 'gtc' : 'ioc',
    );
  }

  /** An order at the mark, and another's that takes it. */
  pair(): readonly [Submission, Submission] {
    const maker = this.#random(ACCOUNTS.length);
    const taker = (maker + 1 + this.#random(ACCOUNTS.length - 1)) % ACCOUNTS.length;
    const isBuy = this.#random(2) === 0;
    return [
      this.#order(ACCOUNTS[maker], isBuy, MARK, FOR_EVER_SEC, 'gtc'),
      this.#order(ACCOUNTS[taker], !isBuy, MARK, FOR_EVER_SEC, 'ioc'),
    ];
  }

  /** Cancels the last order of someone, and by the floor it signs everything well before it. */
  cancel(): Submission {
    const account = this.#anyone();
    const nonce = (this.#nonces.get(account) ?? 1n) - 1n;
    return this.#signed(
      account,
      { kind: 'cancel', nonce: nonce < 0n ? 0n : nonce, floorBackWords: 1 },
      'gtc',
    );
  }

  #anyone(): number {
    return ACCOUNTS[this.#random(ACCOUNTS.length)];
  }

  #order(
    account: number,
    isBuy: boolean,
    dollars: bigint,
    expirySec: bigint,
    timeInForce: 'gtc' | 'ioc',
  ): Submission {
    const nonce = this.#nonces.get(account) ?? 0n;
    this.#nonces.set(account, nonce + 1n);
    const message = orderMessage({
      side: isBuy ? 'buy' : 'sell',
      sizeLots: BigInt(1 + this.#random(3)),
      limitMicrosPerLot: dollars * USD,
      nonce,
      expirySec,
    });
    return this.#signed(account, message, timeInForce);
  }

  #signed(accountIndex: number, message: Message, timeInForce: 'gtc' | 'ioc'): Submission {
    const content = { accountIndex, epoch: 1n, messages: [message] };
    const signed = signMessages(this.#domain, secretOf(accountIndex), content);
    return { signed, options: [{ timeInForce, isPostOnly: false }] };
  }
}
