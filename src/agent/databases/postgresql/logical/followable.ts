import pRetry from 'p-retry';
import pg from 'pg';
import { until } from '../../../../shared/until.js';
import { clusterWideQuery } from './cluster-wide.js';
import { largeObjectsQuery } from './large-objects.js';
import { asOurselves, isPrepared, publication, schema } from './names.js';

/** How long transactions that began before may take to end, in milliseconds. */
const olderPatience = 60_000;

/** How long others may have to wait for a lock that is wanted, in PostgreSQL's words. */
const lockPatience = '500ms';

/** SQLSTATE of a lock that was waited for in vain. */
const lockNotAvailable = '55P03';

/**
 * What may not be done while a database is followed by rows, since it would not arrive: changing
 * anything but rows. Temporary objects are nobody else's, indexes can be built anew, and
 * materialised views are refreshed there too.
 */
const refusal = `
  RAISE EXCEPTION USING
    ERRCODE = 'object_not_in_prerequisite_state',
    MESSAGE = format('%s is refused while this database is being moved', TG_TAG),
    HINT = 'Rows can be changed; tables and whatever else there is can, once the migration is completed, rolled back or aborted.'`;

const readersOwn = `${schema}.large_objects(), ${schema}.large_object_pages(oid), ${schema}.cluster_wide_now()`;

const definitions = `
  CREATE SCHEMA ${schema};
  CREATE TABLE ${schema}.replica_identity (relation text PRIMARY KEY, identity text NOT NULL);
  CREATE TABLE ${schema}.silenced_trigger (relation text, name text, enabled text NOT NULL, PRIMARY KEY (relation, name));
  CREATE TABLE ${schema}.refreshed (relation text PRIMARY KEY);
  CREATE TABLE ${schema}.cluster_wide (kind text, name jsonb, value jsonb, PRIMARY KEY (kind, name));
  CREATE TABLE ${schema}.script (part text PRIMARY KEY, sql text NOT NULL);

  CREATE FUNCTION ${schema}.refuse_change() RETURNS event_trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  DECLARE change record;
  BEGIN
    IF current_setting('${schema}.own', true) = 'on' THEN RETURN; END IF;
    FOR change IN SELECT * FROM pg_event_trigger_ddl_commands() LOOP
      IF change.command_tag = 'REFRESH MATERIALIZED VIEW' THEN
        INSERT INTO ${schema}.refreshed VALUES (change.object_identity) ON CONFLICT DO NOTHING;
      ELSIF change.command_tag <> 'REINDEX' AND change.schema_name IS DISTINCT FROM 'pg_temp' THEN ${refusal};
      END IF;
    END LOOP;
  END $$;

  CREATE FUNCTION ${schema}.refuse_drop() RETURNS event_trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  BEGIN
    IF current_setting('${schema}.own', true) = 'on' THEN RETURN; END IF;
    IF EXISTS (SELECT FROM pg_event_trigger_dropped_objects() WHERE original AND NOT is_temporary) THEN ${refusal};
    END IF;
  END $$;

  CREATE FUNCTION ${schema}.large_objects() RETURNS TABLE (id oid, owner text, acl text, comment text, digest text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ ${largeObjectsQuery} $$;

  CREATE FUNCTION ${schema}.cluster_wide_now() RETURNS TABLE (kind text, name jsonb, value jsonb)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ ${clusterWideQuery} $$;

  CREATE FUNCTION ${schema}.large_object_pages(oid) RETURNS TABLE (page int, data bytea)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT pageno, data FROM pg_largeobject WHERE loid = $1 ORDER BY pageno $$;

  CREATE FUNCTION ${schema}.refuse_concurrent() RETURNS event_trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  BEGIN
    -- What is done in several transactions cannot be refused at its end any more. Views are refreshed in one.
    IF current_query() ~* '\\mconcurrently\\M' AND current_query() !~* '\\mrefresh\\s+materialized\\M' THEN ${refusal};
    END IF;
  END $$;

  REVOKE ALL ON FUNCTION ${readersOwn} FROM PUBLIC;
  CREATE EVENT TRIGGER ${schema}_refuse_change ON ddl_command_end EXECUTE FUNCTION ${schema}.refuse_change();
  CREATE EVENT TRIGGER ${schema}_refuse_concurrent ON ddl_command_start WHEN TAG IN ('CREATE INDEX', 'DROP INDEX', 'ALTER TABLE')
    EXECUTE FUNCTION ${schema}.refuse_concurrent();
  CREATE EVENT TRIGGER ${schema}_refuse_drop ON sql_drop EXECUTE FUNCTION ${schema}.refuse_drop();`;

/** Tables whose rows are streamed: permanent ones, and of extensions those that hold the app's data. */
export const streamedTables = `
  SELECT c.oid, format('%I.%I', n.nspname, c.relname) AS name
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE c.relkind = 'r' AND c.relpersistence = 'p'
     AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname NOT IN ('information_schema', '${schema}')
     AND NOT EXISTS (
       SELECT FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
        WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
          AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
          AND c.oid <> ALL (coalesce(e.extconfig, '{}')))`;

/** Whether a table `c` has columns that are computed when they are written. */
const isGenerated = `EXISTS (SELECT FROM pg_attribute WHERE attrelid = c.oid AND attgenerated = 's')`;

/**
 * Tables whose changed rows could not be told apart: those without a usable primary key, or index
 * named for it; nor by all of the row when some of that is generated, which is not streamed, and which version 18
 * refuses. What they are to be told apart by: a unique index of columns that are never null, or else all of the row.
 */
