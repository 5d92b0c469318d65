pragma circom 2.2.0;

include "../arithmetic/divide.circom";
include "../arithmetic/unpack.circom";
include "./linear-row.circom";
include "./option/moves.circom";
include "./option/strike-rows.circom";
include "./option/surface.circom";

// Proves       the rows of one expiry: a dated future, and call and put at each of its strikes; and whether the marks of the
//              calls form a sound surface. Market slots in their order: the future, then per strike the call and the
//              put; 0 where nothing is listed.
//              In a settled block each row has the settlement value as its mark and nothing else.
// Assumes      indexMicros, quarterMoves as LinearRow; logs and weights of OptionMoves per underlying. That the terms
//              are those of the block's expiry and its parameters is the contract's duty, which derives them
//              (protocol/risk/terms.ts), and that the options share the future's lot is the registry's. The contract says what
//              is settled and at which price: a mean of prices that the registry allowed, so its value per lot is below 2^33.
// Guarantees   as LinearRow, and: a listed future is below 2^33. Whatever strikes and volatilities the contract
//              takes, there is a witness: volatilities have a floor, an empty place or block is priced with
//              substitutes and its rows thrown away, and so are the prices of a settled one. isSound is a bit; a settled
//              block is sound, for nobody trades on its prices.
template ExpiryBlock(UNDERLYINGS, SCENARIOS, STRIKES) {
    signal input priceWord;
    signal input limitsWord;
    signal input termsWord;
    signal input settlementWord;
    signal input strikeWords[STRIKES];
    signal input indexMicros[UNDERLYINGS];
    signal input quarterMoves[UNDERLYINGS];
    signal input logs[UNDERLYINGS][MOVES()];
    signal input tailWeights[UNDERLYINGS][TAILS()];
    signal output rowHashes[1 + 2 * STRIKES];
    signal output isSound;

    // SETTLEMENT_LAYOUT of protocol/risk/risk-words.ts.
    component settlement = Unpack(1, [INDEX_BITS()]);
    settlement.packed <== settlementWord;

    component future = LinearRow(UNDERLYINGS, 1);
    future.settlementMicros <== settlement.fields[0];
    future.priceWord <== priceWord;
    future.limitsWord <== limitsWord;
    future.indexMicros <== indexMicros;
    future.quarterMoves <== quarterMoves;
    rowHashes[0] <== future.rowHash;
    signal isUnlisted <== 1 - future.isListed;

    // TERMS_LAYOUT of protocol/risk/risk-words.ts.
    component terms = Unpack(12, [
        OPTION_TIME_BITS(), VOL_UP_FACTOR_BITS(), RATE_PPM_BITS(), VOL_BITS(), VOL_BITS(), RATE_PPM_BITS(),
        RATE_PPM_BITS(), RATE_PPM_BITS(), RATE_PPM_BITS(), RATE_PPM_BITS(), RATE_PPM_BITS(), 1
    ]);
    terms.packed <== termsWord;
    signal isSettled <== terms.fields[11];
    // One state of the whole block, and no price that is not used.
    future.isSettled === isSettled;
    (1 - isSettled) * settlement.fields[0] === 0;
    signal isLive <== 1 - isSettled;

    // Moves of the future's underlying; those that are the same for all need no choice.
    signal rowLogs[MOVES()];
    signal rowWeights[TAILS()];
    signal logParts[MOVES()][UNDERLYINGS];
    signal weightParts[TAILS()][UNDERLYINGS];
    for (var m = 0; m < MOVES(); m++) {
        var sum = logs[0][m];
        logParts[m][0] <== 0;
        for (var u = 1; u < UNDERLYINGS; u++) {
            logParts[m][u] <== future.isUnderlying[u] * (logs[u][m] - logs[0][m]);
            sum += logParts[m][u];
        }
        rowLogs[m] <== sum;
    }
    for (var t = 0; t < TAILS(); t++) {
        var sum = tailWeights[0][t];
        weightParts[t][0] <== 0;
        for (var u = 1; u < UNDERLYINGS; u++) {
            weightParts[t][u] <== future.isUnderlying[u] * (tailWeights[u][t] - tailWeights[0][t]);
            sum += weightParts[t][u];
        }
        rowWeights[t] <== sum;
    }

    // The words of an empty block are zero: it gets a forward, an hour and a volatility.
    component shared = OptionForward();
    shared.forward <== future.mark + isUnlisted * SUBSTITUTE_FORWARD();
    shared.timeSec <== terms.fields[0] + isUnlisted * SUBSTITUTE_TIME_SEC();
    shared.quarterMove <== future.rowMove;

    // index · lot is at most twice the forward. Charges of a settled block are shares of nothing.
    signal indexLot <== DivideNearest(INDEX_BITS() + LOT_E8_BITS(), LOT_ONE_E8(), PRICE_BITS())(future.indexLotE8);
    signal liveIndexLot <== isLive * indexLot;
    signal forwardRoll[2];
    signal shortCharge[2];
    for (var i = 0; i < 2; i++) {
        forwardRoll[i] <== ShareOfMark()(future.liveMark, terms.fields[5 + i]);
        shortCharge[i] <== ShareOfMark()(liveIndexLot, terms.fields[7 + i]);
    }
    signal band <== ShareOfMark()(liveIndexLot, terms.fields[9]);
    signal penalty <== ShareOfMark()(liveIndexLot, terms.fields[10]);
    signal putLinearLoss <== isLive * shared.quarterGain; // the put is the call less the forward

    component strikes[STRIKES];
    component surface = BlockSurface(STRIKES);
    surface.forward <== shared.forward;
    for (var k = 0; k < STRIKES; k++) {
        strikes[k] = StrikeRows(SCENARIOS);
        strikes[k].word <== strikeWords[k];
        strikes[k].isBlockListed <== future.isListed;
        strikes[k].isSettled <== isSettled;
        strikes[k].settledValue <== future.settledMark;
        strikes[k].putLinearLoss <== putLinearLoss;
        strikes[k].underlying <== future.underlying;
        strikes[k].expirySec <== future.expirySec;
        strikes[k].forward <== shared.forward;
        strikes[k].forwardLog <== shared.forwardLog;
        strikes[k].quarterGain <== shared.quarterGain;
        strikes[k].moved <== shared.moved;
        strikes[k].rootOfTime <== shared.rootOfTime;
        strikes[k].logs <== rowLogs;
        strikes[k].tailWeights <== rowWeights;
        strikes[k].upPpm <== terms.fields[1];
        strikes[k].downPpm <== terms.fields[2];
        strikes[k].upFloorPpm <== terms.fields[3] + isUnlisted * SUBSTITUTE_VOL_PPM();
        strikes[k].leastVolPpm <== terms.fields[4] + isUnlisted * SUBSTITUTE_VOL_PPM();
        for (var i = 0; i < 2; i++) {
            strikes[k].rollPpm[i] <== terms.fields[5 + i];
            strikes[k].forwardRoll[i] <== forwardRoll[i];
            strikes[k].shortCharge[i] <== shortCharge[i];
        }
        strikes[k].band <== band;
        strikes[k].penalty <== penalty;
        rowHashes[1 + 2 * k] <== strikes[k].rowHashes[0];
        rowHashes[2 + 2 * k] <== strikes[k].rowHashes[1];
        surface.strikes[k] <== strikes[k].strike;
        surface.marks[k] <== strikes[k].callMark;
        surface.isListed[k] <== strikes[k].isListed;
    }
    isSound <== isSettled + isLive * surface.isSound;
}
