/** The OpenAPI document, made from the schemas that check the requests: it cannot say anything else. */
import { z } from 'zod';
import {
  accountParams,
  batchesQuery,
  batchParams,
  bookQuery,
  instrumentParams,
  liquidationParams,
  orderParams,
  submission,
  whatIf,
} from './schema.ts';

interface Resource {
  readonly method: 'get' | 'post';
  readonly path: string;
  readonly summary: string;
  readonly params?: z.ZodObject;
  readonly query?: z.ZodObject;
  readonly body?: z.ZodType;
}

const RESOURCES: readonly Resource[] = [
  {
    method: 'post',
    path: '/v1/messages',
    summary:
      'Submit messages under one signature: orders, cancels, cancel-all, withdrawals. Idempotent by what is signed',
    body: submission,
  },
  {
    method: 'get',
    path: '/v1/accounts/{index}',
    summary: 'An account: leaf, positions, margin, scenario losses and Greeks',
    params: accountParams,
  },
  {
    method: 'get',
    path: '/v1/orders/{hash}',
    summary: 'Life cycle of an order, cancel or withdrawal',
    params: orderParams,
  },
  {
    method: 'get',
    path: '/v1/book/{instrument}',
    summary: 'Order book by level',
    params: instrumentParams,
    query: bookQuery,
  },
  {
    method: 'get',
    path: '/v1/instruments',
    summary:
      'Instruments with mark, implied volatility and Greeks at the round in force; fees; the least order',
  },
  { method: 'get', path: '/v1/round', summary: 'The risk table in force, with its hash' },
  {
    method: 'post',
    path: '/v1/margin/what-if',
    summary: 'Margin, scenario losses and Greeks of any portfolio at the round in force',
    body: whatIf,
  },
  { method: 'get', path: '/v1/batches', summary: 'Sealed batches, newest first', query: batchesQuery },
  { method: 'get', path: '/v1/batches/{number}', summary: 'One batch', params: batchParams },
  {
    method: 'get',
    path: '/v1/liquidations/{batch}/{row}',
    summary: 'Every number behind one liquidation: account before and after, table, verdict',
    params: liquidationParams,
  },
  { method: 'get', path: '/v1/health', summary: 'State root, backlog, L1 position' },
];

const jsonSchema = (schema: z.ZodType) => z.toJSONSchema(schema, { io: 'input', target: 'openapi-3.0' });

function parametersOf({ params, query }: Resource) {
  const list = (schema: z.ZodObject | undefined, place: 'path' | 'query') =>
    Object.entries(schema?.shape ?? {}).map(([name, field]) => ({
      name,
      in: place,
      required: place === 'path',
      schema: jsonSchema(field as z.ZodType),
    }));
  return [...list(params, 'path'), ...list(query, 'query')];
}

const ERROR = {
  type: 'object',
  required: ['code', 'message', 'data', 'hint'],
  properties: {
    code: { type: 'string', description: 'stable, kebab-case' },
    message: { type: 'string' },
    data: { type: 'object', description: 'the numbers; amounts are decimal strings' },
    hint: { type: 'string' },
  },
};

export function openApiDocument(): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const resource of RESOURCES) {
    paths[resource.path] ??= {};
    paths[resource.path][resource.method] = {
      summary: resource.summary,
      parameters: parametersOf(resource),
      ...(resource.body === undefined
        ? {}
        : {
            requestBody: {
              required: true,
              content: { 'application/json': { schema: jsonSchema(resource.body) } },
            },
          }),
      responses: {
        200: { description: 'Done; amounts are decimal strings in base units' },
        default: {
          description: 'Refused',
          content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
        },
      },
    };
  }
  return {
    openapi: '3.0.3',
    info: { title: 'Ballast sequencer', version: '1' },
    paths,
    components: { schemas: { Error: ERROR } },
  };
}
