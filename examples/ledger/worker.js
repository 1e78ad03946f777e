import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { add, close, open } from './entries.js';

/** Between two entries, in milliseconds. */
const pause = 50;
const witness = process.env.LEDGER_WITNESS;
const client = `worker-${randomBytes(4).toString('hex')}`;

let ending = false;
process.on('SIGTERM', () => {
  ending = true;
});

/** Tells somebody outside of the database that an entry is safe. */
async function tell(number) {
  if (!witness) return;
  const body = JSON.stringify({ client, number });
  await fetch(witness, { method: 'POST', body }).catch((error) =>
    console.error(`nobody to tell: ${error.message}`),
  );
}

await open();
console.log(`writing as ${client}`);
let after = null;
for (let number = 1; !ending; number += 1) {
  try {
    await add({ client, number, via: 'worker', after });
    after = number;
    await tell(number);
  } catch (error) {
    console.error(`cannot write ${number}: ${error.message}`);
  }
  await sleep(pause);
}
await close();
process.exit(0);
