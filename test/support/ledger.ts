/**
 * A small world for tests of the transition: wallets with real keys, one spot token, two perps, a round
 * whose numbers can be worked by hand, and short ways to sign and execute.
 */
import { expect } from 'chai';
import type { Account, PublicKey } from '#protocol/account.ts';
import type { BatchHeader, L1Kind, L1Operation, PendingDeposits } from '#protocol/batch/batch.ts';
import { derivePublicKey } from '#protocol/crypto/eddsa.ts';
import type { OptionQuote } from '#protocol/display/greeks.ts';
import type { Rejection, Result } from '#protocol/errors.ts';
import type { RiskRow, RiskTable } from '#protocol/instrument.ts';
import { type BatchCapacity, type StateShape, TINY_SHAPE } from '#protocol/limits.ts';
import type { Message, OrderMessage, SignedMessages, WithdrawMessage } from '#protocol/message.ts';
import { columnLosses } from '#protocol/risk/table.ts';
import { signMessages } from '#protocol/signing.ts';
import { genesisState, type LedgerState, ledgerTotals } from '#protocol/state.ts';
import { type OpenBatch, openBatch } from '#protocol/transition/open-batch.ts';
import type { MessageReference, Operation } from '#protocol/transition/operation.ts';
import type { Lots, MicrosPerLot } from '#protocol/units.ts';

export const DOMAIN = { chainId: 31337n, rollupAddress: 0xba11a57n };
export const NOW_SEC = 1_800_000_000n;
export const LATER_SEC = NOW_SEC + 3600n;

export const SPOT = 1;
/** A token that lists in the place of OTHER: a tiny state has four markets, a tiny batch four instruments. */
export const SECOND = 2;
export const PERP = 4;
export const OTHER = 5;
export const THIRD = 6;

/** One dollar in micros. */
export const USD = 1_000_000n;

/** Room for everything a test does at once; the shape stays tiny. */
export const ROOMY: BatchCapacity = {
  name: 'test',
  accounts: 8,
  signatures: 24,
  messages: 32,
  instruments: 4,
  l1Operations: 8,
  withdrawals: 4,
  liquidations: 8,
  settlements: 8,
};

const perLot = (value: bigint) => value as MicrosPerLot;

/** Losses of a long option in each pair of the tiny shape, percent of its mark. */
const OPTION_PAIR_PERCENTS = [9n, 5n, -1n, -7n, -14n, 3n, -40n];

/** What a row's risk array is made of: at 5 % a quarter anything linear loses 20 % at −R and 15 % in a fall's tail. */
export const linearLosses = (
  quarterLoss: MicrosPerLot,
  underlying = 0,
  shape: Pick<StateShape, 'scenarios'> = TINY_SHAPE,
): Pick<RiskRow, 'linearLoss' | 'pairLosses' | 'losses'> => ({
  linearLoss: quarterLoss,
  pairLosses: [],
  losses: columnLosses(quarterLoss, [], underlying, shape),
});

/**
 * Marked at $100 a lot; IM charge 1 %, MM charge 0.6 %, band 1 %. All but THIRD are linear with quarters of 5 %;
 * THIRD is an option on the other underlying.
 */
export function riskRow(instrumentId: number, change: Partial<RiskRow> = {}): RiskRow {
  const isSpot = instrumentId <= 3;
  const underlying = instrumentId === THIRD ? 1 : 0;
  const marketSlot = instrumentId === SECOND ? 2 : instrumentId - 3;
  const mark = change.mark ?? perLot(100n * USD);
  const percent = (n: bigint) => perLot((mark * n) / 100n);
  return {
    instrumentId,
    marketSlot: instrumentId === SPOT ? 0 : marketSlot,
    underlying,
    isSpot,
    isReduceOnly: false,
    isSettled: false,
    mark,
    fundingIndex: perLot(0n),
    delta: mark,
    chargeImLong: percent(isSpot ? 8n : 1n),
    chargeImShort: percent(1n),
    chargeMmLong: perLot((mark * (isSpot ? 50n : 6n)) / 1000n),
    chargeMmShort: perLot((mark * 6n) / 1000n),
    band: percent(1n),
    penalty: percent(1n),
    openInterestCap: 1_000_000n as Lots,
    positionCap: 100_000n as Lots,
    expirySec: 0n,
    ...(instrumentId === THIRD
      ? optionLosses(OPTION_PAIR_PERCENTS.map(percent), underlying)
      : linearLosses(percent(-5n))),
    ...change,
  };
}

const optionLosses = (pairLosses: readonly MicrosPerLot[], underlying: number) => ({
  linearLoss: perLot(0n),
  pairLosses,
  losses: columnLosses(perLot(0n), pairLosses, underlying, TINY_SHAPE),
});

