import { expect } from 'chai';
import fc from 'fast-check';
import { accountWordCount, bodyWordCount, decodeBody, encodeBody } from '#protocol/batch/calldata.ts';
import { domainWord, eventWordCount, HEADER_WORDS } from '#protocol/batch/words.ts';
import { FIELD_MODULUS } from '#protocol/crypto/field.ts';
import { InputError } from '#protocol/errors.ts';
import { TINY_WIDE_BATCH } from '#protocol/limits.ts';
import {
  CIRCUIT_HASH,
  deployRollup,
  ES_COUNT,
  KEY_POINT,
  outcome,
  type RollupFixture,
  restoreAfterEach,
  TABLE_HASH,
} from '#test/support/rollup.ts';

const WITHDRAWAL = (accountIndex: bigint, tokenId: bigint, served: bigint) =>
  accountIndex | (tokenId << 24n) | (served << 28n);

describe('MarginRollup, the statement of a batch', () => {
  let fixture: RollupFixture;
  const commitment = 0xc0ffeen;

  before(async () => {
    // A size whose words leave bits of the last bitmap byte unused.
    fixture = await deployRollup({ capacity: TINY_WIDE_BATCH });
    const owner = fixture.signers[0];
    const account = await fixture.open(owner);
    await fixture.deposit(owner, account, 0, 500_000_000n);
    await fixture.serveQueue();
    await fixture.donate(owner, 70_000_000n);
    await fixture.serveQueue();
    const value = await fixture.rollup.queueFeeWei();
    await fixture.as(owner).changeKey(account, KEY_POINT[0], KEY_POINT[1], { value });
    await fixture.deposit(owner, account, 1, 3n);
    await fixture.acceptTable();
  });
  restoreAfterEach(() => fixture);

  /** A batch with something in every part, and the words that protocol/ makes of it. */
  async function fullBatch() {
    const { rollup, vault, shape, capacity } = fixture;
    const accounts = Array.from({ length: accountWordCount(shape) }, (_, i) => BigInt(i + 1) * 0x1234567n);
    const body = {
      outcomes: [outcome(true), outcome(true, 3n)],
      withdrawals: [WITHDRAWAL(1n, 0n, 5_000_000n)],
      retirement: 77n,
      accounts,
    };
    const submission = await fixture.submission({
      body,
      feesMicros: 11n,
      penaltiesMicros: 7n,
      fundPaymentsMicros: 5n,
    });
    const { header } = submission;
    const chainId = (await fixture.connection.ethers.provider.getNetwork()).chainId;
    const rollupAddress = BigInt(await rollup.getAddress());
    const [head] = await rollup.queueBounds();
    const [registration, key] = await rollup.queueEntry(head);
    const [deposit] = await rollup.queueEntry(head + 1n);
    const words = [
      domainWord(chainId, rollupAddress, CIRCUIT_HASH),
      chainId,
      rollupAddress,
      (await rollup.batchNumber()) + 1n,
      await rollup.stateRoot(),
      header.newStateRoot,
      header.batchTimeSec,
      TABLE_HASH + header.acceptedIndex,
      ES_COUNT,
      1n,
      await vault.fundBookedMicros(),
      11n,
      7n,
      5n,
      0n,
      ...[registration.word, key.x, key.y, body.outcomes[0]],
      ...[deposit.word, 0n, 0n, body.outcomes[1]],
      body.withdrawals[0],
      ...Array<bigint>(2 * capacity.liquidations).fill(0n),
      body.retirement,
      ...accounts,
      ...Array<bigint>(accounts.length * (capacity.accounts - 1)).fill(0n),
    ];
    return { submission, words };
  }

  it('is the words of docs/protocol.md §7 in their order', async () => {
    const { submission, words } = await fullBatch();
    expect(words).to.have.length(
      HEADER_WORDS +
        eventWordCount(fixture.capacity) +
        fixture.capacity.accounts * accountWordCount(fixture.shape),
    );
    await fixture.expectWords(commitment, words);
    await expect(fixture.send(submission)).to.emit(fixture.rollup, 'BatchAccepted');
  });

  it('binds each single word, its number and the commitment', async () => {
    const { submission, words } = await fullBatch();
    for (const [i] of words.entries()) {
      await fixture.expectWords(commitment, words.with(i, words[i] + 1n));
      await expect(fixture.send(submission), `word ${i}`).to.be.revertedWithCustomError(
        fixture.rollup,
        'InvalidBatchProof',
      );
    }
    for (const other of [words.slice(0, -1), [...words, 0n]]) {
      await fixture.expectWords(commitment, other);
      await expect(fixture.send(submission)).to.be.revertedWithCustomError(
        fixture.rollup,
        'InvalidBatchProof',
      );
    }
    await fixture.expectWords(commitment, words);
    for (const changed of [commitment + 1n, commitment + FIELD_MODULUS]) {
      await expect(fixture.send({ ...submission, commitment: changed })).to.be.revertedWithCustomError(
        fixture.rollup,
        'InvalidBatchProof',
      );
    }
    await expect(fixture.send(submission)).to.emit(fixture.rollup, 'BatchAccepted');
  });

  /**
   * Why the contract refuses a body that is not the proved one: its encoding, else the proof. It looks at the length
   * last, so it reads past the end of a body that is too short: there the input is zero.
   */
  function refusalOf(body: Uint8Array): string {
    const count = bodyWordCount(fixture.capacity, fixture.shape);
    const bitmapBytes = Math.ceil(count / 8);
    if (body.length < bitmapBytes) return 'BodyLength';
    if (body[bitmapBytes - 1] >> (count % 8) !== 0) return 'BodyBitBeyondCount';
    const used = Array.from({ length: count }, (_, i) => i).filter((i) => (body[i >> 3] >> (i & 7)) & 1);
    const wordAt = (place: number) => body.slice(bitmapBytes + 31 * place, bitmapBytes + 31 * (place + 1));
    if (used.some((_, place) => wordAt(place).every((byte) => byte === 0))) return 'BodyZeroWord';
    return body.length === bitmapBytes + 31 * used.length ? 'InvalidBatchProof' : 'BodyLength';
  }
  const decodes = (body: Uint8Array): boolean => {
    try {
      decodeBody(body, bodyWordCount(fixture.capacity, fixture.shape));
      return true;
    } catch (error) {
      expect(error).to.be.instanceOf(InputError).with.property('field', 'body');
      return false;
    }
  };

  it('refuses the body with any byte changed, missing or added, for what is wrong with it', async () => {
    const { submission, words } = await fullBatch();
    await fixture.expectWords(commitment, words);
    const { body } = submission;
    const variants = [
      ...Array.from(body, (byte, i) => body.with(i, byte ^ 1)),
      ...Array.from(body, (byte, i) => body.with(i, byte ^ 0x80)),
      body.slice(0, -1),
      body.slice(1),
      new Uint8Array([...body, 0]),
      new Uint8Array([...body, 1]),
      new Uint8Array(0),
    ];
    const seen = new Set<string>();
    for (const [i, changed] of variants.entries()) {
      const refusal = refusalOf(changed);
      seen.add(refusal);
      expect(decodes(changed), `variant ${i}`).to.equal(refusal === 'InvalidBatchProof');
      await expect(
        fixture.send({ ...submission, body: changed }),
        `variant ${i}`,
      ).to.be.revertedWithCustomError(fixture.rollup, refusal);
    }
    expect([...seen].sort()).to.deep.equal([
      'BodyBitBeyondCount',
      'BodyLength',
      'BodyZeroWord',
      'InvalidBatchProof',
    ]);
    await expect(fixture.send(submission)).to.emit(fixture.rollup, 'BatchAccepted');
  });

  it('takes exactly the bodies that protocol/ takes', async () => {
    const count = bodyWordCount(fixture.capacity, fixture.shape);
    const bitmapBytes = Math.ceil(count / 8);
    const zeros = new Uint8Array(bitmapBytes);
    const refused: { name: string; body: Uint8Array; error: string }[] = [
      { name: 'bitmap too short', body: zeros.slice(1), error: 'BodyLength' },
      { name: 'a byte after the last word', body: new Uint8Array(bitmapBytes + 1), error: 'BodyLength' },
      {
        name: 'a word without its bit',
        body: new Uint8Array([...zeros, ...Array(31).fill(1)]),
        error: 'BodyLength',
      },
      // What follows the body in the input is padding.
      { name: 'a bit without its word', body: zeros.with(bitmapBytes - 2, 1), error: 'BodyZeroWord' },
      {
        name: 'a zero word with its bit',
        body: new Uint8Array([...zeros.with(bitmapBytes - 2, 1), ...Array(31).fill(0)]),
        error: 'BodyZeroWord',
      },
      {
        name: 'a bit beyond the last word',
        body: new Uint8Array([...zeros.with(bitmapBytes - 1, 0x80), ...Array(31).fill(1)]),
        error: 'BodyBitBeyondCount',
      },
    ];
    expect(count % 8, 'the last bitmap byte has unused bits').to.not.equal(0);
    const interfaceOfErrors = { interface: fixture.rollup.interface } as never;
    for (const { name, body, error } of refused) {
      expect(decodes(body), name).to.equal(false);
      const submission = await fixture.submission();
      await expect(fixture.send({ ...submission, body }), name).to.be.revertedWithCustomError(
        interfaceOfErrors,
        error,
      );
    }
  });

  it('decodes to one list only: what decodes encodes back to the same bytes', () => {
    const count = bodyWordCount(fixture.capacity, fixture.shape);
    const word = fc.oneof(fc.constant(0n), fc.bigInt({ min: 0n, max: 2n ** 248n - 1n }));
    fc.assert(
      fc.property(fc.array(word, { minLength: count, maxLength: count }), (words) => {
        expect(decodeBody(encodeBody(words), count)).to.deep.equal(words);
      }),
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        let words: bigint[];
        try {
          words = decodeBody(bytes, count);
        } catch {
          return;
        }
        expect(encodeBody(words)).to.deep.equal(bytes);
      }),
    );
  });

  it('counts L1 operations exactly', async () => {
    const { submission, words } = await fullBatch();
    await fixture.expectWords(commitment, words);
    const withCount = (l1OperationCount: number) =>
      fixture.send({ ...submission, header: { ...submission.header, l1OperationCount } });
    const errors = fixture.rollup;
    await expect(withCount(3)).to.be.revertedWithCustomError(errors, 'TooManyOperations').withArgs(3, 2);
    await expect(withCount(1)).to.be.revertedWithCustomError(errors, 'OutcomeWithoutOperation');
    await expect(withCount(2)).to.emit(errors, 'BatchAccepted');
  });

  it('takes a proof once: the next batch has another number and root', async () => {
    const { submission, words } = await fullBatch();
    await fixture.expectWords(commitment, words);
    await fixture.send(submission);
    const replay = { ...submission, header: { ...submission.header, l1OperationCount: 0 } };
    await expect(fixture.send(submission)).to.be.revertedWithCustomError(fixture.rollup, 'TooManyOperations');
    const body = encodeBody(fixture.bodyWords());
    await expect(fixture.send({ ...replay, body })).to.be.revertedWithCustomError(
      fixture.rollup,
      'InvalidBatchProof',
    );
  });

  it('refuses a root outside the field, though it evaluates alike', async () => {
    const newStateRoot = FIELD_MODULUS + 1n;
    await expect(fixture.submit({ newStateRoot }))
      .to.be.revertedWithCustomError(fixture.rollup, 'RootNotInField')
      .withArgs(newStateRoot);
    await expect(fixture.submit({ newStateRoot: FIELD_MODULUS - 1n })).to.emit(
      fixture.rollup,
      'BatchAccepted',
    );
  });

  it('refuses a batch size that was not deployed', async () => {
    await expect(fixture.submit({ sizeIndex: 1 })).to.be.revertedWithCustomError(
      fixture.rollup,
      'UnknownBatchSize',
    );
  });
});
