import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Mutex } from 'async-mutex';
import type { Look, Offer, Platform } from '../../region/model.js';
import type { DatabaseVerbName, Does, InputOf, Verbs } from '../../region/region.js';
import { messageOf, Refusal } from '../../shared/errors.js';
import type { Logger } from '../../shared/logging.js';
import { networksOf } from '../networks.js';
import type { Database, Product, Provision } from './product.js';

export interface DatabasesParts {
  readonly dir: string;
  readonly products: readonly Product[];
  /** How often every database is tended, in milliseconds; each second if not given. */
  readonly rounds?: number;
  readonly logger: Logger;
}

interface Kept {
  readonly database: Database;
  /** Held by whatever changes the database. */
  readonly changing: Mutex;
  /** What steps of a switch ask for that goes on, or has not begun. */
  readonly asked: Set<AbortController>;
}

/** The databases of a region, each in a folder of its own. Knows no product. */
export class Databases implements Does<DatabaseVerbName> {
  readonly #dir: string;
  readonly #logger: Logger;
  readonly #products: readonly Product[];
  readonly #rounds: number;
  readonly #kept = new Map<string, Kept>();
  readonly #provisioning = new Mutex();
  #round: NodeJS.Timeout | undefined;

  constructor(parts: DatabasesParts) {
    this.#dir = parts.dir;
    this.#products = parts.products;
    this.#rounds = parts.rounds ?? 1_000;
    this.#logger = parts.logger;
  }

  /** Finds every database again, starts what should run, and goes on tending them. */
  async recover(): Promise<void> {
    await mkdir(this.#dir, { recursive: true });
    for (const id of await readdir(this.#dir)) {
      const folder = join(this.#dir, id);
      const opened = await this.#open(folder);
      if (opened) this.#keep(opened);
      // A folder without a record was left by a provisioning that died at once.
      else await rm(folder, { recursive: true });
    }
    await this.#tend();
    this.#round = setInterval(() => this.#tend(), this.#rounds);
  }

  /** Lets go of the databases, which go on running unless `stop`. */
  async close({ stop }: { stop: boolean }): Promise<void> {
    clearInterval(this.#round);
    await Promise.all(
      [...this.#kept.values()].map((kept) => {
        giveUp(kept, 'The agent ends.');
        const { database, changing } = kept;
        return changing.runExclusive(() => (stop ? database.rest() : database.leave()));
      }),
    );
  }

  /** What the host has at least one version of. */
  async offers(): Promise<Offer[]> {
    const all = await Promise.all(this.#products.map((product) => product.offer()));
    return all.filter(({ versions }) => versions.length > 0);
  }

  /** @throws Refusal `invalid` when the region does not offer the product or version */
  async provision(product: string, wanted: Provision): Promise<void> {
    const offered = this.#products.find(({ name }) => name === product);
    if (!offered) {
      throw Refusal.invalid('addon_provider_id', `This region does not offer ${product}.`);
    }
    await this.#provisioning.runExclusive(async () => {
      if (this.#kept.has(wanted.id)) return;
      this.#keep(await offered.provision(join(this.#dir, wanted.id), wanted));
    });
  }

  async deprovision(id: string): Promise<void> {
    const kept = this.#kept.get(id);
    if (!kept) return;
    giveUp(kept, 'The database is being removed.');
    await kept.changing.runExclusive(() => kept.database.remove());
    this.#kept.delete(id);
  }

  variables(id: string): Record<string, string> {
    return this.#kept.get(id)?.database.variables() ?? {};
  }

  /** @throws Refusal `unavailable` when it cannot be asked */
  async inspect({ database, to }: { database: string; to?: Platform | undefined }) {
    return this.#ask(database, (it) => it.inspect(to));
  }

  /** @throws Refusal `unavailable` when it cannot be asked */
  async contents({ database }: { database: string }) {
    return this.#ask(database, async ({ comparable }) => (await comparable?.contents()) ?? null);
  }

  /** @throws Refusal `unavailable` when it cannot be asked; `too-large` for what takes too long */
  async digest({ database, part, looks }: { database: string; part: string; looks: Look[] }) {
    return this.#ask(
      database,
      async ({ comparable }) => (await comparable?.digest(part, looks)) ?? null,
    );
  }

  async provides({ database }: { database: string }) {
    return this.#look(database).variables();
  }

  async grantFollow({ database, follower, to, from = [] }: InputOf<Verbs['grantFollow']>) {
    const peer = { platform: to, from: await networksOf(from) };
    return this.#change(database, (it) => it.grantFollow(follower, peer));
  }

  revokeFollow({ database, follower }: { database: string; follower: string }) {
    return this.#change(database, (it) => nothing(it.revokeFollow(follower)));
  }

  follow({ database, endpoint }: { database: string; endpoint: Record<string, unknown> }) {
    return this.#change(database, (it) => nothing(it.follow(endpoint)));
  }

  following({ database }: { database: string }) {
    return this.#look(database).following();
  }

  flush({ database }: { database: string }) {
    return this.#attempt(database, (it, signal) => nothing(it.flush(signal)));
  }

  position({ database }: { database: string }) {
    return this.#look(database).position();
  }

  waitFor(input: { database: string; position: string; timeout: number }) {
    return nothing(this.#look(input.database).waitFor(input.position, input.timeout));
  }

  fence({ database, again = false }: { database: string; again?: boolean | undefined }) {
    return this.#attempt(database, (it, signal) =>
      again && it.fenceAgain ? it.fenceAgain(signal) : it.fence(signal),
    );
  }

  unfence({ database }: { database: string }) {
    return this.#takeBack(database, (it) => nothing(it.unfence()));
  }

  promote({ database }: { database: string }) {
    return this.#attempt(database, (it, signal) => nothing(it.promote(signal)));
  }

  followBack({ database, endpoint }: { database: string; endpoint: Record<string, unknown> }) {
    return this.#change(database, (it) => nothing(it.followBack(endpoint)));
  }

  standDown({ database }: { database: string }) {
    return this.#takeBack(database, (it) => nothing(it.standDown()));
  }

  async #open(folder: string): Promise<Database | null> {
    for (const product of this.#products) {
      const database = await product.open(folder);
      if (database) return database;
    }
    return null;
  }

  #keep(database: Database): void {
    this.#kept.set(database.id, { database, changing: new Mutex(), asked: new Set() });
  }

