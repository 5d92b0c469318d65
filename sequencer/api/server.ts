/**
 * The HTTP edge. It limits sizes, times and connections, refuses what is not strict JSON, charges rate
 * budgets, and turns every failure into {code, message, data, hint}. What a resource does is in its own file.
 */
import type { Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import Fastify, {
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
} from 'fastify';
import type { z } from 'zod';
import { InputError, type Result } from '#protocol/errors.ts';
import { apiErrorOf, httpStatusOf, malformed, plainError } from './errors.ts';
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

export const refuse = (code: string, message: string, data: unknown = {}): never => {
  throw new Refused(httpStatusOf(code), plainError(code, message, data));
};

/** The value, or the typed answer of the refusal. */
export function orRefuse<T>(result: Result<T>): T {
  if (result.ok) return result.value;
  throw new Refused(httpStatusOf(result.code), apiErrorOf(result));
}

/** @throws Refused naming the first field that does not fit. */
export function parseWith<Schema extends z.ZodType>(schema: Schema, value: unknown): z.infer<Schema> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const field = issue.path.join('.') || 'body';
  return refuse('invalid-request', `${field}: ${issue.message}`, { field });
}

export type Handler = (request: FastifyRequest) => Promise<unknown>;

function answerError(error: FastifyError | Error, reply: FastifyReply, report: (error: Error) => void): void {
  if (error instanceof Refused) {
    reply.code(error.status).send(error.body);
    return;
  }
  if (error instanceof InputError) {
    reply.code(400).send(malformed(error));
    return;
  }
  const code = 'code' in error ? error.code : '';
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') {
    reply.code(413).send(plainError('body-too-large', 'the body is larger than 64 KiB'));
  } else if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') {
    reply
      .code(415)
      .send(plainError('unsupported-media-type', 'send content-type: application/json, uncompressed'));
  } else if ('statusCode' in error && typeof error.statusCode === 'number' && error.statusCode < 500) {
    reply.code(error.statusCode).send(plainError('invalid-request', 'the request is malformed'));
  } else {
    // What broke is for the operator; the client learns only that it was not its fault.
    report(error);
    reply.code(500).send(plainError('internal-error', 'the sequencer failed; nothing was acknowledged'));
  }
}

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
    return503OnClosing: true,
    forceCloseConnections: true,
  });
  app.server.maxConnections = limits.connectionsMax;
  capConnectionsPerPeer(app.server, limits.connectionsPerPeerMax);
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (request.headers['content-encoding'] !== undefined) {
      done(
        new Refused(415, plainError('unsupported-media-type', 'compressed bodies are not taken')),
        undefined,
      );
      return;
    }
    try {
      done(null, parseStrictJson(body as string));
    } catch (error) {
      done(error as Error, undefined);
    }
  });
  app.setErrorHandler((error: FastifyError, _request, reply) => answerError(error, reply, report));
  app.setNotFoundHandler((_request, reply) => {
    reply.code(404).send(plainError('not-found', 'there is no such resource'));
  });
  app.addHook('onRequest', async (request) => {
    const lane = request.method === 'POST' ? 'order' : 'read';
    if (request.url === '/v1/messages') return; // charged after parsing, when the lane is known
    const refusal = peers.charge(peerOf(request.ip), lane, performance.now());
    if (refusal !== undefined) throw new Refused(429, apiErrorOf(refusal));
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
