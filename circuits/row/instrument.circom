pragma circom 2.2.0;

include "../limits.circom";
include "../arithmetic/poseidon-chain.circom";
include "../arithmetic/range.circom";
include "../arithmetic/select.circom";
include "../bus/bus.circom";
include "../bus/functionals.circom";

// Values of a risk row before its losses, in the order of protocol/risk/table.ts.
function ROW_META() { return 0; }
function ROW_MARK() { return 1; }
function ROW_FUNDING() { return 2; }
function ROW_CHARGE_IM_LONG() { return 4; }
function ROW_CHARGE_IM_SHORT() { return 5; }
function ROW_CHARGE_MM_LONG() { return 6; }
function ROW_CHARGE_MM_SHORT() { return 7; }
function ROW_BAND() { return 8; }
function ROW_PENALTY() { return 9; }
function ROW_INTEREST_CAP() { return 10; }
function ROW_POSITION_CAP() { return 11; }
function ROW_EXPIRY() { return 12; }
function ROW_FIXED_VALUES() { return 14; }

// Proves       one instrument of the batch: its row of the proven table (bus), open interest within its cap or not
//              rising, no fill once expired, only shrinking fills where the market is reduce-only.
// Assumes      the values of the row are the risk circuit's duty: isSpot ⇔ id ≤ 3; spot has funding index 0 and no short;
//              ranges of docs/protocol.md §4. batchTimeSec < 2^TIME_BITS.
// Guarantees   valueSum = Σ sides W·(functional of one lot). An unused row has id 0 and is worth nothing.
template InstrumentRow(SCENARIOS, COUNT_BITS) {
    assert(COUNT_BITS <= ROW_COUNT_BITS());
    signal input isUsed;
    signal input row[ROW_FIXED_VALUES() + SCENARIOS];
    signal input underlying;
    signal input isSpot;
    signal input isReduceOnly;
    signal input marketSlot;
    signal input oldInterestLots;
    signal input newInterestLots;
    signal input isWithinCap;
    signal input openingFills;
    signal input shrinkingFills;
    signal input longWeight;
    signal input shortWeight;
    signal input batchTimeSec;
    signal input gamma[SCENARIOS + VALUES()];
    signal input alpha;
    signal input beta[BETA_POWERS()];
    signal output instrumentId;
    signal output committed[3];
    signal output valueSum;
    signal output busSum;

    RequireBit()(isUsed);
    RequireBit()(isSpot);
    RequireBit()(isReduceOnly);
    RequireBit()(isWithinCap);
    RangeCheck(8)(underlying);
    RangeCheck(MARKET_SLOT_BITS())(marketSlot);
    RangeCheck(COUNT_BITS)(openingFills);
    RangeCheck(COUNT_BITS)(shrinkingFills);
    var metaAt = INSTRUMENT_ID_BITS();
    // The fields above the id are in range, so the wrong split has an id outside its 20 bits: one that no slot, order or
    // token names, which leaves the row without effect and the right id without a row. The id needs no check itself.
    signal rowId <== row[ROW_META()] - underlying * (1 << metaAt) - isSpot * (1 << (metaAt + 8))
        - isReduceOnly * (1 << (metaAt + 9));
    instrumentId <== isUsed * rowId;
    signal rowHash <== PoseidonChain(ROW_FIXED_VALUES() + SCENARIOS)(row);

    // ---- Open interest. Spot has no cap here: a deposit must never make a batch unprovable.
    signal limitLots <== oldInterestLots + isWithinCap * (row[ROW_INTEREST_CAP()] - oldInterestLots);
    signal restLots <== limitLots - newInterestLots + isSpot * (2 * newInterestLots - limitLots);
    RangeCheck(SIZE_BITS())(restLots);

    // ---- Who may trade.
    isReduceOnly * openingFills === 0;
    // With fills and an expiry isExpiring must be 1; else it may be anything and the check holds at 0.
    signal isExpiring <-- row[ROW_EXPIRY()] != 0 && openingFills + shrinkingFills != 0 ? 1 : 0;
    signal fillsOfExpiring <== (openingFills + shrinkingFills) * row[ROW_EXPIRY()];
    (1 - isExpiring) * fillsOfExpiring === 0;
    RangeCheck(TIME_BITS())(isExpiring * (row[ROW_EXPIRY()] - batchTimeSec - 1));

    // ---- Commitment: row hash, old open interest, and what fixes the new one with them.
    committed[0] <== rowHash;
    committed[1] <== oldInterestLots;
    var at = SIZE_BITS();
    var packed = restLots + marketSlot * (1 << at);
    at += MARKET_SLOT_BITS();
    packed += (openingFills + shrinkingFills * (1 << ROW_COUNT_BITS())) * (1 << at);
    at += 2 * ROW_COUNT_BITS();
    committed[2] <== packed + (isUsed + 2 * isWithinCap) * (1 << at);

    // ---- What one lot is worth. Losses, mark and funding change sign with the side; charges, band and penalty do not.
    component signedPart = Functional(SCENARIOS);
    for (var s = 0; s < SCENARIOS; s++) { signedPart.losses[s] <== row[ROW_FIXED_VALUES() + s]; }
    for (var v = 0; v < VALUES(); v++) {
        if (v == VALUE_MARK()) {
            signedPart.values[v] <== row[ROW_MARK()];
        } else {
            if (v == VALUE_FUNDING()) {
                signedPart.values[v] <== row[ROW_FUNDING()];
            } else {
                signedPart.values[v] <== 0;
            }
        }
    }
    signedPart.gamma <== gamma;
    // isSpot · (γ_mark · mark + γ_haircut · (mark − charge))
    signal gammaSpotMark <== (gamma[SCENARIOS + VALUE_SPOT_MARK()] + gamma[SCENARIOS + VALUE_SPOT_HAIRCUT()])
        * row[ROW_MARK()];
    signal gammaSpotCharge <== gamma[SCENARIOS + VALUE_SPOT_HAIRCUT()] * row[ROW_CHARGE_IM_LONG()];
    signal gammaSpot <== isSpot * (gammaSpotMark - gammaSpotCharge);
    signal imLong <== gamma[SCENARIOS + VALUE_CHARGE_IM()] * row[ROW_CHARGE_IM_LONG()];
    signal imShort <== gamma[SCENARIOS + VALUE_CHARGE_IM()] * row[ROW_CHARGE_IM_SHORT()];
    signal mmLong <== gamma[SCENARIOS + VALUE_CHARGE_MM()] * row[ROW_CHARGE_MM_LONG()];
    signal mmShort <== gamma[SCENARIOS + VALUE_CHARGE_MM()] * row[ROW_CHARGE_MM_SHORT()];
    signal band <== gamma[SCENARIOS + VALUE_BAND()] * row[ROW_BAND()];
    signal penalty <== gamma[SCENARIOS + VALUE_PENALTY()] * row[ROW_PENALTY()];
    signal longValue <== longWeight * (signedPart.total + gammaSpot + imLong + mmLong + band + penalty);
    signal shortValue <== shortWeight * (imShort + mmShort + band + penalty - signedPart.total);
    // Weights of unused rows may cancel each other on the bus, at id 0; they are worth nothing.
    valueSum <== isUsed * (longValue + shortValue);
    // An unused row takes no fills: orders that name instrument 0 would execute without a market.
    (1 - isUsed) * (openingFills + shrinkingFills) === 0;

    signal instrumentPart <== beta[1] * instrumentId;
    signal slotPart <== beta[1] * marketSlot;
    signal hashPart <== beta[2] * rowHash;
    signal oldPart <== beta[3] * oldInterestLots;
    signal newPart <== beta[4] * newInterestLots;
    signal entries[6];
    entries[0] <== BusEntry()(alpha, TAG_MARKET() + slotPart + hashPart + oldPart + newPart, -isUsed);
    entries[1] <== BusEntry()(alpha, TAG_WEIGHT() + instrumentPart, -longWeight);
    entries[2] <== BusEntry()(alpha, TAG_WEIGHT() + 16 + instrumentPart, -shortWeight);
    entries[3] <== BusEntry()(alpha, TAG_INTEREST() + instrumentPart, oldInterestLots - newInterestLots);
    entries[4] <== BusEntry()(alpha, TAG_FILLS() + instrumentPart, -openingFills);
    entries[5] <== BusEntry()(alpha, TAG_FILLS() + 16 + instrumentPart, -shrinkingFills);
    busSum <== entries[0] + entries[1] + entries[2] + entries[3] + entries[4] + entries[5];
}
