/** A trader: strategy, key and nonces on one side, a venue on the other. It signs; the venue only carries. */
import type { TradingKey } from '#client/keys.ts';
import { NonceManager } from '#client/nonces.ts';
import type { OrderOptions } from '#client/wire.ts';
import type { Account } from '#protocol/account.ts';
import type { RiskTable } from '#protocol/instrument.ts';
import { MESSAGES_PER_SIGNATURE_MAX, NONCES_PER_WORD, STANDARD_SHAPE } from '#protocol/limits.ts';
import type { Message, SignedMessages, SigningDomain } from '#protocol/message.ts';
import { signMessages } from '#protocol/signing.ts';
import type { CastMember } from './cast.ts';
import type { Intent, TraderView } from './strategies/strategy.ts';

/** One message that was not taken: code and words of the refusal. */
export interface RefusedMessage {
  readonly code: string;
  readonly message: string;
}

/** Where signed messages go: the HTTP API, or the engine itself in a test. */
export interface Venue {
  account(accountIndex: number): Promise<Account>;
  submit(signed: SignedMessages, options: readonly OrderOptions[]): Promise<readonly RefusedMessage[]>;
}

export interface Turn {
  readonly feed: TraderView['feed'];
  readonly blocks: TraderView['blocks'];
  readonly table: RiskTable;
  /** Last batch time at which what is signed now may be filled. */
  readonly expirySec: bigint;
}

export interface TurnResult {
  readonly sent: number;
  readonly refused: readonly RefusedMessage[];
}

/** The engine's taker fee is 0.05 %; nobody here signs for more than twice that. */
const FEE_CAP_PPM = 1_000n;

export class Trader {
  readonly member: CastMember;
  readonly accountIndex: number;
  readonly #key: TradingKey;
  readonly #domain: SigningDomain;
  readonly #venue: Venue;
  readonly #nonces = new NonceManager(0n, 0, STANDARD_SHAPE.nonceWords);
  #turns = 0;

  constructor(
    member: CastMember,
    accountIndex: number,
    key: TradingKey,
    domain: SigningDomain,
    venue: Venue,
  ) {
    this.member = member;
    this.accountIndex = accountIndex;
    this.#key = key;
    this.#domain = domain;
    this.#venue = venue;
  }

  /** Looks, decides, signs for everything it wants, as much at a time as one signature takes, and sends. */
  async act(turn: Turn): Promise<TurnResult> {
    const account = await this.#venue.account(this.accountIndex);
    const { feed, blocks, table } = turn;
    const view: TraderView = { age: this.#turns, feed, blocks, account, table };
    this.#turns += 1;
    // A fresh word of nonces: the first fill of this turn's orders kills all older ones.
    const intents = this.member.strategy.intents(view).slice(0, NONCES_PER_WORD);
    this.#nonces.startWord();
    const refused: RefusedMessage[] = [];
    for (let first = 0; first < intents.length; first += MESSAGES_PER_SIGNATURE_MAX) {
      const group = intents.slice(first, first + MESSAGES_PER_SIGNATURE_MAX);
      const messages = group.map((intent) => this.#message(intent, turn.expirySec));
      const content = { accountIndex: this.accountIndex, epoch: account.epoch, messages };
      const signed = signMessages(this.#domain, this.#key.secret, content);
      refused.push(...(await this.#venue.submit(signed, group.map(optionsOf))));
    }
    return { sent: intents.length, refused };
  }

  #message(intent: Intent, expirySec: bigint): Message {
    const nonces = this.#nonces.take();
    if (intent.kind === 'withdraw') {
      return { kind: 'withdraw', tokenId: 0, amount: intent.amountMicros, expirySec, ...nonces };
    }
    const { instrumentId, side, sizeLots, limitMicrosPerLot, isReduceOnly } = intent;
    const order = { instrumentId, side, sizeLots, limitMicrosPerLot, isReduceOnly };
    return { kind: 'order', ...order, expirySec, ...nonces, feeCapPpm: FEE_CAP_PPM };
  }
}

const optionsOf = (intent: Intent): OrderOptions =>
  intent.kind === 'order' && intent.isResting
    ? { timeInForce: 'gtc', isPostOnly: true }
    : { timeInForce: 'ioc' };
