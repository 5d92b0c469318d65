/** Signed messages that were not signed so, are used twice, or are executed beyond what they allow. */
import type { BatchContent } from '#protocol/batch/batch.ts';
import { SUBGROUP_ORDER } from '#protocol/crypto/baby-jubjub.ts';
import { poseidon } from '#protocol/crypto/poseidon.ts';
import type { RiskTable } from '#protocol/instrument.ts';
import { type Message, packMessage, type SignedMessages } from '#protocol/message.ts';
import { signedHash, signMessages } from '#protocol/signing.ts';
import type { LedgerState } from '#protocol/state.ts';
import type { Micros } from '#protocol/units.ts';
import { type Attack, BUS, refuses, tinyCircuit } from '#test/support/attack.ts';
import { positions, sealTiny } from '#test/support/batch-traces.ts';
import { forge } from '#test/support/forged-batch.ts';
import * as ledger from '#test/support/ledger.ts';

const { PERP, USD } = ledger;
const state = ledger.funded({ 1: 10_000n, 2: 10_000n });
const bid = (fields = {}) =>
  ledger.orderMessage({ side: 'buy', sizeLots: 9n, nonce: 60n, limitMicrosPerLot: 100n * USD, ...fields });
const ask = (fields = {}) =>
  ledger.orderMessage({ side: 'sell', sizeLots: 9n, nonce: 61n, limitMicrosPerLot: 100n * USD, ...fields });

/** An honest trade of five lots at $100: account 1 buys by message 0, account 2 sells by message 1. */
function trade(
  buy: SignedMessages = ledger.sign(1, [bid()]),
  sell = ledger.sign(2, [ask()]),
  from = state,
): Attack {
  return { batch: sealTiny(from, [ledger.trade(ledger.only(buy), ledger.only(sell), 5n, 100n)]) };
}

/** The trade's rows over other signatures than those that were executed. */
function resigned(change: (signed: SignedMessages) => SignedMessages): Attack {
  const { batch } = trade();
  const signatures = batch.content.signatures.map((signed) =>
    signed.accountIndex === 1 ? change(signed) : signed,
  );
  return { batch: { ...batch, content: { ...batch.content, signatures } } };
}
const row = (batch: { content: BatchContent }, accountIndex: number): number =>
  batch.content.messages.findIndex(
    (m) => batch.content.signatures[m.signatureIndex].accountIndex === accountIndex,
  );
const BUYER = row(trade().batch, 1);
const SIGNATURE = 'SignatureCheck: isUsed * (left.out[0] - right.xout) === 0;';

/** Account 1's order was filled by four lots of nine before. */
const continued = (): LedgerState =>
  ledger.settle(state, [
    ledger.trade(
      ledger.only(ledger.sign(2, [ask({ nonce: 3n })])),
      ledger.only(ledger.sign(1, [bid()])),
      4n,
      100n,
    ),
  ]);

