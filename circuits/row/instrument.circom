pragma circom 2.2.0;

include "../limits.circom";
include "../arithmetic/poseidon-chain.circom";
include "../arithmetic/range.circom";
include "../arithmetic/select.circom";
include "../bus/bus.circom";
include "../bus/functionals.circom";
include "../risk/columns.circom";
include "../risk/losses.circom";

// Values of a risk row, in the order of protocol/risk/table.ts.
function ROW_META() { return 0; }
function ROW_MARK() { return 1; }
function ROW_FUNDING() { return 2; }
function ROW_DELTA() { return 3; }
function ROW_CHARGE_IM_LONG() { return 4; }
function ROW_CHARGE_IM_SHORT() { return 5; }
function ROW_CHARGE_MM_LONG() { return 6; }
function ROW_CHARGE_MM_SHORT() { return 7; }
function ROW_BAND() { return 8; }
function ROW_PENALTY() { return 9; }
function ROW_INTEREST_CAP() { return 10; }
function ROW_POSITION_CAP() { return 11; }
function ROW_EXPIRY() { return 12; }
function ROW_LINEAR_LOSS() { return 13; }
function ROW_LOSSES_HASH() { return 14; }

// Proves       scenarioValue = Σ γ^s · (loss of one long lot in scenario s), where that loss is what the option's own
//              revaluation says plus linearLoss · (quarters of R that s moves the underlying): docs/protocol.md §4.
//              Columns are wired from the distinct revaluations by the underlying, which chooses between two lists.
// Assumes      lossesHash, linearLoss and underlying are those of one row of the table, so underlying is 0 or 1 and
//              lossesHash is 0 exactly in rows without revaluations.
// Guarantees   the losses are those behind lossesHash; none, if it is 0.
template ScenarioValue(SCENARIOS) {
    signal input underlying;
    signal input linearLoss;
    signal input lossesHash;
    signal input hasLosses;
    signal input lossElements[lossElementCount(SCENARIOS)];
    signal input gamma[SCENARIOS];
    signal output scenarioValue;

    RequireBit()(hasLosses);
    component losses = UnpackLosses(SCENARIOS);
    losses.elements <== lossElements;
    // A row that claims no losses has hash 0, and no losses have hash 0.
    lossesHash === hasLosses * losses.hash;

    // Once for all: the compiler works out every call anew.
    var PAIRS = usedPairs(SCENARIOS);
    var firstPlaces[SCENARIOS];
    var secondPlaces[SCENARIOS];
    for (var s = 0; s < SCENARIOS; s++) {
        firstPlaces[s] = placeOfColumn(SCENARIOS, 0, s);
        secondPlaces[s] = placeOfColumn(SCENARIOS, 1, s);
    }
    signal chosenGamma[PAIRS];
    signal parts[PAIRS];
    var total = 0;
    for (var p = 0; p < PAIRS; p++) {
        var first = 0;
        var second = 0;
        for (var s = 0; s < SCENARIOS; s++) {
            if (firstPlaces[s] == p) { first += gamma[s]; }
            if (secondPlaces[s] == p) { second += gamma[s]; }
        }
        chosenGamma[p] <== first + underlying * (second - first);
        parts[p] <== losses.losses[p] * chosenGamma[p];
        total += parts[p];
    }
    var firstQuarters = 0;
    var secondQuarters = 0;
    for (var s = 0; s < SCENARIOS; s++) {
        firstQuarters += scenarioQuarters(SCENARIOS, 0, s) * gamma[s];
        secondQuarters += scenarioQuarters(SCENARIOS, 1, s) * gamma[s];
    }
    signal chosenQuarters <== firstQuarters + underlying * (secondQuarters - firstQuarters);
    signal linearPart <== linearLoss * chosenQuarters;
    signal ownPart <== hasLosses * total;
    scenarioValue <== ownPart + linearPart;
}

