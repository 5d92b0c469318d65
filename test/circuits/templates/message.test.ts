/** circuits/row/message.circom alone, against its twins in protocol/ and at every bound. */
import { expect } from 'chai';
import fc from 'fast-check';
import { fieldInverse } from '#protocol/crypto/field.ts';
import { type Message, type OrderMessage, packMessage } from '#protocol/message.ts';
import { refuseMessages } from '#protocol/transition/message-rules.ts';
import { nonceWordOf } from '#protocol/transition/nonces.ts';
import { signedMessage } from '#test/support/circuits/arbitrary-message.ts';
import { type BusEntry, busSum, CHALLENGES } from '#test/support/circuits/bus.ts';
import { committedPart, noEvents } from '#test/support/circuits/event-rows.ts';
import { HALF, template } from '#test/support/circuits/template.ts';
import { batchHeader, NOW_SEC, PERP } from '#test/support/ledger.ts';

const DIGIT_BITS = 3n;
const ACCOUNT = 77n;
const POSITION_CAP = 1_000n;
/** Of an unused row, of another instrument with a cap so wide that it must not be taken, of the order's. */
const CAP_WORDS = [0n, (BigInt(PERP + 1) << 48n) + (1n << 47n) - 1n, (BigInt(PERP) << 48n) + POSITION_CAP];
const row = template('circuits/row/message.circom', `MessageRow(2, 3, ${DIGIT_BITS})`);

const ORDER: OrderMessage = {
  kind: 'order',
  instrumentId: PERP,
  side: 'buy',
  isReduceOnly: false,
  sizeLots: 10n,
  limitMicrosPerLot: 100n,
  expirySec: NOW_SEC,
  nonce: 32n * 9n + 5n,
  floorBackWords: 1,
  feeCapPpm: 10_000n,
};
/** What the row says besides its message; the fill of ORDER at its limit. */
const FILL = {
  fillLots: 4n,
  restLots: 6n,
  cashMicros: 400n,
  feeMicros: 4n,
  windowWords: 1n,
  isShrinking: false,
  isContinued: false,
  isRaising: true,
  instrumentIndex: 2n,
  capRoomLots: POSITION_CAP - 30n,
};
type Fill = typeof FILL;
const NO_FILL: Fill = {
  ...FILL,
  fillLots: 0n,
  restLots: 0n,
  cashMicros: 0n,
  feeMicros: 0n,
  windowWords: 0n,
  isRaising: false,
  instrumentIndex: 0n,
  capRoomLots: 0n,
};

const inputOf = (message: Message, fill: Fill) => ({
  ...signedMessage(message, ACCOUNT),
  ...fill,
  capWords: CAP_WORDS,
  batchTimeSec: NOW_SEC,
  ...CHALLENGES,
});

