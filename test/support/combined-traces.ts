/** Honest batches of the tiny size in which rows of several kinds about one account or token meet. */
import type { SealedBatch } from '#protocol/batch/batch.ts';
import type { LedgerState } from '#protocol/state.ts';
import type { Operation } from '#protocol/transition/operation.ts';
import type { Lots, MicrosPerLot } from '#protocol/units.ts';
import {
  bankrupt,
  close,
  convert,
  indebtedLong,
  l1,
  named,
  payFund,
  positions,
  sealTiny,
  settled,
} from './batch-traces.ts';
import * as ledger from './ledger.ts';

const { USD, SPOT, SECOND, PERP } = ledger;

const twoTokenHeader = { table: ledger.twoTokenTable(), liquid: [10_000n * USD, 1_000n, 1_000n, 0n] };
/** Account 1 holds three lots of the second token and none of the first. */
const secondHeld = (): LedgerState =>
  ledger.settle(
    ledger.funded({ 1: 1_000n, 2: 1_000n }, { 2: 5n }),
    [l1('deposit', 1, SECOND, 3n)],
    twoTokenHeader,
  );

/** Three lots of the perp bought at $100 with $63: at $78 the account owes $3, or has $17 with $20 that wait. */
const smallLong = (): LedgerState =>
  ledger.settle(ledger.funded({ 1: 63n, 2: 10_000n }, { 2: 5n }), [ledger.match(1, 2, 3n, 100n)]);
const waiting = (dollars: bigint, ...spotLots: [bigint, bigint, bigint] | []) => ({
  quoteMicros: dollars * USD,
  spotLots: spotLots.length === 0 ? [0n, 0n, 0n] : spotLots,
});

/** Account 1 is long ten lots of the perp and six calls with $530. */
const callHolder = (): LedgerState =>
  ledger.settle(ledger.funded({ 1: 530n, 2: 100_000n }), [
    ledger.match(1, 2, 10n, 100n),
    ledger.match(1, 2, 6n, 100n, ledger.THIRD),
  ]);

/** An order of account 2 is filled in part: a record stands. */
const withRecord = (): LedgerState =>
  ledger.settle(ledger.funded({ 1: 1_000n, 2: 1_000n }, { 2: 5n }), [
    ledger.trade(
      ledger.order(2, { side: 'sell', sizeLots: 20n, nonce: 50n }),
      ledger.order(1, { side: 'buy', sizeLots: 4n, nonce: 33n }),
      4n,
      100n,
    ),
  ]);

const cancel = (accountIndex: number, nonce: bigint): Operation => ({
  kind: 'cancel',
  ...ledger.only(ledger.sign(accountIndex, [{ kind: 'cancel', nonce, floorBackWords: 1 }])),
});
const signedCancelAll = (accountIndex: number): Operation => ({
  kind: 'cancel-all',
  ...ledger.only(ledger.sign(accountIndex, [{ kind: 'cancel-all' }])),
});
const withdraw = (...parameters: Parameters<typeof ledger.withdrawal>): Operation => ({
  kind: 'withdraw',
  ...ledger.withdrawal(...parameters),
});
const UNPRICED = { pricesUsable: false };

