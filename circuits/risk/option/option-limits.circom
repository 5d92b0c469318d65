pragma circom 2.2.0;

// Widths and scales of the option price. Twin of protocol/risk/option/scales.ts and domain.ts; a test compares them.
function FORWARD_BITS() { return 33; }
function STRIKE_BITS() { return 35; }
function OPTION_TIME_BITS() { return 27; }
function VOL_BITS() { return 23; }
// 1 + 0.45 · 30^0.3 is 2.25.
function VOL_UP_FACTOR_BITS() { return 22; }

function LOG_BITS() { return 16; }
function LOG_INNER_BITS() { return 44; }
function LOG_PIECE_BITS() { return 5; }
function LOG_ARGUMENT_BITS() { return 14; }

function FINE_BITS() { return 13; }
function DEVIATION_DROPPED_BITS() { return 25; }
function TIME_SCALE() { return 4466326316; }
// √(2^27 · TIME_SCALE) < 2^30.
function ROOT_OF_TIME_BITS() { return 30; }
// vol · root / 2^25 < 2^28; rounded to the coarse grid it has 15 bits, and one is spare.
function FINE_STEPS_BITS() { return 28; }
function RECIPROCAL_SCALE() { return 122167958641; }
function RECIPROCAL_BITS() { return 23; }

function D2_DROPPED_BITS() { return 19; }
// |log| < 26 · 2^16 and reciprocal < 2^23 give |d2| < 2^44 in 2^-19 steps: every price in range has a witness.
function D2_BITS() { return 44; }
// 24 deviations.
function D2_STEPS_BITS() { return 15; }
// 24 deviations and the largest s, 17.3.
function D1_STEPS_BITS() { return 16; }
function CDF_PIECE_BITS() { return 5; }
function CDF_ARGUMENT_BITS() { return 8; }
function PRICE_FRACTION_BITS() { return 52; }

function MOVE_BITS() { return 20; }
function TAIL_WEIGHT_BITS() { return 28; }
// 3·R/4 / 33 % at R = 50 % is 1.14.
function TAIL_WEIGHT_WIDTH() { return 29; }

// −4 … 4 quarters of R, then the tails.
function QUARTERS_MAX() { return 4; }
function QUARTER_MOVES() { return 9; }
function TAILS() { return 8; }
function MOVES() { return 17; }
// 9 moves with volatility up, 7 with it down, 8 tails.
function MOVE_PAIRS() { return 24; }

// Places in the list of volatilities.
function VOL_SAME() { return 0; }
function VOL_UP() { return 1; }
function VOL_DOWN() { return 2; }

// F/1024.
function SURFACE_TOLERANCE_BITS() { return 10; }

// What an empty place or block is priced with: anything that has a witness. An hour at 50 %.
function SUBSTITUTE_FORWARD() { return 67108864; }
function SUBSTITUTE_STRIKE() { return 67108864; }
function SUBSTITUTE_TIME_SEC() { return 3600; }
function SUBSTITUTE_VOL_PPM() { return 500000; }
