import { pool } from './db.js';

const chunk = 50_000;

/**
 * Fills the log with `wanted` sightings of past years, a chunk a transaction; goes on where an
 * earlier try was interrupted.
 */
export async function seed(wanted) {
  const { rows } = await pool.query(
    `SELECT coalesce(max(number), 0)::int AS done FROM sightings WHERE client = 'archive'`,
  );
  for (let from = rows[0].done + 1; from <= wanted; from += chunk) {
    const to = Math.min(from + chunk - 1, wanted);
    await pool.query(
      `INSERT INTO sightings (client, number, species_id, place, birds, note, seen_at)
       SELECT 'archive', n, 1 + n % 10,
              (ARRAY['Wadden Sea', 'Yalu Jiang', 'Miranda', 'Cook Inlet', 'Banc d''Arguin'])[1 + n % 5],
              1 + (n * 7919) % 400, 'ring ' || md5(n::text), now() - n * interval '97 seconds'
         FROM generate_series($1::bigint, $2::bigint) AS n
       ON CONFLICT DO NOTHING`,
      [from, to],
    );
    console.log(`${to} of ${wanted} sightings written`);
  }
}
