import { expect } from 'chai';
import type { JsonRpcProvider } from 'ethers';
import { recordAllDelayed } from '#client/delayed-claims.ts';
import type { LiquidationExecution } from '#protocol/batch/batch.ts';
import { liquidationWord } from '#protocol/batch/words.ts';
import { TINY_BATCH } from '#protocol/limits.ts';
import { L1Reader } from '#sequencer/reconstruct/read-l1.ts';
import { deployRollup, type RollupFixture, USDC, WBTC } from '#test/support/rollup.ts';

const row = (
  accountIndex: number,
  instrumentId: number,
  isShort: boolean,
  closedLots: bigint,
  cashMicros: bigint,
): LiquidationExecution => ({ accountIndex, instrumentId, isShort, closedLots, cashMicros });

describe('reading L1', () => {
  let fixture: RollupFixture;
  let reader: L1Reader;
  before(async () => {
    fixture = await deployRollup({
      tokens: [{ ...USDC, outflowFloorUnits: 40_000_000n }, WBTC],
      capacity: { ...TINY_BATCH, liquidations: 3 },
    });
    for (const signer of fixture.signers.slice(0, 2)) await fixture.open(signer);
    await fixture.deposit(fixture.signers[0], 1, 0, 90_000_000n);
    await fixture.serveQueue();
    const provider = fixture.connection.ethers.provider as unknown as JsonRpcProvider;
    reader = new L1Reader(provider, await fixture.rollup.getAddress());
  });

  it('gives the liquidations of each batch, in their rows, with what was pending', async () => {
    expect(await reader.liquidations()).to.deep.equal(new Map());
    const first = Number(await fixture.rollup.batchNumber()) + 1;
    await fixture.deposit(fixture.signers[1], 2, 1, 5n);
    const most = [2n ** 47n - 1n, 2n ** 88n - 1n] as const;
    const [short, largest, long] = [
      row(1, 4, true, 3n, 70n),
      row(2, 2 ** 20 - 1, false, ...most),
      row(2, 5, false, 1n, 0n),
    ];
    await fixture.submit({ body: { liquidations: [short, largest].map(liquidationWord) } });
    await fixture.submit();
    await fixture.submit({ body: { liquidations: [liquidationWord(long)] } });
    const nothing = { quoteMicros: 0n, spotLots: [0n, 0n, 0n] };
    const pending = { quoteMicros: 0n, spotLots: [5n, 0n, 0n] };
    expect(await reader.liquidations()).to.deep.equal(
      new Map([
        [
          first,
          [
            { ...short, pending: nothing },
            { ...largest, pending },
          ],
        ],
        [first + 2, [{ ...long, pending }]],
      ]),
    );
    const batches = await reader.batches();
    expect(batches.map(({ batchNumber }) => batchNumber)).to.deep.equal(batches.map((_, i) => i + 1));
    expect(batches.at(-1)?.capacity).to.include({ accounts: TINY_BATCH.accounts, liquidations: 3 });
  });

  it('counts as claims what exceeded the outflow limit, recorded or not', async () => {
    await fixture.submit({ body: { withdrawals: [1n | (80_000_000n << 28n)] } });
    const claimsUnits = async () => (await reader.vault(0)).claimsUnits;
    expect(await claimsUnits()).to.equal(80_000_000n);
    await recordAllDelayed(fixture.vault);
    expect(await fixture.vault.delayedCount()).to.equal(1n);
    expect(await claimsUnits()).to.equal(80_000_000n);
  });

  it('does not count what a stranger sends past the rollup: a micro of it would hide what is missing', async () => {
    const { vaultUnits } = await reader.vault(0);
    const vaultAddress = await fixture.vault.getAddress();
    await fixture.tokens[0].mint(vaultAddress, 1n);
    expect((await reader.vault(0)).vaultUnits).to.equal(vaultUnits);
  });
});
