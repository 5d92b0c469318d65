import { expect } from 'chai';
import { generatedFiles } from '#circuits/limits.ts';
import { readSource } from '#test/static/repository-files.ts';

describe('generated circuit files', () => {
  for (const [path, content] of generatedFiles()) {
    it(`circuits/${path} is what protocol/limits.ts says`, () => {
      expect(readSource(`circuits/${path}`)).to.equal(content);
    });
  }
});
