pragma circom 2.2.0;

include "./bits.circom";
include "./option-limits.circom";

// Hint: the integer square root of n < 2^60, by Newton's method from above.
function squareRootDown(n) {
    if (n == 0) {
        return 0;
    }
    var root = 1 << ROOT_OF_TIME_BITS();
    var better = (root + n \ root) >> 1;
    while (better < root) {
        root = better;
        better = (root + n \ root) >> 1;
    }
    return root;
}

// Proves       root = floor(√(timeSec · TIME_SCALE)).
// Assumes      timeSec < 2^27; root is any hint.
// Guarantees   root < 2^30.
template RootOfTimeWithHint() {
    signal input timeSec;
    signal input root;

    RangeCheck(ROOT_OF_TIME_BITS())(root);
    // 0 ≤ n − root² ≤ 2·root, each side below 2^32 for the right root; below 2^62 nothing wraps.
    signal square <== root * root;
    RangeCheck(ROOT_OF_TIME_BITS() + 2)(timeSec * TIME_SCALE() - square);
    RangeCheck(ROOT_OF_TIME_BITS() + 2)(square + 2 * root - timeSec * TIME_SCALE());
}

// Proves       root = floor(√(timeSec · TIME_SCALE)): twin of rootOfTimeDown.
// Assumes      nothing of its inputs.
// Guarantees   timeSec < 2^27, root < 2^30.
template RootOfTime() {
    signal input timeSec;
    signal output root;

    RangeCheck(OPTION_TIME_BITS())(timeSec);
    root <-- squareRootDown(timeSec * TIME_SCALE());
    RootOfTimeWithHint()(timeSec, root);
}

// Proves       reciprocal = floor(RECIPROCAL_SCALE / fineSteps).
// Assumes      0 ≤ fineSteps < 2^28; reciprocal is any hint.
// Guarantees   reciprocal < 2^23, so fineSteps ≥ 14 564: below it there is no witness.
template ReciprocalWithHint() {
    signal input fineSteps;
    signal input reciprocal;

    RangeCheck(RECIPROCAL_BITS())(reciprocal);
    signal product <== reciprocal * fineSteps;
    // 0 ≤ remainder < fineSteps leaves one quotient; products stay below 2^51.
    RangeCheck(FINE_STEPS_BITS())(RECIPROCAL_SCALE() - product);
    RangeCheck(FINE_STEPS_BITS())(fineSteps - 1 - (RECIPROCAL_SCALE() - product));
}

// Proves       the total volatility of volPpm over the time behind rootOfTime on both grids, and its reciprocal: twin of
//              deviationOf in protocol/risk/option/deviation.ts.
// Assumes      rootOfTime < 2^30 (RootOfTime).
// Guarantees   volPpm < 2^23; 14 564 ≤ fineSteps < 2^28; fineSteps = coarseSteps · 2^13 + excess with
//              −2^12 ≤ excess < 2^12; coarseSteps < 2^16; reciprocal < 2^23.
template Deviation() {
    signal input volPpm;
    signal input rootOfTime;
    signal output fineSteps;
    signal output coarseSteps;
    signal output excess;
    signal output reciprocal;

    RangeCheck(VOL_BITS())(volPpm);
    signal product <== volPpm * rootOfTime;
    // One decomposition rounds twice: to fine steps, and with 2^12 of them added to coarse steps.
    var dropped = DEVIATION_DROPPED_BITS();
    var total = VOL_BITS() + ROOT_OF_TIME_BITS() + 1;
    component split = Bits(total);
    split.value <== product + (1 << (dropped - 1)) + (1 << (dropped + FINE_BITS() - 1));
    var low = 0;
    var high = 0;
    for (var i = 0; i < FINE_BITS(); i++) { low += split.bits[dropped + i] * (1 << i); }
    for (var i = dropped + FINE_BITS(); i < total; i++) {
        high += split.bits[i] * (1 << (i - dropped - FINE_BITS()));
    }
    excess <== low - (1 << (FINE_BITS() - 1));
    coarseSteps <== high;
    fineSteps <== high * (1 << FINE_BITS()) + excess;

    reciprocal <-- fineSteps == 0 ? 0 : RECIPROCAL_SCALE() \ fineSteps;
    ReciprocalWithHint()(fineSteps, reciprocal);
}
