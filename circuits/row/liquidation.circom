pragma circom 2.2.0;

include "../limits.circom";
include "../arithmetic/range.circom";
include "../arithmetic/select.circom";
include "../bus/bus.circom";

// Proves       one liquidated position: closed at the mark or no worse than mark ∓ band. Unused rows are all zero.
// Assumes      account indices and instrument ids are pairwise distinct where used. spotCapLots[t] is the position cap of
//              spot token t + 1 wherever a row states pending lots of it; caps and old spot lots are below 2^SIZE_BITS.
// Guarantees   isHere marks its account row; positionKey = account · 2^20 + instrument. That isShort names the side of
//              the old position follows from the bus: the slot is shrinking, so a change of the other sign has no slot.
//              countedLots are the pending lots of a token whose deposits will all be applied, by the balance at the
//              batch's start; 0 where one may be refused: that comes back to its owner and may not stand for a debt.
template LiquidationRow(ACCOUNTS, INSTRUMENTS) {
    signal input isUsed;
    signal input accountIndex;
    signal input instrumentId;
    signal input isShort;
    signal input closedLots;
    signal input cashMicros;
    signal input pendingQuoteMicros;
    signal input pendingLots[SPOT_SLOTS()];
    signal input accountIndexes[ACCOUNTS];
    signal input instrumentIds[INSTRUMENTS];
    signal input marks[INSTRUMENTS];
    signal input bands[INSTRUMENTS];
    signal input oldSpotLots[SPOT_SLOTS()][ACCOUNTS];
    signal input spotCapLots[SPOT_SLOTS()];
    signal input alpha;
    signal input beta[BETA_POWERS()];
    signal output isHere[ACCOUNTS];
    signal output positionKey;
    signal output word;
    signal output pendingWord;
    signal output countedLots[SPOT_SLOTS()];
    signal output busSum;

    RequireBit()(isUsed);
    RequireBit()(isShort);
    RangeCheck(SIZE_BITS())(closedLots);
    RangeCheck(AMOUNT_BITS())(cashMicros);
    RangeCheck(PENDING_QUOTE_BITS())(pendingQuoteMicros);
    for (var t = 0; t < SPOT_SLOTS(); t++) { RangeCheck(SIZE_BITS())(pendingLots[t]); }
    signal closedInverse <-- closedLots == 0 ? 0 : isUsed / closedLots;
    closedLots * closedInverse === isUsed;

    isHere <== FindKey(ACCOUNTS)(accountIndexes, accountIndex, isUsed);
    signal isInstrument[INSTRUMENTS] <== FindKey(INSTRUMENTS)(instrumentIds, instrumentId, isUsed);
    signal mark <== Selected(INSTRUMENTS)(isInstrument, marks);
    signal band <== Selected(INSTRUMENTS)(isInstrument, bands);
    // Id 0 marks an unused instrument row: nothing may be liquidated in it.
    signal idInverse <-- instrumentId == 0 ? 0 : isUsed / instrumentId;
    instrumentId * idInverse === isUsed;
    (1 - isUsed) * accountIndex === 0;
    (1 - isUsed) * instrumentId === 0;

    // cash ≥ closed·(mark − band) for a long, ≤ closed·(mark + band) for a short: below 2^92 in absolute value.
    signal edgeMicrosPerLot <== mark - band + 2 * isShort * band;
    signal edgeMicros <== closedLots * edgeMicrosPerLot;
    RangeCheck(AMOUNT_BITS() + 5)((1 - 2 * isShort) * (cashMicros - edgeMicros));

    positionKey <== accountIndex * (1 << INSTRUMENT_ID_BITS()) + instrumentId;
    var at = ACCOUNT_INDEX_BITS();
    var packed = accountIndex + instrumentId * (1 << at);
    at += INSTRUMENT_ID_BITS();
    packed += isShort * (1 << at);
    at += 1;
    packed += closedLots * (1 << at);
    at += SIZE_BITS();
    word <== packed + cashMicros * (1 << at);
    at = PENDING_QUOTE_BITS();
    packed = pendingQuoteMicros;
    for (var t = 0; t < SPOT_SLOTS(); t++) { packed += pendingLots[t] * (1 << (at + t * SIZE_BITS())); }
    pendingWord <== packed;
    (1 - isUsed) * (isShort + closedLots + cashMicros + pendingWord) === 0;

    // ---- Pending spot counts exactly when all of it is within the position cap: room ≥ 0 if counted, −room − 1 ≥ 0 if not.
    signal hasPending[SPOT_SLOTS()];
    signal isCounted[SPOT_SLOTS()];
    signal heldLots[SPOT_SLOTS()];
    signal capMargin[SPOT_SLOTS()];
    for (var t = 0; t < SPOT_SLOTS(); t++) {
        hasPending[t] <== IsNonZero()(pendingLots[t]);
        heldLots[t] <== Selected(ACCOUNTS)(isHere, oldSpotLots[t]);
        var room = spotCapLots[t] - heldLots[t] - pendingLots[t];
        isCounted[t] <-- room >= 0 ? hasPending[t] : 0;
        RequireBit()(isCounted[t]);
        isCounted[t] * (1 - hasPending[t]) === 0;
        capMargin[t] <== isCounted[t] * (2 * room + 1) - room - 1;
        RangeCheck(SIZE_BITS() + 1)(hasPending[t] * capMargin[t]);
        countedLots[t] <== isCounted[t] * pendingLots[t];
    }

    signal boughtLots <== isShort * closedLots;
    signal paidMicros <== isShort * cashMicros;
    var changeLots = 2 * boughtLots - closedLots;
    var flowMicros = cashMicros - 2 * paidMicros;
    signal accountPart <== beta[2] * accountIndex;
    signal instrumentPart <== beta[1] * instrumentId;
    signal entries[5];
    // Always under the shrinking key: the slot can only shrink.
    entries[0] <== BusEntry()(alpha, TAG_POSITION() + 16 + instrumentPart + accountPart, -changeLots);
    entries[1] <== BusEntry()(alpha, TAG_CASH() + accountPart, -flowMicros);
    entries[2] <== BusEntry()(alpha, TAG_SIZE() + instrumentPart, changeLots);
    entries[3] <== BusEntry()(alpha, TAG_PAYMENT() + instrumentPart, flowMicros);
    entries[4] <== BusEntry()(alpha, TAG_FILLS() + 16 + instrumentPart, isUsed);
    busSum <== entries[0] + entries[1] + entries[2] + entries[3] + entries[4];
}
