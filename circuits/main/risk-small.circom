pragma circom 2.2.0;

include "../risk/risk-table.circom";

// STANDARD_SHAPE and RISK_SMALL: 2 underlyings, 32 scenarios, 76 market slots; from slot 0 six linear places and two
// blocks of two strikes.
component main { public [commitment, challenge, evaluation] } = RiskTable(2, 32, 76, 0, 6, 2, 2);
