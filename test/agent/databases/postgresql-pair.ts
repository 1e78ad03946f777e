import { randomUUID } from 'node:crypto';
import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { pino } from 'pino';
import { Databases } from '../../../src/agent/databases/databases.js';
import { postgresql } from '../../../src/agent/databases/postgresql/postgresql.js';
import type { WalkedPair } from '../../../src/migration/verification/walk.js';
import type { Binaries } from '../../../src/postgresql/binaries.js';
import type { Contents, Look } from '../../../src/region/model.js';
import { newId } from '../../../src/shared/ids.js';
import { until } from '../../../src/shared/until.js';

const none: Contents = { parts: [], leftOut: [] };

/** A primary and its follower, each in a region of its own. */
export class PostgresqlPair implements WalkedPair {
  readonly #binaries: Binaries;
  readonly #dir: string;
  readonly #old = newId();
  readonly #twin = newId();
  readonly #clients: pg.Client[] = [];
  #here: Databases;
  #there: Databases;

  private constructor(dir: string, binaries: Binaries) {
    this.#dir = dir;
    this.#binaries = binaries;
    this.#here = this.#region('here');
    this.#there = this.#region('there');
  }

  static async create(binaries: Binaries): Promise<PostgresqlPair> {
    const pair = new PostgresqlPair(await mkdtemp(join(tmpdir(), 'godwit-pair-')), binaries);
    const { version, plan } = { version: binaries.major, plan: 'postgresql-sandbox' };
    await pair.#here.recover();
    await pair.#there.recover();
    const product = 'postgresql';
    await pair.#here.provision(product, { id: pair.#old, plan, version, role: 'primary' });
    await pair.#there.provision(product, { id: pair.#twin, plan, version, role: 'empty' });
    const endpoint = await pair.#here.grantFollow({
      database: pair.#old,
      follower: randomUUID(),
    });
    await pair.#there.follow({ database: pair.#twin, endpoint });
    await pair.#follows();
    return pair;
  }

  async remove(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.end()));
    await Promise.all([this.#here.close({ stop: true }), this.#there.close({ stop: true })]);
    await rm(this.#dir, { recursive: true, force: true });
  }

  readonly primary = {
    digest: (part: string, looks: readonly Look[]) =>
      this.#here.digest({ database: this.#old, part, looks: [...looks] }),
    position: () => this.#here.position({ database: this.#old }),
  };

  readonly follower = {
    digest: (part: string, looks: readonly Look[]) =>
      this.#there.digest({ database: this.#twin, part, looks: [...looks] }),
    waitFor: async (position: string) => {
      await this.#there.waitFor({ database: this.#twin, position, timeout: 60_000 });
    },
  };

  async contents() {
    const primary = (await this.#here.contents({ database: this.#old })) ?? none;
    await this.follower.waitFor(await this.primary.position());
    const follower = (await this.#there.contents({ database: this.#twin })) ?? none;
    return { primary, follower };
  }

  pause = (attempt: number) => new Promise<void>((resolve) => setTimeout(resolve, attempt));
  rest = async () => undefined;

  inspect() {
    return this.#here.inspect({ database: this.#old });
  }

  /** The session of the app, in its primary. */
  async connect(): Promise<pg.Client> {
    const client = new pg.Client(this.#here.variables(this.#old)['DATABASE_URL']);
    await client.connect();
    this.#clients.push(client);
    return client;
  }

  /** The name of the app's database. */
  get database(): string {
    return new URL(this.#here.variables(this.#old)['DATABASE_URL'] ?? '').pathname.slice(1);
  }

  /**
   * Changes bytes in files of the follower behind its back, as a disk does that errs. The checksum
   * of the page is not what tells of it here.
   */
  async damage(changes: readonly { file: string; from: string; to: string }[]): Promise<void> {
    // What the log still had of these pages would mend them.
    await this.#here.flush({ database: this.#old });
    await this.follower.waitFor(await this.primary.position());
    await this.#there.flush({ database: this.#twin });
    await this.#there.close({ stop: true });
    const data = join(this.#dir, 'there', this.#twin, 'data');
    await appendFile(join(data, 'postgresql.auto.conf'), 'ignore_checksum_failure = on\n');
    for (const { file, from, to } of changes) {
      const content = await readFile(join(data, file));
      const at = content.indexOf(from);
      if (at < 0) throw new Error(`${file} has no ${from}`);
      content.write(to, at);
      await writeFile(join(data, file), content);
    }
    this.#there = this.#region('there');
    await this.#there.recover();
    await this.#follows();
  }

  async #follows(): Promise<void> {
    await until(
      async () => {
        const { stage, reason } = await this.#there.following({ database: this.#twin });
        if (stage === 'failed') throw new Error(reason ?? stage);
        return stage === 'streaming';
      },
      { timeout: 30_000, what: 'the follower to keep up' },
    );
  }

  #region(name: string): Databases {
    const logger = pino({ level: 'silent' });
    const product = postgresql({ majors: [this.#binaries], address: '127.0.0.1', logger });
    return new Databases({ dir: join(this.#dir, name), products: [product], logger });
  }
}
