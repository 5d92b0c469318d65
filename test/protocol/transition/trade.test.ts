import { expect } from 'chai';
import { sizeOf } from '#protocol/account.ts';
import { TINY_SHAPE } from '#protocol/limits.ts';
import { marginOf } from '#protocol/risk/margin.ts';
import { accountAt } from '#protocol/state.ts';
import type { Lots, MicrosPerLot } from '#protocol/units.ts';
import {
  atMicros,
  funded,
  LATER_SEC,
  linearLosses,
  match,
  must,
  type OrderFields,
  OTHER,
  open,
  order,
  PERP,
  ROOMY,
  refusal,
  riskTable,
  run,
  SPOT,
  settle,
  THIRD,
  trade,
  USD,
} from '../../support/ledger.ts';

describe('a trade', () => {
  it('moves lots and cash, and opens interest', () => {
    const state = settle(funded({ 1: 1000n, 2: 1000n }), [match(1, 2, 10n, 100n)]);
    expect(sizeOf(accountAt(state, 1), PERP)).to.equal(10n);
    expect(sizeOf(accountAt(state, 2), PERP)).to.equal(-10n);
    expect(accountAt(state, 1).cashStar).to.equal(0n);
    expect(accountAt(state, 2).cashStar).to.equal(2000n * USD);
    expect(state.openInterest[1], 'both sides of ten contracts').to.equal(20n);
  });

  it('is accepted with equity exactly at initial margin, refused with a fee of one micro', () => {
    // A lot at $100 needs 20 % scan and 1 % charge: $21.
    const batch = open(funded({ 1: 210n, 2: 1000n }));
    must(batch.execute(match(1, 2, 10n, 100n)));
    const [buy, sell] = [order(1, { side: 'buy', sizeLots: 10n }), order(2, { side: 'sell', sizeLots: 10n })];
    const refused = refusal(batch.execute(trade(sell, buy, 10n, 100n, { taker: 1n })), 'insufficient-margin');
    expect(refused.data).to.include({
      accountIndex: 1,
      equityMicros: 210n * USD - 1n,
      initialMarginMicros: 210n * USD,
    });
  });

  it('judges the maker like the taker', () => {
    const [buy, sell] = [order(1, { side: 'buy', sizeLots: 10n }), order(2, { side: 'sell', sizeLots: 10n })];
    const refused = refusal(
      open(funded({ 1: 1000n, 2: 209n })).execute(trade(sell, buy, 10n, 100n)),
      'insufficient-margin',
    );
    expect(refused.data.accountIndex).to.equal(2);
  });

  it('counts the price paid: buying above the mark costs equity', () => {
    // $1 over the mark for 10 lots: 220 of equity become 210, just enough.
    const batch = open(funded({ 1: 220n, 2: 1000n }));
    must(batch.execute(match(1, 2, 10n, 101n)));
    refusal(batch.execute(match(1, 2, 10n, 102n)), 'insufficient-margin');
  });

  it('adds up per order: partial fills in one batch are one row', () => {
    const [buy, sell] = [order(1, { side: 'buy', sizeLots: 9n }), order(2, { side: 'sell', sizeLots: 4n })];
    const more = order(2, { side: 'sell', sizeLots: 5n });
    const batch = run(
      open(funded({ 1: 1000n, 2: 1000n })),
      trade(sell, buy, 3n, 100n),
      trade(sell, buy, 1n, 99n),
      trade(more, buy, 5n, 98n),
    );
    expect(batch.content.messages.map((row) => [row.fillLots, row.cashMicros / USD])).to.deep.equal([
      [4n, 399n],
      [9n, 889n],
      [5n, 490n],
    ]);
    expect(batch.content.signatures.length).to.equal(3);
  });

  it('keeps the limits of both sides, at the limit and one micro beyond', () => {
    const batch = open(funded({ 1: 1000n, 2: 1000n }));
    const limits = { limitMicrosPerLot: 100n * USD, sizeLots: 3n };
    const [buy, sell] = [order(1, { side: 'buy', ...limits }), order(2, { side: 'sell', ...limits })];
    const fair = trade(sell, buy, 3n, 100n);
    must(batch.execute(fair));
    for (const price of [100n * USD + 1n, 100n * USD - 1n]) {
      refusal(batch.execute({ ...fair, priceMicrosPerLot: price } as typeof fair), 'limit-price');
    }
  });

  it('keeps the signed fee cap, at the cap and one micro beyond', () => {
    const batch = open(funded({ 1: 1000n, 2: 1000n }));
    const buy = order(1, { side: 'buy', sizeLots: 10n, feeCapPpm: 500n });
    const sell = order(2, { side: 'sell', sizeLots: 10n, feeCapPpm: 500n });
    const capped = run(batch, trade(sell, buy, 10n, 100n, { taker: 500_000n, maker: 500_000n }));
    expect(capped.seal().batch.feesMicros).to.equal(USD);
    refusal(batch.execute(trade(sell, buy, 10n, 100n, { taker: 500_001n })), 'fee-cap');
    refusal(batch.execute(trade(sell, buy, 10n, 100n, { maker: 500_001n })), 'fee-cap');
  });

  it('refuses numbers that do not fit an order row, which no proof could hold', () => {
    const table = riskTable({}, { [PERP]: { positionCap: (1n << 40n) as Lots } });
    const batch = open(funded({ 1: 1000n, 2: 1000n }), { table });
    const fill = (lots: bigint, price: bigint, buy: Partial<OrderFields> = {}) => {
      const terms = { sizeLots: lots, limitMicrosPerLot: price };
      const [seller, buyer] = [
        order(2, { side: 'sell', ...terms }),
        order(1, { side: 'buy', ...terms, ...buy }),
      ];
      return batch.execute(atMicros(trade(buyer, seller, lots, 0n), price));
    };
    const tooWide = (operation: ReturnType<typeof fill>) => refusal(operation, 'out-of-range').data;
    expect(tooWide(fill(1n << 21n, 1n << 39n)).cashMicros).to.equal(1n << 60n);
    // Cheaper than the limit by 2^64, and by one micro less: then only the margin is not there.
    const limitMicrosPerLot = (1n << 34n) + 1n;
    expect(tooWide(fill(1n << 30n, 1n, { limitMicrosPerLot })).betterMicros).to.equal(1n << 64n);
    refusal(fill((1n << 30n) - 1n, 1n, { limitMicrosPerLot }), 'insufficient-margin');
    // A fee cap that leaves 2^72 millionths of a micro.
    const feeCapPpm = 1n << 19n;
    expect(tooWide(fill(1n << 20n, 1n << 33n, { feeCapPpm })).feeRoomPpmMicros).to.equal(1n << 72n);
    refusal(fill((1n << 20n) - 1n, 1n << 33n, { feeCapPpm }), 'insufficient-margin');
  });

  it('refuses steps that would undo others: no lots, negative lots, price or fee', () => {
    const batch = run(open(funded({ 1: 1000n, 2: 1000n })), match(1, 2, 5n, 100n));
    for (const change of [
      { lots: 0n },
      { lots: -1n },
      { priceMicrosPerLot: -1n },
      { makerFeeMicros: -1n },
      { takerFeeMicros: -1n },
    ]) {
      refusal(batch.execute({ ...match(1, 2, 5n, 100n), ...change } as never), 'empty-fill');
    }
  });

  it('fills until the batch time reaches expiry, not after', () => {
    const state = funded({ 1: 1000n, 2: 1000n });
    must(open(state, { timeSec: LATER_SEC }).execute(match(1, 2, 1n, 100n)));
    refusal(open(state, { timeSec: LATER_SEC + 1n }).execute(match(1, 2, 1n, 100n)), 'expired');
  });

  it('needs a buy and a sell of one instrument, each signed by its own account at its epoch', () => {
    const batch = open(funded({ 1: 1000n, 2: 1000n }));
    const buy = order(1, { side: 'buy', sizeLots: 1n });
    const sell = order(2, { side: 'sell', sizeLots: 1n });
    refusal(
      batch.execute(trade(buy, order(2, { side: 'buy', sizeLots: 1n }), 1n, 100n)),
      'orders-do-not-match',
    );
    refusal(
      batch.execute(trade(buy, order(2, { side: 'sell', sizeLots: 1n, instrumentId: OTHER }), 1n, 100n)),
      'orders-do-not-match',
    );
    refusal(batch.execute(trade(buy, { ...sell, position: 1 }, 1n, 100n)), 'wrong-message');
    refusal(batch.execute(trade(buy, order(2, { side: 'sell', sizeLots: 1n }, 2n), 1n, 100n)), 'wrong-epoch');
    const stolen = {
      ...sell,
      signed: { ...order(3, { side: 'sell', sizeLots: 1n }).signed, accountIndex: 2 },
    };
    refusal(batch.execute(trade(buy, stolen, 1n, 100n)), 'bad-signature');
    refusal(batch.execute(trade(buy, order(3, { side: 'sell', sizeLots: 1n }), 1n, 100n)), 'wrong-epoch');
    refusal(batch.execute(trade(buy, order(0, { side: 'sell', sizeLots: 1n }), 1n, 100n)), 'no-such-account');
  });

  it('is refused where there is no price or no market', () => {
    const state = funded({ 1: 1000n, 2: 1000n });
    refusal(open(state, { pricesUsable: false }).execute(match(1, 2, 1n, 100n)), 'prices-unusable');
    refusal(open(state).execute(match(1, 2, 1n, 100n, 9)), 'instrument-not-listed');
    const table = riskTable({}, { [PERP]: { expirySec: LATER_SEC } });
    must(open(state, { table, timeSec: LATER_SEC - 1n }).execute(match(1, 2, 1n, 100n)));
    refusal(open(state, { table, timeSec: LATER_SEC }).execute(match(1, 2, 1n, 100n)), 'instrument-expired');
  });

  it('is harmless between two orders of one account', () => {
    const state = settle(funded({ 1: 100n }), [match(1, 1, 50n, 100n)]);
    expect(sizeOf(accountAt(state, 1), PERP)).to.equal(0n);
    expect(accountAt(state, 1).cashStar).to.equal(100n * USD);
  });

  it('leaves an account that nobody touched exact through funding', () => {
    const state = settle(funded({ 1: 1000n, 2: 1000n, 3: 1000n }), [match(1, 2, 10n, 100n)]);
    const table = riskTable({}, { [PERP]: { fundingIndex: (3n * USD) as MicrosPerLot } });
    // 1 sells its longs to 3 after funding of $3 a lot: it paid $30, 2 received them, 3 paid nothing.
    const after = settle(state, [match(3, 1, 10n, 100n)], { table });
    const equity = [1, 2, 3].map((i) => marginOf(accountAt(after, i), table, TINY_SHAPE).equity / USD);
    expect(equity).to.deep.equal([970n, 1030n, 1000n]);
  });
});

