pragma circom 2.2.0;

include "../arithmetic/poseidon-chain.circom";
include "./linear-row.circom";

// Proves       tableHash is the hash of the risk table that follows from the words of a round: index prices, scan
//              ranges, and every instrument of the registry with its parameters (docs/protocol.md §4). Row i of the
//              words is market slot i; slots beyond the circuit's rows are empty.
// Public       commitment C, challenge r = keccak256(C ‖ count ‖ words) mod p and evaluation y = Σ word_i · r^i.
//              The contract forms the words from what it stored, so they cannot be chosen by the prover; every word
//              is absorbed in C before r exists, so y binds each of them and not only their sum.
// Assumes      see LinearRow: what the registry must have checked.
template RiskLinear(UNDERLYINGS, INSTRUMENTS, MARKET_SLOTS, SCENARIOS) {
    assert(INSTRUMENTS <= MARKET_SLOTS);
    var wordCount = 3 + UNDERLYINGS + 2 * INSTRUMENTS;
    signal input commitment;
    signal input challenge;
    signal input evaluation;
    // Words in their order: RISK_HEADER_WORDS and layouts of protocol/risk/risk-words.ts.
    signal input domain;
    signal input roundNumber;
    signal input tableHash;
    signal input underlyingWords[UNDERLYINGS];
    signal input instrumentWords[INSTRUMENTS][2];

    component moves[UNDERLYINGS];
    for (var u = 0; u < UNDERLYINGS; u++) {
        moves[u] = UnderlyingMoves();
        moves[u].word <== underlyingWords[u];
    }
    component rows[INSTRUMENTS];
    component table = PoseidonChain(MARKET_SLOTS);
    for (var i = 0; i < INSTRUMENTS; i++) {
        rows[i] = LinearRow(UNDERLYINGS, SCENARIOS);
        rows[i].priceWord <== instrumentWords[i][0];
        rows[i].limitsWord <== instrumentWords[i][1];
        for (var u = 0; u < UNDERLYINGS; u++) {
            rows[i].indexMicros[u] <== moves[u].indexMicros;
            rows[i].quarterMoves[u] <== moves[u].quarterMove;
        }
        table.values[i] <== rows[i].rowHash;
    }
    for (var i = INSTRUMENTS; i < MARKET_SLOTS; i++) { table.values[i] <== 0; }
    tableHash === table.hash;

    signal words[wordCount];
    words[0] <== domain;
    words[1] <== roundNumber;
    words[2] <== tableHash;
    for (var u = 0; u < UNDERLYINGS; u++) { words[3 + u] <== underlyingWords[u]; }
    for (var i = 0; i < INSTRUMENTS; i++) {
        for (var w = 0; w < 2; w++) { words[3 + UNDERLYINGS + 2 * i + w] <== instrumentWords[i][w]; }
    }
    signal wordsHash <== PoseidonChain(wordCount)(words);
    commitment === wordsHash;

    signal partialSums[wordCount + 1]; // Horner, from the last word down
    partialSums[wordCount] <== 0;
    for (var i = wordCount - 1; i >= 0; i--) { partialSums[i] <== partialSums[i + 1] * challenge + words[i]; }
    evaluation === partialSums[0];
}
