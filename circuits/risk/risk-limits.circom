pragma circom 2.2.0;

include "../limits.circom";

// Widths and scales of a risk round beyond the common ones. Twin of protocol/risk/round.ts and risk-words.ts; a test
// compares them.
function INDEX_BITS() { return 44; }
function LOT_E8_BITS() { return 27; }
function RATE_PPM_BITS() { return 20; }
function PRICE_PPM_BITS() { return 21; }
function FUNDING_INDEX_BITS() { return 50; }
function UNDERLYING_BITS() { return 8; }
function PPM_ONE() { return 1000000; }
function LOT_ONE_E8() { return 100000000; }
// A quarter of the scan range is counted in 2^-20; R < 2^20 ppm, so it stays below 2^19.
function MOVE_SCALE_BITS() { return 20; }
function QUARTER_MOVE_BITS() { return 19; }
