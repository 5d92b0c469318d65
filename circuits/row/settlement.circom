pragma circom 2.2.0;

include "../limits.circom";
include "../arithmetic/range.circom";
include "../arithmetic/select.circom";
include "../bus/bus.circom";

// Proves       one position in a settled instrument becomes cash: lots · mark, paid by a short. Unused rows are all zero.
// Assumes      account indices and instrument ids are pairwise distinct where used; no unused instrument is settled.
// Guarantees   isHere marks its account row; positionKey = account · 2^20 + instrument. That isShort names the side of
//              the old position, which has at least so many lots, follows from the bus: the slot is shrinking.
template SettlementRow(ACCOUNTS, INSTRUMENTS) {
    signal input isUsed;
    signal input accountIndex;
    signal input instrumentId;
    signal input isShort;
    signal input lots;
    signal input accountIndexes[ACCOUNTS];
    signal input instrumentIds[INSTRUMENTS];
    signal input marks[INSTRUMENTS];
    signal input isSettled[INSTRUMENTS];
    signal input alpha;
    signal input beta[BETA_POWERS()];
    signal output isHere[ACCOUNTS];
    signal output positionKey;
    signal output committed;
    signal output busSum;

    RequireBit()(isUsed);
    RequireBit()(isShort);
    RangeCheck(INSTRUMENT_ID_BITS())(instrumentId);
    RangeCheck(SIZE_BITS())(lots);
    signal lotsInverse <-- lots == 0 ? 0 : isUsed / lots;
    lots * lotsInverse === isUsed;
    (1 - isUsed) * accountIndex === 0;
    (1 - isUsed) * instrumentId === 0;
    (1 - isUsed) * (isShort + lots) === 0;

    isHere <== FindKey(ACCOUNTS)(accountIndexes, accountIndex, isUsed);
    signal isInstrument[INSTRUMENTS] <== FindKey(INSTRUMENTS)(instrumentIds, instrumentId, isUsed);
    signal mark <== Selected(INSTRUMENTS)(isInstrument, marks);
    signal isItSettled <== Selected(INSTRUMENTS)(isInstrument, isSettled);
    isItSettled === isUsed;

    positionKey <== accountIndex * (1 << INSTRUMENT_ID_BITS()) + instrumentId;
    var at = ACCOUNT_INDEX_BITS();
    var packed = accountIndex + instrumentId * (1 << at);
    at += INSTRUMENT_ID_BITS();
    packed += (isShort + 2 * isUsed) * (1 << at);
    at += 2;
    committed <== packed + lots * (1 << at);

    signal shortLots <== isShort * lots;
    signal sizeLots <== lots - 2 * shortLots;
    signal cashMicros <== sizeLots * mark;
    signal accountPart <== beta[2] * accountIndex;
    signal instrumentPart <== beta[1] * instrumentId;
    signal entries[2];
    // Always under the shrinking key: the slot can only shrink. Open interest falls by the account's own entry.
    entries[0] <== BusEntry()(alpha, TAG_POSITION() + 16 + instrumentPart + accountPart, sizeLots);
    entries[1] <== BusEntry()(alpha, TAG_CASH() + accountPart, -cashMicros);
    busSum <== entries[0] + entries[1];
}

// Proves       the instrument that L1 is told to retire is settled and nobody holds it after the batch; id 0 tells nothing.
// Assumes      instrument ids are below 2^20 and pairwise distinct where used; no unused instrument is settled; open interest counts the
//              lots of longs and of shorts, which leave at different times: of one side alone 0 would strand the other.
// Guarantees   instrumentId is 0 or the id of a row, so below 2^20.
template Retirement(INSTRUMENTS) {
    signal input instrumentId;
    signal input instrumentIds[INSTRUMENTS];
    signal input isSettled[INSTRUMENTS];
    signal input newInterestLots[INSTRUMENTS];

    signal isRetiring <== IsNonZero()(instrumentId);
    signal isInstrument[INSTRUMENTS] <== FindKey(INSTRUMENTS)(instrumentIds, instrumentId, isRetiring);
    signal isItSettled <== Selected(INSTRUMENTS)(isInstrument, isSettled);
    isItSettled === isRetiring;
    signal heldLots <== Selected(INSTRUMENTS)(isInstrument, newInterestLots);
    heldLots === 0;
}
