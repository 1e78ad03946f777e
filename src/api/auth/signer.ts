import { randomUUID } from 'node:crypto';
import {
  CompactSign,
  type CryptoKey,
  decodeProtectedHeader,
  exportJWK,
  generateKeyPair,
  importJWK,
  type JWK,
  type JWTPayload,
  jwtVerify,
  SignJWT,
} from 'jose';
import type { Kysely } from 'kysely';
import { sql } from 'kysely';
import { z } from 'zod';
import type { AccountTables } from './schema.js';

const algorithm = 'ES256';
const issuer = 'godwit';

/** A key signs for so long before another takes its place, and is good for checking a day longer; in days. */
const lifeOfKey = { signing: 30, checking: 31 };
/** Nobody's made-up key ids are looked for more often than this, in milliseconds. */
const reloadPause = 5_000;

/** What a signed token is good for: to upload one source, to read one app's logs. */
export type Purpose = 'source' | 'logs';

/** Who speaks in a session, and by which of their API tokens it was begun. */
export interface Session {
  readonly user: string;
  /** Id of the API token; the session ends with it. */
  readonly token: string;
}

const sessionClaims = z.object({ sub: z.string(), tid: z.uuid() });

const privateKey = z.looseObject({
  kty: z.literal('EC'),
  crv: z.string(),
  x: z.string(),
  y: z.string(),
});

interface Key {
  readonly id: string;
  readonly createdAt: Date;
  readonly signs: CryptoKey | Uint8Array;
  readonly checks: CryptoKey | Uint8Array;
  readonly published: JWK;
}

/** Makes and checks JSON Web Tokens, with keys that all servers share and that take turns. */
export class Signer {
  readonly #db: Kysely<AccountTables>;
  /** Newest first. */
  #keys: readonly Key[] = [];
  #loadedAt = 0;

  private constructor(db: Kysely<AccountTables>) {
    this.#db = db;
  }

  /** Takes the keys from the database; makes the first, once. */
  static async open(db: Kysely<AccountTables>): Promise<Signer> {
    const signer = new Signer(db);
    await signer.#load();
    await signer.#current();
    return signer;
  }

  /** @param lifetime in seconds */
  sign(purpose: Purpose, subject: string, lifetime: number): Promise<string> {
    return this.#sign(purpose, { sub: subject }, lifetime);
  }

  /** Begins a session. @param lifetime in seconds */
  signSession({ user, token }: Session, lifetime: number): Promise<string> {
    return this.#sign('session', { sub: user, tid: token }, lifetime);
  }

  async #sign(audience: string, claims: JWTPayload, lifetime: number): Promise<string> {
    const key = await this.#current();
    return new SignJWT(claims)
      .setProtectedHeader({ alg: algorithm, kid: key.id, typ: 'JWT' })
      .setIssuer(issuer)
      .setAudience(audience)
      .setIssuedAt()
      .setExpirationTime(Math.floor(Date.now() / 1000) + lifetime)
      .sign(key.signs);
  }

  /** Signs a text: a JSON Web Signature without the text itself (RFC 7515, appendix F). */
  async signDetached(text: string): Promise<string> {
    const key = await this.#current();
    const signed = await new CompactSign(new TextEncoder().encode(text))
      .setProtectedHeader({ alg: algorithm, kid: key.id })
      .sign(key.signs);
    const [header, , signature] = signed.split('.');
    return `${header}..${signature}`;
  }

  /** @returns the subject; null when the token is not ours, not for that, or too old */
  async verify(purpose: Purpose, token: string): Promise<string | null> {
    return (await this.#claims(purpose, token))?.sub ?? null;
  }

  /** @returns null when it is no session of ours, or over; whether its API token is still there is not looked at */
  async verifySession(token: string): Promise<Session | null> {
    const { success, data } = sessionClaims.safeParse(await this.#claims('session', token));
    return success ? { user: data.sub, token: data.tid } : null;
  }

  async #claims(audience: string, token: string): Promise<JWTPayload | null> {
    try {
      const key = await this.#keyNamed(decodeProtectedHeader(token).kid ?? '');
      if (!key) return null;
      const { payload } = await jwtVerify(token, key.checks, {
        algorithms: [algorithm],
        issuer,
        audience,
      });
      return payload;
    } catch {
      return null; // whatever is wrong with it, it proves nothing
    }
  }

  /** The public keys, as a JSON Web Key Set (RFC 7517, section 5). */
  async published(): Promise<{ keys: JWK[] }> {
    await this.#load();
    return { keys: this.#keys.map(({ published }) => published) };
  }

  /** Makes a new key, which signs from now on. */
  async rotate(): Promise<void> {
    await this.#makeKey(0);
    await this.#load();
  }

  /** The key that signs; another one when it has signed for long enough. */
  async #current(): Promise<Key> {
    const [newest] = this.#keys;
    if (newest && ageInDays(newest.createdAt) < lifeOfKey.signing) return newest;
    await this.#makeKey(lifeOfKey.signing);
    await this.#load();
    const [made] = this.#keys;
    if (!made) throw new Error('There is no key to sign with.');
    return made;
  }

  /** A key may have been made by another server since. */
  async #keyNamed(id: string): Promise<Key | undefined> {
    const find = () => this.#keys.find((key) => key.id === id);
    if (!find() && Date.now() - this.#loadedAt > reloadPause) await this.#load();
    return find();
  }

  /** Makes a key unless there is one younger than `age` days; one server at a time. */
  async #makeKey(age: number): Promise<void> {
    await this.#db.transaction().execute(async (tx) => {
      await sql`SELECT pg_advisory_xact_lock(hashtext('godwit signing keys'))`.execute(tx);
      const younger = await tx
        .selectFrom('signing_keys')
        .select('id')
        .where('created_at', '>', sql<Date>`now() - make_interval(days => ${age})`)
        .executeTakeFirst();
      if (younger) return;
      const { privateKey: made } = await generateKeyPair(algorithm, { extractable: true });
      await tx
        .insertInto('signing_keys')
        .values({ id: randomUUID(), private_key: JSON.stringify(await exportJWK(made)) })
        .execute();
      await tx
        .deleteFrom('signing_keys')
        .where('created_at', '<', sql<Date>`now() - make_interval(days => ${lifeOfKey.checking})`)
        .execute();
    });
  }

  async #load(): Promise<void> {
    const rows = await this.#db
      .selectFrom('signing_keys')
      .selectAll()
      .orderBy('created_at', 'desc')
      .execute();
    this.#keys = await Promise.all(
      rows.map(async ({ id, private_key, created_at }) => {
        const jwk = privateKey.parse(JSON.parse(private_key));
        const { kty, crv, x, y } = jwk;
        const published = { kty, crv, x, y, kid: id, alg: algorithm, use: 'sig' };
        const [signs, checks] = await Promise.all([imported(jwk), imported(published)]);
        return { id, createdAt: created_at, signs, checks, published };
      }),
    );
    this.#loadedAt = Date.now();
  }
}

function ageInDays(time: Date): number {
  return (Date.now() - time.getTime()) / 86_400_000;
}

function imported(jwk: JWK): Promise<CryptoKey | Uint8Array> {
  return importJWK(jwk, algorithm);
}