/** Entries of docs/protocol.md §3 under the keys of the bus, with the signs of a row. */
function entriesOf(message: Message, fill: Fill): BusEntry[] {
  if (message.kind === 'withdraw') return [];
  if (message.kind === 'cancel-all') return [{ tag: 'epoch', fields: [0n, ACCOUNT], amount: 1n }];
  const word = nonceWordOf(message.nonce);
  const { isShrinking: bit, isContinued, fillLots, restLots, cashMicros, feeMicros } = fill;
  const digit = 1n << (DIGIT_BITS * (message.nonce % 32n));
  const isOrder = message.kind === 'order';
  const filledBefore = isOrder ? message.sizeLots - fillLots - restLots : restLots;
  const entries: BusEntry[] = [
    { tag: 'activity', fields: [word - fill.windowWords, ACCOUNT], amount: 1n },
    { tag: 'raise', fields: [0n, ACCOUNT], amount: fill.isRaising ? 1n : 0n },
    isContinued
      ? { tag: 'record', fields: [message.nonce, ACCOUNT, filledBefore], amount: 1n }
      : { tag: 'used', fields: [word, ACCOUNT], amount: -digit },
  ];
  if (!isOrder) return entries;
  const sign = message.side === 'sell' ? -1n : 1n;
  const id = BigInt(message.instrumentId);
  const filled = filledBefore + fillLots;
  const opened = (CAP_WORDS[Number(fill.instrumentIndex)] ?? 0n) - (id << 48n) - fill.capRoomLots;
  return [
    ...entries,
    { tag: 'position', bit, fields: [id, ACCOUNT, opened], amount: -sign * fillLots },
    { tag: 'cash', fields: [0n, ACCOUNT], amount: feeMicros + sign * cashMicros },
    { tag: 'fees', fields: [0n, ACCOUNT], amount: -feeMicros },
    { tag: 'size', fields: [id], amount: sign * fillLots },
    { tag: 'payment', fields: [id], amount: -sign * cashMicros },
    { tag: 'fills', bit, fields: [id], amount: 1n },
    { tag: 'orders', fields: [0n, ACCOUNT], amount: 1n },
    {
      tag: 'record',
      bit: true,
      fields: [message.nonce, ACCOUNT, filled],
      amount: restLots === 0n ? 0n : -1n,
    },
  ];
}

function twinOutputs(message: Message, fill: Fill) {
  const committed = {
    packed: packMessage(message),
    signatureIndex: 1,
    ...fill,
    windowWords: Number(fill.windowWords),
    instrumentIndex: Number(fill.instrumentIndex),
  };
  return {
    isOrder: message.kind === 'order',
    committed: committedPart({ messages: [committed] }),
    busSum: busSum(entriesOf(message, fill)),
  };
}

/** By the twin's rules on a row alone; position, records and the sums over rows are not its affair. */
function isAllowed(order: OrderMessage, fill: Fill): boolean {
  const { fillLots, cashMicros, feeMicros, isShrinking } = fill;
  const execution = { signatureIndex: 0, position: 0, fillLots, cashMicros, feeMicros, isShrinking };
  const events = { ...noEvents(Number(ACCOUNT)), orders: [{ message: order, execution }] };
  const filledBefore = order.sizeLots - fillLots - fill.restLots;
  return (
    refuseMessages(events, batchHeader()) === undefined &&
    (fill.isContinued ? filledBefore >= 0n : filledBefore === 0n) &&
    fill.windowWords <= BigInt(order.floorBackWords) &&
    (!fill.isRaising || fill.windowWords === BigInt(order.floorBackWords)) &&
    (!order.isReduceOnly || isShrinking)
  );
}

