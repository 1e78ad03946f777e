import { join } from 'node:path';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { inWords } from '../../src/dev/verify/in-words.js';
import { verify } from '../../src/dev/verify/verify.js';
import { inventory, Stage } from './stage.js';

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.start();
});
afterAll(() => stage.remove());

it('checks a Godwit with an application of its own, and leaves nothing of it', async () => {
  const { source, destination } = stage;
  const said: string[] = [];
  const done = await verify({
    client: stage.client(source.name),
    to: destination.name,
    plan: ['abort', 'migrate'],
    pause: 1,
    ...{ clients: 8, edge: null, isHere: true, keep: false },
    folder: join(inject('examples'), 'ledger'),
    say: (line) => said.push(line),
  });
  expect(done.isSound, inWords(done).join('\n')).toBe(true);
  expect(done.migrations.map(({ status }) => status)).toEqual(['aborted', 'done']);
  expect(done.clients.kinds.filter(({ acknowledged }) => acknowledged > 0)).toHaveLength(4);
  expect(done.witnessed).toBeGreaterThan(0);
  // Copied anew after an abort, promoted once.
  expect(done.judgement.timelines.length).toBeGreaterThan(1);
  expect(inWords(done).join('\n')).toMatch(/exactly once, in order, and no request failed/);
  expect(said).toContain('Finalize, aborted as soon as requests are held');
  const nothing = { apps: [], databases: [], processes: [] };
  expect(await inventory(stage, source.name)).toEqual(nothing);
  expect(await inventory(stage, destination.name)).toEqual(nothing);
});
