import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createParser, type EventSourceMessage } from 'eventsource-parser';
import { request } from 'undici';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { ApiClient } from '../../src/client/api-client.js';
import { followMigration } from '../../src/client/follow.js';
import { embeddedPostgresqlUrl } from '../../src/server/embedded-postgresql.js';
import { freePort } from '../../src/shared/free-port.js';
import { until } from '../../src/shared/until.js';
import { describeSteps, program, Stage } from './stage.js';

let stage: Stage;
/** Another server on the same database. */
let second: ChildProcess;
let secondUrl: string;

beforeAll(async () => {
  stage = await Stage.start({ alone: true });
  const port = await freePort();
  const databaseUrl = (await embeddedPostgresqlUrl(join(stage.dir, 'server'))) ?? '';
  const args = [
    ...['server', '--port', `${port}`, '--regions-file', join(stage.dir, 'regions.json')],
    ...['--token-file', join(stage.dir, 'token')],
  ];
  second = spawn(process.execPath, [program, ...args], {
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    env: { ...process.env, DATABASE_URL: databaseUrl },
  });
  secondUrl = `http://127.0.0.1:${port}`;
  await until(
    () =>
      request(`${secondUrl}/healthz`).then(
        ({ statusCode }) => statusCode === 200,
        () => false,
      ),
    {
      timeout: 30_000,
      what: 'the second server',
    },
  );
});
afterAll(async () => {
  const ended = once(second, 'exit');
  second.kill('SIGTERM');
  await ended;
  await stage.remove();
});

const data = z.looseObject({ id: z.string(), status: z.string() });

const authorized = () => ({
  authorization: `Basic ${Buffer.from(`:${stage.ready.token}`).toString('base64')}`,
});

/** Listens to the events of a migration until `isEnough`. */
async function listen(
  path: string,
  isEnough: (heard: readonly EventSourceMessage[]) => boolean,
  lastEventId?: string,
): Promise<EventSourceMessage[]> {
  const heard: EventSourceMessage[] = [];
  const parser = createParser({ onEvent: (event) => heard.push(event) });
  const answer = await request(`${secondUrl}${path}`, {
    headers: {
      ...authorized(),
      ...(lastEventId !== undefined && { 'last-event-id': lastEventId }),
    },
  });
  expect(answer.headers['content-type']).toMatch(/^text\/event-stream/);
  for await (const piece of answer.body) {
    parser.feed(String(piece));
    if (isEnough(heard)) break;
  }
  return heard;
}

it('share one database: either takes requests, tells of changes, and runs phases when the other dies', async () => {
  await stage.client(stage.source.name).createApp('shared');
  const there = new ApiClient({
    url: secondUrl,
    token: stage.ready.token,
    region: stage.source.name,
  });
  const { id } = await there.createMigration('shared', stage.destination.name);
  const path = `/regions/${stage.source.name}/v1/apps/shared/region_migrations/${id}/events`;
  const isAtRest = (heard: readonly EventSourceMessage[]) =>
    heard.some(
      ({ event, data: text }) =>
        event === 'migration' && data.parse(JSON.parse(text)).status === 'prepared',
    );
  const listening = listen(path, isAtRest);
  const looked = await followMigration(there, 'shared', id, () => undefined);
  expect(looked.status).toBe('preflight-success');
  await there.runMigration('shared', id, 'prepare');
  const heard = await listening;
  expect(heard[0]?.event).toBe('snapshot');
  expect(data.parse(JSON.parse(heard[0]?.data ?? '')).id).toBe(id);
  const kinds = new Set(heard.slice(1).map(({ event }) => event));
  expect([...kinds].sort()).toEqual(['migration', 'step']);
  const versions = heard.flatMap(({ id }) => (id === undefined ? [] : [Number(id)]));
  expect(versions).toEqual([...versions].sort((a, b) => a - b));
  const last = heard.findLast(({ id }) => id !== undefined)?.id ?? '';

  await there.runMigration('shared', id, 'data');
  // The one that runs the phase dies, and `godwit dev` starts it again: whoever leads now carries on.
  await stage.kill('server');
  const copied = await followMigration(there, 'shared', id, () => undefined);
  expect(copied, describeSteps(copied)).toMatchObject({ status: 'data-migrated' });
  const [resumed] = await listen(path, (events) => events.length > 0, last);
  expect(resumed?.event).not.toBe('snapshot');

  const unheardOf = await listen(path, (events) => events.length > 0, '999999');
  expect(unheardOf[0]?.event).toBe('snapshot');
  // Answered though nothing happens, and before anything is sent to keep the connection.
  const quiet = await request(`${secondUrl}${path}`, {
    headers: { ...authorized(), 'last-event-id': unheardOf[0]?.id ?? '' },
    headersTimeout: 10_000,
  });
  quiet.body.on('error', () => undefined).destroy();
  expect(quiet.statusCode).toBe(200);
  const head = await request(`${secondUrl}${path}`, { method: 'HEAD', headers: authorized() });
  expect([head.statusCode, head.headers['content-type']]).toEqual([200, 'text/event-stream']);

  await there.runMigration('shared', id, 'abort');
  expect(await followMigration(there, 'shared', id, () => undefined)).toMatchObject({
    status: 'aborted',
  });
});
