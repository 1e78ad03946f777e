import { z } from 'zod';
import { derivedId } from '../../shared/ids.js';
import { eventTypes } from './event-types.js';

const platform = (name: string, display_name: string, description: string) => ({
  id: derivedId('notification platform', name),
  name,
  display_name,
  logo_url: '',
  description,
  available_event_ids: eventTypes.map(({ id }) => id),
});

export const platformShape = z
  .object({
    id: z.string(),
    name: z.string(),
    display_name: z.string(),
    logo_url: z.string(),
    description: z.string(),
    available_event_ids: z.array(z.string()),
  })
  .meta({ examples: [platform('webhook', 'Webhook', 'Sends a request to an address of yours')] });

/** By what notifiers tell of events. Ids come of names: they are the same in every region. */
export const notificationPlatforms: z.infer<typeof platformShape>[] = [
  platform('webhook', 'Webhook', 'Sends a request to an address of yours'),
  platform('slack', 'Slack', 'Kept with the application; nothing is sent'),
  platform('rocket_chat', 'Rocket.Chat', 'Kept with the application; nothing is sent'),
  platform('email', 'Email', 'Kept with the application; nothing is sent'),
];
