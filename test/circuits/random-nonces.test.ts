/** Random nonces, floors, partial fills and cancels: every batch that the twin seals has a witness. */
import { expect } from 'chai';
import fc from 'fast-check';
import { TINY_BATCH } from '#protocol/limits.ts';
import type { Message, SignedMessages } from '#protocol/message.ts';
import type { MessageReference, Operation } from '#protocol/transition/operation.ts';
import { isBatchConflict } from '#protocol/transition/refusals.ts';
import { buildCircuitInput } from '#prover/witness/build-circuit-input.ts';
import { tinyCircuit } from '#test/support/attack.ts';
import * as ledger from '#test/support/ledger.ts';

const { USD } = ledger;

interface Step {
  readonly kind: 'fill' | 'cancel' | 'cancel-all' | 'withdraw' | 'force-cancel-all' | 'fill-again';
  readonly buyer: 1 | 2;
  readonly nonces: readonly [bigint, bigint];
  readonly floors: readonly [number, number];
  readonly lots: bigint;
  readonly size: bigint;
}

const often = (kind: Step['kind'], weight: number) => ({ weight, arbitrary: fc.constant(kind) });
/** From the base of the account's window, which spans two words: inside of it, and beyond. */
const nonce = fc.bigInt({ min: 0n, max: 110n });
const floor = fc.integer({ min: 0, max: 1 });

const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.oneof(
    often('fill', 8),
    often('fill-again', 5),
    often('cancel', 4),
    often('withdraw', 3),
    often('cancel-all', 1),
    often('force-cancel-all', 1),
  ),
  buyer: fc.constantFrom(1 as const, 2 as const),
  nonces: fc.tuple(nonce, nonce),
  floors: fc.tuple(floor, floor),
  lots: fc.bigInt({ min: 1n, max: 3n }),
  size: fc.bigInt({ min: 1n, max: 6n }),
});

describe('batch circuit and its twin on random nonces', function () {
  this.timeout(600_000);

  it('has a witness for every batch that the twin seals', async () => {
    const counts: Record<string, number> = {};
    const sequences = fc.sample(fc.array(step, { minLength: 70, maxLength: 70 }), { numRuns: 3, seed: 5 });
    for (const sequence of sequences) {
      let state = ledger.funded({ 1: 100_000n, 2: 100_000n });
      let batch = ledger.open(state, {}, TINY_BATCH);
      let orders: MessageReference[] = [];
      const signed = (index: number, message: Message): SignedMessages =>
        ledger.sign(index, [message], batch.accountAt(index).epoch);
      const seal = async () => {
        const sealed = batch.seal();
        const { input } = buildCircuitInput(sealed.batch);
        expect(await (await tinyCircuit()).refusal(input)).to.equal(undefined);
        ({ state } = sealed);
        batch = ledger.open(state, {}, TINY_BATCH);
      };
      const operationOf = ({ kind, buyer, nonces, floors, lots, size }: Step): Operation => {
        const seller = buyer === 1 ? 2 : 1;
        const nonceOf = (index: number, i: 0 | 1) => 32n * batch.accountAt(index).baseWord + nonces[i];
        const common = { nonce: nonceOf(buyer, 0), floorBackWords: floors[0] };
        const order = (index: number, side: 'buy' | 'sell', i: 0 | 1): MessageReference =>
          ledger.only(
            signed(
              index,
              ledger.orderMessage({
                side,
                sizeLots: size,
                nonce: nonceOf(index, i),
                floorBackWords: floors[i],
              }),
            ),
          );
        switch (kind) {
          case 'cancel':
            return { kind, ...ledger.only(signed(buyer, { kind, ...common })) };
          case 'cancel-all':
            return { kind, ...ledger.only(signed(buyer, { kind })) };
          case 'withdraw':
            return {
              kind,
              ...ledger.only(signed(buyer, ledger.withdrawMessage({ amount: USD, ...common }))),
            };
          case 'force-cancel-all':
            return { kind: 'l1', operation: ledger.l1('cancelAll', buyer) };
          default: {
            // An order that was filled before goes on, now and then.
            const known = orders.find(
              ({ signed: old }) => old.epoch === batch.accountAt(old.accountIndex).epoch,
            );
            const message = known?.signed.messages[0];
            if (kind === 'fill-again' && known !== undefined && message?.kind === 'order') {
              const other = known.signed.accountIndex === 1 ? 2 : 1;
              const against = order(other, message.side === 'buy' ? 'sell' : 'buy', 1);
              return ledger.trade(known, against, lots, 100n);
            }
            const [buy, sell] = [order(buyer, 'buy', 0), order(seller, 'sell', 1)];
            orders = [buy, ...orders].slice(0, 3);
            return ledger.trade(sell, buy, lots, 100n);
          }
        }
      };
      for (const next of sequence) {
        let operation = operationOf(next);
        let result = batch.execute(operation);
        if (!result.ok && isBatchConflict(result)) {
          await seal();
          operation = operationOf(next);
          result = batch.execute(operation);
        }
        const what = result.ok ? next.kind : result.code;
        counts[what] = (counts[what] ?? 0) + 1;
        if (result.ok) batch = result.value;
      }
      await seal();
    }
    for (const kind of [
      'fill',
      'fill-again',
      'cancel',
      'cancel-all',
      'withdraw',
      'force-cancel-all',
    ] as const)
      expect(counts[kind] ?? 0, kind).to.be.at.least(5);
  });
});
