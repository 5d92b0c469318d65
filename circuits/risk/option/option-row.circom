pragma circom 2.2.0;

include "../columns.circom";
include "./bits.circom";
include "./deviation.circom";
include "./moves.circom";
include "./option-limits.circom";
include "./price.circom";

// Move and volatility of a pair: 9 moves with volatility up, 7 with it down, 8 tails with it unchanged.
function pairMove(pair) {
    if (pair < 9) {
        return pair;
    }
    if (pair < 16) {
        return pair - 9 + 1;
    }
    return pair - 16 + QUARTER_MOVES();
}

function pairVol(pair) {
    if (pair < 9) {
        return VOL_UP();
    }
    if (pair < 16) {
        return VOL_DOWN();
    }
    return VOL_SAME();
}

// Quarters of R by which a pair moves anything linear; tails weighted.
function pairQuarters(pair) {
    if (pair < 9) {
        return pair - 4;
    }
    if (pair < 16) {
        return pair - 12;
    }
    // The first two tails are falls.
    return pair < 18 ? -3 : 3;
}

// Proves       mark, delta and the 24 losses of the call and of the put at one strike: twin of priceStrike in
//              protocol/risk/option/option-row.ts.
// Assumes      forward, its log, quarterGain, moved and rootOfTime are those of OptionForward, logs and weights those of
//              OptionMoves, strikeLog that of StrikeLog (which range-checks the strike, at listing).
// Guarantees   marks ≥ 0; call less put is the forward's own mark − strike, delta and losses; |regular loss| < 2^34 + 2^33,
//              |tail loss| < 2^34. There is no witness where a deviation is below 14 564 fine steps.
template OptionRow() {
    signal input strike;
    signal input strikeLog;
    signal input volsPpm[3];
    signal input forward;
    signal input forwardLog;
    signal input quarterGain;
    signal input moved[MOVES()];
    signal input rootOfTime;
    signal input logs[MOVES()];
    signal input tailWeights[TAILS()];
    signal output callMark;
    signal output callDelta;
    signal output callLosses[MOVE_PAIRS()];
    signal output putMark;
    signal output putDelta;
    signal output putLosses[MOVE_PAIRS()];

    component deviations[3];
    for (var v = 0; v < 3; v++) {
        deviations[v] = Deviation();
        deviations[v].volPpm <== volsPpm[v];
        deviations[v].rootOfTime <== rootOfTime;
    }

    // The last price is the one that nothing moves.
    component prices[MOVE_PAIRS() + 1];
    for (var p = 0; p <= MOVE_PAIRS(); p++) {
        var isBase = p == MOVE_PAIRS() ? 1 : 0;
        var vol = pairVol(p);
        var move = pairMove(p);
        prices[p] = Price();
        prices[p].strike <== strike;
        if (isBase == 1) {
            prices[p].forward <== forward;
            prices[p].logMoneyness <== forwardLog - strikeLog;
        } else {
            prices[p].forward <== moved[move];
            prices[p].logMoneyness <== forwardLog + logs[move] - strikeLog;
        }
        prices[p].fineSteps <== deviations[vol].fineSteps;
        prices[p].coarseSteps <== deviations[vol].coarseSteps;
        prices[p].excess <== deviations[vol].excess;
        prices[p].reciprocal <== deviations[vol].reciprocal;
    }
    var base = MOVE_PAIRS();

    // A call is worth 0 to its forward, so a regular loss is below 1.5·2^33, and a weighted tail below ¾·R·2^33.
    signal weighted[TAILS()];
    for (var p = 0; p < MOVE_PAIRS(); p++) {
        if (p < 16) {
            callLosses[p] <== RoundSigned(FORWARD_BITS() + 2, PRICE_FRACTION_BITS())(prices[base].callQ52 - prices[p].callQ52);
        } else {
            weighted[p - 16] <== tailWeights[p - 16] * (prices[base].callQ52 - prices[p].callQ52);
            callLosses[p] <== RoundSigned(FORWARD_BITS() + 1, PRICE_FRACTION_BITS() + TAIL_WEIGHT_BITS())(weighted[p - 16]);
        }
        putLosses[p] <== callLosses[p] + pairQuarters(p) * quarterGain;
    }

    // Never below its exercise: neither mark can then be negative by an error of the formula.
    signal formulaMark <== RoundSigned(FORWARD_BITS() + 2, PRICE_FRACTION_BITS())(prices[base].callQ52);
    signal intrinsic <== Larger(STRIKE_BITS())(forward - strike, 0);
    callMark <== Larger(STRIKE_BITS())(formulaMark, intrinsic);
    callDelta <== RoundSigned(FORWARD_BITS() + 2, PRICE_FRACTION_BITS())(prices[base].callDeltaQ52);
    putMark <== callMark - forward + strike;
    putDelta <== callDelta - forward;
}

// Proves       columns are the losses of one option in the order of the scenario list (protocol/risk/scenarios.ts).
// Assumes      losses are those of OptionRow.
// Guarantees   every column is one of the losses.
template OptionColumns(SCENARIOS, UNDERLYING) {
    signal input losses[MOVE_PAIRS()];
    signal output columns[SCENARIOS];

    for (var s = 0; s < SCENARIOS; s++) { columns[s] <== losses[pairOfColumn(SCENARIOS, UNDERLYING, s)]; }
}
