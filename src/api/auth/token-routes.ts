import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { Refusal } from '../../shared/errors.js';
import type { ApiContext } from '../context.js';
import type { ApiToken } from './accounts.js';
import { loginOf, userOf } from './authenticate.js';

const tags = ['Account'];
/** Seconds for which a session token is good. */
const lifetime = 3_600;
const example = {
  id: 'e061a292-bab4-47fa-bb08-d7f7895ae5b6',
  name: 'for a script',
  created_at: '2026-01-01T19:56:09.433Z',
  issued_at: '2026-01-01T19:56:09.433Z',
  last_used_at: null,
};
const shape = z
  .object({
    id: z.string(),
    name: z.string(),
    created_at: z.iso.datetime(),
    issued_at: z.iso.datetime(),
    last_used_at: z.iso.datetime().nullable(),
  })
  .meta({ examples: [example] });
const madeShape = shape
  .extend({ token: z.string() })
  .meta({ examples: [{ ...example, token: 'tk-eCWuD1H0IM0rQGYyfP9dMtL8vHyHCRvTnO1EpSIaDiI' }] });
const tokenName = z.string().min(1).max(100);

const present = ({ id, name, createdAt, lastUsedAt }: ApiToken) => ({
  id,
  name,
  created_at: createdAt.toISOString(),
  issued_at: createdAt.toISOString(),
  last_used_at: lastUsedAt?.toISOString() ?? null,
});

/** API tokens, and what they are exchanged for. */
export function tokenRoutes({ accounts, signer }: ApiContext): FastifyPluginAsyncZod {
  return async (api) => {
    api.post(
      '/tokens/exchange',
      {
        schema: {
          tags,
          summary: 'Get a session token (a JWT, for Bearer), good for an hour',
          description:
            'Only for who logs in with the API token itself (HTTP Basic). The session ends with the token, too.',
          security: [{ token: [] }],
          response: {
            200: z.object({ token: z.string() }).meta({
              examples: [{ token: 'eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJ1cy0xIn0.c2lnbmF0dXJl' }],
            }),
          },
        },
      },
      async (request) => {
        const { by, user, token } = loginOf(request);
        if (by !== 'token') throw needsToken();
        const session = { user: user.id, token };
        return { token: await signer.signSession(session, lifetime) };
      },
    );

    api.get(
      '/tokens',
      {
        schema: {
          tags,
          summary: 'List your API tokens, newest first',
          response: { 200: z.object({ tokens: z.array(shape) }) },
        },
      },
      async (request) => ({ tokens: (await accounts.tokens(userOf(request).id)).map(present) }),
    );

    api.post(
      '/tokens',
      {
        schema: {
          tags,
          summary: 'Create an API token; it is shown this once',
          body: z
            .object({
              token: z.object({ name: tokenName }).optional(),
              name: tokenName.optional().describe('In place of `token`, as some clients send it'),
            })
            .meta({ examples: [{ token: { name: 'for a script' } }] }),
          response: { 201: z.object({ token: madeShape }) },
        },
      },
      async (request, reply) => {
        const name = request.body.token?.name ?? request.body.name;
        if (name === undefined) throw Refusal.invalid('name', 'must be given.');
        const { token, secret } = await accounts.addToken(userOf(request).id, name);
        return reply.status(201).send({ token: { ...present(token), token: secret } });
      },
    );

    api.delete(
      '/tokens/:id',
      {
        schema: {
          tags,
          summary: 'Revoke an API token',
          params: z.object({ id: z.string() }),
          response: { 204: z.null() },
        },
      },
      async (request, reply) => {
        const { id } = request.params;
        if (await accounts.revokeToken(userOf(request).id, id)) return reply.status(204).send(null);
        throw Refusal.notFound('Token', `You have no token ${id}. List them to see their ids.`);
      },
    );
  };
}

function needsToken(): Refusal {
  return new Refusal(
    'unauthorized',
    'A session cannot be exchanged for another. Log in with the API token itself: HTTP Basic with an empty user and the token as password.',
  );
}
