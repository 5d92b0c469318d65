import { expect } from 'chai';
import {
  type BatchSize,
  instrumentLimit,
  largestSize,
  requireOrdered,
  requireSizes,
  smallestFitting,
} from '#protocol/batch/sizes.ts';
import { InputError, InvariantError } from '#protocol/errors.ts';
import {
  type BatchCapacity,
  MEDIUM_BATCH,
  type RowCounts,
  SMALL_BATCH,
  STANDARD_SHAPE,
  TINY_BATCH,
  TINY_SHAPE,
  TINY_WIDE_BATCH,
} from '#protocol/limits.ts';
import type { MessageReference, Operation } from '#protocol/transition/operation.ts';
import {
  batchHeader,
  funded,
  marked,
  match,
  NO_PENDING,
  OTHER,
  open,
  order,
  PERP,
  riskTable,
  run,
  settle,
  THIRD,
  USD,
} from '../../support/ledger.ts';

const small: BatchSize = { capacity: SMALL_BATCH, domainWord: 11n };
const medium: BatchSize = { capacity: MEDIUM_BATCH, domainWord: 22n };
const sizes = [small, medium];
const rows = (change: Partial<RowCounts>): RowCounts => ({
  accounts: 2,
  signatures: 2,
  messages: 2,
  instruments: 1,
  l1Operations: 0,
  withdrawals: 0,
  liquidations: 0,
  settlements: 0,
  ...change,
});

describe('batch sizes of a deployment', () => {
  it('takes the smallest that holds every kind of row', () => {
    expect(smallestFitting(sizes, rows({}))).to.equal(0);
    expect(smallestFitting(sizes, rows({ instruments: 8, liquidations: 4 }))).to.equal(0);
    expect(smallestFitting(sizes, rows({ instruments: 9 }))).to.equal(1);
    expect(smallestFitting(sizes, rows({ liquidations: 5 }))).to.equal(1);
    expect(smallestFitting(sizes, rows({ instruments: 16, liquidations: 16 }))).to.equal(1);
    expect(smallestFitting(sizes, rows({ instruments: 17 }))).to.equal(-1);
    expect(largestSize(sizes)).to.equal(medium);
  });

  it('looks at every kind of row', () => {
    for (const kind of Object.keys(rows({})) as (keyof RowCounts)[]) {
      const beyond = rows({ [kind]: MEDIUM_BATCH[kind] + 1 });
      expect(smallestFitting(sizes, beyond), kind).to.equal(-1);
    }
  });

  it('refuses sizes that are not in order: the last would not hold what another does', () => {
    requireSizes(sizes);
    requireSizes([small]);
    const lessAndMore: BatchCapacity = { ...MEDIUM_BATCH, name: 'odd', accounts: 3 };
    for (const capacities of [
      [],
      [MEDIUM_BATCH, SMALL_BATCH],
      [SMALL_BATCH, SMALL_BATCH],
      [SMALL_BATCH, lessAndMore],
      [SMALL_BATCH, lessAndMore, MEDIUM_BATCH],
    ]) {
      expect(() => requireOrdered(capacities), capacities.map(({ name }) => name).join()).to.throw(
        InputError,
      );
    }
    expect(() => requireSizes([medium, small])).to.throw(InputError, 'here batch-medium');
  });

  it('refuses one circuit under two sizes: proofs of one of them would never be taken', () => {
    expect(() => requireSizes([small, { ...medium, domainWord: small.domainWord }])).to.throw(
      InputError,
      'batch-medium has a circuit of its own',
    );
  });

  it('lists what an empty batch of the largest size can always serve', () => {
    expect(instrumentLimit([SMALL_BATCH], STANDARD_SHAPE)).to.equal(8);
    expect(instrumentLimit([SMALL_BATCH, MEDIUM_BATCH], STANDARD_SHAPE)).to.equal(16);
    // 16 legs of one account and 15 others of its counterparty.
    const rowsOf = (instruments: number) => [SMALL_BATCH, { ...MEDIUM_BATCH, instruments }];
    expect(instrumentLimit(rowsOf(30), STANDARD_SHAPE)).to.equal(30);
    expect(instrumentLimit(rowsOf(31), STANDARD_SHAPE)).to.equal(Number.POSITIVE_INFINITY);
  });
});

