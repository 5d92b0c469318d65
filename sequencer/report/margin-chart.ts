/** Equity and requirements of accounts against the price of one underlying, with the bands in which each may not act freely. */
import type { Account } from '#protocol/account.ts';
import type { RiskTable } from '#protocol/instrument.ts';
import type { StateShape } from '#protocol/limits.ts';
import { type Health, marginOf } from '#protocol/risk/margin.ts';
import { dollarsOf, grouped, shortDollars, ticksAround } from './numbers.ts';
import { element, FAINT_INK, INK, line, picture, RULE, text, textWidth } from './svg.ts';

/** One account at one price. */
export interface MarginPoint {
  readonly spotDollars: number;
  readonly equityDollars: number;
  readonly initialMarginDollars: number;
  readonly maintenanceMarginDollars: number;
  readonly health: Health;
}

/** The margin of an account at each price. @param tableAt the table of a round at that price of a coin */
export const marginCurve = (
  account: Account,
  spotsDollars: readonly number[],
  tableAt: (spotDollars: number) => RiskTable,
  shape: StateShape,
): MarginPoint[] =>
  spotsDollars.map((spotDollars) => {
    const margin = marginOf(account, tableAt(spotDollars), shape);
    return {
      spotDollars,
      equityDollars: dollarsOf(margin.equity),
      initialMarginDollars: dollarsOf(margin.initialMarginMicrosUp),
      maintenanceMarginDollars: dollarsOf(margin.maintenanceMarginMicrosUp),
      health: margin.health,
    };
  });

export interface MarginPanel {
  readonly name: string;
  /** In increasing order of price; at least two. */
  readonly points: readonly MarginPoint[];
}

export interface MarginChartInputs {
  readonly title: string;
  /** BTC, say. */
  readonly underlying: string;
  /** The price now. */
  readonly spotDollars: number;
  readonly panels: readonly MarginPanel[];
}

const WIDTH = 860;
const [LEFT, RIGHT] = [78, 24];
const LEGEND_BASELINE = 42;
const LEGEND_HEIGHT = 62;
const PANEL_HEIGHT = 300;
const [PLOT_TOP, PLOT_BOTTOM] = [40, 250];
const [X_TICKS, Y_TICKS] = [8, 6];

const LINES = [
  { name: 'equity', field: 'equityDollars', stroke: '#2166ac', dash: 'none' },
  { name: 'initial margin', field: 'initialMarginDollars', stroke: '#b35806', dash: '7 3' },
  { name: 'maintenance margin', field: 'maintenanceMarginDollars', stroke: '#b2182b', dash: '2 3' },
] as const;
/** What an account may not do there; nothing is shaded where it is open. */
const BANDS: Readonly<Record<Exclude<Health, 'open'>, string>> = {
  'reduce-only': '#fdedc8',
  liquidatable: '#f8d0cb',
  bankrupt: '#c9c9c9',
};

interface Scales {
  readonly x: (spot: number) => number;
  readonly y: (dollars: number) => number;
  readonly xTicks: readonly number[];
  readonly yTicks: readonly number[];
}

function scalesOf(points: readonly MarginPoint[]): Scales {
  const spots = points.map(({ spotDollars }) => spotDollars);
  const [least, most] = [Math.min(...spots), Math.max(...spots)];
  const amounts = points.flatMap((point) => LINES.map(({ field }) => point[field]));
  const yTicks = ticksAround(Math.min(0, ...amounts), Math.max(0, ...amounts), Y_TICKS);
  const [low, high] = [yTicks[0], yTicks[yTicks.length - 1]];
  const x = (spot: number) => LEFT + ((spot - least) / (most - least)) * (WIDTH - LEFT - RIGHT);
  const y = (dollars: number) => PLOT_BOTTOM - ((dollars - low) / (high - low)) * (PLOT_BOTTOM - PLOT_TOP);
  const xTicks = ticksAround(least, most, X_TICKS).filter((tick) => tick >= least && tick <= most);
  return { x, y, xTicks, yTicks };
}

/** Shades from halfway to the point before to halfway to the next, one rectangle for each run of one health. */
function bands(points: readonly MarginPoint[], { x }: Scales): string[] {
  const edge = (i: number) => {
    const at = Math.min(Math.max(i, 0), points.length - 1);
    const before = Math.max(Math.min(i - 1, points.length - 1), 0);
    return x((points[at].spotDollars + points[before].spotDollars) / 2);
  };
  const shaded: string[] = [];
  for (let start = 0; start < points.length; ) {
    const { health } = points[start];
    let end = start + 1;
    while (end < points.length && points[end].health === health) end++;
    if (health !== 'open')
      shaded.push(
        element('rect', {
          class: health,
          x: edge(start),
          y: PLOT_TOP,
          width: edge(end) - edge(start),
          height: PLOT_BOTTOM - PLOT_TOP,
          fill: BANDS[health],
        }),
      );
    start = end;
  }
  return shaded;
}

