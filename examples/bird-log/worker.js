import { setTimeout as sleep } from 'node:timers/promises';
import { pool, prepareSchema } from './db.js';
import { seed } from './seed.js';

/** Between two counts, in milliseconds. */
const pause = 10_000;

// A count, or a chunk of seeding, is one statement: it happens wholly or not at all.
process.on('SIGTERM', () => process.exit(0));

/** Counts what was seen of each bird. */
async function count() {
  await pool.query(
    `INSERT INTO totals
     SELECT species_id, count(*), sum(birds), now() FROM sightings GROUP BY species_id
     ON CONFLICT (species_id) DO UPDATE
       SET sightings = excluded.sightings, birds = excluded.birds, counted_at = excluded.counted_at`,
  );
}

await prepareSchema();
await seed(Number(process.env.SEED_ROWS ?? 0));
console.log('counting');
for (;;) {
  await sleep(pause);
  await count().catch((error) => console.error(`cannot count: ${error.message}`));
}
