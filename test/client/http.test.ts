import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import { ApiRefusal, ApiUnreachable, httpClient } from '#client/http.ts';

/** Answers every request with the same bytes. */
async function answering(status: number, body: string): Promise<{ url: string; server: Server }> {
  const server = createServer((_, response) => {
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server };
}

async function outcome(status: number, body: string): Promise<unknown> {
  const { url, server } = await answering(status, body);
  try {
    return await httpClient(url)
      .get('/v1/anything')
      .catch((error: unknown) => error);
  } finally {
    server.close();
  }
}

describe('http client', () => {
  it('gives the body of a success', async () => {
    expect(await outcome(200, '{"a":"1"}')).to.deep.equal({ a: '1' });
  });

  it('turns a refusal into its code, numbers and hint', async () => {
    const body = {
      code: 'insufficient-margin',
      message: 'equity 1 < 2',
      data: { equity: '1' },
      hint: 'deposit',
    };
    const refusal = (await outcome(422, JSON.stringify(body))) as ApiRefusal;
    expect(refusal).to.be.instanceOf(ApiRefusal);
    expect(refusal).to.include({ status: 422, code: 'insufficient-margin', hint: 'deposit' });
    expect(refusal.data).to.deep.equal({ equity: '1' });
  });

  it('does not mistake a broken answer for a refusal or a success', async () => {
    expect(await outcome(500, 'oops')).to.be.instanceOf(ApiUnreachable);
    expect(await outcome(200, '<html>')).to.be.instanceOf(ApiUnreachable);
    expect(await outcome(400, '{"error":"no code"}')).to.be.instanceOf(ApiUnreachable);
  });

  it('says which address did not answer', async () => {
    const { url, server } = await answering(200, '{}');
    await new Promise((resolve) => server.close(resolve));
    const error = await httpClient(url)
      .get('/v1/x')
      .catch((reason: unknown) => reason);
    expect(error).to.be.instanceOf(ApiUnreachable);
    expect((error as Error).message).to.include(`${url}/v1/x`);
  });
});
