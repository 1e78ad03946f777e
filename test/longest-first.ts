import { relative } from 'node:path';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Folders whose files take longest, and a file that waits most of its time. */
const long = [
  ...['test/e2e/faults/', 'test/e2e/', 'test/agent/databases/'],
  'test/api/region-migrations.test.ts',
];

/** Begins with what takes longest, so that no worker is left alone with it in the end. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rankOf = ({ moduleId, project }: TestSpecification) => {
      const path = relative(project.config.root, moduleId);
      const rank = long.findIndex((start) => path.startsWith(start));
      return rank === -1 ? long.length : rank;
    };
    return (await super.sort(files)).toSorted((a, b) => rankOf(a) - rankOf(b));
  }
}
