import type { Region } from '../../region/region.js';
import type { DatabasePair } from '../databases.js';
import type { StepContext } from '../phase.js';

/** What tells the sides of a migration apart. */
type Ground = Pick<StepContext, 'migration' | 'source' | 'destination' | 'newAppId'>;

/** One of the two apps of a migration, as a switch sees it. */
export interface Side {
  readonly region: Region;
  readonly app: string;
  readonly name: string;
  /** Id of the database of a pair that is on this side. */
  database(pair: DatabasePair): string;
}

/** From where to where a switch leads: finalize goes there, rollback comes back. */
export interface Way {
  /** The app that serves before. */
  from(ground: Ground): Side;
  /** The one that serves after. */
  to(ground: Ground): Side;
}

const source = ({ source, migration }: Ground): Side => ({
  region: source,
  app: migration.appId,
  name: migration.srcAppName,
  database: ({ old }) => old,
});

const destination = ({ destination, newAppId, migration }: Ground): Side => ({
  region: destination,
  app: newAppId,
  name: migration.dstAppName,
  database: ({ twin }) => twin,
});

export const there: Way = { from: source, to: destination };
export const back: Way = { from: destination, to: source };
