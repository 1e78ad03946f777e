import type pg from 'pg';

/** What only a superuser can make, before the app's own; `app` is the app's role. */
export const asSuperuserFirst = (app: string) => `
  CREATE ROLE reader NOLOGIN;
  CREATE ROLE "Odd Role" LOGIN PASSWORD 'odd' CONNECTION LIMIT 3 VALID UNTIL '2040-01-01';
  GRANT reader TO "Odd Role";
  GRANT reader TO ${app} WITH ADMIN OPTION;
  ALTER ROLE "Odd Role" SET work_mem = '5MB';
  COMMENT ON ROLE reader IS 'may look';
  CREATE EXTENSION hstore;
  CREATE EXTENSION pg_trgm`;

/** Everything that an app may make, so that each kind of object is there once. */
export const asApp = `
  CREATE SCHEMA "Odd ""schema""";
  CREATE TYPE mood AS ENUM ('glad', 'so-so', 'sad');
  CREATE DOMAIN positive AS int CHECK (VALUE > 0);
  CREATE TYPE span AS RANGE (subtype = float8);
  CREATE TYPE place AS (x float8, y float8);
  CREATE COLLATION german (provider = libc, locale = 'C.UTF-8');
  CREATE TABLE birds (
    id serial PRIMARY KEY, name text NOT NULL, mood mood DEFAULT 'glad', eggs positive, seen tstzrange, reach span,
    at place, tags text[], attributes hstore, document jsonb, picture bytea, weight numeric(10, 3), cost money,
    born date, nap interval, address inet, key uuid DEFAULT gen_random_uuid(), bits bit varying, words tsvector,
    shout text GENERATED ALWAYS AS (upper(name)) STORED, CHECK (length(name) < 200));
  COMMENT ON TABLE birds IS 'those that were seen';
  COMMENT ON COLUMN birds.eggs IS 'this year; "quotes", \\ and ''quotes''';
  CREATE INDEX birds_name ON birds (lower(name) text_pattern_ops) WHERE mood <> 'sad';
  CREATE INDEX birds_trigram ON birds USING gin (name gin_trgm_ops);
  CREATE TABLE nests (id bigint GENERATED ALWAYS AS IDENTITY (START 100 INCREMENT 10) PRIMARY KEY,
    bird int REFERENCES birds ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED, material text DEFAULT 'twigs');
  CREATE TABLE journal (at timestamptz DEFAULT clock_timestamp(), line text);
  CREATE TABLE computed (id int PRIMARY KEY, twice int GENERATED ALWAYS AS (id * 2) STORED);
  ALTER TABLE computed REPLICA IDENTITY FULL;
  CREATE TABLE codes (code text NOT NULL, note text);
  CREATE UNIQUE INDEX codes_code ON codes (code);
  CREATE FUNCTION is_no_superuser(int) RETURNS bool LANGUAGE plpgsql AS $$
    BEGIN RETURN NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolsuper AND rolname IN (current_user, session_user)); END $$;
  CREATE TABLE ticks (id int PRIMARY KEY, by text, CHECK (is_no_superuser(id)));
  CREATE TABLE sightings (day date NOT NULL, bird int, count int, PRIMARY KEY (day, bird)) PARTITION BY RANGE (day);
  CREATE TABLE sightings_old PARTITION OF sightings FOR VALUES FROM (MINVALUE) TO ('2020-01-01');
  CREATE TABLE sightings_new PARTITION OF sightings FOR VALUES FROM ('2020-01-01') TO (MAXVALUE) PARTITION BY HASH (bird);
  CREATE TABLE sightings_new_0 PARTITION OF sightings_new FOR VALUES WITH (MODULUS 2, REMAINDER 0);
  CREATE TABLE sightings_new_1 PARTITION OF sightings_new FOR VALUES WITH (MODULUS 2, REMAINDER 1);
  CREATE TABLE parent (a int PRIMARY KEY);
  CREATE TABLE child (b int, PRIMARY KEY (a)) INHERITS (parent);
  CREATE UNLOGGED TABLE cache (key text PRIMARY KEY, value text);
  CREATE TABLE "Odd ""schema"""."Odd 'table'" ("Odd ""column""" int PRIMARY KEY, gone int, "two	tabs" text);
  ALTER TABLE "Odd ""schema"""."Odd 'table'" DROP COLUMN gone;
  CREATE TABLE nothing ();
  CREATE SEQUENCE counter START 7 INCREMENT 3 MAXVALUE 10000 CYCLE;
  CREATE SEQUENCE unused;
  CREATE VIEW glad_birds AS SELECT id, name FROM birds WHERE mood = 'glad';
  CREATE MATERIALIZED VIEW bird_count AS SELECT mood, count(*) FROM birds GROUP BY mood;
  CREATE UNIQUE INDEX bird_count_mood ON bird_count (mood);
  CREATE MATERIALIZED VIEW all_count AS SELECT sum(count) FROM bird_count;
  CREATE MATERIALIZED VIEW is_cached AS SELECT count(*) > 0 FROM cache;
  CREATE MATERIALIZED VIEW unpopulated AS SELECT 1 AS one WITH NO DATA;
  CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN INSERT INTO journal (line) VALUES (TG_NAME || ' ' || TG_OP); RETURN NULL; END $$;
  CREATE TRIGGER note AFTER INSERT OR UPDATE OR DELETE ON nests FOR EACH ROW EXECUTE FUNCTION note();
  CREATE TRIGGER note_always AFTER INSERT ON nests FOR EACH ROW EXECUTE FUNCTION note();
  ALTER TABLE nests ENABLE ALWAYS TRIGGER note_always;
  CREATE FUNCTION twice(int) RETURNS int LANGUAGE sql IMMUTABLE RETURN $1 * 2;
  CREATE PROCEDURE wait() LANGUAGE plpgsql AS 'BEGIN PERFORM 1; END';
  CREATE AGGREGATE total(int) (SFUNC = int4pl, STYPE = int, INITCOND = '0');
  CREATE OPERATOR === (LEFTARG = int, RIGHTARG = int, FUNCTION = int4eq);
  CREATE TABLE secrets (id int PRIMARY KEY, owner text, secret text);
  ALTER TABLE secrets ENABLE ROW LEVEL SECURITY;
  ALTER TABLE secrets FORCE ROW LEVEL SECURITY;
  CREATE POLICY own ON secrets USING (owner = current_user) WITH CHECK (true);
  CREATE RULE no_delete AS ON DELETE TO codes WHERE old.note = 'keep' DO INSTEAD NOTHING;
  CREATE STATISTICS birds_statistics ON name, mood FROM birds;
  GRANT SELECT, UPDATE (name) ON birds TO reader;
  GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO reader;
  ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO reader;

  INSERT INTO birds (name, mood, eggs, seen, reach, at, tags, attributes, document, picture, weight, cost, born, nap, address, bits, words)
    SELECT 'bird ' || i || E' \\\\ tab\\t new\\n line é 🐦', (ARRAY['glad', 'so-so', 'sad'])[1 + i % 3]::mood, i,
      tstzrange(now(), now() + i * interval '1 hour'), span(i * 0.1, i * 0.7), (i / 3.0, -i)::place,
      ARRAY['a', NULL, 'b"{},' || i], hstore('k', i::text), jsonb_build_object('i', i, 'n', NULL),
      decode(md5(i::text), 'hex'), i / 7.0, i::money, date '2000-01-01' + i, i * interval '1 day 3 hours',
      ('10.0.0.' || i % 250)::inet, B'101', to_tsvector('simple', 'bird ' || i)
    FROM generate_series(1, 3000) AS i;
  INSERT INTO nests (bird) SELECT id FROM birds WHERE id % 10 = 0;
  INSERT INTO codes SELECT 'c' || i, CASE WHEN i % 2 = 0 THEN 'keep' END FROM generate_series(1, 100) AS i;
  INSERT INTO sightings SELECT date '2019-06-01' + i, i % 50, i FROM generate_series(1, 1000) AS i;
  INSERT INTO parent VALUES (1); INSERT INTO child VALUES (2, 3);
  INSERT INTO cache SELECT i::text, repeat('x', i) FROM generate_series(1, 100) AS i;
  INSERT INTO "Odd ""schema"""."Odd 'table'" VALUES (1, E'\\t'), (2, NULL), (3, '\\N');
  INSERT INTO secrets SELECT i, CASE WHEN i % 2 = 0 THEN current_user ELSE 'somebody' END, 'hush' FROM generate_series(1, 20) AS i;
  SELECT nextval('counter'), nextval('counter'); SELECT setval('unused', 40, false);
  REFRESH MATERIALIZED VIEW bird_count; REFRESH MATERIALIZED VIEW is_cached;
  SELECT lo_create(4004), lo_truncate64(lo_open(4004, 131072), 4096);
  SELECT lo_from_bytea(4001, decode(repeat('0102', 5000), 'hex')), lo_from_bytea(4002, ''), lo_from_bytea(4003, 'gone soon');
  GRANT SELECT ON LARGE OBJECT 4001 TO reader; COMMENT ON LARGE OBJECT 4001 IS 'a picture'`;

