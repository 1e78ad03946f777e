import { z } from 'zod';
import type { Stage } from './platform-stage.js';

const methods = ['get', 'post', 'put', 'patch', 'delete'] as const;
const methodOf = {
  get: 'GET',
  post: 'POST',
  put: 'PUT',
  patch: 'PATCH',
  delete: 'DELETE',
} as const;
const schema = z.record(z.string(), z.unknown());
const media = z.object({ schema, example: z.unknown().optional() });
const content = z.object({ content: z.record(z.string(), media), $ref: z.string() }).partial();
const operationShape = z.looseObject({
  operationId: z.string(),
  summary: z.string(),
  parameters: z
    .array(z.object({ name: z.string(), in: z.enum(['path', 'query', 'header']), schema }))
    .default([]),
  security: z.array(z.unknown()).optional(),
  requestBody: content.optional(),
  responses: z.record(z.string(), content),
});
const documentShape = z.object({
  components: z.object({ responses: z.record(z.string(), content) }),
  paths: z.record(z.string(), z.partialRecord(z.enum(methods), operationShape)),
});

export type Schema = z.infer<typeof schema>;

/** One method of one path of the OpenAPI document. */
export interface Operation extends z.infer<typeof operationShape> {
  readonly method: (typeof methodOf)[(typeof methods)[number]];
  /** With its parameters in braces. */
  readonly path: string;
}

/** Every operation that the server's OpenAPI document describes. */
export async function operationsOf(stage: Stage): Promise<Operation[]> {
  const { json } = await stage.ask(`${stage.url}/openapi.json`);
  const { paths, components } = documentShape.parse(json);
  const resolved = ({ $ref, ...response }: z.infer<typeof content>) =>
    components.responses[$ref?.split('/').at(-1) ?? ''] ?? response;
  return Object.entries(paths).flatMap(([path, item]) =>
    methods.flatMap((method) => {
      const operation = item[method];
      if (!operation) return [];
      const responses = Object.entries(operation.responses);
      return {
        ...{ ...operation, path, method: methodOf[method] },
        responses: Object.fromEntries(responses.map(([status, one]) => [status, resolved(one)])),
      };
    }),
  );
}

/** The schema of a JSON body, if there is to be one. */
export function jsonSchemaOf(body: z.infer<typeof content> | undefined): Schema | undefined {
  return body?.content?.['application/json']?.schema;
}
