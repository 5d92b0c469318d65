pragma circom 2.2.0;

include "../arithmetic/poseidon-chain.circom";
include "../arithmetic/select.circom";
include "../bus/bus.circom";

// Proves       the table and both lists of open interest hash to what the words say; a market that no instrument row
//              names keeps its open interest.
// Assumes      the hashes are tied to words by the caller.
// Guarantees   the bus holds (slot, row hash, old, new) once for each slot with hasRow = 1: at most one instrument row
//              per slot, with these values. `mask` packs the bits.
template MarketList(SLOTS) {
    signal input rowHashes[SLOTS];
    signal input oldInterestLots[SLOTS];
    signal input newInterestLots[SLOTS];
    signal input hasRow[SLOTS];
    signal input alpha;
    signal input beta[BETA_POWERS()];
    signal output tableHash;
    signal output oldMarketsHash;
    signal output newMarketsHash;
    signal output mask;
    signal output busSum;

    tableHash <== PoseidonChain(SLOTS)(rowHashes);
    oldMarketsHash <== PoseidonChain(SLOTS)(oldInterestLots);
    newMarketsHash <== PoseidonChain(SLOTS)(newInterestLots);
    signal hashPart[SLOTS];
    signal oldPart[SLOTS];
    signal newPart[SLOTS];
    signal slotPart[SLOTS];
    signal entries[SLOTS];
    var bits = 0;
    var sum = 0;
    for (var m = 0; m < SLOTS; m++) {
        RequireBit()(hasRow[m]);
        (1 - hasRow[m]) * (newInterestLots[m] - oldInterestLots[m]) === 0;
        slotPart[m] <== beta[1] * m;
        hashPart[m] <== beta[2] * rowHashes[m];
        oldPart[m] <== beta[3] * oldInterestLots[m];
        newPart[m] <== beta[4] * newInterestLots[m];
        entries[m] <== BusEntry()(alpha, TAG_MARKET() + slotPart[m] + hashPart[m] + oldPart[m] + newPart[m], hasRow[m]);
        bits += hasRow[m] * (1 << m);
        sum += entries[m];
    }
    mask <== bits;
    busSum <== sum;
}
