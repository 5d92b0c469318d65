pragma circom 2.2.0;

// What every list of positions is valued by besides its scenario losses: one number per lot and side in the instrument
// row, one sum per list in the account row, tied together by one random linear combination with powers of γ.
function VALUE_MARK() { return 0; }
function VALUE_FUNDING() { return 1; }
function VALUE_SPOT_MARK() { return 2; }
function VALUE_SPOT_HAIRCUT() { return 3; }
function VALUE_CHARGE_IM() { return 4; }
function VALUE_CHARGE_MM() { return 5; }
// Band and penalty count magnitudes: where every position shrinks, old − new is Σ closed lots × rate.
function VALUE_BAND() { return 6; }
function VALUE_PENALTY() { return 7; }
// Net delta of each underlying, the first BTC's: what the size add-on is for.
function VALUE_DELTAS() { return 8; }
function DELTA_UNDERLYINGS() { return 2; }
function VALUES() { return 10; }

// Proves       total = Σ γ^s · losses[s] + Σ γ^(SCENARIOS + v) · values[v].
// Assumes      gamma holds the powers of γ (Powers), and γ was unknown when losses and values were chosen.
// Guarantees   two lists of one total are the same but with probability < (SCENARIOS + VALUES) / p.
template Functional(SCENARIOS) {
    signal input losses[SCENARIOS];
    signal input values[VALUES()];
    signal input gamma[SCENARIOS + VALUES()];
    signal output total;

    signal parts[SCENARIOS + VALUES()];
    var sum = 0;
    for (var s = 0; s < SCENARIOS; s++) {
        parts[s] <== gamma[s] * losses[s];
        sum += parts[s];
    }
    for (var v = 0; v < VALUES(); v++) {
        parts[SCENARIOS + v] <== gamma[SCENARIOS + v] * values[v];
        sum += parts[SCENARIOS + v];
    }
    total <== sum;
}
