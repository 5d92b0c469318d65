pragma circom 2.2.0;

// Twin of protocol/risk/scenarios.ts: the move of an underlying in a row, in quarters of its scan range, tails
// weighted. SCENARIOS is the length of the list, 32, or 8 for the tiny shape.
function scenarioQuarters(SCENARIOS, underlying, row) {
    assert(SCENARIOS == 32 || SCENARIOS == 8);
    var quarters[2][32] = [
        [-3, -3, -2, -2, -1, -1, 0, 0, 1, 1, 2, 2, 3, 3, -4, 4, 4, -4, 0, 0, 4, -4, 2, -2, -3, -3, 3, 3, 3, 3, 3, 3],
        [-3, -3, -2, -2, -1, -1, 0, 0, 1, 1, 2, 2, 3, 3, -4, 4, 0, 0, 4, -4, -2, 2, -4, 4, -3, -3, 3, 3, 3, 3, 3, 3]
    ];
    var tinyRows[8] = [14, 15, 18, 19, 20, 21, 24, 31];
    if (SCENARIOS == 8) {
        return quarters[underlying][tinyRows[row]];
    }
    return quarters[underlying][row];
}
