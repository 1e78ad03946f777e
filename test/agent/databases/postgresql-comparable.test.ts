import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findBinaries } from '../../../src/postgresql/binaries.js';
import { compared, differences } from './compared-pair.js';
import { PostgresqlPair } from './postgresql-pair.js';

const majors = await findBinaries();

/** Tables with every kind of key, and what else a database may hold. */
const schema = `
  CREATE TABLE by_int (id int PRIMARY KEY, note text, doubled int GENERATED ALWAYS AS (id * 2) STORED);
  INSERT INTO by_int SELECT n, 'int note ' || n FROM generate_series(1, 3000) n;
  CREATE TABLE by_text (name text COLLATE "und-x-icu" PRIMARY KEY, note text);
  INSERT INTO by_text SELECT chr(64 + n % 60) || 'é' || n, 'text note ' || n FROM generate_series(1, 2500) n;
  CREATE TABLE by_uuid (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), note text, at timestamptz DEFAULT now());
  INSERT INTO by_uuid (note) SELECT 'uuid note ' || n FROM generate_series(1, 2500) n;
  CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
  CREATE DOMAIN rank AS int CHECK (VALUE > 0);
  CREATE TABLE by_several (feeling mood, place rank, "at ""once""" date, note float8, PRIMARY KEY (feeling, place, "at ""once"""));
  INSERT INTO by_several SELECT (ARRAY['sad', 'ok', 'happy']::mood[])[1 + n % 3], 1 + n % 7, date '2020-01-01' + n, n / 3.0 FROM generate_series(1, 2500) n;
  CREATE TABLE keyless (note text);
  INSERT INTO keyless SELECT 'keyless note ' || n FROM generate_series(1, 4000) n;
  INSERT INTO keyless SELECT 'the same' FROM generate_series(1, 100) n;
  CREATE TABLE parted (id int PRIMARY KEY, note text) PARTITION BY RANGE (id);
  CREATE TABLE parted_low PARTITION OF parted FOR VALUES FROM (0) TO (100);
  CREATE TABLE parted_high PARTITION OF parted FOR VALUES FROM (100) TO (200);
  INSERT INTO parted SELECT n, 'part note ' || n FROM generate_series(1, 150) n;
  CREATE MATERIALIZED VIEW seen AS SELECT count(*) AS notes FROM by_int;
  CREATE SEQUENCE steps INCREMENT 7;
  SELECT nextval('steps'), nextval('steps');
  CREATE SEQUENCE untouched;
  CREATE TABLE "we.ird ""name""" ("t" int PRIMARY KEY, "user" text);
  INSERT INTO "we.ird ""name""" VALUES (1, 'x');
  CREATE TABLE empty (id int PRIMARY KEY);
  SELECT lo_from_bytea(0, 'a large object');`;

