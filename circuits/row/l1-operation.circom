pragma circom 2.2.0;

include "../limits.circom";
include "../arithmetic/range.circom";
include "../arithmetic/select.circom";
include "../bus/bus.circom";

// Proves       one entry of the contract's queue: applied, or refused or served short for a reason that holds.
// Assumes      account indices and instrument ids are pairwise distinct where used. Kind, account, token and amount are
//              the contract's. A bound that is claimed holds (ShortService).
// Guarantees   isHere marks its account row. word, outcomeWord: docs/protocol.md §6. An unused row is all zero.
template L1OperationRow(ACCOUNTS, INSTRUMENTS) {
    signal input isRegister;
    signal input isDeposit;
    signal input isWithdraw;
    signal input isCancelAll;
    signal input isDonation;
    signal input accountIndex;
    signal input tokenLow;
    signal input tokenHigh;
    signal input amount;
    signal input isApplied;
    signal input served;
    signal input isLiquidityShort;
    // Why a service cut short for margin could not be one unit larger: 1.25·IM, quote debt, spot rule, no such lot.
    signal input isMarginBound;
    signal input isQuoteBound;
    signal input isDebtBound;
    signal input isEmptyBound;
    signal input isShrinking;
    signal input accountIndexes[ACCOUNTS];
    signal input oldSpotLots[SPOT_SLOTS()][ACCOUNTS];
    signal input instrumentIds[INSTRUMENTS];
    signal input marks[INSTRUMENTS];
    signal input positionCaps[INSTRUMENTS];
    signal input alpha;
    signal input beta[BETA_POWERS()];
    signal output isHere[ACCOUNTS];
    signal output isQuoteServed;
    signal output isSpotServed;
    signal output word;
    signal output outcomeWord;
    signal output isUsed;
    // Mark of the token of a spot deposit or withdrawal, else 0.
    signal output markMicrosPerLot;
    signal output busSum;

    // ---- Shape of the entry and its outcome.
    RequireBit()(isRegister);
    RequireBit()(isDeposit);
    RequireBit()(isWithdraw);
    RequireBit()(isCancelAll);
    RequireBit()(isDonation);
    var ofAccount = isRegister + isDeposit + isWithdraw + isCancelAll;
    isUsed <== ofAccount + isDonation;
    RequireBit()(isUsed);
    RequireBit()(tokenLow);
    RequireBit()(tokenHigh);
    RequireBit()(isApplied);
    RequireBit()(isLiquidityShort);
    RequireBit()(isShrinking);
    RangeCheck(ACCOUNT_INDEX_BITS())(accountIndex);
    RangeCheck(AMOUNT_BITS())(amount);
    RangeCheck(AMOUNT_BITS())(served);
    signal tokenBoth <== tokenLow * tokenHigh;
    var isToken[SPOT_SLOTS()] = [tokenLow - tokenBoth, tokenHigh - tokenBoth, tokenBoth];
    var isQuote = 1 - tokenLow - tokenHigh + tokenBoth;
    var tokenId = tokenLow + 2 * tokenHigh;
    signal isQuoteDeposit <== isDeposit * isQuote;
    signal isQuoteWithdraw <== isWithdraw * isQuote;
    var isSpotDeposit = isDeposit - isQuoteDeposit;
    var isSpotWithdraw = isWithdraw - isQuoteWithdraw;

    var at = 4;
    var packed = isRegister + 2 * isDeposit + 3 * isWithdraw + 4 * isCancelAll + 6 * isDonation
        + accountIndex * (1 << at);
    at += ACCOUNT_INDEX_BITS();
    packed += tokenId * (1 << at);
    at += TOKEN_ID_BITS();
    word <== packed + amount * (1 << at);
    (1 - isUsed) * word === 0;

    // ---- Outcome.
    var isMarginShort = isMarginBound + isQuoteBound + isDebtBound + isEmptyBound;
    RequireBit()(isMarginBound);
    RequireBit()(isQuoteBound);
    RequireBit()(isDebtBound);
    RequireBit()(isEmptyBound);
    var isShort = isMarginShort + isLiquidityShort;
    signal isCapRefused <== isSpotDeposit * (1 - isApplied);
    outcomeWord <== isApplied + 2 * (isCapRefused + 2 * isMarginShort + 3 * isLiquidityShort) + 16 * served;
    (1 - isUsed) * outcomeWord === 0;
    // Register, cancel-all and donation are always applied and serve nothing.
    var isPlain = isRegister + isCancelAll + isDonation;
    isPlain * (1 - isApplied) === 0;
    isPlain * served === 0;
    // Quote deposits are always applied; what is applied is credited in full.
    isQuoteDeposit * (1 - isApplied) === 0;
    signal creditedAmount <== isApplied * amount;
    isDeposit * (served - creditedAmount) === 0;
    // A withdrawal falls short exactly where a reason is given, and is applied exactly where it pays.
    signal shortfall <== isWithdraw * (amount - served);
    RangeCheck(AMOUNT_BITS())(shortfall);
    signal hasShortfall <== IsNonZero()(shortfall);
    isShort === hasShortfall;
    signal isPaid <== IsNonZero()(served);
    isWithdraw * (isApplied - isPaid) === 0;
    isQuoteServed <== isQuoteWithdraw * isPaid;
    isSpotServed <== isSpotWithdraw * isPaid;

    // ---- The account and the token's instrument.
    isHere <== FindKey(ACCOUNTS)(accountIndexes, accountIndex, ofAccount);
    signal isInstrument[INSTRUMENTS] <== FindKey(INSTRUMENTS)(instrumentIds, tokenId, isSpotDeposit + isSpotWithdraw);
    markMicrosPerLot <== Selected(INSTRUMENTS)(isInstrument, marks);
    signal positionCapLots <== Selected(INSTRUMENTS)(isInstrument, positionCaps);
    signal oldLots[SPOT_SLOTS()];
    signal oldTokenLots[SPOT_SLOTS()];
    var heldBefore = 0;
    for (var t = 0; t < SPOT_SLOTS(); t++) {
        oldLots[t] <== Selected(ACCOUNTS)(isHere, oldSpotLots[t]);
        oldTokenLots[t] <== isToken[t] * oldLots[t];
        heldBefore += oldTokenLots[t];
    }

    // ---- Spot deposits: applied exactly when the balance at the batch's start plus the amount is within the cap.
    // room ≥ 0 if applied, −room − 1 ≥ 0 if not; all terms are below 2^89.
    signal room <== positionCapLots - heldBefore - amount;
    signal capMargin <== isApplied * (2 * room + 1) - room - 1;
    RangeCheck(AMOUNT_BITS() + 1)(isSpotDeposit * capMargin);

    // ---- Effects.
    signal quoteFlow <== (isQuoteDeposit - isQuoteWithdraw) * served;
    signal spotFlow <== (isSpotDeposit - isSpotWithdraw) * served;
    signal accountPart <== beta[2] * accountIndex;
    signal tokenPart <== beta[1] * tokenId;
    signal entries[3];
    entries[0] <== BusEntry()(alpha, TAG_CASH() + accountPart, -quoteFlow);
    entries[1] <== BusEntry()(alpha, TAG_POSITION() + 16 * isShrinking + tokenPart + accountPart, -spotFlow);
    entries[2] <== BusEntry()(alpha, TAG_EPOCH() + accountPart, isRegister + isCancelAll);
    busSum <== entries[0] + entries[1] + entries[2];
}

