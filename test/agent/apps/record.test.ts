import { expect, it } from 'vitest';
import { appRecord, newAppRecord } from '../../../src/agent/apps/record.js';
import { newId } from '../../../src/shared/ids.js';

const owner = { id: 'us-1', username: 'ada', email: 'ada@example.org' };
const fresh = newAppRecord({ id: newId(), name: 'heron', owner, madeBy: null });

it('reads app.json of a version that kept less', () => {
  const { stack, limits, flags, lastDeployment, ...kept } = fresh;
  const { notifiers, alerts, logDrains, autoscalers, scmLink, ...older } = kept;
  const collaborators = [{ ...owner, status: 'accepted' as const }];
  expect(appRecord.parse({ ...older, collaborators })).toEqual({ ...fresh, collaborators });
});

it('keeps fields of attached things that this version does not know', () => {
  const drain = { id: 'x', url: 'syslog://a:1', addon: null, createdAt: '', filter: ['new'] };
  expect(appRecord.parse({ ...fresh, logDrains: [drain] }).logDrains).toEqual([drain]);
});
