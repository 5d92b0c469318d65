/** circuits/row/health.circom alone: every rule exactly on its bound, one micro beyond it, and every cause with every other. */
import { expect } from 'chai';
import { type ListValues, listValues } from '#protocol/batch/commitment.ts';
import { LIQUIDATION_TOLERANCE_MICROS, QUOTE_DEBT_TOLERANCE_MICROS } from '#protocol/limits.ts';
import { HALF, template } from '#test/support/circuits/template.ts';

const health = template('circuits/row/health.circom', 'AccountHealth()');
const FLAGS = [
  'isFilled',
  'isReducing',
  'isUnderMargin',
  'isQuoteRelative',
  'isQuoteWithdrawn',
  'isSpotWithdrawn',
  'isMarginLiquidation',
  'isDebtLiquidation',
  'isSmallAccount',
  'isPenaltyFull',
  'isPenaltyRest',
  'isFundPaid',
] as const;
type Flag = (typeof FLAGS)[number];

const LINES = {
  margin: 'RangeCheck(MONEY_BITS())(transferRule + openRule + lowerRule - isMarginLiquidation);',
  distance: 'RangeCheck(MONEY_BITS())(nearerRule + belowRule + debtRule);',
  loss: 'RangeCheck(MONEY_BITS())(lossRule);',
  end: 'RangeCheck(MONEY_BITS())(aboveRule + endRule + smallRule + debtEndRule);',
  quote: 'RangeCheck(MONEY_BITS())(dryRule + measureRule);',
  treasury: 'RangeCheck(MONEY_BITS())(signedEquity + belowRate + debtLeft);',
} as const;

interface Numbers {
  readonly flags?: readonly Flag[];
  readonly oldCash?: bigint;
  readonly newCash?: bigint;
  readonly old?: Partial<ListValues>;
  readonly new?: Partial<ListValues>;
  readonly oldScanLow?: bigint;
  readonly newScanLow?: bigint;
  readonly newScanUp?: bigint;
  readonly pending?: bigint;
  readonly fees?: bigint;
  readonly treasury?: bigint;
  readonly openSlots?: number;
  readonly heldSpotLots?: number;
  readonly pricesUsable?: number;
  readonly isFundExhausted?: number;
}
const NONE: ListValues = {
  mark: 0n,
  funding: 0n,
  spotMark: 0n,
  spotHaircut: 0n,
  chargeIm: 0n,
  chargeMm: 0n,
  band: 0n,
  penalty: 0n,
};
const K = 3n;
const inputOf = (n: Numbers) => ({
  k: K,
  pricesUsable: n.pricesUsable ?? 1,
  isFundExhausted: n.isFundExhausted ?? 0,
  oldCashStarMicros: n.oldCash ?? 0n,
  newCashStarMicros: n.newCash ?? 0n,
  oldValues: listValues({ ...NONE, ...n.old }),
  newValues: listValues({ ...NONE, ...n.new }),
  oldScanLow: n.oldScanLow ?? 0n,
  newScanLow: n.newScanLow ?? 0n,
  newScanUp: n.newScanUp ?? 0n,
  pendingQuoteMicros: n.pending ?? 0n,
  feesMicros: n.fees ?? 0n,
  treasuryMicros: n.treasury ?? 0n,
  ...Object.fromEntries(FLAGS.map((flag) => [flag, n.flags?.includes(flag) ?? false])),
  openSlots: n.openSlots ?? 0,
  heldSpotLots: n.heldSpotLots ?? 0,
});

/** Liquidated for margin: MM 80 a third of 2400 / 10k before, nothing after. */
const CLOSED: Numbers = {
  flags: ['isMarginLiquidation', 'isPenaltyFull'],
  oldCash: 79n,
  newCash: 79n,
  oldScanLow: 300n,
};
/** Liquidated for quote debt: 10·(−7) + 6·10 < 0 before. */
const SOLD: Numbers = {
  flags: ['isDebtLiquidation', 'isPenaltyFull'],
  oldCash: -17n,
  newCash: 3n,
  old: { mark: 20n, spotMark: 10n, spotHaircut: 10n },
};
/** Fills that leave less than IM; MM is the same on both sides. */
const REDUCED: Numbers = {
  flags: ['isFilled', 'isReducing'],
  oldCash: 27n,
  newCash: 27n,
  oldScanLow: 100n,
  newScanLow: 100n,
  newScanUp: 100n,
};
/** The same under MM: MM falls from 8000 / 10k to 0. */
const UNDER: Numbers = {
  flags: ['isFilled', 'isReducing', 'isUnderMargin'],
  oldCash: 50n,
  newCash: 43n,
  oldScanLow: 1_000n,
  old: { band: 9n },
  new: { band: 4n },
  fees: 2n,
};
const PAID: Numbers = { flags: ['isFundPaid'], oldCash: -5n, newCash: 0n, treasury: 5n };
const ATOP = LIQUIDATION_TOLERANCE_MICROS;
const SMALL_SCAN = (10n * ATOP * K) / 8n;

