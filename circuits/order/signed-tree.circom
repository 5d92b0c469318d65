pragma circom 2.2.0;

include "../arithmetic/select.circom";
include "../state/merkle-path.circom";
include "circomlib/circuits/bitify.circom";
include "../arithmetic/poseidon.circom";

// Proves       with isUsed = 1: `message` is a leaf of the tree that signature row `signatureIndex` signs, and that
//              row is used. Depth 0: the root is the message; depth 1 and 2: a 4-ary Poseidon tree.
// Assumes      the signature row's depth bits exclude each other (row/signature.circom). A leaf cannot pass for an inner
//              node: the depth is signed.
// Guarantees   accountIndex is that of the signature row; signatureIndex < SIGNATURES.
template SignedMessage(SIGNATURES) {
    signal input message;
    signal input isUsed;
    signal input signatureIndex;
    signal input place;
    signal input children[2][4];
    signal input signatureIsUsed[SIGNATURES];
    signal input signatureAccount[SIGNATURES];
    signal input signatureRoot[SIGNATURES];
    signal input signatureIsDepth1[SIGNATURES];
    signal input signatureIsDepth2[SIGNATURES];
    signal output accountIndex;

    signal isHere[SIGNATURES] <== OneHot(SIGNATURES)(signatureIndex);
    accountIndex <== Selected(SIGNATURES)(isHere, signatureAccount);
    signal isSigned <== Selected(SIGNATURES)(isHere, signatureIsUsed);
    signal root <== Selected(SIGNATURES)(isHere, signatureRoot);
    signal isDepth1 <== Selected(SIGNATURES)(isHere, signatureIsDepth1);
    signal isDepth2 <== Selected(SIGNATURES)(isHere, signatureIsDepth2);
    isUsed * (1 - isSigned) === 0;

    component places = Num2Bits(4);
    places.in <== place;
    RequireChild()(message, children[0], places.out[0], places.out[1]);
    signal group <== Poseidon(4)(children[0]);
    RequireChild()(group, children[1], places.out[2], places.out[3]);
    signal top <== Poseidon(4)(children[1]);
    signal toGroup <== isDepth1 * (group - message);
    signal toTop <== isDepth2 * (top - message);
    isUsed * (message + toGroup + toTop - root) === 0;
}
