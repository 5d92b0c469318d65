pragma circom 2.2.0;

// Written by circuits/limits.ts from protocol/limits.ts.
include "../batch.circom";

component main { public [commitment, challenge, evaluation] } = Batch(12, 13, 6, 6, 76, 32, 4, 4, 8, 16, 2, 2, 16, 8);
