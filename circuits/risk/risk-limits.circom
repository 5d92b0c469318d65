pragma circom 2.2.0;

include "../limits.circom";

// Widths and scales of a risk round beyond the common ones. Twin of protocol/risk/round-limits.ts, linear-price.ts and
// risk-words.ts; a test compares them.
function INDEX_BITS() { return 44; }
function LOT_E8_BITS() { return 27; }
function RATE_PPM_BITS() { return 20; }
function PRICE_PPB_BITS() { return 31; }
function FUNDING_INDEX_BITS() { return 50; }
function UNDERLYING_BITS() { return 8; }
function PPM_ONE() { return 1000000; }
function PPB_ONE() { return 1000000000; }
function LOT_ONE_E8() { return 100000000; }
// A quarter of the scan range is counted in 2^-20; R < 2^20 ppm, so it stays below 2^19.
function MOVE_SCALE_BITS() { return 20; }
function QUARTER_MOVE_BITS() { return 19; }

// Words of a segment before its places, without the underlyings.
function RISK_HEADER_WORDS() { return 5; }
// Of a block: two of its future, one of its terms, one of its settlement; besides one for each strike.
function WORDS_PER_BLOCK() { return 4; }

// Values of a row, and how losses of pairs are packed: protocol/risk/table.ts.
function ROW_VALUES() { return 15; }
function PAIR_LOSS_BITS() { return 35; }
function PAIR_LOSSES_PER_ELEMENT() { return 7; }
