pragma circom 2.2.0;

include "../risk/risk-table.circom";

// TINY_SHAPE and RISK_TINY: 2 underlyings, 8 scenarios, 4 market slots, all of them linear.
component main { public [commitment, challenge, evaluation] } = RiskTable(2, 8, 4, 0, 4, 0, 0);
