import { randomUUID } from 'node:crypto';
import type mysql from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Contents } from '../../../../src/region/model.js';
import { ComparedPair, compared, differences } from '../compared-pair.js';
import { cleanUp, streaming } from '../test-databases.js';
import { changeEverything, makeEverything } from './everything.js';
import { administer, connect, createRegion, programs, version } from './region.js';

/** Tables with every kind of key, and values that read alike but are not the same. */
const columns = (count: number, type: string) =>
  Array.from({ length: count }, (_, at) => `c${at} ${type}`);
const schema = `
  CREATE TABLE wide (id int PRIMARY KEY, ${columns(1_000, 'char DEFAULT 1')});
  INSERT INTO wide (id) VALUES (1);
  CREATE TABLE heavy (id int PRIMARY KEY, ${columns(260, `text DEFAULT repeat('x', 65535)`)}) ROW_FORMAT = DYNAMIC;
  INSERT INTO heavy (id) VALUES (1);
  CREATE TABLE by_int (id int PRIMARY KEY, note text, doubled int AS (id * 2) STORED, who varchar(100) AS (current_user()) VIRTUAL);
  INSERT INTO by_int (id, note) SELECT CAST(seq AS int) - 1000, concat('int note ', seq) FROM seq_1_to_2000;
  CREATE TABLE by_text (name varchar(50) CHARACTER SET latin1 COLLATE latin1_german2_ci PRIMARY KEY, note text);
  INSERT INTO by_text SELECT concat(char(64 + seq % 60 USING utf8mb4), 'é', seq), seq FROM seq_1_to_1500;
  CREATE TABLE by_bytes (id binary(16) PRIMARY KEY, note text);
  INSERT INTO by_bytes SELECT unhex(md5(seq)), seq FROM seq_1_to_1500;
  CREATE TABLE by_several (feeling enum('sad', 'ok', 'happy'), name varchar(20) COLLATE utf8mb4_unicode_ci, at timestamp(3), size float, ids bigint unsigned,
    PRIMARY KEY (feeling, name, at, size, ids));
  INSERT INTO by_several SELECT 1 + seq % 3, concat('ß', seq % 7), '2026-01-01' + INTERVAL seq % 11 SECOND, seq / 7, 18446744073709551615 - seq FROM seq_1_to_1500;
  CREATE TABLE by_uuid (id uuid NOT NULL, part decimal(10, 3) NOT NULL, at datetime NOT NULL, UNIQUE (id, part, at));
  INSERT INTO by_uuid SELECT uuid(), seq / 3, '0000-00-00' FROM seq_1_to_1500;
  CREATE TABLE keyless (a varchar(20), b varchar(20));
  INSERT INTO keyless VALUES ('the same', NULL), ('the same', NULL), ('', 'x'), ('x', ''), (NULL, 'x');
  CREATE TABLE types (id int PRIMARY KEY, f float, d double, bits bit(12), members set('a', 'b'), y year, zero date, t time(6), g geometry, address inet6, j json, big longblob);
  INSERT INTO types VALUES (1, 1e30 / 3, 1e-300 / 7, b'101', 'a,b', 2026, '0000-00-00', '-12:00:00.000001', point(1, 2), '::1', '{"a": 1}', repeat('0123456789abcdef', 70000)),
    (2, 0.1, 0.1, 0, '', 0, NULL, NULL, NULL, NULL, NULL, '');
  CREATE TABLE \`we.ird \`\`name\`\`\` (\`a\`\`b\` int PRIMARY KEY, \`key\` text);
  INSERT INTO \`we.ird \`\`name\`\`\` VALUES (1, 'x');`;

