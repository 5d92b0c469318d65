/** The OpenAPI document, made from the schemas that check the requests, and from those that tests hold the answers against. */
import { z } from 'zod';
import * as answers from './answers.ts';
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
  readonly answer: z.ZodType;
}

export const RESOURCES: readonly Resource[] = [
  { method: 'get', path: '/v1/openapi.json', summary: 'This document', answer: answers.documentAnswer },
  {
    method: 'post',
    path: '/v1/messages',
    answer: answers.submissionAnswer,
    summary:
      'Submit messages under one signature: orders, cancels, cancel-all, withdrawals. Idempotent by what is signed',
    body: submission,
  },
  {
    method: 'get',
    path: '/v1/accounts/{index}',
    answer: answers.accountAnswer,
    summary: 'An account: leaf, positions, margin, scenario losses and Greeks',
    params: accountParams,
  },
  {
    method: 'get',
    path: '/v1/orders/{hash}',
    answer: answers.orderAnswer,
    summary: 'Life cycle of an order, cancel or withdrawal',
    params: orderParams,
  },
  {
    method: 'get',
    path: '/v1/book/{instrument}',
    answer: answers.bookAnswer,
    summary: 'Order book by level',
    params: instrumentParams,
    query: bookQuery,
  },
  {
    method: 'get',
    path: '/v1/instruments',
    answer: answers.instrumentsAnswer,
    summary:
      'Instruments with mark, implied volatility and Greeks at the round in force; fees; the least order',
  },
  {
    method: 'get',
    path: '/v1/round',
    answer: answers.roundAnswer,
    summary: 'The risk table in force, with its hash',
  },
  {
    method: 'post',
    path: '/v1/margin/what-if',
    answer: answers.whatIfAnswer,
    summary: 'Margin, scenario losses and Greeks of any portfolio at the round in force',
    body: whatIf,
  },
  {
    method: 'get',
    path: '/v1/batches',
    answer: answers.batchesAnswer,
    summary: 'Sealed batches, newest first',
    query: batchesQuery,
  },
  {
    method: 'get',
    path: '/v1/batches/{number}',
    answer: answers.batchAnswer,
    summary: 'One batch',
    params: batchParams,
  },
  {
    method: 'get',
    path: '/v1/liquidations/{batch}/{row}',
    answer: answers.liquidationAnswer,
    summary: 'Every number behind one liquidation: account before and after, table, verdict',
    params: liquidationParams,
  },
  {
    method: 'get',
    path: '/v1/health',
    answer: answers.healthAnswer,
    summary: 'State root, backlog, L1 position',
  },
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
        200: {
          description: 'Done; amounts are decimal strings in base units',
          content: { 'application/json': { schema: jsonSchema(resource.answer) } },
        },
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
    components: { schemas: { Error: jsonSchema(answers.errorAnswer) } },
  };
}
