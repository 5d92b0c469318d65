/** The resources. Each takes a checked request to the engine and its answer back; no rule lives here. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { emptyAccount } from '#protocol/account.ts';
import type { SealedBatch } from '#protocol/batch/batch.ts';
import { FIRST_DERIVATIVE_ID } from '#protocol/limits.ts';
import { unlistedHolding } from '#protocol/risk/margin.ts';
import { rowOf } from '#protocol/risk/table.ts';
import { isUserIndex } from '#protocol/state.ts';
import type { Lots, Micros } from '#protocol/units.ts';
import type { Engine } from '../engine.ts';
import { decode } from '../ledger/codec.ts';
import type { LedgerStore } from '../ledger/store.ts';
import {
  accountView,
  batchView,
  healthView,
  instrumentsView,
  liquidationView,
  messageView,
  orderView,
  portfolioView,
  roundView,
  settlementsView,
} from '../views.ts';
import { apiErrorOf, httpStatusOf, plainError } from './errors.ts';
import { toJson } from './json.ts';
import { openApiDocument } from './openapi.ts';
import { type Lane, peerOf, type RateLimiter } from './rate-limit.ts';
import {
  accountParams,
  batchesQuery,
  batchParams,
  bookQuery,
  instrumentParams,
  liquidationParams,
  orderParams,
  submission,
  toSignedMessages,
  whatIf,
} from './schema.ts';
import { orRefuse, parseWith, Refused, refuse, route } from './server.ts';

export interface ApiContext {
  readonly engine: Engine;
  readonly store: LedgerStore;
  readonly peers: RateLimiter;
  readonly accounts: RateLimiter;
  /** Milliseconds of any steady clock. */
  readonly nowMs: () => number;
}

const BOOK_DEPTH_DEFAULT = 20;
const BATCHES_DEFAULT = 20;

export function registerRoutes(app: FastifyInstance, context: ApiContext): void {
  const { engine } = context;
  route(app, 'GET', '/v1/openapi.json', async () => openApiDocument());
  route(app, 'GET', '/v1/health', async () => ({
    ...(await engine.read(healthView)),
    logLength: engine.logSequence,
    waitingCommands: engine.waitingCommands,
  }));
  route(app, 'POST', '/v1/messages', (request) => postMessages(request, context));
  route(app, 'GET', '/v1/accounts/:index', (request) => getAccount(request, engine));
  route(app, 'GET', '/v1/orders/:hash', (request) => getOrder(request, engine));
  route(app, 'GET', '/v1/instruments', () => engine.read(instrumentsView));
  route(app, 'GET', '/v1/round', async () =>
    found(await engine.read(roundView), 'no round was accepted yet'),
  );
  route(app, 'GET', '/v1/book/:instrument', (request) => getBook(request, engine));
  route(app, 'GET', '/v1/batches', (request) => getBatches(request, engine));
  route(app, 'GET', '/v1/batches/:number', (request) => getBatch(request, context));
  route(app, 'GET', '/v1/liquidations/:batch/:row', (request) => getLiquidation(request, context));
  route(app, 'POST', '/v1/margin/what-if', (request) => postWhatIf(request, engine));
}

function found<T>(value: T | undefined, message: string): T {
  return value ?? refuse('not-found', message);
}

async function postMessages(request: FastifyRequest, context: ApiContext): Promise<unknown> {
  const body = parseWith(submission, request.body);
  const signed = toSignedMessages(body);
  const isCancelling = signed.messages.every(({ kind }) => kind === 'cancel' || kind === 'cancel-all');
  const lane: Lane = isCancelling ? 'cancel' : 'order';
  const peer = peerOf(request.ip);
  charge(context.peers, peer, lane, context.nowMs());
  if (signed.messages.length > 4 ** signed.depth) {
    refuse('invalid-request', 'depth: no room for so many messages', { depth: signed.depth });
  }
  // The account pays only for what it signed: a stranger must not use up its budget. So the engine checks
  // the signature before it charges the account.
  const admit = () => {
    const refusal = context.accounts.charge(
      `${signed.accountIndex}`,
      lane,
      context.nowMs(),
      signed.messages.length,
    );
    if (refusal !== undefined) throw new Refused(429, apiErrorOf(refusal));
  };
  const options = (body.options ?? []).map((option) => ({ ...option }));
  const { bodyHash, results, isRepeat } = orRefuse(await context.engine.submit(signed, options, admit));
  const refused = results.find((result) => !result.ok);
  const answers = results.map((result) =>
    result.ok
      ? { position: result.position, hash: result.hash, status: 'accepted' }
      : { position: result.position, status: 'refused', error: apiErrorOf(result.rejection) },
  );
  if (refused !== undefined && !refused.ok && results.every((result) => !result.ok)) {
    const error = apiErrorOf(refused.rejection);
    const data = { ...(error.data as object), results: toJson(answers) };
    throw new Refused(httpStatusOf(error.code), { ...error, data });
  }
  return { bodyHash, isRepeat, results: answers };
}

function charge(limiter: RateLimiter, key: string, lane: Lane, nowMs: number): void {
  const refusal = limiter.charge(key, lane, nowMs);
  if (refusal !== undefined) throw new Refused(429, apiErrorOf(refusal));
}

