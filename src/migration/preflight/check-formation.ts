import { bytes } from '../../shared/bytes.js';
import { check } from './check.js';

/** The destination's host has the memory that the app's processes take in the source's. */
export const checkFormation = check({
  title: ({ destination }) => `Check that the formation fits on ${destination}`,
  async look({ migration, sourceApp, source, destination, log, obstacle }) {
    const { formation } = await sourceApp();
    const wanted = formation.filter(({ amount }) => amount > 0);
    const named = wanted.map(({ name, amount }) => `${name}:${amount}`).join(', ') || 'no process';
    const { memory: taken } = await source.memoryOf({ app: migration.appId });
    const { memory: free } = await destination.room({});
    const have = `${bytes(free)} of memory are free on ${destination.name}`;
    if (taken > free) {
      obstacle(
        `${named} take ${bytes(taken)} of memory, and only ${have}. Scale down, or make room there.`,
      );
    } else if (taken === 0) log(`${named}; nothing runs that could be measured; ${have}.`);
    else log(`${named} take ${bytes(taken)} of memory; ${have}.`);
  },
});
