/** A finished batch is judged from its content alone: every number of it is turned, and the reason is named. */
import { expect } from 'chai';
import type { BatchContent } from '#protocol/batch/batch.ts';
import { rootOfPath, type Siblings } from '#protocol/crypto/merkle-tree.ts';
import { leafHash } from '#protocol/leaf.ts';
import { accountAt, stateRoot, stateRootOf } from '#protocol/state.ts';
import { executeBatch } from '#protocol/transition/execute-batch.ts';
import { batchInstruments } from '#protocol/transition/market-rules.ts';
import type { Operation } from '#protocol/transition/operation.ts';
import type { MicrosPerLot } from '#protocol/units.ts';
import {
  funded,
  l1,
  linearLosses,
  marked,
  match,
  must,
  NO_PENDING,
  open,
  order,
  orderMessage,
  PERP,
  ROOMY,
  refusal,
  riskTable,
  run,
  settle,
  sign,
  trade,
  USD,
  withdrawal,
} from '../../support/ledger.ts';

// At $80 account 1 (long 10 with $250) is liquidated against 3 while 2 and 3 trade, 4 withdraws, 5 comes and goes. 9 is as long
// as 1, rich, and takes no part.
const start = settle(funded({ 1: 250n, 2: 10_000n, 3: 10_000n, 4: 500n, 5: 500n, 9: 10_000n }), [
  match(1, 2, 10n, 100n),
  match(9, 2, 10n, 100n),
]);
const header = { table: marked(80n), fundBookedMicros: 0n };
const close: Operation = {
  kind: 'liquidate',
  accountIndex: 1,
  instrumentId: PERP,
  lots: 6n,
  priceMicrosPerLot: 80n * USD,
  reason: 1,
  pending: NO_PENDING,
  against: order(3, { side: 'buy', sizeLots: 6n }),
  feeMicros: 10n,
};
const full = run(
  open(start, header),
  trade(
    order(2, { side: 'sell', sizeLots: 9n, isReduceOnly: false }),
    order(3, { side: 'buy', sizeLots: 7n }),
    7n,
    80n,
    { maker: 100n, taker: 200n },
  ),
  close,
  { kind: 'withdraw', ...withdrawal(4, 100n * USD) },
  { kind: 'l1', operation: l1('deposit', 5, 0, 50n * USD) },
  { kind: 'l1', operation: l1('withdraw', 5, 0, 1000n * USD) },
  {
    kind: 'cancel',
    ...{ signed: sign(4, [{ kind: 'cancel', nonce: 50n, floorBackWords: 1 }]), position: 0 },
  },
);
const { content } = full;
/** The same marks, where a quarter of the scan range moves the perp by ten cents only: no account needs $50. */
const calm = riskTable(
  {},
  { [PERP]: { ...header.table.rows[1], ...linearLosses((-USD / 10n) as MicrosPerLot) } },
);
const judge = (changed: BatchContent) => executeBatch(start, changed, ROOMY);

