pragma circom 2.2.0;

include "circomlib/circuits/bitify.circom";
include "../arithmetic/poseidon.circom";

// Proves       children[place] = node, with place = low + 2·high.
// Assumes      low and high are bits.
// Guarantees   nothing of the other three children.
template RequireChild() {
    signal input node;
    signal input children[4];
    signal input low;
    signal input high;

    signal lowPair <== children[0] + low * (children[1] - children[0]);
    signal highPair <== children[2] + low * (children[3] - children[2]);
    high * (highPair - lowPair) === node - lowPair;
}

// Proves       oldRoot holds oldLeaf at `index`, and newRoot is the same tree with newLeaf there.
// Assumes      nothing of its inputs.
// Guarantees   index < 4^DEPTH; children off the path are those of oldRoot, and newRoot keeps them.
template MerkleUpdate(DEPTH) {
    signal input index;
    signal input oldLeaf;
    signal input newLeaf;
    // The four children of every node on the old path, leaf level first.
    signal input children[DEPTH][4];
    signal output oldRoot;
    signal output newRoot;

    component places = Num2Bits(2 * DEPTH);
    places.in <== index;
    component oldHashes[DEPTH];
    component newHashes[DEPTH];
    signal oldNodes[DEPTH + 1];
    signal newNodes[DEPTH + 1];
    signal changeLow[DEPTH];
    signal changeHigh[DEPTH];
    signal changeBoth[DEPTH];
    oldNodes[0] <== oldLeaf;
    newNodes[0] <== newLeaf;
    for (var level = 0; level < DEPTH; level++) {
        RequireChild()(oldNodes[level], children[level], places.out[2 * level], places.out[2 * level + 1]);
        // The new children are the old ones plus the change at the one place.
        changeLow[level] <== places.out[2 * level] * (newNodes[level] - oldNodes[level]);
        changeHigh[level] <== places.out[2 * level + 1] * (newNodes[level] - oldNodes[level]);
        changeBoth[level] <== places.out[2 * level] * changeHigh[level];
        oldHashes[level] = Poseidon(4);
        oldHashes[level].inputs <== children[level];
        newHashes[level] = Poseidon(4);
        newHashes[level].inputs[0] <== children[level][0] + newNodes[level] - oldNodes[level]
            - changeLow[level] - changeHigh[level] + changeBoth[level];
        newHashes[level].inputs[1] <== children[level][1] + changeLow[level] - changeBoth[level];
        newHashes[level].inputs[2] <== children[level][2] + changeHigh[level] - changeBoth[level];
        newHashes[level].inputs[3] <== children[level][3] + changeBoth[level];
        oldNodes[level + 1] <== oldHashes[level].out;
        newNodes[level + 1] <== newHashes[level].out;
    }
    oldRoot <== oldNodes[DEPTH];
    newRoot <== newNodes[DEPTH];
}