/** What only a superuser can make, around what the app made. */
export const asSuperuserLast = (database: string) => `
  CREATE FUNCTION public.on_ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$
    BEGIN INSERT INTO public.journal (line) VALUES ('ddl ' || TG_TAG); END $$;
  CREATE EVENT TRIGGER app_watches ON ddl_command_end EXECUTE FUNCTION public.on_ddl();
  ALTER DATABASE ${database} SET search_path = public, "Odd ""schema""";
  COMMENT ON DATABASE ${database} IS 'of birds';
  CREATE PUBLICATION own_publication FOR TABLE public.birds`;

/** Changes of every kind, such as an app makes; `round` keeps them apart. */
export const changes = (round: number) => `
  INSERT INTO birds (name, eggs) SELECT 'round ${round} ' || i, i FROM generate_series(1, 50) AS i;
  UPDATE birds SET document = '{"round": ${round}}', tags = NULL WHERE id % 100 = ${round};
  UPDATE birds SET id = id + 1000000 WHERE id = ${round * 7};
  DELETE FROM birds WHERE id % 100 = ${50 + round};
  INSERT INTO nests (bird) SELECT id FROM birds WHERE id % 200 = ${round};
  UPDATE journal SET line = 'round ${round}' WHERE line LIKE '%INSERT' AND ctid IN (SELECT ctid FROM journal WHERE line LIKE '%INSERT' LIMIT 5);
  DELETE FROM journal WHERE ctid IN (SELECT ctid FROM journal LIMIT 3);
  INSERT INTO computed VALUES (${round}); UPDATE computed SET id = id + 100 WHERE id < 100;
  UPDATE codes SET note = 'round ${round}' WHERE code = 'c${round * 3}';
  UPDATE sightings SET day = date '2021-01-01' + bird WHERE count = ${round};
  UPDATE child SET b = ${round}; INSERT INTO parent VALUES (${100 + round});
  INSERT INTO cache VALUES ('round', '${round}') ON CONFLICT (key) DO UPDATE SET value = excluded.value;
  DELETE FROM cache WHERE key = '${round}';
  UPDATE secrets SET secret = 'round ${round}' WHERE owner = current_user;
  TRUNCATE "Odd ""schema"""."Odd 'table'";
  INSERT INTO "Odd ""schema"""."Odd 'table'" VALUES (${round}, 'round');
  SELECT nextval('counter'), setval('unused', ${round} + 50);
  REFRESH MATERIALIZED VIEW all_count;
  REFRESH MATERIALIZED VIEW CONCURRENTLY bird_count;
  REFRESH MATERIALIZED VIEW all_count;
  ALTER ROLE CURRENT_USER SET work_mem = '${round}MB';
  ${round % 2 === 0 ? 'GRANT reader TO' : 'REVOKE reader FROM'} "Odd Role";
  SELECT lo_put(4001, 3000, 'round ${round}'), lo_from_bytea(${5000 + round}, 'round ${round}'), lo_unlink(oid)
    FROM pg_largeobject_metadata WHERE oid IN (4003, ${4999 + round});
  CREATE TEMP TABLE scratch (id serial PRIMARY KEY, x int); INSERT INTO scratch (x) VALUES (1);
  ALTER TABLE scratch ADD COLUMN y int; DROP TABLE scratch`;