describe('a sealed batch', () => {
  const { batch, state } = full.seal();

  it('comes out the same when its content is executed again', () => {
    const again = must(executeBatch(start, batch.content, ROOMY));
    expect(again.batch).to.deep.equal(batch);
    expect(stateRoot(again.state)).to.equal(batch.newStateRoot);
    expect(batch.oldStateRoot).to.equal(stateRoot(start));
  });

  it('has exactly as many account rows as the circuit, in order, padded with accounts that hold nothing', () => {
    expect(batch.accounts.map((row) => row.accountIndex)).to.deep.equal([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(batch.accounts.filter((row) => row.isTouched).map((row) => row.accountIndex)).to.deep.equal([
      1, 2, 3, 4, 5,
    ]);
    expect(batchInstruments(batch.accounts, batch.content)).to.deep.equal([PERP]);
  });

  it('leads from the old to the new root, one path for both leaves of a row', () => {
    let root = batch.oldAccountsRoot;
    for (const row of batch.accounts) {
      const places = row.siblings.map((_, height) => Math.floor(row.accountIndex / 4 ** height) % 4);
      const siblings = row.siblings as Siblings[];
      expect(rootOfPath(leafHash(row.before, batch.shape), siblings, places)).to.equal(root);
      root = rootOfPath(leafHash(row.after, batch.shape), siblings, places);
    }
    expect(root).to.equal(batch.newAccountsRoot);
    expect(stateRootOf(root, batch.newOpenInterest)).to.equal(batch.newStateRoot);
    expect(stateRoot(state)).to.equal(batch.newStateRoot);
  });

  it('adds up fees and penalties', () => {
    expect(batch.feesMicros).to.equal(310n);
    expect(batch.penaltiesMicros).to.equal(4_800_000n);
    expect(batch.fundPaymentsMicros).to.equal(0n);
  });

  it('leaves the state it was built on as it was: discarding it is forgetting it', () => {
    expect(accountAt(start, 4).cashStar).to.equal(500n * USD);
    expect(stateRoot(start)).to.equal(batch.oldStateRoot);
  });

  it('of no operation keeps the root', () => {
    const empty = open(start).seal().batch;
    expect(empty.newStateRoot).to.equal(empty.oldStateRoot);
    expect(empty.accounts.every((row) => !row.isTouched)).to.equal(true);
  });
});

describe('content that was tampered with', () => {
  const message = (at: number, change: object): BatchContent => ({
    ...content,
    messages: content.messages.map((row, i) => (i === at ? { ...row, ...change } : row)),
  });
  const liquidation = (change: object): BatchContent => ({
    ...content,
    liquidations: [{ ...content.liquidations[0], ...change }],
  });
  const liquidated = (change: object): BatchContent => ({
    ...content,
    liquidatedAccounts: [{ ...content.liquidatedAccounts[0], ...change }],
  });
  const liquidationOf = (accountIndex: number): BatchContent => ({
    ...liquidation({ accountIndex }),
    liquidatedAccounts: [{ ...content.liquidatedAccounts[0], accountIndex }],
  });
  const outcome = (at: number, change: object): BatchContent => ({
    ...content,
    l1Operations: content.l1Operations.map((row, i) =>
      i === at ? { ...row, outcome: { ...row.outcome, ...change } } : row,
    ),
  });
  const withdrawn = (servedAmount: bigint): BatchContent => ({
    ...content,
    withdrawals: [{ ...content.withdrawals[0], servedAmount }],
  });
  const forgedOrder = {
    ...content.signatures[0],
    messages: [orderMessage({ side: 'sell', sizeLots: 99n, nonce: 7n })],
  };

  const cases: [name: string, changed: BatchContent, code: string][] = [
    ['a fill without its other side', message(0, { fillLots: 8n }), 'market-does-not-clear'],
    [
      'cash that one side pays and nobody gets',
      message(0, { cashMicros: 560n * USD + 1n }),
      'market-does-not-clear',
    ],
    ['a fee above the cap', message(0, { feeMicros: 60n * USD }), 'fee-cap'],
    ['a fee beyond its width', message(0, { feeMicros: 1n << 48n }), 'out-of-range'],
    ['a negative fee', message(0, { feeMicros: -1n }), 'empty-fill'],
    ['a shrink flag nobody asked for', message(0, { isShrinking: true }), 'malformed-content'],
    ['a message that does not exist', message(0, { position: 1 }), 'malformed-content'],
    ['a signature that does not exist', message(0, { signatureIndex: 99 }), 'malformed-content'],
    [
      'one message in two rows',
      { ...content, messages: [...content.messages, content.messages[0]] },
      'malformed-content',
    ],
    [
      'a cancel that moves cash',
      message(content.messages.length - 1, { cashMicros: 1n }),
      'malformed-content',
    ],
    [
      'a signature twice',
      { ...content, signatures: [...content.signatures, content.signatures[0]] },
      'malformed-content',
    ],
    [
      'a forged order',
      { ...content, signatures: [forgedOrder, ...content.signatures.slice(1)] },
      'bad-signature',
    ],
    ['an order row dropped', { ...content, messages: content.messages.slice(1) }, 'market-does-not-clear'],
    ['a liquidation for more lots', liquidation({ closedLots: 7n }), 'market-does-not-clear'],
    ['a liquidation of the other side', liquidation({ isShort: true }), 'market-does-not-clear'],
    ['a liquidation of another account', liquidationOf(9), 'not-liquidatable'],
    ['a liquidation of an account that trades', liquidationOf(2), 'needs-new-batch'],
    [
      'churn by two rows of one position',
      {
        ...content,
        liquidations: Array(2).fill({
          ...content.liquidations[0],
          closedLots: 3n,
          cashMicros: 240n * USD,
        }),
      },
      'malformed-content',
    ],
    ['a liquidation nobody states', { ...content, liquidatedAccounts: [] }, 'malformed-content'],
    [
      'a stated liquidation without rows',
      {
        ...content,
        liquidatedAccounts: [
          ...content.liquidatedAccounts,
          { ...content.liquidatedAccounts[0], accountIndex: 4 },
        ],
      },
      'malformed-content',
    ],
    ['a penalty one micro too high', liquidated({ penaltyMicros: 4_800_001n }), 'penalty'],
    ['a penalty one micro too low', liquidated({ penaltyMicros: 4_799_999n }), 'penalty'],
    ['a penalty on an unliquidated reason', liquidated({ reason: 2 }), 'not-liquidatable'],
    [
      'pending deposits that save the account',
      liquidated({ pending: { quoteMicros: 500n * USD, spotLots: [0n, 0n, 0n] } }),
      'not-liquidatable',
    ],
    ['a withdrawal above the signed amount', withdrawn(100n * USD + 1n), 'served-amount'],
    ['a withdrawal cut short without need', withdrawn(100n * USD - 1n), 'needs-new-batch'],
    ['a withdrawal of nothing', withdrawn(0n), 'served-amount'],
    ['a deposit not credited', outcome(0, { isApplied: false, served: 0n }), 'deposit-outcome'],
    ['a deposit credited twice', outcome(0, { served: 100n * USD }), 'deposit-outcome'],
    [
      'a deposit refused for a cap it keeps',
      outcome(0, { isApplied: false, reason: 'positionCap', served: 0n }),
      'deposit-outcome',
    ],
    ['a forced withdrawal refused', outcome(1, { isApplied: false, served: 0n }), 'served-too-little'],
    ['a forced withdrawal called illiquid', outcome(1, { reason: 'liquidity' }), 'needs-new-batch'],
    ['a forced withdrawal with a foreign reason', outcome(1, { reason: 'positionCap' }), 'malformed-content'],
    ['a forced withdrawal called complete', outcome(1, { reason: 'none' }), 'malformed-content'],
    [
      'a fund payment out of nothing',
      { ...content, fundPayments: [{ accountIndex: 5, amountMicros: 1n }] },
      'fund-empty',
    ],
    [
      'an epoch change among fills',
      {
        ...content,
        l1Operations: [
          ...content.l1Operations,
          { operation: l1('cancelAll', 3), outcome: { isApplied: true, reason: 'none', served: 0n } },
        ],
      },
      'needs-new-batch',
    ],
    [
      'a deposit into the liquidated account',
      {
        ...content,
        l1Operations: [
          ...content.l1Operations,
          { operation: l1('deposit', 1, 0, 1n), outcome: { isApplied: true, reason: 'none', served: 1n } },
        ],
      },
      'needs-new-batch',
    ],
    [
      'an operation on account 0',
      {
        ...content,
        l1Operations: [
          ...content.l1Operations,
          { operation: l1('deposit', 0, 0, 1n), outcome: { isApplied: true, reason: 'none', served: 1n } },
        ],
      },
      'malformed-content',
    ],
    [
      'a registration said to pay something',
      {
        ...content,
        l1Operations: [
          ...content.l1Operations,
          { operation: l1('register', 5), outcome: { isApplied: true, reason: 'none', served: 1n } },
        ],
      },
      'malformed-content',
    ],
    [
      'a reserved operation',
      {
        ...content,
        l1Operations: [
          ...content.l1Operations,
          { operation: l1('close', 5), outcome: { isApplied: true, reason: 'none', served: 0n } },
        ],
      },
      'malformed-content',
    ],
    [
      'another time, after every expiry',
      { ...content, header: { ...content.header, timeSec: 1n << 31n } },
      'expired',
    ],
    [
      'another chain',
      { ...content, header: { ...content.header, domain: { ...content.header.domain, chainId: 1n } } },
      'bad-signature',
    ],
    [
      'prices that may not be used',
      { ...content, header: { ...content.header, pricesUsable: false } },
      'prices-unusable',
    ],
    [
      'a round at another price than the liquidation',
      { ...content, header: { ...content.header, table: marked(100n) } },
      'outside-band',
    ],
    [
      'a round at this price in which the account was healthy',
      { ...content, header: { ...content.header, table: calm } },
      'not-liquidatable',
    ],
  ];

  it('is judged as it is: untouched content passes', () => {
    must(judge(content));
  });

  for (const [name, changed, code] of cases) {
    it(`is refused for ${name}`, () => {
      refusal(judge(changed), code);
    });
  }

  it('is refused when it has more rows than the circuit', () => {
    for (const resource of [
      'accounts',
      'signatures',
      'messages',
      'l1Operations',
      'withdrawals',
      'liquidations',
      'instruments',
    ]) {
      refusal(executeBatch(start, content, { ...ROOMY, [resource]: 0 }), 'batch-full');
    }
  });

  it('is refused on another state: nothing is executed twice', () => {
    const once = run(open(start), match(2, 3, 1n, 100n));
    refusal(executeBatch(once.seal().state, once.content, ROOMY), 'nonce-dead');
  });
});
