import type { Attempted, Witnessed } from '../../src/dev/verify/entry.js';
import { judge, judgeCopy } from '../../src/dev/verify/judgement.js';
import { readCopy, readEntries } from '../../src/dev/verify/read-entries.js';
import type { World } from './world.js';

/** What writers know. */
interface Known {
  readonly attempted: readonly Attempted[];
  /** What the worker said was safe. */
  readonly witnessed: readonly Witnessed[];
}

/** Which entries are judged: those received after one, as far as they are wanted. */
interface Range {
  readonly since: number;
  readonly isWanted: (entry: Witnessed) => boolean;
}

const everything: Range = { since: 0, isWanted: () => true };

/** Whatever is not as it should be in the databases of the app, in lines, by the kind of it. */
export interface Verdict {
  readonly lost: readonly string[];
  readonly doubled: readonly string[];
  readonly others: readonly string[];
}

/** Compares what writers know of their entries with what every database of the app holds. */
export async function judgeDatabases(
  world: World,
  { attempted, witnessed }: Known,
  { since, isWanted } = everything,
): Promise<Verdict> {
  const door = world.door(world.home);
  const heard = witnessed.filter(isWanted);
  const entries = (await readEntries(door, since)).filter(isWanted);
  const { lost, doubled, disordered, strange, parted } = judge(attempted, heard, entries);
  const found = [{ database: 'postgresql', lost, doubled }];
  for (const database of world.copies) {
    const copied = await readCopy(door, database);
    found.push({ database, ...judgeCopy(attempted, heard, copied.filter(isWanted)) });
  }
  return {
    lost: found.flatMap(({ database, lost }) => lost.map((one) => `lost in ${database}: ${one}`)),
    doubled: found.flatMap(({ database, doubled }) =>
      doubled.map((one) => `${one} in ${database}`),
    ),
    others: [...disordered, ...strange, ...parted],
  };
}
