/**
 * The oracle signer as a process: `node sequencer/oracle-signer/main.ts`. Its settings come as one JSON line on
 * standard input, so that its key is in no process list; when that input closes, the process ends. It answers
 * `GET /report?roundNumber=…&timeSec=…&barCloseSec=…` on an address it prints.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';
import { Wallet } from 'ethers';
import { InputError } from '#protocol/errors.ts';
import { readBars } from '#sequencer/market-data/bars.ts';
import { readChains } from '#sequencer/market-data/option-chain.ts';
import { type ReportRequest, reportOf, type SignerSettings, signReport } from './signer.ts';

const INTEGER = /^(0|[1-9][0-9]{0,14})$/;

function requestOf(query: URLSearchParams): ReportRequest {
  const integer = (name: string): bigint => {
    const text = query.get(name) ?? '';
    if (!INTEGER.test(text)) throw new InputError(name, text, 'expected a decimal integer');
    return BigInt(text);
  };
  return {
    roundNumber: integer('roundNumber'),
    timeSec: integer('timeSec'),
    barCloseSec: integer('barCloseSec'),
  };
}

const toText = (value: unknown): string =>
  JSON.stringify(value, (_, field) => (typeof field === 'bigint' ? field.toString() : field));

async function serve(settings: SignerSettings): Promise<void> {
  const market = { bars: readBars(settings.recording), chains: readChains() };
  const server = createServer((request, response) => {
    const send = (status: number, body: unknown): void => {
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(toText(body));
    };
    const answer = async (): Promise<void> => {
      const url = new URL(request.url ?? '/', 'http://localhost');
      if (url.pathname !== '/report')
        return send(404, { code: 'not-found', message: 'only /report is here' });
      send(200, await signReport(reportOf(market, settings, requestOf(url.searchParams)), settings));
    };
    answer().catch((error: Error) => {
      const isInput = error instanceof InputError;
      send(isInput ? 400 : 500, {
        code: isInput ? 'invalid-request' : 'internal-error',
        message: error.message,
      });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  console.log(toText({ url, signer: new Wallet(settings.privateKey).address }));
}

const input = createInterface({ input: process.stdin });
input.once('line', (line) => {
  serve(JSON.parse(line) as SignerSettings).catch((error: Error) => {
    console.error(error.message);
    process.exit(1);
  });
});
input.once('close', () => process.exit(0));
