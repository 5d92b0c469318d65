/**
 * A market driven by random steps, each judged by an independent second model of health: small, written from
 * the margin rule and not from the code, in plain numbers of dollars.
 */
import { expect } from 'chai';
import { type Account, sizeOf } from '#protocol/account.ts';
import type { PendingDeposits, SealedBatch } from '#protocol/batch/batch.ts';
import type { RiskTable } from '#protocol/instrument.ts';
import { type BatchCapacity, TINY_SHAPE } from '#protocol/limits.ts';
import { countedDeposits, heldInstruments } from '#protocol/risk/margin.ts';
import { accountAt, type LedgerState, ledgerTotals, stateRoot } from '#protocol/state.ts';
import { liquidationReason } from '#protocol/transition/liquidation-rules.ts';
import type { OpenBatch } from '#protocol/transition/open-batch.ts';
import type { MessageReference, Operation } from '#protocol/transition/operation.ts';
import { isBatchConflict } from '#protocol/transition/refusals.ts';
import { abs, max, min } from '#protocol/units.ts';
import {
  l1,
  NO_PENDING,
  OTHER,
  open,
  order,
  PERP,
  ROOMY,
  requireBooksBalance,
  SECOND,
  SPOT,
  THIRD,
  trade,
  USD,
  withdrawal,
} from './ledger.ts';
import { ADD_ON_UNIT_DOLLARS, isToken, startOf, tableAt } from './random-rounds.ts';
import { ACCOUNTS, IDS, type Step } from './random-steps.ts';

/** Bracket by bracket, as a tax. */
function sizeCharge(delta: number): number {
  const unit = Number(ADD_ON_UNIT_DOLLARS * USD);
  const within = (from: number, to: number) => Math.max(0, Math.min(delta, to * unit) - from * unit);
  return 0.02 * within(1, 5) + 0.05 * within(5, 20) + 0.1 * within(20, Infinity);
}

/** The second model: equity and requirements in micros from the rule's text. */
function health(account: Account, table: RiskTable) {
  let equity = Number(account.cashStar);
  let debt = Number(account.cashStar);
  let spotValue = 0;
  let charges = 0;
  const worst: number[] = Array(8).fill(0);
  const deltas = [0, 0];
  for (const row of table.rows) {
    const size = Number(sizeOf(account, row.instrumentId));
    equity += size * (Number(row.mark) - Number(row.fundingIndex));
    if (row.isSpot) spotValue += size * (Number(row.mark) - Number(row.chargeImLong));
    else debt += size * (Number(row.mark) - Number(row.fundingIndex));
    charges += Math.abs(size) * Number(size > 0 ? row.chargeImLong : row.chargeImShort);
    deltas[row.underlying] += size * Number(row.delta);
    row.losses.forEach((loss, s) => {
      worst[s] += size * Number(loss);
    });
  }
  const addOn = deltas.reduce((sum, delta) => sum + sizeCharge(Math.abs(delta)), 0);
  const worstFew = worst.sort((one, other) => other - one).slice(0, table.esCount);
  const scan = worstFew.reduce((sum, loss) => sum + loss, 0) / table.esCount;
  return { equity, debt, spotValue, im: Math.max(0, scan) + charges + addOn };
}

const isDebtor = (account: Account) => heldInstruments(account).length === 0 && account.cashStar < 0n;

export interface RandomMarketOptions {
  /** Accepted operations by kind and refusals by code, added up over all markets that share the object. */
  readonly counts?: Record<string, number>;
  readonly capacity?: BatchCapacity;
  /** Scenarios that an expected shortfall is the mean of; 1 if not said. */
  readonly esCount?: number;
  /** Spot tokens of the round; with 2 of them a derivative fewer. 1 if not said. */
  readonly tokens?: 1 | 2;
  /** Called with every sealed batch and the ledger before it. */
  readonly onSeal?: (batch: SealedBatch, start: LedgerState) => void;
}

