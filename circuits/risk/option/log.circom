pragma circom 2.2.0;

include "./bits.circom";
include "./option-limits.circom";
include "./piecewise.circom";

// Proves       logarithm = ln(x / 2^SCALE_BITS) to nearest in 2^-16: twin of logNearest in protocol/risk/option/fixed-log.ts.
// Assumes      x is an integer, |x| < 2^100: of a field fraction such as (2^35 + 1)/2 the normalised mantissa would
//              also fit, so every caller range-checks what x is made of. isExponent is any hint.
// Guarantees   2^EXPONENT_MIN ≤ x < 2^(EXPONENT_MAX + 1), else there is no witness; |logarithm| < 2^(RESULT_BITS − 1).
template LogWithHint(EXPONENT_MIN, EXPONENT_MAX, SCALE_BITS, RESULT_BITS) {
    var mantissaBits = LOG_PIECE_BITS() + LOG_ARGUMENT_BITS();
    assert(EXPONENT_MIN >= 0 && EXPONENT_MAX >= mantissaBits && EXPONENT_MAX < 64);
    var count = EXPONENT_MAX - EXPONENT_MIN + 1;
    signal input x;
    signal input isExponent[count];
    signal output logarithm;

    var ones = 0;
    var exponent = 0;
    var scale = 0;
    for (var i = 0; i < count; i++) {
        isExponent[i] * (isExponent[i] - 1) === 0;
        ones += isExponent[i];
        exponent += isExponent[i] * (EXPONENT_MIN + i);
        scale += isExponent[i] * (1 << (count - 1 - i));
    }
    ones === 1;
    // x · 2^(EXPONENT_MAX − e) lies in [2^EXPONENT_MAX, 2^(EXPONENT_MAX + 1)) for one e only.
    signal normalised <== x * scale;
    component rest = Bits(EXPONENT_MAX);
    rest.value <== normalised - (1 << EXPONENT_MAX);

    var argument = -(1 << (LOG_ARGUMENT_BITS() - 1));
    var first = EXPONENT_MAX - mantissaBits; // bits below it are dropped
    for (var i = 0; i < LOG_ARGUMENT_BITS(); i++) { argument += rest.bits[first + i] * (1 << i); }
    component monomials = Monomials();
    for (var i = 0; i < 4; i++) { monomials.bits[i] <== rest.bits[first + LOG_ARGUMENT_BITS() + i]; }
    component mantissaLog = PiecewisePolynomial(2, LOG_TABLE());
    mantissaLog.monomials <== monomials.monomials;
    mantissaLog.isUpper <== rest.bits[EXPONENT_MAX - 1];
    mantissaLog.argument <== argument;

    logarithm <== RoundSigned(RESULT_BITS, LOG_INNER_BITS() - LOG_BITS())(
        (exponent - SCALE_BITS) * LOG_OF_TWO() + mantissaLog.value
    );
}

// As LogWithHint, which says what is proved, assumed and guaranteed.
template Log(EXPONENT_MIN, EXPONENT_MAX, SCALE_BITS, RESULT_BITS) {
    var count = EXPONENT_MAX - EXPONENT_MIN + 1;
    signal input x;
    signal output logarithm;

    signal isExponent[count];
    for (var i = 0; i < count; i++) { isExponent[i] <-- (x >> (EXPONENT_MIN + i)) == 1 ? 1 : 0; }
    logarithm <== LogWithHint(EXPONENT_MIN, EXPONENT_MAX, SCALE_BITS, RESULT_BITS)(x, isExponent);
}

// Proves       logarithm = ln(strike) in 2^-16, once at listing.
// Assumes      nothing of its inputs.
// Guarantees   0 < strike < 2^35.
template StrikeLog() {
    signal input strike;
    signal output logarithm;

    RangeCheck(STRIKE_BITS())(strike);
    logarithm <== Log(0, STRIKE_BITS() - 1, 0, 22)(strike);
}
