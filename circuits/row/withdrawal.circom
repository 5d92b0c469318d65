pragma circom 2.2.0;

include "../limits.circom";
include "../arithmetic/range.circom";
include "../arithmetic/select.circom";
include "../bus/bus.circom";
include "../order/message.circom";
include "../order/signed-tree.circom";

// Proves       one signed withdrawal: signed, not expired, inside its nonce window, 0 < served ≤ amount. Message 0 is an
//              unused row and has no effect.
// Assumes      account indices are pairwise distinct; batchTimeSec < 2^TIME_BITS.
// Guarantees   isHere marks its account row; word as docs/protocol.md §7. That served < amount only for want of
//              liquidity is the contract's check.
template WithdrawalRow(SIGNATURES, ACCOUNTS, DIGIT_BITS) {
    signal input message;
    signal input signatureIndex;
    signal input place;
    signal input children[2][4];
    signal input signatureIsUsed[SIGNATURES];
    signal input signatureAccount[SIGNATURES];
    signal input signatureRoot[SIGNATURES];
    signal input signatureIsDepth1[SIGNATURES];
    signal input signatureIsDepth2[SIGNATURES];
    signal input accountIndexes[ACCOUNTS];
    signal input newBaseWords[ACCOUNTS];
    signal input servedAmount;
    signal input isRaising;
    signal input isShrinking;
    signal input batchTimeSec;
    signal input alpha;
    signal input beta[BETA_POWERS()];
    signal output isUsed;
    signal output isQuote;
    signal output isHere[ACCOUNTS];
    signal output word;
    signal output committed;
    signal output busSum;

    component fields = WithdrawalFields();
    fields.message <== message;
    isUsed <== fields.isUsed;
    isQuote <== fields.isQuote;
    component signed = SignedMessage(SIGNATURES);
    signed.message <== message;
    signed.isUsed <== isUsed;
    signed.signatureIndex <== signatureIndex;
    signed.place <== place;
    signed.children <== children;
    signed.signatureIsUsed <== signatureIsUsed;
    signed.signatureAccount <== signatureAccount;
    signed.signatureRoot <== signatureRoot;
    signed.signatureIsDepth1 <== signatureIsDepth1;
    signed.signatureIsDepth2 <== signatureIsDepth2;
    isHere <== FindKey(ACCOUNTS)(accountIndexes, signed.accountIndex, isUsed);

    RangeCheck(AMOUNT_BITS())(servedAmount);
    RangeCheck(AMOUNT_BITS())(fields.amount - servedAmount);
    signal servedInverse <-- servedAmount == 0 ? 0 : isUsed / servedAmount;
    servedAmount * servedInverse === isUsed;
    signal isShort <== IsNonZero()(fields.amount - servedAmount);
    RangeCheck(TIME_BITS())(isUsed * (fields.expirySec - batchTimeSec));

    RequireBit()(isRaising);
    RequireBit()(isShrinking);
    (1 - isUsed) * (isRaising + isShrinking) === 0;
    signal newBaseWord <== Selected(ACCOUNTS)(isHere, newBaseWords);
    signal windowWords <== fields.nonceWord - newBaseWord;
    RangeCheck(FLOOR_BACK_BITS())(windowWords);
    RangeCheck(FLOOR_BACK_BITS())(fields.floorBackWords - windowWords);
    isRaising * (fields.floorBackWords - windowWords) === 0;

    signal accountIndex <== isUsed * signed.accountIndex;
    var at = ACCOUNT_INDEX_BITS();
    var packed = accountIndex + fields.tokenId * (1 << at);
    at += TOKEN_ID_BITS();
    packed += servedAmount * (1 << at);
    at += AMOUNT_BITS();
    word <== packed + isShort * (1 << at);
    committed <== message + (signatureIndex + 256 * isRaising + 512 * isShrinking) * (1 << WITHDRAW_MESSAGE_BITS());

    signal servedMicros <== isQuote * servedAmount;
    signal accountPart <== beta[2] * accountIndex;
    signal tokenPart <== beta[1] * fields.tokenId;
    signal wordPart <== beta[1] * fields.nonceWord;
    signal digit <== UsedDigit(DIGIT_BITS)(fields.nonceBits);
    signal usedDigit <== isUsed * digit;
    signal entries[4];
    entries[0] <== BusEntry()(alpha, TAG_CASH() + accountPart, servedMicros);
    entries[1] <== BusEntry()(alpha, TAG_POSITION() + 16 * isShrinking + tokenPart + accountPart,
        servedAmount - servedMicros);
    entries[2] <== BusEntry()(alpha, TAG_USED() + wordPart + accountPart, -usedDigit);
    entries[3] <== BusEntry()(alpha, TAG_RAISE() + accountPart, isRaising);
    busSum <== entries[0] + entries[1] + entries[2] + entries[3];
}
