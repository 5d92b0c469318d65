import { expect } from 'chai';
import { type Account, emptyAccount } from '#protocol/account.ts';
import { STANDARD_SHAPE } from '#protocol/limits.ts';
import { kScanOf, lossVector, marginOf, worstScenarios } from '#protocol/risk/margin.ts';
import { buildRiskTable } from '#protocol/risk/round.ts';
import { lots, type Micros } from '#protocol/units.ts';
import { marginChart, marginCurve } from '#sequencer/report/margin-chart.ts';
import { grouped, shortDollars, signedPercent, ticksAround } from '#sequencer/report/numbers.ts';
import { scenarioHeatMap } from '#sequencer/report/scenario-heat-map.ts';
import { expectNear } from '#test/support/near.ts';
import { SNAPSHOTS } from '#test/support/option/chain.ts';
import { chainTable } from '#test/support/option/chain-table.ts';
import { changedUnderlying } from '#test/support/risk-rounds.ts';
import { descendants, overlapping, parseSvg, type SvgElement, textBoxes } from '#test/support/svg.ts';

const GLYPH_SHARE = 0.602;
const { inputs, table, expiries } = chainTable(SNAPSHOTS[2], [1, 4, 6, 8]);
const symbols = new Map([
  [1, 'BTC'],
  [2, 'ETH'],
  [4, 'BTC-PERP'],
  [5, 'ETH-PERP'],
  ...expiries.flatMap(({ futureId, calls }): [number, string][] => [
    [futureId, calls[0].quoted.call.name.split('-').slice(0, 2).join('-')],
    ...calls.flatMap(({ id, quoted }): [number, string][] => [
      [id, quoted.call.name],
      [id + 1, quoted.put.name],
    ]),
  ]),
]);
const symbolOf = (id: number): string => symbols.get(id) ?? `${id}`;

const accountOf = (cashDollars: bigint, sizes: readonly (readonly [number, bigint])[]): Account => ({
  ...emptyAccount(STANDARD_SHAPE),
  cashStar: (cashDollars * 1_000_000n) as Micros,
  spot: [1, 2, 3].map((id) => lots(sizes.find(([other]) => other === id)?.[1] ?? 0n)),
  slots: sizes.filter(([id]) => id > 3).map(([instrumentId, size]) => ({ instrumentId, size: lots(size) })),
});
const [near, month] = [expiries[1], expiries[2]];
const strangleSeller = accountOf(-11_400n, [
  [4, 150n],
  [near.calls[0].id + 1, -300n],
  [near.calls[2].id, -300n],
  [month.calls[1].id, 100n],
  [expiries[6].calls[1].id + 1, 2_500n],
]);
const coveredCall = accountOf(-22_000n, [
  [1, 500n],
  [month.calls[2].id, -500n],
]);
const scanRangePpm = inputs.underlyings.map((underlying) => underlying.scanRangePpm);

const numberOf = (element: SvgElement, name: string): number => Number(element.attributes[name]);
const picked = (svg: SvgElement, name: string, css?: string): SvgElement[] =>
  descendants(svg).filter((e) => e.name === name && (css === undefined || e.attributes.class === css));

function expectReadable(svg: SvgElement): void {
  const boxes = textBoxes(svg, GLYPH_SHARE);
  expect(boxes.length).to.be.above(20);
  expect(overlapping(boxes)).to.deep.equal([]);
  const [width, height] = [numberOf(svg, 'width'), numberOf(svg, 'height')];
  for (const { text, left, right, top, bottom } of boxes) {
    expect(left >= 0 && right <= width && top >= 0 && bottom <= height, `“${text}” inside`).to.equal(true);
  }
}

