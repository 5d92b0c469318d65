import { expect } from 'chai';
import { reject } from '#protocol/errors.ts';
import { apiErrorOf, httpStatusOf } from '#sequencer/api/errors.ts';

describe('errors of the API', () => {
  it('are 503 where the same request may pass later', () => {
    for (const code of ['engine-busy', 'proof-backlog', 'stopping']) expect(httpStatusOf(code)).to.equal(503);
  });

  it('are 422 where a rule refuses', () => {
    expect(httpStatusOf('insufficient-margin')).to.equal(422);
    expect(httpStatusOf('too-many-waiting-cancels')).to.equal(422);
  });

  it('name the cancel-all where too many cancels wait', () => {
    const error = apiErrorOf(reject('too-many-waiting-cancels', '', { waiting: 256, open: 0, limit: 256 }));
    expect(error.hint).to.include('cancel-all');
    expect(error.data).to.deep.equal({ field: 'messages', waiting: 256, open: 0, limit: 256 });
  });
});
