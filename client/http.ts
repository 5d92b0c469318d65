/**
 * HTTP with typed failures: what the sequencer refused (`ApiRefusal`: code, numbers, hint), and that it could
 * not be reached or answered nonsense (`ApiUnreachable`). Never anything else.
 */

/** The sequencer understood and said no. */
export class ApiRefusal extends Error {
  readonly status: number;
  /** Stable, kebab-case. */
  readonly code: string;
  /** The numbers behind it; amounts are decimal strings. */
  readonly data: Readonly<Record<string, unknown>>;
  /** What would make it pass, if there is such a thing. */
  readonly hint: string | undefined;

  constructor(
    status: number,
    body: { code: string; message: string; data?: Record<string, unknown>; hint?: string },
  ) {
    super(`${body.code}: ${body.message}`);
    this.name = 'ApiRefusal';
    this.status = status;
    this.code = body.code;
    this.data = body.data ?? {};
    this.hint = body.hint;
  }
}

/** No answer, or none that this client can read. Whether a submission arrived is then unknown: send it again. */
export class ApiUnreachable extends Error {
  constructor(url: string, cause: unknown) {
    super(`no usable answer from ${url}: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    });
    this.name = 'ApiUnreachable';
  }
}

export interface HttpClient {
  get(path: string): Promise<unknown>;
  /** Submissions are idempotent by their signed body: sending one again is safe. */
  post(path: string, body: object): Promise<unknown>;
}

const TIMEOUT_MS = 30_000;

/** @param baseUrl like `http://127.0.0.1:8080`, without a trailing slash */
export function httpClient(baseUrl: string, fetchFunction: typeof fetch = globalThis.fetch): HttpClient {
  const call = async (path: string, init: RequestInit): Promise<unknown> => {
    const url = baseUrl + path;
    let response: Response;
    let body: unknown;
    try {
      response = await fetchFunction(url, { ...init, signal: AbortSignal.timeout(TIMEOUT_MS) });
      body = await response.json();
    } catch (cause) {
      throw new ApiUnreachable(url, cause);
    }
    if (response.ok) return body;
    const refusal = refusalOf(body);
    if (refusal === undefined)
      throw new ApiUnreachable(url, `status ${response.status} without a typed refusal`);
    throw new ApiRefusal(response.status, refusal);
  };
  return {
    get: (path) => call(path, { method: 'GET' }),
    post: (path, body) =>
      call(path, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      }),
  };
}

function refusalOf(body: unknown): ConstructorParameters<typeof ApiRefusal>[1] | undefined {
  if (typeof body !== 'object' || body === null) return undefined;
  const { code, message, data, hint } = body as Record<string, unknown>;
  if (typeof code !== 'string' || typeof message !== 'string') return undefined;
  const numbers = typeof data === 'object' && data !== null ? (data as Record<string, unknown>) : {};
  return { code, message, data: numbers, hint: typeof hint === 'string' ? hint : undefined };
}
