import { expect } from 'chai';
import { emptyAccount } from '#protocol/account.ts';
import { TINY_SHAPE } from '#protocol/limits.ts';
import type { Message } from '#protocol/message.ts';
import { accountAt, type LedgerState } from '#protocol/state.ts';
import { nonceState, remainingLots } from '#protocol/transition/nonces.ts';
import type { MessageReference, Operation } from '#protocol/transition/operation.ts';
import {
  freshNonce,
  funded,
  l1,
  match,
  must,
  only,
  open,
  order,
  orderMessage,
  ROOMY,
  refusal,
  run,
  settle,
  sign,
  trade,
  withdrawMessage,
} from '../../support/ledger.ts';

const ledger = (): LedgerState => funded({ 1: 100_000n, 2: 100_000n });
const buy = (sizeLots: bigint, nonce: bigint, floorBackWords = 1) =>
  order(1, { side: 'buy', sizeLots, nonce, floorBackWords });
const against = (lots: bigint) => order(2, { side: 'sell', sizeLots: lots });
const fill = (maker: MessageReference, lots: bigint): Operation => trade(maker, against(lots), lots, 100n);
const cancel = (nonce: bigint, floorBackWords = 1): Operation => ({
  kind: 'cancel',
  ...only(sign(1, [{ kind: 'cancel', nonce, floorBackWords }])),
});
const cancelAll = (epoch = 1n): Operation => ({
  kind: 'cancel-all',
  ...only(sign(1, [{ kind: 'cancel-all' }], epoch)),
});

describe('a signed order', () => {
  it('is filled at most to its size, over batches and snapshots of the leaf', () => {
    const maker = buy(10n, 3n);
    refusal(open(ledger()).execute(fill(maker, 11n)), 'overfill');
    const partly = settle(ledger(), [fill(maker, 4n)]);
    expect(accountAt(partly, 1).records).to.deep.equal([{ nonce: 3n, filled: 4n }]);
    expect(remainingLots(accountAt(partly, 1), { nonce: 3n, sizeLots: 10n })).to.equal(6n);
    refusal(open(partly).execute(fill(maker, 7n)), 'overfill');
    const filled = settle(partly, [fill(maker, 6n)]);
    expect(accountAt(filled, 1).records).to.deep.equal([]);
    refusal(open(filled).execute(fill(maker, 1n)), 'nonce-dead');
  });

  it('is not filled again within the batch that filled it', () => {
    const maker = buy(10n, 3n);
    const batch = run(open(ledger()), fill(maker, 10n));
    refusal(batch.execute(fill(maker, 1n)), 'nonce-dead');
  });

  it('does not come back under another signature with the same nonce', () => {
    const batch = run(open(ledger()), fill(buy(10n, 3n), 4n));
    const again = only(
      sign(1, [
        orderMessage({ side: 'buy', sizeLots: 10n, nonce: 3n }),
        orderMessage({ side: 'buy', sizeLots: 1n, nonce: 4n }),
      ]),
    );
    refusal(batch.execute(fill(again, 4n)), 'needs-new-batch');
    // Later it may, for what the nonce has left: the nonce bounds the fill, not the paper.
    refusal(open(batch.seal().state).execute(fill(again, 7n)), 'overfill');
    must(open(batch.seal().state).execute(fill(again, 6n)));
  });

  it('cancelled fresh, or partly filled, is dead for good', () => {
    const maker = buy(10n, 3n);
    for (const state of [ledger(), settle(ledger(), [fill(maker, 4n)])]) {
      const batch = run(open(state), cancel(3n));
      refusal(batch.execute(fill(maker, 1n)), 'nonce-dead');
      refusal(batch.execute(cancel(3n)), 'nonce-dead');
      const after = batch.seal().state;
      expect(accountAt(after, 1).records).to.deep.equal([]);
      refusal(open(after).execute(fill(maker, 1n)), 'nonce-dead');
      refusal(open(after).execute(cancel(3n)), 'nonce-dead');
    }
  });

  it('is not cancelled in the batch that filled it: the cancel waits for the next', () => {
    const batch = run(open(ledger()), fill(buy(10n, 3n), 4n));
    refusal(batch.execute(cancel(3n)), 'needs-new-batch');
    must(open(batch.seal().state).execute(cancel(3n)));
  });

  it('needs a free record for a partial fill, not for a full one', () => {
    const batch = run(open(ledger()), fill(buy(10n, 1n), 1n), fill(buy(10n, 2n), 1n));
    refusal(batch.execute(fill(buy(10n, 3n), 1n)), 'too-many-partial-fills');
    must(batch.execute(fill(buy(10n, 3n), 10n)));
    const state = batch.seal().state;
    const freed = run(open(state), cancel(1n), fill(buy(10n, 3n), 1n));
    expect(freed.accountAt(1).records.map((record) => record.nonce)).to.deep.equal([2n, 3n]);
  });
});

