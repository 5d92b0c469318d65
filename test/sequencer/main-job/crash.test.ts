import { expect } from 'chai';
import { type VerifiedLiquidation, verifyLiquidation } from '#client/liquidation.ts';
import { sizeOf } from '#protocol/account.ts';
import { submissionOf } from '#protocol/batch/calldata.ts';
import { readPublicWords } from '#protocol/batch/read-words.ts';
import { publicWords } from '#protocol/batch/words.ts';
import { STANDARD_SHAPE } from '#protocol/limits.ts';
import { genesisState, ledgerTotals, stateRoot } from '#protocol/state.ts';
import { LINEAR_LISTING } from '#sequencer/main-job/listing.ts';
import { ETH_PERP, WETH } from '#sequencer/main-job/strategies/strategy.ts';
import { rebuild } from '#sequencer/reconstruct/rebuild.ts';
import { CrashMarket } from '../../support/crash-market.ts';
import { UNCHECKED_PROOF } from '../../support/unchecked-proof.ts';

const TOLERANCE_MICROS = 50_000_000n;

interface Found extends VerifiedLiquidation {
  readonly accountIndex: number;
  readonly instrumentIds: readonly number[];
  readonly leftLots: bigint;
}

describe('the crash of 2021-05-19, replayed on the engine', function () {
  this.timeout(180_000);
  let market: CrashMarket;
  let liquidations: Found[];

  before(async () => {
    market = await new CrashMarket().run();
    liquidations = market.sealed.flatMap((batch) => {
      const published = readPublicWords(publicWords(batch), STANDARD_SHAPE, batch.capacity);
      const accounts = [...new Set(published.liquidations.map(({ accountIndex }) => accountIndex))];
      return accounts.map((accountIndex): Found => {
        const change = batch.accounts.find((row) => row.accountIndex === accountIndex)!;
        const rows = published.liquidations.filter((row) => row.accountIndex === accountIndex);
        const { table, pricesUsable } = batch.content.header;
        const verified = verifyLiquidation({ ...change, rows, table, pricesUsable });
        if (!verified.ok)
          throw new Error(`${market.nameOf(accountIndex)}: ${verified.code}: ${verified.message}`);
        const instrumentIds = rows.map(({ instrumentId }) => instrumentId);
        return {
          ...verified.value,
          accountIndex,
          instrumentIds,
          leftLots: sizeOf(change.after, instrumentIds[0]),
        };
      });
    });
  });

  it('has a market: at least 8 accounts, 300 signed orders and 25 batches', () => {
    expect(market.traders.length).to.be.at.least(8);
    expect(market.traders.length).to.equal(market.plan.cast.length);
    expect(market.story.ordersAccepted).to.be.at.least(300);
    expect(market.story.batchesFinal).to.be.at.least(25);
  });

  it('closes a part of an account, which ends between MM and IM + $50', () => {
    const partial = liquidations.filter(
      ({ leftLots, instrumentIds, before }) =>
        instrumentIds[0] === ETH_PERP && leftLots > 0n && before.equityMicros > 0n,
    );
    expect(partial).to.not.deep.equal([]);
    for (const { after } of partial) {
      expect(after.equityMicros >= after.maintenanceMarginMicros).to.equal(true);
      expect(after.equityMicros <= after.initialMarginMicros + TOLERANCE_MICROS).to.equal(true);
    }
  });

  it('sells WETH collateral on the spot book', () => {
    expect(liquidations.filter(({ instrumentIds }) => instrumentIds.includes(WETH))).to.not.deep.equal([]);
  });

  it('closes a bankrupt account, and the fund pays what is owed', () => {
    const bankrupt = liquidations.filter(({ before }) => before.equityMicros < 0n);
    expect(bankrupt).to.not.deep.equal([]);
    const [{ accountIndex }] = bankrupt;
    const paid = market.story.fundPayments.filter((payment) => payment.accountIndex === accountIndex);
    expect(paid.length).to.equal(1);
    expect(paid[0].amountMicros > 0n).to.equal(true);
    const batch = market.sealed[paid[0].batchNumber - 1];
    const change = batch.accounts.find((row) => row.accountIndex === accountIndex)!;
    expect(change.before.cashStar + paid[0].amountMicros).to.equal(0n);
    expect(change.after.cashStar).to.equal(0n);
  });

  it('liquidates nobody whose numbers do not say so, however the cast is named', () => {
    // verifyLiquidation above has recomputed every one of them from public words.
    const touched = new Set(liquidations.map(({ accountIndex }) => accountIndex));
    expect(touched.size).to.equal(3);
    expect(market.story.liquidations.length).to.be.at.least(3);
  });

  it('takes a withdrawal, and refuses nothing a trader could not have known', () => {
    expect(market.story.withdrawals.length).to.be.at.least(1);
    const codes = [...new Set(market.refused.map(({ code }) => code))];
    expect(codes.filter((code) => code !== 'would-take')).to.deep.equal([]);
  });

  it('refuses the spot deposit beyond the position cap, and serves the forced withdrawal', () => {
    const outcomes = market.story.l1Operations.map(({ outcome }) => outcome);
    expect(outcomes.filter(({ isApplied }) => !isApplied)).to.deep.equal([
      { isApplied: false, reason: 'positionCap', served: 0n },
    ]);
    expect(outcomes.filter(({ served }) => served === 5_000_000_000n).length).to.equal(1);
  });

  it('loses and makes nothing: sizes cancel, and the treasury explains all cash', () => {
    const { sizeLots, cashStarMicros } = ledgerTotals(market.state.ledger);
    for (const id of [4, 5]) expect(sizeLots.get(id)).to.equal(0n);
    expect(cashStarMicros).to.equal(market.state.l1Ledger.liquid[0]);
  });

  it('can be rebuilt from what its batches publish', () => {
    const place = { sizeIndex: 0, acceptedIndex: 0n, pendingEnd: 0n };
    const batches = market.sealed.map((batch, i) => ({
      batchNumber: i + 1,
      submission: submissionOf(batch, place, 1n, UNCHECKED_PROOF),
      capacity: batch.capacity,
      operations: batch.content.l1Operations.map(({ operation }) => operation),
      l1TxHash: '0x',
    }));
    const rebuilt = rebuild(genesisState(STANDARD_SHAPE), batches, LINEAR_LISTING.marketSlots);
    expect(stateRoot(rebuilt.at(-1)!.ledger)).to.equal(stateRoot(market.state.ledger));
  });
});
