/** circuits/row/{withdrawal,liquidation}.circom alone, against their twins in protocol/ and at every bound. */
import { expect } from 'chai';
import fc from 'fast-check';
import type { LiquidationExecution } from '#protocol/batch/batch.ts';
import { liquidationWord, pendingWord, withdrawalWord } from '#protocol/batch/words.ts';
import { TINY_SHAPE } from '#protocol/limits.ts';
import { packMessage, type WithdrawMessage } from '#protocol/message.ts';
import { countedDeposits } from '#protocol/risk/margin.ts';
import { accountAt, genesisState } from '#protocol/state.ts';
import { refuseLiquidationPrices } from '#protocol/transition/market-rules.ts';
import { refuseMessages } from '#protocol/transition/message-rules.ts';
import { nonceWordOf } from '#protocol/transition/nonces.ts';
import type { Lots, MicrosPerLot } from '#protocol/units.ts';
import { SIZE_MAX } from '#test/support/circuits/arbitrary-account.ts';
import { signedMessage } from '#test/support/circuits/arbitrary-message.ts';
import { busSum, CHALLENGES } from '#test/support/circuits/bus.ts';
import { ACCOUNTS, committedPart, noEvents } from '#test/support/circuits/event-rows.ts';
import { HALF, template } from '#test/support/circuits/template.ts';
import { batchHeader, NOW_SEC, OTHER, PERP, riskRow, riskTable, SPOT } from '#test/support/ledger.ts';

const DIGIT_BITS = 3n;
const ACCOUNT = ACCOUNTS[1];

