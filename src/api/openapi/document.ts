import type { FastifyDynamicSwaggerOptions } from '@fastify/swagger';
import { jsonSchemaTransform } from 'fastify-type-provider-zod';
import type { Registry } from '../../region/registry.js';
import { errorComponents, errorsOf } from './errors.js';
import { exampleFor } from './examples.js';
import { operationId } from './operation-id.js';

/** What makes the OpenAPI document of the routes. Those below `addressed` are there once only, as another server. */
export function openapi(
  registry: Pick<Registry, 'default' | 'names'>,
  addressed: string,
): FastifyDynamicSwaggerOptions {
  return {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Godwit',
        description:
          'Moves running applications between regions. `/v1` addresses the default region; the same routes under `/regions/<name>/v1` address any.',
        version: '1',
        license: { name: 'Apache 2.0', url: 'https://www.apache.org/licenses/LICENSE-2.0' },
      },
      servers: [
        { url: '/', description: 'The default region' },
        {
          url: '/regions/{region}',
          description: 'Any region',
          variables: {
            region: {
              ...{ default: registry.default, enum: registry.names() },
              description: 'Name of the region',
            },
          },
        },
      ],
      components: {
        responses: errorComponents,
        securitySchemes: {
          token: {
            type: 'http',
            scheme: 'basic',
            description: 'Empty user, API token as password',
          },
          session: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' },
        },
      },
      security: [{ token: [] }, { session: [] }],
    },
    stripBasePath: false,
    transform: (route) => {
      const { schema, url } = jsonSchemaTransform(route);
      if (route.url.startsWith(addressed)) return { schema: { ...schema, hide: true }, url };
      return {
        schema: { ...schema, operationId: operationId(String(route.route.method), url) },
        url,
      };
    },
    transformObject: complete,
  };
}

type Document = Parameters<NonNullable<FastifyDynamicSwaggerOptions['transformObject']>>[0];

/** Adds to every operation the errors that it may answer with, and examples. */
function complete(document: Document) {
  if (!('openapiObject' in document)) return document.swaggerObject;
  for (const [path, item] of Object.entries(document.openapiObject.paths ?? {})) {
    for (const method of ['get', 'post', 'put', 'patch', 'delete'] as const) {
      const operation = item?.[method];
      if (!operation) continue;
      const { requestBody, responses } = operation;
      for (const body of [requestBody, ...Object.values(responses)]) {
        if (!body || !('content' in body)) continue;
        for (const media of Object.values(body.content ?? {})) {
          // Where the whole has an example of its own, that is there already.
          media.example ??= exampleFor(media.schema);
        }
      }
      Object.assign(responses, errorsOf(operation, path));
    }
  }
  return document.openapiObject;
}
