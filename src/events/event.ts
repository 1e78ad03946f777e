import { z } from 'zod';
import { user } from '../region/model.js';

/** Something that happened to an app. It never holds a secret: events are sent to others. */
export const event = z.object({
  id: z.string(),
  createdAt: z.string(),
  user: user.nullable(),
  appId: z.string(),
  appName: z.string(),
  /** Such as `scale` or `start_region_migration`. */
  type: z.string(),
  data: z.record(z.string(), z.unknown()),
});
export type Event = z.infer<typeof event>;

/** What happened, before it is noted. */
export type NewEvent = Omit<Event, 'id' | 'createdAt'>;

/** An event as the API shows it and webhooks get it. */
export function presentEvent({ id, createdAt, user, appId, appName, type, data }: Event) {
  return {
    id,
    created_at: createdAt,
    user,
    app_id: appId,
    app_name: appName,
    type,
    type_data: data,
  };
}
