import { expect } from 'chai';
import type { Contract } from 'ethers';
import { network } from 'hardhat';
import { OUTCOME_REASON } from '#protocol/batch/batch.ts';
import { readPublicWords } from '#protocol/batch/read-words.ts';
import { TINY_BATCH, TINY_SHAPE } from '#protocol/limits.ts';
import { readBatchVectors } from '#test/support/batch-vectors.ts';
import { deployTestMock } from '#test/support/rollup.ts';

describe('the vectors of a batch in the contracts', () => {
  let reader: Contract;

  before(async () => {
    reader = (await deployTestMock(await network.connect(), 'WordsReader')) as unknown as Contract;
  });

  for (const vector of readBatchVectors()) {
    const { l1Operations, withdrawals, liquidations } = TINY_BATCH;

    it(`have the body, challenge and evaluation of the contract: ${vector.name}`, async () => {
      const body: bigint[] = [...(await reader.decode(`0x${vector.body}`, vector.bodyWordCount))];
      const accountWords = vector.bodyWordCount - l1Operations - withdrawals - liquidations - 1;
      expect(body.slice(-accountWords).map(String)).to.deep.equal(vector.words.slice(-accountWords));
      const statement = [vector.commitment, String(vector.words.length), ...vector.words];
      const inputs: bigint[] = [...(await reader.publicInputs(statement))];
      expect(inputs.map(String)).to.deep.equal([vector.commitment, vector.challenge, vector.evaluation]);
    });

    it(`have event words that the contract reads alike: ${vector.name}`, async () => {
      const body: bigint[] = [...(await reader.decode(`0x${vector.body}`, vector.bodyWordCount))];
      const read = readPublicWords(vector.words.map(BigInt), TINY_SHAPE, TINY_BATCH);
      for (const [i, { outcome }] of read.l1Operations.entries()) {
        expect([...(await reader.outcome(body[i]))]).to.deep.equal([
          outcome.isApplied,
          BigInt(OUTCOME_REASON[outcome.reason]),
          outcome.served,
        ]);
      }
      for (const [i, row] of read.withdrawals.entries()) {
        expect([...(await reader.withdrawal(body[l1Operations + i]))]).to.deep.equal([
          BigInt(row.accountIndex),
          BigInt(row.tokenId),
          row.servedAmount,
          row.isShort,
        ]);
      }
      for (const [i, row] of read.liquidations.entries()) {
        const word = body[l1Operations + withdrawals + i];
        expect(await reader.liquidatedAccount(word)).to.equal(BigInt(row.accountIndex));
      }
    });
  }
});
