/**
 * The scenarios of a book as a heat map: one row for each of the margin rule, a column for each position and one for
 * all of it. Blue gains, red loses, the rows whose mean is the scan are framed.
 */
import type { Account } from '#protocol/account.ts';
import { type RiskTable, UNDERLYINGS } from '#protocol/instrument.ts';
import type { StateShape } from '#protocol/limits.ts';
import { holdingsOf, kScanOf, lossVector, worstScenarios } from '#protocol/risk/margin.ts';
import { type Scenario, scenariosOf } from '#protocol/risk/scenarios.ts';
import { dollarsOf, grouped, shortDollars, signedPercent, withSign } from './numbers.ts';
import {
  element,
  FAINT_INK,
  INK,
  line,
  picture,
  RULE,
  type TextStyle,
  text,
  textWidth,
  titled,
} from './svg.ts';

export interface HeatMapInputs {
  readonly title: string;
  readonly account: Account;
  readonly table: RiskTable;
  readonly shape: StateShape;
  /** R of the round, in the order of UNDERLYINGS. */
  readonly scanRangePpm: readonly bigint[];
  readonly symbolOf: (instrumentId: number) => string;
}

interface Column {
  /** Lines of its heading. */
  readonly heading: readonly string[];
  readonly name: string;
  /** Dollars gained in each scenario. */
  readonly gains: readonly number[];
  readonly isTotal: boolean;
}

const ROW_HEIGHT = 18;
const HEADING_LINE = 14;
const PAD = 14;
const TITLE_HEIGHT = 46;
const GROUP_HEIGHT = 22;
const LEGEND_HEIGHT = 56;
const CELL_PAD = 6;
const CELL_CHARACTERS = 7;
const TOTAL_GAP = 10;
const QUARTERS_OF_RANGE = 4;
/** What a weighted tail moves anything linear, of the scan range. */
const TAIL_SHARE = 0.75;

/** Rows under a heading each, by what moves. */
const groupOf = ({ quarters: [first, ...others], tailMovePpm }: Scenario): string => {
  if (tailMovePpm !== 0) return 'tails, times what makes them three quarters of the range';
  return others.every((quarter) => quarter === first)
    ? 'all move together'
    : 'one moves alone, or against the other by half';
};

const LOSS_RGB = [178, 24, 43];
const GAIN_RGB = [33, 102, 172];
/** Small amounts stay visible beside large ones. */
const SHADE_POWER = 0.6;
/** Below this luminance white text stands out better than black: where both contrasts are equal. */
const DARK_LUMINANCE = 0.2;

const shadeOf = (gain: number, most: number): number =>
  most === 0 ? 0 : (Math.abs(gain) / most) ** SHADE_POWER;

/** Red, green and blue, 0 to 255. */
const channelsOf = (gain: number, most: number): number[] =>
  (gain < 0 ? LOSS_RGB : GAIN_RGB).map((full) => Math.round(255 + (full - 255) * shadeOf(gain, most)));

const colourOf = (gain: number, most: number): string => `rgb(${channelsOf(gain, most).join(',')})`;

/** Black or white, whichever is easier to read on it (relative luminance of sRGB, its curve taken as a power of 2.2). */
function inkOn(gain: number, most: number): string {
  const [red, green, blue] = channelsOf(gain, most).map((channel) => (channel / 255) ** 2.2);
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue < DARK_LUMINANCE ? '#ffffff' : INK;
}

/** The labels left of the cells: row, move of each underlying (a tail's with its weight), volatility. */
function labelsOf(scenario: Scenario, scanRangePpm: readonly bigint[]): string[] {
  const { row, quarters, volMove, tailMovePpm } = scenario;
  const moves = scanRangePpm.map((range, u) =>
    tailMovePpm === 0
      ? signedPercent((quarters[u] * Number(range)) / QUARTERS_OF_RANGE)
      : `${signedPercent(tailMovePpm)} × ${((TAIL_SHARE * Number(range)) / Math.abs(tailMovePpm)).toFixed(3)}`,
  );
  return [`${row}`, ...moves, volMove];
}

