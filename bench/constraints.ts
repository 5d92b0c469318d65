/**
 * Measures what the circuits cost, row by row, and writes circuits/constraints.json.
 *
 *     node bench/constraints.ts
 *
 * A row's figure is its template compiled alone at --O2, plus its share of the commitment: what it commits
 * to, in elements, times the constraints of one Poseidon block over the elements it absorbs.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { renderMain } from '#circuits/limits.ts';
import { LOSSES_PER_ELEMENT } from '#protocol/batch/commitment.ts';
import { CHAIN_RATE } from '#protocol/crypto/poseidon.ts';
import { UNDERLYINGS } from '#protocol/instrument.ts';
import {
  type BatchCapacity,
  LOSS_BITS,
  MEDIUM_BATCH,
  MONEY_BITS,
  SMALL_BATCH,
  SPOT_SLOTS,
  STANDARD_SHAPE,
} from '#protocol/limits.ts';
import { compileCircuit } from '#prover/setup/compile.ts';
import { R1csFile } from '#prover/setup/r1cs.ts';

const ROOT = join(import.meta.dirname, '..');
const FOLDER = 'build/count';
const { treeDepth, derivativeSlots, recordSlots, nonceWords, marketSlots, scenarios } = STANDARD_SHAPE;
const { accounts, instruments, signatures } = SMALL_BATCH;
const DIGIT_BITS = 4;
const COUNT_BITS = 4;
const VALUES = 10;

async function countOf(name: string, main: string): Promise<number> {
  mkdirSync(join(ROOT, FOLDER), { recursive: true });
  const path = join(ROOT, FOLDER, `${name}.circom`);
  writeFileSync(path, main);
  const { r1csPath } = await compileCircuit(path);
  const file = new R1csFile(r1csPath);
  file.close();
  return file.header.constraintCount;
}

/** Constraints of one template alone. */
const templateCount = (file: string, template: string, ...parameters: number[]): Promise<number> =>
  countOf(
    template,
    `pragma circom 2.2.0;\ninclude "${file}";\ncomponent main = ${template}(${parameters.join(', ')});\n`,
  );

const batchCount = (capacity: BatchCapacity): Promise<number> =>
  countOf(capacity.name, renderMain(STANDARD_SHAPE, capacity).replace('..', 'circuits'));

async function rowCounts() {
  return {
    account: await templateCount(
      'circuits/row/account.circom',
      'AccountRow',
      ...[treeDepth, derivativeSlots, recordSlots, nonceWords, scenarios, DIGIT_BITS],
    ),
    signature: await templateCount('circuits/row/signature.circom', 'SignatureRow'),
    message: await templateCount(
      'circuits/row/message.circom',
      'MessageRow',
      ...[signatures, instruments, DIGIT_BITS],
    ),
    instrument: await templateCount('circuits/row/instrument.circom', 'InstrumentRow', scenarios, COUNT_BITS),
    withdrawal: await templateCount(
      'circuits/row/withdrawal.circom',
      'WithdrawalRow',
      ...[signatures, accounts, DIGIT_BITS],
    ),
    liquidation: await templateCount(
      'circuits/row/liquidation.circom',
      'LiquidationRow',
      accounts,
      instruments,
    ),
    settlement: await templateCount('circuits/row/settlement.circom', 'SettlementRow', accounts, instruments),
    l1Operation:
      (await templateCount('circuits/row/l1-operation.circom', 'L1OperationRow', accounts, instruments)) +
      (await templateCount('circuits/row/l1-operation.circom', 'ShortService', accounts)),
    markets: await templateCount('circuits/state/markets.circom', 'MarketList', marketSlots),
  };
}

async function accountParts() {
  const distance = LOSS_BITS + 1;
  const slot = await templateCount('circuits/state/position-slot.circom', 'AlignedSlot');
  const spot = await templateCount('circuits/state/position-slot.circom', 'SpotSlot');
  const distinct = await templateCount(
    'circuits/state/position-slot.circom',
    'DistinctSlots',
    derivativeSlots,
  );
  const shortfall = 'circuits/arithmetic/expected-shortfall.circom';
  return {
    merkle: await templateCount('circuits/state/merkle-path.circom', 'MerkleUpdate', treeDepth),
    leafHashes:
      2 *
      (await templateCount(
        'circuits/state/account-leaf.circom',
        'AccountLeaf',
        derivativeSlots,
        recordSlots,
      )),
    nonceMap: await templateCount(
      'circuits/state/nonce-window.circom',
      'NonceWindow',
      nonceWords,
      DIGIT_BITS,
    ),
    records: await templateCount('circuits/state/nonce-window.circom', 'OrderRecords', recordSlots),
    positions: derivativeSlots * slot + SPOT_SLOTS * spot + distinct,
    expectedShortfallUp: await templateCount(shortfall, 'ScanUpperBound', scenarios, distance, distance + 7),
    expectedShortfallLow: await templateCount(shortfall, 'ScanLowerBound', scenarios),
    comparisons: await templateCount('circuits/row/health.circom', 'AccountHealth'),
    functional: await templateCount('circuits/bus/functionals.circom', 'Functional', scenarios),
  };
}

