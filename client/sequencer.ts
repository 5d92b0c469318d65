/**
 * The sequencer's API with the protocol's own types: strings on the wire, integers here. What it says of an
 * account or a round is checked for being well-formed; what is *true* is on L1 (`client/liquidation.ts`).
 */
import type { Account } from '#protocol/account.ts';
import { InputError } from '#protocol/errors.ts';
import type { RiskRow, RiskTable } from '#protocol/instrument.ts';
import { accountFromElements } from '#protocol/leaf.ts';
import { STANDARD_SHAPE, type StateShape } from '#protocol/limits.ts';
import type { SignedMessages } from '#protocol/message.ts';
import { tableHash } from '#protocol/risk/table.ts';
import { lots, microsPerLot } from '#protocol/units.ts';
import { ApiRefusal, type HttpClient } from './http.ts';
import { integer, integers, type Json, list, object } from './json.ts';
import { type ToldLiquidation, toldLiquidationOf } from './liquidation-answer.ts';
import {
  type ListedInstrument,
  listedInstrumentOf,
  type PortfolioRisk,
  portfolioRiskOf,
} from './risk-answers.ts';
import { type OrderOptions, submissionBody } from './wire.ts';

/** What became of one message of a submission. */
export type MessageOutcome =
  | { readonly position: number; readonly status: 'accepted'; readonly hash: string }
  | {
      readonly position: number;
      readonly status: 'refused';
      readonly error: { readonly code: string; readonly message: string; readonly data: unknown };
    };

export interface BookSide {
  readonly limitMicrosPerLot: bigint;
  readonly totalLots: bigint;
}

/** Far beyond any value of a row, and far below the field in which it is hashed: there others have the same hash. */
const VALUE_LIMIT = 1n << 64n;

function rowOfJson(body: Json): RiskRow {
  const bounded = (field: string): bigint => {
    const value = integer(body, field);
    if (value <= -VALUE_LIMIT || value >= VALUE_LIMIT)
      throw new InputError(field, value, 'expected less than 2^64');
    return value;
  };
  const price = (field: string) => microsPerLot(bounded(field));
  return {
    instrumentId: Number(integer(body, 'instrumentId')),
    marketSlot: Number(integer(body, 'marketSlot')),
    underlying: Number(integer(body, 'underlying')),
    isSpot: body.isSpot === true,
    isReduceOnly: body.isReduceOnly === true,
    isSettled: body.isSettled === true,
    mark: price('mark'),
    fundingIndex: price('fundingIndex'),
    delta: price('delta'),
    chargeImLong: price('chargeImLong'),
    chargeImShort: price('chargeImShort'),
    chargeMmLong: price('chargeMmLong'),
    chargeMmShort: price('chargeMmShort'),
    band: price('band'),
    penalty: price('penalty'),
    openInterestCap: lots(bounded('openInterestCap')),
    positionCap: lots(bounded('positionCap')),
    expirySec: bounded('expirySec'),
    linearLoss: price('linearLoss'),
    pairLosses: integers(body, 'pairLosses').map(microsPerLot),
    losses: integers(body, 'losses').map(microsPerLot),
  };
}

export class SequencerClient {
  readonly #http: HttpClient;
  readonly #shape: StateShape;

  constructor(http: HttpClient, shape: StateShape = STANDARD_SHAPE) {
    this.#http = http;
    this.#shape = shape;
  }

