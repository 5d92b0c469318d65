pragma circom 2.2.0;

include "../limits.circom";
include "../arithmetic/range.circom";
include "../arithmetic/select.circom";
include "circomlib/circuits/bitify.circom";

// Proves       the fields of one derivative slot are in range and in their one form: empty is all zero, open has
//              magnitude ≠ 0 and id ≥ 4, so no derivative slot can hold (or be short of) a spot token.
// Assumes      nothing of its inputs.
// Guarantees   packed = id:20 · isShort:1 · magnitude:47; size is signed; isOpen is a bit.
template SlotFields() {
    signal input instrumentId;
    signal input isShort;
    signal input magnitudeLots;
    signal output isOpen;
    signal output packed;
    signal output sizeLots;

    component idBits = Num2Bits(INSTRUMENT_ID_BITS());
    idBits.in <== instrumentId;
    RequireBit()(isShort);
    RangeCheck(SIZE_BITS())(magnitudeLots);
    packed <== instrumentId + isShort * (1 << INSTRUMENT_ID_BITS())
        + magnitudeLots * (1 << (INSTRUMENT_ID_BITS() + 1));

    // A non-zero magnitude makes `packed` non-zero, so the second line leaves isOpen = 1; a zero one leaves 0.
    signal inverse <-- magnitudeLots == 0 ? 0 : 1 / magnitudeLots;
    isOpen <== magnitudeLots * inverse;
    (1 - isOpen) * packed === 0;
    // FIRST_DERIVATIVE_ID is 4: one of the bits from 2 on is set exactly when id ≥ 4.
    var high = 0;
    for (var i = 2; i < INSTRUMENT_ID_BITS(); i++) { high += idBits.out[i]; }
    signal highInverse <-- high == 0 ? 0 : isOpen / high;
    high * highInverse === isOpen;

    sizeLots <== magnitudeLots - 2 * isShort * magnitudeLots;
}

// Proves       a slot before and after a batch: it may open, close and change, but not pass from one instrument to
//              another; with isShrinking = 1 the new position lies between 0 and the old one.
// Assumes      nothing of its inputs.
// Guarantees   instrumentId is that of both sides, 0 if both are empty.
template AlignedSlot() {
    signal input oldId;
    signal input oldIsShort;
    signal input oldMagnitudeLots;
    signal input newId;
    signal input newIsShort;
    signal input newMagnitudeLots;
    signal input isShrinking;
    signal output instrumentId;
    signal output oldPacked;
    signal output newPacked;
    signal output oldSizeLots;
    signal output newSizeLots;
    signal output isNewOpen;
    // Open before or after.
    signal output isHeld;

    component before = SlotFields();
    before.instrumentId <== oldId;
    before.isShort <== oldIsShort;
    before.magnitudeLots <== oldMagnitudeLots;
    component after = SlotFields();
    after.instrumentId <== newId;
    after.isShort <== newIsShort;
    after.magnitudeLots <== newMagnitudeLots;
    oldPacked <== before.packed;
    newPacked <== after.packed;
    oldSizeLots <== before.sizeLots;
    newSizeLots <== after.sizeLots;
    isNewOpen <== after.isOpen;
    isHeld <== Or()(before.isOpen, after.isOpen);

    instrumentId <== oldId + newId * (1 - before.isOpen);
    after.isOpen * (newId - instrumentId) === 0;

    RequireBit()(isShrinking);
    // Same side, or nothing left: an empty side has isShort = 0.
    signal isOtherSide <== after.isOpen * (newIsShort - oldIsShort);
    isShrinking * isOtherSide === 0;
    signal closedLots <== isShrinking * (oldMagnitudeLots - newMagnitudeLots);
    RangeCheck(SIZE_BITS())(closedLots);
}

// Proves       spot lots before and after are in range (never negative); isShrinking = 1 lets them only fall.
// Assumes      nothing of its inputs.
// Guarantees   both are below 2^47; isShrinking is a bit.
template SpotSlot() {
    signal input oldLots;
    signal input newLots;
    signal input isShrinking;

    RangeCheck(SIZE_BITS())(oldLots);
    RangeCheck(SIZE_BITS())(newLots);
    RequireBit()(isShrinking);
    signal closedLots <== isShrinking * (oldLots - newLots);
    RangeCheck(SIZE_BITS())(closedLots);
}

// Proves       slots that are open before or after a batch name pairwise different instruments: no leaf holds one
//              twice, and a position cannot pass from one slot to another, which would move it under no message.
// Assumes      isOpen are bits; open slots have ids from 4 on and the others 0 (AlignedSlot), so that of an open and an
//              empty slot nothing is asked.
// Guarantees   an instrument's change, weight and interest come from one slot.
template DistinctSlots(COUNT) {
    signal input instrumentIds[COUNT];
    signal input isOpen[COUNT];

    signal inverses[COUNT * COUNT];
    for (var i = 0; i < COUNT; i++) {
        for (var j = i + 1; j < COUNT; j++) {
            // Of an open and an empty slot the ids differ anyway (≥ 4 and 0).
            inverses[i * COUNT + j] <-- isOpen[i] == 0 || instrumentIds[i] == instrumentIds[j]
                ? 0 : 1 / (instrumentIds[i] - instrumentIds[j]);
            (instrumentIds[i] - instrumentIds[j]) * inverses[i * COUNT + j] === isOpen[i];
        }
    }
}
