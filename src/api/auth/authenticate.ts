import { normalizeIP } from '@fastify/rate-limit';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { RateLimiterMemory } from 'rate-limiter-flexible';
import type { User } from '../../region/model.js';
import { Refusal } from '../../shared/errors.js';
import type { Accounts, Holder } from './accounts.js';
import type { Signer } from './signer.js';

/** Who asks, and what they showed. */
export interface Login extends Holder {
  /** The API token itself, or a session that came of it. */
  readonly by: 'token' | 'session';
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Who asks; null when nobody has shown valid credentials. */
    user: User | null;
    login: Login | null;
    /** In how many milliseconds whoever guesses tokens may go on; null for everybody else. */
    guessAgainIn: number | null;
  }
}

/** How often a minute one address may be wrong about its credentials before it is told to wait, and before they are not even looked at. */
const mostFailures = { refused: 50, ignored: 1_000 };

/**
 * Finds out who asks: whoever shows an API token (HTTP Basic, empty user) or a session token
 * (Bearer). Refuses nobody; see {@link requireLogin}. An address that is wrong too often is told to
 * wait; who is right is let in from there, too, unless it guesses so much that looking would cost.
 */
export function identify(app: FastifyInstance, accounts: Accounts, signer: Signer): void {
  const failures = new RateLimiterMemory({ points: mostFailures.refused, duration: 60 });
  app.decorateRequest('user', null);
  app.decorateRequest('login', null);
  app.decorateRequest('guessAgainIn', null);
  app.addHook('onRequest', async (request) => {
    const { authorization = '' } = request.headers;
    if (authorization === '') return;
    const address = addressOf(request);
    const earlier = await failures.get(address);
    const isLookedAt = (earlier?.consumedPoints ?? 0) < mostFailures.ignored;
    const login = isLookedAt ? await whoAsks(authorization, accounts, signer) : null;
    if (login) {
      request.login = login;
      request.user = login.user;
      return;
    }
    const { consumedPoints, msBeforeNext } = await failures.penalty(address);
    if (consumedPoints > mostFailures.refused) request.guessAgainIn = msBeforeNext;
  });
}

/** Lets in only whoever was identified. Before the body is read, and after the request was counted. */
export function requireLogin(app: FastifyInstance): void {
  app.addHook('preParsing', async (request) => {
    if (request.guessAgainIn !== null) throw tooMany(request.guessAgainIn);
    userOf(request);
  });
}

/** Under what a request is counted: the API token that it was made with, or the address that it came from. */
export function countedUnder(request: FastifyRequest): string {
  return request.login ? `token ${request.login.token}` : `address ${addressOf(request)}`;
}

/** Who asks, and by what. @throws Refusal `unauthorized` when that is not known */
export function loginOf(request: { readonly login: Login | null }): Login {
  if (request.login) return request.login;
  throw unauthorized();
}

/** Who asks. @throws Refusal `unauthorized` when that is not known */
export function userOf(request: { readonly user: User | null }): User {
  if (request.user) return request.user;
  throw unauthorized();
}

/** Who has an IPv6 address has a whole network of them. */
const addressOf = ({ ip }: Pick<FastifyRequest, 'ip'>) => normalizeIP(ip);

async function whoAsks(
  authorization: string,
  accounts: Accounts,
  signer: Signer,
): Promise<Login | null> {
  const [scheme = '', credentials = ''] = authorization.split(' ', 2);
  switch (scheme.toLowerCase()) {
    case 'basic': {
      const secret = passwordOf(credentials);
      const holder = secret === null ? null : await accounts.ofToken(secret);
      return holder && { ...holder, by: 'token' };
    }
    case 'bearer': {
      const session = await signer.verifySession(credentials);
      const holder = session && (await accounts.ofTokenId(session.token));
      return holder && holder.user.id === session.user ? { ...holder, by: 'session' } : null;
    }
    default:
      return null;
  }
}

/** The password of HTTP Basic credentials (RFC 7617) with an empty user; null for base64 that has another spelling. */
function passwordOf(credentials: string): string | null {
  const bytes = Buffer.from(credentials, 'base64');
  if (bytes.toString('base64') !== credentials) return null;
  const text = bytes.toString();
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
