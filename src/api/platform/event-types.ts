import { z } from 'zod';
import { derivedId } from '../../shared/ids.js';

export const eventCategoryShape = z
  .object({ id: z.string(), name: z.string(), display_name: z.string(), position: z.number() })
  .meta({
    examples: [
      {
        id: derivedId('event category', 'domains'),
        name: 'domains',
        display_name: 'Domains',
        position: 4,
      },
    ],
  });

export const eventTypeShape = z
  .object({
    id: z.string(),
    category_id: z.string(),
    name: z.string(),
    display_name: z.string(),
    description: z.string(),
  })
  .meta({
    examples: [
      {
        id: derivedId('event type', 'domain_added'),
        category_id: derivedId('event category', 'domains'),
        name: 'domain_added',
        display_name: 'Domain added',
        description: 'A domain was added',
      },
    ],
  });

/** Kinds of events, by category. Ids come of names: they are the same in every region. */
const catalogue = {
  app_operations: {
    title: 'Application',
    types: {
      app_created: 'An application was created',
      app_deployed: 'An application was deployed',
      app_renamed: 'An application got another name',
      app_restarted: 'Processes of an application were started anew',
      app_scaled: 'The formation of an application was changed',
      app_stopped: 'The processes of an application were ended',
      app_crashed: 'A process of an application crashed',
      app_transferred: 'An application got another owner',
      app_deleted: 'An application was deleted',
    },
  },
  addons: {
    title: 'Addons',
    types: {
      addon_created: 'An addon was provisioned',
      addon_updated: 'An addon was changed',
      addon_deleted: 'An addon was removed',
    },
  },
  environment: {
    title: 'Environment',
    types: {
      variable_added: 'A variable was added',
      variable_edited: 'A variable was changed',
      variable_removed: 'A variable was removed',
      variable_bulk_updated: 'Several variables were changed',
    },
  },
  domains: {
    title: 'Domains',
    types: {
      domain_added: 'A domain was added',
      domain_edited: 'A domain was changed',
      domain_removed: 'A domain was removed',
    },
  },
  collaborators: {
    title: 'Collaborators',
    types: {
      collaborator_invited: 'Somebody was invited to collaborate',
      collaborator_accepted: 'An invitation to collaborate was accepted',
      collaborator_removed: 'A collaborator was removed',
    },
  },
  notifications: {
    title: 'Notifications',
    types: {
      notifier_added: 'A notifier was added',
      notifier_edited: 'A notifier was changed',
      notifier_removed: 'A notifier was removed',
    },
  },
  region_migrations: {
    title: 'Region migrations',
    types: {
      start_region_migration: 'A migration to another region was begun',
      end_region_migration: 'A migration to another region has ended',
    },
  },
};

const categoryId = (name: string) => derivedId('event category', name);

const inWords = (name: string) => {
  const words = name.replaceAll('_', ' ');
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}`;
};

export const eventCategories: z.infer<typeof eventCategoryShape>[] = Object.entries(catalogue).map(
  ([name, { title }], index) => ({
    id: categoryId(name),
    name,
    display_name: title,
    position: index + 1,
  }),
);

export const eventTypes: z.infer<typeof eventTypeShape>[] = Object.entries(catalogue).flatMap(
  ([category, { types }]) =>
    Object.entries(types).map(([name, description]) => ({
      id: derivedId('event type', name),
      category_id: categoryId(category),
      name,
      display_name: inWords(name),
      description,
    })),
);