describe('a reduce-only order', () => {
  const state = settle(funded({ 1: 1000n, 2: 1000n }), [match(1, 2, 5n, 100n)]);
  const reduce = (sizeLots: bigint) => order(1, { side: 'sell', sizeLots, isReduceOnly: true });

  it('shrinks a position to zero and never through it', () => {
    const buy = order(2, { side: 'buy', sizeLots: 9n });
    must(open(state).execute(trade(buy, reduce(5n), 5n, 100n)));
    refusal(open(state).execute(trade(buy, reduce(6n), 6n, 100n)), 'reduce-only');
  });

  it('does not flip over several fills of one sweep', () => {
    const sell = reduce(9n);
    const buy = order(2, { side: 'buy', sizeLots: 9n });
    const batch = run(open(state), trade(buy, sell, 3n, 100n), trade(buy, sell, 2n, 99n));
    refusal(batch.execute(trade(buy, sell, 1n, 98n)), 'reduce-only');
  });

  it('is judged again when another order shrank the position meanwhile', () => {
    const batch = run(open(state), match(2, 1, 4n, 100n));
    refusal(
      batch.execute(trade(order(2, { side: 'buy', sizeLots: 2n }), reduce(2n), 2n, 100n)),
      'reduce-only',
    );
  });

  it('waits for the next batch when the position grew in this one', () => {
    const batch = run(open(state), match(1, 2, 5n, 100n));
    const shrink = trade(order(2, { side: 'buy', sizeLots: 2n }), reduce(2n), 2n, 100n);
    refusal(batch.execute(shrink), 'needs-new-batch');
    must(open(batch.seal().state).execute(shrink));
  });

  it('binds every order of its account and instrument in the batch, for each of them is a row', () => {
    const batch = run(open(state), trade(order(2, { side: 'buy', sizeLots: 2n }), reduce(2n), 2n, 100n));
    refusal(batch.execute(match(1, 2, 3n, 100n)), 'needs-new-batch');
    const mixed = run(batch, match(1, 2, 2n, 100n));
    const flags = mixed.content.messages.map((row) => [
      mixed.content.signatures[row.signatureIndex].accountIndex,
      row.isShrinking,
    ]);
    expect(flags).to.deep.equal([
      [2, false],
      [1, true],
      [1, true],
      [2, false],
    ]);
  });

  it('is what a reduce-only market makes of every order', () => {
    const table = riskTable({}, { [PERP]: { isReduceOnly: true } });
    must(open(state, { table }).execute(match(2, 1, 5n, 100n)));
    refusal(open(state, { table }).execute(match(2, 1, 6n, 100n)), 'reduce-only');
    refusal(open(state, { table }).execute(match(1, 2, 1n, 100n)), 'reduce-only');
  });
});