export function riskTable(
  change: Partial<RiskTable> = {},
  rows: Record<number, Partial<RiskRow>> = {},
): RiskTable {
  return {
    roundNumber: 7n,
    timeSec: NOW_SEC,
    rows: rowsOf([SPOT, PERP, OTHER, THIRD], rows),
    esCount: 1,
    addOnUnitDollars: [1_000_000n, 1_000_000n],
    isJump: false,
    ...change,
  };
}

const rowsOf = (ids: readonly number[], rows: Record<number, Partial<RiskRow>>): RiskRow[] =>
  ids.map((id) => riskRow(id, rows[id]));

/** The round that lists SECOND in place of OTHER. */
export const twoTokenTable = (
  change: Partial<RiskTable> = {},
  rows: Record<number, Partial<RiskRow>> = {},
): RiskTable => riskTable({ rows: rowsOf([SPOT, SECOND, PERP, THIRD], rows), ...change });

/** What `riskTable` says nothing of: with what its option was priced. */
export const QUOTES: readonly OptionQuote[] = [
  {
    instrumentId: THIRD,
    kind: 'call',
    forwardMicrosPerLot: perLot(1_000n * USD),
    strikeMicrosPerLot: perLot(1_000n * USD),
    timeSec: 2_592_000n,
    volPpm: 600_000n,
  },
];

/** The perp's mark moved to `dollars`; everything else of its row scales. */
export const marked = (dollars: bigint, id: number = PERP): RiskTable =>
  riskTable({}, { [id]: { mark: perLot(dollars * USD) } });

/** An expired row at its settlement value: nothing else of it is left. */
export const settledRow = (valueMicros: bigint): Partial<RiskRow> => ({
  isReduceOnly: true,
  isSettled: true,
  mark: perLot(valueMicros),
  delta: perLot(0n),
  chargeImLong: perLot(0n),
  chargeImShort: perLot(0n),
  chargeMmLong: perLot(0n),
  chargeMmShort: perLot(0n),
  band: perLot(0n),
  penalty: perLot(0n),
  expirySec: NOW_SEC,
  ...linearLosses(perLot(0n)),
});

/** The round in which these instruments are settled, each at its value in dollars; the others trade on. */
export const settledAt = (
  dollars: Record<number, bigint>,
  others: Record<number, Partial<RiskRow>> = {},
): RiskTable =>
  riskTable(
    {},
    {
      ...others,
      ...Object.fromEntries(Object.entries(dollars).map(([id, value]) => [id, settledRow(value * USD)])),
    },
  );

export const batchHeader = (change: Partial<BatchHeader> = {}): BatchHeader => ({
  domain: DOMAIN,
  domainWord: 1n,
  batchNumber: 1n,
  timeSec: NOW_SEC,
  table: riskTable(),
  pricesUsable: true,
  fundBookedMicros: 0n,
  liquid: [1_000_000_000n * USD, 1_000_000n, 0n, 0n],
  ...change,
});

export const secretOf = (accountIndex: number): bigint => (1n << 200n) + BigInt(accountIndex);

const keys = new Map<number, PublicKey>();
export function keyOf(accountIndex: number): PublicKey {
  const key = keys.get(accountIndex) ?? derivePublicKey(secretOf(accountIndex));
  keys.set(accountIndex, key);
  return key;
}

export const NO_PENDING: PendingDeposits = { quoteMicros: 0n, spotLots: [0n, 0n, 0n] };

export const l1 = (kind: L1Kind, accountIndex: number, tokenId = 0, amount = 0n): L1Operation => ({
  kind,
  accountIndex,
  tokenId,
  amount,
  publicKey: kind === 'register' ? keyOf(accountIndex) : [0n, 0n],
});

export const sign = (accountIndex: number, messages: Message[], epoch = 1n): SignedMessages =>
  signMessages(DOMAIN, secretOf(accountIndex), { accountIndex, epoch, messages });

let lastNonces = new Map<number, bigint>();
/** What `make` builds has the same nonces whatever was built before, and leaves no mark on what is built after. */
export function withOwnNonces<T>(make: () => T): T {
  const others = lastNonces;
  lastNonces = new Map();
  try {
    return make();
  } finally {
    lastNonces = others;
  }
}

/** For a file of tests that begins where another one's nonces ended: it names some itself. */
export function forgetNonces(): void {
  lastNonces = new Map();
}

/** Unique per account over a file of tests, so that two orders never meet by accident. */
export function freshNonce(accountIndex: number): bigint {
  const nonce = (lastNonces.get(accountIndex) ?? -1n) + 1n;
  lastNonces.set(accountIndex, nonce);
  return nonce;
}

export type OrderFields = Partial<OrderMessage> & { side: 'buy' | 'sell'; sizeLots: bigint };
type OrderContent = OrderFields & { nonce: bigint };
type WithdrawContent = Partial<WithdrawMessage> & { amount: bigint; nonce: bigint };

