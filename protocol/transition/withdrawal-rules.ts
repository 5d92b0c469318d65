/** What may leave an account towards L1, and how much at most: docs/protocol.md §5 and §6. */
import type { Account } from '../account.ts';
import type { BatchHeader, L1Operation, L1Outcome, PendingDeposits } from '../batch/batch.ts';
import { lastPassing } from '../bisection.ts';
import { invariant, type Rejection, reject } from '../errors.ts';
import type { StateShape } from '../limits.ts';
import { type AccountMargin, marginOf, transferMarginGap } from '../risk/margin.ts';
import { rowOf } from '../risk/table.ts';
import { type Lots, type Micros, max, min } from '../units.ts';
import { isWithdrawing } from './events.ts';
import { type Judged, marginNumbers, pricesUnusable, quoteMeasure } from './judged.ts';

const QUOTE_TOKEN = 0;

/** Equity that must stay: 1.25 · IM. */
const coversTransferMargin = (margin: AccountMargin): boolean => transferMarginGap(margin) >= 0n;

const hasDerivatives = (account: Account): boolean => account.slots.some((slot) => slot.size !== 0n);

type Row = Judged['events']['l1Operations'][number];

/** What a withdrawal is judged by: the round, and the quote measure at the batch's start. */
interface Ground {
  readonly header: BatchHeader;
  readonly shape: StateShape;
  readonly marginBefore: AccountMargin;
  /** What waits for a liquidated account stands in its equity here too: the circuit knows only one. */
  readonly counted?: PendingDeposits;
}

/** Why an account in state `after` may not have withdrawn `tokenId`; undefined when it may. */
function refusalAfter(after: Account, tokenId: number, ground: Ground): string | undefined {
  if (after.spot.some((size) => size < 0n)) return 'insufficient-spot';
  const margin = marginOf(after, ground.header.table, ground.shape, ground.counted);
  if (!ground.header.pricesUsable && (hasDerivatives(after) || margin.cash < 0n)) return 'prices-unusable';
  if (tokenId === QUOTE_TOKEN && margin.quoteBalance < 0n) return 'quote-debt';
  if (!coversTransferMargin(margin)) return 'insufficient-margin';
  const before = quoteMeasure(ground.marginBefore);
  const isDebtAllowed = quoteMeasure(margin) >= (before < 0n ? before : 0n);
  return tokenId !== QUOTE_TOKEN && !isDebtAllowed ? 'quote-debt' : undefined;
}

function without(account: Account, tokenId: number, amount: bigint): Account {
  if (tokenId === QUOTE_TOKEN) return { ...account, cashStar: (account.cashStar - amount) as Micros };
  const spot = account.spot.map((size, i) => (i === tokenId - 1 ? ((size - amount) as Lots) : size));
  return { ...account, spot };
}

/**
 * The most that the rules let `account` withdraw of a token, up to `cap`: exact to the unit.
 *
 * equity − 1.25·IM is concave in the amount and the quote measure falls with it, so from an account
 * that meets the rules the amounts that keep them form one interval from 0: bisection finds its end.
 * An account that does not meet them gets nothing, unless all of it mends that: spot whose haircut and scan range are more
 * than 0.8 of it, held without a debt.
 */
export function mostWithdrawable(account: Account, tokenId: number, cap: bigint, ground: Ground): bigint {
  const isAllowed = (amount: bigint) =>
    refusalAfter(without(account, tokenId, amount), tokenId, ground) === undefined;
  if (cap <= 0n) return 0n;
  if (isAllowed(cap)) return cap;
  if (!isAllowed(0n)) return 0n;
  return lastPassing(isAllowed, 0n, cap);
}

/** Everything served in this batch is judged on the account after it: once per token. */
function refuseWithdrawal(judged: Judged): Rejection | undefined {
  if (!isWithdrawing(judged.events)) return undefined;
  const signed = judged.events.withdrawals.map(({ message }) => message.tokenId);
  const forced = judged.events.l1Operations
    .filter(({ operation, outcome }) => operation.kind === 'withdraw' && outcome.served > 0n)
    .map(({ operation }) => operation.tokenId);
  for (const tokenId of new Set([...signed, ...forced])) {
    const code = refusalAfter(judged.after, tokenId, judged);
    if (code === 'prices-unusable') return pricesUnusable(judged.accountIndex);
    if (code !== undefined) {
      return reject(code, 'after a withdrawal equity covers 1.25 · IM and no quote is lent', {
        ...marginNumbers(judged),
        tokenId,
        quoteBalanceMicros: judged.marginAfter.quoteBalance,
      });
    }
  }
  return undefined;
}