describe('withdrawal row', () => {
  const FILE = 'circuits/row/withdrawal.circom';
  const row = template(FILE, `WithdrawalRow(2, 2, ${DIGIT_BITS})`);
  const WITHDRAW: WithdrawMessage = {
    kind: 'withdraw',
    tokenId: 0,
    amount: 1_000n,
    expirySec: NOW_SEC,
    nonce: 32n * 9n + 7n,
    floorBackWords: 2,
  };
  const SERVICE = { servedAmount: 1_000n, newBaseWord: 7n, isRaising: true, isShrinking: false };
  type Service = typeof SERVICE;

  const inputOf = (message: WithdrawMessage | undefined, service: Service) => ({
    ...signedMessage(message, ACCOUNT),
    accountIndexes: ACCOUNTS,
    newBaseWords: [3n, service.newBaseWord],
    servedAmount: service.servedAmount,
    isRaising: service.isRaising,
    isShrinking: service.isShrinking,
    batchTimeSec: NOW_SEC,
    ...CHALLENGES,
  });
  function twinOutputs(message: WithdrawMessage, { servedAmount, isRaising, isShrinking }: Service) {
    const { tokenId, nonce } = message;
    const isQuote = tokenId === 0;
    const isShort = servedAmount < message.amount;
    const word = nonceWordOf(nonce);
    return {
      isUsed: 1,
      isQuote,
      isHere: [0, 1],
      word: withdrawalWord({ accountIndex: Number(ACCOUNT), tokenId, servedAmount, isShort }),
      committed: committedPart({
        withdrawals: [{ packed: packMessage(message), signatureIndex: 1, isRaising, isShrinking }],
      })[0],
      busSum: busSum([
        isQuote
          ? { tag: 'cash', fields: [0n, ACCOUNT], amount: servedAmount }
          : { tag: 'position', bit: isShrinking, fields: [BigInt(tokenId), ACCOUNT], amount: servedAmount },
        { tag: 'used', fields: [word, ACCOUNT], amount: -(1n << (DIGIT_BITS * (nonce % 32n))) },
        { tag: 'raise', fields: [0n, ACCOUNT], amount: isRaising ? 1n : 0n },
      ]),
    };
  }
  function isAllowed(message: WithdrawMessage, service: Service): boolean {
    const execution = { signatureIndex: 0, position: 0, servedAmount: service.servedAmount };
    const events = { ...noEvents(Number(ACCOUNT)), withdrawals: [{ message, execution }] };
    const window = nonceWordOf(message.nonce) - service.newBaseWord;
    const floorBack = BigInt(message.floorBackWords);
    return (
      refuseMessages(events, batchHeader()) === undefined &&
      window >= 0n &&
      window <= floorBack &&
      (!service.isRaising || window === floorBack)
    );
  }

  it('executes where its twins do, with their word and entries', async () => {
    const messages = fc.record({
      tokenId: fc.nat(3),
      amount: fc.bigInt(0n, 3n),
      expirySec: fc.constantFrom(NOW_SEC, NOW_SEC, NOW_SEC - 1n, NOW_SEC + 1n),
      nonce: fc.bigInt(32n * 8n, 32n * 10n - 1n),
      floorBackWords: fc.nat(3),
    });
    const services = fc.record({
      servedAmount: fc.bigInt(0n, 4n),
      newBaseWord: fc.bigInt(6n, 10n),
      isRaising: fc.boolean(),
      isShrinking: fc.boolean(),
    });
    let executed = 0;
    await fc.assert(
      fc.asyncProperty(messages, services, async (drawn, service) => {
        const message: WithdrawMessage = { ...WITHDRAW, ...drawn };
        const isRight = isAllowed(message, service);
        if (isRight) {
          executed++;
          await (await row()).equals(inputOf(message, service), twinOutputs(message, service));
        } else expect(await (await row()).isAccepted(inputOf(message, service))).to.equal(false);
      }),
      { numRuns: 200 },
    );
    expect(executed).to.be.at.least(1);
  });

  it('keeps to what was signed, to the unit, and to its widths', async () => {
    const accepts = async (message: object, service: object): Promise<void> =>
      (await row()).equals(
        inputOf({ ...WITHDRAW, ...message }, { ...SERVICE, ...service }),
        twinOutputs({ ...WITHDRAW, ...message }, { ...SERVICE, ...service }),
      );
    const refuses = async (message: object, service: object, line: string): Promise<void> =>
      (await row()).refuses(
        inputOf({ ...WITHDRAW, ...message }, { ...SERVICE, ...service }),
        `WithdrawalRow: ${line}`,
      );
    const most = (1n << 88n) - 1n;
    await accepts({}, {});
    await accepts({ tokenId: 3 }, { isShrinking: true, servedAmount: 1n });
    await accepts({ amount: most }, { servedAmount: most });
    await refuses({}, { servedAmount: 1_001n }, 'RangeCheck(AMOUNT_BITS())(fields.amount - servedAmount);');
    await refuses({}, { servedAmount: 0n }, 'servedAmount * servedInverse === isUsed;');
    for (const servedAmount of [most + 1n, -1n])
      await refuses({ amount: most }, { servedAmount }, 'RangeCheck(AMOUNT_BITS())(servedAmount);');
    await refuses(
      { expirySec: NOW_SEC - 1n },
      {},
      'RangeCheck(TIME_BITS())(isUsed * (fields.expirySec - batchTimeSec));',
    );
    await accepts({}, { newBaseWord: 9n, isRaising: false });
    await refuses({}, { newBaseWord: 10n, isRaising: false }, 'RangeCheck(FLOOR_BACK_BITS())(windowWords);');
    await refuses(
      {},
      { newBaseWord: 6n, isRaising: false },
      'RangeCheck(FLOOR_BACK_BITS())(fields.floorBackWords - windowWords);',
    );
    await refuses({}, { newBaseWord: 8n }, 'isRaising * (fields.floorBackWords - windowWords) === 0;');
    for (const flag of ['isRaising', 'isShrinking'])
      await refuses({}, { [flag]: HALF }, `RequireBit()(${flag});`);
  });

  it('finds its account, and without a message does nothing', async () => {
    const missing = { ...inputOf(WITHDRAW, SERVICE), accountIndexes: [5, 78] };
    const FIND = 'isHere <== FindKey(ACCOUNTS)(accountIndexes, signed.accountIndex, isUsed);';
    await (await row()).refuses(missing, `WithdrawalRow: ${FIND}`);
    const idle = inputOf(undefined, {
      servedAmount: 0n,
      newBaseWord: 0n,
      isRaising: false,
      isShrinking: false,
    });
    const nothing = { isUsed: 0, isQuote: 0, isHere: [0, 0], word: 0, committed: 0, busSum: 0 };
    await (await row()).equals({ ...idle, signatureIndex: 0 }, nothing);
    const FLAGS = 'WithdrawalRow: (1 - isUsed) * (isRaising + isShrinking) === 0;';
    for (const flag of ['isRaising', 'isShrinking'])
      await (await row()).refuses({ ...idle, [flag]: 1 }, FLAGS);
    const AMOUNT = 'WithdrawalRow: RangeCheck(AMOUNT_BITS())(fields.amount - servedAmount);';
    await (await row()).refuses({ ...idle, servedAmount: 1 }, AMOUNT);
    for (const servedInverse of [0n, 1n, HALF]) {
      const named = (name: string) => (name === 'main.servedInverse' ? servedInverse : undefined);
      expect(await (await row()).isWitness(inputOf(WITHDRAW, SERVICE), named)).to.equal(false);
    }
    await (await row()).leavesNoChoice(
      inputOf({ ...WITHDRAW, tokenId: 2 }, { ...SERVICE, servedAmount: 3n }),
    );
  });
});

