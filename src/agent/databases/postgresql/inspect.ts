import type pg from 'pg';

interface Found {
  readonly version: string;
  readonly size: number;
  readonly obstacles: string[];
  readonly remarks: string[];
}

/** What physical replication cannot carry, or the owner should know of. Looks; changes nothing. */
export async function inspectCluster(client: pg.Client): Promise<Found> {
  const { rows } = await client.query<{
    version: string;
    size: string;
    tablespaces: string[];
    unlogged: string[];
    prepared: string;
  }>(`
    SELECT current_setting('server_version') AS version,
           (SELECT sum(pg_database_size(oid)) FROM pg_database) AS size,
           ARRAY(SELECT spcname::text FROM pg_tablespace WHERE spcname NOT LIKE 'pg\\_%') AS tablespaces,
           ARRAY(SELECT oid::regclass::text FROM pg_class
                  WHERE relpersistence = 'u' AND relkind = 'r') AS unlogged,
           (SELECT count(*) FROM pg_prepared_xacts) AS prepared`);
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
  return { version: row.version, size: Number(row.size), obstacles, remarks };
}
