pragma circom 2.2.0;

include "circomlib/circuits/comparators.circom";
include "./bits.circom";
include "./option-limits.circom";

// Proves       isNonNegative = 1 if value ≥ 0, else 0.
// Assumes      |value| < 2^BITS as an integer; the bit is any hint.
// Guarantees   one bit only: value or −value − 1 is in range, never both.
template SignWithHint(BITS) {
    assert(BITS < 252);
    signal input value;
    signal input isNonNegative;

    isNonNegative * (isNonNegative - 1) === 0;
    signal kept <== isNonNegative * value;
    RangeCheck(BITS)(2 * kept - value - 1 + isNonNegative);
}

// As SignWithHint, which says what is proved, assumed and guaranteed.
template IsNonNegative(BITS) {
    signal input value;
    signal output isNonNegative;

    isNonNegative <-- value < 0 ? 0 : 1; // comparison is signed
    SignWithHint(BITS)(value, isNonNegative);
}

// Proves       isSound = 1 if the marks of a block's calls leave no riskless profit within a tolerance of F/1024, else 0:
//              they fall with the strike, by no more than it rises, and are convex in it. Twin of isBlockSound in
//              protocol/risk/surface.ts. A strike that is not listed takes part in nothing.
// Assumes      forward < 2^33, marks and strikes < 2^35, isListed are bits. That listed strikes ascend without holes is
//              the registry's duty: a pair with a hole between would not be compared.
// Guarantees   isSound is a bit.
template BlockSurface(STRIKES) {
    signal input forward;
    signal input strikes[STRIKES];
    signal input marks[STRIKES];
    signal input isListed[STRIKES];
    signal output isSound;

    var toleranceBits = SURFACE_TOLERANCE_BITS();
    component forwardBits = Bits(FORWARD_BITS());
    forwardBits.value <== forward;
    var tolerance = 0;
    for (var i = toleranceBits; i < FORWARD_BITS(); i++) { tolerance += forwardBits.bits[i] * (1 << (i - toleranceBits)); }

    // Differences of two values below 2^35, and a tolerance below 2^23; their products, three of them, below 2^74.
    var pairBits = STRIKE_BITS() + 2;
    var tripleBits = 2 * (STRIKE_BITS() + 2);
    var pairs = STRIKES > 1 ? STRIKES - 1 : 0;
    var triples = STRIKES > 2 ? STRIKES - 2 : 0;
    signal areListed[pairs];
    signal rise[pairs];
    signal excess[pairs];
    signal isFalling[pairs];
    signal isFallBounded[pairs];
    signal firstProduct[triples];
    signal secondProduct[triples];
    signal slack[triples];
    signal areThreeListed[triples];
    signal convexity[triples];
    signal isConvex[triples];
    var violations = 0;
    for (var i = 0; i < pairs; i++) {
        areListed[i] <== isListed[i] * isListed[i + 1];
        rise[i] <== areListed[i] * (marks[i] - marks[i + 1] + tolerance);
        excess[i] <== areListed[i] * (strikes[i + 1] - strikes[i] + tolerance - marks[i] + marks[i + 1]);
        isFalling[i] <== IsNonNegative(pairBits)(rise[i]);
        isFallBounded[i] <== IsNonNegative(pairBits)(excess[i]);
        violations += 2 - isFalling[i] - isFallBounded[i];
    }
    for (var i = 0; i < triples; i++) {
        firstProduct[i] <== (marks[i] - marks[i + 1]) * (strikes[i + 2] - strikes[i + 1]);
        secondProduct[i] <== (marks[i + 1] - marks[i + 2]) * (strikes[i + 1] - strikes[i]);
        slack[i] <== tolerance * (strikes[i + 2] - strikes[i]);
        areThreeListed[i] <== areListed[i] * isListed[i + 2];
        convexity[i] <== areThreeListed[i] * (firstProduct[i] - secondProduct[i] + slack[i]);
        isConvex[i] <== IsNonNegative(tripleBits)(convexity[i]);
        violations += 1 - isConvex[i];
    }
    isSound <== IsZero()(violations);
}
