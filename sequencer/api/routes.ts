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
import type { MessageResult } from '../state.ts';
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
import { apiErrorOf, httpStatusOf, plainError, shown, withResults } from './errors.ts';
import { openApiDocument } from './openapi.ts';
import { type Lane, peerOf, type RateLimiter } from './rate-limit.ts';
import {
  accountParams,
  BATCHES_DEFAULT,
  BOOK_DEPTH_DEFAULT,
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
import { orRefuse, parseWith, Refused, refuse, route, SUBMISSION_PATH } from './server.ts';

export interface ApiContext {
  readonly engine: Engine;
  readonly store: LedgerStore;
  readonly peers: RateLimiter;
  readonly accounts: RateLimiter<'order' | 'cancel'>;
  /** Milliseconds of any steady clock. */
  readonly nowMs: () => number;
}

export function registerRoutes(app: FastifyInstance, context: ApiContext): void {
  const { engine } = context;
  const document = openApiDocument();
  route(app, 'GET', '/v1/openapi.json', async () => document);
  route(app, 'GET', '/v1/health', async () => ({
    ...(await engine.read(healthView)),
    logLength: engine.logSequence,
    waitingCommands: engine.waitingCommands,
  }));
  route(app, 'POST', SUBMISSION_PATH, (request) => postMessages(request, context));
  route(app, 'GET', '/v1/accounts/:index', (request) => getAccount(request, engine));
  route(app, 'GET', '/v1/orders/:hash', (request) => getOrder(request, engine));
  route(app, 'GET', '/v1/instruments', () => engine.read(instrumentsView));
  route(app, 'GET', '/v1/round', async () => foundRound(await engine.read(roundView)));
  route(app, 'GET', '/v1/book/:instrument', (request) => getBook(request, engine));
  route(app, 'GET', '/v1/batches', (request) => getBatches(request, engine));
  route(app, 'GET', '/v1/batches/:number', (request) => getBatch(request, context));
  route(app, 'GET', '/v1/liquidations/:batch/:row', (request) => getLiquidation(request, context));
  route(app, 'POST', '/v1/margin/what-if', (request) => postWhatIf(request, engine));
}

/** @param field what of the request found nothing */
function found<T>(value: T | undefined, message: string, field: string, given: unknown, expected: string): T {
  return value ?? refuse('not-found', message, { field, value: shown(given), expected });
}

const foundRound = <T>(value: T | undefined): T =>
  found(value, 'no round was accepted yet', 'round', undefined, 'expected after the first accepted round');

const refuseField = (field: string, given: unknown, expected: string, numbers: object = {}): never => {
  const value = typeof given === 'bigint' ? `${given}` : shown(given);
  return refuse('invalid-request', `${field}: ${value} is not valid; ${expected}`, {
    field,
    value,
    expected,
    ...numbers,
  });
};

async function postMessages(request: FastifyRequest, context: ApiContext): Promise<unknown> {
  const body = parseWith(submission, request.body);
  const signed = toSignedMessages(body);
  const isCancelling = signed.messages.every(({ kind }) => kind === 'cancel' || kind === 'cancel-all');
  const lane = isCancelling ? 'cancel' : 'order';
  const room = 4 ** signed.depth;
  if (signed.messages.length > room) {
    const expected = `expected at most ${room} messages at this depth`;
    refuseField('depth', signed.depth, expected, { messages: signed.messages.length, limit: room });
  }
  charge(context.peers, peerOf(request.ip), lane, context.nowMs());
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
  const refusalOf = ({ rejection, position }: Extract<MessageResult, { ok: false }>) =>
    apiErrorOf(rejection, signed.messages[position].kind);
  const refused = results.find((result) => !result.ok);
  const answers = results.map((result) =>
    result.ok
      ? { position: result.position, hash: result.hash, status: 'accepted' }
      : { position: result.position, status: 'refused', error: refusalOf(result) },
  );
  if (refused !== undefined && !refused.ok && results.every((result) => !result.ok)) {
    const error = withResults(refusalOf(refused), answers);
    throw new Refused(httpStatusOf(error.code), error);
  }
  return { bodyHash, isRepeat, results: answers };
}

function charge(limiter: RateLimiter, key: string, lane: Lane, nowMs: number, cost = 1): void {
  const refusal = limiter.charge(key, lane, nowMs, cost);
  if (refusal !== undefined) throw new Refused(429, apiErrorOf(refusal));
}

async function getAccount(request: FastifyRequest, engine: Engine): Promise<unknown> {
  const accountIndex = Number(parseWith(accountParams, request.params).index);
  return engine.read((state) => {
    const last = 4 ** state.config.shape.treeDepth - 1;
    const index = isUserIndex(state.config.shape, accountIndex) ? accountIndex : undefined;
    const expected = `expected an index from 1 to ${last}`;
    return accountView(state, found(index, 'there is no such account', 'index', accountIndex, expected));
  });
}

async function getOrder(request: FastifyRequest, engine: Engine): Promise<unknown> {
  const { hash } = parseWith(orderParams, request.params);
  return engine.read((state) => {
    const order = state.orders.get(hash);
    if (order !== undefined) return orderView(state, order);
    const message = state.messages.get(hash);
    const expected = 'expected the hash of a message that was accepted; old ones are forgotten';
    return messageView(state, found(message, 'no order or message has this hash', 'hash', hash, expected));
  });
}

async function getBook(request: FastifyRequest, engine: Engine): Promise<unknown> {
  const instrumentId = Number(parseWith(instrumentParams, request.params).instrument);
  const depth = Number(parseWith(bookQuery, request.query).depth ?? BOOK_DEPTH_DEFAULT);
  return engine.read((state) => {
    const expected = 'expected an id of /v1/instruments';
    const book = found(
      state.books.get(instrumentId),
      'there is no such instrument',
      'instrument',
      instrumentId,
      expected,
    );
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
    // Whatever is asked for, no more numbers are looked at than batches are shown.
    const end = Math.min(state.nextBatchNumber, Number(query.before ?? state.nextBatchNumber));
    const numbers = Array.from({ length: limit }, (_, i) => end - 1 - i);
    const entries = numbers.map((number) => state.batches.get(number));
    return { batches: entries.filter((entry) => entry !== undefined).map(batchView) };
  });
}

/** The reads that the content of a batch counts as, beside the request: 120 kB with its table, over 10 ms to decode. */
const STORED_BATCH_READS = 24;

/** A sealed batch as it stands after any reseal: what memory keeps of it, and its content from the store. */
async function sealedBatch(request: FastifyRequest, context: ApiContext, batchNumber: number, field: string) {
  const { engine, store, peers, nowMs } = context;
  const foundBatch = <T>(value: T | undefined, newest: number) =>
    found(
      value,
      'there is no such sealed batch',
      field,
      batchNumber,
      `expected a number from 1 to ${newest}`,
    );
  const { newest, ...seen } = await engine.read((state) => {
    const newest = state.nextBatchNumber - 1;
    const entry = foundBatch(state.batches.get(batchNumber), newest);
    return { newest, view: batchView(entry), entry };
  });
  charge(peers, peerOf(request.ip), 'read', nowMs(), STORED_BATCH_READS);
  const row = foundBatch(await store.getBatch(batchNumber, seen.view.attempt), newest);
  return { ...seen, sealed: decode<SealedBatch>(row.sealed) };
}

async function getBatch(request: FastifyRequest, context: ApiContext): Promise<unknown> {
  const batchNumber = Number(parseWith(batchParams, request.params).number);
  const { view, sealed } = await sealedBatch(request, context, batchNumber, 'number');
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
  const { sealed, entry } = await sealedBatch(request, context, Number(batch), 'batch');
  const rows = sealed.content.liquidations.length;
  const expected = rows === 0 ? 'expected a batch that liquidates' : `expected a row from 0 to ${rows - 1}`;
  const view = liquidationView(sealed, Number(row), entry);
  return found(view, 'this batch has no such liquidation row', 'row', row, expected);
}

async function postWhatIf(request: FastifyRequest, engine: Engine): Promise<unknown> {
  const body = parseWith(whatIf, request.body);
  return engine.read((state) => {
    const { shape } = state.config;
    const accepted = foundRound(state.table);
    const { table } = accepted;
    const sizes = new Map(body.positions.map((p) => [p.instrumentId, BigInt(p.sizeLots)]));
    if (sizes.size !== body.positions.length) {
      const repeated = body.positions.find(
        (p, i) => body.positions.findIndex((q) => q.instrumentId === p.instrumentId) < i,
      );
      refuseField('positions', repeated?.instrumentId, 'expected each instrument at most once');
    }
    const derivatives = [...sizes].filter(([id]) => id >= FIRST_DERIVATIVE_ID);
    const spot = [1, 2, 3].map((id) => (sizes.get(id) ?? 0n) as Lots);
    const short = spot.find((lots) => lots < 0n);
    if (short !== undefined)
      refuseField('positions', short, 'expected spot of 0 lots or more: it is never sold short');
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
