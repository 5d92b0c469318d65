/** Honest batches of the tiny size, one for each kind of thing that can happen. */
import type { SealedBatch } from '#protocol/batch/batch.ts';
import { TINY_BATCH } from '#protocol/limits.ts';
import type { LedgerState } from '#protocol/state.ts';
import type { LiquidateOperation, Operation } from '#protocol/transition/operation.ts';
import type { Lots, MicrosPerLot } from '#protocol/units.ts';
import * as ledger from './ledger.ts';

const { USD, SPOT, PERP } = ledger;

/** One batch of `operations` on `state`, sealed at the tiny capacity. */
export const sealTiny = (
  state: LedgerState,
  operations: Operation[],
  header: Parameters<typeof ledger.open>[1] = {},
): SealedBatch => ledger.run(ledger.open(state, header, TINY_BATCH), ...operations).seal().batch;

/** Account 1 long, account 2 short ten lots of the perp at $100. */
export const positions = (lots = 10n): LedgerState =>
  ledger.settle(ledger.funded({ 1: 1_000n, 2: 1_000n }, { 2: 5n }), [ledger.match(1, 2, lots, 100n)]);

export const l1 = (...parameters: Parameters<typeof ledger.l1>): Operation => ({
  kind: 'l1',
  operation: ledger.l1(...parameters),
});

/** Closes lots of account 1 against a fresh order of account 2. */
export function close(
  lots: bigint,
  priceMicrosPerLot: bigint,
  change: Partial<LiquidateOperation> & { side?: 'buy' | 'sell' } = {},
): LiquidateOperation {
  const instrumentId = change.instrumentId ?? PERP;
  return {
    kind: 'liquidate',
    accountIndex: 1,
    instrumentId,
    lots,
    priceMicrosPerLot,
    reason: 1,
    pending: ledger.NO_PENDING,
    against: ledger.order(2, { side: change.side ?? 'buy', sizeLots: 1000n, instrumentId }),
    feeMicros: 0n,
    ...change,
  };
}

/** Account 1 is long 100 lots from $100 with $2494: at $90 its equity is its MM exactly. */
export const indebtedLong = (): LedgerState =>
  ledger.settle(ledger.funded({ 1: 2_494n, 2: 100_000n }), [ledger.match(1, 2, 100n, 100n)]);

function liquidated(
  dollars: bigint,
  lots: bigint,
  micros = dollars * USD,
  pending = ledger.NO_PENDING,
): SealedBatch {
  const table = ledger.riskTable({}, { [PERP]: { mark: micros as MicrosPerLot } });
  return sealTiny(indebtedLong(), [close(lots, micros, { pending })], { table });
}

/** A round in which no account may open more than so many lots of a derivative. */
const cappedAt = (lots: bigint) => {
  const positionCap = lots as Lots;
  return { table: ledger.riskTable({}, { [PERP]: { positionCap }, [ledger.OTHER]: { positionCap } }) };
};

/** Account 1 owes $506 and holds nothing. */
export const bankrupt = (): LedgerState =>
  ledger.settle(indebtedLong(), [close(100n, 70n * USD)], { table: ledger.marked(70n) });

export const payFund: Operation = { kind: 'pay-fund', accountIndex: 1 };

export const convert = (accountIndex: number, instrumentId: number = PERP): Operation => ({
  kind: 'settle',
  accountIndex,
  instrumentId,
});
export const settled = (dollars: bigint) => ({ table: ledger.settledAt({ [PERP]: dollars }) });

/** Account 1 long, account 2 short six calls at $20. */
const calls = (): LedgerState =>
  ledger.settle(ledger.funded({ 1: 1_000n, 2: 1_000n }), [ledger.match(1, 2, 6n, 20n, ledger.THIRD)]);

/** Account 1 bought 10 spot lots for $1000 with $700. */
const indebted = (): LedgerState =>
  ledger.settle(ledger.funded({ 1: 700n, 2: 0n }, { 2: 50n }), [ledger.match(1, 2, 10n, 100n, SPOT)]);

