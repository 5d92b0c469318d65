pragma circom 2.2.0;

include "./range.circom";
include "circomlib/circuits/bitify.circom";

// Scenario losses that fit four to a committed element: distance to a threshold and a side bit.
function LOSSES_PER_ELEMENT() { return 4; }

function lossElements(scenarios) {
    return (scenarios + LOSSES_PER_ELEMENT() - 1) \ LOSSES_PER_ELEMENT();
}

// Proves       kScan ≥ max(0, Σ of the k largest losses), for any threshold: k·t + Σ max(loss − t, 0) bounds that
//              sum from above (Rockafellar and Uryasev), and equals it at the best t.
// Assumes      0 < k ≤ 2^6 (batch.circom).
// Guarantees   losses[s] = t ± distances[s] with 0 ≤ distance < 2^DISTANCE_BITS; losses are fixed by
//              (t, committed), where `committed` packs distances and side bits. Soundness needs no range of t: the
//              Freivalds equation makes the losses true sums, so t is one of them give or take 2^DISTANCE_BITS.
template ScanUpperBound(SCENARIOS, DISTANCE_BITS, BOUND_BITS) {
    assert(LOSSES_PER_ELEMENT() * (DISTANCE_BITS + 1) < 253);
    signal input k;
    signal input threshold;
    signal input distances[SCENARIOS];
    signal input isAbove[SCENARIOS];
    signal input isPositive;
    signal output losses[SCENARIOS];
    signal output committed[lossElements(SCENARIOS)];
    signal output kScan;

    signal above[SCENARIOS];
    var aboveSum = 0;
    for (var s = 0; s < SCENARIOS; s++) {
        RangeCheck(DISTANCE_BITS)(distances[s]);
        isAbove[s] * (isAbove[s] - 1) === 0;
        above[s] <== isAbove[s] * distances[s];
        losses[s] <== threshold + 2 * above[s] - distances[s];
        aboveSum += above[s];
    }
    for (var e = 0; e < lossElements(SCENARIOS); e++) {
        var element = 0;
        for (var j = 0; j < LOSSES_PER_ELEMENT(); j++) {
            var s = LOSSES_PER_ELEMENT() * e + j;
            if (s < SCENARIOS) {
                element += (distances[s] + isAbove[s] * (1 << DISTANCE_BITS)) * (1 << (j * (DISTANCE_BITS + 1)));
            }
        }
        committed[e] <== element;
    }

    // max(0, bound): the side bit says which of the two it is, and the range check that it is the larger one.
    signal bound <== k * threshold + aboveSum;
    isPositive * (isPositive - 1) === 0;
    kScan <== isPositive * bound;
    RangeCheck(BOUND_BITS)(2 * kScan - bound);
}

// Proves       kScan ≤ max(0, Σ of the k largest losses): it is the sum of k chosen rows, or 0.
// Assumes      k is the k of the upper bound; losses are true sums (Freivalds).
// Guarantees   a choice of other rows, or of none, only makes it smaller.
template ScanLowerBound(SCENARIOS) {
    signal input k;
    signal input losses[SCENARIOS];
    signal input isChosen[SCENARIOS];
    signal input isPositive;
    signal output kScan;

    signal chosen[SCENARIOS];
    var count = 0;
    var sum = 0;
    for (var s = 0; s < SCENARIOS; s++) {
        isChosen[s] * (isChosen[s] - 1) === 0;
        chosen[s] <== isChosen[s] * losses[s];
        count += isChosen[s];
        sum += chosen[s];
    }
    isPositive * (isPositive - 1) === 0;
    count === k * isPositive;
    kScan <== sum;
}
