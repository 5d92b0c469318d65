pragma circom 2.2.0;

include "./bits.circom";
include "./normal.circom";
include "./option-limits.circom";

// Proves       callQ52 = forward · Φ(d1) − strike · Φ(d2) and callDeltaQ52 = forward · Φ(d1) in 2^-52 micros per lot:
//              twin of priceCall in protocol/risk/option/black76.ts. Nothing is rounded.
// Assumes      forward < 2^36, strike < 2^35, |logMoneyness| < 2^21 (Log), the four values of Deviation. The hints are
//              any: the signs of d2 and d1, and an inverse that only matters where |d2| ≥ 24.
// Guarantees   |callQ52|, |callDeltaQ52| < 2^89.
template PriceWithHints() {
    signal input forward;
    signal input strike;
    signal input logMoneyness;
    signal input fineSteps;
    signal input coarseSteps;
    signal input excess;
    signal input reciprocal;
    signal input isD2Negative;
    signal input isD1Negative;
    signal input farInverse;
    signal output callQ52;
    signal output callDeltaQ52;

    // d2 in 2^-19 steps. 2·d2 + 1 is odd, so never 0: one sign, one magnitude 2·m + 1.
    signal quotient <== logMoneyness * reciprocal;
    var d2 = quotient - 32 * fineSteps;
    isD2Negative * (isD2Negative - 1) === 0;
    signal d2Sign <== 1 - 2 * isD2Negative;
    signal d2Odd <== d2Sign * (2 * d2 + 1);
    component d2Bits = Bits(D2_BITS());
    d2Bits.value <== (d2Odd - 1) / 2;

    // Beyond 24 deviations the place is 24: then d1, at most 17.3 further, is still beyond 6.
    var stepBits = D2_STEPS_BITS();
    var dropped = D2_DROPPED_BITS();
    var near = 0;
    for (var i = 0; i < stepBits; i++) { near += d2Bits.bits[dropped + i] * (1 << i); }
    var far = 0;
    for (var i = dropped + stepBits; i < D2_BITS(); i++) { far += d2Bits.bits[i] * (1 << (i - dropped - stepBits)); }
    signal isFar <== far * farInverse;
    (1 - isFar) * far === 0;
    signal d2Steps <== near + isFar * ((1 << stepBits) - near);

    // Saturated from 6 deviations, 2^13 steps, on: one of the bits above.
    var gridBits = CDF_PIECE_BITS() + CDF_ARGUMENT_BITS();
    signal isD2Below24 <== (1 - d2Bits.bits[dropped + gridBits]) * (1 - d2Bits.bits[dropped + gridBits + 1]);
    signal isD2Inside <== isD2Below24 * (1 - isFar);
    component d2Normal = NormalOnGrid(0);
    for (var i = 0; i < gridBits; i++) { d2Normal.bits[i] <== d2Bits.bits[dropped + i]; }
    d2Normal.sign <== d2Sign;
    d2Normal.isSaturated <== 1 - isD2Inside;

    // d1 = d2 + the coarse part of s, in half steps: an even number added to an odd one.
    signal d2HalfSteps <== d2Sign * (2 * d2Steps + 1);
    isD1Negative * (isD1Negative - 1) === 0;
    signal d1Sign <== 1 - 2 * isD1Negative;
    signal d1Odd <== d1Sign * (d2HalfSteps + 2 * coarseSteps);
    component d1Bits = Bits(D1_STEPS_BITS());
    d1Bits.value <== (d1Odd - 1) / 2;
    signal isD1Below12 <== (1 - d1Bits.bits[gridBits]) * (1 - d1Bits.bits[gridBits + 1]);
    signal isD1Inside <== isD1Below12 * (1 - d1Bits.bits[gridBits + 2]);
    component d1Normal = NormalOnGrid(1);
    for (var i = 0; i < gridBits; i++) { d1Normal.bits[i] <== d1Bits.bits[i]; }
    d1Normal.sign <== d1Sign;
    d1Normal.isSaturated <== 1 - isD1Inside;

    // The part of s below the coarse grid enters to first order.
    signal correction <== d1Normal.perFineStep * excess;
    callDeltaQ52 <== forward * (d1Normal.probability + correction);
    signal exercise <== strike * d2Normal.probability;
    callQ52 <== callDeltaQ52 - exercise;
}

// As PriceWithHints, which says what is proved, assumed and guaranteed.
template Price() {
    signal input forward;
    signal input strike;
    signal input logMoneyness;
    signal input fineSteps;
    signal input coarseSteps;
    signal input excess;
    signal input reciprocal;
    signal output callQ52;
    signal output callDeltaQ52;

    // It binds each hint.
    component price = PriceWithHints();
    // Comparisons with 0 are signed.
    var d2 = logMoneyness * reciprocal - 32 * fineSteps;
    signal isD2Negative <-- d2 < 0 ? 1 : 0;
    price.isD2Negative <== isD2Negative;
    var magnitude = d2 < 0 ? -d2 - 1 : d2;
    var steps = magnitude >> D2_DROPPED_BITS();
    var far = steps >> D2_STEPS_BITS();
    signal farInverse <-- far == 0 ? 0 : 1 / far;
    price.farInverse <== farInverse;
    var clamped = far == 0 ? steps : (1 << D2_STEPS_BITS());
    var d1HalfSteps = (d2 < 0 ? -2 * clamped - 1 : 2 * clamped + 1) + 2 * coarseSteps;
    signal isD1Negative <-- d1HalfSteps < 0 ? 1 : 0;
    price.isD1Negative <== isD1Negative;

    price.forward <== forward;
    price.strike <== strike;
    price.logMoneyness <== logMoneyness;
    price.fineSteps <== fineSteps;
    price.coarseSteps <== coarseSteps;
    price.excess <== excess;
    price.reciprocal <== reciprocal;
    callQ52 <== price.callQ52;
    callDeltaQ52 <== price.callDeltaQ52;
}
