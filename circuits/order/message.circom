pragma circom 2.2.0;

include "../limits.circom";
include "circomlib/circuits/bitify.circom";

// Proves       the fields are those of a message of kind order, cancel or cancel-all (docs/protocol.md §3); 0 is an unused row.
// Assumes      nothing of its inputs.
// Guarantees   every field has its width, no bit above them is set, kind < 4, and each kind leaves zero what it does
//              not use. isOrder, isCancel and isCancelAll are bits of which at most one is set.
template OrderFields() {
    signal input message;
    signal output isOrder;
    signal output isCancel;
    signal output isCancelAll;
    signal output instrumentId;
    signal output isSell;
    signal output isReduceOnly;
    signal output sizeLots;
    signal output limitMicrosPerLot;
    signal output expirySec;
    signal output nonceBits[5];
    signal output nonceWord;
    signal output floorBackWords;
    signal output feeCapPpm;

    var idAt = 4;
    var sellAt = idAt + INSTRUMENT_ID_BITS();
    var sizeAt = sellAt + 2;
    var limitAt = sizeAt + SIZE_BITS();
    var expiryAt = limitAt + PRICE_BITS();
    var nonceAt = expiryAt + TIME_BITS();
    var floorAt = nonceAt + NONCE_BITS();
    var capAt = floorAt + FLOOR_BACK_BITS();
    var end = capAt + FEE_CAP_BITS();
    component bits = Num2Bits(end);
    bits.in <== message;

    bits.out[2] === 0;
    bits.out[3] === 0;
    isCancelAll <== bits.out[0] * bits.out[1];
    isOrder <== bits.out[0] - isCancelAll;
    isCancel <== bits.out[1] - isCancelAll;

    var value = 0;
    for (var i = idAt; i < sellAt; i++) { value += bits.out[i] * (1 << (i - idAt)); }
    instrumentId <== value;
    isSell <== bits.out[sellAt];
    isReduceOnly <== bits.out[sellAt + 1];
    value = 0;
    for (var i = sizeAt; i < limitAt; i++) { value += bits.out[i] * (1 << (i - sizeAt)); }
    sizeLots <== value;
    value = 0;
    for (var i = limitAt; i < expiryAt; i++) { value += bits.out[i] * (1 << (i - limitAt)); }
    limitMicrosPerLot <== value;
    value = 0;
    for (var i = expiryAt; i < nonceAt; i++) { value += bits.out[i] * (1 << (i - expiryAt)); }
    expirySec <== value;
    for (var i = 0; i < 5; i++) { nonceBits[i] <== bits.out[nonceAt + i]; }
    value = 0;
    for (var i = nonceAt + 5; i < floorAt; i++) { value += bits.out[i] * (1 << (i - nonceAt - 5)); }
    nonceWord <== value;
    value = 0;
    for (var i = floorAt; i < capAt; i++) { value += bits.out[i] * (1 << (i - floorAt)); }
    floorBackWords <== value;
    value = 0;
    for (var i = capAt; i < end; i++) { value += bits.out[i] * (1 << (i - capAt)); }
    feeCapPpm <== value;

    // Sums of non-negative bits below p: zero only if every bit is.
    var orderOnly = 0;
    for (var i = idAt; i < nonceAt; i++) { orderOnly += bits.out[i]; }
    for (var i = capAt; i < end; i++) { orderOnly += bits.out[i]; }
    (1 - isOrder) * orderOnly === 0;
    var nonceAndFloor = 0;
    for (var i = nonceAt; i < capAt; i++) { nonceAndFloor += bits.out[i]; }
    (1 - isOrder - isCancel) * nonceAndFloor === 0;
}

// Proves       the fields are those of a withdrawal (docs/protocol.md §3); 0 is an unused row.
// Assumes      nothing of its inputs.
// Guarantees   kind is 4 or the whole message 0; tokenId < 4; every field has its width.
template WithdrawalFields() {
    signal input message;
    signal output isUsed;
    signal output isQuote;
    signal output tokenId;
    signal output amount;
    signal output expirySec;
    signal output nonceBits[5];
    signal output nonceWord;
    signal output floorBackWords;

    var amountAt = 4 + TOKEN_ID_BITS();
    var expiryAt = amountAt + AMOUNT_BITS();
    var nonceAt = expiryAt + TIME_BITS();
    var floorAt = nonceAt + NONCE_BITS();
    var end = floorAt + FLOOR_BACK_BITS();
    component bits = Num2Bits(end);
    bits.in <== message;

    bits.out[0] === 0;
    bits.out[1] === 0;
    bits.out[3] === 0;
    isUsed <== bits.out[2];
    (1 - isUsed) * message === 0;
    // Tokens 0 … 3; the field is 4 bits wide.
    bits.out[6] === 0;
    bits.out[7] === 0;
    signal isBase <== bits.out[4] + bits.out[5] - bits.out[4] * bits.out[5];
    isQuote <== isUsed * (1 - isBase);
    tokenId <== bits.out[4] + 2 * bits.out[5];

    var value = 0;
    for (var i = amountAt; i < expiryAt; i++) { value += bits.out[i] * (1 << (i - amountAt)); }
    amount <== value;
    value = 0;
    for (var i = expiryAt; i < nonceAt; i++) { value += bits.out[i] * (1 << (i - expiryAt)); }
    expirySec <== value;
    for (var i = 0; i < 5; i++) { nonceBits[i] <== bits.out[nonceAt + i]; }
    value = 0;
    for (var i = nonceAt + 5; i < floorAt; i++) { value += bits.out[i] * (1 << (i - nonceAt - 5)); }
    nonceWord <== value;
    value = 0;
    for (var i = floorAt; i < end; i++) { value += bits.out[i] * (1 << (i - floorAt)); }
    floorBackWords <== value;
}
