/**
 * L1 gas of `submitBatch` at the small batch and at a full medium one, data included: what the transaction pays, and the EIP-7623 floor for its
 * data, which would be the price if it were higher. Rollup, vault and oracle are the real ones. The verifier is a real
 * one that does all its work and then says yes (6 gas more), and the proof is points of its key, as gas does not
 * depend on the proof; the oracle's own proofs are taken unseen, as a batch only reads what was accepted. Seven of nine
 * words of an account are full, which is the worst case of data. A batch that retires an instrument leaves the registry's
 * part to a transaction of its own, which is measured too. Prints JSON.
 */
import type { BatchProof } from '#protocol/batch/batch.ts';
import { accountWordCount, encodeSubmitBatch } from '#protocol/batch/calldata.ts';
import {
  type BatchCapacity,
  MEDIUM_BATCH,
  SMALL_BATCH,
  STANDARD_SHAPE,
  TINY_SHAPE,
} from '#protocol/limits.ts';
import { EXPIRING_IDS, ExpiringBlock } from '#test/support/expiring-block.ts';
import { riskProver } from '#test/support/risk-prover.ts';
import {
  type BodyChoice,
  deployRollup,
  outcome,
  type RollupFixture,
  USDC,
  WBTC,
  WETH,
} from '#test/support/rollup.ts';
import { pointsOf, yesVerifier } from './yes-verifier.ts';

const FULL_WORD = BigInt(`0x${'a7'.repeat(31)}`);
/** isShort, lots and cash of a liquidation, no byte of which is zero. */
const FULL_ROW = BigInt(`0x1${'a7'.repeat(16)}`);
const TRANSACTION_GAS = 21_000;
/** Thirty-two bytes, as those of a real circuit. */
const MEDIUM_CIRCUIT_HASH = BigInt(`0x${'c1'.repeat(32)}`);

interface Row {
  readonly name: string;
  readonly calldataBytes: number;
  readonly paidGas: number;
  readonly floorGas: number;
}

/** Index, status, cash; no live order records; two of four position elements; the last element. */
function touchedAccounts(count: number): bigint[] {
  const width = accountWordCount(STANDARD_SHAPE);
  const row = Array.from({ length: width }, (_, i) => ([3, 6, 7].includes(i) ? 0n : FULL_WORD));
  return Array.from({ length: count }, (_, account) => [BigInt(account + 2), ...row.slice(1)]).flat();
}

async function measure(
  fixture: RollupFixture,
  name: string,
  body: BodyChoice,
  proof: BatchProof,
  sizeIndex = 0,
): Promise<Row> {
  await block.round(BigInt(await fixture.nowSec()) + 1n);
  const choice = { body, sizeIndex, feesMicros: 12_345n, hasTrades: true };
  const submission = { ...(await fixture.submission(choice)), proof };
  const input = encodeSubmitBatch(submission);
  const receipt = await (await fixture.send(submission)).wait();
  const tokens = input.reduce((sum, byte) => sum + (byte === 0 ? 1 : 4), 0);
  const paidGas = Number(receipt?.gasUsed);
  const floorGas = TRANSACTION_GAS + 10 * tokens;
  return { name, calldataBytes: input.length, paidGas, floorGas };
}

const block = await ExpiringBlock.deploy();
await block.watch();
await block.round(block.expirySec);
const { connection, oracle, parameters } = block.fixture;
const prover = await riskProver('circuits/main/risk-tiny.circom', TINY_SHAPE);
const verifier = await yesVerifier(prover);
const fixture = await deployRollup({
  shape: STANDARD_SHAPE,
  capacity: SMALL_BATCH,
  larger: [{ capacity: MEDIUM_BATCH, circuitHash: MEDIUM_CIRCUIT_HASH }],
  tokens: [USDC, WBTC, WETH].map((token) => ({ ...token, outflowFloorUnits: 4n })),
  oracle: { connection, contract: oracle },
  verifier,
});
await parameters.bindRollup(fixture.rollup);
const proof = pointsOf(prover.key.verificationKey);