describe.skipIf(!programs)('a MariaDB and its follower', () => {
  let pair: ComparedPair;
  let app: mysql.Connection;
  /** A superuser of the follower, whose changes are not part of any history. */
  let behind: mysql.Connection;
  let name: string;
  let prefix: string;

  beforeAll(async () => {
    const [here, there] = [await createRegion(), await createRegion()];
    const old = await here.provision(version);
    const twin = await there.provision(version, 'empty');
    const uri = here.databases.variables(old)['DATABASE_URL'] ?? '';
    name = new URL(uri).pathname.slice(1);
    prefix = `${name}.`;
    const source = await administer(here, old);
    await makeEverything(source, name);
    app = await connect(here, old);
    await app.query(`SET sql_mode = ''; ${schema}`);
    const endpoint = await here.databases.grantFollow({ database: old, follower: randomUUID() });
    await there.databases.follow({ database: twin, endpoint });
    await streaming(there, twin);
    await changeEverything(source, name);
    behind = await administer(there, twin);
    await behind.query(`SET sql_log_bin = 0; USE ${name}`);
    pair = new ComparedPair([here, old], [there, twin]);
  });
  afterAll(cleanUp);

  it('are the same, whatever the tables are, and while they are written to', async () => {
    const writing = new AbortController();
    const writers = [
      `UPDATE by_int SET note = rand() WHERE id = floor(rand() * 100)`,
      `UPDATE history SET v = v + 1`,
      `DELETE FROM by_text ORDER BY name LIMIT 1`,
      `INSERT INTO by_bytes VALUES (random_bytes(16), 'new')`,
      `SELECT NEXT VALUE FOR tickets`,
    ];
    const counts = (async () => {
      for (let done = 0; ; done += 1) {
        if (writing.signal.aborted) return done;
        for (const statement of writers) await app.query(statement);
      }
    })();
    const found = await compared(pair, prefix);
    writing.abort();
    expect(await counts).toBeGreaterThan(10);
    expect(differences(found)).toEqual([]);
    const rows = Object.fromEntries([...found].map(([name, one]) => [name, one.rows]));
    expect(rows).toMatchObject({
      by_int: 2_000,
      by_several: 1_500,
      by_uuid: 1_500,
      keyless: 5,
      types: 2,
      'we.ird `name`': 1,
      tickets: 1,
      parts: 50,
      old: 100,
      loose: 3,
    });
    expect(rows['history']).toBeGreaterThan(3);
    expect(found.has('wild')).toBe(false);
  });

  it('differ where the follower was changed behind its back, which is named to the row', async () => {
    // What was written before is not to meet what is changed here.
    await pair.follower.waitFor(await pair.primary.position());
    await behind.query(`
      UPDATE by_int SET note = 'another' WHERE id = 700;
      UPDATE by_text SET note = '' WHERE name = 'Zé1226';
      DELETE FROM by_bytes WHERE id = unhex(md5(77));
      DELETE FROM by_several WHERE ids = 18446744073709550616;
      INSERT INTO by_uuid VALUES ('00000000-0000-0000-0000-000000000000', 1, '2026-01-01');
      UPDATE wide SET c999 = 2;
      UPDATE heavy SET c7 = 'another';
      UPDATE keyless SET a = NULL, b = 'x' WHERE a = '';
      UPDATE types SET f = 0.10000001 WHERE id = 2;
      UPDATE types SET big = concat(left(big, 1000000), '?', substr(big, 1000002)) WHERE id = 1`);
    const found = await compared(pair, prefix);
    const one = { kind: 'different', primary: 1, follower: 1 };
    const range = (to: unknown) => ({ range: { to: JSON.stringify(to) } });
    expect(differences(found)).toMatchObject([
      {
        name: 'by_bytes',
        ...{ ...one, follower: 0 },
        ...range([{ hex: '28dd2c7955ce926456240b2ff0100bde' }]),
      },
      { name: 'by_int', ...one, range: { after: '["699"]', to: '["700"]' } },
      {
        name: 'by_several',
        ...{ ...one, follower: 0 },
        ...range([
          ...['1', 'ß5', '2026-01-01 00:00:09.000'],
          ...['142.7142791748047', '18446744073709550616'],
        ]),
      },
      { name: 'by_text', ...one, ...range([{ hex: '5ae931323236' }]) },
      { name: 'by_uuid', ...one, primary: 0 },
      { name: 'heavy', ...one, range: { after: null, to: null } },
      {
        name: 'keyless',
        kind: 'different',
        primary: 5,
        follower: 5,
        range: { after: null, to: null },
      },
      { name: 'types', ...one, range: { after: null, to: '["1"]' } },
      { name: 'types', ...one, range: { after: '["1"]', to: null } },
      { name: 'wide', ...one, range: { after: null, to: null } },
    ]);
  });

  it('differ where something was defined anew behind its back, which is named', async () => {
    await pair.follower.waitFor(await pair.primary.position());
    await behind.query(`
      ALTER DATABASE ${name}_more COLLATE utf8mb4_general_ci;
      ALTER TABLE narrow ADD INDEX (t);
      ALTER TABLE tickets COMMENT = 'changed';
      CREATE OR REPLACE VIEW wild AS SELECT id, name FROM birds WHERE mood = 'calm';
      CREATE OR REPLACE FUNCTION span(wing int) RETURNS int RETURN wing * 3;
      DROP TRIGGER told;
      ALTER EVENT never COMMENT 'changed';
      REVOKE UPDATE (note) ON sightings FROM keeper;
      SET PASSWORD FOR late@'127.0.0.1' = PASSWORD('changed')`);
    const ofDefinitions = (all: Contents) => ({
      ...all,
      parts: all.parts.filter((part) => part.name.startsWith('definitions of ')),
    });
    const definitions = {
      ...pair,
      contents: async () => {
        const { primary, follower } = await pair.contents();
        return { primary: ofDefinitions(primary), follower: ofDefinitions(follower) };
      },
    };
    const named = differences(await compared(definitions, 'definitions of ')).map(
      ({ name: kind, range, follower }) => `${kind} ${range.to} ${follower}`,
    );
    expect(named.sort()).toEqual([
      'accounts "keeper" 1',
      'accounts "late@127.0.0.1" 1',
      `databases "${name}_more" 1`,
      `events "${name}.never" 1`,
      `routines "${name}.span" 1`,
      `tables "${name}.narrow" 1`,
      `tables "${name}.tickets" 1`,
      `triggers "${name}.told" 0`,
      `views "${name}.wild" 1`,
    ]);
  });

  it('are read by somebody who may do nothing else', async () => {
    await app.query(`
      CREATE FUNCTION own_code() RETURNS int SQL SECURITY INVOKER RETURN 1;
      CREATE TABLE trap (id int PRIMARY KEY)`);
    const { primary } = await pair.contents();
    const trap = primary.parts.find(({ name }) => name === `${prefix}trap`)?.id ?? '';
    const look = { after: null, to: null, most: null };
    expect(await pair.primary.digest(trap, [look])).toMatchObject({ ranges: [{ rows: 0 }] });
    await app.query(
      `DROP TABLE trap; CREATE SQL SECURITY INVOKER VIEW trap AS SELECT own_code() AS id`,
    );
    expect(await pair.primary.digest(trap, [look])).toBeNull();
    const [grants] = await behind.query<mysql.RowDataPacket[]>(
      `SHOW GRANTS FOR godwit_reader@localhost`,
    );
    const rights = grants.flatMap(Object.values).map((grant) => String(grant).split(' ON ')[0]);
    expect(new Set(rights)).toEqual(new Set(['GRANT USAGE', 'GRANT SELECT']));
  });
});