export class RandomMarket {
  state: LedgerState;
  table: RiskTable;
  batch: OpenBatch;
  fund = 400n * USD;
  vaultQuote = 800n * USD * BigInt(ACCOUNTS.length);
  treasury = 0n;
  /** Undefined until the option expires. */
  settledDollars: bigint | undefined;
  readonly counts: Record<string, number>;
  readonly #capacity: BatchCapacity;
  readonly #tokens: 1 | 2;
  readonly #onSeal: RandomMarketOptions['onSeal'];

  constructor(options: RandomMarketOptions = {}) {
    this.counts = options.counts ?? {};
    this.#capacity = options.capacity ?? ROOMY;
    this.#onSeal = options.onSeal;
    this.#tokens = options.tokens ?? 1;
    this.state = startOf(this.#tokens);
    this.table = tableAt(100n, { esCount: options.esCount ?? 1, tokens: this.#tokens });
    this.batch = this.opened();
  }

  opened(): OpenBatch {
    return open(
      this.state,
      {
        table: this.table,
        fundBookedMicros: this.fund,
        liquid: [this.vaultQuote, 1000n, this.#tokens === 1 ? 0n : 1000n, 0n],
      },
      this.#capacity,
    );
  }

  seal(): void {
    const { batch, state } = this.batch.seal();
    expect(stateRoot(state)).to.equal(batch.newStateRoot);
    requireBooksBalance(state, this.settledDollars === undefined ? [] : [THIRD]);
    this.#onSeal?.(batch, this.state);
    this.treasury += batch.feesMicros + batch.penaltiesMicros - batch.fundPaymentsMicros;
    this.fund -= batch.fundPaymentsMicros;
    for (const { operation, outcome } of batch.content.l1Operations) {
      if (operation.tokenId === 0)
        this.vaultQuote +=
          operation.kind === 'deposit'
            ? outcome.served
            : operation.kind === 'withdraw'
              ? -outcome.served
              : 0n;
    }
    for (const row of batch.content.withdrawals) {
      const message = batch.content.signatures[row.signatureIndex].messages[row.position];
      if (message.kind === 'withdraw' && message.tokenId === 0) this.vaultQuote -= row.servedAmount;
    }
    this.state = state;
    // Every micro that came in is on an account, in the treasury, or has left. Longs and shorts of what is settled leave
    // at different times: what stays open counts at its value.
    const { cashStarMicros, sizeLots } = ledgerTotals(state);
    const openMicros = (sizeLots.get(THIRD) ?? 0n) * (this.settledDollars ?? 0n) * USD;
    expect(cashStarMicros + openMicros + this.treasury).to.equal(this.vaultQuote);
    this.batch = this.opened();
  }

  operation(step: Step): Operation {
    const { a, b, lots, percent } = step;
    const id = step.id === OTHER && this.#tokens === 2 ? SECOND : step.id;
    const tokenId = isToken(id) ? id : 0;
    const mark = Number(this.table.rows.find((row) => row.instrumentId === id)?.mark ?? 0n);
    const priceMicrosPerLot = BigInt(Math.round((mark * Number(percent)) / 100));
    const epoch = (index: number) => this.batch.accountAt(index).epoch;
    const sign = (
      index: number,
      side: 'buy' | 'sell',
      isReduceOnly = false,
      instrumentId = id,
      size = lots,
    ) => order(index, { side, sizeLots: size, instrumentId, isReduceOnly }, epoch(index));
    switch (step.kind) {
      case 'trade':
        return {
          ...trade(sign(a, 'buy', step.isReduceOnly), sign(b, 'sell'), lots, 1n, {
            maker: lots * 1000n,
            taker: lots * 2000n,
          }),
          priceMicrosPerLot,
        } as Operation;
      case 'close':
        return this.closing(step, (index, side, instrumentId, lots) =>
          sign(index, side, false, instrumentId, lots),
        );
      case 'withdraw':
        return {
          kind: 'withdraw',
          ...withdrawal(a, lots * (tokenId === 0 ? 20n * USD : 1n), tokenId, epoch(a)),
        };
      case 'force': {
        // Who is liquidated in this batch may well have asked for his money before.
        const index = this.batch.content.liquidatedAccounts[0]?.accountIndex ?? a;
        return {
          kind: 'l1',
          operation: l1('withdraw', index, tokenId, lots * (tokenId === 0 ? 50n * USD : 1n)),
        };
      }
      case 'deposit':
        return {
          kind: 'l1',
          operation: l1('deposit', a, tokenId, lots * (tokenId === 0 ? USD : 1n)),
        };
      case 'pay-fund':
        return {
          kind: 'pay-fund',
          accountIndex: ACCOUNTS.find((index) => isDebtor(this.batch.accountAt(index))) ?? a,
        };
      case 'settle': {
        const holds = (index: number) => sizeOf(this.batch.accountAt(index), THIRD) !== 0n;
        return { kind: 'settle', accountIndex: ACCOUNTS.find(holds) ?? a, instrumentId: THIRD };
      }
      default:
        return { kind: 'l1', operation: l1('cancelAll', a) };
    }
  }

  reasonOf(index: number, pending = NO_PENDING): 1 | 2 | undefined {
    const counted = countedDeposits(accountAt(this.state, index), this.table, pending);
    return liquidationReason(this.batch.accountAt(index), this.table, TINY_SHAPE, counted);
  }

  /** What waits for an account that is liquidated: all through a batch the same. */
  pendingOf(step: Step, index: number): PendingDeposits {
    const known = this.batch.content.liquidatedAccounts.find((row) => row.accountIndex === index);
    if (known !== undefined) return known.pending;
    const lotsOf = (tokenId: number): bigint => {
      const kind = step.waiting[tokenId - 1];
      const row = this.table.rows.find((listed) => listed.instrumentId === tokenId);
      if (row === undefined || kind === 'none') return 0n;
      if (kind === 'some') return 1n + (step.lots % 3n);
      const room: bigint = row.positionCap - accountAt(this.state, index).spot[tokenId - 1];
      return max(0n, room) + (kind === 'beyond' ? 1n : 0n);
    };
    return { quoteMicros: step.waitingDollars * USD, spotLots: [lotsOf(SPOT), lotsOf(SECOND), 0n] };
  }

  /** Aims at an account that needs it, and at something it holds, if there is any. */
  closing(
    step: Step,
    sign: (index: number, side: 'buy' | 'sell', instrumentId: number, lots: bigint) => MessageReference,
  ): Operation {
    // Against whom it was closed before in this batch, so that there is room for several rows.
    const [first] = this.batch.content.liquidations.length > 0 ? this.batch.content.signatures : [];
    const b = first?.accountIndex ?? step.b;
    const isClosable = (index: number) =>
      index !== b && this.reasonOf(index, this.pendingOf(step, index)) !== undefined;
    const a = ACCOUNTS.find(isClosable) ?? step.a;
    const pending = this.pendingOf(step, a);
    const account = this.batch.accountAt(a);
    const held = heldInstruments(account);
    const id = held.length > 0 ? held[step.id % held.length] : PERP;
    const size = sizeOf(account, id);
    const row = this.table.rows.find((listed) => listed.instrumentId === id);
    const lots = min(2n * step.lots, abs(size as bigint));
    const edge = ((row?.band ?? 0n) * (step.percent - 100n)) / 3n;
    return {
      kind: 'liquidate',
      accountIndex: a,
      instrumentId: id,
      lots,
      priceMicrosPerLot: (row?.mark ?? 0n) + edge,
      reason: this.reasonOf(a, pending) ?? 1,
      pending,
      against: sign(b, size < 0n ? 'sell' : 'buy', id, lots),
      feeMicros: step.lots,
    };
  }

  run(step: Step): void {
    const isCalm = ACCOUNTS.every((index) => this.reasonOf(index) === undefined);
    const isExpiring = step.kind === 'settle' && this.settledDollars === undefined;
    if (step.kind === 'round' || isExpiring || (step.kind === 'close' && isCalm)) {
      this.seal();
      // Worthless now and then.
      if (isExpiring) this.settledDollars = step.lots < 10n ? 0n : step.percent;
      // Mostly a move of some percent, now and then a crash.
      const isSmall = step.percent >= 97n && step.percent <= 103n;
      const percent = isSmall ? 100n + 9n * (step.percent - 100n) : step.percent;
      const { esCount } = this.table;
      this.table = tableAt(percent, { esCount, tokens: this.#tokens, settledDollars: this.settledDollars });
      this.batch = this.opened();
      return;
    }
    let operation = this.operation(step);
    let result = this.batch.execute(operation);
    if (!result.ok && isBatchConflict(result)) {
      this.seal();
      operation = this.operation(step);
      result = this.batch.execute(operation);
      // A fresh batch is never the reason: whoever retries makes progress.
      if (!result.ok) expect(isBatchConflict(result), `${operation.kind}: ${result.message}`).to.equal(false);
    }
    if (!result.ok) {
      this.counts[result.code] = (this.counts[result.code] ?? 0) + 1;
      return;
    }
    this.counts[operation.kind] = (this.counts[operation.kind] ?? 0) + 1;
    const before = this.batch;
    this.batch = result.value;
    this.check(before, operation);
  }

  /** What no accepted operation may have done, by the second model. */
  check(previous: OpenBatch, operation: Operation): void {
    for (const index of this.batch.touched) {
      const change = this.batch.changeOf(index);
      if (change === undefined) continue;
      const [before, after] = [health(change.before, this.table), health(change.after, this.table)];
      const grew = [...IDS, SECOND].some((id) => {
        const [old, now] = [sizeOf(change.before, id), sizeOf(change.after, id)];
        return now * old < 0n || (now < 0n ? -now : now) > (old < 0n ? -old : old);
      });
      const label = `${operation.kind} of account ${index}`;
      for (const { message } of change.events.orders) {
        const id = message.instrumentId;
        const [old, now] = [change.before, change.after].map((account) => Number(sizeOf(account, id)));
        const cap = this.table.rows.find((row) => row.instrumentId === id)?.positionCap;
        if (isToken(id) || Math.abs(now) <= Number(cap)) continue;
        expect(now * old > 0 && Math.abs(now) <= Math.abs(old), `${label}: ${old} to ${now}`).to.equal(true);
      }
      if (change.events.orders.length > 0 && grew && after.equity < after.im) {
        // Only a hedge may grow below IM: never an account that was below MM, and equity may not fall into MM.
        expect(change.marginBefore.health, label).to.not.be.oneOf(['liquidatable', 'bankrupt']);
        expect(
          change.marginAfter.maintenanceMarginTimes1000k <= change.marginBefore.maintenanceMarginTimes1000k,
          label,
        ).to.equal(true);
      }
      const pays =
        change.events.withdrawals.length > 0 ||
        change.events.l1Operations.some(
          ({ operation: o, outcome }) => o.kind === 'withdraw' && outcome.served > 0n,
        );
      if (pays) expect(after.equity, label).to.be.at.least(1.25 * after.im);
      if (change.events.liquidations.length > 0 && change.events.liquidated?.reason === 1) {
        expect(change.marginBefore.health, label).to.be.oneOf(['liquidatable', 'bankrupt']);
        const closed = change.events.liquidations.reduce(
          (sum, row) =>
            sum +
            Number(row.closedLots) *
              Number(this.table.rows.find((r) => r.instrumentId === row.instrumentId)?.mark),
          0,
        );
        expect(before.equity - after.equity, label).to.be.at.most(0.02 * closed + 1);
      }
      expect(change.after.spot.every((size) => size >= 0n)).to.equal(true);
    }
    expect(this.batch.touched.length).to.be.at.least(previous.touched.length);
  }
}
