/** circuits/row/health.circom alone: the size add-on in every rule, exactly on its bound, and the widths of all sums. */
import { DELTA_BITS, LOSS_BITS } from '#protocol/limits.ts';
import {
  ATOP,
  type Bounds,
  CLOSED,
  health,
  healthInput,
  lineOf,
  type Numbers,
  REDUCED,
  SMALL_SCAN,
  standExactly,
} from '#test/support/circuits/health-numbers.ts';

/** Fills that leave less than IM, with an add-on of 5: MM is 27 on both sides. */
const BY_SIZE: Numbers = {
  ...REDUCED,
  oldScanLow: 90n,
  newScanLow: 90n,
  newScanUp: 90n,
  oldAddOn: 500n,
  newAddOn: 500n,
};

const BOUNDS: Bounds = {
  'IM after a fill with its add-on, a hundredth of a micro: 100k·101 = 100·300 + k·100': [
    { flags: ['isFilled'], newScanUp: 300n, newAddOn: 100n, newCash: 101n },
    { newAddOn: 101n },
    'margin',
  ],
  '1.25 IM after a withdrawal by the add-on alone: 400k·25 = 5·k·2000': [
    { flags: ['isQuoteWithdrawn'], newAddOn: 2_000n, newCash: 25n },
    { newAddOn: 2_001n },
    'margin',
  ],
  'MM not higher after a reducing fill, by the add-on': [
    { ...REDUCED, oldAddOn: 55n, newAddOn: 55n },
    { newAddOn: 56n },
    'margin',
  ],
  'MM lower after a liquidation, by the add-on': [
    { ...CLOSED, newScanUp: 300n, oldAddOn: 2n, newAddOn: 1n },
    { newAddOn: 2n },
    'margin',
  ],
  'distance to liquidation, where an add-on of 3 falls away': [
    { ...BY_SIZE, newAddOn: 0n, newCash: 24n },
    { newCash: 23n },
    'distance',
  ],
  'liquidated below MM by the add-on alone: 1000k·6 < 6·k·1001': [
    { ...CLOSED, oldCash: 6n, newCash: 6n, oldScanLow: 0n, oldAddOn: 1_001n },
    { oldAddOn: 1_000n },
    'distance',
  ],
  'not under MM with an add-on, as a reducing account says: 1000k·27 = 800·90 + 6·k·500': [
    BY_SIZE,
    { oldAddOn: 501n, newAddOn: 501n },
    'end',
  ],
  'a liquidation ends at IM with its add-on': [
    { ...CLOSED, newCash: ATOP + 1n, newAddOn: 100n },
    { newAddOn: 99n },
    'end',
  ],
  'a small account is one by scan and add-on': [
    {
      flags: [...(CLOSED.flags ?? []), 'isSmallAccount'],
      oldScanLow: SMALL_SCAN - 9n,
      oldAddOn: 399n,
      newCash: 2n * ATOP,
    },
    { oldAddOn: 400n },
    'end',
  ],
  'an account that any scenarios make small had less than the tolerance': [
    {
      flags: [...(CLOSED.flags ?? []), 'isSmallAccount'],
      oldScanLow: SMALL_SCAN - 1n,
      oldCash: ATOP - 1n,
      newCash: 2n * ATOP,
    },
    { oldCash: ATOP },
    'distance',
  ],
};

describe('rules of health with an add-on for size', () => {
  standExactly(BOUNDS);

  it('wrap nowhere at the ends of their widths', async () => {
    // The sums of 16 slots: lots below 2^48, funding below 2^50 a lot, all else below 2^45; the largest k.
    const wide = (1n << 97n) - 1n;
    const values = { mark: wide, chargeIm: wide, chargeMm: wide, band: wide, penalty: wide };
    const addOn = 20n << BigInt(DELTA_BITS + 1);
    const scan = (1n << BigInt(LOSS_BITS + 8)) - 1n;
    const [rich, poor] = [-1n, 1n].map((sign) => ({ ...values, funding: sign * (1n << 102n) }));
    const cash = (1n << 99n) - 1n;
    const charged = { oldAddOn: addOn, newAddOn: addOn, oldScanLow: scan, newScanLow: scan, newScanUp: scan };
    const at = (n: Numbers) => ({ ...healthInput({ ...charged, ...n }), k: 63 });
    const under = ['isFilled', 'isReducing', 'isUnderMargin'] as const;
    for (const flags of [['isFilled'], ['isQuoteWithdrawn']] as const) {
      await (await health()).accepts(at({ flags, newCash: cash, new: rich, pending: (1n << 80n) - 1n }));
      await (await health()).refuses(at({ flags, newCash: -cash, new: poor }), lineOf('margin'));
    }
    await (await health()).accepts(at({ flags: under, oldCash: -cash, old: poor, newCash: cash, new: rich }));
    await (await health()).refuses(
      at({ flags: under, oldCash: cash, old: rich, newCash: -cash, new: poor }),
      lineOf('distance'),
    );
    const closed: Numbers = { ...CLOSED, oldCash: -cash, old: poor, newCash: 0n, treasury: wide, fees: 0n };
    const none = { newAddOn: 0n, newScanLow: 0n, newScanUp: 0n };
    await (await health()).accepts(at({ ...closed, ...none }));
    await (await health()).refuses(at({ ...closed, ...none, oldCash: cash, old: rich }), lineOf('distance'));
  });
});
