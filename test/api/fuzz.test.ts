import fc from 'fast-check';
import { Client } from 'undici';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { basic } from './asking.js';
import { atRest, createApp } from './migrating.js';
import { type Nonsense, nonsenseFor } from './nonsense.js';
import { operationsOf } from './openapi.js';
import { type Stage, startStage } from './platform-stage.js';

/** How many; `GODWIT_FUZZ=10000 npx vitest run test/api/fuzz.test.ts` for more. */
const requests = Number(process.env['GODWIT_FUZZ'] ?? 600);

let stage: Stage;
let client: Client;

beforeAll(async () => {
  stage = await startStage();
  client = new Client(stage.url);
});

afterAll(async () => {
  await client?.close();
  await stage?.close();
});

async function send({ method, path, headers, body }: Nonsense) {
  const answer = await client.request({ method, path, headers, body });
  const isEndless = String(answer.headers['content-type']).startsWith('text/event-stream');
  if (isEndless) answer.body.on('error', () => undefined).destroy(); // it is given up on purpose
  const text = isEndless ? '' : await answer.body.text();
  return { status: answer.statusCode, said: `${JSON.stringify(answer.headers)}\n${text}` };
}

it(`${requests} requests of nonsense fail nothing, tell nothing and change nothing of others`, async () => {
  const withId = z.object({ id: z.string() });
  const stranger = await stage.join('stranger');
  const bystander = await stage.ask('/apps', {
    body: { app: { name: 'bystander' } },
    as: stranger,
  });
  const bystanderId = z.object({ app: withId }).parse(bystander.json).app.id;
  const variable = { name: 'A', value: 'b' };
  await stage.ask('/apps/bystander/variables', { body: { variable }, as: stranger });
  const record = () => stage.registry.get('here')?.findApp({ ref: bystanderId });
  const before = await record();
  expect(before).toMatchObject({ variables: [variable], frozenBy: null });

  const [known, moving] = [await createApp(stage, 'known'), await createApp(stage, 'moving')];
  const migration = { destination: 'there' };
  const created = await stage.ask(`/apps/${moving}/region_migrations`, { body: { migration } });
  const { id } = withId.parse(created.json);
  await atRest(stage, moving, id);
  const domain = { name: 'www.example.org' };
  const added = await stage.ask(`/apps/${known}/domains`, { body: { domain } });
  const words = {
    app: [known, known, 'known', moving, bystanderId, 'bystander'],
    id: [id, z.object({ domain: withId }).parse(added.json).domain.id],
    region: ['here', 'there'],
  };
  const credentials = {
    right: basic(stage.token),
    wrong: ['', basic(''), basic('wrong'), 'Basic %%%', 'Bearer x.y.z', `Bearer ${stage.token}`],
  };
  const operations = await operationsOf(stage);
  const nonsense = fc
    .constantFrom(...operations)
    .chain((operation) => nonsenseFor(operation, words, credentials));
  // None of it is in the nonsense, which the server may keep and repeat.
  const secret = [stage.dir, process.cwd(), 'node_modules', '\n    at ', '\\n    at '];
  const statuses = new Map<number, number>();

  await fc.assert(
    fc.asyncProperty(nonsense, async (one) => {
      const { status, said } = await send(one);
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
      expect(status, said).toBeLessThan(500);
      for (const text of secret) expect(said).not.toContain(text);
      expect(await record()).toEqual(before);
    }),
    { numRuns: requests, endOnFailure: true },
  );
  process.stdout.write(`answers by status: ${JSON.stringify(Object.fromEntries(statuses))}\n`);
  // Nonsense that the first check refuses, all of it, would show little.
  expect([...statuses.keys()]).toEqual(expect.arrayContaining([200, 201, 400, 401, 404, 422]));
}, 900_000);