export const COMBINED_TRACES: Readonly<Record<string, () => SealedBatch>> = named({
  // ---- liquidations and trades
  'a liquidation, and a forced withdrawal of the account that pays nothing even with what waits': () =>
    sealTiny(
      smallLong(),
      [close(3n, 70n * USD, { pending: waiting(20n) }), l1('withdraw', 1, 0, 50n * USD)],
      {
        table: ledger.marked(70n),
      },
    ),
  'a liquidation, and forced withdrawals of a token that the account does not hold, of which a lot waits':
    () =>
      sealTiny(
        smallLong(),
        [
          close(3n, 42n * USD, { pending: waiting(0n, 1n, 0n, 0n) }),
          l1('withdraw', 1, SPOT, 2n),
          l1('withdraw', 1, SPOT, 0n),
        ],
        { table: ledger.marked(42n) },
      ),
  'a liquidation beside a cancel of the account and a forced withdrawal of the other': () =>
    sealTiny(indebtedLong(), [close(10n, 89n * USD), cancel(1, 40n), l1('withdraw', 2, 0, 7n * USD)], {
      table: ledger.marked(89n),
    }),
  'a liquidation against an order that is filled by another as well': () =>
    sealTiny(
      indebtedLong(),
      (() => {
        const against = ledger.order(2, { side: 'buy', sizeLots: 50n });
        return [close(10n, 89n * USD, { against }), close(5n, 90n * USD, { against })];
      })(),
      { table: ledger.marked(89n) },
    ),
  'a liquidation of the perp of an account that holds options': () =>
    sealTiny(callHolder(), [close(5n, 60n * USD)], { table: ledger.marked(60n) }),
  'a liquidation of options and of the perp': () =>
    sealTiny(callHolder(), [close(5n, 60n * USD), close(1n, 100n * USD, { instrumentId: ledger.THIRD })], {
      table: ledger.marked(60n),
    }),
  'a liquidation of options with a token waiting of which nothing is held': () =>
    sealTiny(callHolder(), [close(2n, 45n * USD, { pending: waiting(1n, 1n, 0n, 0n) })], {
      table: ledger.marked(45n),
    }),
  'a liquidation with two tokens waiting, one to the cap and one beyond it': () => {
    const positionCap = 1n as Lots;
    const table = ledger.twoTokenTable(
      {},
      { [SPOT]: { positionCap }, [SECOND]: { positionCap }, [PERP]: ledger.marked(50n).rows[1] },
    );
    const pending = waiting(0n, 1n, 2n, 0n);
    return sealTiny(smallLong(), [close(3n, 50n * USD, { pending })], { ...twoTokenHeader, table });
  },
  'a sale of spot for quote debt with spot of it waiting beyond the cap, and another to its cap': () => {
    const state = ledger.settle(ledger.funded({ 1: 632n, 2: 100_000n }, { 2: 50n }), [
      ledger.match(1, 2, 10n, 100n, SPOT),
    ]);
    const table = ledger.twoTokenTable(
      {},
      {
        [SPOT]: { ...ledger.marked(66n, SPOT).rows[0], positionCap: 12n as Lots },
        [SECOND]: { positionCap: 1n as Lots, mark: USD as MicrosPerLot },
      },
    );
    const pending = waiting(1n, 3n, 1n, 0n);
    return sealTiny(state, [close(3n, 66n * USD, { instrumentId: SPOT, reason: 2, pending })], {
      ...twoTokenHeader,
      table,
    });
  },
  'a sale of spot for quote debt, and a forced withdrawal of more of it that no liquidity serves': () => {
    const state = ledger.settle(ledger.funded({ 1: 632n, 2: 100_000n }, { 2: 50n }), [
      ledger.match(1, 2, 10n, 100n, SPOT),
    ]);
    return sealTiny(
      state,
      [close(3n, 66n * USD, { instrumentId: SPOT, reason: 2 }), l1('withdraw', 1, SPOT, 10n)],
      { table: ledger.marked(66n, SPOT), liquid: [0n, 0n, 0n, 0n] },
    );
  },
  'a trade of an account with itself': () => sealTiny(positions(), [ledger.match(1, 1, 3n, 100n)]),
  'a fill of a spot token that is sold to nothing while a deposit of it is refused': () =>
    sealTiny(ledger.funded({ 1: 1_000n, 2: 0n }, { 2: 5n }), [
      ledger.match(1, 2, 5n, 99n, SPOT),
      l1('deposit', 2, SPOT, 100_000n),
    ]),
  'a reduce-only sale of spot beside a deposit of it': () =>
    sealTiny(ledger.funded({ 1: 1_000n, 2: 0n }, { 2: 5n }), [
      l1('deposit', 2, SPOT, 2n),
      ledger.trade(
        ledger.order(1, { side: 'buy', sizeLots: 3n, instrumentId: SPOT }),
        ledger.order(2, { side: 'sell', sizeLots: 3n, instrumentId: SPOT, isReduceOnly: true }),
        3n,
        99n,
      ),
    ]),
  'fills at a price of nothing': () =>
    sealTiny(ledger.funded({ 1: 1_000n, 2: 0n }, { 2: 5n }), [ledger.match(1, 2, 1n, 0n, SPOT)]),
  'a fill below MM with a deposit of spot, both of one account': () => {
    const state = ledger.settle(ledger.funded({ 1: 215n, 2: 10_000n }), [ledger.match(1, 2, 10n, 100n)]);
    return sealTiny(state, [l1('deposit', 1, 0, 2n * USD), ledger.match(2, 1, 3n, 90n)], {
      table: ledger.marked(90n),
    });
  },
  'fills of a market that takes only those that shrink': () =>
    sealTiny(positions(), [ledger.match(2, 1, 4n, 100n)], {
      table: ledger.riskTable({}, { [PERP]: { isReduceOnly: true } }),
    }),
  'every row of a tiny batch that signed messages and L1 can fill': () => {
    const mine = ledger.sign(1, [
      ledger.orderMessage({ side: 'buy', sizeLots: 2n, nonce: 40n }),
      ledger.withdrawMessage({ amount: 3n * USD, nonce: 41n }),
      { kind: 'cancel', nonce: 42n, floorBackWords: 1 },
    ]);
    const sell = ledger.order(2, { side: 'sell', sizeLots: 2n });
    return sealTiny(positions(), [
      ledger.trade(sell, { signed: mine, position: 0 }, 2n, 100n),
      { kind: 'cancel', signed: mine, position: 2 },
      l1('deposit', 1, SPOT, 3n),
      l1('withdraw', 2, SPOT, 9n),
      { kind: 'withdraw', signed: mine, position: 1 },
    ]);
  },
  // ---- more of the fund
  'a fund payment beside the settlement that made the debt': () => {
    const state = ledger.settle(ledger.funded({ 1: 430n, 2: 100_000n }), [ledger.match(1, 2, 10n, 100n)]);
    return sealTiny(state, [convert(1), payFund], { ...settled(50n), fundBookedMicros: 1_000n * USD });
  },
  'a fund payment beside a refused deposit and a forced withdrawal that pays nothing': () =>
    sealTiny(bankrupt(), [l1('deposit', 1, SPOT, 100_001n), l1('withdraw', 1, 0, 5n * USD), payFund], {
      fundBookedMicros: 1_000n * USD,
    }),
  'a fund payment of what a deposit leaves, beside a new key': () =>
    sealTiny(bankrupt(), [l1('deposit', 1, 0, 6n * USD), l1('register', 1), payFund], {
      fundBookedMicros: 1_000n * USD,
    }),
  'a fund payment beside a cancel of the account': () =>
    sealTiny(bankrupt(), [cancel(1, 40n), payFund], { fundBookedMicros: 1_000n * USD }),
  'fund payments of two accounts, the second of what is left': () => {
    const state = ledger.settle(
      ledger.settle(ledger.funded({ 1: 400n, 2: 100_000n, 3: 400n }), [
        ledger.match(1, 2, 10n, 100n),
        ledger.match(3, 2, 10n, 100n),
      ]),
      [convert(1), convert(2), convert(3)],
      settled(50n),
    );
    return sealTiny(state, [payFund, { kind: 'pay-fund', accountIndex: 3 }], {
      fundBookedMicros: 150n * USD,
    });
  },
  // ---- more of L1
  'a donation and nothing else': () => sealTiny(ledger.funded({}), [l1('fundDonation', 0, 0, 5n * USD)]),
  'a registration of the last account, and a refused deposit of it': () =>
    sealTiny(ledger.funded({}), [l1('register', 63), l1('deposit', 63, SPOT, 100_001n)]),
  'a new key of an account with positions and a record, and a forced withdrawal of it': () =>
    sealTiny(withRecord(), [l1('register', 2), l1('withdraw', 2, SPOT, 2n)]),
  'a cancel-all from L1 and a signed one, of accounts with positions': () =>
    sealTiny(withRecord(), [l1('cancelAll', 2), signedCancelAll(1)]),
  'a signed cancel-all of an account that deposits and is settled': () =>
    sealTiny(positions(), [signedCancelAll(1), l1('deposit', 1, SPOT, 2n), convert(1)], settled(107n)),
  'deposits and forced withdrawals of nothing': () =>
    sealTiny(ledger.funded({ 1: 10n }), [l1('deposit', 1, SPOT, 0n), l1('withdraw', 1, SPOT, 0n)]),
  'a deposit and a forced withdrawal of one token': () =>
    sealTiny(ledger.funded({ 1: 10n }), [l1('deposit', 1, SPOT, 4n), l1('withdraw', 1, SPOT, 9n)]),
  'forced withdrawals of an account that holds nothing at all': () =>
    sealTiny(ledger.funded({}), [l1('withdraw', 5, 0, USD), l1('withdraw', 5, SPOT, 1n)]),
  'a forced withdrawal and a deposit where the vault is in debt': () =>
    sealTiny(ledger.funded({ 1: 100n }), [l1('withdraw', 1, 0, USD), l1('deposit', 1, 0, 2n * USD)], {
      liquid: [-5n * USD, 0n, 0n, 0n],
    }),
  'a forced withdrawal of spot that margin binds': () =>
    sealTiny(
      ledger.settle(ledger.funded({ 1: 100n, 2: 10_000n }, { 1: 9n }), [ledger.match(1, 2, 10n, 100n)]),
      [l1('withdraw', 1, SPOT, 9n)],
    ),
  'a signed withdrawal cut short for liquidity': () =>
    sealTiny(ledger.funded({ 1: 100n }), [withdraw(1, 50n * USD)], { liquid: [7n * USD, 0n, 0n, 0n] }),
  'a signed withdrawal of all that an account has, and a forced one of its spot': () =>
    sealTiny(ledger.funded({ 1: 100n }, { 1: 3n }), [withdraw(1, 100n * USD), l1('withdraw', 1, SPOT, 3n)]),
  'a settlement, and a forced withdrawal of what it brings': () =>
    sealTiny(positions(), [convert(1), l1('withdraw', 1, 0, 9_999n * USD)], settled(107n)),
  'settlements of one account that empty two instruments': () => {
    const both = ledger.settledAt({ [PERP]: 107n, [ledger.OTHER]: 95n });
    const state = ledger.settle(positions(), [ledger.match(2, 1, 4n, 100n, ledger.OTHER)]);
    const half = ledger.settle(state, [convert(1), convert(1, ledger.OTHER)], { table: both });
    return sealTiny(half, [convert(2), convert(2, ledger.OTHER)], { table: both });
  },
  // ---- a second spot token
  'deposits of a second token, held and refused': () =>
    sealTiny(
      secondHeld(),
      [l1('deposit', 1, SECOND, 2n), l1('deposit', 2, SECOND, 100_001n)],
      twoTokenHeader,
    ),
  'withdrawals of a second token, signed and forced, one of what is not held': () =>
    sealTiny(
      secondHeld(),
      [withdraw(1, 2n, SECOND), l1('withdraw', 1, SECOND, 9n), l1('withdraw', 2, SECOND, 1n)],
      twoTokenHeader,
    ),
  'fills of both tokens by the same accounts': () =>
    sealTiny(
      secondHeld(),
      [ledger.match(2, 1, 3n, 100n, SECOND), l1('withdraw', 1, SPOT, 1n), l1('deposit', 2, SPOT, 1n)],
      twoTokenHeader,
    ),
  // ---- rounds without usable prices
  'everything that needs no price while prices are not usable': () =>
    sealTiny(
      withRecord(),
      [l1('deposit', 1, SPOT, 2n), l1('withdraw', 2, SPOT, 0n), cancel(2, 50n), cancel(1, 40n)],
      UNPRICED,
    ),
  'a forced withdrawal of a token not held, and a refused deposit of it, while prices are not usable': () =>
    sealTiny(positions(), [l1('withdraw', 1, SPOT, 2n), l1('deposit', 1, SPOT, 100_001n)], UNPRICED),
  'a new key, a donation and a retirement while prices are not usable': () =>
    sealTiny(
      positions(),
      [l1('register', 1), l1('fundDonation', 0, 0, 3n), { kind: 'retire', instrumentId: ledger.OTHER }],
      {
        table: ledger.settledAt({ [ledger.OTHER]: 5n }),
        ...UNPRICED,
      },
    ),
  'a jump round: a cancel-all, and a forced withdrawal cut short for liquidity': () =>
    sealTiny(ledger.funded({ 1: 100n }, { 1: 3n }), [l1('withdraw', 1, SPOT, 3n), l1('cancelAll', 1)], {
      table: ledger.riskTable({ isJump: true }),
      liquid: [0n, 1n, 0n, 0n],
      ...UNPRICED,
    }),
  'a forced withdrawal of a debtor while prices are not usable': () =>
    sealTiny(bankrupt(), [l1('withdraw', 1, 0, USD), l1('withdraw', 1, SPOT, 1n)], UNPRICED),
});
