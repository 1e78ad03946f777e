import { bytes } from '../../shared/bytes.js';
import type { Step } from '../phase.js';
import { keepFollowing } from '../switch/keep-following.js';
import { there } from '../switch/way.js';

/** Every database becomes followed by its twin, all side by side, while the app stays up. */
export const copyDatabases: Step = {
  title: 'Copy the databases and keep them following',
  async foresee({ sourceApp, source, migration }) {
    const { addons } = await sourceApp();
    const all = await Promise.all(addons.map(({ id }) => source.inspect({ database: id })));
    return all.map(({ product, version, size, move }) => {
      const { [product]: newer } = migration.upgrade;
      const what =
        newer === undefined ? `${product} ${version}` : `${product} ${version} to ${newer}`;
      return move.kind === 'live'
        ? `${what}, ${bytes(size)}, while the app goes on; then it is followed.`
        : `${what}, ${bytes(size - move.rest)} of ${bytes(size)} while the app goes on; the rest once it has stopped.`;
    });
  },
  run: (context) => keepFollowing(context, there),
};
