/** Who takes part on 2021-05-19. */
import { type CastMember, dollars } from '../cast.ts';
import { marketMaker } from '../strategies/market-maker.ts';
import { BTC_PERP, ETH_PERP, WBTC, WETH } from '../strategies/strategy.ts';
import {
  collateralLong,
  dipBuyer,
  fader,
  hedger,
  pairTrader,
  reboundBuyer,
  saver,
  trendSeller,
} from '../strategies/takers.ts';

const trendSellerDeposit = dollars(30_000n);

export const LINEAR_CAST: readonly CastMember[] = [
  {
    name: 'Alder',
    strategy: marketMaker({
      name: 'market maker',
      halfSpreadPpm: 1_000n,
      sizeLots: { [WBTC]: 800n, [WETH]: 1_200n, [BTC_PERP]: 2_500n, [ETH_PERP]: 4_000n },
    }),
    arrivesAtStep: 0,
    depositMicros: dollars(600_000n),
    spotLots: { [WETH]: 4_000n },
    isMarketMaker: true,
    everySteps: 1,
  },
  {
    name: 'Birch',
    strategy: marketMaker({
      name: 'market maker',
      halfSpreadPpm: 1_300n,
      sizeLots: { [WETH]: 1_000n, [BTC_PERP]: 2_500n, [ETH_PERP]: 4_000n },
    }),
    arrivesAtStep: 0,
    depositMicros: dollars(500_000n),
    spotLots: {},
    isMarketMaker: true,
    everySteps: 1,
  },
  {
    name: 'Hazel',
    strategy: collateralLong,
    arrivesAtStep: 1,
    depositMicros: 0n,
    spotLots: { [WETH]: 1_000n },
    isMarketMaker: false,
    everySteps: 1,
  },
  {
    name: 'Rowan',
    strategy: hedger,
    arrivesAtStep: 2,
    depositMicros: 0n,
    spotLots: { [WBTC]: 1_000n },
    isMarketMaker: false,
    everySteps: 1,
    // More than one account may hold: it comes back as a claim.
    laterOnL1: [{ atStep: 8, kind: 'deposit', tokenId: WBTC, units: 12_000n }],
  },
  {
    name: 'Sorrel',
    strategy: trendSeller(trendSellerDeposit),
    arrivesAtStep: 3,
    depositMicros: trendSellerDeposit,
    spotLots: {},
    isMarketMaker: false,
    everySteps: 1,
  },
  {
    name: 'Aspen',
    strategy: dipBuyer,
    arrivesAtStep: 4,
    depositMicros: dollars(12_000n),
    spotLots: {},
    isMarketMaker: false,
    everySteps: 1,
  },
  {
    name: 'Maple',
    strategy: saver,
    arrivesAtStep: 6,
    depositMicros: dollars(40_000n),
    spotLots: {},
    isMarketMaker: false,
    everySteps: 2,
    laterOnL1: [{ atStep: 24, kind: 'withdraw', tokenId: 0, units: dollars(5_000n) }],
  },
  {
    name: 'Laurel',
    strategy: pairTrader,
    arrivesAtStep: 9,
    depositMicros: dollars(25_000n),
    spotLots: {},
    isMarketMaker: false,
    everySteps: 4,
  },
  {
    name: 'Linden',
    strategy: fader,
    arrivesAtStep: 11,
    depositMicros: dollars(15_000n),
    spotLots: {},
    isMarketMaker: false,
    everySteps: 1,
  },
  {
    name: 'Willow',
    strategy: reboundBuyer,
    arrivesAtStep: 13,
    depositMicros: dollars(10_000n),
    spotLots: {},
    isMarketMaker: false,
    everySteps: 1,
  },
];
