import { expect } from 'chai';
import { afterFill } from '#client/margin.ts';
import { STANDARD_SHAPE } from '#protocol/limits.ts';
import { rowOf } from '#protocol/risk/table.ts';
import { conservationOf, type VaultNumbers } from '#sequencer/reconstruct/conservation.ts';
import { crashTable, holderOf } from '../../client/crash-table.ts';

const table = crashTable();
const perp = rowOf(table, 5)!;
const deposits = [5_000_000_000n, 7_000_000_000n];
// One is long what the other is short, at a price off the mark: their quote balances still sum to the deposits.
const accounts = [
  afterFill(holderOf(deposits[0], [0n, 40n, 0n]), perp, 321n, 24_111_111n),
  afterFill(holderOf(deposits[1], [0n, 2n, 0n]), perp, -321n, 24_111_111n),
];
const quote: VaultNumbers = {
  tokenId: 0,
  vaultUnits: deposits[0] + deposits[1] + 30n + 4n - 9n,
  claimsUnits: 30n,
  queuedUnits: 4n,
  treasuryToMoveUnits: -9n,
};

describe('conservation', () => {
  it('holds to the micro when nothing was made or lost', () => {
    expect(conservationOf(quote, accounts, table, STANDARD_SHAPE).differenceUnits).to.equal(0n);
    const weth = { tokenId: 2, vaultUnits: 43n, claimsUnits: 1n, queuedUnits: 0n, treasuryToMoveUnits: 0n };
    expect(conservationOf(weth, accounts, table, STANDARD_SHAPE).differenceUnits).to.equal(0n);
  });

  it('shows one minted micro and one stolen lot', () => {
    const [first, second] = accounts;
    const minted = { ...first, cashStar: (first.cashStar + 1n) as typeof first.cashStar };
    expect(conservationOf(quote, [minted, second], table, STANDARD_SHAPE).differenceUnits).to.equal(-1n);
    const weth = { tokenId: 2, vaultUnits: 41n, claimsUnits: 0n, queuedUnits: 0n, treasuryToMoveUnits: 0n };
    expect(conservationOf(weth, accounts, table, STANDARD_SHAPE).differenceUnits).to.equal(-1n);
  });

  it('shows a position without its counterpart', () => {
    expect(conservationOf(quote, [accounts[0]], table, STANDARD_SHAPE).differenceUnits).to.not.equal(0n);
  });
});
