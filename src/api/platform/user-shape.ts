import { z } from 'zod';
import type { User } from '../../region/model.js';

/** A user account, as the platform API shows it to its user. */
export const userShape = z
  .object({
    id: z.string(),
    uuid: z.string(),
    username: z.string(),
    email: z.string(),
    fullname: z.string(),
    company: z.null(),
    location: z.null(),
    created_at: z.string(),
    free_trial_started_at: z.null(),
    free_trial_end_time: z.null(),
    suspended_at: z.null(),
    suspension_reason: z.null(),
    tos_accepted: z.boolean(),
    email_newsletter: z.boolean(),
    referral_url: z.string(),
    referral_clicks: z.number(),
    flags: z.record(z.string(), z.boolean()),
    limits: z.record(z.string(), z.string()),
  })
  .meta({
    description: 'You; much of it is the same for everybody here',
    examples: [
      presentUser(
        {
          id: 'us-8ba226e5-93e0-4545-8363-9c16b2d68d67',
          username: 'ada',
          email: 'ada@example.org',
        },
        new Date('2026-01-01T09:00:00.000Z'),
      ),
    ],
  });

/** What a user sees of their account. Nobody is on trial or suspended here. */
export function presentUser({ id, username, email }: User, since: Date) {
  return {
    id,
    uuid: id,
    username,
    email,
    fullname: username,
    company: null,
    location: null,
    created_at: since.toISOString(),
    free_trial_started_at: null,
    free_trial_end_time: null,
    suspended_at: null,
    suspension_reason: null,
    tos_accepted: true,
    email_newsletter: false,
    referral_url: '',
    referral_clicks: 0,
    flags: {},
    limits: {},
  };
}
