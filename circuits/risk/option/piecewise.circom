pragma circom 2.2.0;

include "./tables.circom";

// Proves       monomials[mask] = product of the bits in the mask; monomials[0] = 1.
// Assumes      bits are 0 or 1.
// Guarantees   every monomial is a bit.
template Monomials() {
    signal input bits[4];
    signal output monomials[16];

    monomials[0] <== 1;
    for (var i = 0; i < 4; i++) {
        monomials[1 << i] <== bits[i];
        for (var mask = 1; mask < (1 << i); mask++) {
            monomials[(1 << i) + mask] <== bits[i] * monomials[mask];
        }
    }
}

// Proves       value = c_0 + argument · (c_1 + argument · (…)), the coefficients being those of the piece that the bits name.
// Assumes      isUpper and the bits behind `monomials` are 0 or 1; TABLE is one of tables.circom.
// Guarantees   one value; one constraint per coefficient and one per degree. Nothing is rounded.
template PiecewisePolynomial(DEGREE, TABLE) {
    signal input monomials[16];
    signal input isUpper;
    signal input argument;
    signal output value;

    signal coefficients[DEGREE + 1];
    for (var d = 0; d <= DEGREE; d++) {
        var lower = 0;
        var difference = 0;
        for (var mask = 0; mask < 16; mask++) {
            lower += TABLE[d][mask] * monomials[mask];
            difference += TABLE[d][16 + mask] * monomials[mask];
        }
        coefficients[d] <== lower + isUpper * difference;
    }
    signal partial[DEGREE + 1];
    partial[DEGREE] <== coefficients[DEGREE];
    for (var d = DEGREE - 1; d >= 0; d--) { partial[d] <== coefficients[d] + argument * partial[d + 1]; }
    value <== partial[0];
}