export const orderMessage = (fields: OrderContent): OrderMessage => ({
  kind: 'order',
  instrumentId: PERP,
  isReduceOnly: false,
  limitMicrosPerLot: fields.side === 'buy' ? 10_000n * USD : 0n,
  expirySec: LATER_SEC,
  floorBackWords: 1,
  feeCapPpm: 100_000n,
  ...fields,
});

export const withdrawMessage = (fields: WithdrawContent): WithdrawMessage => ({
  kind: 'withdraw',
  tokenId: 0,
  expirySec: LATER_SEC,
  floorBackWords: 1,
  ...fields,
});

export const only = (signed: SignedMessages): MessageReference => ({ signed, position: 0 });

export const order = (accountIndex: number, fields: OrderFields, epoch = 1n): MessageReference =>
  only(
    sign(accountIndex, [orderMessage({ ...fields, nonce: fields.nonce ?? freshNonce(accountIndex) })], epoch),
  );

export const withdrawal = (accountIndex: number, amount: bigint, tokenId = 0, epoch = 1n): MessageReference =>
  only(sign(accountIndex, [withdrawMessage({ amount, tokenId, nonce: freshNonce(accountIndex) })], epoch));

export const trade = (
  maker: MessageReference,
  taker: MessageReference,
  lots: bigint,
  dollars: bigint,
  fees: { maker?: bigint; taker?: bigint } = {},
): Operation => ({
  kind: 'trade',
  maker,
  taker,
  lots,
  priceMicrosPerLot: dollars * USD,
  makerFeeMicros: fees.maker ?? 0n,
  takerFeeMicros: fees.taker ?? 0n,
});

/** The same operation at a price in micros per lot. */
export const atMicros = <T extends Operation>(operation: T, priceMicrosPerLot: bigint): T => ({
  ...operation,
  priceMicrosPerLot,
});

/** Buyer and seller with fresh orders at one price. */
export const match = (
  buyer: number,
  seller: number,
  lots: bigint,
  dollars: bigint,
  instrumentId: number = PERP,
): Operation =>
  trade(
    order(buyer, { side: 'buy', sizeLots: lots, instrumentId }),
    order(seller, { side: 'sell', sizeLots: lots, instrumentId }),
    lots,
    dollars,
  );

export function must<T>(result: Result<T>): T {
  if (!result.ok)
    throw new Error(
      `refused: ${result.code}: ${result.message} ${JSON.stringify(result.data, (_, v) => (typeof v === 'bigint' ? v.toString() : v))}`,
    );
  return result.value;
}

export function refusal<T>(result: Result<T>, code: string): Rejection {
  if (result.ok) throw new Error(`accepted, expected ${code}`);
  expect(result.code, result.message).to.equal(code);
  return result;
}

export const open = (state: LedgerState, header: Partial<BatchHeader> = {}, capacity = ROOMY): OpenBatch =>
  openBatch(state, batchHeader(header), capacity);

export const run = (batch: OpenBatch, ...operations: Operation[]): OpenBatch =>
  operations.reduce((grown, operation) => must(grown.execute(operation)), batch);

/** Opens a batch, executes and seals it; returns the ledger after. */
export function settle(
  state: LedgerState,
  operations: Operation[],
  header: Partial<BatchHeader> = {},
): LedgerState {
  const sealed = run(openBatch(state, batchHeader(header), ROOMY), ...operations).seal();
  const rows = header.table?.rows ?? [];
  requireBooksBalance(
    sealed.state,
    rows.filter((row) => row.isSettled).map((row) => row.instrumentId),
  );
  return sealed.state;
}

/** A ledger with registered accounts and dollars (or spot lots) on them. */
export function funded(
  dollars: Record<number, bigint>,
  spotLots: Record<number, bigint> = {},
  shape: StateShape = TINY_SHAPE,
): LedgerState {
  let state = genesisState(shape);
  for (const [key, amount] of Object.entries(dollars)) {
    const index = Number(key);
    const operations: Operation[] = [{ kind: 'l1', operation: l1('register', index) }];
    if (amount > 0n) operations.push({ kind: 'l1', operation: l1('deposit', index, 0, amount * USD) });
    const spot = spotLots[index] ?? 0n;
    if (spot > 0n) operations.push({ kind: 'l1', operation: l1('deposit', index, SPOT, spot) });
    state = settle(state, operations);
  }
  return state;
}

/**
 * Every derivative nets to zero over the ledger, and open interest counts what is held on either side.
 * @param settled instruments whose longs and shorts leave at different times
 */
export function requireBooksBalance(state: LedgerState, settled: readonly number[] = []): void {
  const { sizeLots, heldLots } = ledgerTotals(state);
  for (const [id, size] of sizeLots) {
    if (id > 3 && !settled.includes(id)) expect(size, `net lots of ${id}`).to.equal(0n);
    else if (id !== SPOT) continue;
    expect(state.openInterest[riskRow(id).marketSlot], `open interest of ${id}`).to.equal(heldLots.get(id));
  }
}

export const dollarsOf = (account: Account): bigint => account.cashStar / USD;
