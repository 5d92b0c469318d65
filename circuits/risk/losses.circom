pragma circom 2.2.0;

include "../arithmetic/poseidon.circom";
include "../arithmetic/unpack.circom";
include "./columns.circom";
include "./risk-limits.circom";

// Elements that hold the losses of the used pairs, seven shifted losses of 36 bits to each, lowest first: lossElements of
// protocol/risk/table.ts.
function lossElementCount(SCENARIOS) {
    return (usedPairs(SCENARIOS) + PAIR_LOSSES_PER_ELEMENT() - 1) \ PAIR_LOSSES_PER_ELEMENT();
}

// Proves       hash = lossesHash of protocol/risk/table.ts: the losses of the pairs that columns use.
// Assumes      |losses| < 2^35 (OptionRow).
// Guarantees   one hash has one list of losses: within that bound the packs have one reading.
template LossesHash(SCENARIOS) {
    signal input losses[MOVE_PAIRS()];
    signal output hash;

    var COUNT = lossElementCount(SCENARIOS);
    assert(COUNT <= 16 && PAIR_LOSSES_PER_ELEMENT() * (PAIR_LOSS_BITS() + 1) < 254);
    var elements[16];
    for (var e = 0; e < 16; e++) { elements[e] = 0; }
    var next = 0;
    for (var p = 0; p < MOVE_PAIRS(); p++) {
        if (isPairUsed(SCENARIOS, p) == 1) {
            elements[next \ PAIR_LOSSES_PER_ELEMENT()] += (losses[p] + (1 << PAIR_LOSS_BITS()))
                * (1 << ((next % PAIR_LOSSES_PER_ELEMENT()) * (PAIR_LOSS_BITS() + 1)));
            next++;
        }
    }
    component poseidon = Poseidon(COUNT);
    for (var e = 0; e < COUNT; e++) { poseidon.inputs[e] <== elements[e]; }
    hash <== poseidon.out;
}

// Proves       losses are what the elements pack, and hash is theirs.
// Assumes      nothing of its inputs.
// Guarantees   |losses| ≤ 2^35; the split is the only one.
template UnpackLosses(SCENARIOS) {
    var PAIRS = usedPairs(SCENARIOS);
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