const BATCHES: Readonly<Record<string, () => SealedBatch>> = {
  'nothing at all': () => sealTiny(ledger.funded({}), []),
  'a registration and a first deposit': () =>
    sealTiny(ledger.funded({}), [l1('register', 3), l1('deposit', 3, 0, 50n * USD)]),
  'a deposit of spot and one beyond the position cap': () =>
    sealTiny(ledger.funded({ 1: 10n }), [l1('deposit', 1, SPOT, 7n), l1('deposit', 1, SPOT, 100_000n + 1n)]),
  'a trade that opens two positions, with fees': () =>
    sealTiny(ledger.funded({ 1: 1_000n, 2: 1_000n }), [
      ledger.trade(
        ledger.order(1, { side: 'buy', sizeLots: 10n }),
        ledger.order(2, { side: 'sell', sizeLots: 25n }),
        10n,
        100n,
        { maker: 3n, taker: 5n },
      ),
    ]),
  'a trade that closes positions, at a jumped funding index': () =>
    sealTiny(positions(), [ledger.match(2, 1, 10n, 101n)], {
      table: ledger.riskTable({}, { [PERP]: { fundingIndex: (3n * USD) as never } }),
    }),
  'a spot trade': () =>
    sealTiny(ledger.funded({ 1: 1_000n, 2: 0n }, { 2: 5n }), [ledger.match(1, 2, 4n, 99n, SPOT)]),
  'a cancel of one and a cancel-all of another': () =>
    sealTiny(ledger.funded({ 1: 10n, 2: 10n }), [
      { kind: 'cancel', ...ledger.only(ledger.sign(1, [{ kind: 'cancel', nonce: 70n, floorBackWords: 1 }])) },
      { kind: 'cancel-all', ...ledger.only(ledger.sign(2, [{ kind: 'cancel-all' }])) },
    ]),
  'a signed withdrawal': () =>
    sealTiny(positions(), [{ kind: 'withdraw', ...ledger.withdrawal(1, 20n * USD) }]),
  'a spot withdrawal and a forced one cut short for margin': () =>
    sealTiny(positions(), [
      { kind: 'withdraw', ...ledger.withdrawal(2, 2n, SPOT) },
      l1('withdraw', 1, 0, 100_000n * USD),
    ]),

  // ---- nonces and records
  'an order filled in two batches, the second time raising the window far': () => {
    const [buy, sell] = [
      ledger.order(1, { side: 'buy', sizeLots: 9n, nonce: 40n }),
      ledger.order(2, { side: 'sell', sizeLots: 20n, nonce: 41n }),
    ];
    const state = ledger.settle(ledger.funded({ 1: 1_000n, 2: 1_000n }), [ledger.trade(sell, buy, 4n, 100n)]);
    const far = ledger.order(2, { side: 'sell', sizeLots: 5n, nonce: 32n * 70n + 3n, floorBackWords: 1 });
    return sealTiny(state, [ledger.trade(far, buy, 5n, 100n)]);
  },
  'a window that moves by one word and keeps a record and used bits': () => {
    const sell = ledger.order(2, { side: 'sell', sizeLots: 20n, nonce: 50n });
    const early = ledger.order(1, { side: 'buy', sizeLots: 4n, nonce: 33n });
    const state = ledger.settle(ledger.funded({ 1: 1_000n, 2: 1_000n }), [
      ledger.trade(sell, early, 4n, 100n),
    ]);
    const buy = ledger.order(1, { side: 'buy', sizeLots: 9n, nonce: 65n });
    const next = ledger.order(2, { side: 'sell', sizeLots: 9n, nonce: 66n });
    return sealTiny(state, [ledger.trade(next, buy, 2n, 100n)]);
  },
  'a cancel of a partially filled order': () => {
    const sell = ledger.order(2, { side: 'sell', sizeLots: 20n, nonce: 50n });
    const buy = ledger.order(1, { side: 'buy', sizeLots: 4n, nonce: 33n });
    const state = ledger.settle(ledger.funded({ 1: 1_000n, 2: 1_000n }), [ledger.trade(sell, buy, 4n, 100n)]);
    return sealTiny(state, [
      { kind: 'cancel', ...ledger.only(ledger.sign(2, [{ kind: 'cancel', nonce: 50n, floorBackWords: 1 }])) },
    ]);
  },
  'messages of a tree of sixteen and of a tree of four': () => {
    const asks = ledger.sign(
      2,
      Array.from({ length: 11 }, (_, i) =>
        ledger.orderMessage({ side: 'sell', sizeLots: 3n, nonce: BigInt(i), limitMicrosPerLot: 90n * USD }),
      ),
    );
    const bids = ledger.sign(
      1,
      [1n, 2n, 3n].map((nonce) => ledger.orderMessage({ side: 'buy', sizeLots: 3n, nonce })),
    );
    return sealTiny(ledger.funded({ 1: 1_000n, 2: 1_000n }), [
      ledger.trade({ signed: asks, position: 10 }, { signed: bids, position: 2 }, 3n, 95n),
    ]);
  },
  // ---- fills by the reducing rule
  'a fill that reduces an account short of IM': () => {
    const state = ledger.settle(ledger.funded({ 1: 215n, 2: 10_000n }), [ledger.match(1, 2, 10n, 100n)]);
    return sealTiny(state, [ledger.match(2, 1, 3n, 99n)], { table: ledger.marked(98n) });
  },
  'a fill that reduces an account below MM, inside the band': () => {
    const state = ledger.settle(ledger.funded({ 1: 215n, 2: 10_000n }), [ledger.match(1, 2, 10n, 100n)]);
    return sealTiny(state, [ledger.match(2, 1, 3n, 90n)], { table: ledger.marked(90n) });
  },
  'a reduce-only order': () =>
    sealTiny(positions(), [
      ledger.trade(
        ledger.order(2, { side: 'buy', sizeLots: 4n }),
        ledger.order(1, { side: 'sell', sizeLots: 4n, isReduceOnly: true }),
        4n,
        100n,
      ),
    ]),
  'a short sale against spot collateral, with an expected shortfall of three rows': () =>
    sealTiny(ledger.funded({ 1: 1_000n, 2: 100n }, { 2: 9n }), [ledger.match(1, 2, 2n, 100n)], {
      table: ledger.riskTable({ esCount: 3 }),
    }),
  // ---- position caps
  'fills that open a long and a short at the position cap': () =>
    sealTiny(
      ledger.funded({ 1: 1_000n, 2: 1_000n }),
      [ledger.match(1, 2, 7n, 100n, ledger.OTHER)],
      cappedAt(7n),
    ),
  'a fill that shrinks positions above a lowered cap': () =>
    sealTiny(positions(), [ledger.match(2, 1, 3n, 100n)], cappedAt(4n)),
  'a fill of one account that turns its position, and of one that shrinks to the cap': () =>
    sealTiny(
      ledger.settle(positions(), [ledger.match(2, 1, 6n, 100n, ledger.OTHER)]),
      [ledger.match(1, 2, 10n, 100n, ledger.OTHER)],
      cappedAt(4n),
    ),
  'a liquidation of a position above the cap': () => {
    const table = ledger.riskTable(
      {},
      { [PERP]: { ...ledger.marked(89n).rows[1], positionCap: 1n as Lots } },
    );
    return sealTiny(indebtedLong(), [close(10n, 89n * USD)], { table });
  },
  // ---- liquidations
  'a liquidation of a long': () => liquidated(89n, 10n),
  'a liquidation of a bankrupt account to nothing': () => liquidated(70n, 100n),
  'a liquidation that leaves exactly the penalty': () => liquidated(75n, 100n, 75_500_000n),
  'a liquidation with deposits waiting in the queue': () =>
    liquidated(89n, 10n, 89n * USD, { quoteMicros: 40n * USD, spotLots: [0n, 0n, 0n] }),
  'a liquidation with spot waiting in the queue, of which nothing is held': () =>
    liquidated(88n, 10n, 88n * USD, { quoteMicros: 0n, spotLots: [1n, 0n, 0n] }),
  'a liquidation with spot waiting in the queue beyond the position cap': () =>
    liquidated(89n, 10n, 89n * USD, { quoteMicros: 0n, spotLots: [100_001n, 0n, 0n] }),
  'a liquidation of a short at the edge of the band': () => {
    const state = ledger.settle(ledger.funded({ 1: 250n, 2: 10_000n }), [ledger.match(2, 1, 10n, 100n)]);
    return sealTiny(state, [close(5n, 113_120_000n, { side: 'sell' })], { table: ledger.marked(112n) });
  },
  'a liquidation of two positions': () => {
    const state = ledger.settle(ledger.funded({ 1: 440n, 2: 100_000n }), [
      ledger.match(1, 2, 10n, 100n),
      ledger.match(1, 2, 10n, 100n, ledger.OTHER),
    ]);
    const table = ledger.riskTable(
      {},
      { [PERP]: ledger.marked(88n).rows[1], [ledger.OTHER]: ledger.marked(95n, ledger.OTHER).rows[2] },
    );
    return sealTiny(state, [close(1n, 88n * USD), close(1n, 95n * USD, { instrumentId: ledger.OTHER })], {
      table,
    });
  },
  'a liquidation of an account with an MM below $50': () => {
    const state = ledger.settle(ledger.funded({ 1: 63n, 2: 10_000n }), [ledger.match(1, 2, 3n, 100n)]);
    return sealTiny(state, [close(3n, 300n * USD)], { table: ledger.marked(89n) });
  },
  'a sale of spot for quote debt': () => {
    const state = ledger.settle(ledger.funded({ 1: 632n, 2: 100_000n }, { 2: 50n }), [
      ledger.match(1, 2, 10n, 100n, SPOT),
    ]);
    return sealTiny(state, [close(3n, 66n * USD, { instrumentId: SPOT, reason: 2 })], {
      table: ledger.marked(66n, SPOT),
    });
  },
  // ---- settlements
  'a settlement of a long whose shorts wait': () => sealTiny(positions(), [convert(1)], settled(107n)),
  'a settlement of the last short, which retires the instrument': () =>
    sealTiny(ledger.settle(positions(), [convert(1)], settled(107n)), [convert(2)], settled(107n)),
  'settlements of both sides of calls that expired worthless': () =>
    sealTiny(calls(), [convert(1, ledger.THIRD), convert(2, ledger.THIRD)], {
      table: ledger.settledAt({ [ledger.THIRD]: 0n }),
    }),
  'settlements of two positions of one account': () => {
    const state = ledger.settle(positions(), [ledger.match(2, 1, 4n, 100n, ledger.OTHER)]);
    const table = ledger.settledAt({ [PERP]: 107n, [ledger.OTHER]: 95n });
    return sealTiny(state, [convert(1), convert(1, ledger.OTHER)], { table });
  },
  'a settlement beside a fill and a withdrawal of the same account': () => {
    const mine = ledger.sign(1, [
      ledger.orderMessage({ side: 'buy', sizeLots: 2n, instrumentId: ledger.OTHER, nonce: 1n }),
      ledger.withdrawMessage({ amount: 600n * USD, nonce: 2n }),
    ]);
    const sell = ledger.order(2, { side: 'sell', sizeLots: 2n, instrumentId: ledger.OTHER });
    return sealTiny(
      positions(),
      [
        ledger.trade(sell, { signed: mine, position: 0 }, 2n, 100n),
        convert(1),
        { kind: 'withdraw', signed: mine, position: 1 },
      ],
      settled(107n),
    );
  },
  'a settlement of an account that is liquidated': () => {
    const state = ledger.settle(ledger.funded({ 1: 430n, 2: 100_000n }), [
      ledger.match(1, 2, 10n, 100n),
      ledger.match(1, 2, 10n, 100n, ledger.OTHER),
    ]);
    const table = ledger.settledAt(
      { [PERP]: 80n },
      { [ledger.OTHER]: ledger.marked(88n, ledger.OTHER).rows[2] },
    );
    return sealTiny(state, [convert(1), close(5n, 88n * USD, { instrumentId: ledger.OTHER })], { table });
  },
  'a settlement and an exit while prices are not usable': () =>
    sealTiny(positions(), [convert(1), { kind: 'withdraw', ...ledger.withdrawal(1, 1_070n * USD) }], {
      ...settled(107n),
      pricesUsable: false,
    }),
  'a retirement of what nobody ever held': () =>
    sealTiny(positions(), [{ kind: 'retire', instrumentId: ledger.OTHER }], {
      table: ledger.settledAt({ [ledger.OTHER]: 5n }),
    }),
  // ---- fund
  'a fund payment of a whole debt': () => sealTiny(bankrupt(), [payFund], { fundBookedMicros: 1_000n * USD }),
  'a fund payment of all that is booked': () =>
    sealTiny(bankrupt(), [payFund], { fundBookedMicros: 500n * USD }),
  // ---- L1
  'a cancel-all and a donation from L1': () =>
    sealTiny(ledger.funded({ 1: 10n }), [l1('cancelAll', 1), l1('fundDonation', 9, 0, 5n * USD)]),
  'a forced withdrawal in full': () => sealTiny(positions(), [l1('withdraw', 2, SPOT, 2n)]),
  'a forced withdrawal cut short for liquidity': () =>
    sealTiny(ledger.funded({ 1: 100n }), [l1('withdraw', 1, 0, 50n * USD)], {
      liquid: [7n * USD, 0n, 0n, 0n],
    }),
  'a forced withdrawal of a token that is not held, and one of more quote than there is': () =>
    sealTiny(ledger.funded({ 1: 100n }), [l1('withdraw', 1, SPOT, 3n), l1('withdraw', 1, 0, 101n * USD)]),
  'a forced withdrawal of spot that quote debt binds': () =>
    sealTiny(indebted(), [l1('withdraw', 1, SPOT, 10n)]),
  // ---- rounds without usable prices
  'withdrawals of an account without derivatives while prices are not usable': () =>
    sealTiny(
      ledger.funded({ 1: 100n, 2: 50n }, { 2: 5n }),
      [{ kind: 'withdraw', ...ledger.withdrawal(1, 30n * USD) }, l1('withdraw', 2, SPOT, 9n)],
      { pricesUsable: false },
    ),
  'a forced withdrawal of more than all quote while prices are not usable': () =>
    sealTiny(ledger.funded({ 1: 100n }), [l1('withdraw', 1, 0, 101n * USD)], { pricesUsable: false }),
};

/** The batches by name, each the same bytes whenever it is made. */
export const named = (batches: typeof BATCHES): typeof BATCHES =>
  Object.fromEntries(Object.entries(batches).map(([name, make]) => [name, () => ledger.withOwnNonces(make)]));

/** The gates judge every wire of each. */
export const TRACES = named(BATCHES);
