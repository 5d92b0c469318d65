pragma circom 2.2.0;

include "poseidon.circom";

// Proves       hash = poseidonChain(values) of protocol/crypto/poseidon.ts: 16 values in the first block, the
//              hash so far and 15 more in each further one, zero padded.
// Assumes      every use commits to lists of one length (COUNT), so padding is unambiguous.
// Guarantees   two lists of one hash are the same, or a collision of Poseidon.
template PoseidonChain(COUNT) {
    signal input values[COUNT];
    signal output hash;

    var furtherBlocks = COUNT > 16 ? (COUNT - 16 + 14) \ 15 : 0;
    component blocks[1 + furtherBlocks];
    blocks[0] = Poseidon(16);
    for (var i = 0; i < 16; i++) {
        if (i < COUNT) {
            blocks[0].inputs[i] <== values[i];
        } else {
            blocks[0].inputs[i] <== 0;
        }
    }
    for (var b = 1; b <= furtherBlocks; b++) {
        blocks[b] = Poseidon(16);
        blocks[b].inputs[0] <== blocks[b - 1].out;
        for (var i = 0; i < 15; i++) {
            if (16 + 15 * (b - 1) + i < COUNT) {
                blocks[b].inputs[1 + i] <== values[16 + 15 * (b - 1) + i];
            } else {
                blocks[b].inputs[1 + i] <== 0;
            }
        }
    }
    hash <== blocks[furtherBlocks].out;
}
