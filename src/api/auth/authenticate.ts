import type { FastifyInstance } from 'fastify';
import { RateLimiterMemory } from 'rate-limiter-flexible';
import type { User } from '../../region/model.js';
import { Refusal } from '../../shared/errors.js';
import type { Accounts } from './accounts.js';
import type { Signer } from './signer.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** Who asks; null where anybody may. */
    user: User | null;
  }
}

/** How often a minute one address may be wrong about its credentials. */
const mostFailures = 50;

/** Lets in whoever shows an API token (HTTP Basic, empty user) or a session token (Bearer). */
export function authenticate(app: FastifyInstance, accounts: Accounts, signer: Signer): void {
  const failures = new RateLimiterMemory({ points: mostFailures, duration: 60 });
  app.addHook('onRequest', async (request) => {
    const { ip } = request;
    const { authorization = '' } = request.headers;
    const before = await failures.get(ip);
    if (before && before.consumedPoints >= mostFailures) throw tooMany(before.msBeforeNext);
    request.user = await whoAsks(authorization, accounts, signer).catch(async (error) => {
      if (authorization !== '') await failures.penalty(ip);
      throw error;
    });
  });
}

/** Who asks. */
export function userOf(request: { readonly user: User | null }): User {
  if (request.user) return request.user;
  throw unauthorized();
}

async function whoAsks(authorization: string, accounts: Accounts, signer: Signer): Promise<User> {
  const [scheme = '', credentials = ''] = authorization.split(' ', 2);
  switch (scheme.toLowerCase()) {
    case 'basic': {
      const token = passwordOf(credentials);
      const user = token === null ? null : await accounts.ofToken(token);
      if (user) return user;
      break;
    }
    case 'bearer': {
      const id = await signer.verify('session', credentials);
      const user = id === null ? null : await accounts.find(id);
      if (user) return user;
      break;
    }
  }
  throw unauthorized();
}

/** The password of HTTP Basic credentials (RFC 7617) with an empty user. */
function passwordOf(credentials: string): string | null {
  const text = Buffer.from(credentials, 'base64').toString();
  return text.startsWith(':') && text.length > 1 ? text.slice(1) : null;
}

function tooMany(milliseconds: number): Refusal {
  const retryAfter = Math.ceil(milliseconds / 1_000);
  return new Refusal(
    'too-many',
    `Too many wrong tokens came from your address. Try again in ${retryAfter} s.`,
    { retryAfter },
  );
}

function unauthorized(): Refusal {
  return new Refusal(
    'unauthorized',
    'Log in with an API token: HTTP Basic with an empty user and the token as password, or Bearer with what POST /v1/tokens/exchange gives for it.',
  );
}
