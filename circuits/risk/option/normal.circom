pragma circom 2.2.0;

include "./bits.circom";
include "./option-limits.circom";
include "./piecewise.circom";

// Proves       probability = Φ(±(steps + ½) · 3/2^12) in 2^-52, and perFineStep = what it gains in 3/2^25 there: twin of
//              protocol/risk/option/normal-cdf.ts. Where isSaturated they are exactly 0 or 1, and 0: the bits then name
//              no piece of the table, and nothing of it may enter.
// Assumes      bits (the low 13 of steps) and isSaturated are 0 or 1, sign is 1 or −1.
// Guarantees   both are determined by its inputs.
template NormalOnGrid(HAS_DENSITY) {
    var argumentBits = CDF_ARGUMENT_BITS();
    signal input bits[argumentBits + CDF_PIECE_BITS()];
    signal input sign;
    signal input isSaturated;
    signal output probability;
    signal output perFineStep;

    var argument = -(1 << (argumentBits - 1));
    for (var i = 0; i < argumentBits; i++) { argument += bits[i] * (1 << i); }
    component monomials = Monomials();
    for (var i = 0; i < 4; i++) { monomials.bits[i] <== bits[argumentBits + i]; }
    component aboveHalf = PiecewisePolynomial(4, CDF_TABLE());
    aboveHalf.monomials <== monomials.monomials;
    aboveHalf.isUpper <== bits[argumentBits + 4];
    aboveHalf.argument <== argument;

    var half = 1 << (PRICE_FRACTION_BITS() - 1);
    signal below <== (1 - isSaturated) * (aboveHalf.value - half);
    signal signed <== sign * (half + below);
    probability <== half + signed;

    if (HAS_DENSITY == 1) {
        component density = PiecewisePolynomial(2, DENSITY_TABLE());
        density.monomials <== monomials.monomials;
        density.isUpper <== bits[argumentBits + 4];
        density.argument <== argument;
        perFineStep <== (1 - isSaturated) * density.value;
    } else {
        perFineStep <== 0;
    }
}
