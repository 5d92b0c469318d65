/** Names of signed things: derived from what is signed, never from the signature, so a re-signed copy is the same. */
import { createHash } from 'node:crypto';
import type { SignedMessages, SigningDomain } from '#protocol/message.ts';
import { signedHashOf } from '#protocol/signing.ts';

const HEX_DIGITS = 64;

/** The signed field element M: domain, account, epoch and every message. */
export const bodyHashOf = (domain: SigningDomain, signed: SignedMessages): string =>
  `0x${signedHashOf(domain, signed).toString(16).padStart(HEX_DIGITS, '0')}`;

/** SHA-256 of the body's name and the position of the message in it. */
export const messageHashOf = (bodyHash: string, position: number): string =>
  `0x${createHash('sha256').update(`${bodyHash}/${position}`).digest('hex')}`;