const ours = `n.nspname NOT LIKE 'pg\\_%' AND n.nspname NOT IN ('information_schema', 'godwit_move')`;
const relations = `pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace AND ${ours}`;

/** What a database consists of, in words that are the same in every version. */
const catalogue: Readonly<Record<string, string>> = {
  relations: `SELECT c.oid::regclass, relkind, relpersistence, relreplident, relispartition, relrowsecurity, relforcerowsecurity,
      pg_get_userbyid(relowner), relacl::text, obj_description(c.oid, 'pg_class'), pg_get_expr(relpartbound, c.oid), relispopulated
    FROM ${relations} WHERE relkind NOT IN ('i', 'I', 't')`,
  columns: `SELECT c.oid::regclass, attname, format_type(atttypid, atttypmod), attnotnull, attidentity, attgenerated,
      pg_get_expr(adbin, adrelid), attacl::text, col_description(c.oid, attnum)
    FROM ${relations} JOIN pg_attribute a ON attrelid = c.oid AND attnum > 0 AND NOT attisdropped
    LEFT JOIN pg_attrdef ON adrelid = c.oid AND adnum = attnum WHERE relkind NOT IN ('i', 'I', 't')`,
  indexes: `SELECT pg_get_indexdef(indexrelid), indisreplident, indisvalid FROM ${relations} JOIN pg_index ON indrelid = c.oid WHERE relkind <> 't'`,
  constraints: `SELECT conrelid::regclass, conname, pg_get_constraintdef(k.oid), convalidated
    FROM pg_constraint k JOIN pg_namespace n ON n.oid = connamespace AND ${ours} WHERE contype <> 'n'`,
  triggers: `SELECT pg_get_triggerdef(t.oid), tgenabled FROM ${relations} JOIN pg_trigger t ON tgrelid = c.oid WHERE NOT tgisinternal`,
  functions: `SELECT p.oid::regprocedure, prosrc, prokind, pg_get_userbyid(proowner), proacl::text
    FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace AND ${ours}
   WHERE NOT EXISTS (SELECT FROM pg_depend WHERE objid = p.oid AND deptype = 'e')`,
  types: `SELECT t.oid::regtype, typtype, pg_get_userbyid(typowner),
      ARRAY(SELECT enumlabel FROM pg_enum WHERE enumtypid = t.oid ORDER BY enumsortorder)
    FROM pg_type t JOIN pg_namespace n ON n.oid = typnamespace AND ${ours}`,
  policies: `SELECT polname, polrelid::regclass, polcmd, pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid) FROM pg_policy`,
  rules: `SELECT pg_get_ruledef(r.oid) FROM pg_rewrite r WHERE rulename = 'no_delete'`,
  statistics: `SELECT stxname, stxrelid::regclass FROM pg_statistic_ext`,
  schemas: `SELECT nspname, pg_get_userbyid(nspowner), nspacl::text FROM pg_namespace n WHERE ${ours}`,
  extensions: `SELECT extname FROM pg_extension`,
  events: `SELECT evtname, evtevent, evtenabled FROM pg_event_trigger WHERE evtname NOT LIKE 'godwit%'`,
  publications: `SELECT pubname, tablename FROM pg_publication_tables WHERE pubname <> 'godwit_move'`,
  roles: `SELECT rolname, rolcanlogin, rolconnlimit, rolvaliduntil::text, rolpassword FROM pg_authid WHERE rolname NOT LIKE 'pg\\_%' AND rolname NOT LIKE 'godwit%'`,
  members: `SELECT roleid::regrole, member::regrole, bool_or(admin_option) FROM pg_auth_members WHERE member::regrole::text NOT LIKE '%godwit%' AND roleid >= 16384 GROUP BY 1, 2`,
  settings: `SELECT datname, rolname, setconfig FROM pg_db_role_setting LEFT JOIN pg_database d ON d.oid = setdatabase LEFT JOIN pg_roles r ON r.oid = setrole`,
  databases: `SELECT datname, pg_get_userbyid(datdba), encoding, datcollate, shobj_description(oid, 'pg_database') FROM pg_database WHERE NOT datistemplate`,
  objects: `SELECT oid, pg_get_userbyid(lomowner), lomacl::text, md5(lo_get(oid)), obj_description(oid, 'pg_largeobject') FROM pg_largeobject_metadata`,
  defaults: `SELECT defaclrole::regrole, defaclobjtype, defaclacl::text FROM pg_default_acl`,
};

/** All of a database that its app could notice: what it consists of, its rows, its sequences. For a superuser's session. */
export async function everythingIn(client: pg.Client): Promise<Record<string, string[]>> {
  await client.query(`SET search_path = ''; SET timezone = 'UTC'; SET row_security = off`);
  const all: Record<string, string[]> = {};
  const lines = async (sql: string) => {
    const { rows } = await client.query<{ line: string }>(`SELECT q::text AS line FROM (${sql}) q`);
    // Version 17 brought the right to maintain.
    return rows.map(({ line }) => line.replaceAll('arwdDxtm', 'arwdDxt')).sort();
  };
  for (const [name, sql] of Object.entries(catalogue)) all[name] = await lines(sql);
  const { rows } = await client.query<{ name: string; kind: string }>(
    `SELECT c.oid::regclass::text AS name, relkind AS kind FROM ${relations}
      WHERE relkind IN ('r', 'S', 'v', 'm') AND relispopulated
        AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = c.oid AND deptype = 'e')`,
  );
  for (const { name, kind } of rows) {
    all[name] = await lines(
      kind === 'S' ? `SELECT last_value, is_called FROM ${name}` : `SELECT * FROM ONLY ${name}`,
    );
  }
  return all;
}