describe('message row', () => {
  it('executes an order where its twins do, with their words and entries', async () => {
    const near = (value: bigint): fc.Arbitrary<bigint> =>
      fc.constantFrom(value, value, value, value > 0n ? value - 1n : 0n, value + 1n);
    const orders = fc
      .record({
        side: fc.constantFrom('buy' as const, 'sell' as const),
        isReduceOnly: fc.boolean(),
        sizeLots: fc.bigInt(1n, 6n),
        limitMicrosPerLot: fc.bigInt(0n, 300n),
        late: fc.constantFrom(-1n, 0n, 0n, 0n, 5n),
        nonce: fc.bigInt(256n, 320n),
        floorBackWords: fc.nat(3),
        feeCapPpm: fc.bigInt(0n, (1n << 20n) - 1n),
      })
      .map(({ late, ...order }): OrderMessage => ({ ...ORDER, ...order, expirySec: NOW_SEC + late }));
    const cases = orders.chain((order) =>
      fc.bigInt(0n, order.sizeLots).chain((fillLots) => {
        const atLimit = fillLots * order.limitMicrosPerLot;
        const feeMost = (order.feeCapPpm * atLimit) / 1_000_000n;
        return fc
          .record({
            fillLots: fc.constant(fillLots),
            restLots: near(order.sizeLots - fillLots),
            cashMicros: near(atLimit),
            feeMicros: near(feeMost),
            windowWords: near(BigInt(order.floorBackWords)),
            isShrinking: fc.boolean(),
            isContinued: fc.boolean(),
            isRaising: fc.boolean(),
            instrumentIndex: fc.constant(2n),
            capRoomLots: fc.bigInt(0n, POSITION_CAP),
          })
          .map((fill) => ({ order, fill }));
      }),
    );
    const seen = { executed: 0, refused: 0 };
    await fc.assert(
      fc.asyncProperty(cases, async ({ order, fill }) => {
        // A record that would hold less than nothing is no record: no leaf has it (test below).
        fc.pre(!(fill.isContinued && order.sizeLots - fill.fillLots - fill.restLots < 0n));
        const input = inputOf(order, fill);
        const isRight = isAllowed(order, fill);
        seen[isRight ? 'executed' : 'refused']++;
        if (isRight) await (await row()).equals(input, twinOutputs(order, fill));
        else expect(await (await row()).isAccepted(input)).to.equal(false);
      }),
      { numRuns: 250 },
    );
    expect(seen.executed).to.be.at.least(1);
    expect(seen.refused).to.be.at.least(1);
  });

  it('executes cancels and cancel-alls with their words and entries, and nothing for message 0', async () => {
    const cancel = { kind: 'cancel' as const, nonce: 300n, floorBackWords: 2 };
    for (const fill of [
      { ...NO_FILL, windowWords: 1n },
      { ...NO_FILL, windowWords: 2n, isRaising: true },
      { ...NO_FILL, restLots: 7n, isContinued: true },
    ])
      await (await row()).equals(inputOf(cancel, fill), twinOutputs(cancel, fill));
    const all = { kind: 'cancel-all' as const };
    await (await row()).equals(inputOf(all, NO_FILL), twinOutputs(all, NO_FILL));
    const unused = {
      ...inputOf(all, NO_FILL),
      message: 0,
      children: [
        [0, 0, 0, 0],
        [0, 0, 0, 0],
      ],
    };
    const none = { ...unused, children: signedMessage(undefined, ACCOUNT).children, signatureIndex: 0 };
    await (await row()).equals(none, { isOrder: 0, committed: [0, 0], busSum: 0 });
  });

  const refuses = async (order: Partial<OrderMessage>, fill: Partial<Fill>, line: string): Promise<void> =>
    (await row()).refuses(inputOf({ ...ORDER, ...order }, { ...FILL, ...fill }), `MessageRow: ${line}`);
  const accepts = async (order: Partial<OrderMessage>, fill: Partial<Fill>): Promise<void> =>
    (await row()).equals(
      inputOf({ ...ORDER, ...order }, { ...FILL, ...fill }),
      twinOutputs({ ...ORDER, ...order }, { ...FILL, ...fill }),
    );

  it('keeps to what was signed: size, limit, fee, time and floor, to the unit', async () => {
    const FRESH = '(1 - isContinued) * filledBeforeLots === 0;';
    await accepts({}, { fillLots: 10n, restLots: 0n });
    await refuses({}, { fillLots: 11n, restLots: 0n }, FRESH);
    await refuses({}, { restLots: 5n }, FRESH);
    const LIMIT = 'RangeCheck(ORDER_BETTER_BITS())(betterMicros);';
    await refuses({}, { cashMicros: 401n }, LIMIT);
    await accepts({ side: 'sell' }, {});
    await refuses({ side: 'sell' }, { cashMicros: 399n }, LIMIT);
    const FEE = 'RangeCheck(ORDER_FEE_ROOM_BITS())(fields.feeCapPpm * cashMicros - 1000000 * feeMicros);';
    await refuses({}, { feeMicros: 5n }, FEE);
    await refuses({ feeCapPpm: 9_999n }, {}, FEE);
    await refuses(
      { expirySec: NOW_SEC - 1n },
      {},
      'RangeCheck(TIME_BITS())(isOrder * (fields.expirySec - batchTimeSec));',
    );
    const FLOOR = 'RangeCheck(FLOOR_BACK_BITS())(fields.floorBackWords - windowWords);';
    await refuses({}, { windowWords: 2n }, FLOOR);
    await accepts({}, { windowWords: 0n, isRaising: false });
    await refuses({}, { windowWords: 0n }, 'isRaising * (fields.floorBackWords - windowWords) === 0;');
    for (const windowWords of [8n, -1n])
      await refuses({}, { windowWords }, 'RangeCheck(FLOOR_BACK_BITS())(windowWords);');
    await accepts({ isReduceOnly: true }, { isShrinking: true });
    await refuses({ isReduceOnly: true }, {}, 'fields.isReduceOnly * (1 - isShrinking) === 0;');
  });

  it('keeps its numbers to their widths and its flags to bits', async () => {
    const most = { sizeLots: (1n << 47n) - 1n };
    await accepts(most, { fillLots: most.sizeLots, restLots: 0n });
    await refuses(most, { fillLots: 1n << 47n, restLots: 0n }, 'RangeCheck(SIZE_BITS())(fillLots);');
    await accepts(most, { fillLots: 4n, restLots: most.sizeLots - 4n });
    for (const restLots of [1n << 47n, -1n])
      await refuses(most, { restLots }, 'RangeCheck(SIZE_BITS())(restLots);');
    // 2^30 lots at a limit of 2^31: cash of 2^60 is better than at the limit.
    const dear = { sizeLots: 1n << 30n, limitMicrosPerLot: 1n << 31n, feeCapPpm: 1_000n };
    const all = { fillLots: dear.sizeLots, restLots: 0n };
    await accepts(dear, { ...all, cashMicros: (1n << 60n) - 1n, feeMicros: (1n << 48n) - 1n });
    await refuses(dear, { ...all, cashMicros: 1n << 60n }, 'RangeCheck(ORDER_CASH_BITS())(cashMicros);');
    await refuses(
      dear,
      { ...all, cashMicros: 1n << 59n, feeMicros: 1n << 48n },
      'RangeCheck(ORDER_FEE_BITS())(feeMicros);',
    );
    // 2^64 less than at the limit, to the micro.
    const far = { sizeLots: 1n << 30n, limitMicrosPerLot: 1n << 34n };
    await accepts(far, { ...all, cashMicros: 1n, feeMicros: 0n });
    await refuses(
      far,
      { ...all, cashMicros: 0n, feeMicros: 0n },
      'RangeCheck(ORDER_BETTER_BITS())(betterMicros);',
    );
    // 2^72 below the cap of the fee, to the millionth of a micro.
    const free = { ...dear, feeCapPpm: 1n << 19n };
    await accepts(free, { ...all, cashMicros: (1n << 53n) - 1n, feeMicros: 0n });
    await accepts(free, { ...all, cashMicros: 1n << 53n, feeMicros: 1n });
    await refuses(
      free,
      { ...all, cashMicros: 1n << 53n, feeMicros: 0n },
      'RangeCheck(ORDER_FEE_ROOM_BITS())(fields.feeCapPpm * cashMicros - 1000000 * feeMicros);',
    );
    await refuses({}, { cashMicros: -1n }, 'RangeCheck(ORDER_CASH_BITS())(cashMicros);');
    await refuses({}, { feeMicros: -1n }, 'RangeCheck(ORDER_FEE_BITS())(feeMicros);');
    const honest = inputOf(ORDER, FILL);
    for (const flag of ['isShrinking', 'isContinued', 'isRaising'])
      for (const bit of [2n, HALF])
        await (await row()).refuses({ ...honest, [flag]: bit }, `MessageRow: RequireBit()(${flag});`);
  });

  it('fills something, and nothing by a message that is no order', async () => {
    const INVERSE = 'fillLots * fillInverse === isOrder;';
    await refuses({}, { fillLots: 0n, restLots: 10n, cashMicros: 0n, feeMicros: 0n }, INVERSE);
    const named = (fillInverse: bigint) => (name: string) =>
      name === 'main.fillInverse' ? fillInverse : undefined;
    const honest = inputOf(ORDER, FILL);
    expect(await (await row()).isWitness(honest, named(fieldInverse(FILL.fillLots)))).to.equal(true);
    for (const wrong of [0n, 1n, HALF])
      expect(await (await row()).isWitness(honest, named(wrong)), `inverse ${wrong}`).to.equal(false);
    const cancel = { kind: 'cancel' as const, nonce: 300n, floorBackWords: 0 };
    const NO_ORDER =
      'MessageRow: (1 - isOrder) * (fillLots + cashMicros + feeMicros + isShrinking + instrumentIndex + capRoomLots) === 0;';
    for (const change of [
      { fillLots: 1n },
      { cashMicros: 1n },
      { feeMicros: 1n },
      { isShrinking: true },
      { instrumentIndex: 2n },
      { capRoomLots: 1n },
    ])
      await (await row()).refuses(inputOf(cancel, { ...NO_FILL, ...change }), NO_ORDER);
    const NO_NONCE = 'MessageRow: (1 - hasNonce) * (restLots + windowWords + isContinued + isRaising) === 0;';
    for (const change of [{ restLots: 1n }, { windowWords: 1n }, { isContinued: true }, { isRaising: true }])
      await (await row()).refuses(inputOf({ kind: 'cancel-all' }, { ...NO_FILL, ...change }), NO_NONCE);
  });

  it('names the position that it opens, up to the cap of its instrument and no lot more', async () => {
    const opened = (fill: Fill) => entriesOf(ORDER, fill).find(({ tag }) => tag === 'position')?.fields[2];
    const atCap = { ...FILL, capRoomLots: 0n };
    expect(opened(atCap)).to.equal(POSITION_CAP);
    await accepts({}, atCap);
    for (const capRoomLots of [-1n, 1n << 47n])
      await refuses({}, { capRoomLots }, 'RangeCheck(SIZE_BITS())(capRoomLots);');
    // Nothing opened: shrinking orders and spot.
    const nothing = { ...FILL, capRoomLots: POSITION_CAP, isShrinking: true };
    expect(opened(nothing)).to.equal(0n);
    await accepts({}, nothing);
  });

  it('from the row of another instrument, of none and of no row at all names what no slot can hold', async () => {
    const SLOT_MAX = (1n << 47n) - 1n;
    const order = { ...ORDER };
    for (const instrumentIndex of [0n, 1n, 3n])
      for (const capRoomLots of [0n, SLOT_MAX]) {
        const fill = { ...FILL, instrumentIndex, capRoomLots };
        const field = entriesOf(order, fill).find(({ tag }) => tag === 'position')?.fields[2] as bigint;
        expect(field < 0n || field > SLOT_MAX, `${instrumentIndex}: ${field}`).to.equal(true);
        await (await row()).equals(inputOf(order, fill), twinOutputs(order, fill));
      }
    for (const instrumentIndex of [4n, -1n])
      await (await row()).refuses(inputOf(ORDER, { ...FILL, instrumentIndex }), 'Chosen: sum === index;');
  });

  it('asks the bus for a record that no leaf holds where a continued order is overfilled', async () => {
    const over = { ...FILL, fillLots: 11n, restLots: 0n, cashMicros: 1_100n, isContinued: true };
    const asked = entriesOf(ORDER, over).find(({ tag, bit }) => tag === 'record' && bit === undefined);
    expect(asked?.fields[2]).to.equal(-1n);
    await (await row()).equals(inputOf(ORDER, over), twinOutputs(ORDER, over));
  });

  it('leaves the prover no choice', async () => {
    await (await row()).leavesNoChoice(inputOf(ORDER, FILL));
  });
});
