/**
 * The HTTP edge. It limits sizes, times and connections, refuses what is not strict JSON, charges rate
 * budgets, and turns every failure into {code, message, data, hint}. What a resource does is in its own file.
 */
import { type Server, STATUS_CODES } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import Fastify, { type FastifyError, type FastifyInstance, type FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { InputError, type Result } from '#protocol/errors.ts';
import { type ApiError, apiErrorOf, httpStatusOf, malformed, plainError, shown } from './errors.ts';
import { invalidField } from './invalid-request.ts';
import { toJson } from './json.ts';
import { peerOf, type RateLimiter } from './rate-limit.ts';
import { parseStrictJson } from './strict-json.ts';

export interface ApiLimits {
  readonly bodyBytesMax: number;
  readonly headerBytesMax: number;
  readonly headersTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly keepAliveTimeoutMs: number;
  readonly connectionsMax: number;
  readonly connectionsPerPeerMax: number;
  readonly requestsPerSocketMax: number;
}

export const DEFAULT_API_LIMITS: ApiLimits = {
  bodyBytesMax: 64 * 1024,
  headerBytesMax: 16 * 1024,
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 15_000,
  keepAliveTimeoutMs: 5_000,
  connectionsMax: 4_096,
  connectionsPerPeerMax: 256,
  requestsPerSocketMax: 10_000,
};

const CONNECTIONS_CHECK_MS = 1_000;
const JSON_TYPE = 'application/json';

/** Its lane is known only when it was read, so its own handler charges it. */
export const SUBMISSION_PATH = '/v1/messages';

/** Thrown inside a handler; becomes the typed answer. */
export class Refused extends Error {
  readonly status: number;
  readonly body: unknown;
  constructor(status: number, body: unknown) {
    super('refused');
    this.status = status;
    this.body = body;
  }
}

export const refuse = (
  code: string,
  message: string,
  data: Readonly<Record<string, unknown>> = {},
): never => {
  throw refused(plainError(code, message, data));
};

const refused = (error: ApiError): Refused => new Refused(httpStatusOf(error.code), error);

/** The value, or the typed answer of the refusal. */
export function orRefuse<T>(result: Result<T>): T {
  if (result.ok) return result.value;
  throw refused(apiErrorOf(result));
}

/** @throws Refused naming the first field that does not fit. */
export function parseWith<Schema extends z.ZodType>(schema: Schema, value: unknown): z.infer<Schema> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const invalid = invalidField(value, parsed.error.issues[0]);
  const given = invalid.value === null ? 'it is missing' : `${invalid.value} is not valid`;
  return refuse('invalid-request', `${invalid.field}: ${given}; ${invalid.expected}`, { ...invalid });
}

export type Handler = (request: FastifyRequest) => Promise<unknown>;

/** The typed answer to anything that was thrown; what is nobody's refusal is ours, and told to the operator. */
function refusalOf(
  error: FastifyError | Error,
  request: FastifyRequest,
  limits: ApiLimits,
  report: (error: Error) => void,
): Refused {
  if (error instanceof Refused) return error;
  if (error instanceof InputError) return refused(malformed(error));
  const code = 'code' in error ? error.code : '';
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') {
    const { bodyBytesMax: limitBytes } = limits;
    const givenBytes = shown(request.headers['content-length']);
    return refused(
      plainError('body-too-large', `the body is larger than ${limitBytes} bytes`, { givenBytes, limitBytes }),
    );
  }
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE' || code === 'FST_ERR_CTP_EMPTY_TYPE') {
    return refused(unsupported('content-type', request.headers['content-type'], JSON_TYPE));
  }
  if ('statusCode' in error && typeof error.statusCode === 'number' && error.statusCode < 500) {
    return refused(
      plainError('invalid-request', 'the request is malformed', {
        field: 'request',
        value: shown(error.message),
        expected: 'expected a request as /v1/openapi.json describes it',
      }),
    );
  }
  // What broke is for the operator; the client learns only that it was not its fault.
  report(error);
  return refused(plainError('internal-error', 'the sequencer failed; nothing was acknowledged'));
}

const unsupported = (field: string, given: unknown, expected: string): ApiError =>
  plainError('unsupported-media-type', `${field}: ${shown(given)} is not taken; expected ${expected}`, {
    field,
    value: shown(given),
    expected,
  });

