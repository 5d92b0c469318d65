/**
 * One set of vectors for the rulebook, the circuit and the contract: what a batch publishes, what its proof says of it,
 * the leaves before and after, and what its traders signed. `node test/support/batch-vectors.ts` writes the file anew.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import type { SealedBatch } from '#protocol/batch/batch.ts';
import { bodyWordsOf, encodeBody } from '#protocol/batch/calldata.ts';
import { publicWords } from '#protocol/batch/words.ts';
import { leafElements, leafHash } from '#protocol/leaf.ts';
import { type Message, packMessage } from '#protocol/message.ts';
import { messageTreeDepth, messageTreeRoot, signedHashOf } from '#protocol/signing.ts';
import { buildCircuitInput } from '#prover/witness/build-circuit-input.ts';
import { TRACES } from './batch-traces.ts';

const VECTORS = new URL('../fixtures/vectors/batches.json', import.meta.url);
/** One batch for every kind of row. */
const NAMES = [
  'a registration and a first deposit',
  'a deposit of spot and one beyond the position cap',
  'a trade that opens two positions, with fees',
  'a cancel of one and a cancel-all of another',
  'a spot withdrawal and a forced one cut short for margin',
  'messages of a tree of sixteen and of a tree of four',
  'a liquidation with deposits waiting in the queue',
  'a liquidation of two positions',
  'a fund payment of all that is booked',
  'a settlement of the last short, which retires the instrument',
  'a settlement beside a fill and a withdrawal of the same account',
];

/** Decimal strings, lists and objects of them. */
export interface BatchVector {
  readonly name: string;
  readonly words: readonly string[];
  /** Hex, as in the calldata. */
  readonly body: string;
  readonly bodyWordCount: number;
  readonly commitment: string;
  readonly challenge: string;
  readonly evaluation: string;
  readonly accounts: readonly {
    readonly accountIndex: number;
    readonly elementsBefore: readonly string[];
    readonly leafBefore: string;
    readonly elementsAfter: readonly string[];
    readonly leafAfter: string;
  }[];
  readonly signed: readonly {
    readonly accountIndex: number;
    readonly epoch: string;
    readonly messages: readonly { readonly packed: string }[];
    readonly root: string;
    readonly hash: string;
    readonly publicKey: readonly string[];
    readonly r8: readonly string[];
    readonly s: string;
  }[];
}

const text = (values: readonly bigint[]): string[] => values.map(String);

function fieldsOf(message: Message): Record<string, string> {
  const fields = Object.entries(message).map(([key, value]) => [key, String(value)]);
  return { ...Object.fromEntries(fields), packed: String(packMessage(message)) };
}

function vectorOf(name: string, batch: SealedBatch): BatchVector {
  const { publicInputs } = buildCircuitInput(batch);
  const body = bodyWordsOf(batch);
  const { shape } = batch;
  return {
    name,
    words: text(publicWords(batch)),
    body: Buffer.from(encodeBody(body)).toString('hex'),
    bodyWordCount: body.length,
    commitment: String(publicInputs.commitment),
    challenge: String(publicInputs.challenge),
    evaluation: String(publicInputs.evaluation),
    accounts: batch.accounts.map(({ accountIndex, before, after }) => ({
      accountIndex,
      elementsBefore: text(leafElements(before, shape)),
      leafBefore: String(leafHash(before, shape)),
      elementsAfter: text(leafElements(after, shape)),
      leafAfter: String(leafHash(after, shape)),
    })),
    signed: batch.content.signatures.map((signed) => {
      const depth = messageTreeDepth(signed.messages.length);
      const signer = batch.accounts.find((row) => row.accountIndex === signed.accountIndex);
      return {
        accountIndex: signed.accountIndex,
        epoch: String(signed.epoch),
        messages: signed.messages.map(fieldsOf) as unknown as { packed: string }[],
        root: String(messageTreeRoot(signed.messages, depth)),
        hash: String(signedHashOf(batch.content.header.domain, signed)),
        publicKey: text(signer?.before.publicKey ?? []),
        r8: text(signed.signature.r8),
        s: String(signed.signature.s),
      };
    }),
  };
}

export const makeBatchVectors = (): BatchVector[] => NAMES.map((name) => vectorOf(name, TRACES[name]()));

export const readBatchVectors = (): BatchVector[] => JSON.parse(readFileSync(VECTORS, 'utf8'));

if (import.meta.main) writeFileSync(VECTORS, `${JSON.stringify(makeBatchVectors(), null, 1)}\n`);