/** On the bound, and the change that takes it one unit beyond. */
const BOUNDS: Readonly<Record<string, readonly [on: Numbers, beyond: Numbers, line: keyof typeof LINES]>> = {
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
  'liquidated below MM: 10k·79 < 2400': [CLOSED, { oldCash: 80n, newCash: 80n }, 'distance'],
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
  'not under MM, as a reducing account says: 10k·27 ≥ 800': [REDUCED, { oldCash: 26n, newCash: 26n }, 'end'],
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
  for (const [name, [on, beyond, line]] of Object.entries(BOUNDS))
    it(`stand exactly: ${name}`, async () => {
      await (await health()).accepts(inputOf(on));
      await (await health()).refuses(inputOf({ ...on, ...beyond }), `AccountHealth: ${LINES[line]}`);
    });

  const refuses = async (numbers: Numbers, line: string): Promise<void> =>
    (await health()).refuses(inputOf(numbers), `AccountHealth: ${line}`);

  it('take a penalty or a fund payment of exactly its size, and none without its cause', async () => {
    const rate: Numbers = { ...CLOSED, oldCash: 10n, newCash: 7n, old: { penalty: 3n }, treasury: 3n };
    await (await health()).accepts(inputOf(rate));
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
    await (await health()).accepts(inputOf(PAID));
    await refuses({ ...PAID, newCash: -1n }, 'paidShort * newCashStarMicros === 0;');
    await refuses({ ...PAID, newCash: 1n }, 'paidShort * newCashStarMicros === 0;');
    await (await health()).accepts(inputOf({ ...PAID, newCash: -1n, isFundExhausted: 1 }));
    const HOLDS = 'isFundPaid * (openSlots + heldSpotLots) === 0;';
    await refuses({ ...PAID, openSlots: 1 }, HOLDS);
    await refuses({ ...PAID, heldSpotLots: 1 }, HOLDS);
    const UNPRICED = 'isUnpriced * openSlots === 0;';
    for (const flag of ['isQuoteWithdrawn', 'isSpotWithdrawn'] as const) {
      await (await health()).accepts(inputOf({ flags: [flag], openSlots: 1 }));
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
          { ...inputOf({}), [flag]: bit },
          `AccountHealth: RequireBit()(${flag});`,
        );
  });

  it('say who is liquidated, who must shrink and what a further unit would meet', async () => {
    const said = async (numbers: Numbers) => (await health()).outputs(inputOf(numbers));
    expect((await said(CLOSED)).mustShrink).to.equal(1n);
    expect((await said(SOLD)).isLiquidated).to.equal(1n);
    expect((await said(UNDER)).mustShrink).to.equal(1n);
    expect((await said(REDUCED)).mustShrink).to.equal(0n);
    const values = { mark: 30n, funding: 4n, spotMark: 10n, spotHaircut: 8n, chargeIm: 2n };
    const free = await said({ newCash: 100n, pending: 1n, new: values, newScanLow: 70n });
    // Equity 100 + 1 + 30 − 4; quote without the spot's 10; the gap by the lower bound: 5·(70 + k·2) − 4k·equity.
    const quoteBalance = 127n - 10n;
    expect(free).to.deep.include({
      quoteBalance,
      quoteMeasure: 10n * quoteBalance + 4n * 8n,
      isLiquidated: 0n,
    });
    const gap = (await said({ newCash: 10n, newScanLow: 70n, new: { chargeIm: 2n } })).transferGap;
    expect(gap).to.equal(5n * (70n + K * 2n) - 4n * K * 10n);
  });

  it('leave the prover no choice', async () => {
    await (await health()).leavesNoChoice(inputOf(UNDER));
    await (await health()).leavesNoChoice(inputOf(CLOSED));
  });
});
