pragma circom 2.2.0;

include "../arithmetic/poseidon-chain.circom";
include "./expiry-block.circom";
include "./linear-row.circom";

// Proves       endHash = the table's hash chain from startHash over a segment's slots; where isLast, on over the remaining
//              slots, which are empty, to the hash of the whole table.
// Assumes      isLast is a bit.
// Guarantees   segments that follow one another by their hashes make one table, ended by the one that is last.
template SegmentHash(START_SLOT, SLOTS, MARKET_SLOTS) {
    var end = START_SLOT + SLOTS;
    // A segment begins and ends with a link of the chain, unless it ends the table.
    assert(START_SLOT == 0 || (START_SLOT - 16) % 15 == 0);
    assert(end == MARKET_SLOTS || (end < MARKET_SLOTS && (end - 16) % 15 == 0));
    signal input startHash;
    signal input isLast;
    signal input rowHashes[SLOTS];
    signal output endHash;

    var first = START_SLOT == 0 ? 16 : 0;
    var links = SLOTS > first ? (SLOTS - first + 14) \ 15 : 0;
    var emptyLinks = (MARKET_SLOTS - end + 14) \ 15;
    signal hashes[1 + links + emptyLinks];
    if (START_SLOT == 0) {
        startHash === 0;
        component block = Poseidon(16);
        for (var i = 0; i < 16; i++) {
            if (i < SLOTS) {
                block.inputs[i] <== rowHashes[i];
            } else {
                block.inputs[i] <== 0;
            }
        }
        hashes[0] <== block.out;
    } else {
        hashes[0] <== startHash;
    }
    component chain[links + emptyLinks];
    for (var b = 0; b < links + emptyLinks; b++) {
        chain[b] = Poseidon(16);
        chain[b].inputs[0] <== hashes[b];
        for (var i = 0; i < 15; i++) {
            var slot = first + 15 * b + i;
            if (slot < SLOTS) {
                chain[b].inputs[1 + i] <== rowHashes[slot];
            } else {
                chain[b].inputs[1 + i] <== 0;
            }
        }
        hashes[b + 1] <== chain[b].out;
    }
    endHash <== hashes[links] + isLast * (hashes[links + emptyLinks] - hashes[links]);
}

// Proves       the rows of a segment of the risk table that follow from the words of a round: index prices, scan ranges,
//              and every place of the segment with its parameters (docs/protocol.md §4, §10); and whether the surfaces
//              of its options are sound. Places and blocks follow one another in the market slots from START_SLOT on.
// Public       commitment C, challenge r = keccak256(C ‖ count ‖ words) mod p and evaluation y = Σ word_i · r^i.
//              The contract forms the words from what it stored, so they cannot be chosen by the prover; every word
//              is absorbed in C before r exists, so y binds each of them and not only their sum.
// Assumes      see LinearRow and ExpiryBlock: what the registry must have checked.
// Guarantees   the words fix the rows and so the end hash; isSurfaceSound is a bit, and the true one.
template RiskTable(UNDERLYINGS, SCENARIOS, MARKET_SLOTS, START_SLOT, LINEAR, BLOCKS, STRIKES) {
    var blockWords = WORDS_PER_BLOCK() + STRIKES;
    var blockSlots = 1 + 2 * STRIKES;
    var slots = LINEAR + BLOCKS * blockSlots;
    var firstPlaceWord = RISK_HEADER_WORDS() + UNDERLYINGS;
    var firstBlockWord = firstPlaceWord + 2 * LINEAR;
    var wordCount = firstBlockWord + BLOCKS * blockWords;
    signal input commitment;
    signal input challenge;
    signal input evaluation;
    // In the order of protocol/risk/risk-words.ts: domain, round number, start and end hash, flags, underlyings, places.
    signal input words[wordCount];

    component flags = Unpack(2, [1, 1]);
    flags.packed <== words[4];

    component moves[UNDERLYINGS];
    component optionMoves[UNDERLYINGS];
    for (var u = 0; u < UNDERLYINGS; u++) {
        moves[u] = UnderlyingMoves();
        moves[u].word <== words[RISK_HEADER_WORDS() + u];
        if (BLOCKS > 0) {
            optionMoves[u] = OptionMoves();
            optionMoves[u].quarterMove <== moves[u].quarterMove;
        }
    }

    component segment = SegmentHash(START_SLOT, slots, MARKET_SLOTS);
    segment.startHash <== words[2];
    segment.isLast <== flags.fields[0];
    component rows[LINEAR];
    for (var i = 0; i < LINEAR; i++) {
        rows[i] = LinearRow(UNDERLYINGS, 0);
        rows[i].priceWord <== words[firstPlaceWord + 2 * i];
        rows[i].limitsWord <== words[firstPlaceWord + 2 * i + 1];
        rows[i].settlementMicros <== 0;
        for (var u = 0; u < UNDERLYINGS; u++) {
            rows[i].indexMicros[u] <== moves[u].indexMicros;
            rows[i].quarterMoves[u] <== moves[u].quarterMove;
        }
        segment.rowHashes[i] <== rows[i].rowHash;
    }
    component blocks[BLOCKS];
    var sound = 0;
    for (var b = 0; b < BLOCKS; b++) {
        var first = firstBlockWord + b * blockWords;
        blocks[b] = ExpiryBlock(UNDERLYINGS, SCENARIOS, STRIKES);
        blocks[b].priceWord <== words[first];
        blocks[b].limitsWord <== words[first + 1];
        blocks[b].termsWord <== words[first + 2];
        blocks[b].settlementWord <== words[first + 3];
        for (var k = 0; k < STRIKES; k++) { blocks[b].strikeWords[k] <== words[first + WORDS_PER_BLOCK() + k]; }
        for (var u = 0; u < UNDERLYINGS; u++) {
            blocks[b].indexMicros[u] <== moves[u].indexMicros;
            blocks[b].quarterMoves[u] <== moves[u].quarterMove;
            blocks[b].logs[u] <== optionMoves[u].logs;
            blocks[b].tailWeights[u] <== optionMoves[u].tailWeights;
        }
        for (var i = 0; i < blockSlots; i++) {
            segment.rowHashes[LINEAR + b * blockSlots + i] <== blocks[b].rowHashes[i];
        }
        sound += blocks[b].isSound;
    }
    words[3] === segment.endHash;
    // Sound if every block is. Both answers are proved: a prover can neither hide a broken surface nor void a round.
    signal isSurfaceSound;
    if (BLOCKS == 0) {
        isSurfaceSound <== 1;
    } else {
        isSurfaceSound <== IsEqual()([sound, BLOCKS]);
    }
    flags.fields[1] === isSurfaceSound;

    signal wordsHash <== PoseidonChain(wordCount)(words);
    commitment === wordsHash;

    signal partialSums[wordCount + 1]; // Horner, from the last word down
    partialSums[wordCount] <== 0;
    for (var i = wordCount - 1; i >= 0; i--) { partialSums[i] <== partialSums[i + 1] * challenge + words[i]; }
    evaluation === partialSums[0];
}
