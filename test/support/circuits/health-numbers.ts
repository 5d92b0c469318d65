/** Cases of circuits/row/health.circom alone, by numbers that can be worked by hand. */
import { type ListValues, listValues } from '#protocol/batch/commitment.ts';
import { LIQUIDATION_TOLERANCE_MICROS } from '#protocol/limits.ts';
import { NO_VALUES } from './event-rows.ts';
import { template } from './template.ts';

export const health = template('circuits/row/health.circom', 'AccountHealth()');
export const FLAGS = [
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

/** What refuses a case. */
const LINES = {
  margin: 'RangeCheck(MONEY_BITS())(transferRule + openRule + lowerRule - isMarginLiquidation);',
  distance: 'RangeCheck(MONEY_BITS())(nearerRule + belowRule + debtRule);',
  loss: 'RangeCheck(MONEY_BITS())(lossRule);',
  end: 'RangeCheck(MONEY_BITS())(aboveRule + endRule + smallRule + debtEndRule);',
  quote: 'RangeCheck(MONEY_BITS())(dryRule + measureRule);',
  treasury: 'RangeCheck(MONEY_BITS())(signedEquity + belowRate + debtLeft);',
} as const;

/** What a case says; the rest is 0. */
export interface Numbers {
  readonly flags?: readonly Flag[];
  readonly oldCash?: bigint;
  readonly newCash?: bigint;
  readonly old?: Partial<ListValues>;
  readonly new?: Partial<ListValues>;
  readonly oldScanLow?: bigint;
  readonly newScanLow?: bigint;
  readonly newScanUp?: bigint;
  /** Hundredths of a micro. */
  readonly oldAddOn?: bigint;
  readonly newAddOn?: bigint;
  readonly pending?: bigint;
  readonly fees?: bigint;
  readonly treasury?: bigint;
  readonly openSlots?: number;
  readonly heldSpotLots?: number;
  readonly pricesUsable?: number;
  readonly isFundExhausted?: number;
}
export const K = 3n;
export const healthInput = (n: Numbers) => ({
  k: K,
  pricesUsable: n.pricesUsable ?? 1,
  isFundExhausted: n.isFundExhausted ?? 0,
  oldCashStarMicros: n.oldCash ?? 0n,
  newCashStarMicros: n.newCash ?? 0n,
  oldValues: listValues({ ...NO_VALUES, ...n.old }),
  newValues: listValues({ ...NO_VALUES, ...n.new }),
  oldScanLow: n.oldScanLow ?? 0n,
  newScanLow: n.newScanLow ?? 0n,
  newScanUp: n.newScanUp ?? 0n,
  oldAddOnTimes100Low: n.oldAddOn ?? 0n,
  newAddOnTimes100: n.newAddOn ?? 0n,
  pendingQuoteMicros: n.pending ?? 0n,
  feesMicros: n.fees ?? 0n,
  treasuryMicros: n.treasury ?? 0n,
  ...Object.fromEntries(FLAGS.map((flag) => [flag, n.flags?.includes(flag) ?? false])),
  openSlots: n.openSlots ?? 0,
  heldSpotLots: n.heldSpotLots ?? 0,
});

/** Liquidated for margin: MM 80, or 240 000 / 1000k, before, nothing after. */
export const CLOSED: Numbers = {
  flags: ['isMarginLiquidation', 'isPenaltyFull'],
  oldCash: 79n,
  newCash: 79n,
  oldScanLow: 300n,
};
/** Liquidated for quote debt: 10·(−7) + 6·10 < 0 before. */
export const SOLD: Numbers = {
  flags: ['isDebtLiquidation', 'isPenaltyFull'],
  oldCash: -17n,
  newCash: 3n,
  old: { mark: 20n, spotMark: 10n, spotHaircut: 10n },
};
/** Fills that leave less than IM; MM is the same on both sides. */
export const REDUCED: Numbers = {
  flags: ['isFilled', 'isReducing'],
  oldCash: 27n,
  newCash: 27n,
  oldScanLow: 100n,
  newScanLow: 100n,
  newScanUp: 100n,
};
/** Fills under MM: it falls from 800 000 / 1000k to 0. */
export const UNDER: Numbers = {
  flags: ['isFilled', 'isReducing', 'isUnderMargin'],
  oldCash: 50n,
  newCash: 43n,
  oldScanLow: 1_000n,
  old: { band: 9n },
  new: { band: 4n },
  fees: 2n,
};
export const PAID: Numbers = { flags: ['isFundPaid'], oldCash: -5n, newCash: 0n, treasury: 5n };
export const ATOP = LIQUIDATION_TOLERANCE_MICROS;
export const SMALL_SCAN = (10n * ATOP * K) / 8n;

/** A case on the bound of a rule, the change that takes it one unit beyond, and what refuses it there. */
export type Bounds = Readonly<
  Record<string, readonly [on: Numbers, beyond: Numbers, line: keyof typeof LINES]>
>;
export const lineOf = (name: keyof typeof LINES): string => `AccountHealth: ${LINES[name]}`;

export function standExactly(bounds: Bounds): void {
  for (const [name, [on, beyond, line]] of Object.entries(bounds))
    it(`stand exactly: ${name}`, async () => {
      await (await health()).accepts(healthInput(on));
      await (await health()).refuses(healthInput({ ...on, ...beyond }), lineOf(line));
    });
}
