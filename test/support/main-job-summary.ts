/** The table of liquidations that the main job prints at its end, as numbers again. */

export interface ShownNumbers {
  readonly equityCents: number;
  readonly initialMarginCents: number;
  readonly maintenanceMarginCents: number;
}

export interface ShownLiquidation {
  readonly name: string;
  readonly batchNumber: number;
  readonly reason: string;
  /** As printed: what was closed, at which price. */
  readonly closed: readonly string[];
  readonly penaltyCents: number;
  readonly before: ShownNumbers;
  readonly after: ShownNumbers;
}

const AMOUNT = '(−?[\\d,]+\\.\\d\\d)';
const NUMBERS = ` +${AMOUNT} +${AMOUNT} +${AMOUNT}`;
const BEFORE = `^ {2}(\\w+), batch (\\d+): (.+?)${NUMBERS}\\n`;
const AFTER = ` {4}(.+); penalty ${AMOUNT}${NUMBERS}$`;

const cents = (text: string): number => Math.round(Number(text.replaceAll(',', '').replace('−', '-')) * 100);

function numbersOf([equity, initialMargin, maintenanceMargin]: readonly string[]): ShownNumbers {
  return {
    equityCents: cents(equity),
    initialMarginCents: cents(initialMargin),
    maintenanceMarginCents: cents(maintenanceMargin),
  };
}

export const shownLiquidations = (output: string): ShownLiquidation[] =>
  [...output.matchAll(new RegExp(BEFORE + AFTER, 'gm'))].map((found) => ({
    name: found[1],
    batchNumber: Number(found[2]),
    reason: found[3],
    closed: found[7].split(', '),
    penaltyCents: cents(found[8]),
    before: numbersOf(found.slice(4, 7)),
    after: numbersOf(found.slice(9, 12)),
  }));

const BELOW_MAINTENANCE = 'equity below maintenance margin';
const TOLERANCE_CENTS = 5_000;

/** What was liquidated in part because equity was below maintenance margin, and was not bankrupt. */
export const partialOf = (all: readonly ShownLiquidation[]): ShownLiquidation[] =>
  all.filter(({ reason, before, after }) => {
    return reason === BELOW_MAINTENANCE && before.equityCents >= 0 && after.initialMarginCents > 0;
  });

/** Whether it ended where the rule lets it: at least maintenance margin, at most $50 above initial margin. */
export const endedInPlace = ({ after }: ShownLiquidation): boolean =>
  after.equityCents >= after.maintenanceMarginCents &&
  after.equityCents <= after.initialMarginCents + TOLERANCE_CENTS;

export const spotSalesOf = (all: readonly ShownLiquidation[]): ShownLiquidation[] =>
  all.filter(({ reason }) => reason.startsWith('quote debt'));

export const bankruptOf = (all: readonly ShownLiquidation[]): ShownLiquidation[] =>
  all.filter(({ before }) => before.equityCents < 0);
