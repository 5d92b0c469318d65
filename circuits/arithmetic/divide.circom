pragma circom 2.2.0;

include "./range.circom";

// Bits of a positive constant.
function bitLength(value) {
    var bits = 0;
    var rest = value;
    while (rest > 0) {
        bits++;
        rest = rest >> 1;
    }
    return bits;
}

// Proves       quotient = numerator / DIVISOR rounded to nearest, halves up.
// Assumes      0 ≤ numerator < 2^NUMERATOR_BITS (the caller's ranges).
// Guarantees   quotient < 2^QUOTIENT_BITS; where the true quotient is larger there is no witness.
template DivideNearest(NUMERATOR_BITS, DIVISOR, QUOTIENT_BITS) {
    var remainderBits = bitLength(2 * DIVISOR - 1);
    // Both sides of the identity stay below 2^253 < p, so it holds over the integers.
    assert(NUMERATOR_BITS + 2 < 253 && QUOTIENT_BITS + remainderBits + 1 < 253);
    signal input numerator;
    signal output quotient;

    // nearest(n / d) = floor((2n + d) / 2d). Division is no constraint, so the prover names the quotient …
    quotient <-- (2 * numerator + DIVISOR) \ (2 * DIVISOR);
    signal remainder <== 2 * numerator + DIVISOR - quotient * (2 * DIVISOR);
    // … and 0 ≤ remainder < 2·DIVISOR leaves one choice. The second check is the upper end.
    RangeCheck(QUOTIENT_BITS)(quotient);
    RangeCheck(remainderBits)(remainder);
    RangeCheck(remainderBits)(2 * DIVISOR - 1 - remainder);
}

// Proves       quotient = numerator / 2^SHIFT rounded to nearest, halves up.
// Assumes      nothing of its inputs.
// Guarantees   numerator < 2^(NUMERATOR_BITS + 1) and quotient ≤ 2^(NUMERATOR_BITS − SHIFT + 1).
template ShiftRightNearest(NUMERATOR_BITS, SHIFT) {
    assert(SHIFT > 0 && NUMERATOR_BITS > SHIFT && NUMERATOR_BITS + 1 < 253);
    signal input numerator;
    signal output quotient;

    // The prover names the high part; with the low part below 2^SHIFT there is one choice.
    quotient <-- (numerator + (1 << (SHIFT - 1))) >> SHIFT;
    RangeCheck(NUMERATOR_BITS + 1 - SHIFT)(quotient);
    RangeCheck(SHIFT)(numerator + (1 << (SHIFT - 1)) - quotient * (1 << SHIFT));
}