/** A main file of circuits/main. */
async function mainCount(name: string): Promise<number> {
  const { r1csPath } = await compileCircuit(`circuits/main/${name}.circom`);
  const file = new R1csFile(r1csPath);
  file.close();
  return file.header.constraintCount;
}

/** A strike's price is what its call and put cost before their rows are hashed: vols, ln K and all revaluations. */
async function riskCounts() {
  const underlyings = UNDERLYINGS.length;
  const option = (file: string, template: string, ...parameters: number[]): Promise<number> =>
    templateCount(`circuits/risk/option/${file}.circom`, template, ...parameters);
  const perStrikeRows = await option('strike-rows', 'StrikeRows', scenarios);
  const blockOfOne = await templateCount(
    'circuits/risk/expiry-block.circom',
    'ExpiryBlock',
    ...[underlyings, scenarios, 1],
  );
  return {
    perStrike:
      (await option('option-row', 'OptionRow')) +
      (await option('vol-shock', 'ShockedVols')) +
      (await option('log', 'StrikeLog')),
    perStrikeRows,
    perForward: await option('moves', 'OptionForward'),
    perBlock: blockOfOne - perStrikeRows,
    perUnderlying:
      (await option('moves', 'OptionMoves')) +
      (await templateCount('circuits/risk/linear-row.circom', 'UnderlyingMoves')),
    perLinearRow: await templateCount('circuits/risk/linear-row.circom', 'LinearRow', underlyings, 0),
    riskTinyTotal: await mainCount('risk-tiny'),
    riskSmallTotal: await mainCount('risk-small'),
    riskTable64Total: await mainCount('risk-64'),
  };
}

async function measureBatch(): Promise<Record<string, unknown>> {
  const block = await templateCount('circomlib/circuits/poseidon.circom', 'Poseidon', 16);
  const committed = (elements: number): number => Math.round((elements * block) / CHAIN_RATE);
  const rows = await rowCounts();
  const parts = await accountParts();
  const perAccount = 3 + Math.ceil(scenarios / LOSSES_PER_ELEMENT) + scenarios + 2 * VALUES;
  const perTouchedAccount = rows.account + committed(perAccount);
  // By subtraction: of the old list a one-sided account keeps the funding value alone, and it has neither the
  // lower bound of the old scan nor the three comparisons that read it.
  const perAccountOneSided =
    perTouchedAccount -
    parts.expectedShortfallLow -
    parts.functional -
    3 * (MONEY_BITS + 1) -
    committed(scenarios + VALUES - 1);
  return {
    batchSmallTotal: await batchCount(SMALL_BATCH),
    batchMediumTotal: await batchCount(MEDIUM_BATCH),
    perTouchedAccount,
    perAccountOneSided,
    perSignature: rows.signature + committed(1),
    perFurtherOrder: rows.message + committed(2),
    // Two weights go into the last challenge.
    perInstrument: rows.instrument + committed(3 + 2),
    perWithdrawal: rows.withdrawal + committed(2),
    perLiquidation: rows.liquidation + committed(2),
    perSettlement: rows.settlement + committed(1),
    perL1Operation: rows.l1Operation + committed(4),
    markets: rows.markets,
    perCommittedElement: Math.round((10 * block) / CHAIN_RATE) / 10,
    accountParts: { ...parts, commitment: committed(perAccount) },
  };
}

const measure = async (): Promise<Record<string, unknown>> => ({
  ...(await riskCounts()),
  ...(await measureBatch()),
});

if (import.meta.main) {
  const path = join(ROOT, 'circuits/constraints.json');
  const known = JSON.parse(readFileSync(path, 'utf8'));
  writeFileSync(path, `${JSON.stringify({ ...known, ...(await measure()) }, null, 2)}\n`);
}

export { measure, riskCounts };
