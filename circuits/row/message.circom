pragma circom 2.2.0;

include "../limits.circom";
include "../arithmetic/range.circom";
include "../arithmetic/select.circom";
include "../bus/bus.circom";
include "../order/message.circom";
include "../order/signed-tree.circom";

// Proves       one executed order (all its fills of the batch), cancel or cancel-all: signed, within limit, size, fee
//              cap, expiry, nonce floor and, where it may grow a position, the position cap. Message 0 is an unused row
//              and has no effect.
// Assumes      batchTimeSec < 2^TIME_BITS; capWords as row/instrument.circom makes them.
// Guarantees   what it moves is on the bus, under keys and amounts that `committed` and the instrument rows fix.
template MessageRow(SIGNATURES, INSTRUMENTS, DIGIT_BITS) {
    signal input message;
    signal input signatureIndex;
    signal input place;
    signal input children[2][4];
    signal input signatureIsUsed[SIGNATURES];
    signal input signatureAccount[SIGNATURES];
    signal input signatureRoot[SIGNATURES];
    signal input signatureIsDepth1[SIGNATURES];
    signal input signatureIsDepth2[SIGNATURES];
    signal input fillLots;
    // What is left of the order afterwards; what is killed, for a cancel.
    signal input restLots;
    signal input cashMicros;
    signal input feeMicros;
    signal input windowWords;
    signal input isShrinking;
    signal input isContinued;
    signal input isRaising;
    // The row of the order's instrument, and the lots from the position that it opens up to the cap there.
    signal input instrumentIndex;
    signal input capRoomLots;
    signal input capWords[INSTRUMENTS];
    signal input batchTimeSec;
    signal input alpha;
    signal input beta[BETA_POWERS()];
    signal output isOrder;
    signal output committed[2];
    signal output busSum;

    component fields = OrderFields();
    fields.message <== message;
    isOrder <== fields.isOrder;
    signal hasNonce <== fields.isOrder + fields.isCancel;

    component signed = SignedMessage(SIGNATURES);
    signed.message <== message;
    signed.isUsed <== hasNonce + fields.isCancelAll;
    signed.signatureIndex <== signatureIndex;
    signed.place <== place;
    signed.children <== children;
    signed.signatureIsUsed <== signatureIsUsed;
    signed.signatureAccount <== signatureAccount;
    signed.signatureRoot <== signatureRoot;
    signed.signatureIsDepth1 <== signatureIsDepth1;
    signed.signatureIsDepth2 <== signatureIsDepth2;

    RequireBit()(isShrinking);
    RequireBit()(isContinued);
    RequireBit()(isRaising);
    RangeCheck(SIZE_BITS())(fillLots);
    RangeCheck(SIZE_BITS())(restLots);
    RangeCheck(ORDER_CASH_BITS())(cashMicros);
    RangeCheck(ORDER_FEE_BITS())(feeMicros);
    RangeCheck(FLOOR_BACK_BITS())(windowWords);
    RangeCheck(SIZE_BITS())(capRoomLots);
    // All are in range, so a sum of them is zero only if each is; the index is in range by Chosen.
    (1 - isOrder) * (fillLots + cashMicros + feeMicros + isShrinking + instrumentIndex + capRoomLots) === 0;
    (1 - hasNonce) * (restLots + windowWords + isContinued + isRaising) === 0;

    // Size: an order fills something, and filled before + fill + rest is what was signed.
    signal fillInverse <-- fillLots == 0 ? 0 : isOrder / fillLots;
    fillLots * fillInverse === isOrder;
    signal filledBeforeLots <== restLots + isOrder * (fields.sizeLots - fillLots - 2 * restLots);
    // A fresh nonce starts at 0; a continued one starts where its record says (bus), which is never 0.
    (1 - isContinued) * filledBeforeLots === 0;
    signal hasRest <== IsNonZero()(restLots);
    signal isPartial <== hasRest * isOrder;
    fields.isReduceOnly * (1 - isShrinking) === 0;

    // Price: |fill·limit − cash| has the right sign. Both are below 2^87, so no difference wraps into the range.
    signal atLimitMicros <== fillLots * fields.limitMicrosPerLot;
    signal betterMicros <== (1 - 2 * fields.isSell) * (atLimitMicros - cashMicros);
    RangeCheck(ORDER_BETTER_BITS())(betterMicros);
    // Fee: fee·10^6 ≤ cap·cash, both below 2^80.
    RangeCheck(ORDER_FEE_ROOM_BITS())(fields.feeCapPpm * cashMicros - 1000000 * feeMicros);
    RangeCheck(TIME_BITS())(isOrder * (fields.expirySec - batchTimeSec));

    // 0 ≤ nonceWord − newBaseWord = windowWords ≤ floorBackWords; the row that moves the base has equality.
    RangeCheck(FLOOR_BACK_BITS())(fields.floorBackWords - windowWords);
    isRaising * (fields.floorBackWords - windowWords) === 0;

    // Position cap: opened + room = cap, where `opened` is in the key of what moves the position. The account row has the
    // new magnitude there, or 0 where the slot is shrinking or spot; the opened lots of any other key can only add up to a
    // change of 0. So opened < 2^47 wherever something moves; room < 2^47 and a cap < 2^47, so a row of another id, which is
    // off by a multiple of 2^(SIZE_BITS + 1), has no room that fits. Nor has an unused row, whose word is 0.
    signal capWord <== Chosen(INSTRUMENTS)(capWords, instrumentIndex);
    signal capLots <== capWord - fields.instrumentId * (1 << (SIZE_BITS() + 1));
    signal openedPart <== beta[3] * (capLots - capRoomLots);

    // Everything that enters a key or an amount, and the account through the signature's hash. The cap is fixed by the
    // index and by the instrument rows, which are committed.
    var shift = ORDER_MESSAGE_BITS();
    var first = message + signatureIndex * (1 << shift);
    shift += 8;
    first += windowWords * (1 << shift);
    shift += FLOOR_BACK_BITS();
    first += (isShrinking + 2 * isContinued + 4 * isRaising) * (1 << shift);
    shift += 3;
    committed[0] <== first + instrumentIndex * (1 << shift);
    assert(INSTRUMENTS <= 256 && shift + 8 < 253);
    shift = 3 * SIZE_BITS();
    var second = fillLots + restLots * (1 << SIZE_BITS()) + capRoomLots * (1 << (2 * SIZE_BITS()));
    second += cashMicros * (1 << shift);
    shift += ORDER_CASH_BITS();
    committed[1] <== second + feeMicros * (1 << shift);
    assert(shift + ORDER_FEE_BITS() < 253);

    signal soldLots <== fields.isSell * fillLots;
    signal soldMicros <== fields.isSell * cashMicros;
    var changeLots = fillLots - 2 * soldLots;
    var flowMicros = 2 * soldMicros - cashMicros;
    var nonce = 32 * fields.nonceWord;
    for (var i = 0; i < 5; i++) { nonce += fields.nonceBits[i] * (1 << i); }
    signal accountPart <== beta[2] * signed.accountIndex;
    signal instrumentPart <== beta[1] * fields.instrumentId;
    signal wordPart <== beta[1] * fields.nonceWord;
    signal noncePart <== beta[1] * nonce;
    signal basePart <== wordPart - beta[1] * windowWords;
    signal filledPart <== beta[3] * filledBeforeLots;
    signal fillPart <== beta[3] * fillLots;
    signal digit <== UsedDigit(DIGIT_BITS)(fields.nonceBits);
    signal usedDigit <== (hasNonce - isContinued) * digit;

    signal entries[13];
    entries[0] <== BusEntry()(alpha, TAG_POSITION() + 16 * isShrinking + instrumentPart + accountPart + openedPart,
        -changeLots);
    entries[1] <== BusEntry()(alpha, TAG_CASH() + accountPart, feeMicros - flowMicros);
    entries[2] <== BusEntry()(alpha, TAG_FEES() + accountPart, -feeMicros);
    entries[3] <== BusEntry()(alpha, TAG_SIZE() + instrumentPart, changeLots);
    entries[4] <== BusEntry()(alpha, TAG_PAYMENT() + instrumentPart, flowMicros);
    entries[5] <== BusEntry()(alpha, TAG_FILLS() + 16 * isShrinking + instrumentPart, isOrder);
    entries[6] <== BusEntry()(alpha, TAG_ORDERS() + accountPart, isOrder);
    entries[7] <== BusEntry()(alpha, TAG_ACTIVITY() + basePart + accountPart, hasNonce);
    entries[8] <== BusEntry()(alpha, TAG_RECORD() + noncePart + accountPart + filledPart, isContinued);
    entries[9] <== BusEntry()(alpha, TAG_RECORD() + 16 + noncePart + accountPart + filledPart + fillPart, -isPartial);
    entries[10] <== BusEntry()(alpha, TAG_USED() + wordPart + accountPart, -usedDigit);
    entries[11] <== BusEntry()(alpha, TAG_RAISE() + accountPart, isRaising);
    entries[12] <== BusEntry()(alpha, TAG_EPOCH() + accountPart, fields.isCancelAll);
    var sum = 0;
    for (var i = 0; i < 13; i++) { sum += entries[i]; }
    busSum <== sum;
}
