/** Up to the last number of every width what the twin takes has a witness. */
import { expect } from 'chai';
import type { Account } from '#protocol/account.ts';
import type { BatchContent } from '#protocol/batch/batch.ts';
import { InputError } from '#protocol/errors.ts';
import { TINY_BATCH } from '#protocol/limits.ts';
import { accountAt, type LedgerState, withAccount } from '#protocol/state.ts';
import { executeBatch } from '#protocol/transition/execute-batch.ts';
import type { Lots, Micros, MicrosPerLot } from '#protocol/units.ts';
import { buildCircuitInput } from '#prover/witness/build-circuit-input.ts';
import { tinyCircuit } from '#test/support/attack.ts';
import { forge } from '#test/support/forged-batch.ts';
import * as ledger from '#test/support/ledger.ts';

const { SPOT, USD } = ledger;
const CASH_STAR_MAX = (1n << 99n) - 1n;
const EPOCH_MAX = (1n << 32n) - 1n;
const NONCE_MAX = (1n << 40n) - 1n;
const LOTS_MAX = (1n << 47n) - 1n;

const plain = ledger.funded({ 1: 100n, 2: 100n });
const changed = (change: Partial<Account>): LedgerState =>
  withAccount(plain, 1, { ...accountAt(plain, 1), ...change });
const l1 = (...parameters: Parameters<typeof ledger.l1>) => ({
  kind: 'l1' as const,
  operation: ledger.l1(...parameters),
});
/** A lot is worth two cents: the bound on what all lots together lose (docs/protocol.md §4) allows as many. */
const wide = {
  table: ledger.riskTable(
    {},
    {
      [SPOT]: ledger.riskRow(SPOT, { mark: 20_000n as MicrosPerLot, positionCap: LOTS_MAX as Lots }),
    },
  ),
};

/** Rows executed on the plain state, told on another. */
const contentOf = (...operations: Parameters<typeof ledger.run>[1][]): BatchContent =>
  ledger.run(ledger.open(plain, wide), ...operations).content;
const cancel = (nonce: bigint, floorBackWords: number) =>
  contentOf({
    kind: 'cancel',
    ...ledger.only(ledger.sign(1, [{ kind: 'cancel', nonce, floorBackWords }])),
  });
const traded = (lots: bigint): BatchContent =>
  ledger.withOwnNonces(() => contentOf(ledger.match(1, 2, lots, 99n, ledger.OTHER)));

const CASES: readonly (readonly [
  what: string,
  state: LedgerState,
  content: BatchContent,
  isAccepted: boolean,
])[] = [
  [
    'cash up to its end',
    changed({ cashStar: (CASH_STAR_MAX - 7n * USD) as Micros }),
    contentOf(l1('deposit', 1, 0, 7n * USD)),
    true,
  ],
  [
    'cash one micro beyond its end',
    changed({ cashStar: (CASH_STAR_MAX - 7n * USD) as Micros }),
    contentOf(l1('deposit', 1, 0, 7n * USD + 1n)),
    false,
  ],
  [
    'a debt near its end, less a dollar',
    changed({ cashStar: -CASH_STAR_MAX as Micros }),
    contentOf(l1('deposit', 1, 0, USD)),
    true,
  ],
  ['the last epoch', changed({ epoch: EPOCH_MAX - 1n }), contentOf(l1('cancelAll', 1)), true],
  ['an epoch after the last', changed({ epoch: EPOCH_MAX }), contentOf(l1('cancelAll', 1)), false],
  ['the last nonce, under the last base word', plain, cancel(NONCE_MAX, 0), true],
  ['the last nonce, with the window below it', plain, cancel(NONCE_MAX, 1), true],
  [
    'spot lots up to their end',
    changed({ spot: [(LOTS_MAX - 1n) as Lots, 0n as Lots, 0n as Lots] }),
    contentOf(l1('deposit', 1, SPOT, 1n)),
    true,
  ],
  ['a deposit of the most lots at once', plain, contentOf(l1('deposit', 1, SPOT, LOTS_MAX)), true],
  ['a fill that its account pays for', plain, traded(3n), true],
];

/** A leaf that cannot be written down is an error, no verdict. */
function twinTakes(state: LedgerState, content: BatchContent): boolean {
  try {
    return executeBatch(state, content, TINY_BATCH).ok;
  } catch (error) {
    if (error instanceof InputError) return false;
    throw error;
  }
}

describe('batch circuit and its twin at the ends of widths', function () {
  this.timeout(600_000);
  before(tinyCircuit);

  // What no leaf can hold has no input: that the circuit refuses it too is shown in attacks-ranges.test.ts.
  for (const [what, state, content, isAccepted] of CASES)
    it(`${isAccepted ? 'both take' : 'the twin refuses'} ${what}`, async () => {
      expect(twinTakes(state, content), 'the twin').to.equal(isAccepted);
      if (!isAccepted) return;
      const { input } = buildCircuitInput(forge(state, content));
      expect(await (await tinyCircuit()).refusal(input), 'the circuit').to.equal(undefined);
    });
});
