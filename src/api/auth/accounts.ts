import { createHash, randomUUID } from 'node:crypto';
import type { Kysely } from 'kysely';
import type { User } from '../../region/model.js';
import type { AccountTables } from './schema.js';

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
    const found = await this.#db
      .selectFrom('users')
      .select(['id', 'username', 'email'])
      .where('username', '=', user.username)
      .executeTakeFirstOrThrow();
    await this.#db
      .insertInto('tokens')
      .values({ id: randomUUID(), user_id: found.id, name: 'first', hash: hash(token) })
      .onConflict((conflict) => conflict.column('hash').doNothing())
      .execute();
    return found;
  }

  /** @returns null for a token that nobody has */
  async ofToken(token: string): Promise<User | null> {
    const user = await this.#db
      .selectFrom('tokens')
      .innerJoin('users', 'users.id', 'tokens.user_id')
      .select(['users.id', 'users.username', 'users.email'])
      .where('tokens.hash', '=', hash(token))
      .executeTakeFirst();
    return user ?? null;
  }

  async find(id: string): Promise<User | null> {
    const user = await this.#db
      .selectFrom('users')
      .select(['id', 'username', 'email'])
      .where('id', '=', id)
      .executeTakeFirst();
    return user ?? null;
  }

  async ofEmail(email: string): Promise<User | null> {
    const user = await this.#db
      .selectFrom('users')
      .select(['id', 'username', 'email'])
      .where('email', '=', email)
      .executeTakeFirst();
    return user ?? null;
  }
}

/** Tokens are 256 random bits, so one round of a fast hash hides them well. */
function hash(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}