describe('the nonce window', () => {
  it('takes nonces in any order and with gaps', () => {
    const state = [60n, 3n, 31n, 32n].reduce((s, nonce) => settle(s, [fill(buy(1n, nonce), 1n)]), ledger());
    expect(accountAt(state, 1).baseWord).to.equal(0n);
    const dead = [0n, 3n, 4n, 31n, 32n, 60n].filter(
      (n) => nonceState(accountAt(state, 1), n).kind === 'dead',
    );
    expect(dead).to.deep.equal([3n, 31n, 32n, 60n]);
  });

  it('moves to the signed floor and leaves everything below dead, live records too', () => {
    const old = buy(10n, 5n);
    const state = settle(ledger(), [fill(old, 4n)]);
    const moved = settle(state, [fill(buy(1n, 70n, 1), 1n)]); // word 2, floor at word 1
    expect(accountAt(moved, 1)).to.deep.include({ baseWord: 1n, usedMap: 1n << 38n, records: [] });
    refusal(open(moved).execute(fill(old, 1n)), 'nonce-dead');
  });

  it('follows a far-future nonce and never jams', () => {
    const far = (1n << 40n) - 1n;
    const state = settle(ledger(), [fill(buy(2n, far), 1n)]);
    expect(accountAt(state, 1).baseWord).to.equal((1n << 35n) - 2n);
    expect(accountAt(state, 1).records).to.deep.equal([{ nonce: far, filled: 1n }]);
    const last = settle(state, [fill(buy(1n, far - 1n), 1n)]);
    refusal(open(last).execute(fill(buy(1n, 0n), 1n)), 'nonce-dead');
    // The end of all nonces: a new epoch starts again at 0.
    const renewed = settle(last, [cancelAll()]);
    expect(accountAt(renewed, 1)).to.deep.include({ baseWord: 0n, usedMap: 0n, records: [] });
  });

  it('moves only where a signature says: the operator cannot choose the base', () => {
    const state = settle(ledger(), [fill(buy(1n, 40n, 1), 1n)]);
    expect(accountAt(state, 1).baseWord).to.equal(0n); // word 1, one word back
    expect(accountAt(settle(ledger(), [fill(buy(1n, 40n, 0), 1n)]), 1).baseWord).to.equal(1n);
  });

  it('takes two nonces of one batch only if neither floor kills the other', () => {
    const low = fill(buy(1n, 5n), 1n);
    const high = fill(buy(1n, 70n), 1n);
    const batch = run(open(ledger()), low);
    refusal(batch.execute(high), 'needs-new-batch');
    must(open(batch.seal().state).execute(high));
    // The other way round the low one is dead at once, and no new batch would help.
    refusal(run(open(ledger()), high).execute(low), 'nonce-dead');
  });

  it('refuses a floor that reaches back beyond the window', () => {
    refusal(open(ledger()).execute(fill(buy(1n, 5n, 2), 1n)), 'floor-out-of-window');
    refusal(open(ledger()).execute(cancel(5n, 7)), 'floor-out-of-window');
  });

  it('keeps withdrawals and orders apart: one nonce, one effect', () => {
    const withdraw = (nonce: bigint): Operation => ({
      kind: 'withdraw',
      ...only(sign(1, [withdrawMessage({ amount: 5n, nonce })])),
    });
    const partly = settle(ledger(), [fill(buy(10n, 3n), 4n)]);
    refusal(open(partly).execute(withdraw(3n)), 'nonce-used');
    const paid = run(open(partly), withdraw(4n));
    refusal(paid.execute(withdraw(4n)), 'nonce-dead');
    const after = paid.seal().state;
    refusal(open(after).execute(withdraw(4n)), 'nonce-dead');
    refusal(open(after).execute(fill(buy(1n, 4n), 1n)), 'nonce-dead');
  });

  it('calls a nonce of an empty account fresh, however far', () => {
    for (const nonce of [0n, 63n, 64n, 1n << 39n]) {
      expect(nonceState(emptyAccount(TINY_SHAPE), nonce).kind).to.equal('fresh');
    }
  });
});

