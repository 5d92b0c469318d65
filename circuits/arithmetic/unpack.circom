pragma circom 2.2.0;

include "circomlib/circuits/bitify.circom";

// Proves       packed = Σ fields[i] · 2^(WIDTHS[0] + … + WIDTHS[i−1]), least significant field first.
// Assumes      nothing of its inputs.
// Guarantees   fields[i] < 2^WIDTHS[i]; the split is the only one, because the total is below the field's size.
template Unpack(COUNT, WIDTHS) {
    signal input packed;
    signal output fields[COUNT];

    var totalBits = 0;
    for (var i = 0; i < COUNT; i++) { totalBits += WIDTHS[i]; }
    assert(totalBits < 254);

    component bits = Num2Bits(totalBits);
    bits.in <== packed;
    var shift = 0;
    for (var i = 0; i < COUNT; i++) {
        var value = 0;
        for (var j = 0; j < WIDTHS[i]; j++) { value += bits.out[shift + j] * (1 << j); }
        fields[i] <== value;
        shift += WIDTHS[i];
    }
}
