/**
 * Constraints of the batch circuit, at the tiny size, without which nothing was found to be accepted that it refuses: at
 * first order they say nothing of their own at the witnesses judged, and no lie was found that they alone refuse. Some
 * are implied by others, and say so; the rest are kept for what they say.
 */

/** A kind of constraint (constraint-removal.ts) as the patterns below read it: no indices, no numbers of components. */
export const plainKind = (kind: string): string =>
  kind
    .replaceAll('main.', '')
    .replaceAll('[]', '')
    .replace(/_\d+_\d+/g, '');

interface Reviewed {
  readonly kinds: RegExp;
  readonly why: string;
}

/** The mark of the last account, row or place is written as what the others leave of their sum. */
const REST_OF_ACCOUNT = '(Selected\\.isHere \\+ ){2}accounts\\.otherRows';
const LAST_ORDER = '(1 \\+ )?IsNonZero\\.value \\+ liquidationIsUsed';
const OF_ACCOUNT = 'l1IsCancelAll \\+ l1IsDeposit \\+ l1IsRegister \\+ l1IsWithdraw \\+ l1Rows\\.isHere';

const REST_OF_SPOT = '(isSpotInstrument \\+ )+isSpotPending';

/** Follows from other constraints. */
const IMPLIED: readonly Reviewed[] = [
  {
    kinds: new RegExp(`^1 \\+ (isSpotInstrument|${REST_OF_SPOT}) · \\1 · $`),
    why: 'FindKey of one id above 0, which one instrument row at most has; all else is 0, the sum a bit',
  },
  {
    kinds: /^1 \+ hasTrades · hasTrades · $/,
    why: 'hasTrades is the answer of IsNonZero, which is a bit by itself: the check of the bit adds nothing',
  },
  {
    kinds: /^1 \+ (l1Rows|Selected|settlements)\.isHere · \1\.isHere · $/,
    why: 'FindKey among accounts, whose indices rise: one place at most has the key; all else is 0, the sum a bit',
  },
  {
    kinds: new RegExp(`^1 \\+ ${OF_ACCOUNT} · ${OF_ACCOUNT} · $`),
    why: 'the same, of the last account',
  },
  {
    kinds:
      /^1 \+ (Selected\.isHere \+ liquidationIsUsed · Selected\.isHere|settlementIsUsed \+ settlements\.isHere ·) /,
    why: 'the same, of the last account',
  },
  {
    kinds: new RegExp(`^1 \\+ ${REST_OF_ACCOUNT}.* · ${REST_OF_ACCOUNT}.* · $`),
    why: 'the same, of withdrawals',
  },
  {
    kinds: /^1 \+ liquidationIsFirst · liquidationIsFirst · $/,
    why: 'of two rows: per account their sum is a bit, 1 where there are rows. Of more rows 1 + 1 − 1 would do',
  },
];

/** The same line of the source was shown for another row; the compiler writes this one with other wires. */
const SHOWN_ELSEWHERE: readonly Reviewed[] = [
  {
    kinds: new RegExp(`^1 \\+ instrumentIds · ${REST_OF_SPOT} · $`),
    why: 'the row of a spot token in the last place, as in the others',
  },
  {
    kinds: new RegExp(`^messageFillLots.* · ${LAST_ORDER}|^${LAST_ORDER}.* · messageCashMicros`),
    why: 'size and fee of the last message row, as of the others',
  },
  {
    kinds: new RegExp(`^${REST_OF_ACCOUNT}.* · accountIsEpochChanged · $`),
    why: 'a signed withdrawal with an epoch change of the first account, as of the second',
  },
  {
    kinds:
      /^(1 \+ accountIsDebt.* · (Selected\.isHere \+ ){2}|Selected\.isHere \+ \w+ · liquidationIsFirst · account)/,
    why: 'rows and first row of a liquidated last account, as of the first',
  },
  {
    kinds: /^(accountNewSlotIds \+|accountNewSlotLots ·).* · accounts\.openSlots \+/,
    why: 'the last slot of an account, as the others',
  },
];

/**
 * Choices that only change at once with much else. First order does not see them, and the lies tried (not for each of
 * the products) broke another rule too. The attacks of test/circuits try the like without being refused here alone.
 */