describe('the widths of a leaf', () => {
  it('bound a position: the last lot that fits passes, the next is refused before any proof fails', () => {
    const zero = 0n as MicrosPerLot;
    const free = { chargeImLong: zero, chargeImShort: zero, chargeMmLong: zero, chargeMmShort: zero };
    const row = {
      ...free,
      mark: 1n as MicrosPerLot,
      delta: zero,
      ...linearLosses(zero),
      openInterestCap: (1n << 60n) as Lots,
      positionCap: ((1n << 47n) - 1n) as Lots,
    };
    const header = { table: riskTable({}, { [PERP]: row }) };
    const atMark = (lots: bigint) => {
      const buy = order(1, { side: 'buy', sizeLots: lots, limitMicrosPerLot: 1n });
      return atMicros(trade(buy, order(2, { side: 'sell', sizeLots: lots }), lots, 0n), 1n);
    };
    const most = (1n << 47n) - 1n;
    const batch = run(open(funded({ 1: 1000n, 2: 1000n }), header), atMark(most - 1n));
    must(batch.execute(atMark(1n)));
    refusal(batch.execute(atMark(2n)), 'out-of-range');
  });
});

describe('quote debt', () => {
  it('may reach 40 % of the haircut spot value: buying spot is no free loan', () => {
    // n lots at $100 leave −(100n − D) of quote against 92n of haircut spot: 10 lots need D = 632.
    const state = funded({ 1: 632n, 2: 0n }, { 2: 50n });
    must(open(state).execute(match(1, 2, 10n, 100n, SPOT)));
    const [buy, sell] = [
      order(1, { side: 'buy', sizeLots: 10n, instrumentId: SPOT }),
      order(2, { side: 'sell', sizeLots: 10n, instrumentId: SPOT }),
    ];
    const refused = refusal(open(state).execute(trade(sell, buy, 10n, 100n, { taker: 1n })), 'quote-debt');
    expect(refused.data.quoteBalanceMicros).to.equal(-368n * USD - 1n);
    expect(refused.data.haircutSpotMicros).to.equal(920n * USD);
  });

  it('beyond the line may shrink and may not grow', () => {
    const state = settle(funded({ 1: 700n, 2: 1000n }, { 2: 50n }), [match(1, 2, 10n, 100n, SPOT)]);
    const table = riskTable(
      {},
      { [SPOT]: { mark: (70n * USD) as MicrosPerLot, chargeImLong: (6n * USD) as MicrosPerLot } },
    );
    // Debt 300 against 640: 40 % is 256.
    must(open(state, { table }).execute(match(2, 1, 1n, 70n, SPOT)));
    refusal(open(state, { table }).execute(match(1, 2, 1n, 70n, SPOT)), 'quote-debt');
  });

  it('never makes spot negative', () => {
    const state = funded({ 1: 100_000n, 2: 100_000n }, { 2: 5n });
    must(open(state).execute(match(1, 2, 5n, 100n, SPOT)));
    const refused = refusal(open(state).execute(match(1, 2, 6n, 100n, SPOT)), 'insufficient-spot');
    expect(refused.data).to.include({ accountIndex: 2, tokenId: SPOT, missingLots: 1n });
  });
});

