import { withConnection } from './db.js';

/** Writes an entry; returns when it is committed. */
export async function add({ client, number, via, digest = null, after = null }) {
  await withConnection((connection) =>
    connection.query(
      'INSERT INTO entries (client, number, via, digest, after) VALUES ($1, $2, $3, $4, $5)',
      [client, number, via, digest, after],
    ),
  );
}

/** The last number of a client; 0 before its first. */
export async function last(client) {
  const { rows } = await withConnection((connection) =>
    connection.query(
      'SELECT coalesce(max(number), 0)::int AS last FROM entries WHERE client = $1',
      [client],
    ),
  );
  return rows[0].last;
}

/** Those received after one, in the order in which they were. */
export async function receivedAfter(received, limit) {
  const { rows } = await withConnection((connection) =>
    connection.query(
      `SELECT received::int, client, number::int, via, digest, after::int, timeline, position::text
         FROM entries WHERE received > $1 ORDER BY received LIMIT $2`,
      [received, limit],
    ),
  );
  return rows;
}
