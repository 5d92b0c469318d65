/** Amounts of tokens for people. */
import { INSTRUMENTS, symbolById } from './listing.ts';
import { coins, dollars } from './terminal.ts';

/** Micros of quote or lots of a spot token, with the token's name. */
export function amountText(tokenId: number, units: bigint): string {
  if (tokenId === 0) return `${dollars(units)} USDC`;
  const lotE8 = INSTRUMENTS.find(({ id }) => id === tokenId)?.lotE8 ?? 100_000_000n;
  return `${coins(units, lotE8)} ${symbolById(tokenId)}`;
}
