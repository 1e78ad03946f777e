import type { App } from '../../region/model.js';
import type { Attachment } from '../../region/region.js';
import type { Step } from '../phase.js';

/** What is to be copied of a kind of attachment. */
interface Import {
  readonly title: string;
  /** What the destination gets, in order. Ids stay, so that what names them still does. */
  of(app: App, newAppId: string): Attachment[];
  /** What the owner should know of what is left out. */
  leftOut?(app: App): string[];
}

/** A step that copies all attachments of a kind. */
export function importAll({ title, of, leftOut }: Import): Step {
  return {
    title,
    async foresee({ sourceApp, newAppId }) {
      const app = await sourceApp();
      return [`${of(app, newAppId).length} to copy.`, ...(leftOut?.(app) ?? [])];
    },
    async run({ destination, newAppId, sourceApp, log }) {
      const app = await sourceApp();
      const all = of(app, newAppId);
      for (const attachment of all) await destination.attach({ app: newAppId, attachment });
      log(`Copied ${all.length}.`);
      for (const line of leftOut?.(app) ?? []) log(line);
    },
  };
}
