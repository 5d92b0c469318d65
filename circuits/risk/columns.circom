pragma circom 2.2.0;

include "./scenarios.circom";

// Distinct revaluations behind the columns of a risk array: protocol/risk/option/moves.ts MOVE_PAIRS are −4 … 4 quarters
// of R with volatility up, −3 … 3 with it down, then the eight tails. The tiny list uses seven of them.
function columnPairs(SCENARIOS) {
    return SCENARIOS == 32 ? 24 : 7;
}

// The pair, as a place in MOVE_PAIRS, that stands in a column: rows 0 … 13 of the scenario list alternate between up and
// down, 14 … 23 are up, then come the tails. Twin of pairOfColumns.
function pairOfColumn(SCENARIOS, underlying, column) {
    var tinyRows[8] = [14, 15, 18, 19, 20, 21, 24, 31];
    var row = SCENARIOS == 8 ? tinyRows[column] : column;
    if (row >= 24) {
        return 16 + row - 24;
    }
    var quarters = scenarioQuarters(SCENARIOS, underlying, column);
    if (row < 14 && row % 2 == 1) {
        return 9 + quarters + 3;
    }
    return quarters + 4;
}

// The place of MOVE_PAIRS that the i-th used pair is: twin of pairsOf.
function usedPair(SCENARIOS, i) {
    var tinyPairs[7] = [0, 2, 4, 6, 8, 16, 23];
    return SCENARIOS == 8 ? tinyPairs[i] : i;
}

// The used pair in a column.
function columnPair(SCENARIOS, underlying, column) {
    var pair = pairOfColumn(SCENARIOS, underlying, column);
    for (var i = 0; i < columnPairs(SCENARIOS); i++) {
        if (usedPair(SCENARIOS, i) == pair) {
            return i;
        }
    }
    assert(1 == 0);
    return 0;
}
