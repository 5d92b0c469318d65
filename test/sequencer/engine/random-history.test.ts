import { expect } from 'chai';
import fc from 'fast-check';
import type { BatchCapacity } from '#protocol/limits.ts';
import type { Message, SignedMessages } from '#protocol/message.ts';
import { signedHashOf } from '#protocol/signing.ts';
import { ledgerTotals, stateRoot } from '#protocol/state.ts';
import type { Command } from '#sequencer/commands.ts';
import { applyCommand } from '#sequencer/core.ts';
import { decode, encode } from '#sequencer/ledger/codec.ts';
import { outcomeHashOf } from '#sequencer/ledger/log.ts';
import { remainingOf } from '#sequencer/orders.ts';
import { EngineState } from '#sequencer/state.ts';
import { testConfig } from '../../support/engine.ts';
import {
  DOMAIN,
  l1,
  marked,
  NOW_SEC,
  orderMessage,
  QUOTES,
  ROOMY,
  requireBooksBalance,
  sign,
  USD,
  withdrawMessage,
} from '../../support/ledger.ts';
import { UNCHECKED_INPUTS, UNCHECKED_PROOF } from '../../support/unchecked-proof.ts';

const ACCOUNTS = [1, 2, 3, 4];
const SMALL: BatchCapacity = { ...ROOMY, accounts: 3, signatures: 4, messages: 5, liquidations: 2 };

/** Little is kept, so that forgetting is part of every history. */
const CONFIG = testConfig({ capacity: SMALL, takerFeePpm: 500n, closedOrdersKept: 3 });

/** Signing is slow, so equal messages are signed once for all runs. */
const signatures = new Map<string, SignedMessages>();
function signed(accountIndex: number, message: Message, epoch: bigint): SignedMessages {
  const key = `${accountIndex} ${epoch} ${encode(message)}`;
  const known = signatures.get(key) ?? sign(accountIndex, [message], epoch);
  signatures.set(key, known);
  return known;
}

type Step =
  | {
      kind: 'order';
      account: number;
      side: 'buy' | 'sell';
      lots: number;
      price: number;
      isReduceOnly: boolean;
      isIoc: boolean;
    }
  | { kind: 'cancel'; account: number; back: number }
  | { kind: 'cancel-all'; account: number }
  | { kind: 'withdraw'; account: number; dollars: number }
  | { kind: 'deposit'; account: number }
  | { kind: 'l1-cancel-all'; account: number }
  | { kind: 'round'; price: number }
  | { kind: 'seal' }
  | { kind: 'prove' }
  | { kind: 'finalize' }
  | { kind: 'reseal'; back: number };

const account = fc.constantFrom(...ACCOUNTS);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      kind: fc.constant('order' as const),
      account,
      side: fc.constantFrom<'buy' | 'sell'>('buy', 'sell'),
      lots: fc.integer({ min: 1, max: 4 }),
      price: fc.integer({ min: 98, max: 102 }),
      isReduceOnly: fc.boolean(),
      isIoc: fc.boolean(),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('cancel' as const), account, back: fc.nat(6) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('cancel-all' as const), account }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('l1-cancel-all' as const), account }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('deposit' as const), account }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('withdraw' as const),
      account,
      dollars: fc.integer({ min: 1, max: 300 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('round' as const), price: fc.integer({ min: 93, max: 107 }) }),
  },
  { weight: 2, arbitrary: fc.constant({ kind: 'seal' as const }) },
  { weight: 2, arbitrary: fc.constant({ kind: 'prove' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'finalize' as const }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('reseal' as const), back: fc.nat(4) }) },
);

/** Plays steps on an engine core; keeps the commands it gave, for the replay. */
class History {
  readonly state = new EngineState(CONFIG);
  readonly log: { text: string; outcome: string }[] = [];
  readonly #nonces = new Map<number, bigint>(ACCOUNTS.map((a) => [a, 0n]));
  #block = 0;
  #queueIndex = 0;
  #tableIndex = 0;
  #timeSec = NOW_SEC;

  constructor() {
    const operations = ACCOUNTS.flatMap((a) => [l1('register', a), l1('deposit', a, 0, 400n * USD)]);
    this.l1Block(operations, 100);
    for (let i = 0; i < 8; i++) {
      this.give({ kind: 'seal', reason: 'asked' });
      this.prove();
    }
  }

  give(command: Command): void {
    const { events, refusal } = applyCommand(this.state, command);
    if (events.length > 0 || (command.kind !== 'submit' && refusal === undefined)) {
      this.log.push({ text: encode(command), outcome: outcomeHashOf(events) });
    }
    this.check();
  }

