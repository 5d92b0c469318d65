/** circuits/row/health.circom alone: every rule exactly on its bound, one micro beyond it, and every cause with every other. */
import { expect } from 'chai';
import { QUOTE_DEBT_TOLERANCE_MICROS } from '#protocol/limits.ts';
import {
  ATOP,
  type Bounds,
  CLOSED,
  FLAGS,
  health,
  healthInput,
  K,
  type Numbers,
  PAID,
  REDUCED,
  SMALL_SCAN,
  SOLD,
  standExactly,
  UNDER,
} from '#test/support/circuits/health-numbers.ts';
import { HALF } from '#test/support/circuits/template.ts';

const BOUNDS: Bounds = {
  'IM after a fill: k·110 = 300 + k·10': [
    { flags: ['isFilled'], newScanUp: 300n, new: { chargeIm: 10n }, newCash: 110n },
    { newCash: 109n },
    'margin',
  ],
  'IM after a fill, by the upper bound of the scan and not the lower': [
    { flags: ['isFilled'], newScanUp: 300n, newScanLow: 300n, newCash: 100n },
    { newScanUp: 301n },
    'margin',
  ],
  '1.25 IM after a withdrawal of quote: 4k·25 = 5·60': [
    { flags: ['isQuoteWithdrawn'], newScanUp: 60n, newCash: 25n },
    { newScanUp: 61n },
    'margin',
  ],
  '1.25 IM after a withdrawal of spot and a fill': [
    { flags: ['isSpotWithdrawn', 'isFilled'], newScanUp: 60n, newCash: 25n },
    { newCash: 24n },
    'margin',
  ],
  'MM not higher after a reducing fill': [REDUCED, { newScanUp: 101n }, 'margin'],
  'MM lower after a liquidation': [{ ...CLOSED, newScanUp: 299n }, { newScanUp: 300n }, 'margin'],
  'distance to liquidation after a reducing fill': [REDUCED, { newCash: 26n }, 'distance'],
  'liquidated below MM: 1000k·79 < 240 000': [CLOSED, { oldCash: 80n, newCash: 80n }, 'distance'],
  'liquidated below MM, pending deposits counted': [
    { ...CLOSED, oldCash: 74n, newCash: 74n, pending: 5n },
    { pending: 6n },
    'distance',
  ],
  'liquidated for debt beyond 60 %': [SOLD, { oldCash: -16n }, 'distance'],
  'loss within the band and fees under MM': [UNDER, { newCash: 42n }, 'loss'],
  'loss within band and penalty of a liquidation': [
    { ...CLOSED, newCash: 70n, old: { band: 6n, penalty: 3n }, treasury: 3n },
    { newCash: 69n },
    'loss',
  ],
  'not under MM, as a reducing account says: 1000k·27 ≥ 80 000': [
    REDUCED,
    { oldCash: 26n, newCash: 26n },
    'end',
  ],
  'a liquidation ends at IM and its tolerance': [{ ...CLOSED, newCash: ATOP }, { newCash: ATOP + 1n }, 'end'],
  'a liquidation ends at IM by the lower bound of the scan': [
    { ...CLOSED, newCash: ATOP + 10n, newScanLow: 30n },
    { newScanLow: 29n },
    'end',
  ],
  'a small account ends anywhere, if its MM is below the tolerance': [
    { flags: [...(CLOSED.flags ?? []), 'isSmallAccount'], oldScanLow: SMALL_SCAN - 1n, newCash: 2n * ATOP },
    { oldScanLow: SMALL_SCAN },
    'end',
  ],
  'a sale of spot ends at 40 % and its tolerance': [
    { ...SOLD, newCash: QUOTE_DEBT_TOLERANCE_MICROS },
    { newCash: QUOTE_DEBT_TOLERANCE_MICROS + 1n },
    'end',
  ],
  'quote debt of 40 % after a fill': [
    { flags: ['isFilled'], newCash: -4n, new: { mark: 10n, spotMark: 10n, spotHaircut: 10n } },
    { newCash: -5n },
    'quote',
  ],
  'quote debt no higher than before, after a withdrawal of spot': [
    {
      flags: ['isSpotWithdrawn', 'isQuoteRelative'],
      oldCash: -5n,
      newCash: -5n,
      new: { mark: 10n, spotMark: 10n },
    },
    { newCash: -6n },
    'quote',
  ],
  'no quote debt after a withdrawal of quote': [
    { flags: ['isQuoteWithdrawn'], new: { mark: 10n, spotMark: 10n, spotHaircut: 10n } },
    { newCash: -1n },
    'quote',
  ],
  'no quote debt after a withdrawal of spot without prices': [
    { flags: ['isSpotWithdrawn'], pricesUsable: 0, new: { mark: 10n, spotMark: 10n, spotHaircut: 10n } },
    { newCash: -1n },
    'quote',
  ],
  'a full penalty leaves no debt': [
    { ...CLOSED, oldCash: 3n, newCash: 0n, old: { penalty: 3n }, treasury: 3n },
    { newCash: -1n, old: { penalty: 3n, band: 9n } },
    'treasury',
  ],
  'the rest of the equity is a penalty below its rate': [
    {
      ...CLOSED,
      flags: ['isMarginLiquidation', 'isPenaltyRest'],
      oldCash: 3n,
      newCash: 0n,
      old: { penalty: 3n },
      treasury: 3n,
    },
    { old: { penalty: 2n } },
    'treasury',
  ],
  'no penalty only where nothing is left': [
    { ...CLOSED, flags: ['isMarginLiquidation'], oldCash: 0n, newCash: 0n },
    { newCash: 1n },
    'treasury',
  ],
  'the fund pays no more than the debt': [{ ...PAID, isFundExhausted: 1 }, { newCash: 1n }, 'treasury'],
};