export const unidentifiedTables = `
  SELECT t.oid, t.name, c.relreplident AS identity, ${isGenerated} AS generated,
         (SELECT i.indexrelid::regclass::text FROM pg_index i
           WHERE i.indrelid = c.oid AND i.indisunique AND i.indimmediate AND i.indisvalid
             AND i.indpred IS NULL AND i.indexprs IS NULL
             AND NOT EXISTS (SELECT FROM unnest(i.indkey[0:i.indnkeyatts - 1]) AS key (attnum)
                             JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = key.attnum
                            WHERE NOT a.attnotnull OR a.attgenerated <> '')
           ORDER BY i.indnkeyatts, i.indexrelid LIMIT 1) AS index
    FROM (${streamedTables}) t JOIN pg_class c ON c.oid = t.oid
   WHERE c.relreplident = 'n' OR c.relreplident = 'f' AND ${isGenerated}
      OR c.relreplident IN ('d', 'f') AND NOT EXISTS (
           SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary AND i.indimmediate)`;

/** What else than an index a table's rows can be told apart by, in the catalogue's letters and in words. */
const identities = { d: 'DEFAULT', n: 'NOTHING', f: 'FULL' } as const;

/**
 * Makes a database one that can be followed by rows: from now on nothing but rows is changed in
 * it, every change of a row says which, and `follower` may read what is not streamed. Repeated, it
 * goes on where it was.
 * @throws when transactions that began before do not end, or tables stay locked
 */
export async function makeFollowable(client: pg.Client, follower: string): Promise<void> {
  await asOurselves(client);
  if (!(await isPrepared(client))) await client.query(definitions);
  const role = client.escapeIdentifier(follower);
  await client.query(`GRANT USAGE ON SCHEMA ${schema} TO ${role};
    GRANT SELECT ON ALL TABLES IN SCHEMA ${schema} TO ${role};
    GRANT EXECUTE ON FUNCTION ${readersOwn} TO ${role}`);
  const published = await client.query('SELECT FROM pg_publication WHERE pubname = $1', [
    publication,
  ]);
  if (published.rowCount !== 0) return;
  await olderTransactionsEnded(client);
  const { rows } = await client.query<{
    name: string;
    identity: keyof typeof identities;
    index: string | null;
  }>(unidentifiedTables);
  for (const { name, identity, index } of rows) {
    await patiently(
      client,
      `INSERT INTO ${schema}.replica_identity
          VALUES (${client.escapeLiteral(name)}, '${identities[identity]}');
        ALTER TABLE ONLY ${name} REPLICA IDENTITY ${index ? `USING INDEX ${lastPart(index)}` : 'FULL'}`,
    );
  }
  const { rows: tables } = await client.query<{ name: string }>(streamedTables);
  const list =
    tables.length > 0 ? `FOR TABLE ${tables.map(({ name }) => `ONLY ${name}`).join(', ')}` : '';
  await client.query(`DELETE FROM ${schema}.cluster_wide;
    INSERT INTO ${schema}.cluster_wide SELECT * FROM ${schema}.cluster_wide_now()`);
  await patiently(client, `CREATE PUBLICATION ${publication} ${list}`);
}

/** Leaves nothing of {@link makeFollowable}: all is as it was before. */
export async function release(client: pg.Client): Promise<void> {
  await asOurselves(client);
  if (!(await isPrepared(client))) return;
  await client.query(`DROP PUBLICATION IF EXISTS ${publication}`);
  const { rows } = await client.query<{ relation: string; identity: string }>(
    `SELECT relation, identity FROM ${schema}.replica_identity`,
  );
  for (const { relation, identity } of rows) {
    await patiently(
      client,
      `DELETE FROM ${schema}.replica_identity WHERE relation = ${client.escapeLiteral(relation)};
        ALTER TABLE ONLY ${relation} REPLICA IDENTITY ${identity}`,
    );
  }
  await client.query(`DROP EVENT TRIGGER IF EXISTS ${schema}_refuse_change;
    DROP EVENT TRIGGER IF EXISTS ${schema}_refuse_concurrent;
    DROP EVENT TRIGGER IF EXISTS ${schema}_refuse_drop;
    DROP SCHEMA IF EXISTS ${schema} CASCADE`);
}

/** What began before changes were refused may still make some. */
async function olderTransactionsEnded(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ xid: string }>('SELECT pg_current_xact_id()::text AS xid');
  const xid = rows[0]?.xid;
  await until(
    async () => {
      const ended = await client.query(
        'SELECT WHERE pg_snapshot_xmin(pg_current_snapshot()) > $1::xid8',
        [xid],
      );
      return ended.rowCount === 1;
    },
    {
      timeout: olderPatience,
      what: 'transactions that began before the database was to be followed. End them, and try again',
    },
  );
}

/** Tries again what would have others wait for longer than {@link lockPatience}. */
async function patiently(client: pg.Client, sql: string): Promise<void> {
  const work = () => client.query(`SET LOCAL lock_timeout = '${lockPatience}'; ${sql}`);
  await pRetry(work, {
    ...{ retries: 40, minTimeout: 100, maxTimeout: 1_000 },
    shouldRetry: ({ error }) =>
      error instanceof pg.DatabaseError && error.code === lockNotAvailable,
  });
}

/** `regclass` names an index with its schema where that is needed; the statement wants it without. */
function lastPart(name: string): string {
  return /(?:^|\.)("(?:[^"]|"")+"|[^".]+)$/.exec(name)?.[1] ?? name;
}
