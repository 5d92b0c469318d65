pragma circom 2.2.0;

include "circomlib/circuits/comparators.circom";
include "../arithmetic/divide.circom";
include "../arithmetic/poseidon-chain.circom";
include "../arithmetic/unpack.circom";
include "./option/option-limits.circom";
include "./risk-limits.circom";

// Proves       indexMicros and quarterMove = nearest(R · 2^20 / 4·10^6) of one underlying's word.
// Assumes      the word is the contract's.
// Guarantees   indexMicros < 2^44, quarterMove < 2^19.
template UnderlyingMoves() {
    signal input word;
    signal output indexMicros;
    signal output quarterMove;

    component fields = Unpack(2, [INDEX_BITS(), RATE_PPM_BITS()]);
    fields.packed <== word;
    indexMicros <== fields.fields[0];
    // R · 2^20 / 4·10^6 = R · 2^12 / 15625.
    quarterMove <== DivideNearest(RATE_PPM_BITS() + 12, 15625, QUARTER_MOVE_BITS())(fields.fields[1] * 4096);
}

// Proves       share = nearest(mark · ratePpm / 10^6).
// Assumes      mark < 2^40, ratePpm < 2^20.
// Guarantees   share < 2^41.
template ShareOfMark() {
    signal input mark;
    signal input ratePpm;
    signal output share;

    signal product <== mark * ratePpm;
    share <== DivideNearest(PRICE_BITS() + RATE_PPM_BITS(), PPM_ONE(), PRICE_BITS() + 1)(product);
}

