import { pool } from './db.js';

const columns = `sightings.id, client, number, species.name AS species, place, birds, note, seen_at`;
const joined = 'sightings JOIN species ON species.id = species_id';

/** @param {number} limit */
export async function latest(limit) {
  const { rows } = await pool.query(
    `SELECT ${columns} FROM ${joined} ORDER BY sightings.id DESC LIMIT $1`,
    [limit],
  );
  return rows;
}

/** Those after an id, oldest first: for walking through all of them. */
export async function after(id, limit) {
  const { rows } = await pool.query(
    `SELECT ${columns} FROM ${joined} WHERE sightings.id > $1 ORDER BY sightings.id LIMIT $2`,
    [id, limit],
  );
  return rows;
}

/** @returns null when that client has written no such number */
export async function find(client, number) {
  const { rows } = await pool.query(
    `SELECT ${columns} FROM ${joined} WHERE client = $1 AND number = $2`,
    [client, number],
  );
  return rows[0] ?? null;
}

/**
 * Writes a sighting. A client numbers its sightings, so that it may send one again when it has
 * not heard of it: it is written once.
 */
export async function add({ client, number, speciesId, place, birds, note }) {
  await pool.query(
    `INSERT INTO sightings (client, number, species_id, place, birds, note)
     VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (client, number) DO NOTHING`,
    [client, number, speciesId, place, birds, note],
  );
  return find(client, number);
}

export async function species() {
  const { rows } = await pool.query('SELECT id, name, latin FROM species ORDER BY name');
  return rows;
}

/** What the worker counted last. */
export async function totals() {
  const { rows } = await pool.query(
    `SELECT name, latin, sightings, birds, counted_at
       FROM totals JOIN species ON species.id = species_id ORDER BY birds DESC`,
  );
  return rows;
}

/** Exact, so it reads the whole table. */
export async function stats() {
  const { rows } = await pool.query(
    'SELECT count(*)::int AS rows, coalesce(sum(birds), 0)::bigint AS birds FROM sightings',
  );
  return rows[0];
}
