pragma circom 2.2.0;

include "../limits.circom";
include "../arithmetic/expected-shortfall.circom";
include "../arithmetic/range.circom";
include "../arithmetic/size-add-on.circom";
include "../arithmetic/select.circom";
include "../bus/bus.circom";
include "../bus/functionals.circom";
include "../state/account-leaf.circom";
include "../state/merkle-path.circom";
include "../state/nonce-window.circom";
include "../state/position-slot.circom";
include "health.circom";

function accountCommitments(scenarios) {
    return 3 + lossElements(scenarios) + scenarios + 2 * VALUES();
}

// Proves       one account of the batch: its old leaf in the running root, its new leaf in the next, the changes between
//              them on the bus, and every rule of health.
// Assumes      the two roots are chained and the indices strictly increase (batch.circom). Then both leaves are fixed by
//              the old and new state root and the indices, all committed: leaf fields need no commitment of their own.
// Guarantees   committed fixes everything else that enters a key, an amount or a Freivalds sum.
template AccountRow(DEPTH, DERIVATIVES, RECORDS, WORDS, SCENARIOS, DIGIT_BITS) {
    var ALL_SLOTS = DERIVATIVES + SPOT_SLOTS();
    var ELEMENTS = leafElementCount(DERIVATIVES, RECORDS);
    // ---- Leaf before and after.
    signal input accountIndex;
    signal input isTouched;
    signal input children[DEPTH][4];
    signal input oldPublicKey[2];
    signal input newPublicKey[2];
    signal input oldEpoch;
    signal input oldUsedMap;
    signal input newUsedMap;
    signal input oldBaseWord;
    signal input newBaseWord;
    signal input oldCashStarMicros;
    signal input newCashStarMicros;
    signal input oldRecordOffsets[RECORDS];
    signal input oldRecordFilledLots[RECORDS];
    signal input newRecordOffsets[RECORDS];
    signal input newRecordFilledLots[RECORDS];
    signal input isRecordChanged[RECORDS];
    signal input oldSlotIds[DERIVATIVES];
    signal input oldSlotIsShort[DERIVATIVES];
    signal input oldSlotLots[DERIVATIVES];
    signal input newSlotIds[DERIVATIVES];
    signal input newSlotIsShort[DERIVATIVES];
    signal input newSlotLots[DERIVATIVES];
    signal input oldSpotLots[SPOT_SLOTS()];
    signal input newSpotLots[SPOT_SLOTS()];
    signal input isShrinking[ALL_SLOTS];
    // ---- What happened to it.
    signal input isEpochChanged;
    signal input isRaised;
    signal input orderCount;
    signal input activityCount;
    signal input keyUses;
    signal input feesMicros;
    signal input treasuryMicros;
    signal input isFilled;
    signal input isReducing;
    signal input isUnderMargin;
    signal input isQuoteRelative;
    signal input isQuoteWithdrawn;
    signal input isSpotWithdrawn;
    signal input isMarginLiquidation;
    signal input isDebtLiquidation;
    signal input isSmallAccount;
    signal input isPenaltyFull;
    signal input isPenaltyRest;
    signal input isFundPaid;
    signal input pendingQuoteMicros;
    signal input pendingLots[SPOT_SLOTS()];
    // Rows of other kinds that name this account: L1 operations, liquidations, settlements, withdrawals; forbids an
    // untouched account.
    signal input otherRows;
    // ---- Margin.
    signal input oldLosses[SCENARIOS];
    signal input oldValues[VALUES()];
    signal input newValues[VALUES()];
    signal input threshold;
    signal input lossDistances[SCENARIOS];
    signal input isLossAbove[SCENARIOS];
    signal input isScanPositive;
    signal input isOldWorst[SCENARIOS];
    signal input isOldScanPositive;
    signal input isNewWorst[SCENARIOS];
    signal input isNewScanPositive;
    signal input isOldDeltaNegative[DELTA_UNDERLYINGS()];
    signal input isOldAddOnPiece[DELTA_UNDERLYINGS()][ADD_ON_BOUNDS()];
    signal input isNewDeltaNegative[DELTA_UNDERLYINGS()];
    signal input isNewAddOnPiece[DELTA_UNDERLYINGS()][ADD_ON_BOUNDS() + 1];
    // ---- Shared.
    signal input k;
    signal input addOnUnits[DELTA_UNDERLYINGS()];
    signal input pricesUsable;
    signal input isFundExhausted;
    signal input alpha;
    signal input beta[BETA_POWERS()];
    signal input gamma[SCENARIOS + VALUES()];
    signal output oldRoot;
    signal output newRoot;
    signal output isLiquidated;
    signal output transferGap;
    signal output quoteBalance;
    signal output quoteMeasure;
    signal output openSlots;
    // Flows into the treasury (+) or out of the fund (−).
    signal output penaltyMicros;
    signal output fundPaymentMicros;
    signal output words[ELEMENTS - 1];
    signal output committed[accountCommitments(SCENARIOS)];
    signal output busSum;
    signal output oldWeightSum;
    signal output newWeightSum;
    signal output oldFunctional;
    signal output newFunctional;

    // ---- Ranges of what the slots, records and the window do not cover.
    RequireBit()(isTouched);
    RequireBit()(isEpochChanged);
    RequireBit()(isRaised);
    RangeCheck(CASH_STAR_BITS() + 1)(oldCashStarMicros + (1 << CASH_STAR_BITS()));
    RangeCheck(CASH_STAR_BITS() + 1)(newCashStarMicros + (1 << CASH_STAR_BITS()));
    RangeCheck(EPOCH_BITS())(oldEpoch + isEpochChanged);
    RangeCheck(ROW_COUNT_BITS())(orderCount);
    RangeCheck(ROW_COUNT_BITS())(activityCount);
    RangeCheck(ROW_COUNT_BITS())(keyUses);
    RangeCheck(AMOUNT_BITS())(treasuryMicros);
    (1 - isFilled) * orderCount === 0;
    // Counts and amounts are not negative: the sum is zero only if each is.
    (1 - isTouched) * (activityCount + keyUses + otherRows + isEpochChanged + isFundPaid) === 0;
    isEpochChanged * activityCount === 0;

    signal accountPart <== beta[2] * accountIndex;

    // ---- Nonce window and records.
    component window = NonceWindow(WORDS, DIGIT_BITS);
    window.oldUsedMap <== oldUsedMap;
    window.newUsedMap <== newUsedMap;
    window.oldBaseWord <== oldBaseWord;
    window.newBaseWord <== newBaseWord;
    window.isRaised <== isRaised;
    window.isEpochChanged <== isEpochChanged;
    component records = OrderRecords(RECORDS);
    records.oldOffsets <== oldRecordOffsets;
    records.oldFilledLots <== oldRecordFilledLots;
    records.newOffsets <== newRecordOffsets;
    records.newFilledLots <== newRecordFilledLots;
    records.droppedNonces <== window.droppedNonces;
    signal oldBasePart <== beta[1] * oldBaseWord;
    signal newBasePart <== beta[1] * newBaseWord;
    signal usedEntries[WORDS];
    var sum = 0;
    for (var w = 0; w < WORDS; w++) {
        usedEntries[w] <== BusEntry()(alpha, TAG_USED() + newBasePart + w * beta[1] + accountPart,
            window.usedDigits[w]);
        sum += usedEntries[w];
    }
    signal oldOffsetPart[RECORDS];
    signal newOffsetPart[RECORDS];
    signal oldFilledPart[RECORDS];
    signal newFilledPart[RECORDS];
    signal recordEntries[2 * RECORDS];
    for (var i = 0; i < RECORDS; i++) {
        oldOffsetPart[i] <== beta[1] * oldRecordOffsets[i];
        newOffsetPart[i] <== beta[1] * newRecordOffsets[i];
        oldFilledPart[i] <== beta[3] * oldRecordFilledLots[i];
        newFilledPart[i] <== beta[3] * newRecordFilledLots[i];
        recordEntries[2 * i] <== BusEntry()(alpha,
            TAG_RECORD() + 32 * oldBasePart + oldOffsetPart[i] + accountPart + oldFilledPart[i], -records.isOldKept[i]);
        // A record that a row made has a key of its own, so no row of the same batch can go on with it: a nonce is
        // used at most once in a batch.
        RequireBit()(isRecordChanged[i]);
        recordEntries[2 * i + 1] <== BusEntry()(alpha, TAG_RECORD() + 16 * isRecordChanged[i] + 32 * newBasePart
            + newOffsetPart[i] + accountPart + newFilledPart[i], records.isNewLive[i]);
        sum += recordEntries[2 * i] + recordEntries[2 * i + 1];
    }

    // ---- Positions: one entry for the change, two for the weights, one for open interest.
    component slots[DERIVATIVES];
    component distinct = DistinctSlots(DERIVATIVES);
    signal slotPart[DERIVATIVES];
    signal openedLots[DERIVATIVES];
    signal openedPart[DERIVATIVES];
    signal positionEntries[ALL_SLOTS];
    signal oldWeights[ALL_SLOTS];
    signal newWeights[ALL_SLOTS];
    signal interestEntries[ALL_SLOTS];
    var oldWeight = 0;
    var newWeight = 0;
    var open = 0;
    for (var i = 0; i < DERIVATIVES; i++) {
        slots[i] = AlignedSlot();
        slots[i].oldId <== oldSlotIds[i];
        slots[i].oldIsShort <== oldSlotIsShort[i];
        slots[i].oldMagnitudeLots <== oldSlotLots[i];
        slots[i].newId <== newSlotIds[i];
        slots[i].newIsShort <== newSlotIsShort[i];
        slots[i].newMagnitudeLots <== newSlotLots[i];
        slots[i].isShrinking <== isShrinking[i];
        distinct.instrumentIds[i] <== slots[i].instrumentId;
        distinct.isOpen[i] <== slots[i].isHeld;
        open += slots[i].isNewOpen;

        slotPart[i] <== beta[1] * slots[i].instrumentId;
        // Orders that may grow the position name its new magnitude, which they hold to the cap.
        openedLots[i] <== (1 - isShrinking[i]) * newSlotLots[i];
        openedPart[i] <== beta[3] * openedLots[i];
        positionEntries[i] <== BusEntry()(alpha,
            TAG_POSITION() + 16 * isShrinking[i] + slotPart[i] + accountPart + openedPart[i],
            slots[i].newSizeLots - slots[i].oldSizeLots);
        oldWeights[i] <== BusEntry()(alpha, TAG_WEIGHT() + 16 * oldSlotIsShort[i] + slotPart[i], oldSlotLots[i]);
        newWeights[i] <== BusEntry()(alpha, TAG_WEIGHT() + 16 * newSlotIsShort[i] + slotPart[i], newSlotLots[i]);
        interestEntries[i] <== BusEntry()(alpha, TAG_INTEREST() + slotPart[i], newSlotLots[i] - oldSlotLots[i]);
        sum += positionEntries[i] + interestEntries[i];
        oldWeight += oldWeights[i];
        newWeight += newWeights[i];
    }
    openSlots <== open;
    var held = 0;
    for (var t = 0; t < SPOT_SLOTS(); t++) {
        var at = DERIVATIVES + t;
        SpotSlot()(oldSpotLots[t], newSpotLots[t], isShrinking[at]);
        positionEntries[at] <== BusEntry()(alpha, TAG_POSITION() + 16 * isShrinking[at] + (t + 1) * beta[1] + accountPart,
            newSpotLots[t] - oldSpotLots[t]);
        oldWeights[at] <== BusEntry()(alpha, TAG_WEIGHT() + (t + 1) * beta[1], oldSpotLots[t] + pendingLots[t]);
        newWeights[at] <== BusEntry()(alpha, TAG_WEIGHT() + (t + 1) * beta[1], newSpotLots[t] + pendingLots[t]);
        interestEntries[at] <== BusEntry()(alpha, TAG_INTEREST() + (t + 1) * beta[1], newSpotLots[t] - oldSpotLots[t]);
        sum += positionEntries[at] + interestEntries[at];
        oldWeight += oldWeights[at];
        newWeight += newWeights[at];
        held += newSpotLots[t];
    }
    oldWeightSum <== oldWeight;
    newWeightSum <== newWeight;

    // ---- Margin.
    component scanUp = ScanUpperBound(SCENARIOS, LOSS_BITS() + 1, LOSS_BITS() + 1 + ES_COUNT_BITS() + 1);
    scanUp.k <== k;
    scanUp.threshold <== threshold;
    scanUp.distances <== lossDistances;
    scanUp.isAbove <== isLossAbove;
    scanUp.isPositive <== isScanPositive;
    component newScanLow = ScanLowerBound(SCENARIOS);
    newScanLow.k <== k;
    newScanLow.losses <== scanUp.losses;
    newScanLow.isChosen <== isNewWorst;
    newScanLow.isPositive <== isNewScanPositive;
    component oldScanLow = ScanLowerBound(SCENARIOS);
    oldScanLow.k <== k;
    oldScanLow.losses <== oldLosses;
    oldScanLow.isChosen <== isOldWorst;
    oldScanLow.isPositive <== isOldScanPositive;
    signal oldAddOn[DELTA_UNDERLYINGS()];
    signal newAddOn[DELTA_UNDERLYINGS()];
    for (var u = 0; u < DELTA_UNDERLYINGS(); u++) {
        oldAddOn[u] <== SizeAddOnLow()(oldValues[VALUE_DELTAS() + u], addOnUnits[u], isOldDeltaNegative[u], isOldAddOnPiece[u]);
        newAddOn[u] <== SizeAddOn(DELTA_BITS())(
            newValues[VALUE_DELTAS() + u], addOnUnits[u], isNewDeltaNegative[u], isNewAddOnPiece[u]
        );
    }
    oldFunctional <== Functional(SCENARIOS)(oldLosses, oldValues, gamma);
    newFunctional <== Functional(SCENARIOS)(scanUp.losses, newValues, gamma);

    component health = AccountHealth();
    health.k <== k;
    health.pricesUsable <== pricesUsable;
    health.isFundExhausted <== isFundExhausted;
    health.oldCashStarMicros <== oldCashStarMicros;
    health.newCashStarMicros <== newCashStarMicros;
    health.oldValues <== oldValues;
    health.newValues <== newValues;
    health.oldScanLow <== oldScanLow.kScan;
    health.newScanLow <== newScanLow.kScan;
    health.newScanUp <== scanUp.kScan;
    health.oldAddOnTimes100Low <== oldAddOn[0] + oldAddOn[1];
    health.newAddOnTimes100 <== newAddOn[0] + newAddOn[1];
    health.pendingQuoteMicros <== pendingQuoteMicros;
    health.feesMicros <== feesMicros;
    health.treasuryMicros <== treasuryMicros;
    health.isFilled <== isFilled;
    health.isReducing <== isReducing;
    health.isUnderMargin <== isUnderMargin;
    health.isQuoteRelative <== isQuoteRelative;
    health.isQuoteWithdrawn <== isQuoteWithdrawn;
    health.isSpotWithdrawn <== isSpotWithdrawn;
    health.isMarginLiquidation <== isMarginLiquidation;
    health.isDebtLiquidation <== isDebtLiquidation;
    health.isSmallAccount <== isSmallAccount;
    health.isPenaltyFull <== isPenaltyFull;
    health.isPenaltyRest <== isPenaltyRest;
    health.isFundPaid <== isFundPaid;
    health.openSlots <== open;
    health.heldSpotLots <== held;
    isLiquidated <== health.isLiquidated;
    transferGap <== health.transferGap;
    quoteBalance <== health.quoteBalance;
    quoteMeasure <== health.quoteMeasure;
    // Every position shrinks: of the debt liquidation the derivatives not at all.
    var shrinkingSlots = 0;
    var closedDerivatives = 0;
    for (var i = 0; i < ALL_SLOTS; i++) { shrinkingSlots += isShrinking[i]; }
    for (var i = 0; i < DERIVATIVES; i++) { closedDerivatives += oldSlotLots[i] - newSlotLots[i]; }
    health.mustShrink * (ALL_SLOTS - shrinkingSlots) === 0;
    isDebtLiquidation * closedDerivatives === 0;
    isLiquidated * isEpochChanged === 0;
    penaltyMicros <== isLiquidated * treasuryMicros;
    fundPaymentMicros <== isFundPaid * treasuryMicros;

    // ---- Cash and counts.
    var cashChange = newCashStarMicros - newValues[VALUE_FUNDING()] - oldCashStarMicros + oldValues[VALUE_FUNDING()];
    signal keyEpochPart <== beta[1] * oldEpoch;
    signal keyXPart <== beta[3] * oldPublicKey[0];
    signal keyYPart <== beta[4] * oldPublicKey[1];
    signal countEntries[7];
    countEntries[0] <== BusEntry()(alpha, TAG_CASH() + accountPart, cashChange + penaltyMicros - fundPaymentMicros);
    countEntries[1] <== BusEntry()(alpha, TAG_FEES() + accountPart, feesMicros);
    countEntries[2] <== BusEntry()(alpha, TAG_ORDERS() + accountPart, -orderCount);
    countEntries[3] <== BusEntry()(alpha, TAG_ACTIVITY() + newBasePart + accountPart, -activityCount);
    countEntries[4] <== BusEntry()(alpha, TAG_RAISE() + accountPart, -isRaised);
    countEntries[5] <== BusEntry()(alpha, TAG_EPOCH() + accountPart, -isEpochChanged);
    countEntries[6] <== BusEntry()(alpha, TAG_KEY() + keyEpochPart + accountPart + keyXPart + keyYPart, -keyUses);
    for (var i = 0; i < 7; i++) { sum += countEntries[i]; }
    busSum <== sum;

    // ---- Leaves and their place in the tree.
    component before = AccountLeaf(DERIVATIVES, RECORDS);
    before.publicKey <== oldPublicKey;
    before.usedMap <== oldUsedMap;
    before.epoch <== oldEpoch;
    before.cashStarMicros <== oldCashStarMicros;
    before.baseWord <== oldBaseWord;
    before.records <== records.oldPacked;
    before.spotLots <== oldSpotLots;
    component after = AccountLeaf(DERIVATIVES, RECORDS);
    after.publicKey <== newPublicKey;
    after.usedMap <== newUsedMap;
    after.epoch <== oldEpoch + isEpochChanged;
    after.cashStarMicros <== newCashStarMicros;
    after.baseWord <== newBaseWord;
    after.records <== records.newPacked;
    after.spotLots <== newSpotLots;
    for (var i = 0; i < DERIVATIVES; i++) {
        before.slots[i] <== slots[i].oldPacked;
        after.slots[i] <== slots[i].newPacked;
    }
    (1 - isTouched) * (after.hash - before.hash) === 0;
    component path = MerkleUpdate(DEPTH);
    path.index <== accountIndex;
    path.oldLeaf <== before.hash;
    path.newLeaf <== after.hash;
    path.children <== children;
    oldRoot <== path.oldRoot;
    newRoot <== path.newRoot;
    words[0] <== isTouched * (accountIndex + 1);
    for (var e = 2; e < ELEMENTS; e++) { words[e - 1] <== isTouched * after.elements[e]; }

    // ---- Commitment, in the order of protocol/batch/commitment.ts.
    var packed = accountIndex;
    var at = ACCOUNT_INDEX_BITS();
    packed += (isTouched + 2 * isEpochChanged + 4 * isRaised + 8 * isLiquidated + 16 * isFundPaid) * (1 << at);
    at += 5;
    packed += (orderCount + activityCount * (1 << ROW_COUNT_BITS()) + keyUses * (1 << (2 * ROW_COUNT_BITS()))) * (1 << at);
    at += 3 * ROW_COUNT_BITS();
    packed += treasuryMicros * (1 << at);
    at += AMOUNT_BITS();
    for (var i = 0; i < ALL_SLOTS; i++) { packed += isShrinking[i] * (1 << (at + i)); }
    at += ALL_SLOTS;
    for (var i = 0; i < RECORDS; i++) { packed += isRecordChanged[i] * (1 << (at + i)); }
    assert(at + RECORDS < 253);
    committed[0] <== packed;
    committed[1] <== feesMicros;
    committed[2] <== threshold;
    at = 3;
    for (var e = 0; e < lossElements(SCENARIOS); e++) { committed[at + e] <== scanUp.committed[e]; }
    at += lossElements(SCENARIOS);
    for (var s = 0; s < SCENARIOS; s++) { committed[at + s] <== oldLosses[s]; }
    at += SCENARIOS;
    for (var v = 0; v < VALUES(); v++) {
        committed[at + v] <== oldValues[v];
        committed[at + VALUES() + v] <== newValues[v];
    }
}