describe('rules of health', () => {
  standExactly(BOUNDS);

  const refuses = async (numbers: Numbers, line: string): Promise<void> =>
    (await health()).refuses(healthInput(numbers), `AccountHealth: ${line}`);

  it('take a penalty or a fund payment of exactly its size, and none without its cause', async () => {
    const rate: Numbers = { ...CLOSED, oldCash: 10n, newCash: 7n, old: { penalty: 3n }, treasury: 3n };
    await (await health()).accepts(healthInput(rate));
    for (const treasury of [2n, 4n])
      await refuses(
        { ...rate, old: { penalty: 3n, band: 9n }, treasury },
        'isPenaltyFull * (treasuryMicros - closedPenalty) === 0;',
      );
    const rest: Numbers = {
      ...rate,
      flags: ['isMarginLiquidation', 'isPenaltyRest'],
      newCash: 1n,
      old: { penalty: 9n, band: 9n },
    };
    await refuses(rest, 'isPenaltyRest * equityAfter === 0;');
    const none: Numbers = { ...CLOSED, flags: ['isMarginLiquidation'], oldCash: 0n, newCash: 0n };
    await refuses({ ...none, treasury: 1n }, 'isPenaltyNone * treasuryMicros === 0;');
    await refuses(
      { ...CLOSED, flags: [...(CLOSED.flags ?? []), 'isPenaltyRest'] },
      'RequireBit()(isPenaltyNone);',
    );
    await refuses({ flags: ['isPenaltyFull'] }, 'RequireBit()(isPenaltyNone);');
    const CAUSE = '(1 - isLiquidated - isFundPaid) * treasuryMicros === 0;';
    for (const flags of [[], ['isFilled']] as const)
      await refuses({ flags, newCash: 9n, treasury: 1n }, CAUSE);
    await (await health()).accepts(healthInput(PAID));
    await refuses({ ...PAID, newCash: -1n }, 'paidShort * newCashStarMicros === 0;');
    await refuses({ ...PAID, newCash: 1n }, 'paidShort * newCashStarMicros === 0;');
    await (await health()).accepts(healthInput({ ...PAID, newCash: -1n, isFundExhausted: 1 }));
    const HOLDS = 'isFundPaid * (openSlots + heldSpotLots) === 0;';
    await refuses({ ...PAID, openSlots: 1 }, HOLDS);
    await refuses({ ...PAID, heldSpotLots: 1 }, HOLDS);
    const UNPRICED = 'isUnpriced * openSlots === 0;';
    for (const flag of ['isQuoteWithdrawn', 'isSpotWithdrawn'] as const) {
      await (await health()).accepts(healthInput({ flags: [flag], openSlots: 1 }));
      await refuses({ flags: [flag], openSlots: 1, pricesUsable: 0 }, UNPRICED);
    }
  });

  it('know which causes exclude each other', async () => {
    await refuses({ flags: ['isReducing'] }, 'isReducing * (1 - isFilled) === 0;');
    for (const cause of ['isQuoteWithdrawn', 'isSpotWithdrawn'] as const)
      await refuses({ flags: ['isFilled', 'isReducing', cause] }, 'isReducing * isWithdrawing === 0;');
    await refuses({ flags: ['isMarginLiquidation', 'isDebtLiquidation'] }, 'RequireBit()(isLiquidated);');
    for (const liquidation of ['isMarginLiquidation', 'isDebtLiquidation'] as const) {
      for (const cause of ['isFilled', 'isQuoteWithdrawn', 'isSpotWithdrawn'] as const)
        await refuses({ flags: [liquidation, cause] }, 'isLiquidated * (isFilled + isWithdrawing) === 0;');
      await refuses(
        { flags: [liquidation, 'isFundPaid'] },
        'isFundPaid * (isFilled + isWithdrawing + isLiquidated) === 0;',
      );
    }
    for (const cause of ['isFilled', 'isQuoteWithdrawn', 'isSpotWithdrawn'] as const)
      await refuses(
        { flags: ['isFundPaid', cause] },
        'isFundPaid * (isFilled + isWithdrawing + isLiquidated) === 0;',
      );
    for (const flag of FLAGS)
      for (const bit of [2n, HALF])
        await (await health()).refuses(
          { ...healthInput({}), [flag]: bit },
          `AccountHealth: RequireBit()(${flag});`,
        );
  });

  it('say who is liquidated, who must shrink and what a further unit would meet', async () => {
    const said = async (numbers: Numbers) => (await health()).outputs(healthInput(numbers));
    expect((await said(CLOSED)).mustShrink).to.equal(1n);
    expect((await said(SOLD)).isLiquidated).to.equal(1n);
    expect((await said(UNDER)).mustShrink).to.equal(1n);
    expect((await said(REDUCED)).mustShrink).to.equal(0n);
    const values = { mark: 30n, funding: 4n, spotMark: 10n, spotHaircut: 8n, chargeIm: 2n };
    const free = await said({ newCash: 100n, pending: 1n, new: values, newScanLow: 70n });
    // Equity 100 + 1 + 30 − 4; quote without the spot's 10; the gap by the lower bound of IM: 500·k·IM − 400·k·equity.
    const quoteBalance = 127n - 10n;
    expect(free).to.deep.include({
      quoteBalance,
      quoteMeasure: 10n * quoteBalance + 4n * 8n,
      isLiquidated: 0n,
    });
    const poor = { newCash: 10n, newScanLow: 70n, newAddOn: 33n, new: { chargeIm: 2n } };
    const gap = 5n * (100n * (70n + K * 2n) + K * 33n) - 400n * K * 10n;
    expect((await said(poor)).transferGap).to.equal(gap);
  });

  it('leave the prover no choice', async () => {
    await (await health()).leavesNoChoice(healthInput(UNDER));
    await (await health()).leavesNoChoice(healthInput(CLOSED));
  });
});
