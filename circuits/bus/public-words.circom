pragma circom 2.2.0;

// Proves       evaluation = Σ words[i] · challenge^i, as the contract computes it from the words it sees.
// Assumes      every word is in the commitment, or fixed by a root in it: the evaluation alone binds none of them.
// Guarantees   words that differ from the contract's have its evaluation for at most COUNT − 1 challenges.
template EvaluateWords(COUNT) {
    signal input words[COUNT];
    signal input challenge;
    signal output evaluation;

    signal running[COUNT];
    running[COUNT - 1] <== words[COUNT - 1];
    for (var i = COUNT - 2; i >= 0; i--) { running[i] <== running[i + 1] * challenge + words[i]; }
    evaluation <== running[0];
}
