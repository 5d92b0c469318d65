import { expect } from 'chai';
import { rootOfPath } from '#protocol/crypto/merkle-tree.ts';
import { poseidon } from '#protocol/crypto/poseidon.ts';
import { type Message, packMessage, SIGNED_MESSAGES_TAG } from '#protocol/message.ts';
import {
  messagePath,
  messageTreeDepth,
  messageTreeRoot,
  signedHash,
  signMessages,
  verifySignedMessages,
} from '#protocol/signing.ts';
import { DOMAIN, keyOf, orderMessage, secretOf, withdrawMessage } from '../support/ledger.ts';

const orders = (count: number): Message[] =>
  Array.from({ length: count }, (_, i) => orderMessage({ side: 'buy', sizeLots: 1n, nonce: BigInt(i) }));

describe('a signed message tree', () => {
  it('is the message itself when there is one', () => {
    const [message] = orders(1);
    expect(messageTreeRoot([message], 0)).to.equal(packMessage(message));
  });

  it('pads with 0 up to 4 or 16 leaves', () => {
    const leaves = orders(5).map(packMessage);
    const level = [leaves.slice(0, 4), [leaves[4], 0n, 0n, 0n], [0n, 0n, 0n, 0n], [0n, 0n, 0n, 0n]].map((l) =>
      poseidon(l),
    );
    expect(messageTreeRoot(orders(5), 2)).to.equal(poseidon(level));
    expect([1, 2, 4, 5, 16].map(messageTreeDepth)).to.deep.equal([0, 1, 1, 2, 2]);
    for (const count of [0, 17, 1.5]) expect(() => messageTreeDepth(count)).to.throw('messages');
  });

  it('has a path from every message to its root', () => {
    for (const [count, depth] of [
      [1, 0],
      [3, 1],
      [16, 2],
    ]) {
      const messages = orders(count);
      for (let position = 0; position < count; position++) {
        const { leaf, siblings } = messagePath(messages, depth, position);
        const places = siblings.map((_, height) => Math.floor(position / 4 ** height) % 4);
        expect(leaf).to.equal(packMessage(messages[position]));
        expect(rootOfPath(leaf, siblings, places)).to.equal(messageTreeRoot(messages, depth));
      }
      expect(() => messagePath(messages, depth, count)).to.throw('position');
    }
  });

  it('refuses more messages than its depth has room for', () => {
    expect(() => messageTreeRoot(orders(5), 1)).to.throw('depth');
    expect(() => messageTreeRoot(orders(1), 3)).to.throw('depth');
    expect(() => messageTreeRoot([], 0)).to.throw('messages');
  });

  it('signs tag, chain, contract, account, epoch, depth with count, and root', () => {
    const signed = signMessages(DOMAIN, secretOf(3), { accountIndex: 3, epoch: 2n, messages: orders(3) });
    const root = messageTreeRoot(orders(3), 1);
    const fields = [SIGNED_MESSAGES_TAG, DOMAIN.chainId, DOMAIN.rollupAddress, 3n, 2n, 1n + 4n * 3n, root];
    expect(signedHash(DOMAIN, signed)).to.equal(poseidon(fields));
    expect(verifySignedMessages(DOMAIN, keyOf(3), signed)).to.equal(true);
  });
});

describe('a signature', () => {
  const signed = signMessages(DOMAIN, secretOf(3), { accountIndex: 3, epoch: 1n, messages: orders(2) });
  const withdraw = withdrawMessage({ amount: 5n, nonce: 1n });
  const forgeries = {
    'another account': { ...signed, accountIndex: 4 },
    'another epoch': { ...signed, epoch: 2n },
    'a message changed': { ...signed, messages: [signed.messages[0], withdraw] },
    'a message dropped': { ...signed, messages: signed.messages.slice(0, 1) },
    'messages exchanged': { ...signed, messages: [...signed.messages].reverse() },
    'a deeper tree': { ...signed, depth: 2 },
    'a changed s': { ...signed, signature: { ...signed.signature, s: signed.signature.s + 1n } },
  };

  for (const [name, forged] of Object.entries(forgeries)) {
    it(`is not valid for ${name}`, () => {
      expect(verifySignedMessages(DOMAIN, keyOf(3), forged)).to.equal(false);
    });
  }

  it('is not valid for another chain, contract or key, even after it was found valid', () => {
    expect(verifySignedMessages(DOMAIN, keyOf(3), signed)).to.equal(true);
    expect(verifySignedMessages({ ...DOMAIN, chainId: 1n }, keyOf(3), signed)).to.equal(false);
    expect(verifySignedMessages({ ...DOMAIN, rollupAddress: 1n }, keyOf(3), signed)).to.equal(false);
    expect(verifySignedMessages(DOMAIN, keyOf(4), signed)).to.equal(false);
    expect(verifySignedMessages(DOMAIN, keyOf(3), signed)).to.equal(true);
  });

  it('is checked once per value', () => {
    let checks = 0;
    const fresh = signMessages(DOMAIN, secretOf(3), { accountIndex: 3, epoch: 7n, messages: orders(1) });
    const check = () => {
      checks += 1;
      return true;
    };
    verifySignedMessages(DOMAIN, keyOf(3), fresh, check);
    verifySignedMessages(DOMAIN, keyOf(3), fresh, check);
    expect(checks).to.equal(1);
  });
});
