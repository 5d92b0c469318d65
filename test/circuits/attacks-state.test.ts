/** Leaves that change without a cause: positions, cash, records, nonces, epoch, open interest. */

import type { Account } from '#protocol/account.ts';
import type { SealedBatch } from '#protocol/batch/batch.ts';
import { TINY_SHAPE } from '#protocol/limits.ts';
import { ROW_VALUES, rowHash } from '#protocol/risk/table.ts';
import { accountAt } from '#protocol/state.ts';
import type { Lots } from '#protocol/units.ts';
import { type Attack, BUS, FREIVALDS, refuses, tinyCircuit } from '#test/support/attack.ts';
import { positions, sealTiny } from '#test/support/batch-traces.ts';
import { type Forgery, forge, withCash, withLots } from '#test/support/forged-batch.ts';
import * as ledger from '#test/support/ledger.ts';

const { PERP, SPOT, USD } = ledger;
const rich = ledger.settle(ledger.funded({ 1: 10_000n, 2: 10_000n }, { 2: 5n }), [
  ledger.trade(
    ledger.order(1, { side: 'buy', sizeLots: 10n, nonce: 40n }),
    ledger.order(2, { side: 'sell', sizeLots: 30n, nonce: 33n }),
    4n,
    100n,
  ),
]);
const buy = ledger.order(1, { side: 'buy', sizeLots: 9n, nonce: 60n });
const sell = ledger.order(2, { side: 'sell', sizeLots: 9n, nonce: 61n });
const tradeContent = ledger.run(ledger.open(rich), ledger.trade(sell, buy, 5n, 100n)).content;

const traded = (forgery: Forgery): Attack => ({ batch: forge(rich, tradeContent, forgery) });
const only =
  (index: number, change: (account: Account) => Account): Forgery['after'] =>
  (account, accountIndex) =>
    accountIndex === index ? change(account) : account;