/** Failures before there is a request: headers too long or too slow, no HTTP at all. Written by hand, then closed. */
function answerClientError(error: Error & { code?: string }, socket: Socket, limits: ApiLimits): void {
  const isTimeout = error.code === 'ERR_HTTP_REQUEST_TIMEOUT';
  const isTooLarge = error.code === 'HPE_HEADER_OVERFLOW';
  const answer = isTimeout
    ? plainError('request-timeout', 'the request did not end in time', {
        field: 'request',
        limitMs: limits.requestTimeoutMs,
        headersLimitMs: limits.headersTimeoutMs,
      })
    : isTooLarge
      ? plainError('headers-too-large', `the headers are larger than ${limits.headerBytesMax} bytes`, {
          limitBytes: limits.headerBytesMax,
        })
      : plainError('invalid-request', 'this is not HTTP/1.1', {
          field: 'request',
          value: error.code ?? null,
          expected: 'expected a request line and headers of HTTP/1.1',
        });
  const text = JSON.stringify(answer);
  const status = httpStatusOf(answer.code);
  const head = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nContent-Type: ${JSON_TYPE}\r\nContent-Length: ${Buffer.byteLength(text)}\r\nConnection: close\r\n\r\n`;
  if (socket.writable) socket.write(head + text);
  socket.destroySoon();
}

const UNREADABLE = new Set([400, 413, 415]);

const isSubmission = ({ method, routeOptions }: FastifyRequest): boolean =>
  method === 'POST' && routeOptions.url === SUBMISSION_PATH;

/** Closes connections beyond the cap of one peer, before they cost anything. */
function capConnectionsPerPeer(server: Server, perPeerMax: number): void {
  const open = new Map<string, number>();
  server.on('connection', (socket: Socket) => {
    const peer = peerOf(socket.remoteAddress ?? '');
    const count = (open.get(peer) ?? 0) + 1;
    open.set(peer, count);
    socket.once('close', () => {
      const left = (open.get(peer) ?? 1) - 1;
      if (left > 0) open.set(peer, left);
      else open.delete(peer);
    });
    if (count > perPeerMax) socket.destroy();
  });
}

/** @param report is told of our own failures, with their stack. */
export function createServer(
  limits: ApiLimits,
  peers: RateLimiter,
  report: (error: Error) => void,
): FastifyInstance {
  const app = Fastify({
    logger: false,
    // Whoever stands in front may write any X-Forwarded-For: the peer is the socket's.
    trustProxy: false,
    bodyLimit: limits.bodyBytesMax,
    requestTimeout: limits.requestTimeoutMs,
    connectionTimeout: limits.requestTimeoutMs,
    keepAliveTimeout: limits.keepAliveTimeoutMs,
    maxRequestsPerSocket: limits.requestsPerSocketMax,
    http: {
      maxHeaderSize: limits.headerBytesMax,
      headersTimeout: limits.headersTimeoutMs,
      requestTimeout: limits.requestTimeoutMs,
      connectionsCheckingInterval: CONNECTIONS_CHECK_MS,
    },
    clientErrorHandler: (error, socket) => answerClientError(error, socket as Socket, limits),
    return503OnClosing: true,
    forceCloseConnections: true,
  });
  app.server.maxConnections = limits.connectionsMax;
  capConnectionsPerPeer(app.server, limits.connectionsPerPeerMax);
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(JSON_TYPE, { parseAs: 'string' }, (request, body, done) => {
    const encoding = request.headers['content-encoding'];
    if (encoding !== undefined) {
      done(refused(unsupported('content-encoding', encoding, 'no compression')), undefined);
      return;
    }
    try {
      done(null, parseStrictJson(body as string));
    } catch (error) {
      done(error as Error, undefined);
    }
  });
  app.setErrorHandler((error: FastifyError, request, reply) => {
    const { status, body } = refusalOf(error, request, limits, report);
    // Nobody can say which lane an unreadable submission belongs to, but reading it was work.
    if (isSubmission(request) && UNREADABLE.has(status)) {
      peers.charge(peerOf(request.ip), 'malformed', performance.now());
    }
    reply.code(status).send(body);
  });
  app.setNotFoundHandler((request, reply) => {
    const path = shown(request.url);
    const data = {
      field: 'path',
      method: request.method,
      value: path,
      expected: 'a path of /v1/openapi.json',
    };
    reply.code(404).send(plainError('not-found', `there is no ${request.method} ${path}`, data));
  });
  app.addHook('onRequest', async (request) => {
    const peer = peerOf(request.ip);
    const nowMs = performance.now();
    const refusal = isSubmission(request)
      ? peers.refusal(peer, 'malformed', nowMs)
      : peers.charge(peer, request.method === 'POST' ? 'order' : 'read', nowMs);
    if (refusal !== undefined) throw refused(apiErrorOf(refusal));
  });
  return app;
}

/** Registers a handler whose result is sent as JSON with bigints as decimal strings. */
export function route(app: FastifyInstance, method: 'GET' | 'POST', path: string, handler: Handler): void {
  app.route({
    method,
    url: path,
    handler: async (request, reply) => {
      const result = await handler(request);
      reply.type('application/json; charset=utf-8').send(JSON.stringify(toJson(result)));
      return reply;
    },
  });
}

export async function listen(app: FastifyInstance, host: string, port: number): Promise<string> {
  await app.listen({ host, port });
  const address = app.server.address() as AddressInfo;
  return `http://${host.includes(':') ? `[${host}]` : host}:${address.port}`;
}
