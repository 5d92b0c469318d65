pragma circom 2.2.0;

include "circomlib/circuits/comparators.circom";
include "../../arithmetic/divide.circom";
include "../../arithmetic/poseidon-chain.circom";
include "../../arithmetic/unpack.circom";
include "../losses.circom";
include "../risk-limits.circom";
include "./log.circom";
include "./option-row.circom";
include "./vol-shock.circom";

// Proves       the hashes of the rows of the call and of the put at one strike, or 0 for the zero word of an empty
//              place. Twin of optionRows and settledRows in protocol/risk/rows.ts. ln K is proved here in every round, so
//              nothing about a strike need be proved when it is listed.
// Assumes      what stands on the forward is of OptionForward and OptionMoves; the terms are fields of a word and have
//              their widths: upPpm < 2^22, floors and downPpm as ShockedVols, rolls < 2^20; the charges of the forward
//              and of the index, and the put's linear loss, are those of ExpiryBlock, 0 where the block is settled;
//              isSettled is a bit, settledValue < 2^35. That the id of a call is even, so that its put's fits 20 bits
//              too, is the registry's duty.
// Guarantees   0 ≤ call roll ≤ forward roll, so neither roll is negative: 0 ≤ call delta ≤ forward, because no place of the
//              distribution's grid has a probability outside [0, 1] (test/protocol/risk/table tries them all).
//              A listed strike with a block in use always has a witness if 0 < strike. A settled call is worth
//              max(0, S − K), its put max(0, K − S); all else in their rows but the caps and the expiry is 0.
template StrikeRows(SCENARIOS) {
    signal input word;
    signal input isBlockListed;
    signal input isSettled;
    // Of the block's future; of no matter while it is not settled.
    signal input settledValue;
    signal input underlying;
    signal input expirySec;
    signal input forward;
    signal input forwardLog;
    signal input quarterGain;
    signal input putLinearLoss;
    signal input moved[MOVES()];
    signal input rootOfTime;
    signal input logs[MOVES()];
    signal input tailWeights[TAILS()];
    signal input upPpm;
    signal input downPpm;
    signal input upFloorPpm;
    signal input leastVolPpm;
    // IM, then MM.
    signal input rollPpm[2];
    signal input forwardRoll[2];
    signal input shortCharge[2];
    signal input band;
    signal input penalty;
    signal output rowHashes[2];
    signal output isListed;
    signal output strike;
    signal output callMark;

    // STRIKE_LAYOUT of protocol/risk/risk-words.ts.
    component fields = Unpack(6, [INSTRUMENT_ID_BITS(), 1, STRIKE_BITS(), VOL_BITS(), SIZE_BITS(), SIZE_BITS()]);
    fields.packed <== word;
    signal callId <== fields.fields[0];
    signal isUnlisted <== IsZero()(callId);
    isListed <== 1 - isUnlisted;
    // No option without its future: the forward would be a substitute.
    isListed * (1 - isBlockListed) === 0;
    // An empty place is priced at some strike too, and its rows are thrown away. Its volatility of 0 has a floor.
    strike <== fields.fields[2] + isUnlisted * SUBSTITUTE_STRIKE();

    component vols = ShockedVols();
    vols.volPpm <== fields.fields[3];
    vols.upPpm <== upPpm;
    vols.downPpm <== downPpm;
    vols.upFloorPpm <== upFloorPpm;
    vols.leastVolPpm <== leastVolPpm;
    component prices = OptionRow();
    prices.strike <== strike;
    prices.strikeLog <== StrikeLog()(strike);
    prices.volsPpm <== vols.volsPpm;
    prices.forward <== forward;
    prices.forwardLog <== forwardLog;
    prices.quarterGain <== quarterGain;
    prices.moved <== moved;
    prices.rootOfTime <== rootOfTime;
    prices.logs <== logs;
    prices.tailWeights <== tailWeights;
    callMark <== prices.callMark;

    signal isLive <== 1 - isSettled;
    signal settledCall <== Larger(STRIKE_BITS())(settledValue - strike, 0);
    signal settledPut <== settledCall - settledValue + strike;
    signal callSettledPart <== isSettled * settledCall;
    signal putSettledPart <== isSettled * settledPut;
    signal callLivePart <== isLive * prices.callMark;
    signal putLivePart <== isLive * prices.putMark;
    signal callDelta <== isLive * prices.callDelta;
    signal putDelta <== isLive * prices.putDelta;
    // Reduce-only by itself or because it is settled.
    signal isReduceOnly <== isSettled + isLive * fields.fields[1];

    signal rolled[2];
    signal callRoll[2];
    for (var i = 0; i < 2; i++) {
        rolled[i] <== callDelta * rollPpm[i];
        // 2^20 / 10^6 < 2.
        callRoll[i] <== DivideNearest(FORWARD_BITS() + RATE_PPM_BITS(), PPM_ONE(), FORWARD_BITS() + 1)(rolled[i]);
    }
    signal pricedLosses <== LossesHash(SCENARIOS)(prices.callLosses);
    signal lossesHash <== isLive * pricedLosses;

    component rows[2];
    for (var put = 0; put < 2; put++) {
        rows[put] = PoseidonChain(ROW_VALUES());
        rows[put].values[0] <== callId + put + underlying * (1 << INSTRUMENT_ID_BITS())
            + isReduceOnly * (1 << (INSTRUMENT_ID_BITS() + UNDERLYING_BITS() + 1))
            + isSettled * (1 << (INSTRUMENT_ID_BITS() + UNDERLYING_BITS() + 2));
        rows[put].values[2] <== 0; // no funding
        if (put == 0) {
            rows[put].values[1] <== callLivePart + callSettledPart;
            rows[put].values[3] <== callDelta;
            rows[put].values[13] <== 0;
        } else {
            rows[put].values[1] <== putLivePart + putSettledPart;
            rows[put].values[3] <== putDelta;
            rows[put].values[13] <== putLinearLoss;
        }
        for (var i = 0; i < 2; i++) {
            var roll = put == 0 ? callRoll[i] : forwardRoll[i] - callRoll[i];
            rows[put].values[4 + 2 * i] <== roll;
            rows[put].values[5 + 2 * i] <== roll + shortCharge[i];
        }
        rows[put].values[8] <== band;
        rows[put].values[9] <== penalty;
        rows[put].values[10] <== fields.fields[4];
        rows[put].values[11] <== fields.fields[5];
        rows[put].values[12] <== expirySec;
        rows[put].values[14] <== lossesHash;
        rowHashes[put] <== rows[put].hash * isListed;
    }
}