describe('batch circuit, forged messages', function () {
  this.timeout(600_000);
  before(tinyCircuit);

  refuses({
    'an order signed by another key': [
      SIGNATURE,
      () => resigned((signed) => ({ ...signed, signature: ledger.sign(2, [bid()]).signature })),
    ],
    'the key of another account': [
      BUS,
      () => {
        const foreign = signMessages(ledger.DOMAIN, ledger.secretOf(7), {
          accountIndex: 1,
          epoch: 1n,
          messages: [bid()],
        });
        const [x, y] = ledger.keyOf(7);
        return {
          ...resigned(() => foreign),
          commit: (c) => {
            // The inner hash of the foreign signature, which the honest builder would not compute.
            c.signatures[BUYER] = innerHashOf(foreign, [x, y]);
          },
          signals: (s) => {
            s.set('signaturePublicKey', BUYER, 0, x);
            s.set('signaturePublicKey', BUYER, 1, y);
          },
        };
      },
    ],
    'a price edited after signing': [
      SIGNATURE,
      () => resigned((signed) => ({ ...signed, messages: [bid({ limitMicrosPerLot: 101n * USD })] })),
    ],
    'an order of another chain': [
      SIGNATURE,
      () =>
        resigned(() =>
          signMessages({ ...ledger.DOMAIN, chainId: 1n }, ledger.secretOf(1), {
            accountIndex: 1,
            epoch: 1n,
            messages: [bid()],
          }),
        ),
    ],
    'an order of an earlier epoch': [BUS, () => resigned(() => ledger.sign(1, [bid()], 0n))],
    'an order signed by the key (0, 0) of an account without one': [
      'SignatureCheck: isUsed * (1 - isKeyPoint) === 0;',
      () => ({
        ...trade(),
        signals: (s) => {
          s.set('signaturePublicKey', BUYER, 0, 0n);
          s.set('signaturePublicKey', BUYER, 1, 0n);
        },
      }),
    ],
    'a signature with S + l': [
      'SignatureCheck: scalarLimit.out * isUsed === 0;',
      () => ({ ...trade(), signals: (s) => s.add('signatureS', BUYER, SUBGROUP_ORDER) }),
    ],
    'a nonce point off the curve': [
      'BabyCheck',
      () => ({ ...trade(), signals: (s) => s.add('signatureR8', BUYER, 0, 1n) }),
    ],
    'an order under a signature row that is switched off': [
      'SignedMessage: isUsed * (1 - isSigned) === 0;',
      () => ({ ...trade(), signals: (s) => s.set('signatureIsUsed', BUYER, 0n) }),
    ],
    'an order that is not in the signed tree': [
      'SignedMessage: isUsed * (message + toGroup + toTop - root) === 0;',
      () => {
        const other = packMessage(bid({ sizeLots: 12n }));
        return {
          ...trade(),
          signals: (s) => {
            s.set('messageContent', BUYER, other);
            s.set('messageChildren', BUYER, 0, 0, other);
            s.set('messageChildren', BUYER, 1, 0, poseidon([other, 0n, 0n, 0n]));
            s.set('messageRestLots', BUYER, 7n);
          },
        };
      },
    ],
    'an order at a place of the tree that holds another': [
      'SignedMessage: RequireChild()(message, children[0], places.out[0], places.out[1]);',
      () => ({
        ...trade(ledger.sign(1, [bid(), bid({ nonce: 62n })])),
        signals: (s) => s.set('messagePlace', BUYER, 1n),
      }),
    ],
    'a depth other than the signed one': [
      SIGNATURE,
      () => ({
        ...trade(ledger.sign(1, [bid(), bid({ nonce: 62n })])),
        signals: (s) => {
          s.set('signatureIsDepth1', BUYER, 0n);
          s.set('signatureIsDepth2', BUYER, 1n);
        },
      }),
    ],
    'both depths at once': [
      'SignatureRow: RequireBit()(isDepth1 + isDepth2);',
      () => ({
        ...trade(ledger.sign(1, [bid(), bid({ nonce: 62n })])),
        signals: (s) => s.set('signatureIsDepth2', BUYER, 1n),
      }),
    ],

    'a fill of nothing': [
      'MessageRow: fillLots * fillInverse === isOrder;',
      () => ({ ...trade(), signals: (s) => s.set('messageFillLots', BUYER, 0n) }),
    ],
    'an overfilled order': [
      'MessageRow: RangeCheck(SIZE_BITS())(restLots);',
      () => ({
        ...trade(),
        signals: (s) => {
          s.set('messageFillLots', BUYER, 10n);
          s.set('messageRestLots', BUYER, -1n);
        },
      }),
    ],
    'a buy above its limit': [
      'MessageRow: RangeCheck(ORDER_BETTER_BITS())(betterMicros);',
      () => ({ ...trade(), signals: (s) => s.add('messageCashMicros', BUYER, 1n) }),
    ],
    'a sell below its limit': [
      'MessageRow: RangeCheck(ORDER_BETTER_BITS())(betterMicros);',
      () => ({ ...trade(), signals: (s) => s.add('messageCashMicros', 1 - BUYER, -1n) }),
    ],
    'cash of a fill that wraps around the field': [
      'MessageRow: RangeCheck(ORDER_CASH_BITS())(cashMicros);',
      () => ({ ...trade(), signals: (s) => s.set('messageCashMicros', BUYER, -1n) }),
    ],
    'a fee above the signed cap': [
      'MessageRow: RangeCheck(ORDER_FEE_ROOM_BITS())(fields.feeCapPpm * cashMicros - 1000000 * feeMicros);',
      () => ({ ...trade(), signals: (s) => s.set('messageFeeMicros', BUYER, 50n * USD + 1n) }),
    ],
    'an expired order': [
      'MessageRow: RangeCheck(TIME_BITS())(isOrder * (fields.expirySec - batchTimeSec));',
      () => ({
        ...trade(ledger.sign(1, [bid({ expirySec: ledger.NOW_SEC })])),
        signals: (s) => s.add('batchTimeSec', 1n),
      }),
    ],
    'a reduce-only order under the key of growing positions': [
      'MessageRow: fields.isReduceOnly * (1 - isShrinking) === 0;',
      () => {
        const batch = sealTiny(positions(), [
          ledger.trade(
            ledger.order(2, { side: 'buy', sizeLots: 4n }),
            ledger.order(1, { side: 'sell', sizeLots: 4n, isReduceOnly: true }),
            4n,
            100n,
          ),
        ]);
        return { batch, signals: (s) => s.set('messageIsShrinking', row(batch, 1), 0n) };
      },
    ],
    'a reduce-only order that grows a position': [
      'AlignedSlot: RangeCheck(SIZE_BITS())(closedLots);',
      () => {
        const { content } = trade().batch;
        // Opened under low nonces, so that the window still holds those of the trade.
        const held = ledger.settle(ledger.funded({ 1: 1_000n, 2: 1_000n }), [
          ledger.trade(
            ledger.order(1, { side: 'buy', sizeLots: 10n, nonce: 1n }),
            ledger.order(2, { side: 'sell', sizeLots: 10n, nonce: 1n }),
            10n,
            100n,
          ),
        ]);
        return {
          batch: forge(held, {
            ...content,
            messages: content.messages.map((m, i) => ({ ...m, isShrinking: i === BUYER })),
          }),
        };
      },
    ],
    'a growing fill in a reduce-only market': [
      'InstrumentRow: isReduceOnly * openingFills === 0;',
      () => {
        const { content } = trade().batch;
        const table = ledger.riskTable({}, { [PERP]: { isReduceOnly: true } });
        return { batch: forge(state, { ...content, header: { ...content.header, table } }) };
      },
    ],
    'a fill at the second of expiry': [
      'InstrumentRow: RangeCheck(TIME_BITS())(isExpiring * (row[ROW_EXPIRY()] - batchTimeSec - 1));',
      () => {
        const { content } = trade().batch;
        const table = ledger.riskTable({}, { [PERP]: { expirySec: ledger.NOW_SEC } });
        const messages = content.messages;
        const batch = forgeAt(content, table, messages);
        return { batch };
      },
    ],
    'open interest above its cap': [
      'InstrumentRow: RangeCheck(INTEREST_BITS())(restLots);',
      () => {
        const batch = trade().batch;
        const table = ledger.riskTable({}, { [PERP]: { openInterestCap: 4n as never } });
        const capped = forge(state, { ...batch.content, header: { ...batch.content.header, table } });
        return {
          batch: capped,
          commit: (c) => {
            for (const row of c.instruments) if (row.restLots < 0n) row.restLots = 0n;
          },
        };
      },
    ],

    'a nonce below the signed floor': [
      'MessageRow: RangeCheck(FLOOR_BACK_BITS())(fields.floorBackWords - windowWords);',
      () => {
        const far = ledger.sign(1, [bid({ nonce: 96n, floorBackWords: 1 })]);
        return { ...trade(far), signals: (s) => s.set('messageWindowWords', BUYER, 2n) };
      },
    ],
    'a window raised by a message that does not ask for it': [
      'MessageRow: isRaising * (fields.floorBackWords - windowWords) === 0;',
      () => ({
        ...trade(ledger.sign(1, [bid({ nonce: 32n, floorBackWords: 1 })])),
        signals: (s) => {
          s.set('messageWindowWords', BUYER, 0n);
          s.set('messageIsRaising', BUYER, 1n);
        },
      }),
    ],
    'a partly filled order executed as fresh': [
      'MessageRow: (1 - isContinued) * filledBeforeLots === 0;',
      () => ({
        ...trade(undefined, undefined, continued()),
        signals: (s) => s.set('messageIsContinued', BUYER, 0n),
      }),
    ],
    'a partly filled order that starts again from nothing': [
      BUS,
      () => ({
        ...trade(undefined, undefined, continued()),
        commit: (c) => {
          c.messages[BUYER].isContinued = false;
          c.messages[BUYER].restLots = 4n;
        },
      }),
    ],
    'a record that says less was filled': [
      BUS,
      () => ({
        ...trade(undefined, undefined, continued()),
        commit: (c) => {
          c.messages[BUYER].restLots += 1n;
        },
      }),
    ],
    'a fresh order executed as one that goes on': [
      BUS,
      () => ({
        ...trade(),
        commit: (c) => {
          c.messages[BUYER].isContinued = true;
        },
      }),
    ],
    'one signed order in two rows': [
      BUS,
      () => {
        const { batch } = trade();
        const [first] = batch.content.messages.slice(BUYER);
        return {
          batch,
          commit: (c) => {
            c.messages[2] = structuredClone(c.messages[BUYER]);
          },
          signals: (s) => {
            s.set('messagePlace', 2, BigInt(first.position));
            for (const level of [0, 1])
              for (const i of [0, 1, 2, 3])
                s.set('messageChildren', 2, level, i, s.get('messageChildren', BUYER, level, i));
          },
        };
      },
    ],
    'a fill without a message': [
      'MessageRow: (1 - isOrder) * (fillLots + cashMicros + feeMicros + isShrinking + instrumentIndex + capRoomLots) === 0;',
      () => ({ ...trade(), signals: (s) => s.set('messageFillLots', 2, 1n) }),
    ],
    'a cancel that carries a size': [
      'OrderFields: (1 - isOrder) * orderOnly === 0;',
      () => ({ ...trade(), signals: (s) => s.set('messageContent', 2, 2n + (1n << 30n)) }),
    ],
    'a message of an unknown kind': [
      'OrderFields: bits.out[2] === 0;',
      () => ({ ...trade(), signals: (s) => s.set('messageContent', 2, 4n) }),
    ],
    'a fee that is booked and not paid': [
      BUS,
      () => ({
        batch: { ...trade().batch, feesMicros: 7n as Micros },
        commit: (c) => {
          c.messages[BUYER].feeMicros = 7n;
        },
      }),
    ],
    'a cancel-all that leaves the epoch': [
      BUS,
      () => {
        const content = ledger.run(ledger.open(state), {
          kind: 'cancel-all',
          ...ledger.only(ledger.sign(1, [{ kind: 'cancel-all' } satisfies Message])),
        }).content;
        return {
          batch: forge(state, content, { after: (a, index) => (index === 1 ? { ...a, epoch: 1n } : a) }),
          commit: (c) => {
            for (const account of c.accounts) account.isEpochChanged = false;
          },
        };
      },
    ],
    'an order of an account whose epoch changes': [
      'AccountRow: isEpochChanged * activityCount === 0;',
      () => ({ ...trade(), signals: (s) => s.set('accountIsEpochChanged', 0, 1n) }),
    ],
  });
});

const innerHashOf = (signed: SignedMessages, key: readonly [bigint, bigint]): bigint =>
  poseidon([...signed.signature.r8, ...key, signedHash(ledger.DOMAIN, signed)]);

/** Content whose table the twin would refuse, executed with the leaves of the honest one. */
function forgeAt(content: BatchContent, table: RiskTable, messages: BatchContent['messages']) {
  const honest = forge(state, content);
  return { ...honest, content: { ...content, messages, header: { ...content.header, table } } };
}
