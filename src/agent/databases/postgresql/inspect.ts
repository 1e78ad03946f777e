import type pg from 'pg';

interface Found {
  readonly version: string;
  readonly size: number;
  readonly obstacles: string[];
  readonly unsuitable: string[];
  readonly remarks: string[];
}

/** One to copy, and one to stream what is written meanwhile. */
const sessionsToFollow = 2;

/** What physical replication cannot carry, or the owner should know of. Looks; changes nothing. */
export async function inspectCluster(client: pg.Client): Promise<Found> {
  // The app may have set another for its database, with functions of its own on it.
  await client.query('SET search_path = pg_catalog');
  const { rows } = await client.query<{
    version: string;
    size: string;
    tablespaces: string[];
    unlogged: string[];
    prepared: string;
    wal_level: string;
    senders: number;
    slots: number;
    ssl: boolean;
  }>(`
    SELECT current_setting('server_version') AS version,
           (SELECT sum(pg_database_size(oid)) FROM pg_database) AS size,
           ARRAY(SELECT spcname::text FROM pg_tablespace WHERE spcname NOT LIKE 'pg\\_%') AS tablespaces,
           ARRAY(SELECT oid::regclass::text FROM pg_class
                  WHERE relpersistence = 'u' AND relkind = 'r') AS unlogged,
           (SELECT count(*) FROM pg_prepared_xacts) AS prepared,
           current_setting('wal_level') AS wal_level,
           current_setting('max_wal_senders')::int
             - (SELECT count(*)::int FROM pg_stat_replication) AS senders,
           current_setting('max_replication_slots')::int
             - (SELECT count(*)::int FROM pg_replication_slots) AS slots,
           current_setting('ssl')::bool AS ssl`);
  const row = rows[0];
  if (!row) throw new Error('PostgreSQL did not answer what it is.');
  const obstacles: string[] = [];
  if (row.tablespaces.length > 0) {
    obstacles.push(
      `It has tablespaces (${row.tablespaces.join(', ')}), which cannot be copied. Move their tables to pg_default.`,
    );
  }
  if (row.unlogged.length > 0) {
    obstacles.push(
      `Unlogged tables (${row.unlogged.join(', ')}) would arrive empty. Run ALTER TABLE … SET LOGGED, or drop them.`,
    );
  }
  const remarks =
    row.prepared === '0'
      ? []
      : [`${row.prepared} prepared transactions are open; they move as they are.`];
  const unsuitable = [
    ...(row.wal_level === 'minimal'
      ? ['wal_level is "minimal", so that nothing can follow it. Set it to "replica" and restart.']
      : []),
    ...(row.senders < sessionsToFollow
      ? [
          `${Math.max(0, row.senders)} of max_wal_senders are free, and ${sessionsToFollow} are needed. Raise it and restart.`,
        ]
      : []),
    ...(row.slots < 1 ? ['None of max_replication_slots is free. Raise it and restart.'] : []),
    ...(row.ssl ? [] : ['ssl is off, and copies travel over TLS only. Set it to on and reload.']),
  ];
  return { version: row.version, size: Number(row.size), obstacles, unsuitable, remarks };
}
