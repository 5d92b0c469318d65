pragma circom 2.2.0;

include "../../arithmetic/divide.circom";
include "../risk-limits.circom";
include "./bits.circom";
include "./option-limits.circom";

// Proves       the three volatilities of a strike, in the order of VOL_SAME, VOL_UP, VOL_DOWN: twin of shockedVols in
//              protocol/risk/option/vol-shock.ts.
// Assumes      upPpm < 2^22, downPpm < 2^20, upFloorPpm < 2^23: words of the round, which range-checks them.
// Guarantees   each volatility < 2^23, else there is no witness.
template ShockedVols() {
    signal input volPpm;
    signal input upPpm;
    signal input downPpm;
    signal input upFloorPpm;
    signal output volsPpm[3];

    RangeCheck(VOL_BITS())(volPpm);
    signal raised <== volPpm * upPpm;
    signal up <== DivideNearest(VOL_BITS() + VOL_UP_FACTOR_BITS(), PPM_ONE(), VOL_BITS())(raised);
    signal lowered <== volPpm * downPpm;
    volsPpm[VOL_SAME()] <== volPpm;
    volsPpm[VOL_UP()] <== Larger(VOL_BITS())(up, upFloorPpm);
    volsPpm[VOL_DOWN()] <== DivideNearest(VOL_BITS() + RATE_PPM_BITS(), PPM_ONE(), VOL_BITS())(lowered);
}
