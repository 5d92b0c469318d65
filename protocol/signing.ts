/** What a signature covers and how it is checked: docs/protocol.md §3. Twin of circuits/order/signed-tree.circom. */
import type { PublicKey } from './account.ts';
import { type Signature, sign, verify } from './crypto/eddsa.ts';
import { poseidon } from './crypto/poseidon.ts';
import { InputError } from './errors.ts';
import { MESSAGE_TREE_DEPTH_MAX, MESSAGES_PER_SIGNATURE_MAX } from './limits.ts';
import {
  type Message,
  packMessage,
  SIGNED_MESSAGES_TAG,
  type SignedMessages,
  type SigningDomain,
} from './message.ts';

const ARITY = 4;
const PADDING_LEAF = 0n;

/** Messages without their signature. */
export type UnsignedMessages = Omit<SignedMessages, 'signature'>;

/** Siblings of a message in its signed tree, one triple a level from the leaf upwards. */
export interface MessagePath {
  readonly leaf: bigint;
  readonly siblings: readonly (readonly [bigint, bigint, bigint])[];
}

/** The least depth with room for `count` messages. @throws InputError outside 1 to 16. */
export function messageTreeDepth(count: number): number {
  if (!Number.isInteger(count) || count < 1 || count > MESSAGES_PER_SIGNATURE_MAX) {
    throw new InputError(
      'messages',
      count,
      `one signature covers 1 to ${MESSAGES_PER_SIGNATURE_MAX} messages`,
    );
  }
  return count === 1 ? 0 : count <= ARITY ? 1 : 2;
}

/** Every level of the tree, leaves first; the last holds the root alone. */
function treeLevels(messages: readonly Message[], depth: number): bigint[][] {
  const room = ARITY ** depth;
  if (!Number.isInteger(depth) || depth < 0 || depth > MESSAGE_TREE_DEPTH_MAX || messages.length > room) {
    throw new InputError(
      'depth',
      depth,
      `expected 0 to ${MESSAGE_TREE_DEPTH_MAX} with room for every message`,
    );
  }
  if (messages.length === 0) throw new InputError('messages', 0, 'a signature covers at least one message');
  let level = [...messages.map(packMessage), ...Array<bigint>(room - messages.length).fill(PADDING_LEAF)];
  const levels = [level];
  while (level.length > 1) {
    level = Array.from({ length: level.length / ARITY }, (_, i) =>
      poseidon(level.slice(ARITY * i, ARITY * i + ARITY)),
    );
    levels.push(level);
  }
  return levels;
}

/** Root of the tree of messages; at depth 0 the message itself. @throws InputError on a malformed tree. */
export const messageTreeRoot = (messages: readonly Message[], depth: number): bigint =>
  treeLevels(messages, depth)[depth][0];

/** The path of one message to the root. @throws InputError when no message is at `position`. */
export function messagePath(messages: readonly Message[], depth: number, position: number): MessagePath {
  if (!Number.isInteger(position) || position < 0 || position >= messages.length) {
    throw new InputError('position', position, `expected 0 to ${messages.length - 1}`);
  }
  const levels = treeLevels(messages, depth);
  const siblings = levels.slice(0, depth).map((level, height) => {
    const place = Math.floor(position / ARITY ** height);
    const first = place - (place % ARITY);
    const others = [0, 1, 2, 3].map((i) => first + i).filter((i) => i !== place);
    return others.map((i) => level[i]) as [bigint, bigint, bigint];
  });
  return { leaf: levels[0][position], siblings };
}

/** M: the field element that is signed. @throws InputError on a malformed tree. */
export const signedHash = (domain: SigningDomain, signed: UnsignedMessages): bigint =>
  poseidon([
    SIGNED_MESSAGES_TAG,
    domain.chainId,
    domain.rollupAddress,
    BigInt(signed.accountIndex),
    signed.epoch,
    BigInt(signed.depth + ARITY * signed.messages.length),
    messageTreeRoot(signed.messages, signed.depth),
  ]);

/** Signs messages for one account at its current epoch, in the smallest tree that holds them. */
export function signMessages(
  domain: SigningDomain,
  secret: bigint,
  content: { readonly accountIndex: number; readonly epoch: bigint; readonly messages: readonly Message[] },
): SignedMessages {
  const unsigned = { ...content, depth: messageTreeDepth(content.messages.length) };
  return { ...unsigned, signature: sign(secret, signedHash(domain, unsigned)) };
}

interface Checked {
  readonly domain: SigningDomain;
  readonly hash: bigint;
  readonly publicKey: PublicKey;
  readonly isValid: boolean;
}

/**
 * Remembered by object: admission checks a signature once, and every later look at the same value
 * is free. Sound because `SignedMessages` are immutable.
 */
const checked = new WeakMap<SignedMessages, Checked>();

const isSameDomain = (a: SigningDomain, b: SigningDomain): boolean =>
  a.chainId === b.chainId && a.rollupAddress === b.rollupAddress;

/** `signedHash`, computed once per value if its signature was checked before. */
export function signedHashOf(domain: SigningDomain, signed: SignedMessages): bigint {
  const known = checked.get(signed);
  return known !== undefined && isSameDomain(known.domain, domain) ? known.hash : signedHash(domain, signed);
}

/**
 * Takes over what an earlier check of the same messages found, `hash` being their `signedHash`: for a writer that reads
 * its own records again. Nothing is checked here.
 */
export function rememberChecked(
  domain: SigningDomain,
  publicKey: PublicKey,
  signed: SignedMessages,
  hash: bigint,
): void {
  checked.set(signed, { domain, hash, publicKey, isValid: true });
}

/**
 * Whether `publicKey` signed these messages for this chain and contract. `check` may be a verifier
 * prepared for that key (`createVerifier`), which is faster. @throws InputError on a malformed tree.
 */
export function verifySignedMessages(
  domain: SigningDomain,
  publicKey: PublicKey,
  signed: SignedMessages,
  check: (hash: bigint, signature: Signature) => boolean = (hash, signature) =>
    verify(publicKey, hash, signature),
): boolean {
  const known = checked.get(signed);
  if (known !== undefined && isSameDomain(known.domain, domain)) {
    if (known.publicKey[0] === publicKey[0] && known.publicKey[1] === publicKey[1]) return known.isValid;
  }
  const hash = signedHash(domain, signed);
  const isValid = check(hash, signed.signature);
  checked.set(signed, { domain, hash, publicKey, isValid });
  return isValid;
}