  #find(id: string): Kept {
    const kept = this.#kept.get(id);
    if (!kept) throw Refusal.notFound('Database', `This region has no database ${id}.`);
    return kept;
  }

  #look(id: string): Database {
    return this.#find(id).database;
  }

  /** @throws Refusal `unavailable` when the database does not answer */
  #ask<T>(id: string, question: (database: Database) => Promise<T>): Promise<T> {
    return question(this.#look(id)).catch((error) => {
      if (error instanceof Refusal) throw error;
      this.#logger.warn({ err: error, database: id }, 'a database does not answer');
      throw new Refusal(
        'unavailable',
        `Database ${id} does not answer: ${messageOf(error)}. Look at its log, and mend it first.`,
      );
    });
  }

  #change<T>(id: string, change: (database: Database) => Promise<T>): Promise<T> {
    const { database, changing } = this.#find(id);
    return changing.runExclusive(() => change(database));
  }

  /** A change that is given up when it is taken back before it has ended. */
  async #attempt<T>(
    id: string,
    change: (database: Database, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const { database, changing, asked } = this.#find(id);
    const attempt = new AbortController();
    asked.add(attempt);
    try {
      return await changing.runExclusive(() => {
        attempt.signal.throwIfAborted();
        return change(database, attempt.signal);
      });
    } finally {
      asked.delete(attempt);
    }
  }

  /** A change that does not wait for what it takes back. */
  #takeBack<T>(id: string, change: (database: Database) => Promise<T>): Promise<T> {
    giveUp(this.#find(id), 'This has been taken back.');
    return this.#change(id, change);
  }

  async #tend(): Promise<void> {
    await Promise.all(
      [...this.#kept.values()].map(async ({ database, changing }) => {
        if (changing.isLocked()) return; // whoever changes it now leaves it as it should be
        try {
          if (database.isBeingRemoved) await this.deprovision(database.id);
          else await changing.runExclusive(() => database.tend());
        } catch (error) {
          this.#logger.error({ err: error, database: database.id }, 'a database does not start');
        }
      }),
    );
  }
}

function giveUp({ asked }: Kept, why: string): void {
  for (const attempt of asked) attempt.abort(new Refusal('unavailable', why));
}

async function nothing(work: Promise<void>): Promise<null> {
  await work;
  return null;
}