describe('scenario heat map', () => {
  for (const [who, account] of [
    ['a seller of strangles', strangleSeller],
    ['a covered call', coveredCall],
  ] as const) {
    for (const esCount of [1, 3]) {
      const used = { ...table, esCount };
      const svg = parseSvg(
        scenarioHeatMap({
          title: `Scenarios of ${who}`,
          account,
          table: used,
          shape: STANDARD_SHAPE,
          scanRangePpm,
          symbolOf,
        }),
      );
      const losses = lossVector(account, used, STANDARD_SHAPE);

      it(`of ${who}, k = ${esCount}, is readable: no text over another, none outside`, () =>
        expectReadable(svg));

      it(`of ${who}, k = ${esCount}, shows every loss of every position and of the book`, () => {
        const cells = picked(svg, 'rect').filter(({ children }) => children.length === 1);
        const told = new Map(
          cells.map(({ children: [title], attributes }) => {
            const [name, rest] = title.text.split(', row ');
            const [row, amount] = rest.split(': ');
            return [`${name} ${row}`, { amount: amount.replace(' dollars', ''), fill: attributes.fill }];
          }),
        );
        const held = account.slots.length + account.spot.filter((size) => size !== 0n).length;
        expect(told.size).to.equal(32 * (held + 1));
        losses.forEach((loss, s) => {
          const cell = told.get(`whole book ${s}`);
          expect(cell?.amount).to.equal(grouped(-Number(loss) / 1e6, 2));
          const [red, , blue] = (cell?.fill ?? '').match(/\d+/g)?.map(Number) ?? [];
          if (loss > 1_000_000_000n) expect(red > blue, `a loss in row ${s} is red`).to.equal(true);
          if (loss < -1_000_000_000n) expect(red < blue, `a gain in row ${s} is blue`).to.equal(true);
        });
        for (const { instrumentId, size } of account.slots) {
          const row = table.rows.find((other) => other.instrumentId === instrumentId);
          row?.losses.forEach((loss, s) => {
            expect(told.get(`${symbolOf(instrumentId)} ${s}`)?.amount).to.equal(
              grouped(-Number(size * loss) / 1e6, 2),
            );
          });
        }
      });

      it(`of ${who}, k = ${esCount}, frames the rows whose mean is the scan, and says what it is`, () => {
        const rows = worstScenarios(losses, esCount);
        const frames = picked(svg, 'rect', 'worst').map((frame) => numberOf(frame, 'y'));
        const cells = picked(svg, 'rect').filter(({ children }) =>
          children[0]?.text.startsWith('whole book'),
        );
        expect(cells.flatMap((cell, s) => (frames.includes(numberOf(cell, 'y')) ? [s] : []))).to.deep.equal(
          rows,
        );
        const scan = Number(kScanOf(losses, esCount)) / esCount / 1e6;
        expect(picked(svg, 'text').some(({ text }) => text.includes(grouped(scan, 2)))).to.equal(true);
      });
    }
  }

  it('labels the rows with what moves', () => {
    const svg = parseSvg(
      scenarioHeatMap({
        title: 'x',
        account: coveredCall,
        table,
        shape: STANDARD_SHAPE,
        scanRangePpm,
        symbolOf,
      }),
    );
    const texts = picked(svg, 'text').map(({ text }) => text);
    for (const label of ['−16 %', '+18 %', '−13.5 %', '−66 % × 0.182', '+500 % × 0.027', 'same'])
      expect(texts).to.include(label);
  });

  it('of an empty book has no worst row and a scan of 0', () => {
    const account = emptyAccount(STANDARD_SHAPE);
    const svg = parseSvg(
      scenarioHeatMap({ title: 'Nothing', account, table, shape: STANDARD_SHAPE, scanRangePpm, symbolOf }),
    );
    expect(picked(svg, 'rect', 'worst')).to.deep.equal([]);
    expect(picked(svg, 'text').some(({ text }) => text === 'No row loses: the scan is 0.')).to.equal(true);
    expectReadable(svg);
  });

  it('escapes what names contain', () => {
    const title = 'A & B <"C">';
    const source = scenarioHeatMap({
      title,
      account: coveredCall,
      table,
      shape: STANDARD_SHAPE,
      scanRangePpm,
      symbolOf,
    });
    expect(source).to.not.include(title);
    expect(picked(parseSvg(source), 'title')[0].text).to.equal(title);
  });
});

