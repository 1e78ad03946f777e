import pg from 'pg';
import { until } from '../../shared/until.js';
import type { TrafficReport } from './traffic.js';

/** What a database holds of the application's main table. */
export interface Holding {
  readonly rows: number;
  /** Of all rows, whatever their order. */
  readonly checksum: string;
}

export interface Comparison {
  readonly source: Holding;
  readonly destination: Holding;
  /** Acknowledged writes that are not in the destination exactly once. */
  readonly lostWrites: number;
}

/** Compares the two databases after the switch, when the source's follows the destination's. */
export async function compareDatabases(
  urls: { source: string; destination: string },
  { acknowledged }: Pick<TrafficReport, 'acknowledged'>,
): Promise<Comparison> {
  const destination = await connect(urls.destination);
  const source = await connect(urls.source);
  try {
    const { rows } = await destination.query<{ lsn: string }>(
      'SELECT pg_current_wal_flush_lsn() AS lsn',
    );
    await until(
      async () => {
        const caughtUp = await source.query<{ yes: boolean | null }>(
          'SELECT pg_last_wal_replay_lsn() >= $1::pg_lsn AS yes',
          [rows[0]?.lsn],
        );
        return caughtUp.rows[0]?.yes === true;
      },
      { timeout: 60_000, what: "the source's database to catch up with the destination's" },
    );
    return {
      source: await holding(source),
      destination: await holding(destination),
      lostWrites: await lostIn(destination, acknowledged),
    };
  } finally {
    await Promise.all([source.end(), destination.end()]);
  }
}

/** Counts acknowledged writes that a database does not have exactly once. */
export async function lostWrites(
  url: string,
  { acknowledged }: Pick<TrafficReport, 'acknowledged'>,
): Promise<number> {
  const client = await connect(url);
  try {
    return await lostIn(client, acknowledged);
  } finally {
    await client.end();
  }
}

async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client(url);
  await client.connect();
  return client;
}

async function holding(client: pg.Client): Promise<Holding> {
  const { rows } = await client.query<{ rows: string; checksum: string }>(
    `SELECT count(*) AS rows,
            md5(coalesce(sum(hashtextextended(sightings::text, 0)::numeric), 0)::text) AS checksum
       FROM sightings`,
  );
  return { rows: Number(rows[0]?.rows), checksum: rows[0]?.checksum ?? '' };
}

async function lostIn(
  client: pg.Client,
  acknowledged: TrafficReport['acknowledged'],
): Promise<number> {
  const { rows } = await client.query<{ lost: string }>(
    `SELECT count(*) AS lost
       FROM unnest($1::text[], $2::bigint[]) AS written (client, number)
      WHERE (SELECT count(*) FROM sightings
              WHERE sightings.client = written.client
                AND sightings.number = written.number) <> 1`,
    [acknowledged.map(({ client }) => client), acknowledged.map(({ number }) => number)],
  );
  return Number(rows[0]?.lost);
}
