pragma circom 2.2.0;

// Proves       value = Σ bits[i] · 2^i with every bit 0 or 1.
// Assumes      nothing of its inputs.
// Guarantees   0 ≤ value < 2^BITS as an integer; the bits are the only ones, because 2^BITS is below the field's size.
template RangeCheck(BITS) {
    assert(BITS < 254);
    signal input value;
    signal bits[BITS];
    var sum = 0;
    for (var i = 0; i < BITS; i++) {
        bits[i] <-- (value >> i) & 1;
        bits[i] * (bits[i] - 1) === 0;
        sum += bits[i] * (1 << i);
    }
    sum === value;
}
