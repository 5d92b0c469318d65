pragma circom 2.2.0;

include "../limits.circom";
include "../arithmetic/poseidon.circom";

function RECORD_BITS() { return RECORD_OFFSET_BITS() + SIZE_BITS(); }
function SLOT_BITS() { return INSTRUMENT_ID_BITS() + 1 + SIZE_BITS(); }

function furtherRecordElements(recordSlots) {
    return recordSlots > 2 ? (recordSlots - 2 + 3) \ 4 : 0;
}

// Elements of a leaf (protocol/leaf.ts): key, status, cash, further records, slots, last slot with the spot lots.
function leafElementCount(derivativeSlots, recordSlots) {
    return 4 + furtherRecordElements(recordSlots) + (derivativeSlots - 1 + 2) \ 3 + 1;
}

// Proves       hash = leafHash(account): packs the fields as docs/protocol.md §2 says.
// Assumes      every field is range-checked to its width by the caller, so the packing is injective.
// Guarantees   one hash has one account (Poseidon); no element wraps: the longest, with cash, has 245 bits.
template AccountLeaf(DERIVATIVE_SLOTS, RECORD_SLOTS) {
    var ELEMENTS = leafElementCount(DERIVATIVE_SLOTS, RECORD_SLOTS);
    signal input publicKey[2];
    signal input usedMap;
    signal input epoch;
    signal input cashStarMicros;
    signal input baseWord;
    signal input records[RECORD_SLOTS];
    signal input slots[DERIVATIVE_SLOTS];
    signal input spotLots[SPOT_SLOTS()];
    signal output elements[ELEMENTS];
    signal output hash;

    elements[0] <== publicKey[0];
    elements[1] <== publicKey[1];
    elements[2] <== usedMap + epoch * (1 << USED_MAP_BITS());
    var shift = CASH_STAR_BITS() + 1;
    var cash = cashStarMicros + (1 << CASH_STAR_BITS()) + baseWord * (1 << shift);
    shift += NONCE_WORD_BITS();
    for (var i = 0; i < 2 && i < RECORD_SLOTS; i++) { cash += records[i] * (1 << (shift + i * RECORD_BITS())); }
    elements[3] <== cash;
    var at = 4;
    for (var e = 0; e < furtherRecordElements(RECORD_SLOTS); e++) {
        var element = 0;
        for (var j = 0; j < 4; j++) {
            if (2 + 4 * e + j < RECORD_SLOTS) { element += records[2 + 4 * e + j] * (1 << (j * RECORD_BITS())); }
        }
        elements[at + e] <== element;
    }
    at += furtherRecordElements(RECORD_SLOTS);
    for (var e = 0; e < (DERIVATIVE_SLOTS - 1 + 2) \ 3; e++) {
        var element = 0;
        for (var j = 0; j < 3; j++) {
            if (3 * e + j < DERIVATIVE_SLOTS - 1) { element += slots[3 * e + j] * (1 << (j * SLOT_BITS())); }
        }
        elements[at + e] <== element;
    }
    var last = slots[DERIVATIVE_SLOTS - 1];
    for (var t = 0; t < SPOT_SLOTS(); t++) { last += spotLots[t] * (1 << (SLOT_BITS() + t * SIZE_BITS())); }
    elements[ELEMENTS - 1] <== last;

    component poseidon = Poseidon(ELEMENTS);
    poseidon.inputs <== elements;
    hash <== poseidon.out;
}
