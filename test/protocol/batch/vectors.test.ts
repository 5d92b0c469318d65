import { expect } from 'chai';
import { decodeBody, encodeBody } from '#protocol/batch/calldata.ts';
import { readPublicWords } from '#protocol/batch/read-words.ts';
import { challengeOf, evaluationOf } from '#protocol/batch/words.ts';
import { verify } from '#protocol/crypto/eddsa.ts';
import { poseidon } from '#protocol/crypto/poseidon.ts';
import { accountFromElements, leafElements } from '#protocol/leaf.ts';
import { TINY_BATCH, TINY_SHAPE } from '#protocol/limits.ts';
import { packMessage, unpackMessage } from '#protocol/message.ts';
import { type BatchVector, makeBatchVectors, readBatchVectors } from '#test/support/batch-vectors.ts';

const numbers = (values: readonly string[]): bigint[] => values.map(BigInt);

describe('the vectors of a batch', () => {
  it('are what the rulebook makes of the same batches today', () => {
    expect(makeBatchVectors()).to.deep.equal(readBatchVectors());
  });

  const each = (what: string, check: (vector: BatchVector) => void) => {
    for (const vector of readBatchVectors()) it(`${what}: ${vector.name}`, () => check(vector));
  };

  each('say how words travel and what r and y they have', (vector) => {
    const words = numbers(vector.words);
    const body = Uint8Array.from(Buffer.from(vector.body, 'hex'));
    const travelled = decodeBody(body, vector.bodyWordCount);
    expect(encodeBody(travelled)).to.deep.equal(body);
    const rowWords = 1 + vector.accounts[0].elementsAfter.length - 2;
    const accountWords = vector.accounts.length * rowWords;
    expect(travelled.slice(-accountWords)).to.deep.equal(words.slice(-accountWords));
    const challenge = challengeOf(BigInt(vector.commitment), words);
    expect(String(challenge)).to.equal(vector.challenge);
    expect(String(evaluationOf(words, challenge))).to.equal(vector.evaluation);
  });

  each('say what a leaf is made of', (vector) => {
    for (const row of vector.accounts) {
      for (const [elements, leaf] of [
        [numbers(row.elementsBefore), row.leafBefore],
        [numbers(row.elementsAfter), row.leafAfter],
      ] as const) {
        expect(String(poseidon(elements))).to.equal(leaf);
        expect(leafElements(accountFromElements(elements, TINY_SHAPE), TINY_SHAPE)).to.deep.equal(elements);
      }
    }
    const published = readPublicWords(numbers(vector.words), TINY_SHAPE, TINY_BATCH).accounts;
    for (const { accountIndex, elements } of published) {
      const row = vector.accounts.find((account) => account.accountIndex === accountIndex);
      expect(elements.map(String)).to.deep.equal(row?.elementsAfter.slice(2));
    }
  });

  each('say what was signed', (vector) => {
    for (const signed of vector.signed) {
      for (const { packed } of signed.messages) {
        expect(String(packMessage(unpackMessage(BigInt(packed))))).to.equal(packed);
      }
      const [x, y] = numbers(signed.publicKey);
      const [r8x, r8y] = numbers(signed.r8);
      const signature = { r8: [r8x, r8y] as const, s: BigInt(signed.s) };
      expect(verify([x, y], BigInt(signed.hash), signature)).to.equal(true);
      expect(verify([x, y], BigInt(signed.hash) + 1n, signature)).to.equal(false);
    }
  });
});
