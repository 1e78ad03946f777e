import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { afterEach, describe, expect, it } from 'vitest';
import type { Platform } from '../../../src/region/model.js';
import { until } from '../../../src/shared/until.js';
import { ComparedPair, compared, differences } from './compared-pair.js';
import { majors, PostgresqlRegion } from './postgresql-region.js';
import {
  asApp,
  asSuperuserFirst,
  asSuperuserLast,
  changes,
  everythingIn,
} from './rich/data-set.js';
import { mayMount, SmallDisk } from './small-disk.js';
import {
  afterwards,
  cleanUp,
  copiedOnceThereIsRoom,
  streaming,
  writePause,
} from './test-databases.js';

afterEach(cleanUp);

const newest = majors[0]?.major ?? '';
const older = majors.find(({ major }) => major === '15')?.major ?? '';

/** A database with a bit of everything, in an older PostgreSQL, and one of a newer that is to follow it. */
async function twoMajors() {
  const [here, there] = [await PostgresqlRegion.create(), await PostgresqlRegion.create()];
  const old = await here.provision(older);
  const twin = await there.provision(newest, 'empty');
  const follower = randomUUID();
  const { pathname, username } = new URL(here.databases.variables(old)['DATABASE_URL'] ?? '');
  return { here, there, old, twin, follower, name: pathname.slice(1), user: username };
}
type Pair = Awaited<ReturnType<typeof twoMajors>>;

async function platform(region: PostgresqlRegion, database: string): Promise<Platform | undefined> {
  return (await region.databases.inspect({ database })).platform;
}

async function follow({ here, there, old, twin, follower }: Pair): Promise<void> {
  const to = await platform(there, twin);
  const endpoint = await here.databases.grantFollow({ database: old, follower, to });
  expect(await here.databases.grantFollow({ database: old, follower, to })).toEqual(endpoint);
  await there.databases.follow({ database: twin, endpoint });
}

/** Writes on and on, whatever becomes of the database, and keeps what was acknowledged. */
class Writer {
  readonly acknowledged: number[] = [];
  #isStopping = false;
  readonly #ended: Promise<void>;

  /** @param first what it counts from */
  constructor(connect: () => Promise<pg.Client>, first = 1) {
    this.#ended = this.#write(connect, first);
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#ended;
  }

  async #write(connect: () => Promise<pg.Client>, first: number): Promise<void> {
    let client: pg.Client | null = null;
    for (let id = first; !this.#isStopping; id++) {
      try {
        client ??= await connect();
        await client.query('INSERT INTO public.ticks (id, by) VALUES ($1, $2)', [id, 'writer']);
        this.acknowledged.push(id);
        await client.query('UPDATE public.ticks SET by = $1 WHERE id = $2', ['again', id - 1]);
        await sleep(writePause);
      } catch {
        client = null; // refused while it is away; whether this one was written is not known
        await sleep(20);
      }
    }
  }
}

/** A database beside the app's. */
const second = "second 'one'";
const makeSecond = `CREATE DATABASE "${second}" TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'`;

/** What nobody can be kept from changing. */
const changesOfRoles = `
  ALTER ROLE "Odd Role" PASSWORD 'new' CONNECTION LIMIT 4; CREATE ROLE late; GRANT reader TO late; COMMENT ON ROLE reader IS NULL;
  ALTER ROLE late SET search_path = "a, b", public; ALTER ROLE "Odd Role" RESET ALL`;