/**
 * A service cut short for margin must be as large as the rules allow: one unit more would break one, or they are broken as
 * it is. (Where haircut and scan range of a token are more than 0.8 of it, a lot less may mend them and all of it not.)
 */
function refuseShortService(judged: Judged, tokenId: number): Rejection | undefined {
  const refusalLess = (amount: bigint) =>
    refusalAfter(without(judged.after, tokenId, amount), tokenId, judged);
  const code = refusalLess(1n);
  if (code === 'insufficient-spot') return undefined;
  if (!judged.header.pricesUsable) {
    // Only facts free of prices may cut a service short; otherwise it waits, and its deadline with it.
    const isPriceFree = tokenId === QUOTE_TOKEN && !hasDerivatives(judged.after);
    const isDry = isPriceFree && judged.marginAfter.quoteBalance - 1n < 0n;
    return isDry ? undefined : pricesUnusable(judged.accountIndex);
  }
  if (code !== undefined || refusalLess(0n) !== undefined) return undefined;
  return reject('served-too-little', 'a forced withdrawal is served as far as the rules allow', {
    ...marginNumbers(judged),
    tokenId,
  });
}

function refuseDeposit(judged: Judged, operation: L1Operation, outcome: L1Outcome): Rejection | undefined {
  const expected = depositOutcome(judged.before, operation, judged.header);
  const isRight = outcome.isApplied === expected.isApplied && outcome.served === expected.served;
  return isRight && outcome.reason === expected.reason
    ? undefined
    : reject('deposit-outcome', 'a deposit is applied exactly when it stays within the position cap', {
        accountIndex: judged.accountIndex,
        tokenId: operation.tokenId,
        amount: operation.amount,
      });
}

/** Withdrawals and L1 operations of an account: each ends as it must, for a reason that holds. */
export function judgeTransfers(judged: Judged): Rejection | undefined {
  const refuseEach = (kind: L1Operation['kind'], refuse: (row: Row) => Rejection | undefined) =>
    judged.events.l1Operations
      .filter(({ operation }) => operation.kind === kind)
      .reduce<Rejection | undefined>((refusal, row) => refusal ?? refuse(row), undefined);
  return (
    refuseEach('deposit', ({ operation, outcome }) => refuseDeposit(judged, operation, outcome)) ??
    refuseWithdrawal(judged) ??
    refuseEach('withdraw', ({ operation, outcome }) =>
      outcome.reason === 'margin' ? refuseShortService(judged, operation.tokenId) : undefined,
    )
  );
}

/** Applied exactly when within the position cap, by the balance at the batch's start. */
export function depositOutcome(before: Account, operation: L1Operation, header: BatchHeader): L1Outcome {
  if (operation.tokenId !== QUOTE_TOKEN) {
    const row = rowOf(header.table, operation.tokenId);
    invariant(row !== undefined, 'a deposited token is listed');
    if (before.spot[operation.tokenId - 1] + operation.amount > row.positionCap) {
      return { isApplied: false, reason: 'positionCap', served: 0n };
    }
  }
  return { isApplied: true, reason: 'none', served: operation.amount };
}

/** The one right outcome of a forced withdrawal: min(requested, liquid, most that the rules allow). */
export function forcedWithdrawalOutcome(
  account: Account,
  operation: L1Operation,
  liquid: bigint,
  ground: Ground,
): L1Outcome {
  const available = max(0n, liquid);
  const cap = min(operation.amount, available);
  const held = operation.tokenId === QUOTE_TOKEN ? cap : min(cap, account.spot[operation.tokenId - 1]);
  const served = mostWithdrawable(account, operation.tokenId, held, ground);
  if (served === operation.amount) return { isApplied: served > 0n, reason: 'none', served };
  // Liquidity first: the contract checks it alone, and nothing later in the batch can undo it.
  const reason = served === available ? 'liquidity' : 'margin';
  return { isApplied: served > 0n, reason, served };
}
