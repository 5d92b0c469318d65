pragma circom 2.2.0;

include "circomlib/circuits/poseidon_constants.circom";

// Proves       out = Poseidon(inputs) with the constants of circomlib, the sparse form of its partial rounds and its
//              constraints: three to a fifth power, all else linear.
// Assumes      nothing of its inputs.
// Guarantees   out is determined by the inputs.
// Why not circomlib's template: it names every linear step as a signal, and the compiler then spends most of its time
// on putting them into each other, in every single hash. Linear forms kept in variables are built once per width.
template Poseidon(INPUTS) {
    var PARTIAL_ROUNDS[16] = [56, 57, 56, 60, 60, 63, 64, 63, 60, 66, 60, 65, 70, 60, 64, 68];
    var WIDTH = INPUTS + 1;
    var PARTIAL = PARTIAL_ROUNDS[INPUTS - 1];
    var ROUND_CONSTANTS[WIDTH * 8 + PARTIAL] = POSEIDON_C(WIDTH);
    var SPARSE[PARTIAL * (WIDTH * 2 - 1)] = POSEIDON_S(WIDTH);
    var MIX[WIDTH][WIDTH] = POSEIDON_M(WIDTH);
    var MIX_BEFORE_PARTIAL[WIDTH][WIDTH] = POSEIDON_P(WIDTH);
    signal input inputs[INPUTS];
    signal output out;

    var state[WIDTH];
    state[0] = ROUND_CONSTANTS[0];
    for (var i = 1; i < WIDTH; i++) { state[i] = inputs[i - 1] + ROUND_CONSTANTS[i]; }

    // A fifth power has no signal for its base: every linear form stays where it is used.
    var POWERS = 8 * WIDTH - 1 + PARTIAL;
    signal square[POWERS];
    signal fourth[POWERS];
    signal fifth[POWERS];
    var next = 0;
    var powers[WIDTH];
    for (var round = 0; round < 8; round++) {
        for (var i = 0; i < WIDTH; i++) {
            if (round == 0 && i == 0) {
                // The capacity starts as a constant.
                powers[0] = ROUND_CONSTANTS[0] ** 5;
            } else {
                square[next] <== state[i] * state[i];
                fourth[next] <== square[next] * square[next];
                fifth[next] <== fourth[next] * state[i];
                powers[i] = fifth[next];
                next++;
            }
            // The constants of the next round; those of the second half lie behind those of the partial rounds.
            if (round < 4) { powers[i] += ROUND_CONSTANTS[(round + 1) * WIDTH + i]; }
            if (round >= 4 && round < 7) { powers[i] += ROUND_CONSTANTS[(round + 1) * WIDTH + PARTIAL + i]; }
        }
        for (var i = 0; i < WIDTH; i++) {
            state[i] = 0;
            for (var j = 0; j < WIDTH; j++) {
                state[i] += (round == 3 ? MIX_BEFORE_PARTIAL[j][i] : MIX[j][i]) * powers[j];
            }
        }
        if (round == 3) {
            for (var r = 0; r < PARTIAL; r++) {
                square[next] <== state[0] * state[0];
                fourth[next] <== square[next] * square[next];
                fifth[next] <== fourth[next] * state[0];
                var first = fifth[next] + ROUND_CONSTANTS[5 * WIDTH + r];
                next++;
                var at = (WIDTH * 2 - 1) * r;
                state[0] = SPARSE[at] * first;
                for (var i = 1; i < WIDTH; i++) {
                    state[0] += SPARSE[at + i] * state[i];
                    state[i] += SPARSE[at + WIDTH + i - 1] * first;
                }
            }
        }
    }
    out <== state[0];
}
