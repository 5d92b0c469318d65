import { expect } from 'chai';
import { NonceManager } from '#client/nonces.ts';
import { InputError } from '#protocol/errors.ts';

describe('nonces', () => {
  it('rise by one and are never given twice', () => {
    const nonces = new NonceManager(5n, 2, 6);
    expect([nonces.take(), nonces.take(), nonces.take()].map(({ nonce }) => nonce)).to.deep.equal([
      5n,
      6n,
      7n,
    ]);
  });

  it('never ask to keep words alive that lie before word 0', () => {
    const nonces = new NonceManager(31n, 3, 6);
    expect(nonces.take()).to.deep.equal({ nonce: 31n, floorBackWords: 0 });
    expect(nonces.take()).to.deep.equal({ nonce: 32n, floorBackWords: 1 });
    expect(new NonceManager(32n * 9n, 3, 6).take().floorBackWords).to.equal(3);
  });

  it('of a new word share no word with any earlier nonce', () => {
    const nonces = new NonceManager(0n, 0, 6);
    nonces.take();
    nonces.startWord();
    expect(nonces.next).to.equal(32n);
    nonces.startWord();
    expect(nonces.next).to.equal(32n);
  });

  it('begin again at 0 in a new epoch', () => {
    const nonces = new NonceManager(77n, 1, 6);
    nonces.startEpoch();
    expect(nonces.take().nonce).to.equal(0n);
  });

  it('end with an error that says what to do, not with a repeated nonce', () => {
    const nonces = new NonceManager((1n << 40n) - 1n, 1, 6);
    nonces.take();
    expect(() => nonces.take()).to.throw(InputError, 'register a new key');
  });

  it('refuse a floor outside the window, which no batch could serve', () => {
    expect(() => new NonceManager(0n, 6, 6)).to.throw(InputError, 'expected 0 to 5');
    expect(() => new NonceManager(0n, -1, 6)).to.throw(InputError);
  });
});
