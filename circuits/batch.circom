pragma circom 2.2.0;

include "limits.circom";
include "arithmetic/range.circom";
include "arithmetic/select.circom";
include "bus/bus.circom";
include "bus/commitment.circom";
include "bus/functionals.circom";
include "bus/public-words.circom";
include "row/account.circom";
include "row/instrument.circom";
include "row/l1-operation.circom";
include "row/liquidation.circom";
include "row/message.circom";
include "row/settlement.circom";
include "row/signature.circom";
include "row/withdrawal.circom";
include "state/markets.circom";
include "arithmetic/poseidon.circom";

function HEADER_WORDS() { return 15; }

// Proves       a batch takes the old state root to the new one by the rules of docs/protocol.md: every change of every
//              account comes from a signed message, the L1 queue, a liquidation, a settlement or the fund, and every account that
//              trades, withdraws or is liquidated passes its rule of health.
// Assumes      the contract computes challenge and evaluation from the words it sees and the commitment, keeps every word
//              below p, and checks what docs/protocol.md §6 and §7 leave to it. The table is proved by the risk circuit.
// Guarantees   the words that the contract sees are those of this transition, by docs/soundness.md; an unused row is all
//              zero in them.
// Public       commitment, challenge, evaluation, in this order: protocol/batch/batch.ts PublicInputs.
template Batch(TREE_DEPTH, DERIVATIVES, RECORDS, NONCE_WORDS, MARKETS, SCENARIOS,
    ACCOUNTS, SIGNATURES, MESSAGES, INSTRUMENTS, L1_OPERATIONS, WITHDRAWALS, LIQUIDATIONS, SETTLEMENTS) {
    signal input commitment;
    signal input challenge;
    signal input evaluation;

    // ---- Words that are not computed here.
    signal input domainWord;
    signal input chainId;
    signal input rollupAddress;
    signal input batchNumber;
    signal input batchTimeSec;
    signal input esCount;
    signal input addOnUnitDollars[DELTA_UNDERLYINGS()];
    signal input pricesUsable;
    signal input fundBookedMicros;
    signal input hasTrades;
    signal input retiredInstrument;
    // ---- State.
    signal input oldAccountsRoot;
    signal input marketRowHashes[MARKETS];
    signal input marketOldInterestLots[MARKETS];
    signal input marketNewInterestLots[MARKETS];
    signal input marketHasRow[MARKETS];
    signal input isFundExhausted;
    // ---- Rows.
    signal input accountIndex[ACCOUNTS];
    signal input accountIsTouched[ACCOUNTS];
    signal input accountChildren[ACCOUNTS][TREE_DEPTH][4];
    signal input accountOldPublicKey[ACCOUNTS][2];
    signal input accountOldEpoch[ACCOUNTS];
    signal input accountOldUsedMap[ACCOUNTS];
    signal input accountNewUsedMap[ACCOUNTS];
    signal input accountOldBaseWord[ACCOUNTS];
    signal input accountNewBaseWord[ACCOUNTS];
    signal input accountOldCashStarMicros[ACCOUNTS];
    signal input accountNewCashStarMicros[ACCOUNTS];
    signal input accountOldRecordOffsets[ACCOUNTS][RECORDS];
    signal input accountOldRecordFilledLots[ACCOUNTS][RECORDS];
    signal input accountNewRecordOffsets[ACCOUNTS][RECORDS];
    signal input accountNewRecordFilledLots[ACCOUNTS][RECORDS];
    signal input accountIsRecordChanged[ACCOUNTS][RECORDS];
    signal input accountOldSlotIds[ACCOUNTS][DERIVATIVES];
    signal input accountOldSlotIsShort[ACCOUNTS][DERIVATIVES];
    signal input accountOldSlotLots[ACCOUNTS][DERIVATIVES];
    signal input accountNewSlotIds[ACCOUNTS][DERIVATIVES];
    signal input accountNewSlotIsShort[ACCOUNTS][DERIVATIVES];
    signal input accountNewSlotLots[ACCOUNTS][DERIVATIVES];
    signal input accountOldSpotLots[ACCOUNTS][SPOT_SLOTS()];
    signal input accountNewSpotLots[ACCOUNTS][SPOT_SLOTS()];
    signal input accountIsShrinking[ACCOUNTS][DERIVATIVES + SPOT_SLOTS()];
    signal input accountIsEpochChanged[ACCOUNTS];
    signal input accountIsRaised[ACCOUNTS];
    signal input accountOrderCount[ACCOUNTS];
    signal input accountActivityCount[ACCOUNTS];
    signal input accountKeyUses[ACCOUNTS];
    signal input accountFeesMicros[ACCOUNTS];
    signal input accountTreasuryMicros[ACCOUNTS];
    signal input accountIsFilled[ACCOUNTS];
    signal input accountIsReducing[ACCOUNTS];
    signal input accountIsUnderMargin[ACCOUNTS];
    signal input accountIsQuoteRelative[ACCOUNTS];
    signal input accountIsQuoteWithdrawn[ACCOUNTS];
    signal input accountIsSpotWithdrawn[ACCOUNTS];
    signal input accountIsMarginLiquidation[ACCOUNTS];
    signal input accountIsDebtLiquidation[ACCOUNTS];
    signal input accountIsSmallAccount[ACCOUNTS];
    signal input accountIsPenaltyFull[ACCOUNTS];
    signal input accountIsPenaltyRest[ACCOUNTS];
    signal input accountIsFundPaid[ACCOUNTS];
    signal input accountOldLosses[ACCOUNTS][SCENARIOS];
    signal input accountOldValues[ACCOUNTS][VALUES()];
    signal input accountNewValues[ACCOUNTS][VALUES()];
    signal input accountThreshold[ACCOUNTS];
    signal input accountLossDistances[ACCOUNTS][SCENARIOS];
    signal input accountIsLossAbove[ACCOUNTS][SCENARIOS];
    signal input accountIsScanPositive[ACCOUNTS];
    signal input accountIsOldWorst[ACCOUNTS][SCENARIOS];
    signal input accountIsOldScanPositive[ACCOUNTS];
    signal input accountIsNewWorst[ACCOUNTS][SCENARIOS];
    signal input accountIsNewScanPositive[ACCOUNTS];
    signal input accountIsOldDeltaNegative[ACCOUNTS][DELTA_UNDERLYINGS()];
    signal input accountIsOldAddOnPiece[ACCOUNTS][DELTA_UNDERLYINGS()][ADD_ON_BOUNDS()];
    signal input accountIsNewDeltaNegative[ACCOUNTS][DELTA_UNDERLYINGS()];
    signal input accountIsNewAddOnPiece[ACCOUNTS][DELTA_UNDERLYINGS()][ADD_ON_BOUNDS() + 1];
    signal input instrumentIsUsed[INSTRUMENTS];
    signal input instrumentRow[INSTRUMENTS][ROW_VALUES()];
    signal input instrumentHasLosses[INSTRUMENTS];
    signal input instrumentLossElements[INSTRUMENTS][lossElementCount(SCENARIOS)];
    signal input instrumentUnderlying[INSTRUMENTS];
    signal input instrumentIsSpot[INSTRUMENTS];
    signal input instrumentIsReduceOnly[INSTRUMENTS];
    signal input instrumentIsSettled[INSTRUMENTS];
    signal input instrumentMarketSlot[INSTRUMENTS];
    signal input instrumentOldInterestLots[INSTRUMENTS];
    signal input instrumentNewInterestLots[INSTRUMENTS];
    signal input instrumentIsWithinCap[INSTRUMENTS];
    signal input instrumentOpeningFills[INSTRUMENTS];
    signal input instrumentShrinkingFills[INSTRUMENTS];
    signal input instrumentLongWeight[INSTRUMENTS];
    signal input instrumentShortWeight[INSTRUMENTS];
    signal input signatureIsUsed[SIGNATURES];
    signal input signatureAccountIndex[SIGNATURES];
    signal input signatureEpoch[SIGNATURES];
    signal input signatureIsDepth1[SIGNATURES];
    signal input signatureIsDepth2[SIGNATURES];
    signal input signatureMessageCount[SIGNATURES];
    signal input signatureRoot[SIGNATURES];
    signal input signaturePublicKey[SIGNATURES][2];
    signal input signatureR8[SIGNATURES][2];
    signal input signatureS[SIGNATURES];
    signal input messageContent[MESSAGES];
    signal input messageSignatureIndex[MESSAGES];
    signal input messagePlace[MESSAGES];
    signal input messageChildren[MESSAGES][2][4];
    signal input messageFillLots[MESSAGES];
    signal input messageRestLots[MESSAGES];
    signal input messageCashMicros[MESSAGES];
    signal input messageFeeMicros[MESSAGES];
    signal input messageWindowWords[MESSAGES];
    signal input messageIsShrinking[MESSAGES];
    signal input messageIsContinued[MESSAGES];
    signal input messageIsRaising[MESSAGES];
    signal input messageInstrumentIndex[MESSAGES];
    signal input messageCapRoomLots[MESSAGES];
    signal input withdrawalContent[WITHDRAWALS];
    signal input withdrawalSignatureIndex[WITHDRAWALS];
    signal input withdrawalPlace[WITHDRAWALS];
    signal input withdrawalChildren[WITHDRAWALS][2][4];
    signal input withdrawalServedAmount[WITHDRAWALS];
    signal input withdrawalIsRaising[WITHDRAWALS];
    signal input withdrawalIsShrinking[WITHDRAWALS];
    signal input l1IsRegister[L1_OPERATIONS];
    signal input l1IsDeposit[L1_OPERATIONS];
    signal input l1IsWithdraw[L1_OPERATIONS];
    signal input l1IsCancelAll[L1_OPERATIONS];
    signal input l1IsDonation[L1_OPERATIONS];
    signal input l1AccountIndex[L1_OPERATIONS];
    signal input l1TokenLow[L1_OPERATIONS];
    signal input l1TokenHigh[L1_OPERATIONS];
    signal input l1Amount[L1_OPERATIONS];
    signal input l1IsApplied[L1_OPERATIONS];
    signal input l1Served[L1_OPERATIONS];
    signal input l1IsLiquidityShort[L1_OPERATIONS];
    signal input l1IsMarginBound[L1_OPERATIONS];
    signal input l1IsQuoteBound[L1_OPERATIONS];
    signal input l1IsDebtBound[L1_OPERATIONS];
    signal input l1IsEmptyBound[L1_OPERATIONS];
    signal input l1IsShrinking[L1_OPERATIONS];
    signal input l1PublicKey[L1_OPERATIONS][2];
    signal input liquidationIsUsed[LIQUIDATIONS];
    signal input liquidationAccountIndex[LIQUIDATIONS];
    signal input liquidationInstrumentId[LIQUIDATIONS];
    signal input liquidationIsShort[LIQUIDATIONS];
    signal input liquidationClosedLots[LIQUIDATIONS];
    signal input liquidationCashMicros[LIQUIDATIONS];
    signal input liquidationPendingQuoteMicros[LIQUIDATIONS];
    signal input liquidationPendingLots[LIQUIDATIONS][SPOT_SLOTS()];
    // Set in one row of each liquidated account: the one whose pending deposits its account row reads.
    signal input liquidationIsFirst[LIQUIDATIONS];
    signal input settlementIsUsed[SETTLEMENTS];
    signal input settlementAccountIndex[SETTLEMENTS];
    signal input settlementInstrumentId[SETTLEMENTS];
    signal input settlementIsShort[SETTLEMENTS];
    signal input settlementLots[SETTLEMENTS];

    // ---- Challenges.
    component first = FirstChallenges();
    first.challenge <== challenge;
    component last = LastChallenge(INSTRUMENTS);
    last.challenge <== challenge;
    last.longWeights <== instrumentLongWeight;
    last.shortWeights <== instrumentShortWeight;
    signal beta[BETA_POWERS()] <== Powers(BETA_POWERS())(first.beta);
    signal gamma[SCENARIOS + VALUES()] <== Powers(SCENARIOS + VALUES())(first.gamma);
    signal delta[2 * ACCOUNTS + 1] <== Powers(2 * ACCOUNTS + 1)(first.delta);
    var DIGIT_BITS = usedDigitBits(MESSAGES + WITHDRAWALS);

    // ---- Ranges of words that are compared.
    RangeCheck(TIME_BITS())(batchTimeSec);
    RangeCheck(ES_COUNT_BITS())(esCount - 1);
    for (var u = 0; u < DELTA_UNDERLYINGS(); u++) { RangeCheck(ADD_ON_UNIT_BITS())(addOnUnitDollars[u]); }
    RequireBit()(pricesUsable);
    RequireBit()(hasTrades);
    RequireBit()(isFundExhausted);

    // ---- Instruments.
    component instruments[INSTRUMENTS];
    for (var i = 0; i < INSTRUMENTS; i++) {
        instruments[i] = InstrumentRow(SCENARIOS, countBits(MESSAGES + LIQUIDATIONS));
        instruments[i].isUsed <== instrumentIsUsed[i];
        instruments[i].row <== instrumentRow[i];
        instruments[i].hasLosses <== instrumentHasLosses[i];
        instruments[i].lossElements <== instrumentLossElements[i];
        instruments[i].underlying <== instrumentUnderlying[i];
        instruments[i].isSpot <== instrumentIsSpot[i];
        instruments[i].isReduceOnly <== instrumentIsReduceOnly[i];
        instruments[i].isSettled <== instrumentIsSettled[i];
        instruments[i].marketSlot <== instrumentMarketSlot[i];
        instruments[i].oldInterestLots <== instrumentOldInterestLots[i];
        instruments[i].newInterestLots <== instrumentNewInterestLots[i];
        instruments[i].isWithinCap <== instrumentIsWithinCap[i];
        instruments[i].openingFills <== instrumentOpeningFills[i];
        instruments[i].shrinkingFills <== instrumentShrinkingFills[i];
        instruments[i].longWeight <== instrumentLongWeight[i];
        instruments[i].shortWeight <== instrumentShortWeight[i];
        instruments[i].batchTimeSec <== batchTimeSec;
        instruments[i].gamma <== gamma;
        instruments[i].alpha <== last.alpha;
        instruments[i].beta <== beta;
    }
    component markets = MarketList(MARKETS);
    markets.rowHashes <== marketRowHashes;
    markets.oldInterestLots <== marketOldInterestLots;
    markets.newInterestLots <== marketNewInterestLots;
    markets.hasRow <== marketHasRow;
    markets.alpha <== last.alpha;
    markets.beta <== beta;

    // ---- Signatures and signed messages.
    component signatures[SIGNATURES];
    for (var s = 0; s < SIGNATURES; s++) {
        signatures[s] = SignatureRow();
        signatures[s].isUsed <== signatureIsUsed[s];
        signatures[s].accountIndex <== signatureAccountIndex[s];
        signatures[s].epoch <== signatureEpoch[s];
        signatures[s].isDepth1 <== signatureIsDepth1[s];
        signatures[s].isDepth2 <== signatureIsDepth2[s];
        signatures[s].messageCount <== signatureMessageCount[s];
        signatures[s].root <== signatureRoot[s];
        signatures[s].publicKey <== signaturePublicKey[s];
        signatures[s].r8 <== signatureR8[s];
        signatures[s].s <== signatureS[s];
        signatures[s].chainId <== chainId;
        signatures[s].rollupAddress <== rollupAddress;
        signatures[s].alpha <== last.alpha;
        signatures[s].beta <== beta;
    }
    component messages[MESSAGES];
    for (var m = 0; m < MESSAGES; m++) {
        messages[m] = MessageRow(SIGNATURES, INSTRUMENTS, DIGIT_BITS);
        messages[m].message <== messageContent[m];
        messages[m].signatureIndex <== messageSignatureIndex[m];
        messages[m].place <== messagePlace[m];
        messages[m].children <== messageChildren[m];
        messages[m].fillLots <== messageFillLots[m];
        messages[m].restLots <== messageRestLots[m];
        messages[m].cashMicros <== messageCashMicros[m];
        messages[m].feeMicros <== messageFeeMicros[m];
        messages[m].windowWords <== messageWindowWords[m];
        messages[m].isShrinking <== messageIsShrinking[m];
        messages[m].isContinued <== messageIsContinued[m];
        messages[m].isRaising <== messageIsRaising[m];
        messages[m].instrumentIndex <== messageInstrumentIndex[m];
        messages[m].capRoomLots <== messageCapRoomLots[m];
        for (var i = 0; i < INSTRUMENTS; i++) { messages[m].capWords[i] <== instruments[i].capWord; }
        messages[m].signatureIsUsed <== signatureIsUsed;
        messages[m].signatureAccount <== signatureAccountIndex;
        messages[m].signatureRoot <== signatureRoot;
        messages[m].signatureIsDepth1 <== signatureIsDepth1;
        messages[m].signatureIsDepth2 <== signatureIsDepth2;
        messages[m].batchTimeSec <== batchTimeSec;
        messages[m].alpha <== last.alpha;
        messages[m].beta <== beta;
    }
    component withdrawals[WITHDRAWALS];
    for (var w = 0; w < WITHDRAWALS; w++) {
        withdrawals[w] = WithdrawalRow(SIGNATURES, ACCOUNTS, DIGIT_BITS);
        withdrawals[w].message <== withdrawalContent[w];
        withdrawals[w].signatureIndex <== withdrawalSignatureIndex[w];
        withdrawals[w].place <== withdrawalPlace[w];
        withdrawals[w].children <== withdrawalChildren[w];
        withdrawals[w].servedAmount <== withdrawalServedAmount[w];
        withdrawals[w].isRaising <== withdrawalIsRaising[w];
        withdrawals[w].isShrinking <== withdrawalIsShrinking[w];
        withdrawals[w].signatureIsUsed <== signatureIsUsed;
        withdrawals[w].signatureAccount <== signatureAccountIndex;
        withdrawals[w].signatureRoot <== signatureRoot;
        withdrawals[w].signatureIsDepth1 <== signatureIsDepth1;
        withdrawals[w].signatureIsDepth2 <== signatureIsDepth2;
        withdrawals[w].accountIndexes <== accountIndex;
        withdrawals[w].newBaseWords <== accountNewBaseWord;
        withdrawals[w].batchTimeSec <== batchTimeSec;
        withdrawals[w].alpha <== last.alpha;
        withdrawals[w].beta <== beta;
    }

    // ---- L1 operations, liquidations and settlements.
    component accounts[ACCOUNTS];
    for (var a = 0; a < ACCOUNTS; a++) {
        accounts[a] = AccountRow(TREE_DEPTH, DERIVATIVES, RECORDS, NONCE_WORDS, SCENARIOS, DIGIT_BITS);
    }
    signal instrumentIds[INSTRUMENTS];
    signal positionCaps[INSTRUMENTS];
    for (var i = 0; i < INSTRUMENTS; i++) {
        instrumentIds[i] <== instruments[i].instrumentId;
        positionCaps[i] <== instrumentRow[i][ROW_POSITION_CAP()];
    }
    component l1Rows[L1_OPERATIONS];
    for (var o = 0; o < L1_OPERATIONS; o++) {
        l1Rows[o] = L1OperationRow(ACCOUNTS, INSTRUMENTS);
        l1Rows[o].isRegister <== l1IsRegister[o];
        l1Rows[o].isDeposit <== l1IsDeposit[o];
        l1Rows[o].isWithdraw <== l1IsWithdraw[o];
        l1Rows[o].isCancelAll <== l1IsCancelAll[o];
        l1Rows[o].isDonation <== l1IsDonation[o];
        l1Rows[o].accountIndex <== l1AccountIndex[o];
        l1Rows[o].tokenLow <== l1TokenLow[o];
        l1Rows[o].tokenHigh <== l1TokenHigh[o];
        l1Rows[o].amount <== l1Amount[o];
        l1Rows[o].isApplied <== l1IsApplied[o];
        l1Rows[o].served <== l1Served[o];
        l1Rows[o].isLiquidityShort <== l1IsLiquidityShort[o];
        l1Rows[o].isMarginBound <== l1IsMarginBound[o];
        l1Rows[o].isQuoteBound <== l1IsQuoteBound[o];
        l1Rows[o].isDebtBound <== l1IsDebtBound[o];
        l1Rows[o].isEmptyBound <== l1IsEmptyBound[o];
        l1Rows[o].isShrinking <== l1IsShrinking[o];
        l1Rows[o].accountIndexes <== accountIndex;
        for (var a = 0; a < ACCOUNTS; a++) {
            for (var t = 0; t < SPOT_SLOTS(); t++) {
                l1Rows[o].oldSpotLots[t][a] <== accountOldSpotLots[a][t];
            }
        }
        l1Rows[o].instrumentIds <== instrumentIds;
        l1Rows[o].positionCaps <== positionCaps;
        for (var i = 0; i < INSTRUMENTS; i++) { l1Rows[o].marks[i] <== instrumentRow[i][ROW_MARK()]; }
        l1Rows[o].alpha <== last.alpha;
        l1Rows[o].beta <== beta;
        (1 - l1IsRegister[o]) * l1PublicKey[o][0] === 0;
        (1 - l1IsRegister[o]) * l1PublicKey[o][1] === 0;
        if (o > 0) {
            // Unused rows come last; a used row's word is not 0.
            (1 - l1Rows[o - 1].isUsed) * l1Rows[o].isUsed === 0;
        }
    }
    // Position caps of the spot tokens of which deposits of liquidated accounts wait: their instruments are in the batch.
    signal isSpotPending[SPOT_SLOTS()];
    signal isSpotInstrument[SPOT_SLOTS()][INSTRUMENTS];
    signal spotCapLots[SPOT_SLOTS()];
    for (var t = 0; t < SPOT_SLOTS(); t++) {
        var pendingSum = 0;
        for (var q = 0; q < LIQUIDATIONS; q++) { pendingSum += liquidationPendingLots[q][t]; }
        isSpotPending[t] <== IsNonZero()(pendingSum);
        isSpotInstrument[t] <== FindKey(INSTRUMENTS)(instrumentIds, t + 1, isSpotPending[t]);
        spotCapLots[t] <== Selected(INSTRUMENTS)(isSpotInstrument[t], positionCaps);
    }
    component liquidations[LIQUIDATIONS];
    for (var q = 0; q < LIQUIDATIONS; q++) {
        liquidations[q] = LiquidationRow(ACCOUNTS, INSTRUMENTS);
        liquidations[q].isUsed <== liquidationIsUsed[q];
        liquidations[q].accountIndex <== liquidationAccountIndex[q];
        liquidations[q].instrumentId <== liquidationInstrumentId[q];
        liquidations[q].isShort <== liquidationIsShort[q];
        liquidations[q].closedLots <== liquidationClosedLots[q];
        liquidations[q].cashMicros <== liquidationCashMicros[q];
        liquidations[q].pendingQuoteMicros <== liquidationPendingQuoteMicros[q];
        liquidations[q].pendingLots <== liquidationPendingLots[q];
        liquidations[q].accountIndexes <== accountIndex;
        liquidations[q].instrumentIds <== instrumentIds;
        for (var i = 0; i < INSTRUMENTS; i++) {
            liquidations[q].marks[i] <== instrumentRow[i][ROW_MARK()];
            liquidations[q].bands[i] <== instrumentRow[i][ROW_BAND()];
        }
        for (var t = 0; t < SPOT_SLOTS(); t++) {
            for (var a = 0; a < ACCOUNTS; a++) { liquidations[q].oldSpotLots[t][a] <== accountOldSpotLots[a][t]; }
        }
        liquidations[q].spotCapLots <== spotCapLots;
        liquidations[q].alpha <== last.alpha;
        liquidations[q].beta <== beta;
        RequireBit()(liquidationIsFirst[q]);
        (1 - liquidationIsUsed[q]) * liquidationIsFirst[q] === 0;
        if (q > 0) {
            // Used rows come first and strictly increase by account and instrument: at most one row per position.
            (1 - liquidationIsUsed[q - 1]) * liquidationIsUsed[q] === 0;
            RangeCheck(ACCOUNT_INDEX_BITS() + INSTRUMENT_ID_BITS())(
                liquidationIsUsed[q] * (liquidations[q].positionKey - liquidations[q - 1].positionKey - 1));
        }
    }
    component settlements[SETTLEMENTS];
    for (var q = 0; q < SETTLEMENTS; q++) {
        settlements[q] = SettlementRow(ACCOUNTS, INSTRUMENTS);
        settlements[q].isUsed <== settlementIsUsed[q];
        settlements[q].accountIndex <== settlementAccountIndex[q];
        settlements[q].instrumentId <== settlementInstrumentId[q];
        settlements[q].isShort <== settlementIsShort[q];
        settlements[q].lots <== settlementLots[q];
        settlements[q].accountIndexes <== accountIndex;
        settlements[q].instrumentIds <== instrumentIds;
        for (var i = 0; i < INSTRUMENTS; i++) { settlements[q].marks[i] <== instrumentRow[i][ROW_MARK()]; }
        settlements[q].isSettled <== instrumentIsSettled;
        settlements[q].alpha <== last.alpha;
        settlements[q].beta <== beta;
        if (q > 0) {
            // Used rows come first and strictly increase by account and instrument.
            (1 - settlementIsUsed[q - 1]) * settlementIsUsed[q] === 0;
            RangeCheck(ACCOUNT_INDEX_BITS() + INSTRUMENT_ID_BITS())(
                settlementIsUsed[q] * (settlements[q].positionKey - settlements[q - 1].positionKey - 1));
        }
    }
    Retirement(INSTRUMENTS)(retiredInstrument, instrumentIds, instrumentIsSettled, instrumentNewInterestLots);
    for (var w = 1; w < WITHDRAWALS; w++) { (1 - withdrawals[w - 1].isUsed) * withdrawals[w].isUsed === 0; }

    // ---- Accounts: what the rows above say of each.
    signal quoteServedBy[ACCOUNTS][WITHDRAWALS];
    signal l1QuoteServed[ACCOUNTS][L1_OPERATIONS];
    signal l1SpotServed[ACCOUNTS][L1_OPERATIONS];
    signal l1Deposited[ACCOUNTS][L1_OPERATIONS];
    signal isRegistered[ACCOUNTS][L1_OPERATIONS];
    signal registeredKey[ACCOUNTS][L1_OPERATIONS][2];
    signal keptKey[ACCOUNTS][2];
    signal isFirstOf[ACCOUNTS][LIQUIDATIONS];
    signal pendingQuotePart[ACCOUNTS][LIQUIDATIONS];
    signal pendingLotsPart[ACCOUNTS][LIQUIDATIONS][SPOT_SLOTS()];
    signal pendingWordPart[ACCOUNTS][LIQUIDATIONS];
    signal pendingWords[ACCOUNTS];
    for (var a = 0; a < ACCOUNTS; a++) {
        accounts[a].accountIndex <== accountIndex[a];
        accounts[a].isTouched <== accountIsTouched[a];
        accounts[a].children <== accountChildren[a];
        accounts[a].oldPublicKey <== accountOldPublicKey[a];
        accounts[a].oldEpoch <== accountOldEpoch[a];
        accounts[a].oldUsedMap <== accountOldUsedMap[a];
        accounts[a].newUsedMap <== accountNewUsedMap[a];
        accounts[a].oldBaseWord <== accountOldBaseWord[a];
        accounts[a].newBaseWord <== accountNewBaseWord[a];
        accounts[a].oldCashStarMicros <== accountOldCashStarMicros[a];
        accounts[a].newCashStarMicros <== accountNewCashStarMicros[a];
        accounts[a].oldRecordOffsets <== accountOldRecordOffsets[a];
        accounts[a].oldRecordFilledLots <== accountOldRecordFilledLots[a];
        accounts[a].newRecordOffsets <== accountNewRecordOffsets[a];
        accounts[a].newRecordFilledLots <== accountNewRecordFilledLots[a];
        accounts[a].isRecordChanged <== accountIsRecordChanged[a];
        accounts[a].oldSlotIds <== accountOldSlotIds[a];
        accounts[a].oldSlotIsShort <== accountOldSlotIsShort[a];
        accounts[a].oldSlotLots <== accountOldSlotLots[a];
        accounts[a].newSlotIds <== accountNewSlotIds[a];
        accounts[a].newSlotIsShort <== accountNewSlotIsShort[a];
        accounts[a].newSlotLots <== accountNewSlotLots[a];
        accounts[a].oldSpotLots <== accountOldSpotLots[a];
        accounts[a].newSpotLots <== accountNewSpotLots[a];
        accounts[a].isShrinking <== accountIsShrinking[a];
        accounts[a].isEpochChanged <== accountIsEpochChanged[a];
        accounts[a].isRaised <== accountIsRaised[a];
        accounts[a].orderCount <== accountOrderCount[a];
        accounts[a].activityCount <== accountActivityCount[a];
        accounts[a].keyUses <== accountKeyUses[a];
        accounts[a].feesMicros <== accountFeesMicros[a];
        accounts[a].treasuryMicros <== accountTreasuryMicros[a];
        accounts[a].isFilled <== accountIsFilled[a];
        accounts[a].isReducing <== accountIsReducing[a];
        accounts[a].isUnderMargin <== accountIsUnderMargin[a];
        accounts[a].isQuoteRelative <== accountIsQuoteRelative[a];
        accounts[a].isQuoteWithdrawn <== accountIsQuoteWithdrawn[a];
        accounts[a].isSpotWithdrawn <== accountIsSpotWithdrawn[a];
        accounts[a].isMarginLiquidation <== accountIsMarginLiquidation[a];
        accounts[a].isDebtLiquidation <== accountIsDebtLiquidation[a];
        accounts[a].isSmallAccount <== accountIsSmallAccount[a];
        accounts[a].isPenaltyFull <== accountIsPenaltyFull[a];
        accounts[a].isPenaltyRest <== accountIsPenaltyRest[a];
        accounts[a].isFundPaid <== accountIsFundPaid[a];
        accounts[a].oldLosses <== accountOldLosses[a];
        accounts[a].oldValues <== accountOldValues[a];
        accounts[a].newValues <== accountNewValues[a];
        accounts[a].threshold <== accountThreshold[a];
        accounts[a].lossDistances <== accountLossDistances[a];
        accounts[a].isLossAbove <== accountIsLossAbove[a];
        accounts[a].isScanPositive <== accountIsScanPositive[a];
        accounts[a].isOldWorst <== accountIsOldWorst[a];
        accounts[a].isOldScanPositive <== accountIsOldScanPositive[a];
        accounts[a].isNewWorst <== accountIsNewWorst[a];
        accounts[a].isNewScanPositive <== accountIsNewScanPositive[a];
        accounts[a].isOldDeltaNegative <== accountIsOldDeltaNegative[a];
        accounts[a].isOldAddOnPiece <== accountIsOldAddOnPiece[a];
        accounts[a].isNewDeltaNegative <== accountIsNewDeltaNegative[a];
        accounts[a].isNewAddOnPiece <== accountIsNewAddOnPiece[a];
        for (var u = 0; u < DELTA_UNDERLYINGS(); u++) { accounts[a].addOnUnits[u] <== 1000000 * addOnUnitDollars[u]; }
        accounts[a].k <== esCount;
        accounts[a].pricesUsable <== pricesUsable;
        accounts[a].isFundExhausted <== isFundExhausted;
        accounts[a].alpha <== last.alpha;
        accounts[a].beta <== beta;
        accounts[a].gamma <== gamma;
        if (a > 0) {
            RangeCheck(ACCOUNT_INDEX_BITS())(accountIndex[a] - accountIndex[a - 1] - 1);
        }

        var quoteServed = 0;
        var spotServed = 0;
        var signedWithdrawals = 0;
        for (var w = 0; w < WITHDRAWALS; w++) {
            quoteServedBy[a][w] <== withdrawals[w].isHere[a] * withdrawals[w].isQuote;
            quoteServed += quoteServedBy[a][w];
            spotServed += withdrawals[w].isHere[a] - quoteServedBy[a][w];
            signedWithdrawals += withdrawals[w].isHere[a];
        }
        var l1Count = 0;
        var deposits = 0;
        var keyX = 0;
        var keyY = 0;
        var registrations = 0;
        for (var o = 0; o < L1_OPERATIONS; o++) {
            l1QuoteServed[a][o] <== l1Rows[o].isHere[a] * l1Rows[o].isQuoteServed;
            l1SpotServed[a][o] <== l1Rows[o].isHere[a] * l1Rows[o].isSpotServed;
            l1Deposited[a][o] <== l1Rows[o].isHere[a] * l1IsDeposit[o];
            isRegistered[a][o] <== l1Rows[o].isHere[a] * l1IsRegister[o];
            registeredKey[a][o][0] <== isRegistered[a][o] * l1PublicKey[o][0];
            registeredKey[a][o][1] <== isRegistered[a][o] * l1PublicKey[o][1];
            quoteServed += l1QuoteServed[a][o];
            spotServed += l1SpotServed[a][o];
            deposits += l1Deposited[a][o];
            registrations += isRegistered[a][o];
            keyX += registeredKey[a][o][0];
            keyY += registeredKey[a][o][1];
            l1Count += l1Rows[o].isHere[a];
        }
        (1 - accountIsQuoteWithdrawn[a]) * quoteServed === 0;
        (1 - accountIsSpotWithdrawn[a]) * spotServed === 0;
        accountIsEpochChanged[a] * signedWithdrawals === 0;
        // A registration is an epoch change (bus), of which there is at most one: this is 0 or 1.
        keptKey[a][0] <== (1 - registrations) * accountOldPublicKey[a][0];
        keptKey[a][1] <== (1 - registrations) * accountOldPublicKey[a][1];
        accounts[a].newPublicKey[0] <== keptKey[a][0] + keyX;
        accounts[a].newPublicKey[1] <== keptKey[a][1] + keyY;

        // A liquidated account has liquidation rows and no other has, exactly one of them the first.
        var liquidationCount = 0;
        var firstCount = 0;
        var pendingQuote = 0;
        var pendingWord = 0;
        var pendingLots[SPOT_SLOTS()];
        for (var t = 0; t < SPOT_SLOTS(); t++) { pendingLots[t] = 0; }
        for (var q = 0; q < LIQUIDATIONS; q++) {
            isFirstOf[a][q] <== liquidations[q].isHere[a] * liquidationIsFirst[q];
            pendingQuotePart[a][q] <== isFirstOf[a][q] * liquidationPendingQuoteMicros[q];
            pendingWordPart[a][q] <== isFirstOf[a][q] * liquidations[q].pendingWord;
            pendingQuote += pendingQuotePart[a][q];
            pendingWord += pendingWordPart[a][q];
            for (var t = 0; t < SPOT_SLOTS(); t++) {
                pendingLotsPart[a][q][t] <== isFirstOf[a][q] * liquidations[q].countedLots[t];
                pendingLots[t] += pendingLotsPart[a][q][t];
            }
            firstCount += isFirstOf[a][q];
            liquidationCount += liquidations[q].isHere[a];
        }
        accounts[a].pendingQuoteMicros <== pendingQuote;
        for (var t = 0; t < SPOT_SLOTS(); t++) { accounts[a].pendingLots[t] <== pendingLots[t]; }
        pendingWords[a] <== pendingWord;
        var settlementCount = 0;
        for (var q = 0; q < SETTLEMENTS; q++) { settlementCount += settlements[q].isHere[a]; }
        accounts[a].otherRows <== l1Count + liquidationCount + settlementCount + signedWithdrawals;
        firstCount === accounts[a].isLiquidated;
        (1 - accounts[a].isLiquidated) * liquidationCount === 0;
        accounts[a].isLiquidated * deposits === 0;
    }
    component shortServices[L1_OPERATIONS];
    for (var o = 0; o < L1_OPERATIONS; o++) {
        shortServices[o] = ShortService(ACCOUNTS);
        shortServices[o].isMarginBound <== l1IsMarginBound[o];
        shortServices[o].isQuoteBound <== l1IsQuoteBound[o];
        shortServices[o].isDebtBound <== l1IsDebtBound[o];
        shortServices[o].isEmptyBound <== l1IsEmptyBound[o];
        shortServices[o].tokenLow <== l1TokenLow[o];
        shortServices[o].tokenHigh <== l1TokenHigh[o];
        shortServices[o].markMicrosPerLot <== l1Rows[o].markMicrosPerLot;
        shortServices[o].isHere <== l1Rows[o].isHere;
        shortServices[o].k <== esCount;
        shortServices[o].pricesUsable <== pricesUsable;
        for (var a = 0; a < ACCOUNTS; a++) {
            for (var t = 0; t < SPOT_SLOTS(); t++) { shortServices[o].newSpotLots[t][a] <== accountNewSpotLots[a][t]; }
            shortServices[o].openSlots[a] <== accounts[a].openSlots;
            shortServices[o].transferGaps[a] <== accounts[a].transferGap;
            shortServices[o].quoteBalances[a] <== accounts[a].quoteBalance;
            shortServices[o].quoteMeasures[a] <== accounts[a].quoteMeasure;
        }
    }
    // All rows of a liquidated account state the same pending deposits.
    signal pendingOfRow[LIQUIDATIONS];
    for (var q = 0; q < LIQUIDATIONS; q++) {
        pendingOfRow[q] <== Selected(ACCOUNTS)(liquidations[q].isHere, pendingWords);
        pendingOfRow[q] === liquidations[q].pendingWord;
    }

    // ---- Roots.
    accounts[0].oldRoot === oldAccountsRoot;
    for (var a = 1; a < ACCOUNTS; a++) { accounts[a].oldRoot === accounts[a - 1].newRoot; }
    signal oldStateRoot <== Poseidon(2)([oldAccountsRoot, markets.oldMarketsHash]);
    signal newStateRoot <== Poseidon(2)([accounts[ACCOUNTS - 1].newRoot, markets.newMarketsHash]);

    // ---- Treasury.
    var fees = 0;
    var penalties = 0;
    var fundPayments = 0;
    var fundPaid = 0;
    for (var m = 0; m < MESSAGES; m++) { fees += messageFeeMicros[m]; }
    for (var a = 0; a < ACCOUNTS; a++) {
        penalties += accounts[a].penaltyMicros;
        fundPayments += accounts[a].fundPaymentMicros;
        fundPaid += accountIsFundPaid[a];
    }
    signal fundLeft <== fundBookedMicros - fundPayments;
    RangeCheck(MONEY_BITS())(fundLeft);
    isFundExhausted * fundLeft === 0;

    // ---- Trades need usable prices; the word tells the contract whether there are any.
    var trades = 0;
    for (var m = 0; m < MESSAGES; m++) { trades += messages[m].isOrder; }
    for (var q = 0; q < LIQUIDATIONS; q++) { trades += liquidationIsUsed[q]; }
    signal hasAny <== IsNonZero()(trades);
    hasAny === hasTrades;
    (1 - pricesUsable) * (trades + fundPaid) === 0;

    // ---- Public words.
    var ELEMENTS = leafElementCount(DERIVATIVES, RECORDS);
    var EVENTS = 4 * L1_OPERATIONS + WITHDRAWALS + 2 * LIQUIDATIONS + 1;
    var WORDS = HEADER_WORDS() + EVENTS + ACCOUNTS * (ELEMENTS - 1);
    component words = EvaluateWords(WORDS);
    var marginWord = esCount;
    for (var u = 0; u < DELTA_UNDERLYINGS(); u++) {
        marginWord += addOnUnitDollars[u] * (1 << (ES_COUNT_WORD_BITS() + u * ADD_ON_UNIT_BITS()));
    }
    component committed = BatchCommitment(HEADER_WORDS(), EVENTS, ACCOUNTS, accountCommitments(SCENARIOS), INSTRUMENTS,
        SIGNATURES, MESSAGES, WITHDRAWALS, SETTLEMENTS);
    committed.header <== [domainWord, chainId, rollupAddress, batchNumber, oldStateRoot, newStateRoot, batchTimeSec,
        markets.tableHash, marginWord, pricesUsable, fundBookedMicros, fees, penalties, fundPayments, hasTrades];
    for (var o = 0; o < L1_OPERATIONS; o++) {
        committed.events[4 * o] <== l1Rows[o].word;
        committed.events[4 * o + 1] <== l1PublicKey[o][0];
        committed.events[4 * o + 2] <== l1PublicKey[o][1];
        committed.events[4 * o + 3] <== l1Rows[o].outcomeWord;
    }
    for (var w = 0; w < WITHDRAWALS; w++) { committed.events[4 * L1_OPERATIONS + w] <== withdrawals[w].word; }
    for (var q = 0; q < LIQUIDATIONS; q++) {
        committed.events[4 * L1_OPERATIONS + WITHDRAWALS + 2 * q] <== liquidations[q].word;
        committed.events[4 * L1_OPERATIONS + WITHDRAWALS + 2 * q + 1] <== liquidations[q].pendingWord;
    }
    committed.events[EVENTS - 1] <== retiredInstrument;
    words.challenge <== challenge;
    for (var i = 0; i < HEADER_WORDS(); i++) { words.words[i] <== committed.header[i]; }
    for (var i = 0; i < EVENTS; i++) { words.words[HEADER_WORDS() + i] <== committed.events[i]; }
    for (var a = 0; a < ACCOUNTS; a++) {
        for (var e = 0; e < ELEMENTS - 1; e++) {
            words.words[HEADER_WORDS() + EVENTS + a * (ELEMENTS - 1) + e] <== accounts[a].words[e];
        }
    }
    evaluation === words.evaluation;

    // ---- Commitment.
    var flags = markets.mask;
    for (var s = 0; s < SIGNATURES; s++) { flags += signatureIsUsed[s] * (1 << (MARKETS + s)); }
    for (var o = 0; o < L1_OPERATIONS; o++) { flags += l1IsShrinking[o] * (1 << (MARKETS + SIGNATURES + o)); }
    assert(MARKETS + SIGNATURES + L1_OPERATIONS < 253);
    committed.flags <== flags;
    for (var a = 0; a < ACCOUNTS; a++) { committed.accounts[a] <== accounts[a].committed; }
    for (var i = 0; i < INSTRUMENTS; i++) { committed.instruments[i] <== instruments[i].committed; }
    for (var s = 0; s < SIGNATURES; s++) { committed.signatures[s] <== signatures[s].committed; }
    for (var m = 0; m < MESSAGES; m++) { committed.messages[m] <== messages[m].committed; }
    for (var w = 0; w < WITHDRAWALS; w++) { committed.withdrawals[w] <== withdrawals[w].committed; }
    for (var q = 0; q < SETTLEMENTS; q++) { committed.settlements[q] <== settlements[q].committed; }
    commitment === committed.commitment;

    // ---- Bus and Freivalds. Each list of positions is summed with a weight of its own, δ^(2a + 1) and δ^(2a + 2).
    var total = markets.busSum;
    for (var i = 0; i < INSTRUMENTS; i++) { total += instruments[i].busSum; }
    for (var s = 0; s < SIGNATURES; s++) { total += signatures[s].busSum; }
    for (var m = 0; m < MESSAGES; m++) { total += messages[m].busSum; }
    for (var w = 0; w < WITHDRAWALS; w++) { total += withdrawals[w].busSum; }
    for (var o = 0; o < L1_OPERATIONS; o++) { total += l1Rows[o].busSum; }
    for (var q = 0; q < LIQUIDATIONS; q++) { total += liquidations[q].busSum; }
    for (var q = 0; q < SETTLEMENTS; q++) { total += settlements[q].busSum; }
    signal weighted[ACCOUNTS][4];
    var values = 0;
    for (var i = 0; i < INSTRUMENTS; i++) { values += instruments[i].valueSum; }
    for (var a = 0; a < ACCOUNTS; a++) {
        weighted[a][0] <== delta[2 * a + 1] * accounts[a].oldWeightSum;
        weighted[a][1] <== delta[2 * a + 2] * accounts[a].newWeightSum;
        weighted[a][2] <== delta[2 * a + 1] * accounts[a].oldFunctional;
        weighted[a][3] <== delta[2 * a + 2] * accounts[a].newFunctional;
        total += accounts[a].busSum + weighted[a][0] + weighted[a][1];
        values -= weighted[a][2] + weighted[a][3];
    }
    total === 0;
    values === 0;
}
