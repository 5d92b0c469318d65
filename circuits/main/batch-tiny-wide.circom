pragma circom 2.2.0;

// Written by circuits/limits.ts from protocol/limits.ts.
include "../batch.circom";

component main { public [commitment, challenge, evaluation] } = Batch(3, 3, 2, 2, 4, 8, 2, 2, 3, 4, 2, 1, 3, 2);
