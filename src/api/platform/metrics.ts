import { z } from 'zod';

/** What alerts and autoscalers may be about. */
export const metric = z.enum([
  'cpu',
  'memory',
  'swap',
  '5XX',
  'all',
  'rpm_per_container',
  'p95_response_time',
]);

/** A process type, such as `web`. */
export const containerType = z
  .string()
  .regex(/^[a-z][a-z0-9-]{0,39}$/, 'must be a process type, such as web')
  .meta({ examples: ['web'] });
