import pg from 'pg';

/** One pool a process. Connections that break (a restart, a switchover) are replaced by new ones. */
export const pool = new pg.Pool({
  connectionString: process.env.DATABASE_URL,
  max: 10,
  connectionTimeoutMillis: 10_000,
});
// Whether it is idle or lent, or the process would end with it.
pool.on('connect', (client) =>
  client.on('error', (error) => console.error(`a connection broke: ${error.message}`)),
);
pool.on('error', () => undefined); // the connection has told

const species = [
  ['Bar-tailed godwit', 'Limosa lapponica'],
  ['Arctic tern', 'Sterna paradisaea'],
  ['Common swift', 'Apus apus'],
  ['White stork', 'Ciconia ciconia'],
  ['Common crane', 'Grus grus'],
  ['Barn swallow', 'Hirundo rustica'],
  ['Red knot', 'Calidris canutus'],
  ['Osprey', 'Pandion haliaetus'],
  ['Bluethroat', 'Luscinia svecica'],
  ['Northern wheatear', 'Oenanthe oenanthe'],
];

/** Creates what is missing. Several processes may start together: one does it, the others wait. */
export async function prepareSchema() {
  const client = await pool.connect();
  try {
    await client.query('BEGIN');
    await client.query(`SELECT pg_advisory_xact_lock(hashtext('bird-log schema'))`);
    const { rows } = await client.query(`SELECT to_regclass('sightings') AS found`);
    if (rows[0].found === null) {
      await client.query(`
        CREATE TABLE species (
          id int PRIMARY KEY,
          name text NOT NULL,
          latin text NOT NULL
        );
        CREATE TABLE sightings (
          id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
          client text NOT NULL,
          number bigint NOT NULL,
          species_id int NOT NULL REFERENCES species,
          place text NOT NULL,
          birds int NOT NULL CHECK (birds > 0),
          note text NOT NULL DEFAULT '',
          seen_at timestamptz NOT NULL DEFAULT now(),
          UNIQUE (client, number)
        );
        CREATE INDEX sightings_by_species ON sightings (species_id, seen_at);
        CREATE TABLE totals (
          species_id int PRIMARY KEY REFERENCES species,
          sightings bigint NOT NULL,
          birds bigint NOT NULL,
          counted_at timestamptz NOT NULL
        )`);
      for (const [index, [name, latin]] of species.entries()) {
        await client.query('INSERT INTO species VALUES ($1, $2, $3)', [index + 1, name, latin]);
      }
    }
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK');
    throw error;
  } finally {
    client.release();
  }
}
