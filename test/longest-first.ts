import { relative } from 'node:path';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Folders whose files take longest. */
const long = ['test/e2e/faults/', 'test/e2e/', 'test/agent/databases/'];

/** Begins with what takes longest, so that no worker is left alone with it in the end. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rankOf = ({ moduleId, project }: TestSpecification) => {
      const path = relative(project.config.root, moduleId);
      const rank = long.findIndex((folder) => path.startsWith(folder));
      return rank === -1 ? long.length : rank;
    };
    return (await super.sort(files)).toSorted((a, b) => rankOf(a) - rankOf(b));
  }
}
