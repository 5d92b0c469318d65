/** What the batch circuit is told to show that a constraint matters: the constraint alone refuses it. */
import type { Lie } from './batch-liar.ts';

/** Files of attacks, below test/circuits. */
export const ATTACK_FILES = [
  'attacks-health',
  'attacks-margin',
  'attacks-messages',
  'attacks-rows',
  'attacks-settlement',
  'attacks-transfers',
];

/** Attacks of these files, by name, that one constraint alone refuses. */
export const ATTACKS = [
  'a fill while prices are not usable',
  'a withdrawal that is not called one',
  'a withdrawal with derivatives while prices are not usable',
  'a liquidation beyond what is held',
  'liquidation rows of an account that is not called liquidated',
  'pending deposits left out for one of two rows',
  'a fund payment below the debt while the fund has more',
  'a fund called exhausted that is not',
  'a fund payment to an account that holds spot',
  'two pieces of the add-on before',
  'a signature with S + l',
  'a growing fill in a reduce-only market',
  'orders in an instrument without a market',
  'a conversion before the instrument is settled',
  'a settlement that turns the position around',
  'a used row after an unused one',
  'an unused row with a side',
  'an unused row of an instrument',
  'a retirement of an instrument that is not settled',
  'a quote deposit that is refused',
  'a deposit credited in part',
  'a forced withdrawal refused as if no lot were held',
  'a served withdrawal that is called refused',
  'a registration that is not applied',
  'an operation after an unused row',
];

/** Inputs of honest traces changed, by trace. */
export const LIES: Readonly<Record<string, readonly Lie[]>> = {
  'nothing at all': [
    { 'signatureIsDepth1[0]': -1n, 'signatureIsDepth2[0]': 1n },
    { 'signatureIsDepth1[0]': 1n, 'signatureIsDepth2[0]': -1n },
    { 'signatureIsDepth1[0]': 1n, 'signatureIsDepth2[0]': 1n },
    { 'accountIsFundPaid[0]': 1n },
    { 'l1IsMarginBound[0]': 1n, 'l1IsQuoteBound[0]': -1n },
    { 'l1IsApplied[0]': 1n },
    { 'messageCapRoomLots[0]': 1n },
    { 'withdrawalIsShrinking[0]': 1n },
    { 'l1AccountIndex[0]': 1n },
  ],
  'a trade that opens two positions, with fees': [
    { 'accountIsOldAddOnPiece[0][0][0]': -1n, 'accountIsOldAddOnPiece[0][0][1]': 1n },
    { 'messageIsRaising[0]': 1n },
    { 'messageFillLots[2]': 1n },
    { 'messageIsRaising[2]': 1n },
    { 'accountNewBaseWord[1]': 1n },
    { 'accountIsEpochChanged[1]': 1n },
    { 'messageRestLots[0]': 1n },
    { 'liquidationClosedLots[0]': 1n },
    { 'accountTreasuryMicros[1]': 1n },
    { 'accountIsTouched[1]': 0n, 'accountActivityCount[1]': 0n, 'accountKeyUses[1]': 0n },
    { 'accountActivityCount[1]': 0n, 'accountIsEpochChanged[1]': 2n },
    { 'l1IsDeposit[0]': 1n, 'l1AccountIndex[0]': 1n, 'l1IsApplied[0]': 1n, 'l1TokenLow[0]': 1n },
    {
      'l1IsRegister[0]': -1n,
      'l1IsDeposit[0]': 1n,
      'l1IsDonation[0]': 1n,
      'l1AccountIndex[0]': 0n,
      'l1IsApplied[0]': 1n,
    },
    {
      'l1IsDeposit[0]': -1n,
      'l1IsDonation[0]': 1n,
      'l1IsCancelAll[0]': 1n,
      'l1AccountIndex[0]': 2n,
      'l1IsApplied[0]': 1n,
    },
    { 'accountNewSlotLots[1][2]': 1n },
    { 'accountIsFilled[0]': 0n },
    { 'signatureIsUsed[0]': 0n },
    { 'accountNewSlotIds[1][2]': 1n },
  ],
  'a trade that closes positions, at a jumped funding index': [
    { 'accountIsReducing[0]': 1n, 'accountIsSpotWithdrawn[0]': 1n },
    { 'accountNewSlotIds[1][0]': 9n, 'accountNewSlotLots[1][0]': 1n },
  ],
  'a liquidation of a long': [
    { 'accountIsFilled[0]': 1n },
    { 'liquidationIsFirst[0]': 0n },
    { 'l1IsDeposit[0]': 1n, 'l1AccountIndex[0]': 1n, 'l1IsApplied[0]': 1n },
    { 'liquidationInstrumentId[0]': 5n },
  ],
  'a liquidation with deposits waiting in the queue': [{ 'signatureIsUsed[1]': 1n }],
  'a fund payment of a whole debt': [{ 'accountIsFilled[1]': 1n }],
  'a spot withdrawal and a forced one cut short for margin': [
    { 'l1IsMarginBound[0]': 0n, 'l1IsEmptyBound[0]': 1n },
    { 'accountIsSpotWithdrawn[1]': 0n },
    { 'l1TokenLow[0]': 1n, 'l1IsDeposit[0]': 0n },
  ],
  'a registration and a first deposit': [{ 'l1Served[0]': 1n }],
  'a signed withdrawal': [{ 'accountIsEpochChanged[1]': 1n }, { 'withdrawalIsRaising[0]': 1n }],
  'a cancel of one and a cancel-all of another': [{ 'accountNewBaseWord[1]': 1n }],
  'a liquidation of two positions': [{ 'accountIsShrinking[0][0]': 0n }],
};
