pragma circom 2.2.0;

include "../risk/risk-table.circom";

// STANDARD_SHAPE and RISK_MORE: 2 underlyings, 32 scenarios, 76 market slots; from slot 16 four blocks of seven strikes.
component main { public [commitment, challenge, evaluation] } = RiskTable(2, 32, 76, 16, 0, 4, 7);
