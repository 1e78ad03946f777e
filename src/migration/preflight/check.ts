import { messageOf } from '../../shared/errors.js';
import type { Outlook, Step, StepContext } from '../phase.js';

/** What a check works with: regions that it can look at, and nothing that it could change. */
interface CheckContext extends Outlook, Pick<StepContext, 'isKnown' | 'log'> {
  /** Notes what stands in the way, and what to do about it. One hides no other. */
  obstacle(line: string): void;
}

interface Check extends Pick<Step, 'title'> {
  look(context: CheckContext): Promise<void>;
}

/** A step that only looks, and fails with all that stands in the way. */
export function check({ title, look }: Check): Step {
  return {
    title,
    async run(context) {
      const obstacles: string[] = [];
      const obstacle = (line: string) => void obstacles.push(line);
      // What keeps it from looking further hides nothing of what it has seen.
      await look({ ...context, obstacle }).catch((error) => obstacle(messageOf(error)));
      if (obstacles.length > 0) throw new Error(obstacles.join('\n'));
    },
  };
}