  /** The account's leaf as the engine has it now: ahead of L1 by the batches that are not final. */
  async account(accountIndex: number): Promise<Account> {
    const body = (await this.#http.get(`/v1/accounts/${accountIndex}`)) as Json;
    return accountFromElements(integers(body, 'leafElements'), this.#shape);
  }

  /** The round the engine judges by. @throws InputError when the table does not have the hash it comes with. */
  async round(): Promise<RiskTable> {
    return this.#tableOf((await this.#http.get('/v1/round')) as Json);
  }

  /**
   * One liquidation row of a batch, for `verifyLiquidation`. Whether L1 judged the batch by its table is for
   * `requireAcceptedTable` to say; whether the leaves before and after are true, for reconstruction from L1 alone.
   * @throws InputError when something in it is malformed, or the table does not have its hash
   */
  async liquidation(batchNumber: number, row: number): Promise<ToldLiquidation> {
    const body = (await this.#http.get(`/v1/liquidations/${batchNumber}/${row}`)) as Json;
    return toldLiquidationOf(body, this.#tableOf(object(body, 'table'), body), this.#shape);
  }

  /** @param hashed what holds the hash, if it is not beside the rows */
  #tableOf(body: Json, hashed: Json = body): RiskTable {
    const table: RiskTable = {
      roundNumber: integer(body, 'roundNumber'),
      timeSec: integer(body, 'timeSec'),
      rows: list(body, 'rows').map((row) => rowOfJson(row as Json)),
      esCount: Number(integer(body, 'esCount')),
      addOnUnitDollars: integers(body, 'addOnUnitDollars'),
      isJump: body.isJump === true,
    };
    const stated = integer(hashed, 'tableHash');
    if (tableHash(table, this.#shape) !== stated) {
      throw new InputError('tableHash', stated, 'the table that came with it has another hash');
    }
    return table;
  }

  /** Every instrument, with mark, implied volatility and Greeks of one lot at the last accepted round. */
  async instruments(): Promise<readonly ListedInstrument[]> {
    const body = (await this.#http.get('/v1/instruments')) as Json;
    return list(body, 'instruments').map((instrument) => listedInstrumentOf(instrument as Json));
  }

  /**
   * Margin, scenario losses and Greeks of a portfolio that nobody need hold, at the last accepted round.
   * @throws ApiRefusal unknown-instrument, invalid-request (an instrument twice, spot below 0), not-found (no round yet)
   */
  async whatIf(
    cashMicros: bigint,
    positions: readonly { readonly instrumentId: number; readonly sizeLots: bigint }[],
  ): Promise<PortfolioRisk> {
    const body = {
      cashMicros: cashMicros.toString(),
      positions: positions.map(({ instrumentId, sizeLots }) => ({
        instrumentId,
        sizeLots: sizeLots.toString(),
      })),
    };
    const answer = (await this.#http.post('/v1/margin/what-if', body)) as Json;
    return portfolioRiskOf(answer, answer, object(answer, 'greeks'));
  }

  /** The same of an account; undefined while it cannot be judged: no round, or one that does not list what it holds. */
  async accountRisk(accountIndex: number): Promise<PortfolioRisk | undefined> {
    const body = (await this.#http.get(`/v1/accounts/${accountIndex}`)) as Json;
    if (body.margin === null) return undefined;
    return portfolioRiskOf(body, object(body, 'margin'), object(body, 'greeks'));
  }

  /** Aggregated book, best first. */
  async book(instrumentId: number): Promise<{ readonly bids: BookSide[]; readonly asks: BookSide[] }> {
    const body = (await this.#http.get(`/v1/book/${instrumentId}`)) as Json;
    const side = (field: string): BookSide[] =>
      list(body, field).map((level) => ({
        limitMicrosPerLot: integer(level as Json, 'limitMicrosPerLot'),
        totalLots: integer(level as Json, 'totalLots'),
      }));
    return { bids: side('bids'), asks: side('asks') };
  }

  /**
   * Sends signed messages. Some may be taken and others refused; if none is taken the outcomes say why just
   * the same. Safe to repeat: the signed body is its own name.
   * @throws ApiRefusal when the submission as a whole is refused (signature, epoch, rate, backlog)
   */
  async submit(
    signed: SignedMessages,
    options?: readonly OrderOptions[],
  ): Promise<readonly MessageOutcome[]> {
    try {
      const body = (await this.#http.post('/v1/messages', submissionBody(signed, options))) as Json;
      return list(body, 'results') as MessageOutcome[];
    } catch (error) {
      if (error instanceof ApiRefusal && Array.isArray(error.data.results)) return error.data.results;
      throw error;
    }
  }

  /** State of an order or another signed message, as JSON: status, fills with their batches, reasons. */
  order(hash: string): Promise<unknown> {
    return this.#http.get(`/v1/orders/${hash}`);
  }

  health(): Promise<unknown> {
    return this.#http.get('/v1/health');
  }
}
