import { bytes } from '../../shared/bytes.js';
import { check } from './check.js';

/** A copy is as large as its original, and the history that comes meanwhile needs room too. */
const databaseShare = 1.2;
/** A build is kept packed and unpacked. */
const buildShare = 6;

/** The databases and the build find room in the destination. */
export const checkRoom = check({
  title: ({ destination }) => `Check the room on ${destination}`,
  async look({ sourceApp, source, destination, log, obstacle }) {
    const { addons, build } = await sourceApp();
    const databases = await Promise.all(addons.map(({ id }) => source.inspect({ database: id })));
    const data = databases.reduce((sum, { size }) => sum + size, 0);
    const needed = data * databaseShare + (build?.size ?? 0) * buildShare;
    const { disk } = await destination.room({});
    const have = `${bytes(disk)} are free on ${destination.name}`;
    const need = `${bytes(Math.round(needed))} are needed: databases of ${bytes(data)}, and the build`;
    if (disk < needed) obstacle(`Only ${have}; ${need}. Make room there.`);
    else log(`${have}; ${need}.`);
  },
});
