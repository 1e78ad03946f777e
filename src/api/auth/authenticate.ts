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

/**
 * Lets in whoever shows an API token (HTTP Basic, empty user) or a session token (Bearer). An
 * address that is wrong too often is told to wait; who is right is let in from there, too.
 */
export function authenticate(app: FastifyInstance, accounts: Accounts, signer: Signer): void {
  const failures = new RateLimiterMemory({ points: mostFailures, duration: 60 });
  app.addHook('onRequest', async (request) => {
    const { authorization = '' } = request.headers;
    const user = await whoAsks(authorization, accounts, signer);
    if (!user && authorization !== '') {
      const { consumedPoints, msBeforeNext } = await failures.penalty(request.ip);
      if (consumedPoints > mostFailures) throw tooMany(msBeforeNext);
    }
    request.user = userOf({ user });
  });
}

/** Who asks. */
export function userOf(request: { readonly user: User | null }): User {
  if (request.user) return request.user;
  throw unauthorized();
}

async function whoAsks(
  authorization: string,
  accounts: Accounts,
  signer: Signer,
): Promise<User | null> {
  const [scheme = '', credentials = ''] = authorization.split(' ', 2);
  switch (scheme.toLowerCase()) {
    case 'basic': {
      const token = passwordOf(credentials);
      return token === null ? null : accounts.ofToken(token);
    }
    case 'bearer': {
      const id = await signer.verify('session', credentials);
      return id === null ? null : accounts.find(id);
    }
    default:
      return null;
  }
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