describe('a batch that is sealed for one of several sizes', () => {
  const LEGS = [PERP, OTHER, THIRD];
  const start = settle(
    funded({ 1: 700n, 2: 700n, 3: 100_000n }),
    LEGS.flatMap((id) => [match(1, 3, 10n, 100n, id), match(2, 3, 10n, 100n, id)]),
  );
  const fallen = riskTable(
    {},
    Object.fromEntries(LEGS.map((id) => [id, { mark: marked(70n).rows[1].mark }])),
  );
  /** Account 3 buys a leg of account 1, or of both, with one order. */
  const bidsFor = (lots: bigint) =>
    LEGS.map((instrumentId) => order(3, { side: 'buy', sizeLots: lots, instrumentId }));
  const close = (accountIndex: number, against: MessageReference, leg: number): Operation => ({
    kind: 'liquidate',
    accountIndex,
    instrumentId: LEGS[leg],
    lots: 10n,
    priceMicrosPerLot: 70n * USD,
    reason: 1,
    pending: NO_PENDING,
    against,
    feeMicros: 0n,
  });

  it('counts its rows as it grows', () => {
    const opened = open(start, { table: fallen }, MEDIUM_BATCH);
    expect(opened.usedRows).to.deep.equal(rows({ accounts: 0, signatures: 0, messages: 0, instruments: 0 }));
    const bids = bidsFor(20n);
    const one = run(opened, close(1, bids[0], 0));
    // Both accounts hold all three, so each has a row.
    expect(one.usedRows).to.deep.equal(
      rows({ accounts: 2, signatures: 1, messages: 1, instruments: 3, liquidations: 1 }),
    );
    const six = run(opened, ...bids.flatMap((bid, leg) => [close(1, bid, leg), close(2, bid, leg)]));
    expect(six.usedRows).to.deep.equal(
      rows({ accounts: 3, signatures: 3, messages: 3, instruments: 3, liquidations: 6 }),
    );
    expect(smallestFitting(sizes, one.usedRows)).to.equal(0);
    expect(smallestFitting(sizes, six.usedRows)).to.equal(1);
  });

  it('carries the circuit of that size in word 0 and has its rows; the state after is the same', () => {
    const batch = run(
      open(start, { table: fallen, domainWord: 22n }, MEDIUM_BATCH),
      close(1, bidsFor(10n)[0], 0),
    );
    const [asSmall, asMedium] = sizes.map((size) => batch.seal(size));
    for (const [i, { batch: sealed }] of [asSmall, asMedium].entries()) {
      expect(sealed.capacity).to.equal(sizes[i].capacity);
      expect(sealed.content.header).to.deep.equal({
        ...batchHeader({ table: fallen }),
        domainWord: sizes[i].domainWord,
      });
    }
    expect(asSmall.batch.newStateRoot).to.equal(asMedium.batch.newStateRoot);
    expect(batch.seal().batch).to.deep.equal(asMedium.batch);
  });

  it('is never sealed for a size that does not hold it', () => {
    const legs = bidsFor(10n).map((bid, leg) => close(1, bid, leg));
    const batch = run(open(start, { table: fallen }, TINY_WIDE_BATCH), ...legs.slice(0, 2));
    batch.seal({ capacity: TINY_BATCH, domainWord: 1n });
    const beyond = run(open(start, { table: fallen }, { ...TINY_WIDE_BATCH, signatures: 3 }), ...legs);
    expect(() => beyond.seal({ capacity: { ...TINY_BATCH, signatures: 3 }, domainWord: 1n })).to.throw(
      InvariantError,
      'no more room for liquidations',
    );
    expect(instrumentLimit([TINY_BATCH], TINY_SHAPE)).to.equal(4);
  });
});