describe('an epoch change', () => {
  it('kills every message of the old epoch, filled or not', () => {
    const maker = buy(10n, 3n);
    for (const change of [
      cancelAll(),
      { kind: 'l1', operation: l1('cancelAll', 1) },
      { kind: 'l1', operation: l1('register', 1) },
    ] as Operation[]) {
      const batch = run(open(settle(ledger(), [fill(maker, 4n)])), change);
      refusal(batch.execute(fill(maker, 1n)), 'wrong-epoch');
      const after = batch.seal().state;
      expect(accountAt(after, 1)).to.deep.include({ epoch: 2n, records: [], usedMap: 0n, baseWord: 0n });
      refusal(open(after).execute(fill(maker, 1n)), 'wrong-epoch');
      must(open(after).execute(fill(order(1, { side: 'buy', sizeLots: 1n, nonce: 3n }, 2n), 1n)));
    }
  });

  it('shares its batch with no message of the account, before or after', () => {
    const next = fill(order(1, { side: 'buy', sizeLots: 1n }, 2n), 1n);
    refusal(run(open(ledger()), cancelAll()).execute(next), 'needs-new-batch');
    refusal(run(open(ledger()), match(1, 2, 1n, 100n)).execute(cancelAll()), 'needs-new-batch');
    refusal(
      run(open(ledger()), cancel(freshNonce(1))).execute({ kind: 'l1', operation: l1('register', 1) }),
      'needs-new-batch',
    );
  });

  it('happens once per account and batch, and a cancel-all is not replayed', () => {
    const batch = run(open(ledger()), cancelAll());
    refusal(batch.execute({ kind: 'l1', operation: l1('cancelAll', 1) }), 'needs-new-batch');
    refusal(batch.execute(cancelAll()), 'wrong-epoch');
    refusal(open(batch.seal().state).execute(cancelAll()), 'wrong-epoch');
  });
});

describe('a market maker', () => {
  it('fills 1,000 orders, sixteen under one signature, without a new epoch', function () {
    this.timeout(120_000);
    const capacity = { ...ROOMY, signatures: 8, messages: 80 };
    let state = funded({ 1: 1_000_000n, 2: 1_000_000n });
    let batch = open(state, {}, capacity);
    let filled = 0;
    for (let tree = 0; tree < 63; tree++) {
      const size = Math.min(16, 1000 - filled);
      const nonces = Array.from({ length: size }, (_, i) => BigInt(16 * tree + i));
      const quotes = sign(
        1,
        nonces.map((nonce): Message => orderMessage({ side: 'buy', sizeLots: 1n, nonce })),
      );
      const sweep = against(BigInt(size));
      for (let position = 0; position < size; position++) {
        batch = run(batch, trade({ signed: quotes, position }, sweep, 1n, 100n));
        filled += 1;
      }
      if (tree % 4 === 3 || filled === 1000) {
        state = batch.seal().state;
        batch = open(state, {}, capacity);
      }
    }
    expect(filled).to.equal(1000);
    expect(accountAt(state, 1)).to.deep.include({ epoch: 1n, records: [] });
    expect(accountAt(state, 1).slots[0].size).to.equal(1000n);
  });
});
