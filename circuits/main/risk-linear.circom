pragma circom 2.2.0;

include "../risk/risk-linear.circom";

// STANDARD_SHAPE and RISK_LINEAR: 2 underlyings, 8 instruments, 64 market slots, 32 scenarios.
component main { public [commitment, challenge, evaluation] } = RiskLinear(2, 8, 64, 32);
