/**
 * Was a batch judged by this table? The table's hash covers its rows alone; what else margin depends on, scenarios of the
 * expected shortfall and unit of the size add-on, L1 keeps beside it.
 */
import { Contract, type Provider } from 'ethers';
import { marginWord } from '#protocol/batch/words.ts';
import { InputError } from '#protocol/errors.ts';
import type { RiskTable } from '#protocol/instrument.ts';
import { STANDARD_SHAPE, type StateShape } from '#protocol/limits.ts';
import { tableHash } from '#protocol/risk/table.ts';
import { ROLLUP_ABI } from './l1.ts';

const ORACLE_ABI = [
  'function acceptedTable(uint256 index) view returns (tuple(uint64 roundNumber, uint64 roundTimeSec, uint64 acceptedAtSec, bool isJump, uint80 marginWord, uint256 tableHash))',
];

/** A rollup on L1, and the block that its events begin at. */
export interface RollupPlace {
  readonly rollupAddress: string;
  readonly firstBlock: number;
}

/**
 * Compares a table that a sequencer sent with the one by which L1 accepted a batch.
 * @throws InputError when L1 has no such batch, or names the field in which its table is another
 */
export async function requireAcceptedTable(
  provider: Provider,
  { rollupAddress, firstBlock }: RollupPlace,
  batchNumber: number,
  table: RiskTable,
  shape: StateShape = STANDARD_SHAPE,
): Promise<void> {
  const rollup = new Contract(rollupAddress, ROLLUP_ABI, provider);
  const [log] = await rollup.queryFilter(rollup.filters.BatchAccepted(batchNumber), firstBlock);
  const batch = log === undefined ? null : rollup.interface.parseLog(log);
  if (batch === null)
    throw new InputError('batchNumber', batchNumber, 'expected a batch that L1 has accepted');
  const oracle = new Contract(await rollup.oracle(), ORACLE_ABI, provider);
  const accepted = await oracle.acceptedTable(batch.args.acceptedIndex);
  const compared: readonly [string, bigint | boolean, bigint | boolean][] = [
    ['tableHash', tableHash(table, shape), accepted.tableHash],
    ['esCount, addOnUnitDollars', marginWord(table), accepted.marginWord],
    ['isJump', table.isJump, accepted.isJump],
    ['roundNumber', table.roundNumber, accepted.roundNumber],
    ['timeSec', table.timeSec, accepted.roundTimeSec],
  ];
  for (const [field, told, value] of compared) {
    if (told !== value) throw new InputError(field, told, `batch ${batchNumber} was judged by ${value}`);
  }
}