async function getAccount(request: FastifyRequest, engine: Engine): Promise<unknown> {
  const accountIndex = Number(parseWith(accountParams, request.params).index);
  return engine.read((state) =>
    isUserIndex(state.config.shape, accountIndex)
      ? accountView(state, accountIndex)
      : refuse('not-found', 'there is no such account', { accountIndex }),
  );
}

async function getOrder(request: FastifyRequest, engine: Engine): Promise<unknown> {
  const { hash } = parseWith(orderParams, request.params);
  return engine.read((state) => {
    const order = state.orders.get(hash);
    if (order !== undefined) return orderView(state, order);
    const message = state.messages.get(hash);
    return message === undefined
      ? refuse('not-found', 'no order or message has this hash', { hash })
      : messageView(state, message);
  });
}

async function getBook(request: FastifyRequest, engine: Engine): Promise<unknown> {
  const instrumentId = Number(parseWith(instrumentParams, request.params).instrument);
  const depth = Number(parseWith(bookQuery, request.query).depth ?? BOOK_DEPTH_DEFAULT);
  return engine.read((state) => {
    const book = found(state.books.get(instrumentId), 'there is no such instrument');
    return {
      instrumentId,
      bids: book.levels('buy', depth),
      asks: book.levels('sell', depth),
      sequence: state.orderSequence,
    };
  });
}

async function getBatches(request: FastifyRequest, engine: Engine): Promise<unknown> {
  const query = parseWith(batchesQuery, request.query);
  const limit = Number(query.limit ?? BATCHES_DEFAULT);
  return engine.read((state) => {
    const before = Number(query.before ?? state.nextBatchNumber);
    const batches = [];
    for (let number = before - 1; number > 0 && batches.length < limit; number--) {
      const entry = state.batches.get(number);
      if (entry !== undefined) batches.push(batchView(entry));
    }
    return { batches };
  });
}

/** The content of a sealed batch from the store, as it stands after any reseal. */
async function sealedBatch({ engine, store }: ApiContext, batchNumber: number): Promise<SealedBatch> {
  const attempt = await engine.read(
    (state) => found(state.batches.get(batchNumber), 'there is no such sealed batch').attempt,
  );
  const row = found(await store.getBatch(batchNumber, attempt), 'there is no such sealed batch');
  return decode<SealedBatch>(row.sealed);
}

async function getBatch(request: FastifyRequest, context: ApiContext): Promise<unknown> {
  const batchNumber = Number(parseWith(batchParams, request.params).number);
  const view = await context.engine.read((state) =>
    batchView(found(state.batches.get(batchNumber), 'there is no such sealed batch')),
  );
  const sealed = await sealedBatch(context, batchNumber);
  const { content, accounts, feesMicros, penaltiesMicros, fundPaymentsMicros } = sealed;
  return {
    ...view,
    feesMicros,
    penaltiesMicros,
    fundPaymentsMicros,
    orders: content.messages.length,
    l1Operations: content.l1Operations,
    withdrawals: content.withdrawals,
    liquidations: content.liquidations,
    fundPayments: content.fundPayments,
    settlements: settlementsView(sealed),
    retiredInstrument: content.retiredInstrument,
    touchedAccounts: accounts.filter((row) => row.isTouched).map((row) => row.accountIndex),
  };
}

async function getLiquidation(request: FastifyRequest, context: ApiContext): Promise<unknown> {
  const { batch, row } = parseWith(liquidationParams, request.params);
  const sealed = await sealedBatch(context, Number(batch));
  return found(liquidationView(sealed, Number(row)), 'this batch has no such liquidation row');
}

async function postWhatIf(request: FastifyRequest, engine: Engine): Promise<unknown> {
  const body = parseWith(whatIf, request.body);
  return engine.read((state) => {
    const { shape } = state.config;
    const accepted = found(state.table, 'no round was accepted yet');
    const { table } = accepted;
    const sizes = new Map(body.positions.map((p) => [p.instrumentId, BigInt(p.sizeLots)]));
    if (sizes.size !== body.positions.length) {
      refuse('invalid-request', 'positions: each instrument may appear once');
    }
    const derivatives = [...sizes].filter(([id]) => id >= FIRST_DERIVATIVE_ID);
    const spot = [1, 2, 3].map((id) => (sizes.get(id) ?? 0n) as Lots);
    if (spot.some((lots) => lots < 0n)) refuse('invalid-request', 'positions: spot is never negative');
    const funding = derivatives.reduce((sum, [id, size]) => {
      return sum + size * (rowOf(table, id)?.fundingIndex ?? 0n);
    }, 0n);
    const account = {
      ...emptyAccount(shape),
      cashStar: (BigInt(body.cashMicros) + funding) as Micros,
      slots: derivatives.map(([instrumentId, size]) => ({ instrumentId, size: size as Lots })),
      spot,
    };
    const unlisted = unlistedHolding(account, table);
    if (unlisted !== undefined)
      refuse('unknown-instrument', 'the round does not list it', { instrumentId: unlisted });
    const { margin, greeks } = portfolioView(account, accepted, shape);
    return { roundNumber: table.roundNumber, ...margin, greeks };
  });
}

export const unavailable = (): Refused =>
  new Refused(503, plainError('stopping', 'the sequencer is stopping or has stopped; nothing was taken'));
