import { expect, it } from 'vitest';
import { collaborationOf } from '../../src/region/collaboration.js';

const ada = { id: 'us-1', email: 'ada@example.org' };
const known = { id: 'co-1', username: 'ada', email: ada.email, status: 'accepted' as const };

it('knows who has accepted by their account, and by their email address where none is noted', () => {
  const app = { collaborators: [{ ...known, userId: 'us-1' }] };
  expect(collaborationOf({ ...ada, email: 'new@example.org' }, app)).toBe(app.collaborators[0]);
  expect(collaborationOf({ ...ada, id: 'us-2' }, app)).toBeUndefined();
  expect(collaborationOf(ada, { collaborators: [known] })).toBe(known);
  expect(
    collaborationOf(ada, { collaborators: [{ ...known, status: 'pending' }] }),
  ).toBeUndefined();
});
