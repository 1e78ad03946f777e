import { randomUUID } from 'node:crypto';
import {
  type CryptoKey,
  exportJWK,
  generateKeyPair,
  importJWK,
  type JWK,
  jwtVerify,
  SignJWT,
} from 'jose';
import type { Kysely } from 'kysely';
import { sql } from 'kysely';
import { z } from 'zod';
import type { AccountTables } from './schema.js';

const algorithm = 'ES256';
const issuer = 'godwit';

/** What a signed token is good for: to speak as a user, to upload one source, to read one app's logs. */
export type Purpose = 'session' | 'source' | 'logs';

const privateKey = z.looseObject({ kty: z.literal('EC'), x: z.string(), y: z.string() });

/** Makes and checks JSON Web Tokens, with a key that all servers share. */
export class Signer {
  readonly #id: string;
  readonly #privateKey: CryptoKey | Uint8Array;
  readonly #publicKey: CryptoKey | Uint8Array;

  private constructor(
    id: string,
    keys: { privateKey: CryptoKey | Uint8Array; publicKey: CryptoKey | Uint8Array },
  ) {
    this.#id = id;
    this.#privateKey = keys.privateKey;
    this.#publicKey = keys.publicKey;
  }

  /** Takes the key from the database; makes it, once. */
  static async open(db: Kysely<AccountTables>): Promise<Signer> {
    const row = await db.transaction().execute(async (tx) => {
      await sql`SELECT pg_advisory_xact_lock(hashtext('godwit signing keys'))`.execute(tx);
      const known = await tx
        .selectFrom('signing_keys')
        .select(['id', 'private_key'])
        .orderBy('created_at', 'desc')
        .executeTakeFirst();
      if (known) return known;
      const { privateKey: made } = await generateKeyPair(algorithm, { extractable: true });
      const fresh = { id: randomUUID(), private_key: JSON.stringify(await exportJWK(made)) };
      await tx.insertInto('signing_keys').values(fresh).execute();
      return fresh;
    });
    const jwk = privateKey.parse(JSON.parse(row.private_key));
    const { d, ...publicPart } = jwk;
    return new Signer(row.id, {
      privateKey: await imported(jwk),
      publicKey: await imported(publicPart),
    });
  }

  /** @param lifetime in seconds */
  async sign(purpose: Purpose, subject: string, lifetime: number): Promise<string> {
    return new SignJWT()
      .setProtectedHeader({ alg: algorithm, kid: this.#id, typ: 'JWT' })
      .setIssuer(issuer)
      .setAudience(purpose)
      .setSubject(subject)
      .setIssuedAt()
      .setExpirationTime(Math.floor(Date.now() / 1000) + lifetime)
      .sign(this.#privateKey);
  }

  /** @returns the subject; null when the token is not ours, not for that, or too old */
  async verify(purpose: Purpose, token: string): Promise<string | null> {
    try {
      const { payload } = await jwtVerify(token, this.#publicKey, {
        algorithms: [algorithm],
        issuer,
        audience: purpose,
      });
      return payload.sub ?? null;
    } catch {
      return null; // whatever is wrong with it, it proves nothing
    }
  }
}

function imported(jwk: JWK): Promise<CryptoKey | Uint8Array> {
  return importJWK(jwk, algorithm);
}