// Proves       one instrument of the batch: its row of the proven table (bus), open interest within its cap or not
//              rising, no fill once expired, only shrinking fills where the market is reduce-only.
// Assumes      the values of the row are the risk circuit's duty: isSpot ⇔ id ≤ 3; spot has funding index 0 and no short;
//              ranges of docs/protocol.md §4. batchTimeSec < 2^TIME_BITS.
// Guarantees   valueSum = Σ sides W·(functional of one lot). An unused row has id 0 and is worth nothing.
template InstrumentRow(SCENARIOS, COUNT_BITS) {
    assert(COUNT_BITS <= ROW_COUNT_BITS());
    signal input isUsed;
    signal input row[ROW_VALUES()];
    signal input hasLosses;
    signal input lossElements[lossElementCount(SCENARIOS)];
    signal input underlying;
    signal input isSpot;
    signal input isReduceOnly;
    signal input isSettled;
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
    // The position cap with the id above it, for the rows of orders; 0 of an unused row.
    signal output capWord;
    signal output committed[3];
    signal output valueSum;
    signal output busSum;

    RequireBit()(isUsed);
    RequireBit()(isSpot);
    RequireBit()(isReduceOnly);
    RequireBit()(isSettled);
    // What is settled can be found by an id: unused rows have id 0.
    (1 - isUsed) * isSettled === 0;
    RequireBit()(isWithinCap);
    // Of the 8 bits in meta one is in use.
    RequireBit()(underlying);
    RangeCheck(MARKET_SLOT_BITS())(marketSlot);
    RangeCheck(COUNT_BITS)(openingFills);
    RangeCheck(COUNT_BITS)(shrinkingFills);
    var metaAt = INSTRUMENT_ID_BITS();
    // Every field of meta is in range, so there is one split: the keys of this row are fixed before the challenges are.
    signal rowId <== row[ROW_META()] - underlying * (1 << metaAt) - isSpot * (1 << (metaAt + 8))
        - isReduceOnly * (1 << (metaAt + 9)) - isSettled * (1 << (metaAt + 10));
    RangeCheck(INSTRUMENT_ID_BITS())(rowId);
    instrumentId <== isUsed * rowId;
    signal rowHash <== PoseidonChain(ROW_VALUES())(row);
    // The values of an unused row are anything, a cap for every order among them.
    signal capLots <== isUsed * row[ROW_POSITION_CAP()];
    capWord <== capLots + instrumentId * (1 << (SIZE_BITS() + 1));

    // ---- Open interest: the lots of longs and of shorts, so the cap counts twice. Spot has no cap here: a deposit must
    // never make a batch unprovable.
    signal limitLots <== oldInterestLots + isWithinCap * (2 * row[ROW_INTEREST_CAP()] - oldInterestLots);
    signal restLots <== limitLots - newInterestLots + isSpot * (2 * newInterestLots - limitLots);
    RangeCheck(INTEREST_BITS())(restLots);

    // ---- Who may trade.
    isReduceOnly * openingFills === 0;
    signal isExpiring;
    signal fillsOfExpiring <== (openingFills + shrinkingFills) * row[ROW_EXPIRY()];
    // With fills and an expiry isExpiring must be 1; else it may be anything and the check holds at 0.
    isExpiring <-- fillsOfExpiring != 0 ? 1 : 0;
    (1 - isExpiring) * fillsOfExpiring === 0;
    RangeCheck(TIME_BITS())(isExpiring * (row[ROW_EXPIRY()] - batchTimeSec - 1));

    // ---- Commitment: row hash, old open interest, and what fixes the new one with them.
    committed[0] <== rowHash;
    committed[1] <== oldInterestLots;
    var at = INTEREST_BITS();
    var packed = restLots + marketSlot * (1 << at);
    at += MARKET_SLOT_BITS();
    packed += (openingFills + shrinkingFills * (1 << ROW_COUNT_BITS())) * (1 << at);
    at += 2 * ROW_COUNT_BITS();
    committed[2] <== packed + (isUsed + 2 * isWithinCap) * (1 << at);

    // ---- What one lot is worth. Losses, mark, delta and funding change sign with the side; charges, band and penalty do not.
    component scenarios = ScenarioValue(SCENARIOS);
    scenarios.underlying <== underlying;
    scenarios.linearLoss <== row[ROW_LINEAR_LOSS()];
    scenarios.lossesHash <== row[ROW_LOSSES_HASH()];
    scenarios.hasLosses <== hasLosses;
    scenarios.lossElements <== lossElements;
    for (var s = 0; s < SCENARIOS; s++) { scenarios.gamma[s] <== gamma[s]; }
    signal markPart <== gamma[SCENARIOS + VALUE_MARK()] * row[ROW_MARK()];
    signal fundingPart <== gamma[SCENARIOS + VALUE_FUNDING()] * row[ROW_FUNDING()];
    signal gammaDelta <== gamma[SCENARIOS + VALUE_DELTAS()]
        + underlying * (gamma[SCENARIOS + VALUE_DELTAS() + 1] - gamma[SCENARIOS + VALUE_DELTAS()]);
    signal deltaPart <== gammaDelta * row[ROW_DELTA()];
    var signedPart = scenarios.scenarioValue + markPart + fundingPart + deltaPart;
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
    signal longValue <== longWeight * (signedPart + gammaSpot + imLong + mmLong + band + penalty);
    signal shortValue <== shortWeight * (imShort + mmShort + band + penalty - signedPart);
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