describe('margin chart', () => {
  const spots = Array.from({ length: 61 }, (_, i) => 40_000 + 800 * i);
  const tableAt = (spotDollars: number) =>
    buildRiskTable(
      changedUnderlying(inputs, 0, { indexMicros: BigInt(spotDollars) * 1_000_000n }),
      STANDARD_SHAPE,
    );
  const panels = [
    ['Seller of strangles', strangleSeller],
    ['Covered call', coveredCall],
  ].map(([name, account]) => ({
    name: name as string,
    points: marginCurve(account as Account, spots, tableAt, STANDARD_SHAPE),
  }));
  const source = marginChart({
    title: 'Margin against the price of BTC',
    underlying: 'BTC',
    spotDollars: 63_858,
    panels,
  });
  const svg = parseSvg(source);
  const groups = picked(svg, 'g');

  it('is readable: no text over another, none outside', () => {
    expectReadable(svg);
    expect(groups).to.have.length(2);
  });

  it('takes its points from the margin rule', () => {
    const at = spots.indexOf(64_000);
    const margin = marginOf(strangleSeller, tableAt(64_000), STANDARD_SHAPE);
    const point = panels[0].points[at];
    expectNear(point.equityDollars * 1e6, Number(margin.equity), 1);
    expectNear(point.initialMarginDollars * 1e6, Number(margin.initialMarginMicrosUp), 1);
    expectNear(point.maintenanceMarginDollars * 1e6, Number(margin.maintenanceMarginMicrosUp), 1);
    expect(point.health).to.equal(margin.health);
  });

  it('draws equity and both requirements to one scale', () => {
    for (const [i, { points }] of panels.entries()) {
      const pixels = (css: string) =>
        picked(groups[i], 'polyline', css)[0]
          .attributes.points.split(' ')
          .map((pair) => pair.split(',').map(Number));
      const equity = pixels('equityDollars');
      expect(equity).to.have.length(spots.length);
      const reference = points.reduce((a, b, j) => (b.equityDollars > points[a].equityDollars ? j : a), 0);
      const least = points.reduce((a, b, j) => (b.equityDollars < points[a].equityDollars ? j : a), 0);
      const perPixel =
        (points[reference].equityDollars - points[least].equityDollars) /
        (equity[least][1] - equity[reference][1]);
      expect(perPixel).to.be.above(0);
      for (const field of ['initialMarginDollars', 'maintenanceMarginDollars'] as const) {
        pixels(field).forEach(([x, y], j) => {
          expectNear(x, equity[j][0], 1e-9);
          const drawn = points[reference].equityDollars - (y - equity[reference][1]) * perPixel;
          expectNear(drawn, points[j][field], 0.3 * perPixel, field);
        });
      }
    }
  });

  it('shades where the account may not act freely, and nowhere else', () => {
    for (const [i, { points }] of panels.entries()) {
      const xs = picked(groups[i], 'polyline', 'equityDollars')[0]
        .attributes.points.split(' ')
        .map((pair) => Number(pair.split(',')[0]));
      const shades = picked(groups[i], 'rect');
      points.forEach(({ health }, j) => {
        const over = shades.filter(
          (rect) => numberOf(rect, 'x') < xs[j] && xs[j] < numberOf(rect, 'x') + numberOf(rect, 'width'),
        );
        // The ends of the picture lie on the edge of a shade.
        if (j > 0 && j < points.length - 1)
          expect(over.map(({ attributes }) => attributes.class)).to.deep.equal(
            health === 'open' ? [] : [health],
          );
      });
    }
    const healths = new Set(panels[0].points.map(({ health }) => health));
    expect(healths.size, 'the book passes through several bands').to.be.at.least(3);
  });
});

describe('numbers in pictures', () => {
  it('are short, signed and never longer than a cell', () => {
    expect([0, 0.004, 7.129, -63.4, 9_999, -12_345, 1_234_567, -2.5e9].map(shortDollars)).to.deep.equal([
      '0',
      '0.00',
      '7.13',
      '−63',
      '9,999',
      '−12.3k',
      '1.23M',
      '−2.50B',
    ]);
    expect([0, 135_000, -660_000, 33_333].map(signedPercent)).to.deep.equal([
      '0 %',
      '+13.5 %',
      '−66 %',
      '+3.33 %',
    ]);
  });

  it('have round ticks around what they span', () => {
    expect(ticksAround(-3, 17, 6)).to.deep.equal([-5, 0, 5, 10, 15, 20]);
    expect(ticksAround(0, 0, 5)[0]).to.equal(0);
    expect(ticksAround(40_000, 88_000, 8)).to.deep.equal([40_000, 50_000, 60_000, 70_000, 80_000, 90_000]);
  });
});
