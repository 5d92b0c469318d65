pragma circom 2.2.0;

include "../../arithmetic/divide.circom";
include "../risk-limits.circom";
include "./bits.circom";
include "./option-limits.circom";

// Proves       the three volatilities of a strike, in the order of VOL_SAME, VOL_UP, VOL_DOWN: twin of shockedVols in
//              protocol/risk/option/vol-shock.ts.
// Assumes      volPpm, upFloorPpm, leastVolPpm < 2^23, upPpm < 2^22, downPpm < 2^20: fields of words, in range there.
// Guarantees   each volatility < 2^23, and at least leastVolPpm where upFloorPpm is: whatever is reported, a witness
//              exists.
template ShockedVols() {
    signal input volPpm;
    signal input upPpm;
    signal input downPpm;
    signal input upFloorPpm;
    signal input leastVolPpm;
    signal output volsPpm[3];

    // vol · up / 10^6 < 2^45 / 10^6 < 2^26; a floor is smaller, so differences stay below 2^26.
    var raisedBits = VOL_BITS() + VOL_UP_FACTOR_BITS() - 19;
    var cap = (1 << VOL_BITS()) - 1;
    signal raised <== volPpm * upPpm;
    signal up <== DivideNearest(VOL_BITS() + VOL_UP_FACTOR_BITS(), PPM_ONE(), raisedBits)(raised);
    signal floored <== Larger(raisedBits)(up, upFloorPpm);
    signal beyond <== Larger(raisedBits)(floored - cap, 0);
    // down < 2^20, so vol · down / 10^6 < 1.05 · 2^23.
    signal lowered <== volPpm * downPpm;
    signal down <== DivideNearest(VOL_BITS() + RATE_PPM_BITS(), PPM_ONE(), VOL_BITS() + 1)(lowered);
    volsPpm[VOL_SAME()] <== Larger(VOL_BITS())(volPpm, leastVolPpm);
    volsPpm[VOL_UP()] <== floored - beyond;
    volsPpm[VOL_DOWN()] <== Larger(VOL_BITS() + 1)(down, leastVolPpm);
}