function axes({ x, y, xTicks, yTicks }: Scales, underlying: string): string[] {
  const right = WIDTH - RIGHT;
  return [
    ...yTicks.flatMap((tick) => [
      line(LEFT, y(tick), right, y(tick), tick === 0 ? { stroke: INK } : { stroke: RULE }),
      text(LEFT - 8, y(tick) + 4, Math.abs(tick) < 1e6 ? grouped(tick) : shortDollars(tick), {
        anchor: 'end',
        fill: FAINT_INK,
      }),
    ]),
    ...xTicks.flatMap((tick) => [
      line(x(tick), PLOT_BOTTOM, x(tick), PLOT_BOTTOM + 5, { stroke: INK }),
      text(x(tick), PLOT_BOTTOM + 18, grouped(tick), { anchor: 'middle', fill: FAINT_INK }),
    ]),
    text(LEFT - 8, PLOT_TOP - 14, 'dollars', { anchor: 'end' }),
    text((LEFT + right) / 2, PLOT_BOTTOM + 36, `${underlying} index, dollars`, { anchor: 'middle' }),
  ];
}

const curve = (
  points: readonly MarginPoint[],
  { x, y }: Scales,
  { field, stroke, dash }: (typeof LINES)[number],
): string =>
  element('polyline', {
    class: field,
    points: points
      .map((point) => `${x(point.spotDollars).toFixed(1)},${y(point[field]).toFixed(1)}`)
      .join(' '),
    fill: 'none',
    stroke,
    'stroke-width': 2,
    ...(dash === 'none' ? {} : { 'stroke-dasharray': dash }),
  });

/** The price now, its label kept inside the picture. */
function nowMark(spot: number, { x }: Scales): string[] {
  const label = `now ${grouped(spot)}`;
  const half = textWidth(label) / 2;
  const at = Math.min(Math.max(x(spot), LEFT + half), WIDTH - RIGHT - half);
  return [
    line(x(spot), PLOT_TOP, x(spot), PLOT_BOTTOM, { stroke: INK, 'stroke-dasharray': '1 3' }),
    text(at, PLOT_TOP - 5, label, { anchor: 'middle' }),
  ];
}

function panel({ name, points }: MarginPanel, inputs: MarginChartInputs): string[] {
  const scales = scalesOf(points);
  const [{ spotDollars: least }, { spotDollars: most }] = [points[0], points[points.length - 1]];
  const isShown = inputs.spotDollars >= least && inputs.spotDollars <= most;
  return [
    text(LEFT, 18, name, { weight: 'bold' }),
    ...bands(points, scales),
    ...axes(scales, inputs.underlying),
    ...LINES.map((style) => curve(points, scales, style)),
    ...(isShown ? nowMark(inputs.spotDollars, scales) : []),
  ];
}

function legend(): string[] {
  let at = LEFT;
  const sample = (name: string, mark: (x: number) => string): string => {
    const parts = mark(at) + text(at + 28, LEGEND_BASELINE, name);
    at += 28 + textWidth(name) + 18;
    return parts;
  };
  return [
    ...LINES.map(({ name, stroke, dash }) =>
      sample(name, (x) =>
        line(x, LEGEND_BASELINE - 4, x + 22, LEGEND_BASELINE - 4, {
          stroke,
          'stroke-width': 2,
          ...(dash === 'none' ? {} : { 'stroke-dasharray': dash }),
        }),
      ),
    ),
    ...Object.entries(BANDS).map(([name, fill]) =>
      sample(name, (x) => element('rect', { x, y: LEGEND_BASELINE - 10, width: 22, height: 12, fill })),
    ),
  ];
}

/** SVG text: a panel for each account under one key. */
export function marginChart(inputs: MarginChartInputs): string {
  const { title, panels } = inputs;
  return picture(WIDTH, LEGEND_HEIGHT + panels.length * PANEL_HEIGHT, title, [
    text(LEFT, 20, title, { size: 14, weight: 'bold' }),
    ...legend(),
    ...panels.map((shown, i) =>
      element(
        'g',
        { transform: `translate(0 ${LEGEND_HEIGHT + i * PANEL_HEIGHT})` },
        ...panel(shown, inputs),
      ),
    ),
  ]);
}
