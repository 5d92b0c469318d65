pragma circom 2.2.0;

include "../../arithmetic/divide.circom";
include "../risk-limits.circom";
include "./bits.circom";
include "./deviation.circom";
include "./log.circom";
include "./option-limits.circom";

// Tails of the scenario list in 2^-20, to nearest: twin of TAIL_MOVES in protocol/risk/option/moves.ts.
function tailMove(tail) {
    var moves[8] = [-692060, -346030, 524288, 1048576, 2097152, 3145728, 4194304, 5242880];
    return moves[tail];
}

// ln(1 + tail) in 2^-16: twin of TAIL_LOGS.
function tailLog(tail) {
    var logs[8] = [-70701, -26246, 26573, 45426, 71999, 90852, 105476, 117425];
    return logs[tail];
}

function absolute(x) {
    return x < 0 ? -x : x;
}

// How often 2 divides x > 0, at most 20 times.
function factorsOfTwo(x) {
    var count = 0;
    while (count < 20 && ((x >> count) & 1) == 0) {
        count++;
    }
    return count;
}

// Proves       for one underlying: ln(1 + move) of every move in 2^-16, and the weight ¾·R/|tail| of every tail in 2^-28.
//              Twin of underlyingMoves in protocol/risk/option/moves.ts. Logarithms of tails are constants.
// Assumes      quarterMove < 2^19 as an integer (UnderlyingMoves).
// Guarantees   R ≤ 50 %: quarterMove ≤ 2^17, else 1 − R has no logarithm here; |logs| < 2^17; weights < 2^29.
template OptionMoves() {
    signal input quarterMove;
    signal output logs[MOVES()];
    signal output tailWeights[TAILS()];

    for (var i = 0; i < QUARTER_MOVES(); i++) {
        if (i == QUARTERS_MAX()) {
            logs[i] <== 0;
        } else {
            // 1 + x lies in [½, 3/2]: one of two exponents.
            logs[i] <== Log(MOVE_BITS() - 1, MOVE_BITS(), MOVE_BITS(), 18)(
                (1 << MOVE_BITS()) + (i - QUARTERS_MAX()) * quarterMove
            );
        }
    }
    for (var t = 0; t < TAILS(); t++) {
        logs[QUARTER_MOVES() + t] <== tailLog(t);
        tailWeights[t] <== DivideNearest(
            QUARTER_MOVE_BITS() + 2 + TAIL_WEIGHT_BITS(), absolute(tailMove(t)), TAIL_WEIGHT_WIDTH()
        )(3 * quarterMove * (1 << TAIL_WEIGHT_BITS()));
    }
}

// Proves       moved = forward + nearest(forward · tail / 2^20).
// Assumes      forward < 2^33.
// Guarantees   moved is the only one.
template TailForward(TAIL) {
    signal input forward;
    signal output moved;

    var move = tailMove(TAIL);
    var halvings = factorsOfTwo(absolute(move));
    if (halvings >= MOVE_BITS()) {
        // A whole multiple: nothing to round.
        moved <== forward * (1 + move / (1 << MOVE_BITS()));
    } else {
        signal gain <== RoundSigned(FORWARD_BITS() + 1, MOVE_BITS() - halvings)(forward * (move / (1 << halvings)));
        moved <== forward + gain;
    }
}

// Proves       what all options on one forward share: its logarithm, its gain in a quarter of the scan range, its value
//              after every move, and the scaled root of its time to expiry. Twin of forwardMoves.
// Assumes      quarterMove ≤ 2^17 (OptionMoves).
// Guarantees   0 < forward < 2^33, timeSec < 2^27, quarterGain < 2^31, moved < 2^36, |forwardLog| < 2^21, rootOfTime < 2^30.
template OptionForward() {
    signal input forward;
    signal input timeSec;
    signal input quarterMove;
    signal output forwardLog;
    signal output quarterGain;
    signal output moved[MOVES()];
    signal output rootOfTime;

    RangeCheck(FORWARD_BITS())(forward);
    forwardLog <== Log(0, FORWARD_BITS() - 1, 0, 22)(forward);

    // As the row of a dated future: a call less a put is that future in every scenario, to the micro.
    signal product <== forward * quarterMove;
    quarterGain <== RoundSigned(FORWARD_BITS(), MOVE_BITS())(product);
    for (var i = 0; i < QUARTER_MOVES(); i++) { moved[i] <== forward + (i - QUARTERS_MAX()) * quarterGain; }
    for (var t = 0; t < TAILS(); t++) { moved[QUARTER_MOVES() + t] <== TailForward(t)(forward); }

    rootOfTime <== RootOfTime()(timeSec);
}
