/** Positions beyond the cap of their instrument, and lies about the cap. */
import type { BatchContent, SealedBatch } from '#protocol/batch/batch.ts';
import { poseidonChain } from '#protocol/crypto/poseidon.ts';
import { ROW_VALUES } from '#protocol/risk/table.ts';
import type { LedgerState } from '#protocol/state.ts';
import type { Lots } from '#protocol/units.ts';
import { type Attack, accepts, BUS, refuses } from '#test/support/attack.ts';
import { positions, sealTiny } from '#test/support/batch-traces.ts';
import { forge } from '#test/support/forged-batch.ts';
import * as ledger from '#test/support/ledger.ts';

const { OTHER, PERP, SPOT } = ledger;
const CAP = 10n;
const LOTS_MAX = (1n << 47n) - 1n;
/** Row of the buying account: trades name the maker first, who sells. */
const [SELLER, BUYER] = [0, 1];
/** The last of the four instrument rows, and the cap among the values of a row. */
const UNUSED = 3;
const POSITION_CAP_AT = 11;

const capped = (cap: bigint, of: number = PERP) =>
  ledger.riskTable({}, { [of]: { positionCap: cap as Lots } });
const withCap = (content: BatchContent, cap: bigint, of?: number): BatchContent => ({
  ...content,
  header: { ...content.header, table: capped(cap, of) },
});

/** Account 1 buys from account 2. */
const sale = (lots: bigint, instrumentId: number = PERP) =>
  ledger.trade(
    ledger.order(2, { side: 'sell', sizeLots: lots, instrumentId }),
    ledger.order(1, { side: 'buy', sizeLots: lots, instrumentId }),
    lots,
    100n,
  );
const fresh = () => ledger.funded({ 1: 1_000n, 2: 1_000n }, { 2: 5n });

/** A batch that the twin took without a cap, told under one. */
function beyond(state: LedgerState, batch: SealedBatch, cap: bigint): SealedBatch {
  return forge(state, withCap(batch.content, cap));
}
/** Accounts 1 and 2 open so many lots. */
function opened(lots: bigint): Attack & { batch: SealedBatch } {
  const state = fresh();
  return { batch: beyond(state, sealTiny(state, [sale(lots)]), CAP) };
}
/** Long and short ten lots; four more under a cap below what they hold. */
function grown(): Attack & { batch: SealedBatch } {
  const state = positions();
  return { batch: beyond(state, sealTiny(state, [sale(4n)]), 4n) };
}

const ROOM = 'MessageRow: RangeCheck(SIZE_BITS())(capRoomLots);';
const SHRUNK = 'AlignedSlot: RangeCheck(SIZE_BITS())(closedLots);';

