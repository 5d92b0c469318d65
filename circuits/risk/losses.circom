pragma circom 2.2.0;

include "../arithmetic/poseidon.circom";
include "../arithmetic/unpack.circom";
include "./columns.circom";

// |loss| of a revaluation below 2^35: a call is worth at most its forward, below 2^33 (OptionRow).
function PAIR_LOSS_BITS() { return 35; }
function PAIR_LOSSES_PER_ELEMENT() { return 7; }

function lossElementCount(SCENARIOS) {
    return (columnPairs(SCENARIOS) + PAIR_LOSSES_PER_ELEMENT() - 1) \ PAIR_LOSSES_PER_ELEMENT();
}

// Proves       losses are what the elements pack and hash is theirs: twin of lossElements and lossesHash in
//              protocol/risk/table.ts. Seven shifted losses of 36 bits an element, lowest first.
// Guarantees   |losses| ≤ 2^35; the split is the only one.
template UnpackLosses(SCENARIOS) {
    var PAIRS = columnPairs(SCENARIOS);
    var ELEMENTS = lossElementCount(SCENARIOS);
    signal input elements[ELEMENTS];
    signal output losses[PAIRS];
    signal output hash;

    var WIDTHS[PAIR_LOSSES_PER_ELEMENT()];
    for (var i = 0; i < PAIR_LOSSES_PER_ELEMENT(); i++) { WIDTHS[i] = PAIR_LOSS_BITS() + 1; }
    component fields[ELEMENTS];
    for (var e = 0; e < ELEMENTS; e++) {
        var rest = PAIRS - PAIR_LOSSES_PER_ELEMENT() * e;
        var count = rest < PAIR_LOSSES_PER_ELEMENT() ? rest : PAIR_LOSSES_PER_ELEMENT();
        fields[e] = Unpack(count, WIDTHS);
        fields[e].packed <== elements[e];
        for (var i = 0; i < count; i++) {
            losses[PAIR_LOSSES_PER_ELEMENT() * e + i] <== fields[e].fields[i] - (1 << PAIR_LOSS_BITS());
        }
    }
    hash <== Poseidon(ELEMENTS)(elements);
}

// The same from losses that are known to be in range.
// Assumes      |losses| < 2^35.
template PackLosses(SCENARIOS) {
    var PAIRS = columnPairs(SCENARIOS);
    var ELEMENTS = lossElementCount(SCENARIOS);
    signal input losses[PAIRS];
    signal output hash;

    signal elements[ELEMENTS];
    for (var e = 0; e < ELEMENTS; e++) {
        var packed = 0;
        for (var i = 0; i < PAIR_LOSSES_PER_ELEMENT(); i++) {
            var at = PAIR_LOSSES_PER_ELEMENT() * e + i;
            if (at < PAIRS) {
                packed += (losses[at] + (1 << PAIR_LOSS_BITS())) * (1 << (i * (PAIR_LOSS_BITS() + 1)));
            }
        }
        elements[e] <== packed;
    }
    hash <== Poseidon(ELEMENTS)(elements);
}
