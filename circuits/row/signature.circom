pragma circom 2.2.0;

include "../limits.circom";
include "../arithmetic/range.circom";
include "../arithmetic/select.circom";
include "../bus/bus.circom";
include "circomlib/circuits/babyjub.circom";
include "circomlib/circuits/bitify.circom";
include "circomlib/circuits/compconstant.circom";
include "circomlib/circuits/escalarmulany.circom";
include "circomlib/circuits/escalarmulfix.circom";
include "../arithmetic/poseidon.circom";

// Proves       the bits of a hash are those of the integer below p.
// Assumes      nothing: an upper part that equals that of p has no witness.
// Guarantees   the bits are the only ones.
// The strict split of circomlib compares all 254 bits. Here the upper 80 bits must lie strictly below those of p: sound for
// any value; without a witness only for hashes whose upper bits equal those of p, which take 2^80 trials to find.
template HashBits() {
    var UPPER = 80;
    signal input value;
    signal output bits[254];

    component split = Num2Bits(254);
    split.in <== value;
    bits <== split.out;
    var upper = 0;
    for (var i = 0; i < UPPER; i++) { upper += split.out[254 - UPPER + i] * (1 << i); }
    // −1 is p − 1, and p is odd: both have the same upper bits.
    RangeCheck(UPPER)(((-1) >> (254 - UPPER)) - 1 - upper);
}

// Proves       with isUsed = 1: (R8, S) is an EdDSA-Poseidon signature of `message` by (Ax, Ay), exactly as circomlib's
//              EdDSAPoseidonVerifier: S < l, S·BASE8 = R8 + 8·h·A, h = Poseidon(R8, A, message).
// Assumes      A is in the prime subgroup: the contract registers 8·P. A = (0, 0) is refused here.
// Guarantees   hash = h, which fixes key and message for whoever commits to it. R8 is on the curve.
template SignatureCheck() {
    signal input isUsed;
    signal input publicKey[2];
    signal input r8[2];
    signal input s;
    signal input message;
    signal output hash;

    BabyCheck()(r8[0], r8[1]);
    component scalarBits = Num2Bits(253);
    scalarBits.in <== s;
    // l − 1, the largest canonical S.
    component scalarLimit = CompConstant(2736030358979909402780800718157159386076813972158567259200215660948447373040);
    for (var i = 0; i < 253; i++) { scalarLimit.in[i] <== scalarBits.out[i]; }
    scalarLimit.in[253] <== 0;
    scalarLimit.out * isUsed === 0;

    component challenge = Poseidon(5);
    challenge.inputs <== [r8[0], r8[1], publicKey[0], publicKey[1], message];
    hash <== challenge.out;
    signal challengeBits[254] <== HashBits()(hash);

    signal twice[2];
    signal fourTimes[2];
    signal eightTimes[2];
    (twice[0], twice[1]) <== BabyDbl()(publicKey[0], publicKey[1]);
    (fourTimes[0], fourTimes[1]) <== BabyDbl()(twice[0], twice[1]);
    (eightTimes[0], eightTimes[1]) <== BabyDbl()(fourTimes[0], fourTimes[1]);
    // x = 0 on the curve is the identity or a point of order 2.
    signal isKeyPoint <== IsNonZero()(eightTimes[0]);
    isUsed * (1 - isKeyPoint) === 0;

    component keyTimes = EscalarMulAny(254);
    keyTimes.e <== challengeBits;
    keyTimes.p <== eightTimes;
    component right = BabyAdd();
    right.x1 <== r8[0];
    right.y1 <== r8[1];
    right.x2 <== keyTimes.out[0];
    right.y2 <== keyTimes.out[1];

    var BASE8[2] = [
        5299619240641551281634865583518297030282874472190772894086521144482721001553,
        16950150798460657717958625567821834550301663161624707787222815936182638968203
    ];
    component left = EscalarMulFix(253, BASE8);
    left.e <== scalarBits.out;
    isUsed * (left.out[0] - right.xout) === 0;
    isUsed * (left.out[1] - right.yout) === 0;
}

// Proves       an account signed a tree of messages for this chain and contract: M = Poseidon(tag, chain id, rollup,
//              account, epoch, depth + 4·count, root).
// Assumes      the key is registered: in the prime subgroup (SignatureCheck).
// Guarantees   the key is that of the account at that epoch (bus). Depth bits exclude each other.
template SignatureRow() {
    signal input isUsed;
    signal input chainId;
    signal input rollupAddress;
    signal input accountIndex;
    signal input epoch;
    signal input isDepth1;
    signal input isDepth2;
    signal input messageCount;
    signal input root;
    signal input publicKey[2];
    signal input r8[2];
    signal input s;
    signal input alpha;
    signal input beta[BETA_POWERS()];
    // h commits to account, epoch, depth, root and key.
    signal output committed;
    signal output busSum;

    RequireBit()(isUsed);
    RequireBit()(isDepth1);
    RequireBit()(isDepth2);
    RequireBit()(isDepth1 + isDepth2);
    // The range keeps depth = (depth + 4·count) mod 4 the signed one.
    RangeCheck(5)(messageCount);
    signal message <== Poseidon(7)([SIGNED_MESSAGES_TAG(), chainId, rollupAddress, accountIndex, epoch,
        isDepth1 + 2 * isDepth2 + 4 * messageCount, root]);
    committed <== SignatureCheck()(isUsed, publicKey, r8, s, message);

    signal epochPart <== beta[1] * epoch;
    signal accountPart <== beta[2] * accountIndex;
    signal keyXPart <== beta[3] * publicKey[0];
    signal keyYPart <== beta[4] * publicKey[1];
    busSum <== BusEntry()(alpha, TAG_KEY() + epochPart + accountPart + keyXPart + keyYPart, isUsed);
}