describe('liquidation row', () => {
  const FILE = 'circuits/row/liquidation.circom';
  const row = template(FILE, 'LiquidationRow(2, 3)');
  const anyInverse = template(FILE, 'LiquidationRow(2, 3)', ['closedInverse', 'idInverse']);
  const [MARK, BAND] = [100n, 7n];
  const table = riskTable({}, { [PERP]: { mark: MARK as MicrosPerLot, band: BAND as MicrosPerLot } });
  const CLOSE: LiquidationExecution = {
    accountIndex: Number(ACCOUNT),
    instrumentId: PERP,
    isShort: false,
    closedLots: 3n,
    cashMicros: 300n,
  };
  const PENDING = { quoteMicros: 11n, spotLots: [1n, 2n, 3n] };
  const HELD = { spot: [10n, 20n, 30n] };
  const CAPS = [100n, 200n, 300n];
  const outside = HELD.spot.map((lots) => lots + 7n);
  const inputOf = (close: LiquidationExecution, pending = PENDING) => ({
    isUsed: 1,
    ...close,
    pendingQuoteMicros: pending.quoteMicros,
    pendingLots: pending.spotLots,
    accountIndexes: ACCOUNTS,
    instrumentIds: [SPOT, PERP, OTHER],
    marks: [50n, MARK, 60n],
    bands: [5n, BAND, 6n],
    // What another account holds changes nothing.
    oldSpotLots: HELD.spot.map((lots, t) => [outside[t], lots]),
    spotCapLots: CAPS,
    ...CHALLENGES,
  });
  const countedLots = (pending: typeof PENDING, caps = CAPS, held = HELD.spot) => {
    const rows = caps.map((positionCap, t) => riskRow(t + 1, { positionCap: positionCap as Lots }));
    return countedDeposits(
      { ...accountAt(genesisState(TINY_SHAPE), 1), spot: held as Lots[] },
      { ...table, rows },
      pending,
    ).spotLots;
  };
  function twinOutputs(close: LiquidationExecution, pending = PENDING) {
    const sign = close.isShort ? 1n : -1n;
    const [id, account] = [BigInt(close.instrumentId), BigInt(close.accountIndex)];
    return {
      isHere: [0, 1],
      positionKey: (account << 20n) + id,
      word: liquidationWord(close),
      pendingWord: pendingWord(pending),
      countedLots: countedLots(pending),
      busSum: busSum([
        { tag: 'position', bit: true, fields: [id, account], amount: -sign * close.closedLots },
        { tag: 'cash', fields: [0n, account], amount: sign * close.cashMicros },
        { tag: 'size', fields: [id], amount: sign * close.closedLots },
        { tag: 'payment', fields: [id], amount: -sign * close.cashMicros },
        { tag: 'fills', bit: true, fields: [id], amount: 1n },
      ]),
    };
  }
  const EDGE =
    'LiquidationRow: RangeCheck(AMOUNT_BITS() + 5)((1 - 2 * isShort) * (cashMicros - edgeMicros));';

  it('closes within the band as its twin does, with its words and entries', async () => {
    const closes = fc
      .record({ isShort: fc.boolean(), closedLots: fc.bigInt(1n, 1n << 30n), from: fc.bigInt(-2n, 2n) })
      .map(({ isShort, closedLots, from }) => {
        const edge = closedLots * (isShort ? MARK + BAND : MARK - BAND);
        return { ...CLOSE, isShort, closedLots, cashMicros: edge + from };
      });
    await fc.assert(
      fc.asyncProperty(closes, async (close) => {
        const content = { header: batchHeader({ table }), liquidations: [close] };
        const isRight = refuseLiquidationPrices(content as never) === undefined;
        if (isRight) await (await row()).equals(inputOf(close), twinOutputs(close));
        else await (await row()).refuses(inputOf(close), EDGE);
      }),
      { numRuns: 60 },
    );
  });

  it('stands at the edge of the band and of its widths', async () => {
    const at = await row();
    for (const [isShort, edge, beyond] of [
      [false, 279n, -1n],
      [true, 321n, 1n],
    ] as const) {
      const close = { ...CLOSE, isShort, cashMicros: edge };
      await at.equals(inputOf(close), twinOutputs(close));
      await at.refuses(inputOf({ ...close, cashMicros: edge + beyond }), EDGE);
    }
    const most = (1n << 88n) - 1n;
    const wide = { ...CLOSE, closedLots: SIZE_MAX, cashMicros: most };
    const full = { quoteMicros: (1n << 80n) - 1n, spotLots: [SIZE_MAX, SIZE_MAX, SIZE_MAX] };
    await at.equals(inputOf(wide, full), twinOutputs(wide, full));
    const refuses = (change: object, line: string): Promise<void> =>
      at.refuses({ ...inputOf(CLOSE), ...change }, `LiquidationRow: ${line}`);
    await refuses({ cashMicros: most + 1n }, 'RangeCheck(AMOUNT_BITS())(cashMicros);');
    for (const closedLots of [SIZE_MAX + 1n, -1n])
      await refuses({ closedLots }, 'RangeCheck(SIZE_BITS())(closedLots);');
    await refuses({ closedLots: 0, cashMicros: 0 }, 'closedLots * closedInverse === isUsed;');
    await refuses({ pendingQuoteMicros: 1n << 80n }, 'RangeCheck(PENDING_QUOTE_BITS())(pendingQuoteMicros);');
    for (const t of [0, 1, 2]) {
      const pendingLots = PENDING.spotLots.map((lots, i) => (i === t ? SIZE_MAX + 1n : lots));
      await refuses(
        { pendingLots },
        'for (var t = 0; t < SPOT_SLOTS(); t++) { RangeCheck(SIZE_BITS())(pendingLots[t]); }',
      );
    }
    for (const flag of ['isUsed', 'isShort']) await refuses({ [flag]: 2 }, `RequireBit()(${flag});`);
  });

  it('finds account and instrument, never the unused one; unused it is all zero', async () => {
    const refuses = async (change: object, line: string): Promise<void> =>
      (await row()).refuses({ ...inputOf(CLOSE), ...change }, `LiquidationRow: ${line}`);
    await refuses({ accountIndex: 6 }, 'isHere <== FindKey(ACCOUNTS)(accountIndexes, accountIndex, isUsed);');
    const FIND =
      'signal isInstrument[INSTRUMENTS] <== FindKey(INSTRUMENTS)(instrumentIds, instrumentId, isUsed);';
    await refuses({ instrumentId: 6 }, FIND);
    await refuses({ instrumentId: 0, instrumentIds: [1, 4, 0] }, 'instrumentId * idInverse === isUsed;');
    const zero = {
      ...inputOf({ accountIndex: 0, instrumentId: 0, isShort: false, closedLots: 0n, cashMicros: 0n }),
      isUsed: 0,
      pendingQuoteMicros: 0,
      pendingLots: [0, 0, 0],
    };
    await (await row()).equals(zero, {
      isHere: [0, 0],
      positionKey: 0,
      word: 0,
      pendingWord: 0,
      countedLots: [0, 0, 0],
      busSum: 0,
    });
    const REST = '(1 - isUsed) * (isShort + closedLots + cashMicros + pendingWord) === 0;';
    for (const [change, line] of [
      [{ accountIndex: 1 }, '(1 - isUsed) * accountIndex === 0;'],
      [{ instrumentId: 1 }, '(1 - isUsed) * instrumentId === 0;'],
      [{ closedLots: 1 }, REST],
      [{ cashMicros: 1 }, REST],
      [{ pendingQuoteMicros: 1 }, REST],
      [{ pendingLots: [0, 0, 1] }, REST],
    ] as const)
      await refuses({ ...zero, ...change }, line);
    await refuses({ ...zero, isShort: 1 }, REST);
    const honest = { ...inputOf({ ...CLOSE, closedLots: 1n, cashMicros: 100n }), closedInverse: 1n };
    for (const idInverse of [0n, 1n, HALF])
      await (await anyInverse()).refuses(
        { ...honest, idInverse },
        'LiquidationRow: instrumentId * idInverse === isUsed;',
      );
    await (await anyInverse()).refuses(
      { ...honest, idInverse: HALF, closedInverse: HALF },
      'LiquidationRow: closedLots * closedInverse === isUsed;',
    );
    await (await row()).leavesNoChoice(inputOf({ ...CLOSE, isShort: true }));
  });

  const CAP_MARGIN = 'LiquidationRow: RangeCheck(SIZE_BITS() + 1)(hasPending[t] * capMargin[t]);';
  const pendingOf = (spotLots: readonly bigint[]) => ({ quoteMicros: 11n, spotLots: [...spotLots] });

  it('counts pending spot as its twin does: all of a token, or nothing where the cap could refuse some', async () => {
    const lots = fc.oneof(fc.bigInt(0n, 3n), fc.bigInt(0n, SIZE_MAX), fc.constant(SIZE_MAX));
    const token = fc
      .record({ held: lots, pending: lots, beyond: fc.bigInt(-2n, 2n), far: fc.option(lots) })
      .map(({ held, pending, beyond, far }) => {
        const near = held + pending + beyond;
        return { held, pending, cap: far ?? (near < 0n ? 0n : near > SIZE_MAX ? SIZE_MAX : near) };
      });
    const seen = { counted: 0, left: 0 };
    await fc.assert(
      fc.asyncProperty(fc.tuple(token, token, token), async (tokens) => {
        const pending = pendingOf(tokens.map((of) => of.pending));
        const [caps, held] = [tokens.map(({ cap }) => cap), tokens.map((of) => of.held)];
        const expected = countedLots(pending, caps, held);
        for (const [t, counted] of expected.entries()) {
          if (tokens[t].pending > 0n) seen[counted > 0n ? 'counted' : 'left']++;
        }
        const at = {
          ...inputOf(CLOSE, pending),
          oldSpotLots: held.map((own, t) => [outside[t], own]),
          spotCapLots: caps,
        };
        await (await row()).equals(at, { ...twinOutputs(CLOSE, pending), countedLots: expected });
      }),
      { numRuns: 60 },
    );
    expect(seen.counted).to.be.greaterThan(10);
    expect(seen.left).to.be.greaterThan(10);
  });

  it('leaves no choice of what counts: not a lot beyond the cap, and nothing within it out', async () => {
    const hinted = await template(FILE, 'LiquidationRow(2, 3)', ['isCounted'])();
    for (const t of [0, 1, 2]) {
      const change = (list: readonly bigint[], lots: bigint) => list.map((own, i) => (i === t ? lots : own));
      const room = CAPS[t] - HELD.spot[t];
      const within = inputOf(CLOSE, pendingOf(change(PENDING.spotLots, room)));
      const beyond = inputOf(CLOSE, pendingOf(change(PENDING.spotLots, room + 1n)));
      const none = inputOf(CLOSE, pendingOf(change(PENDING.spotLots, 0n)));
      await hinted.accepts({ ...within, isCounted: [1n, 1n, 1n] });
      await hinted.refuses({ ...within, isCounted: change([1n, 1n, 1n], 0n) }, CAP_MARGIN);
      await hinted.accepts({ ...beyond, isCounted: change([1n, 1n, 1n], 0n) });
      await hinted.refuses({ ...beyond, isCounted: [1n, 1n, 1n] }, CAP_MARGIN);
      await hinted.refuses(
        { ...beyond, isCounted: change([1n, 1n, 1n], HALF) },
        'LiquidationRow: RequireBit()(isCounted[t]);',
      );
      await hinted.accepts({ ...none, isCounted: change([1n, 1n, 1n], 0n) });
      await hinted.refuses(
        { ...none, isCounted: [1n, 1n, 1n] },
        'LiquidationRow: isCounted[t] * (1 - hasPending[t]) === 0;',
      );
    }
  });
});
