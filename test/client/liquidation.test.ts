import { expect } from 'chai';
import { type LiquidationEvidence, verifyLiquidation } from '#client/liquidation.ts';
import { afterFill, marginOf } from '#client/margin.ts';
import type { Account } from '#protocol/account.ts';
import type { PublishedLiquidation } from '#protocol/batch/read-words.ts';
import type { RiskRow } from '#protocol/instrument.ts';
import { STANDARD_SHAPE } from '#protocol/limits.ts';
import { rowOf } from '#protocol/risk/table.ts';
import { type Lots, type Micros, type MicrosPerLot, max, min } from '#protocol/units.ts';
import { crashTable, holderOf } from './crash-table.ts';

const table = crashTable();
const row = (id: number) => rowOf(table, id)!;
const noPending = { quoteMicros: 0n, spotLots: [0n, 0n, 0n] };
const margin = (account: Account) => marginOf(account, table, STANDARD_SHAPE);

/** A right liquidation that closes `lots` of a long at `price`, penalty taken. */
function closing(before: Account, instrumentId: number, lots: bigint, price: bigint): LiquidationEvidence {
  const gross = afterFill(before, row(instrumentId), -lots, price);
  const penalty = min(lots * row(instrumentId).penalty, max(0n, margin(gross).equity as bigint));
  const after = { ...gross, cashStar: (gross.cashStar - penalty) as Micros };
  const word: PublishedLiquidation = {
    accountIndex: 3,
    instrumentId,
    isShort: false,
    closedLots: lots,
    cashMicros: lots * price,
    pending: noPending,
  };
  return { accountIndex: 3, before, after, rows: [word], table, pricesUsable: true };
}
const codeOf = (evidence: LiquidationEvidence): string => {
  const result = verifyLiquidation(evidence);
  return result.ok ? 'ok' : result.code;
};

// Long 41 ETH with 11 % of its value left: below maintenance margin (15 %), above zero.
const eth = row(5);
const thin = afterFill(holderOf(4_100n * ((eth.mark * 11n) / 100n)), eth, 4_100n, eth.mark);
const price = eth.mark - eth.band / 2n;
// WETH bought on credit: quote debt of 70 % of the value after haircut, margin still covered.
const weth = row(2);
const indebted = holderOf(-((weth.mark - weth.chargeImLong) * 1_000n * 7n) / 10n, [0n, 1_000n, 0n]);

describe('verification of a liquidation from public data', () => {
  it('accepts a right one and gives its numbers', () => {
    const result = verifyLiquidation(closing(thin, 5, 1_500n, price));
    expect(result.ok).to.equal(true);
    if (!result.ok) return;
    expect(result.value.reason).to.equal(1);
    expect(result.value.before.equityMicros < result.value.before.maintenanceMarginMicros).to.equal(true);
    expect(result.value.after.equityMicros > result.value.after.maintenanceMarginMicros).to.equal(true);
    expect(result.value.penaltyMicros).to.equal(1_500n * eth.penalty);
  });

  it('takes a settled position that became cash in the same batch for what it was worth', () => {
    const none = 0n as MicrosPerLot;
    const charges = { chargeImLong: none, chargeImShort: none, chargeMmLong: none, chargeMmShort: none };
    const expired: RiskRow = {
      ...row(4),
      ...charges,
      isReduceOnly: true,
      isSettled: true,
      fundingIndex: none,
      delta: none,
      band: none,
      penalty: none,
      linearLoss: none,
      pairLosses: [],
      losses: row(4).losses.map(() => none),
    };
    const settled = { ...table, rows: table.rows.map((r) => (r.instrumentId === 4 ? expired : r)) };
    const evidence = {
      ...closing(afterFill(thin, expired, 7n, expired.mark), 5, 1_500n, price),
      table: settled,
    };
    const { after } = evidence;
    const converted = (lots: bigint, micros: bigint) => ({
      ...evidence,
      after: {
        ...after,
        cashStar: (after.cashStar + micros) as Micros,
        slots: after.slots.map((slot) =>
          slot.instrumentId !== 4 ? slot : { instrumentId: lots === 7n ? 0 : 4, size: (7n - lots) as Lots },
        ),
      },
    });
    expect(codeOf(evidence)).to.equal('ok');
    expect(codeOf(converted(7n, 7n * expired.mark))).to.equal('ok');
    expect(codeOf(converted(7n, 7n * expired.mark - 1n)), 'a micro is missing').to.equal('penalty');
    expect(codeOf(converted(3n, 3n * expired.mark)), 'a part is no settlement').to.equal('size-mismatch');
  });

  it('knows quote debt as the other reason', () => {
    const result = verifyLiquidation(closing(indebted, 2, 300n, weth.mark));
    expect(result.ok && result.value.reason).to.equal(2);
  });

  it('shows the liquidation of a healthy account', () => {
    const healthy = afterFill(holderOf(4_100n * ((eth.mark * 16n) / 100n)), eth, 4_100n, eth.mark);
    expect(codeOf(closing(healthy, 5, 1_500n, price))).to.equal('not-liquidatable');
  });

  it('shows one lot more than is needed to be covered again', () => {
    let lots = 1_500n;
    while (codeOf(closing(thin, 5, lots, price)) === 'ok') lots += 10n;
    expect(codeOf(closing(thin, 5, lots, price))).to.equal('liquidated-too-much');
    expect(lots < 4_100n).to.equal(true);
  });

  it('shows a price beyond the band, by one micro', () => {
    const edge = eth.mark - eth.band;
    expect(codeOf(closing(thin, 5, 100n, edge))).to.equal('ok');
    expect(codeOf(closing(thin, 5, 100n, edge - 1n))).to.equal('price-band');
  });

  it('shows a penalty that is one micro too high', () => {
    const right = closing(thin, 5, 1_500n, price);
    const after = { ...right.after, cashStar: (right.after.cashStar - 1n) as Micros };
    expect(codeOf({ ...right, after })).to.equal('penalty');
  });

  it('shows a leaf that lost another size than was closed', () => {
    const right = closing(thin, 5, 1_500n, price);
    const rows = [{ ...right.rows[0], closedLots: 1_499n, cashMicros: 1_499n * price }];
    expect(codeOf({ ...right, rows })).to.equal('size-mismatch');
  });

  it('shows spot sold from an account whose quote debt is within 60 %', () => {
    const light = holderOf(-((weth.mark - weth.chargeImLong) * 1_000n * 59n) / 100n, [0n, 1_000n, 0n]);
    expect(codeOf(closing(light, 2, 100n, weth.mark))).to.equal('not-liquidatable');
  });

  it('counts a deposit that waits in the queue as the account’s own', () => {
    const right = closing(thin, 5, 1_500n, price);
    const pending = { ...noPending, quoteMicros: 10_000_000_000n };
    expect(codeOf({ ...right, rows: [{ ...right.rows[0], pending }] })).to.equal('not-liquidatable');
  });

  it('shows a liquidation in a round whose prices may not be used', () => {
    expect(codeOf({ ...closing(thin, 5, 1_500n, price), pricesUsable: false })).to.equal('prices-unusable');
  });
});
