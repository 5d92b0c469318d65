pragma circom 2.2.0;

// The bus: Σ amount / (α − key) = 0 over all entries of all rows, so the amounts cancel for every single key.
//
// A key is tag + 16·bit + β·a + β²·b + β³·c + β⁴·d. Tags are constants below 16 and `bit` is 0 or 1, so two keys are
// equal for a random β only if tag, bit and all fields are (at most 4 values of β make two different keys equal). No field
// needs a range check for that. Every field and amount must be fixed before the challenge it meets: everything in the
// commitment before r (which gives β, δ, γ), all W besides before α. docs/soundness.md §3 adds up the error.
//
//   tag        bit          a             b         c         d         amount from accounts, from rows
function TAG_POSITION() { return 1; }   // isShrinking  instrument    account   opened              new − old, −change
function TAG_WEIGHT() { return 2; }     // isShort      instrument                                  Σ δ^list · lots, −W
function TAG_CASH() { return 3; }       //                            account                       cash new − old, −flow
function TAG_RECORD() { return 4; }     // isChanged    nonce         account   filled              new 1, kept old −1
function TAG_USED() { return 5; }       //              nonce word    account                       bits new − old, −bit
function TAG_SIZE() { return 6; }       //              instrument                                  Σ signed fills = 0
function TAG_PAYMENT() { return 7; }    //              instrument                                  Σ signed cash = 0
function TAG_INTEREST() { return 8; }   //              instrument                                  Δ lots held, −Δ
function TAG_KEY() { return 9; }        //              epoch         account   Ax        Ay        −uses, +1
function TAG_ACTIVITY() { return 10; }  //              base word     account                       −count, +1
function TAG_EPOCH() { return 11; }     //                            account                       −isEpochChanged, +1
function TAG_RAISE() { return 12; }     //                            account                       −isRaised, +1
function TAG_ORDERS() { return 13; }    //                            account                       −count, +1
function TAG_FEES() { return 14; }      //                            account                       fees, −fee
function TAG_FILLS() { return 15; }     // isShrinking  instrument                                  −count, +1
// A tag of its own range: 0 with bit 0, which no other key has.
function TAG_MARKET() { return 0; }     //              slot          row hash  old OI    new OI    isUsed, −1

function BETA_POWERS() { return 5; }    // β⁰ … β⁴

// Proves       quotient = amount / (alpha − key): one entry of the fractional sum.
// Assumes      key and amount were fixed before alpha, so that alpha ≠ key but with probability < entries / p; there a
//              zero amount leaves the quotient free. The hint is guarded for completeness only.
// Guarantees   the quotient is the only one.
template BusEntry() {
    signal input alpha;
    signal input key;
    signal input amount;
    signal output quotient;

    quotient <-- alpha == key ? 0 : amount / (alpha - key);
    quotient * (alpha - key) === amount;
}

// Proves       powers[i] = base^i.
// Assumes      nothing of its inputs.
// Guarantees   powers[0] = 1, for any base.
template Powers(COUNT) {
    signal input base;
    signal output powers[COUNT];
    powers[0] <== 1;
    if (COUNT > 1) {
        powers[1] <== base;
    }
    for (var i = 2; i < COUNT; i++) {
        powers[i] <== powers[i - 1] * base;
    }
}

// Used bits travel as digits: a word of the nonce map is Σ bit_j · 2^(DIGIT_BITS·j), a row adds one digit. With fewer
// than 2^DIGIT_BITS − 1 rows in a batch no digit carries into the next, so equal sums mean equal bits.
function usedDigitBits(rows) {
    var bits = 1;
    while ((1 << bits) < rows + 2) { bits++; }
    return bits;
}

// Bits of a count of at most `rows`.
function countBits(rows) {
    var bits = 1;
    while ((1 << bits) <= rows) { bits++; }
    return bits;
}

// Proves       digit = 2^(DIGIT_BITS · Σ bits[i]·2^i).
// Assumes      bits are 0 or 1 (OrderFields, WithdrawalFields).
// Guarantees   digit < 2^252: the digits of a word are one integer.
template UsedDigit(DIGIT_BITS) {
    assert(32 * DIGIT_BITS < 252);
    signal input bits[5];
    signal output digit;

    signal product[5];
    product[0] <== 1 + bits[0] * ((1 << DIGIT_BITS) - 1);
    for (var i = 1; i < 5; i++) {
        product[i] <== product[i - 1] * (1 + bits[i] * ((1 << (DIGIT_BITS * (1 << i))) - 1));
    }
    digit <== product[4];
}
