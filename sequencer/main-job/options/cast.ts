/** Who takes part on 2026-02-05: two makers and six books. */
import { type CastMember, dollars } from '../cast.ts';
import { hedgedBook, holdBook, nakedShort } from '../strategies/portfolios.ts';
import { BTC_PERP, ETH_PERP, WBTC } from '../strategies/strategy.ts';
import { surfaceMaker } from '../strategies/surface-maker.ts';
import { FAR, NEAR } from './listing.ts';

const BTC = 0;

const maker = (name: string, deposit: bigint, halfSpreadCentipoints: bigint): CastMember => ({
  name,
  strategy: surfaceMaker({
    name: 'market maker',
    halfSpreadPpm: 1_000n,
    sizeLots: { [WBTC]: 500n, [BTC_PERP]: 2_500n, [ETH_PERP]: 4_000n },
    halfSpreadCentipoints,
    optionLots: 1_500n,
    futureLots: 1_000n,
  }),
  arrivesAtStep: 0,
  depositMicros: dollars(deposit),
  spotLots: {},
  isMarketMaker: true,
  everySteps: 1,
});

const book = (
  name: string,
  strategy: CastMember['strategy'],
  arrivesAtStep: number,
  depositMicros: bigint,
  spotLots: CastMember['spotLots'] = {},
): CastMember => ({
  name,
  strategy,
  arrivesAtStep,
  depositMicros,
  spotLots,
  isMarketMaker: false,
  everySteps: 1,
});

export const OPTIONS_CAST: readonly CastMember[] = [
  maker('Alder', 600_000n, 120n),
  maker('Birch', 500_000n, 160n),
  book(
    'Maple',
    nakedShort('short wing', 'sells as many puts of 60,000 of tomorrow as its margin allows', NEAR.put60),
    0,
    dollars(14_000n),
  ),
  book(
    'Hazel',
    holdBook('covered call', 'owns WBTC and sells calls of 70,000 in eight days against it', {
      [FAR.call70]: -2_000n,
    }),
    2,
    dollars(2_000n),
    { [WBTC]: 2_000n },
  ),
  book(
    'Rowan',
    holdBook('calendar', 'sells puts of 60,000 of tomorrow and buys those of next week', {
      [NEAR.put60]: -1_500n,
      [FAR.put60]: 1_500n,
    }),
    1,
    dollars(6_000n),
  ),
  book(
    'Sorrel',
    holdBook('strangle', 'buys a put of 60,000 and a call of 66,000 of tomorrow', {
      [NEAR.put60]: 1_000n,
      [NEAR.call66]: 1_000n,
    }),
    3,
    dollars(2_500n),
  ),
  book(
    'Tansy',
    holdBook('call spread', 'buys a call of 60,000 of tomorrow and sells the one of 66,000', {
      [NEAR.call60]: 1_000n,
      [NEAR.call66]: -1_000n,
    }),
    2,
    dollars(7_000n),
  ),
  book(
    'Aspen',
    hedgedBook('delta-hedged book', 'sells a strangle of next week and hedges it with BTC-PERP', BTC, {
      [FAR.put60]: -1_000n,
      [FAR.call70]: -1_000n,
    }),
    4,
    dollars(15_000n),
  ),
];