describe('attacks on position caps', () => {
  accepts({
    'positions at the cap': () => opened(CAP),
    // The row of the seller's instrument, in a batch with rows of others.
    'positions at the cap of the second of two instruments': () => {
      const state = positions();
      const batch = sealTiny(state, [sale(3n, OTHER)]);
      return { batch: forge(state, withCap(batch.content, 3n, OTHER)) };
    },
    'spot beyond its cap, which is no rule of a trade': () => {
      const state = fresh();
      return { batch: forge(state, withCap(sealTiny(state, [sale(5n, SPOT)]).content, 1n, SPOT)) };
    },
  });

  const toldAs = (
    make: () => Attack,
    rows: readonly number[],
    capRoomLots: bigint,
    index?: number,
  ): Attack => ({
    ...make(),
    commit: (c) => {
      for (const row of rows) {
        c.messages[row].isShrinking = false;
        c.messages[row].capRoomLots = capRoomLots;
        if (index !== undefined) c.messages[row].instrumentIndex = index;
      }
      // What the forged batch takes for shrinking, because it is above the cap.
      for (const account of c.accounts) account.isShrinking = account.isShrinking.map(() => false);
      for (const row of c.instruments) {
        row.openingFills += row.shrinkingFills;
        row.shrinkingFills = 0;
      }
    },
    signals: (s) => {
      for (const account of [0, 1])
        for (const slot of [0, 1, 2, 3, 4, 5]) s.set('accountIsShrinking', account, slot, 0n);
    },
  });
  const BOTH = [SELLER, BUYER];

  refuses({
    // The room that the true position leaves is −1.
    'a long and a short of one lot more than the cap': [
      ROOM,
      () => {
        const attack = toldAs(() => opened(CAP + 1n), BOTH, 0n);
        return {
          ...attack,
          signals: (s) => {
            attack.signals?.(s);
            for (const row of BOTH) s.set('messageCapRoomLots', row, -1n);
          },
        };
      },
    ],
    'a new position said to be smaller than it is': [BUS, () => toldAs(() => opened(CAP + 1n), BOTH, 0n)],
    'a new position said to be nothing, as of spot': [BUS, () => toldAs(() => opened(CAP + 1n), BOTH, CAP)],
    'of two accounts, one beyond the cap': [
      BUS,
      () => {
        const state = ledger.settle(fresh(), [ledger.match(2, 1, 4n, 100n)]);
        // Account 1 goes from −4 to 7, account 2 from 4 to −7; said to stay within 6.
        const batch = beyond(state, sealTiny(state, [sale(11n)]), 6n);
        return toldAs(() => ({ batch }), [BUYER], 0n);
      },
    ],
    'the cap of another instrument': [
      BUS,
      () => {
        const state = positions();
        const batch = sealTiny(state, [sale(3n, OTHER)]);
        const forged = forge(state, withCap(batch.content, 2n, OTHER));
        // The first row is the perp's, whose cap is 100 000: 3 lots would leave this much of it.
        return toldAs(() => ({ batch: forged }), BOTH, 100_000n - 3n, 0);
      },
    ],
    'the cap of an unused row': [
      BUS,
      () => {
        const attack = toldAs(() => opened(CAP + 1n), BOTH, LOTS_MAX - CAP - 1n, UNUSED);
        // With the id of the order on top, as if the row were its instrument's.
        const cap = LOTS_MAX + (BigInt(PERP) << 48n);
        return {
          ...attack,
          commit: (c) => {
            attack.commit?.(c);
            const row = Array.from({ length: ROW_VALUES }, (_, i) => (i === POSITION_CAP_AT ? cap : 0n));
            c.instruments[UNUSED].rowHash = poseidonChain(row);
          },
          signals: (s) => {
            attack.signals?.(s);
            s.set('instrumentRow', UNUSED, POSITION_CAP_AT, cap);
          },
        };
      },
    ],
    'a row past the last one': [
      'Chosen: sum === index;',
      () => ({
        ...opened(CAP),
        signals: (s) => s.set('messageInstrumentIndex', BUYER, 4n),
      }),
    ],
    'a room that is negative': [
      ROOM,
      () => ({ ...opened(CAP), signals: (s) => s.set('messageCapRoomLots', BUYER, -1n) }),
    ],
    'a room told after the challenge': [
      'Batch: commitment === committed.commitment;',
      () => ({ ...opened(CAP), signals: (s) => s.set('messageCapRoomLots', BUYER, 1n) }),
    ],
    'a cap told after the challenge': [
      'Batch: commitment === committed.commitment;',
      () => ({ ...opened(CAP), signals: (s) => s.set('instrumentRow', 0, POSITION_CAP_AT, CAP + 1n) }),
    ],
    'opening orders called shrinking': [SHRUNK, () => opened(CAP + 1n)],
    'growth above a lowered cap called shrinking': [SHRUNK, grown],
    'opening orders called shrinking, the position not': [
      BUS,
      () => {
        const attack = toldAs(() => opened(CAP + 1n), BOTH, CAP);
        return {
          ...attack,
          commit: (c) => {
            attack.commit?.(c);
            for (const row of BOTH) c.messages[row].isShrinking = true;
            c.instruments[0].shrinkingFills = c.instruments[0].openingFills;
            c.instruments[0].openingFills = 0;
          },
        };
      },
    ],
    'a position turned beyond the cap': [
      BUS,
      () => {
        const state = positions();
        const turned = ledger.trade(
          ledger.order(1, { side: 'sell', sizeLots: 15n }),
          ledger.order(2, { side: 'buy', sizeLots: 15n }),
          15n,
          100n,
        );
        return toldAs(() => ({ batch: beyond(state, sealTiny(state, [turned]), 4n) }), BOTH, 0n);
      },
    ],
    'a cap raised by another split of the row': [
      'InstrumentRow: RangeCheck(INSTRUMENT_ID_BITS())(rowId);',
      () => {
        const attack = toldAs(() => opened(CAP + 1n), BOTH, LOTS_MAX);
        return {
          ...attack,
          // The id falls by 2^28 as the flag comes: 2^76 of cap.
          signals: (s) => {
            attack.signals?.(s);
            s.set('instrumentIsSpot', 1, 1n);
          },
        };
      },
    ],
  });
});
