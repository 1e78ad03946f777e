import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { faultPoints } from '../faults.js';
import { everything } from './everything.js';
import { atRest } from './migrating.js';
import { type Stage, startStage } from './platform-stage.js';
import { Tampering } from './tampering.js';
import { createWholeApp } from './whole-app.js';

const tampering = new Tampering();
let stage: Stage;
let app: string;

beforeAll(async () => {
  stage = await startStage({ via: (entry) => tampering.between(entry) });
  app = await createWholeApp(stage, 'wavering', { database: false });
}, 60_000);
afterAll(async () => {
  await stage?.close();
  tampering.close();
});

const path = () => `/apps/${app}/region_migrations`;

/**
 * Runs prepare, and aborts it when its change of that number, from 0 on, is about to be made.
 * @returns whether there was such a change
 */
async function abortedAt(number: number): Promise<boolean> {
  tampering.beforeChange = async () => undefined;
  const body = { migration: { destination: 'there' } };
  const { id } = z.object({ id: z.string() }).parse((await stage.ask(path(), { body })).json);
  const run = (step: string) => stage.ask(`${path()}/${id}/run`, { body: { step } });
  await atRest(stage, app, id);
  let changes = 0;
  tampering.beforeChange = async () => {
    if (changes++ === number) expect((await run('abort')).status).toBe(204);
  };
  expect((await run('prepare')).status).toBe(204);
  const { status } = await atRest(stage, app, id);
  const wasAborted = changes > number;
  if (!wasAborted) {
    expect(status).toBe('prepared');
    await run('abort');
  }
  expect((await atRest(stage, app, id)).status).toBe('aborted');
  return wasAborted;
}

it('prepare, aborted at any of the changes it makes, leaves everything as it was, byte for byte', async () => {
  const before = await everything(stage);
  const { first, stride } = faultPoints(7);
  let point = first;
  while (await abortedAt(point)) {
    expect(await everything(stage), `aborted at change ${point}`).toEqual(before);
    point += stride;
  }
  expect(await everything(stage)).toEqual(before);
  expect(point).toBeGreaterThan(15 - stride + 1);
}, 120_000);
