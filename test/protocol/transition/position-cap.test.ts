import { expect } from 'chai';
import { sizeOf } from '#protocol/account.ts';
import { executeBatch } from '#protocol/transition/execute-batch.ts';
import type { Operation } from '#protocol/transition/operation.ts';
import type { Lots } from '#protocol/units.ts';
import {
  funded,
  marked,
  match,
  NO_PENDING,
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
  settledRow,
  USD,
} from '../../support/ledger.ts';

describe('the position cap of an account', () => {
  const capped = (lots: bigint) => ({ table: riskTable({}, { [PERP]: { positionCap: lots as Lots } }) });
  const held = () => settle(funded({ 1: 1000n, 2: 1000n, 3: 1000n }), [match(1, 2, 10n, 100n)]);

  it('holds a long and a short to the lot, in one fill or several', () => {
    const state = funded({ 1: 1000n, 2: 1000n, 3: 1000n });
    const batch = open(state, capped(10n));
    const full = run(batch, match(1, 2, 10n, 100n));
    full.seal();
    const refused = refusal(batch.execute(match(1, 2, 11n, 100n)), 'position-cap');
    expect(refused.data).to.include({
      accountIndex: 1,
      instrumentId: PERP,
      beforeLots: 0n,
      afterLots: 11n,
      positionCapLots: 10n,
    });
    expect(refusal(full.execute(match(1, 3, 1n, 100n)), 'position-cap').data.accountIndex).to.equal(1);
    const short = refusal(full.execute(match(3, 2, 1n, 100n)), 'position-cap');
    expect(short.data).to.include({ accountIndex: 2, afterLots: -11n });
    // Another account, and another instrument, have their own.
    run(full, match(3, 1, 10n, 100n)).seal();
    run(full, match(1, 2, 1n, 100n, OTHER)).seal();
  });

  it('lowered below a position lets it shrink, in steps and with any order, and not grow', () => {
    const header = capped(4n);
    const batch = run(open(held(), header), match(2, 1, 1n, 100n));
    expect(sizeOf(batch.accountAt(1), PERP)).to.equal(9n);
    batch.seal();
    refusal(open(held(), header).execute(match(1, 2, 1n, 100n)), 'position-cap');
    // Within the batch what it shrank by may come back; from its start on nothing grows.
    const back = run(batch, match(1, 2, 1n, 100n));
    back.seal();
    refusal(back.execute(match(1, 2, 1n, 100n)), 'position-cap');
    const next = settle(batch.seal().state, [match(2, 1, 5n, 100n)], header);
    refusal(open(next, header).execute(match(1, 2, 1n, 100n)), 'position-cap');
    settle(next, [match(2, 1, 4n, 100n)], header);
  });

  it('binds what an order turns to the other side', () => {
    run(open(held(), capped(4n)), match(2, 1, 14n, 100n)).seal();
    refusal(open(held(), capped(4n)).execute(match(2, 1, 15n, 100n)), 'position-cap');
    refusal(open(held(), capped(0n)).execute(match(2, 1, 11n, 100n)), 'position-cap');
    run(open(held(), capped(0n)), match(2, 1, 10n, 100n)).seal();
  });

  it('is no rule for spot, liquidations and settlements, but for whoever takes what is liquidated', () => {
    const spot = { table: riskTable({}, { [SPOT]: { positionCap: 1n as Lots } }) };
    run(open(funded({ 1: 1000n, 2: 0n }, { 2: 5n }), spot), match(1, 2, 5n, 100n, SPOT)).seal();
    const settled = riskTable({}, { [PERP]: { ...settledRow(107n * USD), positionCap: 0n as Lots } });
    settle(held(), [{ kind: 'settle', accountIndex: 1, instrumentId: PERP }], { table: settled });
    // Long 100 from $100 with $2494: below MM at $89.
    const long = settle(funded({ 1: 2_494n, 2: 100_000n, 3: 100_000n }), [match(1, 2, 100n, 100n)]);
    const below = (positionCap: bigint) => ({
      table: riskTable({}, { [PERP]: { ...marked(89n).rows[1], positionCap: positionCap as Lots } }),
    });
    const taken = (taker: number): Operation => ({
      kind: 'liquidate',
      accountIndex: 1,
      instrumentId: PERP,
      lots: 10n,
      priceMicrosPerLot: 89n * USD,
      reason: 1,
      pending: NO_PENDING,
      against: order(taker, { side: 'buy', sizeLots: 10n }),
      feeMicros: 0n,
    });
    settle(long, [taken(3)], below(10n));
    expect(refusal(open(long, below(9n)).execute(taken(3)), 'position-cap').data.accountIndex).to.equal(3);
    settle(long, [taken(2)], below(9n));
  });

  it('is judged in a finished batch too', () => {
    const { content } = run(open(funded({ 1: 1000n, 2: 1000n })), match(1, 2, 10n, 100n));
    const judge = (lots: bigint) => {
      const header = { ...content.header, ...capped(lots) };
      return executeBatch(funded({ 1: 1000n, 2: 1000n }), { ...content, header }, ROOMY);
    };
    expect(judge(10n).ok).to.equal(true);
    refusal(judge(9n), 'position-cap');
  });
});
