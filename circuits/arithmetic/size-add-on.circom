pragma circom 2.2.0;

include "./range.circom";

// The size add-on of one underlying, in hundredths: with d = |net delta| and T the unit of size,
// 0 up to T, 2·(d − T) up to 5·T, 5·d − 17·T up to 20·T, 10·d − 117·T beyond: convex and continuous, rates of 2, 5 and
// 10 % (docs/margin.md). Twin of sizeAddOnTimes100 in protocol/risk/size-add-on.ts.
function ADD_ON_BOUNDS() { return 3; }
function addOnBound(i) {
    var bounds[3] = [1, 5, 20];
    return bounds[i];
}
function addOnSlope(i) {
    var slopes[4] = [0, 2, 5, 10];
    return slopes[i];
}
function addOnOffset(i) {
    var offsets[4] = [0, 2, 17, 117];
    return offsets[i];
}

// Proves       addOnTimes100 is exactly the add-on of |delta|.
// Assumes      20·unit < 2^BITS.
// Guarantees   |delta| < 2^BITS + 20·unit as an integer. Every |delta| < 2^BITS has a witness.
template SizeAddOn(BITS) {
    signal input delta;
    signal input unit;
    signal input isNegative;
    signal input isPiece[ADD_ON_BOUNDS() + 1];
    signal output addOnTimes100;

    isNegative * (isNegative - 1) === 0;
    var pieces = 0;
    var lowFactor = 0;
    var highFactor = 0;
    var slope = 0;
    var offset = 0;
    for (var i = 0; i <= ADD_ON_BOUNDS(); i++) {
        isPiece[i] * (isPiece[i] - 1) === 0;
        pieces += isPiece[i];
        if (i > 0) { lowFactor += isPiece[i] * addOnBound(i - 1); }
        if (i < ADD_ON_BOUNDS()) { highFactor += isPiece[i] * addOnBound(i); }
        slope += isPiece[i] * addOnSlope(i);
        offset += isPiece[i] * addOnOffset(i);
    }
    pieces === 1;
    // The first piece begins at 0, so a wrong sign lies below every piece.
    signal size <== delta - 2 * isNegative * delta;
    signal low <== lowFactor * unit;
    signal high <== highFactor * unit;
    RangeCheck(BITS)(size - low);
    signal belowHigh <== (1 - isPiece[ADD_ON_BOUNDS()]) * (high - size);
    RangeCheck(BITS)(belowHigh);
    signal risen <== slope * size;
    signal dropped <== offset * unit;
    addOnTimes100 <== risen - dropped;
}

// Proves       addOnTimes100 is at most the add-on of |delta|: a convex function lies above each of its pieces, and above
//              the same pieces mirrored. No pieces chosen: 0.
// Assumes      delta is a true sum (Freivalds), below 2^BITS of SizeAddOn in absolute value; unit is that of SizeAddOn.
// Guarantees   another piece or sign only makes it smaller, below 0 too.
template SizeAddOnLow() {
    signal input delta;
    signal input unit;
    signal input isNegative;
    signal input isPiece[ADD_ON_BOUNDS()];
    signal output addOnTimes100;

    isNegative * (isNegative - 1) === 0;
    var pieces = 0;
    var slope = 0;
    var offset = 0;
    for (var i = 0; i < ADD_ON_BOUNDS(); i++) {
        isPiece[i] * (isPiece[i] - 1) === 0;
        pieces += isPiece[i];
        slope += isPiece[i] * addOnSlope(i + 1);
        offset += isPiece[i] * addOnOffset(i + 1);
    }
    pieces * (pieces - 1) === 0;
    signal size <== delta - 2 * isNegative * delta;
    signal risen <== slope * size;
    signal dropped <== offset * unit;
    addOnTimes100 <== risen - dropped;
}
