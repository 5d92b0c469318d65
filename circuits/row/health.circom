pragma circom 2.2.0;

include "../limits.circom";
include "../arithmetic/range.circom";
include "../arithmetic/select.circom";
include "../bus/functionals.circom";

// Proves       the account rules of docs/protocol.md §5: which condition each cause in the batch puts on the account.
// Assumes      kScans are bounds as their names say; the value sums are true (Freivalds); 0 < esCount ≤ 2^6; fees are the
//              account's (bus). Charges and mark − haircut are not negative: the risk circuit's duty.
// Guarantees   every flag that a cause needs is set by it (the caller ties them), and every set flag has its rule.
//
// Widths: |cash*| < 2^99, lots < 2^48, 16 slots, funding < 2^50 per lot, all other rates < 2^45, so every sum is below
// 2^103 and every comparison, scaled by at most 1300·k < 2^17, below 2^120 = 2^(MONEY_BITS − 1): nothing wraps. An
// add-on is below 10·2^(DELTA_BITS + 1).
// The causes a comparison serves exclude each other, so one range check carries them all.
template AccountHealth() {
    signal input k;
    signal input pricesUsable;
    signal input isFundExhausted;
    signal input oldCashStarMicros;
    signal input newCashStarMicros;
    signal input oldValues[VALUES()];
    signal input newValues[VALUES()];
    signal input oldScanLow;
    signal input newScanLow;
    signal input newScanUp;
    // Size add-ons over all underlyings: at most that of the account before, exactly that after the batch.
    signal input oldAddOnTimes100Low;
    signal input newAddOnTimes100;
    signal input pendingQuoteMicros;
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
    signal input openSlots;
    signal input heldSpotLots;
    signal output isLiquidated;
    signal output mustShrink;
    signal output transferGap;
    signal output quoteBalance;
    signal output quoteMeasure;

    // ---- Causes, and which exclude each other.
    RequireBit()(isFilled);
    RequireBit()(isReducing);
    RequireBit()(isUnderMargin);
    RequireBit()(isQuoteRelative);
    RequireBit()(isQuoteWithdrawn);
    RequireBit()(isSpotWithdrawn);
    RequireBit()(isMarginLiquidation);
    RequireBit()(isDebtLiquidation);
    RequireBit()(isSmallAccount);
    RequireBit()(isPenaltyFull);
    RequireBit()(isPenaltyRest);
    RequireBit()(isFundPaid);
    isLiquidated <== isMarginLiquidation + isDebtLiquidation;
    RequireBit()(isLiquidated);
    signal isWithdrawing <== Or()(isQuoteWithdrawn, isSpotWithdrawn);
    isReducing * (1 - isFilled) === 0;
    isReducing * isWithdrawing === 0;
    isLiquidated * (isFilled + isWithdrawing) === 0;
    isFundPaid * (isFilled + isWithdrawing + isLiquidated) === 0;
    signal isOpening <== (isFilled - isReducing) * (1 - isWithdrawing);
    signal isReducingUnder <== isReducing * isUnderMargin;
    mustShrink <== isReducingUnder + isLiquidated;

    // ---- Values. Pending deposits of a liquidated account count on both sides; their lots are in the value sums.
    var equityBefore = oldCashStarMicros + pendingQuoteMicros + oldValues[VALUE_MARK()] - oldValues[VALUE_FUNDING()];
    var equityAfter = newCashStarMicros + pendingQuoteMicros + newValues[VALUE_MARK()] - newValues[VALUE_FUNDING()];
    var quoteBefore = equityBefore - oldValues[VALUE_SPOT_MARK()];
    var quoteAfter = equityAfter - newValues[VALUE_SPOT_MARK()];
    var measureBefore = 10 * quoteBefore + 4 * oldValues[VALUE_SPOT_HAIRCUT()];
    var measureAfter = 10 * quoteAfter + 4 * newValues[VALUE_SPOT_HAIRCUT()];
    signal kEquityBefore <== k * equityBefore;
    signal kEquityAfter <== k * equityAfter;
    signal kChargeIm <== k * newValues[VALUE_CHARGE_IM()];
    signal kOldChargeMm <== k * oldValues[VALUE_CHARGE_MM()];
    signal kNewChargeMm <== k * newValues[VALUE_CHARGE_MM()];
    signal kOldAddOn <== k * oldAddOnTimes100Low;
    signal kNewAddOn <== k * newAddOnTimes100;
    // 100·k·IM
    var marginUp = 100 * (newScanUp + kChargeIm) + kNewAddOn;
    var marginLow = 100 * (newScanLow + kChargeIm) + kNewAddOn;
    // 1000·k·MM; 0.6 of the add-on counts.
    var maintenanceBefore = 800 * oldScanLow + 1000 * kOldChargeMm + 6 * kOldAddOn;
    var maintenanceAfter = 800 * newScanUp + 1000 * kNewChargeMm + 6 * kNewAddOn;
    transferGap <== 5 * marginLow - 400 * kEquityAfter;
    quoteBalance <== quoteAfter;
    quoteMeasure <== measureAfter;

    // ---- 1 Margin after: 1.25·IM after a withdrawal (which covers IM after a fill too), IM after a fill; MM not higher
    // after a reducing fill, lower after a liquidation.
    signal transferRule <== isWithdrawing * (400 * kEquityAfter - 5 * marginUp);
    signal openRule <== isOpening * (100 * kEquityAfter - marginUp);
    signal lowerRule <== (isReducing + isMarginLiquidation) * (maintenanceBefore - maintenanceAfter);
    RangeCheck(MONEY_BITS())(transferRule + openRule + lowerRule - isMarginLiquidation);

    // ---- 2 Distance to liquidation does not shrink by a reducing fill; a liquidated account was below its line.
    signal nearerRule <== isReducing * (1000 * (kEquityAfter - kEquityBefore) - maintenanceAfter + maintenanceBefore);
    signal belowRule <== isMarginLiquidation * (maintenanceBefore - 1000 * kEquityBefore - 1);
    signal debtRule <== isDebtLiquidation * (-10 * quoteBefore - 6 * oldValues[VALUE_SPOT_HAIRCUT()] - 1);
    RangeCheck(MONEY_BITS())(nearerRule + belowRule + debtRule);

    // ---- 3 Where every position shrinks, the account loses at most the price band on what was closed.
    signal lossRule <== mustShrink * (equityAfter - equityBefore + oldValues[VALUE_BAND()] - newValues[VALUE_BAND()]
        + feesMicros + treasuryMicros);
    RangeCheck(MONEY_BITS())(lossRule);

    // ---- 4 A reducing account not under its margin says so; a liquidation ends near the line it restores.
    signal isSmall <== isMarginLiquidation * isSmallAccount;
    signal aboveRule <== (isReducing - isReducingUnder) * (1000 * kEquityBefore - maintenanceBefore);
    signal endRule <== (isMarginLiquidation - isSmall)
        * (marginLow + 100 * (LIQUIDATION_TOLERANCE_MICROS() * k - kEquityAfter));
    signal smallRule <== isSmall * (1000 * LIQUIDATION_TOLERANCE_MICROS() * k - 1 - maintenanceBefore);
    signal debtEndRule <== isDebtLiquidation * (10 * QUOTE_DEBT_TOLERANCE_MICROS() - measureAfter);
    RangeCheck(MONEY_BITS())(aboveRule + endRule + smallRule + debtEndRule);

    // ---- 5 Quote rule. A quote withdrawal, and any without usable prices, leaves quoteBalance ≥ 0, which is stricter.
    // Without usable prices no derivative may be held, so quoteBalance is the cash.
    signal isUnpriced <== isWithdrawing * (1 - pricesUsable);
    isUnpriced * openSlots === 0;
    signal isDry <== Or()(isQuoteWithdrawn, isUnpriced);
    signal isMeasured <== Or()(isFilled, isSpotWithdrawn);
    signal measuredOnly <== isMeasured * (1 - isDry);
    signal allowedDebt <== isQuoteRelative * measureBefore;
    signal dryRule <== isDry * quoteAfter;
    signal measureRule <== measuredOnly * (measureAfter - allowedDebt);
    RangeCheck(MONEY_BITS())(dryRule + measureRule);

    // ---- 6 Treasury. penalty = min(rate on what was closed, max(0, equity before the penalty)): full, the rest, or 0.
    // The fund pays a debt of an account that holds nothing: at most to 0, to less only with its last.
    var closedPenalty = oldValues[VALUE_PENALTY()] - newValues[VALUE_PENALTY()];
    var isPenaltyNone = isLiquidated - isPenaltyFull - isPenaltyRest;
    RequireBit()(isPenaltyNone);
    (1 - isLiquidated - isFundPaid) * treasuryMicros === 0;
    isPenaltyFull * (treasuryMicros - closedPenalty) === 0;
    isPenaltyRest * equityAfter === 0;
    isPenaltyNone * treasuryMicros === 0;
    isFundPaid * (openSlots + heldSpotLots) === 0;
    signal paidShort <== isFundPaid * (1 - isFundExhausted);
    paidShort * newCashStarMicros === 0;
    signal signedEquity <== (isPenaltyFull - isPenaltyNone) * equityAfter;
    signal belowRate <== isPenaltyRest * (closedPenalty - treasuryMicros);
    signal debtLeft <== isFundPaid * (-newCashStarMicros);
    RangeCheck(MONEY_BITS())(signedEquity + belowRate + debtLeft);
}
