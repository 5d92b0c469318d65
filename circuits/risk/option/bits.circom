pragma circom 2.2.0;

include "../../arithmetic/range.circom";

// Proves       value = Σ bits[i] · 2^i with every bit 0 or 1.
// Assumes      nothing of its inputs.
// Guarantees   0 ≤ value < 2^COUNT as an integer; the bits are the only ones, because 2^COUNT is below the field's size.
template Bits(COUNT) {
    assert(COUNT < 254);
    signal input value;
    signal output bits[COUNT];

    var sum = 0;
    for (var i = 0; i < COUNT; i++) {
        bits[i] <-- (value >> i) & 1;
        bits[i] * (bits[i] - 1) === 0;
        sum += bits[i] * (1 << i);
    }
    sum === value;
}

// Proves       rounded = value / 2^DROPPED_BITS to nearest, halves up, for a value of either sign.
// Assumes      nothing of its inputs.
// Guarantees   −2^(KEPT_BITS − 1) ≤ rounded < 2^(KEPT_BITS − 1); there is no witness for a value outside. Kept and
//              dropped bits are both checked: with the dropped ones alone the quotient could be any field element.
template RoundSigned(KEPT_BITS, DROPPED_BITS) {
    assert(DROPPED_BITS > 0 && KEPT_BITS + DROPPED_BITS < 253);
    signal input value;
    signal output rounded;

    var bias = 1 << (KEPT_BITS - 1 + DROPPED_BITS);
    component all = Bits(KEPT_BITS + DROPPED_BITS);
    all.value <== value + (1 << (DROPPED_BITS - 1)) + bias;
    var kept = 0;
    for (var i = 0; i < KEPT_BITS; i++) { kept += all.bits[DROPPED_BITS + i] * (1 << i); }
    rounded <== kept - (1 << (KEPT_BITS - 1));
}

// Proves       larger = max(a, b).
// Assumes      |a − b| < 2^BITS as integers; isFirst is any hint.
// Guarantees   where a = b either hint passes and the result is the same.
template LargerWithHint(BITS) {
    assert(BITS < 252);
    signal input a;
    signal input b;
    signal input isFirst;
    signal output larger;

    isFirst * (isFirst - 1) === 0;
    larger <== b + isFirst * (a - b);
    // |a − b| for the larger, −|a − b| for the smaller.
    RangeCheck(BITS)(2 * larger - a - b);
}

// Proves       larger = max(a, b).
// Assumes      |a − b| < 2^BITS as integers.
// Guarantees   larger is one of the two and not below the other.
template Larger(BITS) {
    signal input a;
    signal input b;
    signal output larger;

    signal isFirst <-- a - b < 0 ? 0 : 1; // comparison is signed: a − b stays below half the field
    larger <== LargerWithHint(BITS)(a, b, isFirst);
}
