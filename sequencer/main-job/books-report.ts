/** Pictures of every book of two positions or more: its scenarios, and its margin against the price. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { invariant } from '#protocol/errors.ts';
import type { RiskTable } from '#protocol/instrument.ts';
import { UNDERLYINGS } from '#protocol/instrument.ts';
import { STANDARD_SHAPE } from '#protocol/limits.ts';
import { heldInstruments } from '#protocol/risk/margin.ts';
import { buildRiskTable, type RiskRoundInputs } from '#protocol/risk/round.ts';
import type { Reconstruction } from '../reconstruct/report.ts';
import { marginChart, marginCurve } from '../report/margin-chart.ts';
import { scenarioHeatMap } from '../report/scenario-heat-map.ts';
import type { Listing } from './listing.ts';
import type { Moment } from './portfolio-lines.ts';

const LEGS_MIN = 2;
/** The price axis goes from a fifth below the round's price to a fifth above it. */
const [SPAN_PERCENT, POINTS] = [20, 41];
const MICROS = 1e6;

/** The round with another price of one coin; forwards follow by their basis, volatilities stay. */
function tableAtPrice(inputs: RiskRoundInputs, underlying: number, dollars: number): RiskTable {
  const underlyings = inputs.underlyings.map((values, u) =>
    u === underlying ? { ...values, indexMicros: BigInt(Math.round(dollars * MICROS)) } : values,
  );
  return buildRiskTable({ ...inputs, underlyings }, STANDARD_SHAPE);
}

/** Writes two SVG files for each book into `folder`. @returns their paths */
export function writeBooksReport(
  { rounds }: Pick<Reconstruction, 'rounds'>,
  { accounts, table }: Moment,
  underlying: number,
  names: { readonly listing: Listing; readonly nameOf: (accountIndex: number) => string },
  folder: string,
): string[] {
  const round = [...rounds.values()].find((other) => other.table.roundNumber === table.roundNumber);
  invariant(round !== undefined, 'the table of a moment is that of a proved round');
  const { inputs } = round;
  const spotDollars = Number(inputs.underlyings[underlying].indexMicros) / MICROS;
  const spots = Array.from(
    { length: POINTS },
    (_, i) => spotDollars * (1 + (SPAN_PERCENT / 100) * ((2 * i) / (POINTS - 1) - 1)),
  );
  const tables = new Map(spots.map((spot) => [spot, tableAtPrice(inputs, underlying, spot)]));
  const time = new Date(Number(table.timeSec) * 1000).toISOString().slice(0, 16).replace('T', ' ');
  mkdirSync(folder, { recursive: true });
  return accounts
    .filter(([, account]) => heldInstruments(account).length >= LEGS_MIN)
    .flatMap(([accountIndex, account]) => {
      const name = names.nameOf(accountIndex);
      const title = `${name}, ${time} UTC`;
      const pictures = {
        scenarios: scenarioHeatMap({
          title,
          account,
          table,
          shape: STANDARD_SHAPE,
          scanRangePpm: inputs.underlyings.map(({ scanRangePpm }) => scanRangePpm),
          symbolOf: (id) => names.listing.symbolOf(id),
        }),
        margin: marginChart({
          title,
          underlying: UNDERLYINGS[underlying],
          spotDollars,
          panels: [
            {
              name,
              points: marginCurve(account, spots, (spot) => tables.get(spot) ?? table, STANDARD_SHAPE),
            },
          ],
        }),
      };
      return Object.entries(pictures).map(([what, svg]) => {
        const path = join(folder, `${name.toLowerCase().replace(/[^a-z0-9]+/g, '-')}-${what}.svg`);
        writeFileSync(path, svg);
        return path;
      });
    });
}
