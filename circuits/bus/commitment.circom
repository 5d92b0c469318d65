pragma circom 2.2.0;

include "../arithmetic/poseidon-chain.circom";
include "../bus/bus.circom";
include "../arithmetic/poseidon.circom";

// Proves       commitment = poseidonChain of everything that enters a key, an amount or a Freivalds sum before the
//              challenge, and of every public word but the leaves. Twin of protocol/batch/commitment.ts, same order.
// Assumes      its inputs are packed so that their fields are the only ones (the rows' ranges). The leaves are left out: the
//              state roots and the sorted account indices, both in the list, fix them.
// Guarantees   one commitment has one list of values (PoseidonChain): what is in it was chosen before r.
template BatchCommitment(HEADER, EVENTS, ACCOUNTS, PER_ACCOUNT, INSTRUMENTS, SIGNATURES, MESSAGES, WITHDRAWALS,
    SETTLEMENTS) {
    var COUNT = HEADER + EVENTS + ACCOUNTS * PER_ACCOUNT + 3 * INSTRUMENTS + SIGNATURES + 2 * MESSAGES + WITHDRAWALS
        + SETTLEMENTS + 1;
    signal input header[HEADER];
    signal input events[EVENTS];
    signal input accounts[ACCOUNTS][PER_ACCOUNT];
    signal input instruments[INSTRUMENTS][3];
    signal input signatures[SIGNATURES];
    signal input messages[MESSAGES][2];
    signal input withdrawals[WITHDRAWALS];
    signal input settlements[SETTLEMENTS];
    signal input flags;
    signal output commitment;

    component chain = PoseidonChain(COUNT);
    var at = 0;
    for (var i = 0; i < HEADER; i++) { chain.values[at + i] <== header[i]; }
    at += HEADER;
    for (var i = 0; i < EVENTS; i++) { chain.values[at + i] <== events[i]; }
    at += EVENTS;
    for (var a = 0; a < ACCOUNTS; a++) {
        for (var i = 0; i < PER_ACCOUNT; i++) { chain.values[at + i] <== accounts[a][i]; }
        at += PER_ACCOUNT;
    }
    for (var i = 0; i < INSTRUMENTS; i++) {
        for (var j = 0; j < 3; j++) { chain.values[at + j] <== instruments[i][j]; }
        at += 3;
    }
    for (var i = 0; i < SIGNATURES; i++) { chain.values[at + i] <== signatures[i]; }
    at += SIGNATURES;
    for (var i = 0; i < MESSAGES; i++) {
        for (var j = 0; j < 2; j++) { chain.values[at + j] <== messages[i][j]; }
        at += 2;
    }
    for (var i = 0; i < WITHDRAWALS; i++) { chain.values[at + i] <== withdrawals[i]; }
    at += WITHDRAWALS;
    for (var i = 0; i < SETTLEMENTS; i++) { chain.values[at + i] <== settlements[i]; }
    at += SETTLEMENTS;
    chain.values[at] <== flags;
    commitment <== chain.hash;
}

// Proves       δ, γ and β are derived from the challenge r as firstChallenges of protocol/batch/commitment.ts does it.
// Assumes      the contract derives r from the commitment.
// Guarantees   they were unknown when anything in the commitment was chosen.
template FirstChallenges() {
    signal input challenge;
    signal output delta;
    signal output gamma;
    signal output beta;
    delta <== Poseidon(2)([challenge, 1]);
    gamma <== Poseidon(2)([challenge, 2]);
    beta <== Poseidon(2)([challenge, 3]);
}

// Proves       alpha = poseidonChain(r, longWeight[0], shortWeight[0], longWeight[1], …).
// Assumes      every key and amount is fixed by the commitment (and so by r) or by the weights W, which depend on δ.
// Guarantees   α was unknown when the weights were chosen.
template LastChallenge(INSTRUMENTS) {
    signal input challenge;
    signal input longWeights[INSTRUMENTS];
    signal input shortWeights[INSTRUMENTS];
    signal output alpha;

    component chain = PoseidonChain(1 + 2 * INSTRUMENTS);
    chain.values[0] <== challenge;
    for (var i = 0; i < INSTRUMENTS; i++) {
        chain.values[1 + 2 * i] <== longWeights[i];
        chain.values[2 + 2 * i] <== shortWeights[i];
    }
    alpha <== chain.hash;
}
