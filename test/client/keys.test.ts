import { expect } from 'chai';
import { Wallet } from 'ethers';
import {
  randomTradingKey,
  tradingKeyFromSignatures,
  tradingKeyFromWallet,
  tradingKeyOf,
} from '#client/keys.ts';
import { clearCofactor } from '#protocol/crypto/eddsa.ts';
import { InputError } from '#protocol/errors.ts';
import { signMessages, verifySignedMessages } from '#protocol/signing.ts';

const domain = { chainId: 31337n, rollupAddress: 0x1234567890n };
const wallet = new Wallet(`0x${'1f'.repeat(32)}`);

describe('trading keys', () => {
  it('sign for the key that the contract computes from the registered point', () => {
    const key = randomTradingKey();
    expect(clearCofactor(key.registrationPoint)).to.deep.equal(key.publicKey);
    const signed = signMessages(domain, key.secret, {
      accountIndex: 1,
      epoch: 1n,
      messages: [{ kind: 'cancel-all' }],
    });
    expect(verifySignedMessages(domain, key.publicKey, signed)).to.equal(true);
  });

  it('are different each time they are drawn', () => {
    expect(randomTradingKey().secret).to.not.equal(randomTradingKey().secret);
  });

  it('come back from the same wallet, chain, contract and number', async () => {
    const first = await tradingKeyFromWallet(wallet, domain);
    expect(await tradingKeyFromWallet(wallet, domain)).to.deep.equal(first);
  });

  it('of one deployment are not those of another, nor those of the next number', async () => {
    const keys = await Promise.all([
      tradingKeyFromWallet(wallet, domain),
      tradingKeyFromWallet(wallet, { ...domain, chainId: 1n }),
      tradingKeyFromWallet(wallet, { ...domain, rollupAddress: 0x99n }),
      tradingKeyFromWallet(wallet, domain, 1),
    ]);
    expect(new Set(keys.map((key) => key.secret)).size).to.equal(keys.length);
  });

  it('are not derived from a wallet that signs the same text differently each time', async () => {
    const first = await wallet.signMessage('one');
    const second = await wallet.signMessage('two');
    expect(() => tradingKeyFromSignatures(first, second)).to.throw(InputError, 'signs differently');
  });

  it('do not depend on how the wallet writes v', async () => {
    const signature = await wallet.signMessage('text');
    const rest = signature.slice(0, -2);
    const withSmallV = rest + (signature.endsWith('1b') ? '00' : '01');
    expect(tradingKeyFromSignatures(withSmallV, signature).secret).to.equal(
      tradingKeyFromSignatures(signature, signature).secret,
    );
  });

  it('refuse a secret that a person could have chosen', () => {
    expect(() => tradingKeyOf(123456789n)).to.throw(InputError, 'secret');
    expect(() => tradingKeyOf(1n << 256n)).to.throw(InputError, 'secret');
  });

  it('never put the secret into an error', () => {
    expect(() => tradingKeyOf(123456789n))
      .to.throw()
      .with.property('message')
      .that.does.not.include('123456789');
  });
});
