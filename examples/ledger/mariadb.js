import { setTimeout as sleep } from 'node:timers/promises';
import mysql from 'mysql2/promise';

const pool = mysql.createPool({
  uri: process.env.SCALINGO_MYSQL_URL,
  connectionLimit: 10,
  connectTimeout: 10_000,
});

/** For how long a database that is away is waited for, in milliseconds. */
const patience = 10_000;
const away = new Set(['ECONNREFUSED', 'ECONNRESET', 'ENOENT', 'PROTOCOL_CONNECTION_LOST']);

/** As for PostgreSQL: a connection is made again and again, what was begun on one is not. */
async function withConnection(use) {
  const connection = await connect(Date.now() + patience);
  try {
    const result = await use(connection);
    connection.release();
    return result;
  } catch (error) {
    connection.destroy();
    throw error;
  }
}

async function connect(deadline) {
  for (;;) {
    try {
      return await pool.getConnection();
    } catch (error) {
      if (!away.has(error.code) || Date.now() > deadline) throw error;
      await sleep(50);
    }
  }
}

export async function prepare() {
  await withConnection((connection) =>
    connection.query(`
      CREATE TABLE IF NOT EXISTS entries (
        received bigint AUTO_INCREMENT PRIMARY KEY,
        client varchar(100) NOT NULL,
        number bigint NOT NULL
      )`),
  );
}

export async function add({ client, number }) {
  await withConnection((connection) =>
    connection.execute('INSERT INTO entries (client, number) VALUES (?, ?)', [client, number]),
  );
}

export async function receivedAfter(received, limit) {
  return withConnection(async (connection) => {
    const [rows] = await connection.query(
      'SELECT received, client, number FROM entries WHERE received > ? ORDER BY received LIMIT ?',
      [received, limit],
    );
    return rows;
  });
}

export async function close() {
  await pool.end();
}
