pragma circom 2.2.0;

include "./option/option-limits.circom";
include "./scenarios.circom";

// Columns of a risk array and the distinct revaluations behind them: protocol/risk/option/moves.ts MOVE_PAIRS are −4 … 4
// quarters of R with volatility up, −3 … 3 with it down, then the eight tails.
function COLUMN_UNDERLYINGS() { return 2; }

// The pair in a column: rows 0 … 13 of the scenario list alternate between up and down, 14 … 23 are up, then come the
// tails. Twin of pairOfColumns.
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
    return quarters + QUARTERS_MAX();
}

// Is a pair in some column of some underlying? Rows pack the losses of such pairs, in their order: twin of pairsOf.
function isPairUsed(SCENARIOS, pair) {
    var isUsed = 0;
    for (var u = 0; u < COLUMN_UNDERLYINGS(); u++) {
        for (var s = 0; s < SCENARIOS; s++) {
            if (pairOfColumn(SCENARIOS, u, s) == pair) {
                isUsed = 1;
            }
        }
    }
    return isUsed;
}

function usedPairsBelow(SCENARIOS, pair) {
    var count = 0;
    for (var p = 0; p < pair; p++) { count += isPairUsed(SCENARIOS, p); }
    return count;
}

function usedPairs(SCENARIOS) {
    return usedPairsBelow(SCENARIOS, MOVE_PAIRS());
}

// Place among the used pairs of the one that stands in a column.
function placeOfColumn(SCENARIOS, underlying, column) {
    return usedPairsBelow(SCENARIOS, pairOfColumn(SCENARIOS, underlying, column));
}
