/**
 * `node sequencer/main-job/place-order.ts <buy|sell> <instrument id> <lots>`: signs an order with the visitor's key
 * and sends it to the market that `npm start` keeps serving. This is all a trader's program needs of client/.
 */
import { httpClient } from '#client/http.ts';
import { tradingKeyOf } from '#client/keys.ts';
import { NonceManager } from '#client/nonces.ts';
import { SequencerClient } from '#client/sequencer.ts';
import { NONCES_PER_WORD, STANDARD_SHAPE } from '#protocol/limits.ts';
import { signMessages } from '#protocol/signing.ts';
import { readServed } from './served.ts';
import { limitAt } from './strategies/strategy.ts';

const REACH_PPM = 20_000n;
const LIFE_SEC = 3_600n;

async function main([side, instrument, lots]: readonly string[]): Promise<void> {
  if (
    (side !== 'buy' && side !== 'sell') ||
    !/^\d+$/.test(instrument ?? '') ||
    !/^[1-9]\d*$/.test(lots ?? '')
  ) {
    throw new Error('usage: place-order.ts <buy|sell> <instrument id> <lots>');
  }
  const served = readServed();
  const client = new SequencerClient(httpClient(served.apiUrl));
  const { accountIndex, secret } = served.visitor;
  const key = tradingKeyOf(BigInt(secret));
  const [account, round] = await Promise.all([client.account(accountIndex), client.round()]);
  const row = round.rows.find(({ instrumentId }) => instrumentId === Number(instrument));
  if (row === undefined) throw new Error(`instrument ${instrument} is not listed`);
  const { bids, asks } = await client.book(row.instrumentId);
  const best = (side === 'buy' ? asks : bids)[0];
  if (best === undefined) throw new Error('nobody quotes at this moment; try again within a minute');
  // A word of nonces above everything the leaf knows; time makes two runs differ.
  const word =
    account.baseWord + BigInt(STANDARD_SHAPE.nonceWords) + BigInt(Math.floor(Date.now() / 1000) % 1_000_000);
  const nonces = new NonceManager(word * BigInt(NONCES_PER_WORD), 0, STANDARD_SHAPE.nonceWords);
  const signed = signMessages(
    { chainId: BigInt(served.chainId), rollupAddress: BigInt(served.rollupAddress) },
    key.secret,
    {
      accountIndex,
      epoch: account.epoch,
      messages: [
        {
          kind: 'order',
          instrumentId: row.instrumentId,
          side,
          isReduceOnly: false,
          sizeLots: BigInt(lots),
          limitMicrosPerLot: limitAt(best.limitMicrosPerLot, side === 'buy' ? REACH_PPM : -REACH_PPM, side),
          expirySec: round.timeSec + LIFE_SEC,
          ...nonces.take(),
          feeCapPpm: 1_000n,
        },
      ],
    },
  );
  const [outcome] = await client.submit(signed, [{ timeInForce: 'ioc' }]);
  if (outcome.status === 'refused')
    throw new Error(`refused: ${outcome.error.code}: ${outcome.error.message}`);
  console.log(JSON.stringify(await client.order(outcome.hash), null, 2));
}

main(process.argv.slice(2)).catch((error: Error) => {
  console.error(error.message);
  process.exitCode = 1;
});