/** What an owner may set for a database, and what others that come to it have to live with. */
const hindrances = (database: string) => `
  REVOKE ALL ON DATABASE ${database} FROM PUBLIC;
  ALTER DATABASE ${database} SET idle_in_transaction_session_timeout = 50; ALTER DATABASE ${database} SET role = '${database}'`;

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
    await here.asSuperuser(old, (client) => client.query(makeSecond));
    const makeOurs = "CREATE TABLE ours AS SELECT 0 AS id; COMMENT ON TABLE ours IS 'ünsere'";
    await here.asSuperuser(old, (client) => client.query(makeOurs), second);
    const before = await here.asSuperuser(old, everythingIn);

    const writer = new Writer(() => here.connect(old));
    await follow(pair);
    await expect(app.query('CREATE TABLE late (id int)')).rejects.toThrow('is being moved');
    await expect(app.query('ALTER TABLE birds ADD COLUMN late int')).rejects.toThrow('moved');
    await expect(app.query('DROP TABLE journal')).rejects.toThrow('moved');
    const concurrently = 'CREATE INDEX CONCURRENTLY late ON birds (eggs)'; // which would leave half of it
    await expect(app.query(concurrently)).rejects.toThrow('moved');
    await expect(app.query('DROP INDEX CONCURRENTLY birds_name')).rejects.toThrow('moved');
    await streaming(there.region, twin);
    await expect(there.connect(twin)).rejects.toThrow();
    await app.query(changes(1));
    await writer.stop();
    await app.query(changes(2));
    await here.asSuperuser(old, (client) => client.query(changesOfRoles));

    await here.databases.flush({ database: old });
    const position = await here.databases.fence({ database: old });
    await expect(here.connect(old)).rejects.toThrow();
    await here.restart();
    await expect(here.connect(old)).rejects.toThrow();
    await there.databases.waitFor({ database: twin, position, timeout: 60_000 });
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
    const addOurs = 'INSERT INTO ours VALUES (1)';
    await there.asSuperuser(twin, (client) => client.query(addOurs), second);
    const to = await platform(here, old);
    const back = await there.databases.grantFollow({ database: twin, follower, to });
    await here.databases.followBack({ database: old, endpoint: back });
    await here.databases.followBack({ database: old, endpoint: back });
    await now.query(changes(4));
    await expect(now.query('CREATE TABLE late (id int)')).rejects.toThrow('is being moved');
    await streaming(here.region, old);
    await expect(here.connect(old)).rejects.toThrow();

    await there.databases.flush({ database: twin });
    const end = await there.databases.fence({ database: twin });
    await here.databases.waitFor({ database: old, position: end, timeout: 60_000 });
    const last = await there.asSuperuser(twin, everythingIn);
    await here.databases.promote({ database: old });
    expect(await here.asSuperuser(old, everythingIn)).toEqual(last);

    // Taken back, and tried again: the old one cannot be made anew from a newer version.
    await here.databases.standDown({ database: old });
    await here.databases.standDown({ database: old });
    await there.databases.unfence({ database: twin });
    await (await there.connect(twin)).query(changes(5));
    const once = await there.databases.grantFollow({ database: twin, follower, to });
    await here.databases.follow({ database: old, endpoint: once });
    await streaming(here.region, old);
    await (await there.connect(twin)).query(changes(6));
    const finish = await there.databases.fence({ database: twin });
    await here.databases.waitFor({ database: old, position: finish, timeout: 60_000 });
    const final = await there.asSuperuser(twin, everythingIn);
    await here.databases.promote({ database: old });
    expect(await here.asSuperuser(old, everythingIn)).toEqual(final);
    const comment = "obj_description('ours'::regclass) AS comment";
    const described = await there.asSuperuser(
      twin,
      (client) => client.query(`SELECT ${comment}`),
      second,
    );
    expect(described.rows).toEqual([{ comment: 'ünsere' }]);
    const readOurs = 'SELECT id FROM ours ORDER BY id';
    const ours = await here.asSuperuser(old, (client) => client.query(readOurs), second);
    expect(ours.rows).toEqual([{ id: 0 }, { id: 1 }]);
    await there.databases.deprovision(twin);
    await here.databases.revokeFollow({ database: old, follower });
    await here.databases.revokeFollow({ database: old, follower });
    expect(await here.asSuperuser(old, (client) => client.query(leftovers))).toMatchObject({
      rows: [{ left: '0' }],
    });
    const after = await here.asSuperuser(old, everythingIn);
    for (const part of ['relations', 'indexes', 'triggers', 'schemas', 'functions']) {
      expect(after[part]).toEqual(before[part]);
    }
    expect(withoutIdentities(after)).toEqual(withoutIdentities(final));
    await (await here.connect(old)).query('CREATE TABLE late (id int)');
  });

  it('is the same while it is written to, and differs where it was changed behind its back', async () => {
    const pair = await twoMajors();
    const { here, there, old, twin, name } = pair;
    const app = await here.connect(old);
    await app.query(hindrances(name));
    await app.query(`
      CREATE TABLE by_int (id int PRIMARY KEY, note text, doubled int GENERATED ALWAYS AS (id * 2) STORED, real float4);
      INSERT INTO by_int (id, note, real) SELECT n, 'int note ' || n, n / 7.0 FROM generate_series(1, 1500) n;
      CREATE TABLE by_text (name text COLLATE "und-x-icu" PRIMARY KEY, note text);
      INSERT INTO by_text SELECT chr(64 + n % 60) || 'é' || n, 'text note ' || n FROM generate_series(1, 1500) n;
      CREATE TABLE keyless (one text, other text);
      INSERT INTO keyless VALUES ('the same', NULL), ('the same', NULL), ('', 'x'), (NULL, 'x');
      CREATE TABLE parent (a int PRIMARY KEY);
      CREATE TABLE child (b int) INHERITS (parent);
      ALTER TABLE parent ADD COLUMN c int;
      INSERT INTO child (a, b, c) VALUES (1, 2, 3);
      CREATE MATERIALIZED VIEW seen AS SELECT count(*) FROM by_int;
      CREATE SEQUENCE steps; CREATE TABLE ticks (id int PRIMARY KEY, by text)`);
    await here.databases.contents({ database: old }); // leaves who reads, as an earlier comparison does
    await follow(pair);
    await streaming(there.region, twin);
    const compare = new ComparedPair([here.region, old], [there.region, twin]);
    const writer = new Writer(() => here.connect(old));
    const found = await compared(compare, `${name}: public.`);
    await writer.stop();
    expect(differences(found)).toEqual([]);
    const rows = Object.fromEntries([...found].map(([part, one]) => [part, one.rows]));
    const ticks = expect.any(Number);
    expect(rows).toEqual({ by_int: 1_500, by_text: 1_500, child: 1, keyless: 4, parent: 0, ticks });
    expect((await compare.contents()).primary.leftOut).toHaveLength(1);

    await there.asSuperuser(twin, (client) =>
      client.query(`
        UPDATE by_int SET real = 1.0000001 WHERE id = 7;
        UPDATE by_text SET note = NULL WHERE name = 'Zé1226';
        UPDATE keyless SET one = 'x', other = '' WHERE one = '';
        UPDATE child SET b = 3, c = 2`),
    );
    const wrong = differences(await compared(compare, `${name}: public.`));
    expect(wrong.map(({ name, range }) => `${name} ${range.to}`)).toEqual([
      ...['by_int ["7"]', 'by_text ["Zé1226"]', 'child null', 'keyless null'],
    ]);

    // What cannot be applied is told, with its table.
    const beyond = 'INSERT INTO by_int VALUES (5000)';
    await there.asSuperuser(twin, (client) => client.query(beyond));
    await app.query(beyond);
    const stuck = async () => {
      const { stage, reason } = await there.databases.following({ database: twin });
      return stage === 'failed' && reason;
    };
    const reason = await until(stuck, { timeout: 30_000, what: 'the follower to give up' });
    expect(reason).toMatch(/to "public\.by_int" cannot be applied: .*by_int_pkey/);
  });

  it('loses nothing that was acknowledged, whatever is killed, and begins anew when it was taken back', async () => {
    const pair = await twoMajors();
    const { here, there, old, twin, follower } = pair;
    const app = await here.connect(old);
    await app.query(`CREATE TABLE ticks (id int PRIMARY KEY, by text); CREATE TABLE counted (id serial, text text);
      INSERT INTO counted (text) SELECT repeat('x', 100) FROM generate_series(1, 200000)`);
    const writer = new Writer(() => here.connect(old));
    await follow(pair);
    await there.kill(twin);
    await here.kill(old);
    await there.restart();
    await there.kill(twin);
    await streaming(there.region, twin);
    await there.kill(twin);
    await here.kill(old);
    await here.restart();
    await streaming(there.region, twin);

    await here.kill(old);
    await here.databases.fence({ database: old });
    await here.kill(old);
    await here.restart();
    await expect(here.connect(old)).rejects.toThrow();
    const position = await here.databases.fence({ database: old });
    await there.kill(twin);
    await there.databases.waitFor({ database: twin, position, timeout: 30_000 });
    await there.kill(twin);
    await there.restart();
    await there.databases.promote({ database: twin });
    await writer.stop();
    const ids = async (region: PostgresqlRegion, database: string) => {
      const client = await region.connect(database);
      const { rows } = await client.query<{ id: number }>('SELECT id FROM ticks');
      return new Set(rows.map(({ id }) => id));
    };
    const moved = await ids(there, twin);
    expect(writer.acknowledged.filter((id) => !moved.has(id))).toEqual([]);

    // Taken back after the promotion: what was promoted is gone, and the old one goes on.
    await there.databases.standDown({ database: twin });
    await here.databases.unfence({ database: old });
    await (await here.connect(old)).query("INSERT INTO ticks VALUES (0, 'taken back')");
    await follow(pair);
    await streaming(there.region, twin);
    const again = await here.databases.fence({ database: old });
    await there.databases.waitFor({ database: twin, position: again, timeout: 30_000 });
    await there.databases.promote({ database: twin });
    await there.kill(twin);
    const now = await until(() => there.connect(twin).catch(() => null), {
      timeout: 60_000,
      what: 'the new primary to come back',
    });
    const { rows } = await now.query('SELECT count(*) FROM counted');
    expect(rows).toEqual([{ count: '200000' }]);
    await now.query("INSERT INTO counted (text) VALUES ('after')");

    // The way back, with the same.
    const further = new Writer(() => there.connect(twin), 1_000_000);
    const to = await platform(here, old);
    await here.kill(old);
    const back = await there.databases.grantFollow({ database: twin, follower, to });
    await here.databases.followBack({ database: old, endpoint: back });
    await here.kill(old);
    await there.kill(twin);
    await here.restart();
    await streaming(here.region, old);
    await there.databases.fence({ database: twin });
    await there.kill(twin);
    const end = await there.databases.fence({ database: twin });
    await here.databases.waitFor({ database: old, position: end, timeout: 30_000 });
    await here.databases.promote({ database: old });
    await further.stop();
    const last = await ids(here, old);
    const all = [...writer.acknowledged, 0, ...further.acknowledged];
    expect(all.filter((id) => !last.has(id))).toEqual([]);
    expect(further.acknowledged.length).toBeGreaterThan(0);
  }, 120_000);

  it.runIf(mayMount)('finds no room for its copy, and leaves nothing of it', async () => {
    const disk = await SmallDisk.create(64);
    afterwards(() => disk.remove());
    const [here, there] = [await PostgresqlRegion.create(), await PostgresqlRegion.create(disk)];
    const [old, twin] = [await here.provision(older), await there.provision(newest, 'empty')];
    const app = await here.connect(old);
    await app.query(
      "CREATE TABLE entries AS SELECT repeat('x', 1000) AS text FROM generate_series(1, 30000)",
    );
    const to = await platform(there, twin);
    const grant = { database: old, follower: randomUUID(), to };
    const endpoint = await here.databases.grantFollow(grant);
    await copiedOnceThereIsRoom(there, twin, endpoint, disk);
    await there.databases.deprovision(twin);
  });

  it('is foreseen, with all that is in the way', async () => {
    const { here, there, old, twin } = await twoMajors();
    const app = await here.connect(old);
    await app.query(`CREATE SCHEMA godwit_move; CREATE UNLOGGED TABLE cache (id int);
      CREATE TYPE page AS (document json); CREATE TABLE notes (pages page[]); CREATE TABLE computed (a int, b int GENERATED ALWAYS AS (a) STORED);
      CREATE TABLE plain (id int, name text)`);
    const shut = 'CREATE DATABASE shut ALLOW_CONNECTIONS false';
    await here.asSuperuser(old, (client) => client.query(shut));
    const to = await platform(there, twin);
    const foreseen = await here.databases.inspect({
      database: old,
      to: { ...to, extensions: [] },
    });
    expect(foreseen.obstacles.join('\n')).toMatch(/rows of public\.notes could not be found again/);
    expect(foreseen.obstacles.join('\n')).toMatch(/lacks the extensions plpgsql/);
    expect(foreseen.obstacles.join('\n')).toMatch(/schema or publication godwit_move/);
    expect(foreseen.obstacles.join('\n')).toMatch(/rows of public\.computed .* generated columns/);
    expect(foreseen.obstacles.join('\n')).toMatch(/connect to \(shut\), do not move/);
    expect(foreseen.obstacles).toHaveLength(5);
    expect(foreseen.unsuitable).toEqual([]);
    expect(foreseen.remarks.join('\n')).toMatch(/cache\) are copied while requests wait/);

    const own = await platform(here, old);
    const byFiles = await here.databases.inspect({ database: old, to: own });
    expect(byFiles.remarks).toEqual([]);
    expect(byFiles.obstacles.join('\n')).toMatch(
      /Unlogged tables \(public\.cache\) would arrive empty/,
    );
    const older = await here.databases.inspect({ database: old, to: { ...own, major: '14' } });
    expect(older.obstacles.join('\n')).toMatch(/PostgreSQL 14 is older than 15/);

    // Text that is sorted by a locale may be sorted otherwise by another C library.
    const elsewhere = { ...own, libc: '2.17' };
    const isByRows = async () =>
      (await here.databases.inspect({ database: old, to: elsewhere })).remarks
        .join('\n')
        .includes('copied row by row');
    await app.query('CREATE INDEX ON plain (name)');
    expect(await isByRows()).toBe(false);
    await app.query(`CREATE COLLATION local (provider = libc, locale = 'C.UTF-8');
      CREATE INDEX ON plain (name COLLATE local)`);
    // As it would be with a locale that not every host has.
    await here.asSuperuser(old, (client) =>
      client.query("UPDATE pg_collation SET collversion = '2.36' WHERE collname = 'local'"),
    );
    expect(await isByRows()).toBe(true);
  });
});