const NOT_SHOWN: readonly Reviewed[] = [
  {
    kinds: /^accountIndex \+ (l1AccountIndex|liquidationAccountIndex) · /,
    why: 'the row stands at its own account: another place would move all that the row does there',
  },
  {
    kinds: /^1 \+ (Retirement|l1Rows|liquidations|settlements)\.isInstrument · \1\.isInstrument · $/,
    why: 'FindKey among instruments, where unused rows share the id 0: x and −x there would select any value',
  },
  {
    kinds: /^1 \+ instrumentIsUsed · instrumentIsSettled · $/,
    why: 'an unused row that is called settled: where its meta does not say so the split of the meta refuses it too',
  },
  {
    kinds:
      /^instrumentIds \+ (retiredInstrument|settlementInstrumentId|l1TokenHigh \+ l1TokenLow) · .*\.isInstrument/,
    why: 'the row stands at its instrument: the last place, which takes what the others leave, must be settled too',
  },
  {
    kinds: /^(Retirement|settlements)\.isInstrument · instrumentIsSettled · /,
    why: 'a product of the mark of a place, which only moves with its row',
  },
  {
    kinds: new RegExp(
      `^(${REST_OF_ACCOUNT}.* · (withdrawals\\.isQuote|accountNewBaseWord)|l1Rows\\.isHere ·) `,
    ),
    why: 'a product of the mark of an account, which only moves with its row',
  },
  {
    kinds: /^Selected\.isHere( \+ liquidationIsUsed)? · (liquidationIsFirst · isFirstOf|pendingWordPart)/,
    why: 'a product of the mark of an account, which only moves with its row',
  },
  {
    kinds: /^1 \+ (liquidationIsUsed|settlementIsUsed|signatureIsUsed) · /,
    why: 'a row in use is 0 or 1, and after a row in use: another value also fails what it multiplies',
  },
  {
    kinds: /^1 \+ hasTrades · IsNonZero\.value · $/,
    why: 'IsNonZero: trades that are called none also fail its other half',
  },
  {
    kinds: /^1 \+ isSpotPending · (liquidationPendingLots \+ )*liquidationPendingLots · $/,
    why: 'IsNonZero: a token that is said not to wait has no cap, which changes what counts and the sums of a list',
  },
  {
    kinds:
      /^(accountNewSlotLots|accountIsDebtLiquidation).*(accountIsDebtLiquidation|accountIsEpochChanged) · $/,
    why: 'what a liquidation for debt, and a liquidated account, leave alone: the lies break its margin or tree too',
  },
  {
    kinds: /^(1 \+ )?accountIsNewAddOnPiece/,
    why: 'exactly one piece of the add-on: two, or a negative one, also leave the range of the piece at sizes tried',
  },
  {
    kinds: /^accountIsDebtLiquidation.*accountIsPenaltyRest · accountTreasuryMicros · $/,
    why: 'no penalty where none is named: a liquidation that names none also fails the sign of its equity',
  },
  {
    kinds: /^1 \+ accountIs(MarginLiquidation|DebtLiquidation( \+ \w+)?|FundPaid|OldScanPositive) · account/,
    why: 'flags of health: another value than 0 and 1 also breaks a bound that the flag scales',
  },
  {
    kinds:
      /accountNewBaseWord \+ accountOldBaseWord · |accounts\.window\.isShift · (accountIsEpochChanged|1 )/,
    why: 'how far the window moved: another answer also moves digits and records',
  },
  {
    kinds: /^1 \+ (l1Rows|shortServices)?\.?(tokenBoth \+ )?l1TokenHigh|^1 \+ l1Rows\.tokenBoth/,
    why: 'quote or token of an entry: its halves meet again in the amounts that it moves',
  },
  {
    kinds: /^l1Amount \+ l1Served · |^1 \+ l1IsDebtBound .* · l1Rows\.shortfall · $/,
    why: 'the shortfall and its reason: a shortfall without a reason also misstates what was served',
  },
  {
    kinds: /^1 \+ l1Is(Withdraw|CancelAll|Donation|Applied|LiquidityShort|MarginBound|EmptyBound) · /,
    why: 'flags of an entry, as isRegister, isDeposit and isQuoteBound, which are shown; for these no lie was found',
  },
  {
    kinds:
      /^l1TokenHigh \+ .* · l1IsQuoteBound · $|^l1IsDebtBound \+ l1IsMarginBound · |^shortServices\.isPriceFree · /,
    why: 'the reason fits the token and the prices: what is false here also fails the bound that it names',
  },
  {
    kinds: /^1 \+ messageIsShrinking · messages\.fields\.isReduceOnly · $|^1 \+ messages\.fields\.isSell · /,
    why: 'a signed bit: another message also fails its signature',
  },
  {
    kinds: /^(1 \+ )?messages\.BusEntry\.amount( \+ messages\.(hasNonce|isOrder))+ · /,
    why: 'the kind of a message, as its lowest bits: another kind also fails its signature, or needs content',
  },
  {
    kinds:
      /^1 \+ messages\.(isOrder|hasNonce) · messageContent|^1 \+ messages\.hasNonce · messageWindowWords/,
    why: 'content that its kind does not use: another message also fails its tree',
  },
  {
    kinds: new RegExp(`^${LAST_ORDER}.* · (${LAST_ORDER}).* · `),
    why: 'kind and content of the last message row, as of the others',
  },
  {
    kinds:
      /^1 \+ (committed\.signatures|signatureS|signatures\.SignatureCheck\.(scalarLimit\.out|isKeyPoint)) /,
    why: 'the last bit of a scalar, of its limit, of a key: another value changes the whole multiplication of points',
  },
  {
    kinds:
      /^1 \+ withdrawal(s\.isShort|IsRaising) · |^1 \+ (accounts\.otherRows \+ ){2}.* · (withdrawalContent|accounts)/,
    why: 'use and content of the only withdrawal row: another value also fails its message or the bus',
  },
  {
    kinds: /^1 \+ withdrawals\.signed\.isSigned · /,
    why: 'a withdrawal under a row in use, as of messages, which is shown',
  },
];

export const REASONS = {
  'follows from others': IMPLIED,
  'shown for another row': SHOWN_ELSEWHERE,
  'nothing shown': NOT_SHOWN,
};

export const REVIEWED: readonly Reviewed[] = Object.values(REASONS).flat();
