/** Rounds and first states of random markets (random-market.ts). */
import type { RiskRow, RiskTable } from '#protocol/instrument.ts';
import { TINY_SHAPE } from '#protocol/limits.ts';
import { genesisState, type LedgerState } from '#protocol/state.ts';
import type { Operation } from '#protocol/transition/operation.ts';
import type { Lots, MicrosPerLot } from '#protocol/units.ts';
import {
  l1,
  match,
  OTHER,
  PERP,
  riskTable,
  SECOND,
  SPOT,
  settle,
  settledRow,
  THIRD,
  twoTokenTable,
  USD,
} from './ledger.ts';
import { ACCOUNTS } from './random-steps.ts';

export const isToken = (id: number): boolean => id === SPOT || id === SECOND;

/** They bind: accounts begin with 40 and 45 lots. A round with rising prices lowers the one of the perpetual. */
const positionCapOf = (id: number, percent: bigint): bigint => {
  if (id === PERP) return percent > 100n ? 35n : 55n;
  // Of deposits: some accounts hold more, of others some lots may wait.
  if (isToken(id)) return [2n, 8n, 11n][Number(percent % 3n)];
  return id === OTHER ? 50n : 20n;
};

/** Small enough that the larger positions of these markets pay for their size. */
export const ADD_ON_UNIT_DOLLARS = 1_500n;

export interface Round {
  readonly esCount: number;
  readonly tokens: 1 | 2;
  /** What the option is worth once it has expired. */
  readonly settledDollars?: bigint;
}

export const tableAt = (percent: bigint, { esCount, tokens, settledDollars }: Round): RiskTable => {
  const moved = (id: number) => ({
    mark: (percent * USD) as MicrosPerLot,
    fundingIndex: (isToken(id) ? 0n : (percent - 100n) * 10_000n) as MicrosPerLot,
  });
  const capped = (id: number) => ({ positionCap: positionCapOf(id, percent) as Lots });
  const rows: Record<number, Partial<RiskRow>> = {
    [SPOT]: { ...moved(SPOT), ...capped(SPOT) },
    // Cheap: what waits of it does not save everybody.
    [SECOND]: { mark: (20n * USD) as MicrosPerLot, ...capped(SECOND) },
    [PERP]: { ...moved(PERP), ...capped(PERP) },
    [OTHER]: capped(OTHER),
    [THIRD]: { ...(settledDollars === undefined ? {} : settledRow(settledDollars * USD)), ...capped(THIRD) },
  };
  const change = { esCount, addOnUnitDollars: [ADD_ON_UNIT_DOLLARS, ADD_ON_UNIT_DOLLARS] };
  return tokens === 1 ? riskTable(change, rows) : twoTokenTable(change, rows);
};

/** Four accounts with $800 and ten spot lots each, already leveraged against each other; the second token is held by two. */
export const startOf = (tokens: 1 | 2): LedgerState => {
  let state = genesisState(TINY_SHAPE);
  for (const index of ACCOUNTS) {
    state = settle(state, [
      { kind: 'l1', operation: l1('register', index) },
      { kind: 'l1', operation: l1('deposit', index, 0, 800n * USD) },
      { kind: 'l1', operation: l1('deposit', index, SPOT, 10n) },
    ]);
  }
  if (tokens === 2) {
    const held = [1, 3].map(
      (index): Operation => ({ kind: 'l1', operation: l1('deposit', index, SECOND, 6n) }),
    );
    state = settle(state, held, { table: twoTokenTable() });
  }
  return settle(
    state,
    [
      match(1, 2, 40n, 100n),
      match(3, 4, tokens === 1 ? 45n : 10n, 100n, tokens === 1 ? OTHER : PERP),
      match(3, 1, 8n, 100n, SPOT),
      match(4, 2, 3n, 100n, THIRD),
      match(1, 3, 2n, 100n, THIRD),
    ],
    tokens === 1 ? {} : { table: twoTokenTable() },
  );
};