function columnsOf({ account, table, shape, symbolOf }: HeatMapInputs): Column[] {
  const positions = holdingsOf(account, table).map(({ row, size }): Column => {
    const name = symbolOf(row.instrumentId);
    return {
      heading: [...name.split('-'), withSign(grouped(Number(size)), Number(size))],
      name,
      gains: row.losses.map((loss) => -dollarsOf(size * loss)),
      isTotal: false,
    };
  });
  const gains = lossVector(account, table, shape).map((loss) => -dollarsOf(loss));
  return [...positions, { heading: ['whole', 'book'], name: 'whole book', gains, isTotal: true }];
}

interface Layout {
  readonly labelHeadings: readonly string[];
  /** Right edge of each label. */
  readonly labelEnds: readonly number[];
  /** Left edge and width of each column. */
  readonly columns: readonly { readonly x: number; readonly width: number }[];
  readonly end: number;
  /** Baseline of the lowest line of headings. */
  readonly headingY: number;
}

function layoutOf(columns: readonly Column[], labels: readonly (readonly string[])[]): Layout {
  const labelHeadings = ['row', ...UNDERLYINGS.map((name) => `${name} moves`), 'volatility'];
  let x = PAD;
  const labelEnds = labelHeadings.map((heading, i) => {
    const widest = Math.max(...labels.map((row) => textWidth(row[i])), textWidth(heading));
    x += widest + (i === 0 ? 0 : PAD);
    return x;
  });
  x += PAD;
  const placed = columns.map(({ heading, isTotal }) => {
    if (isTotal) x += TOTAL_GAP;
    const widest = Math.max(...heading.map((part) => textWidth(part)), CELL_CHARACTERS * textWidth('0'));
    const width = widest + 2 * CELL_PAD;
    x += width;
    return { x: x - width, width };
  });
  const lines = Math.max(...columns.map(({ heading }) => heading.length));
  return {
    labelHeadings,
    labelEnds,
    columns: placed,
    end: x,
    headingY: TITLE_HEIGHT + lines * HEADING_LINE,
  };
}

function headings(
  columns: readonly Column[],
  { labelHeadings, labelEnds, columns: placed, headingY }: Layout,
): string[] {
  return [
    ...labelHeadings.map((heading, i) =>
      text(labelEnds[i], headingY, heading, { anchor: 'end', fill: FAINT_INK }),
    ),
    ...columns.flatMap(({ heading, isTotal }, c) =>
      heading.map((part, i) =>
        text(
          placed[c].x + placed[c].width / 2,
          headingY - (heading.length - 1 - i) * HEADING_LINE,
          part,
          isTotal ? { anchor: 'middle', weight: 'bold' } : { anchor: 'middle' },
        ),
      ),
    ),
  ];
}

function cell(column: Column, row: number, x: number, y: number, width: number, most: number): string[] {
  const gain = column.gains[row];
  return [
    element(
      'rect',
      { x, y, width, height: ROW_HEIGHT, fill: colourOf(gain, most), stroke: '#ffffff' },
      titled(`${column.name}, row ${row}: ${grouped(gain, 2)} dollars`),
    ),
    text(x + width - CELL_PAD, y + ROW_HEIGHT - 5, shortDollars(gain), {
      anchor: 'end',
      fill: inkOn(gain, most),
      ...(column.isTotal ? { weight: 'bold' } : {}),
    }),
  ];
}

/** What the framed rows come to. */
function scanLine(losses: readonly bigint[], esCount: number): string {
  const worst = worstScenarios(losses, esCount);
  if (worst.length === 0) return 'No row loses: the scan is 0.';
  const scan = grouped(dollarsOf(kScanOf(losses, esCount)) / esCount, 2);
  return worst.length === 1
    ? `Framed: the worst row, whose loss is the scan: ${scan} dollars.`
    : `Framed: the worst ${worst.length} rows, whose mean loss is the scan: ${scan} dollars.`;
}