const [owner, other] = fixture.signers;
const first = await fixture.open(owner);
const second = await fixture.open(other);
const queueDeposits = async () => {
  await fixture.deposit(owner, first, 0, 500_000_000n);
  await fixture.deposit(other, second, 1, 50n);
};
const withdrawals = (served: bigint, lots = 1n) => [
  BigInt(first) | (served << 28n),
  BigInt(second) | (1n << 24n) | (lots << 28n),
];
const accounts = touchedAccounts(SMALL_BATCH.accounts);
const rows: Row[] = [];
rows.push(
  await measure(
    fixture,
    'first batch ever: 2 registrations',
    { outcomes: [outcome(true), outcome(true)], accounts },
    proof,
  ),
);
await queueDeposits();
rows.push(
  await measure(
    fixture,
    '2 deposits, first claims',
    {
      outcomes: [outcome(true, 500_000_000n), outcome(true, 50n)],
      withdrawals: withdrawals(5_000_000n),
      accounts,
    },
    proof,
  ),
);
await queueDeposits();
rows.push(
  await measure(
    fixture,
    '2 deposits, 2 withdrawals of owners with claims',
    {
      outcomes: [outcome(true, 500_000_000n), outcome(true, 50n)],
      withdrawals: withdrawals(6_000_000n),
      accounts,
    },
    proof,
  ),
);
rows.push(await measure(fixture, 'trades only', { accounts }, proof));
const liquidationsOf = (indices: readonly number[], { liquidations }: BatchCapacity = SMALL_BATCH) =>
  Array.from(
    { length: liquidations },
    (_, i) => BigInt(indices[i % indices.length]) | (BigInt(0x10104 + i) << 24n) | (FULL_ROW << 44n),
  ).sort((a, b) => Number((a & 0xffffffn) - (b & 0xffffffn)));
rows.push(
  await measure(fixture, '4 liquidations', { liquidations: liquidationsOf([second]), accounts }, proof),
);

// Four accounts are all that a batch holds, and no deposit or withdrawal is of one that is liquidated.
const liquidated: number[] = [];
for (const signer of fixture.signers.slice(2, 4)) liquidated.push(await fixture.open(signer));
await fixture.serveQueue();
const everyRow = async (
  name: string,
  served: readonly [bigint, bigint],
  { sizeIndex = 0, retirement = 0n } = {},
) => {
  await queueDeposits();
  const body = {
    outcomes: [outcome(true, 500_000_000n), outcome(true, 50n)],
    withdrawals: withdrawals(...served),
    liquidations: liquidationsOf(liquidated, fixture.capacities[sizeIndex]),
    retirement,
    accounts,
  };
  rows.push(await measure(fixture, name, body, proof, sizeIndex));
};
await everyRow('every row used: 2 deposits, 2 withdrawals, 4 liquidations', [6_000_000n, 1n]);
await everyRow('the same with withdrawals beyond the outflow limit', [1_000_000_000n, 100n]);
rows.push(await measure(fixture, 'medium: trades only', { accounts }, proof, 1));
await everyRow('medium, every row used: 2 deposits, 2 withdrawals, 16 liquidations', [6_000_000n, 1n], {
  sizeIndex: 1,
});
/** The transaction by which anyone has the registry told. */
const finishRetirement = async (name: string) => {
  const sent = await fixture.as(other).finishRetirement();
  const input = Buffer.from(sent.data.slice(2), 'hex');
  const paidGas = Number((await sent.wait()).gasUsed);
  const tokens = input.reduce((sum, byte) => sum + (byte === 0 ? 1 : 4), 0);
  rows.push({ name, calldataBytes: input.length, paidGas, floorGas: TRANSACTION_GAS + 10 * tokens });
};
const [future, call, put] = EXPIRING_IDS.map(BigInt);
rows.push(await measure(fixture, 'trades and a retirement', { retirement: future, accounts }, proof));
await finishRetirement('finishing the retirement of a future');
await everyRow('every row used and a retirement', [6_000_000n, 1n], { retirement: call });
await finishRetirement('finishing the retirement of a call');
await everyRow('medium, every row used and a retirement', [6_000_000n, 1n], {
  sizeIndex: 1,
  retirement: put,
});
await finishRetirement('finishing the retirement of a put');
// Two owners, three tokens, no slot of a deposit to give back.
const allBeyondLimit = async (name: string, share: bigint, retirement = 0n) => {
  await fixture.deposit(owner, first, 2, 50n);
  await fixture.serveQueue();
  const [dollars, lots, left] = [300_000_000n / share, 40n / share, 20n / share];
  const request = async (signer: typeof owner, account: number, tokenId: number, units: bigint) => {
    const value = await fixture.rollup.queueFeeWei();
    await fixture.as(signer).requestWithdrawal(account, tokenId, units, { value });
  };
  await request(owner, first, 0, dollars);
  await request(other, second, 1, lots);
  const body = {
    outcomes: [outcome(true, dollars), outcome(true, lots)],
    withdrawals: [BigInt(first) | (2n << 24n) | (45n << 28n), BigInt(second) | (1n << 24n) | (left << 28n)],
    liquidations: liquidationsOf(liquidated),
    retirement,
    accounts,
  };
  rows.push(await measure(fixture, name, body, proof));
};
const DEAREST =
  'every row used: 2 forced withdrawals, 2 withdrawals, all beyond the outflow limit, 4 liquidations';
await allBeyondLimit(DEAREST, 1n);
await allBeyondLimit(`the same and a retirement`, 2n, future);
await prover.close();
console.log(JSON.stringify({ question: 'L1 gas of a batch', hardfork: 'osaka', rows }, null, 2));
