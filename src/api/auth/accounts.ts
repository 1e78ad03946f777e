import { createHash, randomUUID } from 'node:crypto';
import type { Kysely } from 'kysely';
import { sql } from 'kysely';
import type { User } from '../../region/model.js';
import { Refusal } from '../../shared/errors.js';
import { newSecret } from '../../shared/ids.js';
import type { AccountTables } from './schema.js';

/** An API token, as its user sees it: the token itself is shown once, when it is made. */
export interface ApiToken {
  readonly id: string;
  readonly name: string;
  readonly createdAt: Date;
  readonly lastUsedAt: Date | null;
}

/** Whose a token is. */
export interface Holder {
  readonly user: User;
  /** Id of the token. */
  readonly token: string;
  /** Since when there is such a user. */
  readonly since: Date;
}

/** Users and their API tokens. */
export class Accounts {
  readonly #db: Kysely<AccountTables>;

  constructor(db: Kysely<AccountTables>) {
    this.#db = db;
  }

  /** Makes sure that there is such a user, who can log in with the token. */
  async ensureUser(user: Omit<User, 'id'>, token: string): Promise<User> {
    await this.#db
      .insertInto('users')
      .values({ ...user, id: `us-${randomUUID()}` })
      .onConflict((conflict) => conflict.doNothing())
      .execute();
    const found = await this.#user('username', user.username);
    if (!found) throw new Error(`There is a user with the email address ${user.email} already.`);
    await this.#db
      .insertInto('tokens')
      .values({ id: randomUUID(), user_id: found.id, name: 'first', hash: hash(token) })
      .onConflict((conflict) => conflict.column('hash').doNothing())
      .execute();
    return found;
  }

  /** @throws Refusal `conflict` when the name or the email address is taken */
  async addUser(user: Omit<User, 'id'>): Promise<User> {
    const added = { ...user, id: `us-${randomUUID()}` };
    const { numInsertedOrUpdatedRows } = await this.#db
      .insertInto('users')
      .values(added)
      .onConflict((conflict) => conflict.doNothing())
      .executeTakeFirst();
    if (numInsertedOrUpdatedRows === 1n) return added;
    throw Refusal.conflict(
      'user_taken',
      `There is a user named ${user.username}, or with the email address ${user.email}, already.`,
    );
  }

  users(): Promise<User[]> {
    return this.#db
      .selectFrom('users')
      .select(['id', 'username', 'email'])
      .orderBy('username')
      .execute();
  }

  find(id: string): Promise<User | null> {
    return this.#user('id', id);
  }

  named(username: string): Promise<User | null> {
    return this.#user('username', username);
  }

  ofEmail(email: string): Promise<User | null> {
    return this.#user('email', email);
  }

  /** Who has a token; null for a token that nobody has. */
  ofToken(secret: string): Promise<Holder | null> {
    return this.#holder('hash', hash(secret));
  }

  /** The same for a token that is known by its id. */
  ofTokenId(id: string): Promise<Holder | null> {
    return this.#holder('id', id);
  }

  /** Newest first. */
  async tokens(user: string): Promise<ApiToken[]> {
    const rows = await this.#db
      .selectFrom('tokens')
      .select(['id', 'name', 'created_at', 'last_used_at'])
      .where('user_id', '=', user)
      .orderBy('created_at', 'desc')
      .execute();
    return rows.map(({ id, name, created_at, last_used_at }) => ({
      id,
      name,
      createdAt: created_at,
      lastUsedAt: last_used_at,
    }));
  }

  /** @returns the new token, and its secret, which nobody can be shown again */
  async addToken(user: string, name: string): Promise<{ token: ApiToken; secret: string }> {
    const secret = `tk-${newSecret()}`;
    const { id, created_at } = await this.#db
      .insertInto('tokens')
      .values({ id: randomUUID(), user_id: user, name, hash: hash(secret) })
      .returning(['id', 'created_at'])
      .executeTakeFirstOrThrow();
    return { token: { id, name, createdAt: created_at, lastUsedAt: null }, secret };
  }

  /** @returns whether the user had such a token */
  async revokeToken(user: string, id: string): Promise<boolean> {
    const { numDeletedRows } = await this.#db
      .deleteFrom('tokens')
      .where('user_id', '=', user)
      .where(sql`id::text`, '=', id)
      .executeTakeFirst();
    return numDeletedRows === 1n;
  }

  /** Notes, to the minute, that the token was used. */
  async #holder(column: 'hash' | 'id', value: string): Promise<Holder | null> {
    const found = await this.#db
      .with('used', (db) =>
        db
          .updateTable('tokens')
          .set({ last_used_at: sql`now()` })
          .where(column, '=', value)
          .where(sql<boolean>`coalesce(last_used_at < now() - interval '1 minute', true)`)
          .returning('id'),
      )
      .selectFrom('tokens')
      .innerJoin('users', 'users.id', 'tokens.user_id')
      .select([
        ...(['users.id', 'username', 'email'] as const),
        ...(['tokens.id as token', 'users.created_at as since'] as const),
      ])
      .where(`tokens.${column}`, '=', value)
      .executeTakeFirst();
    if (!found) return null;
    const { token, since, ...user } = found;
    return { user, token, since };
  }

  async #user(column: 'id' | 'username' | 'email', value: string): Promise<User | null> {
    const found = await this.#db
      .selectFrom('users')
      .select(['id', 'username', 'email'])
      .where(column, '=', value)
      .executeTakeFirst();
    return found ?? null;
  }
}

/** Tokens are 256 random bits, so one round of a fast hash hides them well; and comparing hashes tells nothing of them by its time. */
function hash(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}