describe('markets', () => {
  it('grow up to their cap and not one lot beyond', () => {
    const table = riskTable({}, { [PERP]: { openInterestCap: 10n as Lots } });
    const state = funded({ 1: 1000n, 2: 1000n, 3: 1000n });
    must(open(state, { table }).execute(match(1, 2, 10n, 100n)));
    refusal(open(state, { table }).execute(match(1, 2, 11n, 100n)), 'open-interest-cap');
    const full = run(open(state, { table }), match(1, 2, 10n, 100n));
    must(full.execute(match(3, 1, 4n, 100n))); // changes hands, interest stays
    refusal(full.execute(match(3, 2, 1n, 100n)), 'open-interest-cap');
  });

  it('above their cap still close', () => {
    const state = settle(funded({ 1: 1000n, 2: 1000n }), [match(1, 2, 10n, 100n)]);
    const table = riskTable({}, { [PERP]: { openInterestCap: 4n as Lots } });
    const closed = settle(state, [match(2, 1, 3n, 100n)], { table });
    expect(closed.openInterest[1]).to.equal(14n);
  });
});

describe('position slots', () => {
  const shape = { ...TINY_SHAPE, derivativeSlots: 2 };
  const state = settle(funded({ 1: 1000n, 2: 1000n }, {}, shape), [
    match(1, 2, 1n, 100n),
    match(1, 2, 1n, 100n, OTHER),
  ]);

  it('are limited', () => {
    refusal(open(state).execute(match(1, 2, 1n, 100n, THIRD)), 'no-free-slot');
  });

  it('freed in a batch take another instrument in the next', () => {
    const batch = run(open(state), match(2, 1, 1n, 100n));
    refusal(batch.execute(match(1, 2, 1n, 100n, THIRD)), 'needs-new-batch');
    const reopened = run(batch, match(1, 2, 3n, 100n));
    expect(sizeOf(reopened.accountAt(1), PERP)).to.equal(3n);
    const next = settle(batch.seal().state, [match(1, 2, 1n, 100n, THIRD)]);
    expect(accountAt(next, 1).slots.map((slot) => slot.instrumentId)).to.deep.equal([THIRD, OTHER]);
  });
});

describe('room in a batch', () => {
  const state = funded({ 1: 1000n, 2: 1000n, 3: 1000n, 4: 1000n });
  for (const [resource, room] of [
    ['accounts', { accounts: 2 }],
    ['signatures', { signatures: 2 }],
    ['messages', { messages: 2 }],
  ] as const) {
    it(`ends with its ${resource}, and a new batch helps`, () => {
      const batch = run(open(state, {}, { ...ROOMY, ...room }), match(1, 2, 1n, 100n));
      const refused = refusal(batch.execute(match(3, 4, 1n, 100n)), 'batch-full');
      expect(refused.data).to.include({ resource, capacity: 2 });
    });
  }

  it('ends with its instruments', () => {
    const batch = run(open(state, {}, { ...ROOMY, instruments: 1 }), match(1, 2, 1n, 100n));
    must(batch.execute(match(3, 4, 1n, 100n)));
    expect(refusal(batch.execute(match(1, 2, 1n, 100n, OTHER)), 'batch-full').data.resource).to.equal(
      'instruments',
    );
  });
});