// Proves       a forced withdrawal cut short for margin could not be one unit larger: the bound that it names holds, by the
//              lower bound of IM, on the account as the batch leaves it.
// Assumes      at most one bound is set (L1OperationRow); the account values are those of the account rows; 0 < k ≤ 2^6.
// Guarantees   each bound is claimed only for its token, and without usable prices only where no price is in it.
template ShortService(ACCOUNTS) {
    signal input isMarginBound;
    signal input isQuoteBound;
    signal input isDebtBound;
    signal input isEmptyBound;
    signal input tokenLow;
    signal input tokenHigh;
    signal input markMicrosPerLot;
    signal input isHere[ACCOUNTS];
    signal input k;
    signal input pricesUsable;
    signal input newSpotLots[SPOT_SLOTS()][ACCOUNTS];
    signal input openSlots[ACCOUNTS];
    // 500·k·IM (lower bound) − 400·k·equity after the batch.
    signal input transferGaps[ACCOUNTS];
    signal input quoteBalances[ACCOUNTS];
    signal input quoteMeasures[ACCOUNTS];

    signal tokenBoth <== tokenLow * tokenHigh;
    var isToken[SPOT_SLOTS()] = [tokenLow - tokenBoth, tokenHigh - tokenBoth, tokenBoth];
    var isQuote = 1 - tokenLow - tokenHigh + tokenBoth;
    isQuoteBound * (1 - isQuote) === 0;
    (isDebtBound + isEmptyBound) * isQuote === 0;

    signal lots[SPOT_SLOTS()];
    signal tokenLots[SPOT_SLOTS()];
    var heldLots = 0;
    for (var t = 0; t < SPOT_SLOTS(); t++) {
        lots[t] <== Selected(ACCOUNTS)(isHere, newSpotLots[t]);
        tokenLots[t] <== isToken[t] * lots[t];
        heldLots += tokenLots[t];
    }
    isEmptyBound * heldLots === 0;

    // Without usable prices only facts free of prices count: no lot left, or no derivative and no quote.
    (isMarginBound + isDebtBound) * (1 - pricesUsable) === 0;
    signal derivatives <== Selected(ACCOUNTS)(isHere, openSlots);
    signal isPriceFree <== isQuoteBound * (1 - pricesUsable);
    isPriceFree * derivatives === 0;

    // A unit is one micro, or two marks of a lot (docs/protocol.md §5 says why two); the mark is 0 for quote.
    signal transferGap <== Selected(ACCOUNTS)(isHere, transferGaps);
    signal quoteBalance <== Selected(ACCOUNTS)(isHere, quoteBalances);
    signal quoteMeasure <== Selected(ACCOUNTS)(isHere, quoteMeasures);
    signal unitTimesK <== k * (isQuote + 2 * markMicrosPerLot);
    signal byMargin <== isMarginBound * (transferGap + 400 * unitTimesK - 1);
    signal byQuote <== isQuoteBound * (-quoteBalance);
    signal byDebt <== isDebtBound * (4 * markMicrosPerLot - quoteMeasure - 1);
    RangeCheck(MONEY_BITS())(byMargin + byQuote + byDebt);
}
