import { pool, prepareSchema, withConnection } from './db.js';

/** Other databases of the app, by name: each entry is written to all of them, too. */
const copies = {
  ...(process.env.SCALINGO_MYSQL_URL && { mariadb: await import('./mariadb.js') }),
  ...(process.env.SCALINGO_REDIS_URL && { redis: await import('./redis.js') }),
};

export async function open() {
  await Promise.all([prepareSchema(), ...Object.values(copies).map((copy) => copy.prepare())]);
}

export async function close() {
  await Promise.all([pool.end(), ...Object.values(copies).map((copy) => copy.close())]);
}

/** Writes an entry; returns when it is committed, everywhere. */
export async function add({ client, number, via, digest = null, after = null }) {
  await withConnection((connection) =>
    connection.query(
      'INSERT INTO entries (client, number, via, digest, after) VALUES ($1, $2, $3, $4, $5)',
      [client, number, via, digest, after],
    ),
  );
  await Promise.all(Object.values(copies).map((copy) => copy.add({ client, number })));
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

/** Those of another database received after one; null when the app has no such database. */
export async function copiesReceivedAfter(name, received, limit) {
  return Object.hasOwn(copies, name) ? copies[name].receivedAfter(received, limit) : null;
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