/** The key to the colours, and what the framed rows come to. */
function legend(most: number, y: number, scan: string): string[] {
  const steps = [-1, -0.5, -0.1, 0, 0.1, 0.5, 1];
  const width = CELL_CHARACTERS * textWidth('0') + 2 * CELL_PAD;
  return [
    ...steps.flatMap((share, i) => [
      element('rect', {
        x: PAD + i * width,
        y,
        width,
        height: 12,
        fill: colourOf(share * most, most),
        stroke: RULE,
      }),
      text(PAD + (i + 0.5) * width, y + 25, shortDollars(share * most), {
        anchor: 'middle',
        fill: FAINT_INK,
      }),
    ]),
    text(PAD, y + 44, scan),
  ];
}

/** SVG text. Amounts are dollars, a gain above and a loss below 0. */
export function scenarioHeatMap(inputs: HeatMapInputs): string {
  const { title, account, table, shape, scanRangePpm } = inputs;
  const scenarios = scenariosOf(shape.scenarios);
  const columns = columnsOf(inputs);
  const labels = scenarios.map((scenario) => labelsOf(scenario, scanRangePpm));
  const layout = layoutOf(columns, labels);
  const most = Math.max(...columns.flatMap(({ gains }) => gains.map(Math.abs)));
  const losses = lossVector(account, table, shape);
  const worst = worstScenarios(losses, table.esCount);
  const parts: string[] = [];
  // Above all cells, or the edges of the rows beside would cover them.
  const frames: string[] = [];
  let y = layout.headingY + 6;
  let group = '';
  scenarios.forEach((scenario, s) => {
    if (groupOf(scenario) !== group) {
      group = groupOf(scenario);
      parts.push(
        line(PAD, y + 3, layout.end, y + 3),
        text(PAD, y + GROUP_HEIGHT - 5, group, { fill: FAINT_INK }),
      );
      y += GROUP_HEIGHT;
    }
    const isWorst = worst.includes(s);
    labels[s].forEach((label, i) => {
      const style: TextStyle = isWorst ? { anchor: 'end', weight: 'bold' } : { anchor: 'end' };
      parts.push(text(layout.labelEnds[i], y + ROW_HEIGHT - 5, label, style));
    });
    columns.forEach((column, c) => {
      const { x, width } = layout.columns[c];
      parts.push(...cell(column, s, x, y, width, most));
    });
    if (isWorst) frames.push(worstMark(y, layout.end));
    y += ROW_HEIGHT;
  });
  const subtitle = 'Gain (blue) or loss (red) of each position and of the book, in dollars; sizes in lots';
  const width = Math.max(
    layout.end + textWidth(WORST) + 3 * PAD,
    textWidth(subtitle) + 2 * PAD,
    textWidth(title, 14) + 2 * PAD,
  );
  return picture(width, y + PAD + LEGEND_HEIGHT, title, [
    text(PAD, 20, title, { size: 14, weight: 'bold' }),
    text(PAD, 36, subtitle, { fill: FAINT_INK }),
    ...headings(columns, layout),
    ...parts,
    ...frames,
    ...legend(most, y + PAD, scanLine(losses, table.esCount)),
  ]);
}

const WORST = 'worst';

function worstMark(y: number, end: number): string {
  return [
    element('rect', {
      class: 'worst',
      x: PAD - 6,
      y,
      width: end - PAD + 6,
      height: ROW_HEIGHT,
      fill: 'none',
      stroke: INK,
      'stroke-width': 2,
    }),
    text(end + PAD, y + ROW_HEIGHT - 5, WORST, { weight: 'bold' }),
  ].join('');
}
