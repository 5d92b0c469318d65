/** A sequencer with its HTTP edge over the small world of `engine.ts`. */
import { expect } from 'chai';
import { submissionBody } from '#client/wire.ts';
import type { SignedMessages } from '#protocol/message.ts';
import { RateLimiter } from '#sequencer/api/rate-limit.ts';
import { registerRoutes } from '#sequencer/api/routes.ts';
import { type ApiLimits, createServer, DEFAULT_API_LIMITS, listen } from '#sequencer/api/server.ts';
import type { EngineConfig } from '#sequencer/config.ts';
import { DEFAULT_ACCOUNT_LIMITS, DEFAULT_PEER_LIMITS } from '#sequencer/start.ts';
import { digestOf } from './crash/ledger-watch.ts';
import { World } from './engine.ts';

/** The backlog is nobody's field. */
const NAMED_BY_CODE = new Set(['proof-backlog']);
const ANSWER_CHARACTERS_MAX = 1_500;

export interface Answer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: tests look at JSON as it came
  readonly body: any;
}

export class ApiWorld {
  readonly world: World;
  readonly url: string;
  readonly reported: Error[];
  /** As they were registered: method and path. */
  readonly routes: readonly string[];
  readonly close: () => Promise<void>;

  private constructor(
    world: World,
    url: string,
    reported: Error[],
    routes: readonly string[],
    close: () => Promise<void>,
  ) {
    this.routes = routes;
    this.world = world;
    this.url = url;
    this.reported = reported;
    this.close = close;
  }

  static async open(
    change: Partial<EngineConfig> = {},
    limits: Partial<ApiLimits> = {},
    rates: {
      peer?: Partial<typeof DEFAULT_PEER_LIMITS>;
      account?: Partial<typeof DEFAULT_ACCOUNT_LIMITS>;
    } = {},
  ): Promise<ApiWorld> {
    const world = await World.open(change);
    const reported: Error[] = [];
    const peers = new RateLimiter('peer', { ...DEFAULT_PEER_LIMITS, ...rates.peer });
    const accounts = new RateLimiter('account', { ...DEFAULT_ACCOUNT_LIMITS, ...rates.account });
    const app = createServer({ ...DEFAULT_API_LIMITS, ...limits }, peers, (error) => reported.push(error));
    const nowMs = () => performance.now();
    const routes: string[] = [];
    app.addHook('onRoute', ({ method, url }) => {
      if (method !== 'HEAD') routes.push(`${String(method).toLowerCase()} ${url}`);
    });
    registerRoutes(app, { engine: world.engine, store: world.store, peers, accounts, nowMs });
    const url = await listen(app, '127.0.0.1', 0);
    return new ApiWorld(world, url, reported, routes, () => app.close());
  }

  async get(path: string): Promise<Answer> {
    const response = await fetch(this.url + path);
    return { status: response.status, body: await response.json() };
  }

  async post(path: string, body: string, headers: Record<string, string> = {}): Promise<Answer> {
    const response = await fetch(this.url + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body,
    });
    return { status: response.status, body: await response.json() };
  }

  /** Length of the log and a digest of all the engine remembers. */
  async #memory(): Promise<{ readonly logSequence: number; readonly digest: string }> {
    const digest = await this.world.engine.read(digestOf);
    return { logSequence: this.world.engine.logSequence, digest };
  }

  /**
   * The answer of an attempt that must be refused: with this status and code, a hint, the field, what was given or the
   * limit, short, without a trace of our insides; and nothing in log or memory changed by it.
   */
  async refusal(attempt: () => Promise<Answer>, status: number, code: string): Promise<Answer['body']> {
    const before = await this.#memory();
    const { status: answered, body } = await attempt();
    const text = JSON.stringify(body);
    expect(body.code, text).to.equal(code);
    expect(answered, text).to.equal(status);
    expect(body.hint, text).to.be.a('string').and.not.equal('');
    const { field, ...numbers } = body.data;
    if (!NAMED_BY_CODE.has(code)) expect(field, text).to.be.a('string').and.not.equal('');
    expect(numbers, text).to.not.deep.equal({});
    if (status === 400) expect(numbers.expected, text).to.match(/^expected ./);
    expect(text.length, text).to.be.below(ANSWER_CHARACTERS_MAX);
    expect(text).not.to.match(/\.ts|node_modules|at \w+ \(/);
    expect(await this.#memory(), `memory after ${code}`).to.deep.equal(before);
    return body;
  }

  submit(signed: SignedMessages, options?: Parameters<typeof submissionBody>[1]): Promise<Answer> {
    return this.post('/v1/messages', JSON.stringify(submissionBody(signed, options)));
  }
}
