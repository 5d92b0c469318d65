pragma circom 2.2.0;

include "../limits.circom";
include "../arithmetic/range.circom";
include "../arithmetic/select.circom";
include "circomlib/circuits/bitify.circom";

// Proves       the map of used nonces moves with the base word: by whole words, never back, and only if isRaised.
//              An epoch change empties the map and sets the base to 0.
// Assumes      isRaised and isEpochChanged are bits and exclude each other (row/account.circom).
// Guarantees   usedDigits[w] = digits of new word w minus those kept from the old map: what the batch's messages must
//              have used. droppedNonces: offsets below it left the window (256: all).
template NonceWindow(WORDS, DIGIT_BITS) {
    signal input oldUsedMap;
    signal input newUsedMap;
    signal input oldBaseWord;
    signal input newBaseWord;
    signal input isRaised;
    signal input isEpochChanged;
    signal output usedDigits[WORDS];
    signal output droppedNonces;

    RangeCheck(NONCE_WORD_BITS())(oldBaseWord);
    RangeCheck(NONCE_WORD_BITS())(newBaseWord);
    (1 - isRaised - isEpochChanged) * (newBaseWord - oldBaseWord) === 0;
    isEpochChanged * newBaseWord === 0;

    // isShift[s]: the window moved by s words; isFar: nothing of the old window is left.
    signal isShift[WORDS];
    var isNear = 0;
    var words = 0;
    for (var s = 0; s < WORDS; s++) {
        isShift[s] <-- (newBaseWord - oldBaseWord == s) && isEpochChanged == 0 ? 1 : 0;
        isShift[s] * (newBaseWord - oldBaseWord - s) === 0;
        isNear += isShift[s];
        words += s * isShift[s];
    }
    // At most one s can be the difference, so isFar being a bit makes that one isShift a bit too.
    signal isFar <== 1 - isNear;
    RequireBit()(isFar);
    isEpochChanged * (1 - isFar) === 0;
    signal excessWords <== (isFar - isEpochChanged) * (newBaseWord - oldBaseWord - WORDS);
    RangeCheck(NONCE_WORD_BITS())(excessWords);
    // Offsets have 8 bits, so 256 drops every record.
    droppedNonces <== 32 * words + 256 * isFar;

    component oldBits = Num2Bits(32 * WORDS);
    oldBits.in <== oldUsedMap;
    component newBits = Num2Bits(32 * WORDS);
    newBits.in <== newUsedMap;
    signal kept[WORDS][WORDS];
    for (var w = 0; w < WORDS; w++) {
        var newDigits = 0;
        for (var j = 0; j < 32; j++) { newDigits += newBits.out[32 * w + j] * (1 << (DIGIT_BITS * j)); }
        var keptDigits = 0;
        for (var s = 0; s < WORDS; s++) {
            var oldDigits = 0;
            if (w + s < WORDS) {
                for (var j = 0; j < 32; j++) { oldDigits += oldBits.out[32 * (w + s) + j] * (1 << (DIGIT_BITS * j)); }
            }
            kept[w][s] <== isShift[s] * oldDigits;
            keptDigits += kept[w][s];
        }
        usedDigits[w] <== newDigits - keptDigits;
    }
}

// Proves       one record is in range and in its one form: empty is all zero, a live one has filled > 0.
// Assumes      nothing of its inputs.
// Guarantees   isLive is a bit; packed = offset:8 · filled:47.
template RecordFields() {
    signal input offset;
    signal input filledLots;
    signal output isLive;
    signal output packed;

    RangeCheck(RECORD_OFFSET_BITS())(offset);
    RangeCheck(SIZE_BITS())(filledLots);
    packed <== offset + filledLots * (1 << RECORD_OFFSET_BITS());
    signal inverse <-- filledLots == 0 ? 0 : 1 / filledLots;
    isLive <== filledLots * inverse;
    (1 - isLive) * packed === 0;
}

// Proves       the record lists of a leaf: the new one has empties first and then strictly rising offsets; old records
//              below the new base are dropped, the others kept.
// Assumes      droppedNonces ≤ 256 (NonceWindow).
// Guarantees   isOldKept and isNewLive are bits. That new offsets lie in the window follows from the bus: a record comes
//              from a fresh nonce, whose word is in the new map, or from a kept one.
template OrderRecords(COUNT) {
    signal input oldOffsets[COUNT];
    signal input oldFilledLots[COUNT];
    signal input newOffsets[COUNT];
    signal input newFilledLots[COUNT];
    signal input droppedNonces;
    signal output oldPacked[COUNT];
    signal output newPacked[COUNT];
    signal output isOldKept[COUNT];
    signal output isNewLive[COUNT];

    component before[COUNT];
    component after[COUNT];
    signal isDropped[COUNT];
    signal steps[COUNT];
    for (var i = 0; i < COUNT; i++) {
        before[i] = RecordFields();
        before[i].offset <== oldOffsets[i];
        before[i].filledLots <== oldFilledLots[i];
        oldPacked[i] <== before[i].packed;
        isDropped[i] <-- oldOffsets[i] < droppedNonces ? 1 : 0;
        RequireBit()(isDropped[i]);
        // Both answers are pinned: offset − dropped in 0 … 255 if kept, in −256 … −1 if dropped.
        RangeCheck(8)(oldOffsets[i] - droppedNonces + 256 * isDropped[i]);
        isOldKept[i] <== before[i].isLive * (1 - isDropped[i]);

        after[i] = RecordFields();
        after[i].offset <== newOffsets[i];
        after[i].filledLots <== newFilledLots[i];
        newPacked[i] <== after[i].packed;
        isNewLive[i] <== after[i].isLive;
    }
    for (var i = 1; i < COUNT; i++) {
        // A live record is followed by a live one with a larger offset; an empty one has offset 0, below any.
        steps[i] <== isNewLive[i - 1] * (newOffsets[i] - newOffsets[i - 1] - 1);
        RangeCheck(RECORD_OFFSET_BITS())(steps[i]);
    }
    steps[0] <== 0;
}
