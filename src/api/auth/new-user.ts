import { z } from 'zod';

/** What a user can be called, and reached at. */
export const newUser = z.object({
  username: z
    .string()
    .regex(
      /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/,
      'must be 1 to 63 letters, digits, dots, underscores and hyphens, starting with a letter or digit',
    ),
  email: z.email('must be an email address, such as ada@example.org'),
});
