import { randomUUID } from 'node:crypto';
import type pg from 'pg';
import { describe, expect, it } from 'vitest';
import type { Platform } from '../../../src/region/model.js';
import {
  asApp,
  asSuperuserFirst,
  asSuperuserLast,
  changes,
  everythingIn,
} from './rich/data-set.js';
import { majors, streaming, TestRegion } from './test-databases.js';

const newest = majors[0]?.major ?? '';
const older = majors.find(({ major }) => major === '15')?.major ?? '';

/** A database with a bit of everything, in an older PostgreSQL, and one of a newer that is to follow it. */
async function twoMajors() {
  const [here, there] = [await TestRegion.create(), await TestRegion.create()];
  const old = await here.provision(older);
  const twin = await there.provision(newest, 'empty');
  const follower = randomUUID();
  const { pathname, username } = new URL(here.databases.variables(old)['DATABASE_URL'] ?? '');
  return { here, there, old, twin, follower, name: pathname.slice(1), user: username };
}
type Pair = Awaited<ReturnType<typeof twoMajors>>;

async function platform(region: TestRegion, database: string): Promise<Platform | undefined> {
  return (await region.databases.inspect({ database })).platform;
}

async function follow({ here, there, old, twin, follower }: Pair): Promise<void> {
  const to = await platform(there, twin);
  const endpoint = await here.databases.grantFollow({ database: old, follower, to });
  expect(await here.databases.grantFollow({ database: old, follower, to })).toEqual(endpoint);
  await there.databases.follow({ database: twin, endpoint });
}

/** Writes on and on, and keeps what was acknowledged. */
class Writer {
  readonly acknowledged: number[] = [];
  #isStopping = false;
  readonly #ended: Promise<void>;

  constructor(client: pg.Client) {
    this.#ended = this.#write(client);
    this.#ended.catch(() => undefined); // whoever stops it hears of it
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#ended;
  }

  async #write(client: pg.Client): Promise<void> {
    for (let id = 1; !this.#isStopping; id++) {
      await client.query('INSERT INTO public.ticks (id, by) VALUES ($1, $2)', [id, 'writer']);
      await client.query('UPDATE public.ticks SET by = $1 WHERE id = $2', ['again', id - 1]);
      this.acknowledged.push(id);
    }
  }
}

const leftovers = `
  SELECT (SELECT count(*) FROM pg_replication_slots) + (SELECT count(*) FROM pg_subscription)
       + (SELECT count(*) FROM pg_publication WHERE pubname = 'godwit_move') + (SELECT count(*) FROM pg_namespace WHERE nspname = 'godwit_move')
       + (SELECT count(*) FROM pg_event_trigger WHERE evtname LIKE 'godwit%')
       + (SELECT count(*) FROM pg_roles WHERE rolname LIKE 'godwit\\_%') AS left`;

/** What a follower is told apart by, which is put back in the end. */
const withoutIdentities = ({ relations, indexes, ...rest }: Record<string, string[]>) => ({
  ...rest,
  relations: relations?.map((line) => line.replace(/^(\(.*?,.,.),./, '$1,')),
  indexes: indexes?.map((line) => line.replace(/,[tf],t\)$/, ')')),
});

describe.skipIf(older === '')('PostgreSQL of another major', () => {
  it('moves with everything and back, while it is written to', async () => {
    const pair = await twoMajors();
    const { here, there, old, twin, follower, name, user } = pair;
    await here.asSuperuser(old, (client) => client.query(asSuperuserFirst(user)));
    const app = await here.connect(old);
    await app.query(asApp);
    for (const line of asSuperuserLast(name).split(';\n')) {
      await here.asSuperuser(old, (client) => client.query(line));
    }
    const before = await here.asSuperuser(old, everythingIn);

    const writer = new Writer(await here.connect(old));
    await follow(pair);
    await expect(app.query('CREATE TABLE late (id int)')).rejects.toThrow('is being moved');
    await expect(app.query('ALTER TABLE birds ADD COLUMN late int')).rejects.toThrow('moved');
    await expect(app.query('DROP TABLE journal')).rejects.toThrow('moved');
    await streaming(there, twin);
    await expect(there.connect(twin)).rejects.toThrow();
    await app.query(changes(1));
    await writer.stop();
    await app.query(changes(2));

    await here.databases.flush({ database: old });
    const position = await here.databases.fence({ database: old });
    await expect(here.connect(old)).rejects.toThrow();
    await here.restart();
    await expect(here.connect(old)).rejects.toThrow();
    await there.databases.waitFor({ database: twin, position, timeout: 20_000 });
    const moved = await there.asSuperuser(twin, everythingIn);
    const original = await here.asSuperuser(old, everythingIn);
    await there.databases.promote({ database: twin });
    await there.databases.promote({ database: twin });
    expect(await there.asSuperuser(twin, everythingIn)).toEqual(original);
    expect(moved['birds']).toEqual(original['birds']);
    const { rows } = await (await there.connect(twin)).query('SELECT id FROM ticks ORDER BY id');
    expect(rows.map(({ id }) => id)).toEqual(writer.acknowledged);

    // Written to before the old one follows, and while it does.
    const now = await there.connect(twin);
    await now.query(changes(3));
    const to = await platform(here, old);
    const back = await there.databases.grantFollow({ database: twin, follower, to });
    await here.databases.followBack({ database: old, endpoint: back });
    await here.databases.followBack({ database: old, endpoint: back });
    await now.query(changes(4));
    await expect(now.query('CREATE TABLE late (id int)')).rejects.toThrow('is being moved');
    await streaming(here, old);
    await expect(here.connect(old)).rejects.toThrow();

    await there.databases.flush({ database: twin });
    const end = await there.databases.fence({ database: twin });
    await here.databases.waitFor({ database: old, position: end, timeout: 20_000 });
    const last = await there.asSuperuser(twin, everythingIn);
    await here.databases.promote({ database: old });
    expect(await here.asSuperuser(old, everythingIn)).toEqual(last);
    await there.databases.deprovision(twin);
    await here.databases.revokeFollow({ database: old, follower });
    await here.databases.revokeFollow({ database: old, follower });
    expect(await here.asSuperuser(old, (client) => client.query(leftovers))).toMatchObject({
      rows: [{ left: '0' }],
    });
    const after = await here.asSuperuser(old, everythingIn);
    for (const part of ['relations', 'indexes', 'triggers', 'roles', 'schemas', 'functions']) {
      expect(after[part]).toEqual(before[part]);
    }
    expect(withoutIdentities(after)).toEqual(withoutIdentities(last));
    await (await here.connect(old)).query('CREATE TABLE late (id int)');
  }, 60_000);
});
