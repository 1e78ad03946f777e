import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { Refusal } from '../../shared/errors.js';
import { newId } from '../../shared/ids.js';
import { type ApiContext, baseUrl, regionOf } from '../context.js';

const tags = ['Deployments'];
export const urlExample =
  'https://godwit.example.org/regions/osc-fr1/v1/sources/54100930736f7563d5030003?token=eyJh…';
/** Seconds within which a source is to be uploaded and deployed. */
const lifetime = 3_600;

/** Where a source is for: its id and region, as its address says under signature. */
interface SourceAddress {
  readonly source: string;
  readonly region: string;
}

/** Addresses to upload archives to. */
export function sourceRoutes(context: ApiContext): FastifyPluginAsyncZod {
  return async (api) => {
    api.post(
      '/sources',
      {
        schema: {
          tags,
          summary: 'Get an address to upload a .tar.gz to, good for an hour',
          response: {
            201: z.object({
              source: z
                .object({ upload_url: z.string(), download_url: z.string() })
                .meta({ examples: [{ upload_url: urlExample, download_url: urlExample }] }),
            }),
          },
        },
      },
      async (request, reply) => {
        const region = regionOf(context, request).name;
        const source = newId();
        const token = await context.signer.sign('source', `${region}/${source}`, lifetime);
        const url = `${baseUrl(context, request)}/regions/${region}/v1/sources/${source}?token=${token}`;
        return reply.status(201).send({ source: { upload_url: url, download_url: url } });
      },
    );
  };
}

/** The upload itself, for whoever has the address; the archive goes on to the region as it comes. */
export function uploadRoutes(context: ApiContext): FastifyPluginAsyncZod {
  return async (api) => {
    api.removeAllContentTypeParsers();
    api.addContentTypeParser('*', (_request, payload, done) => done(null, payload));
    api.put(
      '/sources/:source',
      {
        schema: {
          tags,
          summary: 'Upload a .tar.gz to the address of a source',
          security: [],
          consumes: ['application/gzip'],
          params: z.object({ source: z.string() }),
          querystring: z.object({ token: z.string() }),
          body: z.unknown().meta({
            ...{ type: 'string', format: 'binary' },
            description: 'A tar archive, compressed by gzip; of any content type',
          }),
          response: { 200: z.object({}) },
        },
      },
      async (request, reply) => {
        const { source, region } = await readAddress(context, request.query.token);
        if (source !== request.params.source || region !== request.region) throw notIts();
        await regionOf(context, request).storeSource(source, request.raw);
        return reply.status(200).send({});
      },
    );
  };
}

/** @returns the source that an address is of. @throws Refusal `invalid` when it is none of this API */
export async function sourceOfUrl(context: ApiContext, url: string): Promise<SourceAddress> {
  const token = URL.canParse(url) ? new URL(url).searchParams.get('token') : null;
  return readAddress(context, token ?? '').catch(() => {
    throw Refusal.invalid(
      'source_url',
      'must be the download_url of a source that POST /v1/sources gave within the hour.',
    );
  });
}

async function readAddress({ signer }: ApiContext, token: string): Promise<SourceAddress> {
  const [region, source] = (await signer.verify('source', token))?.split('/') ?? [];
  if (region === undefined || source === undefined) throw tooOld();
  return { region, source };
}

function notIts(): Refusal {
  return new Refusal('unauthorized', 'That is not the address that was given. Take it as it was.');
}

function tooOld(): Refusal {
  return new Refusal('unauthorized', 'The address is too old. Create another source.');
}