  l1Block(operations: ReturnType<typeof l1>[], price?: number): void {
    this.#timeSec += price === undefined ? 0n : 10n;
    this.give({
      kind: 'l1-block',
      blockNumber: ++this.#block,
      blockHash: `${this.#block}`,
      timeSec: this.#timeSec,
      operations: operations.map((operation) => ({ queueIndex: this.#queueIndex++, operation })),
      confirmedQueueEnd: this.#queueIndex,
      tables:
        price === undefined
          ? []
          : [
              {
                index: this.#tableIndex,
                table: {
                  ...marked(BigInt(price)),
                  roundNumber: BigInt(++this.#tableIndex),
                  timeSec: this.#timeSec,
                },
                quotes: QUOTES,
                acceptedAtSec: this.#timeSec,
              },
            ],
      numbers: undefined,
    });
  }

  prove(): void {
    for (const { number, attempt } of this.state.unprovedBatches) {
      this.give({
        kind: 'batch-proven',
        batchNumber: number,
        attempt,
        proof: UNCHECKED_PROOF,
        inputs: UNCHECKED_INPUTS,
      });
    }
  }

  /** L1 accepts the oldest batch that has a proof. */
  finalize(): void {
    const oldest = [...this.state.batches.values()].find(({ status }) => status !== 'final');
    if (oldest?.status !== 'proven') return;
    const { number, newStateRoot } = oldest;
    this.give({
      kind: 'batch-final',
      batchNumber: number,
      newStateRoot,
      l1Block: this.#block,
      l1TxHash: '0x',
    });
  }

  submit(accountIndex: number, message: Message, timeInForce: 'gtc' | 'ioc' = 'gtc'): void {
    const { epoch } = this.state.account(accountIndex);
    const body = signed(accountIndex, message, epoch);
    this.give({
      kind: 'submit',
      signed: body,
      options: [{ timeInForce, isPostOnly: false }],
      signedHash: signedHashOf(DOMAIN, body),
    });
  }

  play(step: Step): void {
    switch (step.kind) {
      case 'order': {
        const nonce = this.#nonces.get(step.account) ?? 0n;
        this.#nonces.set(step.account, nonce + 1n);
        const limitMicrosPerLot = BigInt(step.price) * USD;
        const { side, isReduceOnly } = step;
        const message = orderMessage({
          side,
          isReduceOnly,
          sizeLots: BigInt(step.lots),
          limitMicrosPerLot,
          nonce,
        });
        this.submit(step.account, message, step.isIoc ? 'ioc' : 'gtc');
        return;
      }
      case 'cancel': {
        const nonce = (this.#nonces.get(step.account) ?? 0n) - BigInt(step.back);
        if (nonce >= 0n) this.submit(step.account, { kind: 'cancel', nonce, floorBackWords: 1 });
        return;
      }
      case 'cancel-all':
        this.submit(step.account, { kind: 'cancel-all' });
        return;
      case 'withdraw': {
        const nonce = this.#nonces.get(step.account) ?? 0n;
        this.#nonces.set(step.account, nonce + 1n);
        this.submit(step.account, withdrawMessage({ amount: BigInt(step.dollars) * USD, nonce }));
        return;
      }
      case 'deposit':
        this.l1Block([l1('deposit', step.account, 0, 50n * USD)]);
        return;
      case 'l1-cancel-all':
        this.l1Block([l1('cancelAll', step.account)]);
        return;
      case 'round':
        this.l1Block([], step.price);
        return;
      case 'seal':
        this.give({ kind: 'seal', reason: 'asked' });
        return;
      case 'prove':
        this.prove();
        return;
      case 'finalize':
        this.finalize();
        return;
      case 'reseal':
        this.give({
          kind: 'reseal',
          batchNumber: this.state.nextBatchNumber - 1 - step.back,
          reason: 'asked',
        });
    }
  }

  /** What must hold after every command. */
  check(): void {
    const { state } = this;
    const resting = new Set<string>();
    for (const book of state.books.values()) {
      for (const side of ['buy', 'sell'] as const) {
        for (const order of book.inPriority(side)) {
          resting.add(order.hash);
          const record = state.orders.get(order.hash)!;
          expect(record.closed, 'a resting order is open').to.equal(undefined);
          expect(order.remainingLots).to.equal(remainingOf(record));
        }
      }
      const [bid, ask] = [book.best('buy'), book.best('sell')];
      if (bid !== undefined && ask !== undefined && bid.accountIndex !== ask.accountIndex) {
        expect(bid.limitMicrosPerLot < ask.limitMicrosPerLot, 'the book is not crossed').to.equal(true);
      }
    }
    for (const own of state.openOrders.values()) {
      for (const hash of own.values())
        expect(state.orders.has(hash), 'an open order is known').to.equal(true);
    }
    const { waitingCancels, messages } = state;
    expect(waitingCancels.hashes).to.have.length(waitingCancels.count);
    expect(waitingCancels.hashes.every((hash) => messages.get(hash)?.batchNumber === undefined)).to.equal(
      true,
    );
    for (const record of state.orders.values()) {
      expect(resting.has(record.hash), `${record.hash} rests`).to.equal(record.closed === undefined);
      const filled = record.fills.reduce((sum, fill) => sum + fill.lots, 0n);
      expect(filled).to.equal(record.filledLots);
      expect(filled <= record.order.sizeLots).to.equal(true);
    }
  }
}

describe('any history of commands', () => {
  it('keeps books, orders and ledger in agreement, and replays to the same root', function () {
    this.timeout(120_000);
    fc.assert(
      fc.property(fc.array(step, { minLength: 15, maxLength: 45 }), (steps) => {
        const history = new History();
        for (const one of steps) history.play(one);
        requireBooksBalance(history.state.ledger);
        // Money only moves: cash and treasury are what was deposited less what was withdrawn.
        const { cashStarMicros } = ledgerTotals(history.state.ledger);
        const { liquid, fundBookedMicros } = history.state.l1Ledger;
        expect(cashStarMicros).to.equal(liquid[0]);
        expect(fundBookedMicros >= 0n).to.equal(true);
        const again = new EngineState(CONFIG);
        for (const { text, outcome } of history.log) {
          expect(outcomeHashOf(applyCommand(again, decode<Command>(text)).events)).to.equal(outcome);
        }
        expect(stateRoot(again.ledger)).to.equal(stateRoot(history.state.ledger));
      }),
      { numRuns: 20, seed: Number(process.env.SEED ?? 1) },
    );
  });
});
