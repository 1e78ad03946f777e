import type pg from 'pg';
import type { Cluster } from '../../../../postgresql/cluster.js';

/** As often as this the same transaction has failed before that is believed to be for good. */
const often = 5;

/** How much of the server's log is looked at. */
const lines = 200;

/**
 * Why the same transaction of the primary fails again and again when it is applied: only the log
 * tells. Null when it does not, or did and has been applied since.
 */
export async function whyNotApplied(client: pg.Client, cluster: Cluster): Promise<string | null> {
  // What it wrote before it was started last may be of a copy that is no more.
  const [log = ''] = (await cluster.lastLogLines(lines))
    .split('ready to accept connections')
    .slice(-1);
  const failures = [
    ...log.matchAll(
      /processing remote data for replication origin "(?<origin>.*?)"(?<what>.*) in transaction \d+, finished at (?<end>[\dA-F/]+)/g,
    ),
  ].slice(-often);
  const last = failures.at(-1);
  if (!last?.groups || failures.length < often) return null;
  if (failures.some(({ groups }) => groups?.['end'] !== last.groups?.['end'])) return null;
  const { origin, what, end } = last.groups;
  const missing = await client.query(
    `SELECT FROM pg_subscription s LEFT JOIN pg_replication_origin_status o ON o.external_id = 'pg_' || s.oid
      WHERE 'pg_' || s.oid = $1 AND (o.remote_lsn IS NULL OR o.remote_lsn < $2::pg_lsn)`,
    [origin, end],
  );
  if (missing.rowCount === 0) return null;
  const [error = ''] = log.slice(0, last.index).split('ERROR:  ').slice(-1);
  const [message, detail] = [error.split('\n', 1)[0], /DETAIL: {2}(.*)/.exec(error)?.[1]];
  const table = /target relation (".*?")/.exec(what ?? '')?.[1];
  return `What the primary wrote${table ? ` to ${table}` : ''} cannot be applied: ${message}${detail ? ` (${detail})` : ''}. Abort, mend that in the primary, and begin anew.`;
}
