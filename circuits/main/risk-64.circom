pragma circom 2.2.0;

include "../risk/risk-table.circom";

// STANDARD_SHAPE and RISK_64: 2 underlyings, 32 scenarios, 76 market slots; four linear places and eight blocks of four
// strikes.
component main { public [commitment, challenge, evaluation] } = RiskTable(2, 32, 76, 0, 4, 8, 4);
