import { expect } from 'chai';
import { Interface } from 'ethers';
import fc from 'fast-check';
import { readArtifact } from '#contracts/deploy/artifact.ts';
import {
  type BatchSubmission,
  bodyWordCount,
  decodeSubmitBatch,
  encodeBody,
  encodeSubmitBatch,
  splitBodyWords,
} from '#protocol/batch/calldata.ts';
import { InputError } from '#protocol/errors.ts';
import { SMALL_BATCH, STANDARD_SHAPE, TINY_BATCH, TINY_SHAPE } from '#protocol/limits.ts';

const bits = (count: number) => fc.bigInt({ min: 0n, max: (1n << BigInt(count)) - 1n });
const word = bits(256);
const point = fc.tuple(word, word);
const submission: fc.Arbitrary<BatchSubmission> = fc.record({
  header: fc.record({
    sizeIndex: fc.nat(9),
    newStateRoot: word,
    batchTimeSec: bits(32),
    acceptedIndex: bits(32),
    l1OperationCount: fc.nat(1000),
    pendingEnd: bits(64),
    feesMicros: bits(88),
    penaltiesMicros: bits(88),
    fundPaymentsMicros: bits(88),
    hasTrades: fc.boolean(),
  }),
  body: fc.uint8Array({ maxLength: 300 }),
  commitment: word,
  proof: fc.record({ a: point, b: fc.tuple(point, point), c: point }),
});
const bytes = (hex: string) => Uint8Array.from(Buffer.from(hex.slice(2), 'hex'));

describe('calldata of submitBatch', () => {
  let abi: Interface;
  before(() => {
    abi = new Interface(readArtifact('MarginRollup').abi as never);
  });

  it('is what an ABI encoder makes of the arguments', () => {
    fc.assert(
      fc.property(submission, ({ header, body, commitment, proof }) => {
        const theirs = abi.encodeFunctionData('submitBatch', [header, body, commitment, proof]);
        expect(encodeSubmitBatch({ header, body, commitment, proof })).to.deep.equal(bytes(theirs));
      }),
    );
  });

  it('is read back as it was written', () => {
    fc.assert(
      fc.property(submission, (sent) => {
        expect(decodeSubmitBatch(encodeSubmitBatch(sent))).to.deep.equal(sent);
      }),
    );
  });

  it('is read as the contract reads it when the body lies elsewhere and more follows', () => {
    fc.assert(
      fc.property(submission, fc.nat(40), (sent, gap) => {
        const input = encodeSubmitBatch(sent);
        const head = input.slice(0, 4 + 32 * 20);
        const tail = input.slice(head.length);
        const moved = new Uint8Array([...head, ...Array(gap).fill(0xee), ...tail, 0xff, 0xff]);
        const offset = 32 * 20 + gap;
        moved.set([offset >> 8, offset & 255], 4 + 32 * 10 + 30);
        expect(decodeSubmitBatch(moved)).to.deep.equal(sent);
      }),
    );
  });

  it('is refused when cut, of another function, or with a body beyond its end', () => {
    const sent = fc.sample(submission, { numRuns: 1, seed: 5 })[0];
    const input = encodeSubmitBatch({ ...sent, body: new Uint8Array(64).fill(7) });
    expect(() => decodeSubmitBatch(input.slice(0, -1))).to.throw(InputError);
    expect(() => decodeSubmitBatch(input.with(0, input[0] ^ 1))).to.throw(InputError, 'submitBatch');
    expect(() => decodeSubmitBatch(input.with(4 + 32 * 10, 1))).to.throw(InputError, 'body offset');
    expect(() => decodeSubmitBatch(input.with(4 + 32 * 20, 1))).to.throw(InputError, 'body length');
    expect(() => decodeSubmitBatch(new Uint8Array(0))).to.throw(InputError);
  });

  it('splits a body into its parts and knows how many words they are', () => {
    expect(bodyWordCount(SMALL_BATCH, STANDARD_SHAPE)).to.equal(2 + 2 + 4 + 1 + 4 * 9);
    const count = bodyWordCount(TINY_BATCH, TINY_SHAPE);
    const words = Array.from({ length: count }, (_, i) => BigInt(i));
    const parts = splitBodyWords(words, TINY_BATCH, TINY_SHAPE);
    const { outcomes, withdrawals, liquidations, retirement, accounts } = parts;
    expect([...outcomes, ...withdrawals, ...liquidations, retirement, ...accounts.flat()]).to.deep.equal(
      words,
    );
    expect([outcomes.length, withdrawals.length, liquidations.length, accounts.length]).to.deep.equal([
      2, 1, 2, 2,
    ]);
    expect(() => splitBodyWords(words.slice(1), TINY_BATCH, TINY_SHAPE)).to.throw(
      InputError,
      `${count} words`,
    );
  });

  it('holds no word of more than 31 bytes', () => {
    expect(encodeBody([2n ** 248n - 1n])).to.have.length(32);
    for (const tooLarge of [2n ** 248n, -1n])
      expect(() => encodeBody([tooLarge])).to.throw(InputError, '31 bytes');
  });
});
