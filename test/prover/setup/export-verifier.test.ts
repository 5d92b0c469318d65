import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { exportVerifier, verifierName, writeVerifier } from '#prover/setup/export-verifier.ts';
import { toxicWasteFromSeed } from '#prover/setup/toxic-waste.ts';
import { writeDevelopmentZkey } from '#prover/setup/write-development-zkey.ts';
import { compileFixture, fixtureArtifacts, temporaryFolder } from '../support/circuits.ts';

describe('export verifier', () => {
  let folder: string;

  before(() => {
    folder = temporaryFolder();
  });
  after(() => rmSync(folder, { recursive: true }));

  it('names contracts after circuits, and says INSECURE of development keys', () => {
    expect(verifierName('batch-small', false)).to.equal('BatchSmallVerifier');
    expect(verifierName('risk_table-tiny', true)).to.equal('InsecureRiskTableTinyVerifier');
  });

  it('writes a contract that checks every public signal, marked where the key is a development key', async () => {
    const { name, zkeyPath, verificationKey } = await fixtureArtifacts('square-chain-short');
    const verifier = await exportVerifier(zkeyPath, name);
    expect(verifier.contractName).to.equal('InsecureSquareChainShortVerifier');
    const path = writeVerifier(verifier, folder);
    expect(path).to.equal(join(folder, 'InsecureSquareChainShortVerifier.sol'));
    const solidity = readFileSync(path, 'utf8');
    expect(solidity).to.contain('INSECURE').and.to.contain('contract InsecureSquareChainShortVerifier {');
    expect(solidity.match(/checkField\(calldataload/g)).to.have.length(verificationKey.nPublic);
    const [deltaX, deltaY] = verificationKey.vk_delta_2;
    for (const number of [...verificationKey.vk_alpha_1.slice(0, 2), ...deltaX, ...deltaY]) {
      expect(solidity).to.contain(` ${number};`);
    }
    const key = JSON.parse(readFileSync(join(folder, 'InsecureSquareChainShortVerifier.key.json'), 'utf8'));
    expect(key.IC).to.deep.equal(verificationKey.IC);
  });

  it('gives other keys plain names, and equal keys equal bytes', async () => {
    const { r1csPath } = await compileFixture('product');
    const zkeyPath = join(folder, 'secret.zkey');
    await writeDevelopmentZkey({ r1csPath, zkeyPath, waste: toxicWasteFromSeed('a secret'), threadCount: 1 });
    const verifier = await exportVerifier(zkeyPath, 'product');
    expect(verifier.solidity).to.contain('contract ProductVerifier {').and.not.to.contain('INSECURE');
    expect(await exportVerifier(readFileSync(zkeyPath), 'product')).to.deep.equal(verifier);
  });
});
