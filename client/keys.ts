/**
 * Trading keys. A key signs orders and withdrawals of one account; money still only ever goes to the
 * account's L1 owner, so a lost trading key loses trades, not the withdrawal address.
 */
import { sha512 } from '@noble/hashes/sha2.js';
import { type Signer, Signature as WalletSignature } from 'ethers';
import type { PublicKey } from '#protocol/account.ts';
import {
  derivePublicKey,
  deriveRegistrationPoint,
  SECRET_LIMIT,
  SECRET_MIN,
} from '#protocol/crypto/eddsa.ts';
import { InputError } from '#protocol/errors.ts';
import type { SigningDomain } from '#protocol/message.ts';

export interface TradingKey {
  /** 32 uniformly random bytes as an integer. Whoever knows it trades for the account. */
  readonly secret: bigint;
  /** A: what signatures verify under and the leaf holds. */
  readonly publicKey: PublicKey;
  /** P with 8·P = A: what is registered on L1. */
  readonly registrationPoint: PublicKey;
}

const SECRET_BYTES = 32;

/** @throws InputError when the secret is outside SECRET_MIN … SECRET_LIMIT − 1. */
export function tradingKeyOf(secret: bigint): TradingKey {
  if (secret < SECRET_MIN || secret >= SECRET_LIMIT) {
    throw new InputError('secret', '(hidden)', 'expected 32 random bytes');
  }
  return {
    secret,
    publicKey: derivePublicKey(secret),
    registrationPoint: deriveRegistrationPoint(secret),
  };
}

/** A key from the platform's random source. Keep the secret: nothing can derive it again. */
export function randomTradingKey(): TradingKey {
  for (;;) {
    const secret = toInteger(globalThis.crypto.getRandomValues(new Uint8Array(SECRET_BYTES)));
    if (secret >= SECRET_MIN) return tradingKeyOf(secret);
  }
}

/** What the wallet shows. Chain and contract are in it, so a signature for one deployment is no key of another. */
function derivationRequest(domain: SigningDomain, keyNumber: number) {
  return {
    domain: {
      name: 'Ballast trading key',
      version: '1',
      chainId: domain.chainId,
      verifyingContract: `0x${domain.rollupAddress.toString(16).padStart(40, '0')}`,
    },
    types: {
      TradingKey: [
        { name: 'warning', type: 'string' },
        { name: 'keyNumber', type: 'uint32' },
      ],
    },
    value: {
      warning: 'Sign this only in software you trust to trade for you: the signature is your trading key.',
      keyNumber,
    },
  };
}

/**
 * The key that belongs to a wallet: SHA-512 over its deterministic signature of a fixed EIP-712 text.
 * The signature's s has more than 128 bits that nobody without the wallet's key can guess.
 * @throws InputError when the wallet signs the same text differently twice (then the key could not be
 *   derived again), or signs in a form that is not a plain ECDSA signature.
 */
export async function tradingKeyFromWallet(
  wallet: Signer,
  domain: SigningDomain,
  keyNumber = 0,
): Promise<TradingKey> {
  const request = derivationRequest(domain, keyNumber);
  const first = await wallet.signTypedData(request.domain, request.types, request.value);
  const second = await wallet.signTypedData(request.domain, request.types, request.value);
  return tradingKeyFromSignatures(first, second);
}

/** Only r and s count: wallets write v in several ways. */
export function tradingKeyFromSignatures(first: string, second: string): TradingKey {
  const { r, s } = WalletSignature.from(first);
  const again = WalletSignature.from(second);
  if (again.r !== r || again.s !== s) {
    throw new InputError('wallet', 'signature', 'this wallet signs differently each time; use a random key');
  }
  const tag = new TextEncoder().encode('ballast/trading-key/');
  const bytes = new Uint8Array([...tag, ...bytesOf(r), ...bytesOf(s)]);
  return tradingKeyOf(toInteger(sha512(bytes).subarray(0, SECRET_BYTES)));
}

function bytesOf(hex: string): number[] {
  return (hex.slice(2).match(/../g) ?? []).map((pair) => Number.parseInt(pair, 16));
}

function toInteger(bytes: Uint8Array): bigint {
  let value = 0n;
  for (const byte of bytes) value = (value << 8n) | BigInt(byte);
  return value;
}
