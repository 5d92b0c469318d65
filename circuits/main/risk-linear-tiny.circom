pragma circom 2.2.0;

include "../risk/risk-linear.circom";

// TINY_SHAPE and RISK_LINEAR_TINY: 2 underlyings, 4 instruments, 4 market slots, 8 scenarios.
component main { public [commitment, challenge, evaluation] } = RiskLinear(2, 4, 4, 8);
