/** What the API says of a liquidation, as evidence that `verifyLiquidation` judges: nothing in it is believed. */
import { InputError } from '#protocol/errors.ts';
import type { RiskTable } from '#protocol/instrument.ts';
import { accountFromElements } from '#protocol/leaf.ts';
import type { StateShape } from '#protocol/limits.ts';
import { flag, integer, integers, type Json, list, object } from './json.ts';
import type { LiquidationEvidence, MarginNumbers, VerifiedLiquidation } from './liquidation.ts';

export interface ToldLiquidation {
  readonly batchNumber: number;
  readonly evidence: LiquidationEvidence;
  /** What the sequencer says the verdict was. */
  readonly stated: VerifiedLiquidation;
}

function reasonOf(body: Json): 1 | 2 {
  const reason = integer(body, 'reason');
  if (reason !== 1n && reason !== 2n) throw new InputError('reason', reason, 'expected 1 or 2');
  return reason === 1n ? 1 : 2;
}

const numbersOf = (side: Json): MarginNumbers => ({
  equityMicros: integer(side, 'equityMicros'),
  initialMarginMicros: integer(side, 'initialMarginMicros'),
  maintenanceMarginMicros: integer(side, 'maintenanceMarginMicros'),
});

/** @throws InputError naming the first field that is not as it should be */
export function toldLiquidationOf(body: Json, table: RiskTable, shape: StateShape): ToldLiquidation {
  const [before, after] = [object(body, 'before'), object(body, 'after')];
  const queued = object(body, 'pending');
  const pending = { quoteMicros: integer(queued, 'quoteMicros'), spotLots: integers(queued, 'spotLots') };
  const rows = list(body, 'rows').map((row) => ({
    accountIndex: Number(integer(row as Json, 'accountIndex')),
    instrumentId: Number(integer(row as Json, 'instrumentId')),
    isShort: flag(row as Json, 'isShort'),
    closedLots: integer(row as Json, 'closedLots'),
    cashMicros: integer(row as Json, 'cashMicros'),
    pending,
  }));
  return {
    batchNumber: Number(integer(body, 'batchNumber')),
    evidence: {
      accountIndex: Number(integer(body, 'accountIndex')),
      before: accountFromElements(integers(before, 'leafElements'), shape),
      after: accountFromElements(integers(after, 'leafElements'), shape),
      rows,
      table,
      pricesUsable: flag(body, 'pricesUsable'),
    },
    stated: {
      reason: reasonOf(body),
      before: numbersOf(before),
      after: numbersOf(after),
      penaltyMicros: integer(body, 'penaltyMicros'),
    },
  };
}