describe.each(majors)('a PostgreSQL $major and its follower', (binaries) => {
  let pair: PostgresqlPair;
  let app: pg.Client;
  beforeAll(async () => {
    pair = await PostgresqlPair.create(binaries);
    app = await pair.connect();
    await app.query(schema);
  });
  afterAll(() => pair.remove());

  it('are the same, whatever the tables are', async () => {
    const found = await compared(pair, `${pair.database}: `);
    expect(differences(found)).toEqual([]);
    const rows = Object.fromEntries([...found].map(([name, one]) => [name, one.rows]));
    expect(rows).toMatchObject({
      'public.by_int': 3_000,
      'public.by_text': 2_500,
      'public.by_uuid': 2_500,
      'public.by_several': 2_500,
      'public.keyless': 4_100,
      'public.parted_low': 99,
      'public.parted_high': 51,
      'public.seen': 1,
      'public.we.ird "name"': 1,
      'public.empty': 0,
      sequences: 2,
      'large objects': 1,
    });
    expect(found.has('public.parted')).toBe(false);
  });

  it('are the same while they are written to as fast as can be', async () => {
    const writing = new AbortController();
    const writers = [
      [
        'UPDATE by_int SET note = note || 1 WHERE id = 1 + (random() * 999)::int',
        `SELECT nextval('steps')`,
        `DELETE FROM by_text WHERE name = (SELECT min(name) FROM by_text WHERE note > 'text note 2')`,
      ],
      [
        'UPDATE by_int SET note = clock_timestamp()::text WHERE id = 7',
        `INSERT INTO by_uuid (note) VALUES ('new')`,
        `UPDATE keyless SET note = note WHERE ctid = (SELECT ctid FROM keyless WHERE note LIKE 'the same%' LIMIT 1)`,
      ],
    ];
    const counts = writers.map(async (statements) => {
      const client = await pair.connect();
      await client.query('SET synchronous_commit = off');
      for (let done = 0; ; done += 1) {
        if (writing.signal.aborted) return done;
        for (const statement of statements) await client.query(statement);
      }
    });
    const found = await compared(pair, `${pair.database}: `);
    expect(differences(found)).toEqual([]);
    writing.abort();
    for (const count of await Promise.all(counts)) expect(count).toBeGreaterThan(10);
  });

  it('are read by somebody who may do nothing else', async () => {
    await app.query(`
      CREATE FUNCTION own_code(int) RETURNS boolean IMMUTABLE LANGUAGE plpgsql AS $$
      BEGIN
        IF current_setting('is_superuser') = 'on' THEN RAISE 'the app is a superuser'; END IF;
        RETURN true;
      END $$;
      CREATE TABLE trap (id int PRIMARY KEY);
      INSERT INTO trap VALUES (1);
      CREATE INDEX ON trap (id) WHERE own_code(1)`);
    // What the app has set for its database does not lead a superuser elsewhere.
    await app.query(`
      CREATE SCHEMA own;
      CREATE FUNCTION own.pg_database_size(oid) RETURNS bigint LANGUAGE plpgsql AS $$
      BEGIN RAISE 'a superuser runs code of the app'; END $$;
      ALTER DATABASE ${pair.database} SET search_path = own, pg_catalog, public`);
    expect(await pair.inspect()).toMatchObject({ obstacles: [] });
    const found = await compared(pair, `${pair.database}: `);
    expect(found.get('public.trap')).toMatchObject({ rows: 1, findings: [] });
  });

  it('differ where the disk of the follower errs, which is named to the row', async () => {
    const changes: { file: string; from: string; to: string }[] = [];
    for (const [table, from, to] of [
      ['by_int', 'int note 1234', 'int n0te 1234'],
      ['by_text', 'text note 1200', 'text n0te 1200'],
      ['by_uuid', 'uuid note 77', 'uuid n0te 77'],
      ['keyless', 'keyless note 2000', 'keyless n0te 2000'],
      ['parted_high', 'part note 120', 'part n0te 120'],
      ['pg_largeobject', 'a large object', 'a small object'],
    ] as const) {
      const { rows } = await app.query('SELECT pg_relation_filepath($1) AS file', [table]);
      changes.push({ file: String(rows[0].file), from, to });
    }
    // Whoever reads a row first may note in its page that it is committed, and a page so changed is sent anew.
    await app.query('VACUUM');
    await pair.damage(changes);
    const found = await compared(pair, `${pair.database}: `);
    const named = differences(found).sort((a, b) => (a.name < b.name ? -1 : 1));
    const rowOf = async (sql: string) => JSON.stringify((await app.query(sql)).rows[0].bound);
    const text = await rowOf(
      `SELECT ARRAY[name] AS bound FROM by_text WHERE note = 'text note 1200'`,
    );
    const uuid = await rowOf(`SELECT ARRAY[id] AS bound FROM by_uuid WHERE note = 'uuid note 77'`);
    const place = await rowOf(
      `SELECT ARRAY[ctid::text] AS bound FROM keyless WHERE note = 'keyless note 2000'`,
    );
    const one = { kind: 'different', primary: 1, follower: 1 };
    expect(named).toMatchObject([
      { name: 'large objects', ...one, range: { after: null, to: null } },
      { name: 'public.by_int', ...one, range: { after: '["1233"]', to: '["1234"]' } },
      { name: 'public.by_text', ...one, range: { to: text } },
      { name: 'public.by_uuid', ...one, range: { to: uuid } },
      { name: 'public.keyless', ...one, range: { to: place } },
      { name: 'public.parted_high', ...one, range: { after: '["119"]', to: '["120"]' } },
    ]);
  });
});
