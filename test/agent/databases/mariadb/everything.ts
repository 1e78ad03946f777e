import type mysql from 'mysql2/promise';

/** Statements, by a superuser, that make one of everything an app may have; `$` is its database. */
const statements = [
  `CREATE TABLE birds (id int PRIMARY KEY AUTO_INCREMENT, name varchar(100) NOT NULL, wing int,
     cm decimal(8,2) AS (wing / 10) STORED, inches decimal(8,2) AS (wing / 25.4) VIRTUAL,
     seen datetime(6), mood enum('calm', 'wild'), data json, place point, UNIQUE (name)) COMMENT 'Vögel 🐦'`,
  `CREATE TABLE sightings (id bigint PRIMARY KEY AUTO_INCREMENT, bird int NOT NULL, note text,
     picture longblob, FULLTEXT (note), FOREIGN KEY (bird) REFERENCES birds (id) ON DELETE CASCADE)`,
  `CREATE TABLE audit (id int PRIMARY KEY AUTO_INCREMENT, what text, at timestamp(6) DEFAULT now(6))`,
  `CREATE TABLE history (id int PRIMARY KEY, v int) WITH SYSTEM VERSIONING`,
  `CREATE TABLE parts (id int, at date, PRIMARY KEY (id, at)) PARTITION BY HASH (id) PARTITIONS 3`,
  `CREATE TABLE loose (a int, b varchar(20))`,
  `CREATE TABLE old (id int PRIMARY KEY, t varchar(50)) ENGINE = MyISAM`,
  `CREATE TABLE crash_safe (id int PRIMARY KEY, t varchar(50)) ENGINE = Aria`,
  `CREATE TABLE narrow (id int PRIMARY KEY, t varchar(50)) CHARACTER SET latin1`,
  `CREATE SEQUENCE tickets START WITH 7 INCREMENT BY 3`,
  `CREATE VIEW wild AS SELECT id, name FROM birds WHERE mood = 'wild'`,
  `CREATE FUNCTION span(wing int) RETURNS int RETURN wing * 2`,
  `CREATE PROCEDURE note(words text) BEGIN INSERT INTO audit (what) VALUES (words); END`,
  `CREATE TRIGGER told AFTER INSERT ON birds FOR EACH ROW INSERT INTO audit (what) VALUES (concat('bird ', NEW.id, ' ', rand()))`,
  `CREATE EVENT yearly ON SCHEDULE EVERY 1 YEAR DO CALL note('yearly')`,
  `CREATE EVENT never ON SCHEDULE EVERY 1 SECOND DISABLE DO CALL note('never')`,
  `SET character_set_client = latin1`,
  `CREATE EVENT Vögel ON SCHEDULE EVERY 1 YEAR DO CALL note('Vögel')`,
  `SET NAMES utf8mb4`,
  `CREATE DATABASE $_more CHARACTER SET utf8mb4 COLLATE utf8mb4_bin`,
  `CREATE TABLE $_more.things (id int PRIMARY KEY, t text)`,
  `CREATE USER reader@'127.0.0.1' IDENTIFIED BY 'a password'`,
  `GRANT SELECT ON $.* TO reader@'127.0.0.1'`,
  `CREATE ROLE keeper`,
  `GRANT INSERT, UPDATE (note) ON $.sightings TO keeper`,
  `GRANT keeper TO reader@'127.0.0.1'`,
  `INSERT INTO birds (name, wing, seen, mood, data, place) SELECT concat('bird ', seq, ' 🐦'), seq, '2026-11-25 12:00:00.123456', IF(seq % 2, 'calm', 'wild'),
     json_object('n', seq), point(seq, seq) FROM seq_1_to_500`,
  `INSERT INTO sightings (bird, note, picture) SELECT 1 + seq % 500, concat('note ', seq), random_bytes(1000) FROM seq_1_to_1000`,
  `INSERT INTO sightings (bird, note, picture) VALUES (1, 'large', repeat(random_bytes(1024), 4096))`,
  `INSERT INTO history VALUES (1, 1), (2, 2)`,
  `UPDATE history SET v = 3 WHERE id = 1`,
  `INSERT INTO parts SELECT seq, '2026-01-01' FROM seq_1_to_50`,
  `INSERT INTO loose VALUES (1, 'x'), (1, 'x'), (NULL, NULL)`,
  `INSERT INTO old SELECT seq, 'old' FROM seq_1_to_100`,
  `INSERT INTO crash_safe SELECT seq, 'aria' FROM seq_1_to_100`,
  `INSERT INTO narrow VALUES (1, 'Vögel')`,
  `INSERT INTO $_more.things VALUES (1, 'ﬆ')`,
  `SELECT NEXT VALUE FOR tickets`,
];

