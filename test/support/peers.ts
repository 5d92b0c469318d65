/** HTTP clients at several addresses of the loopback network: to the server each is another peer. */
import { request } from 'node:http';
import { connect, type Socket } from 'node:net';
import type { Answer } from './api.ts';

/** One request on a connection of its own. */
export function ask(
  url: string,
  from: string,
  path: string,
  body?: string,
  headers: Record<string, string> = {},
): Promise<Answer> {
  return new Promise((resolve, fail) => {
    const sent = request(
      url + path,
      {
        localAddress: from,
        agent: false,
        method: body === undefined ? 'GET' : 'POST',
        headers: body === undefined ? headers : { 'content-type': 'application/json', ...headers },
      },
      (response) => {
        let text = '';
        response.on('data', (chunk: Buffer) => {
          text += chunk.toString();
        });
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body: JSON.parse(text) }));
      },
    );
    sent.on('error', fail);
    sent.end(body);
  });
}

export interface SlowSocket {
  readonly socket: Socket;
  /** What the server said before it closed the connection. */
  readonly closed: Promise<string>;
}

/** A connection that sends `text` byte by byte, for ever in its last one: a slow-loris. */
export function slowSocket(url: string, from: string, text: string, byteEveryMs: number): SlowSocket {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port), localAddress: from });
  let sent = 0;
  let heard = '';
  const drip = setInterval(() => {
    socket.write(text[Math.min(sent, text.length - 1)]);
    sent += 1;
  }, byteEveryMs);
  const closed = new Promise<string>((resolve) => {
    socket.on('data', (chunk) => {
      heard += chunk.toString();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      clearInterval(drip);
      resolve(heard);
    });
  });
  return { socket, closed };
}