// Proves       rowHash = hash of the risk row of one instrument linear in its price (spot, perpetual, dated
//              future), or 0 for the all-zero words of an empty registry place. Twin of linearRow in
//              protocol/risk/rows.ts; encoding in docs/protocol.md §4. The other outputs are what the options on a
//              dated future take from it.
// Assumes      indexMicros[u] < 2^44, quarterMoves[u] < 2^19 (UnderlyingMoves). That ids are distinct, that spot
//              means id ≤ 3, that only perpetuals have funding, and Σ cap · worst loss < 2^63 is the registry's duty
//              (contracts/RiskParameters.sol). IS_DATED: of a block; its settlementMicros < 2^44 are a mean of prices that
//              the registry allowed, so their value of a lot is below 2^33.
// Guarantees   flags are boolean; what is settled is dated and reduce-only; 0 < mark < 2^40 exactly if listed: that by the index,
//              on which the options of a block are priced even where its rows show the settled one;
//              |funding index| ≤ 2^50; linearLoss, charges, band, penalty < 2^41; caps < 2^47; the instrument's
//              underlying is one of UNDERLYINGS; lotE8 < 2^27.
template LinearRow(UNDERLYINGS, IS_DATED) {
    // Of one coin; of no matter while it is not settled.
    signal input settlementMicros;
    signal input priceWord;
    signal input limitsWord;
    signal input indexMicros[UNDERLYINGS];
    signal input quarterMoves[UNDERLYINGS];
    signal output rowHash;
    signal output isListed;
    signal output isSettled;
    // What the settlement price makes of a lot.
    signal output settledMark;
    signal output mark;
    // 0 where it is settled.
    signal output liveMark;
    signal output underlying;
    signal output isUnderlying[UNDERLYINGS];
    // The quarter move of the instrument's underlying.
    signal output rowMove;
    // index · lot in 1e-8.
    signal output indexLotE8;
    signal output expirySec;

    // INSTRUMENT_PRICE_LAYOUT and INSTRUMENT_LIMITS_LAYOUT of protocol/risk/risk-words.ts.
    component price = Unpack(12, [
        INSTRUMENT_ID_BITS(), UNDERLYING_BITS(), 1, 1, 1, LOT_E8_BITS(), PRICE_PPB_BITS(),
        RATE_PPM_BITS(), RATE_PPM_BITS(), RATE_PPM_BITS(), RATE_PPM_BITS(), FUNDING_INDEX_BITS() + 1
    ]);
    price.packed <== priceWord;
    signal instrumentId <== price.fields[0];
    underlying <== price.fields[1];
    signal isSpot <== price.fields[2];
    signal isReduceOnly <== price.fields[3];
    isSettled <== price.fields[4];
    signal lotE8 <== price.fields[5];
    signal pricePpb <== price.fields[6];
    signal fundingIndex <== price.fields[11] - (1 << FUNDING_INDEX_BITS());
    isSettled * (1 - isReduceOnly) === 0;
    component limits = Unpack(3, [SIZE_BITS(), SIZE_BITS(), TIME_BITS()]);
    limits.packed <== limitsWord;
    expirySec <== limits.fields[2];

    // The underlying's index and move, by one-hot selection; exactly one must match.
    signal selectedIndex[UNDERLYINGS];
    signal selectedMove[UNDERLYINGS];
    var matches = 0;
    var indexSum = 0;
    var moveSum = 0;
    for (var u = 0; u < UNDERLYINGS; u++) {
        isUnderlying[u] <== IsEqual()([underlying, u]);
        selectedIndex[u] <== isUnderlying[u] * indexMicros[u];
        selectedMove[u] <== isUnderlying[u] * quarterMoves[u];
        matches += isUnderlying[u];
        indexSum += selectedIndex[u];
        moveSum += selectedMove[u];
    }
    matches === 1;
    rowMove <== moveSum;

    indexLotE8 <== indexSum * lotE8;
    signal markE17 <== indexLotE8 * pricePpb;
    mark <== DivideNearest(
        INDEX_BITS() + LOT_E8_BITS() + PRICE_PPB_BITS(), LOT_ONE_E8() * PPB_ONE(), PRICE_BITS()
    )(markE17);
    signal isUnlisted <== IsZero()(instrumentId);
    signal isWorthless <== IsZero()(mark);
    isWorthless === isUnlisted;
    isListed <== 1 - isUnlisted;

    // A settled lot is worth its settlement value in every scenario and costs no margin: what follows the price is 0.
    liveMark <== mark * (1 - isSettled);
    if (IS_DATED == 1) {
        signal settlementLotE8 <== settlementMicros * lotE8;
        settledMark <== DivideNearest(INDEX_BITS() + LOT_E8_BITS(), LOT_ONE_E8(), FORWARD_BITS())(settlementLotE8);
    } else {
        settledMark <== 0;
        settlementMicros === 0;
        isSettled === 0;
    }
    signal settledPart <== isSettled * settledMark;
    signal chargeImLong <== ShareOfMark()(liveMark, price.fields[7]);
    signal chargeMmLong <== ShareOfMark()(liveMark, price.fields[8]);
    signal markMove <== liveMark * rowMove;
    signal quarterLoss <== ShiftRightNearest(PRICE_BITS() + QUARTER_MOVE_BITS(), MOVE_SCALE_BITS())(markMove);

    component row = PoseidonChain(ROW_VALUES());
    row.values[0] <== instrumentId + underlying * (1 << INSTRUMENT_ID_BITS())
        + isSpot * (1 << (INSTRUMENT_ID_BITS() + UNDERLYING_BITS()))
        + isReduceOnly * (1 << (INSTRUMENT_ID_BITS() + UNDERLYING_BITS() + 1))
        + isSettled * (1 << (INSTRUMENT_ID_BITS() + UNDERLYING_BITS() + 2));
    row.values[1] <== liveMark + settledPart;
    row.values[2] <== fundingIndex;
    row.values[3] <== liveMark; // delta of anything linear
    row.values[4] <== chargeImLong;
    // Spot is never short.
    row.values[5] <== chargeImLong * (1 - isSpot);
    row.values[6] <== chargeMmLong;
    row.values[7] <== chargeMmLong * (1 - isSpot);
    row.values[8] <== ShareOfMark()(liveMark, price.fields[9]);
    row.values[9] <== ShareOfMark()(liveMark, price.fields[10]);
    row.values[10] <== limits.fields[0];
    row.values[11] <== limits.fields[1];
    row.values[12] <== expirySec;
    row.values[13] <== -quarterLoss; // of a long lot, when its underlying moves a quarter up
    row.values[14] <== 0; // no losses of pairs
    rowHash <== row.hash * isListed;
}