/** Statements that change what is there, and add to it. */
const changes = [
  `INSERT INTO birds (name, wing, mood) VALUES ('newcomer', 12, 'wild')`,
  `DELETE FROM birds WHERE id = 7`,
  `UPDATE sightings SET note = concat(note, ' again') WHERE id < 50`,
  `UPDATE loose SET b = 'y' LIMIT 1`,
  `UPDATE old SET t = 'older' WHERE id < 10`,
  `UPDATE history SET v = v + 1`,
  `ALTER TABLE narrow ADD COLUMN more int DEFAULT 5`,
  `CREATE TABLE made_later (id int PRIMARY KEY) AS SELECT id FROM parts`,
  `CREATE EVENT off_later ON SCHEDULE EVERY 1 SECOND DISABLE DO CALL note('never')`,
  `CREATE EVENT on_later ON SCHEDULE EVERY 1 YEAR DO CALL note('yearly')`,
  `ALTER EVENT yearly COMMENT 'changed'`,
  `CREATE USER late@'127.0.0.1' IDENTIFIED BY 'another password'`,
  `GRANT SELECT ON $_more.* TO late@'127.0.0.1'`,
  `SELECT NEXT VALUE FOR tickets`,
  `CREATE TABLE ticketed (id int PRIMARY KEY DEFAULT nextval(tickets), note text)`,
  `INSERT INTO ticketed (note) VALUES ('before')`,
  `ALTER SEQUENCE tickets RESTART 1000`,
  `INSERT INTO ticketed (note) VALUES ('after')`,
];

export async function makeEverything(client: mysql.Connection, database: string): Promise<void> {
  await client.query(`USE ${database}`);
  for (const sql of statements) await client.query(sql.replaceAll('$', database));
}

export async function changeEverything(client: mysql.Connection, database: string): Promise<void> {
  for (const sql of changes) await client.query(sql.replaceAll('$', database));
}

/** All that there is in the app's databases, as texts to be compared. */
export async function everything(client: mysql.Connection): Promise<Record<string, unknown>> {
  const found: Record<string, unknown> = {};
  const rows = async (sql: string) => (await client.query<mysql.RowDataPacket[]>(sql))[0];
  const objects = await rows(`
    SELECT table_schema AS s, table_name AS n, table_type AS t FROM information_schema.tables WHERE table_schema LIKE 'app%'
    UNION SELECT routine_schema, routine_name, routine_type FROM information_schema.routines WHERE routine_schema LIKE 'app%'
    UNION SELECT trigger_schema, trigger_name, 'TRIGGER' FROM information_schema.triggers WHERE trigger_schema LIKE 'app%'
    UNION SELECT event_schema, event_name, 'EVENT' FROM information_schema.events WHERE event_schema LIKE 'app%'`);
  for (const { s, n, t } of objects) {
    const kind = t === 'BASE TABLE' || t === 'SYSTEM VERSIONED' ? 'TABLE' : t;
    const [created] = await rows(`SHOW CREATE ${kind} \`${s}\`.\`${n}\``);
    found[`${kind} ${s}.${n}`] = { ...created, Created: null };
    if (kind === 'TABLE') {
      found[`rows of ${s}.${n}`] = (await rows(`CHECKSUM TABLE \`${s}\`.\`${n}\` EXTENDED`))[0];
    }
    if (kind === 'SEQUENCE')
      found[`state of ${s}.${n}`] = await rows(`SELECT * FROM \`${s}\`.\`${n}\``);
  }
  const events = `SELECT db, name, body, definer, status, sql_mode, comment, interval_value, interval_field, starts FROM mysql.event ORDER BY db, name`;
  found['events'] = await rows(events);
  const accounts = await rows(
    `SELECT User AS u, Host AS h FROM mysql.global_priv WHERE User NOT LIKE 'godwit%' ORDER BY 1, 2`,
  );
  for (const { u, h } of accounts) {
    const who = h === '' ? `\`${u}\`` : `\`${u}\`@\`${h}\``;
    found[`grants of ${who}`] = (await rows(`SHOW GRANTS FOR ${who}`)).map(Object.values);
  }
  return found;
}
