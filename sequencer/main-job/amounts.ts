/** Amounts of tokens for people. Every market has the same tokens. */
import { LINEAR_LISTING } from './listing.ts';
import { coins, dollars } from './terminal.ts';

/** Micros of quote or lots of a spot token, with the token's name. */
export function amountText(tokenId: number, units: bigint): string {
  if (tokenId === 0) return `${dollars(units)} USDC`;
  return `${coins(units, LINEAR_LISTING.lotE8Of(tokenId))} ${tokenSymbol(tokenId)}`;
}

export const tokenSymbol = (tokenId: number): string => LINEAR_LISTING.symbolOf(tokenId);