describe('batch circuit, forged leaves', function () {
  this.timeout(600_000);
  before(tinyCircuit);

  refuses({
    'a position with one lot more than was traded': [
      BUS,
      () => traded({ after: only(1, (a) => withLots(a, PERP, 1n)) }),
    ],
    'a position in a market without a trade': [
      BUS,
      () => traded({ after: only(1, (a) => withLots(a, ledger.OTHER, 1n)) }),
    ],
    'cash from nowhere': [BUS, () => traded({ after: only(2, (a) => withCash(a, 1n)) })],
    'cash moved from one account to another': [
      BUS,
      () =>
        traded({
          after: (a, index) => (index === 1 ? withCash(a, -USD) : index === 2 ? withCash(a, USD) : a),
        }),
    ],
    'a spot lot from nowhere': [BUS, () => traded({ after: only(2, (a) => withLots(a, SPOT, 1n)) })],
    'a spot balance below zero': [
      'SpotSlot: RangeCheck(SIZE_BITS())(newLots);',
      () => ({ batch: forge(rich, tradeContent), signals: (s) => s.set('accountNewSpotLots', 1, 0, -1n) }),
    ],
    'a live record left out': [
      BUS,
      () => traded({ after: only(1, (a) => ({ ...a, records: a.records.slice(1) })) }),
    ],
    'a record that was filled less than it was': [
      BUS,
      () =>
        traded({
          after: only(1, (a) => ({
            ...a,
            records: a.records.map((r, i) => (i === 0 ? { ...r, filled: (r.filled - 1n) as Lots } : r)),
          })),
        }),
    ],
    'a record twice': [
      'OrderRecords: RangeCheck(RECORD_OFFSET_BITS())(steps[i]);',
      () => traded({ after: only(1, (a) => ({ ...a, records: [a.records[0], a.records[0]] })) }),
    ],
    'records out of order': [
      'OrderRecords: RangeCheck(RECORD_OFFSET_BITS())(steps[i]);',
      () => traded({ after: only(1, (a) => ({ ...a, records: [...a.records].reverse() })) }),
    ],
    'a used bit that was cleared': [
      BUS,
      () => traded({ after: only(2, (a) => ({ ...a, usedMap: a.usedMap & ~(1n << 33n) })) }),
    ],
    'a used bit that no message set': [
      BUS,
      () => traded({ after: only(1, (a) => ({ ...a, usedMap: a.usedMap | (1n << 62n) })) }),
    ],
    'a base word raised by nobody': [
      'NonceWindow: (1 - isRaised - isEpochChanged) * (newBaseWord - oldBaseWord) === 0;',
      () => ({ batch: forge(rich, tradeContent), signals: (s) => s.set('accountNewBaseWord', 0, 1n) }),
    ],
    'a base word raised by the operator alone': [
      BUS,
      () => {
        const batch = forge(rich, tradeContent);
        return {
          batch,
          commit: (c) => {
            c.accounts[0].isRaised = true;
          },
        };
      },
    ],
    'an epoch changed without a cause': [
      BUS,
      () => {
        const empty = sealTiny(ledger.funded({ 1: 10n }), []);
        const batch: SealedBatch = {
          ...empty,
          accounts: empty.accounts.map((row) => ({ ...row, isTouched: row.accountIndex === 1 })),
        };
        const changed = forge(ledger.funded({ 1: 10n }), batch.content, {
          alsoTouched: [1],
          after: only(1, (a) => ({ ...a, epoch: a.epoch + 1n, usedMap: 0n, baseWord: 0n, records: [] })),
        });
        const at = changed.accounts.findIndex(({ accountIndex }) => accountIndex === 1);
        return {
          batch: changed,
          commit: (c) => {
            c.accounts[at].isEpochChanged = true;
          },
        };
      },
    ],
    'a change of an account that is called untouched': [
      'AccountRow: (1 - isTouched) * (after.hash - before.hash) === 0;',
      () => {
        const changed = forge(rich, ledger.open(rich).content, {
          alsoTouched: [1],
          after: only(1, (a) => withCash(a, 1n)),
        });
        return {
          batch: { ...changed, accounts: changed.accounts.map((row) => ({ ...row, isTouched: false })) },
        };
      },
    ],
    'open interest one lot off': [
      BUS,
      () => traded({ openInterest: (lots) => lots.map((n, i) => (i === 1 ? n + 1n : n)) }),
    ],
    'open interest of a market without a row': [
      'MarketList: (1 - hasRow[m]) * (newInterestLots[m] - oldInterestLots[m]) === 0;',
      () => traded({ openInterest: (lots) => lots.map((n, i) => (i === 3 ? n + 1n : n)) }),
    ],
    'an unlisted instrument: a holding whose row is left out': [
      BUS,
      () => ({
        batch: forge(
          positions(),
          ledger.run(ledger.open(positions()), { kind: 'l1', operation: ledger.l1('deposit', 1, 0, USD) })
            .content,
        ),
        commit: (c) => {
          c.flags.hasRow = c.flags.hasRow.map(() => false);
          for (const row of c.instruments) row.isUsed = false;
        },
        signals: (s) => {
          for (const slot of [0, 1, 2, 3]) s.set('marketHasRow', slot, 0n);
          for (const name of ['instrumentIsUsed', 'instrumentLongWeight', 'instrumentShortWeight'])
            for (const row of [0, 1, 2, 3]) s.set(name, row, 0n);
        },
      }),
    ],
    'an instrument row used twice': [
      BUS,
      () => {
        const batch = forge(rich, tradeContent);
        return {
          batch,
          commit: (c) => {
            c.instruments[3] = structuredClone(c.instruments[0]);
          },
          signals: (s) => {
            const scalars = [
              'IsUsed',
              'Underlying',
              'IsSpot',
              'IsReduceOnly',
              'MarketSlot',
              'OldInterestLots',
            ];
            for (const name of [...scalars, 'NewInterestLots', 'IsWithinCap', 'OpeningFills'])
              s.set(`instrument${name}`, 3, s.get(`instrument${name}`, 0));
            for (let i = 0; i < ROW_VALUES; i++) s.set('instrumentRow', 3, i, s.get('instrumentRow', 0, i));
          },
        };
      },
    ],
    'one instrument in two slots': [
      'DistinctSlots: (instrumentIds[i] - instrumentIds[j]) * inverses[i * COUNT + j] === isOpen[i];',
      () =>
        traded({
          after: only(1, (a) => ({
            ...a,
            slots: a.slots.map((slot, i) =>
              i === 1
                ? { instrumentId: PERP, size: 3n as Lots }
                : i === 0
                  ? { ...slot, size: (slot.size - 3n) as Lots }
                  : slot,
            ),
          })),
        }),
    ],
    'a slot that passes from one instrument to another': [
      'AlignedSlot: after.isOpen * (newId - instrumentId) === 0;',
      () =>
        traded({
          after: only(1, (a) => ({
            ...a,
            slots: a.slots.map((slot, i) => (i === 0 ? { ...slot, instrumentId: ledger.OTHER } : slot)),
          })),
        }),
    ],
    'a spot token in a derivative slot, where it could be short': [
      'SlotFields: high * highInverse === isOpen;',
      () =>
        traded({
          after: only(1, (a) => ({
            ...a,
            slots: a.slots.map((slot, i) => (i === 1 ? { instrumentId: SPOT, size: -3n as Lots } : slot)),
          })),
        }),
    ],
    'an empty slot that keeps an id': [
      'SlotFields: (1 - isOpen) * packed === 0;',
      () => ({ batch: forge(rich, tradeContent), signals: (s) => s.set('accountNewSlotIds', 0, 2, 5n) }),
    ],
    'a second reading of a packed slot: id and side swapped into a larger id': [
      'SlotFields: idBits.in <== instrumentId;',
      () => ({
        batch: forge(rich, tradeContent),
        signals: (s) => {
          s.set('accountOldSlotIsShort', 1, 0, 0n);
          s.add('accountOldSlotIds', 1, 0, 1n << 20n);
        },
      }),
    ],
    'a leaf that is not in the old tree': [
      'MerkleUpdate: RequireChild()(oldNodes[level], children[level], places.out[2 * level], places.out[2 * level + 1]);',
      () => ({ batch: forge(rich, tradeContent), signals: (s) => s.add('accountOldCashStarMicros', 0, 1n) }),
    ],
    'a second account changed in the old tree, which undoes the change of the first': [
      'Batch: for (var a = 1; a < ACCOUNTS; a++) { accounts[a].oldRoot === accounts[a - 1].newRoot; }',
      () => {
        const batch = forge(rich, tradeContent);
        const [first, second] = batch.accounts;
        const { siblings } = rich.tree.prove(second.accountIndex);
        return { batch: { ...batch, accounts: [first, { ...second, siblings }] } };
      },
    ],
    'a Merkle place outside the path': [
      'MerkleUpdate: places.in <== index;',
      () => ({ batch: forge(rich, tradeContent), signals: (s) => s.set('accountIndex', 1, 64n) }),
    ],
    'the same account in two rows': [
      'Batch: RangeCheck(ACCOUNT_INDEX_BITS())(accountIndex[a] - accountIndex[a - 1] - 1);',
      () => {
        const state = ledger.funded({ 1: 10n });
        const batch = sealTiny(state, []);
        const row = {
          ...batch.accounts[0],
          accountIndex: 1,
          before: accountAt(state, 1),
          after: accountAt(state, 1),
          siblings: state.tree.prove(1).siblings,
        };
        return { batch: { ...batch, accounts: [row, row] } };
      },
    ],
    'cash stored beyond its 99 bits': [
      'AccountRow: RangeCheck(CASH_STAR_BITS() + 1)(newCashStarMicros + (1 << CASH_STAR_BITS()));',
      () => ({
        batch: forge(rich, tradeContent),
        signals: (s) => s.set('accountNewCashStarMicros', 0, 1n << 99n),
      }),
    ],
    'losses off by one after the batch': [
      FREIVALDS,
      () => ({
        batch: forge(rich, tradeContent),
        commit: (c) => {
          c.accounts[0].newLosses[3] -= 1n;
        },
      }),
    ],
    'losses off by one before the batch': [
      FREIVALDS,
      () => ({
        batch: forge(rich, tradeContent),
        commit: (c) => {
          c.accounts[0].oldLosses[3] += 1n;
        },
      }),
    ],
    'losses that cancel between two accounts': [
      FREIVALDS,
      () => ({
        batch: forge(rich, tradeContent),
        commit: (c) => {
          c.accounts[0].oldLosses[3] += 1n;
          c.accounts[1].oldLosses[3] -= 1n;
        },
      }),
    ],
    'a mark value inflated by a dollar': [
      FREIVALDS,
      () => ({
        batch: forge(rich, tradeContent),
        commit: (c) => {
          c.accounts[0].newValues.mark += USD;
        },
      }),
    ],
    'a charge moved into the mark': [
      FREIVALDS,
      () => ({
        batch: forge(rich, tradeContent),
        commit: (c) => {
          c.accounts[0].newValues.mark += 1n;
          c.accounts[0].newValues.chargeIm -= 1n;
        },
      }),
    ],
    'the funding base of the old list misstated, to mint cash': [
      FREIVALDS,
      () => ({
        batch: forge(rich, tradeContent, { after: only(1, (a) => withCash(a, USD)) }),
        commit: (c) => {
          c.accounts[0].oldValues.funding -= USD;
        },
      }),
    ],
    'a weight off by one': [
      BUS,
      () => ({ batch: forge(rich, tradeContent), signals: (s) => s.add('instrumentLongWeight', 1, 1n) }),
    ],
    'a weight moved from long to short': [
      BUS,
      () => ({
        batch: forge(rich, tradeContent),
        signals: (s) => {
          s.add('instrumentShortWeight', 1, 1n);
          s.add('instrumentLongWeight', 1, -1n);
        },
      }),
    ],
    'a weight on an unused instrument row': [
      BUS,
      () => ({ batch: forge(rich, tradeContent), signals: (s) => s.set('instrumentLongWeight', 3, 5n) }),
    ],
    'a value changed after the challenge': [
      'Batch: commitment === committed.commitment;',
      () => ({ batch: forge(rich, tradeContent), signals: (s) => s.add('instrumentRow', 1, 1, USD) }),
    ],
    'a mark that the table does not have': [
      BUS,
      () => {
        const row = { ...ledger.riskRow(PERP), mark: (101n * USD) as never };
        return {
          batch: forge(rich, tradeContent),
          commit: (c) => {
            c.instruments[1].rowHash = rowHash(row, TINY_SHAPE);
          },
          signals: (s) => s.set('instrumentRow', 1, 1, row.mark),
        };
      },
    ],
  });
});
