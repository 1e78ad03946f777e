/**
 * `GET` of a migration with 60 steps, 500 times a second, from a server and a region in processes of
 * their own.
 * The peer is a bare fastify route that returns the same bytes. Times count from when a request
 * was due, so that a server that falls behind is not flattered.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { Pool, request } from 'undici';
import { ApiClient } from '../src/client/api-client.js';
import { startEmbeddedPostgresql } from '../src/server/embedded-postgresql.js';
import { freePort } from '../src/shared/free-port.js';
import { newSecret } from '../src/shared/ids.js';
import { until } from '../src/shared/until.js';
import { median, say } from './figures.js';
import { type Answer, percentile, steadily } from './load.js';

const [rate, secondsEach, rounds, steps] = [500, 5, 3, 60];
const dir = await mkdtemp(join(tmpdir(), 'godwit-bench-'));
const token = newSecret();
const endings: (() => Promise<unknown>)[] = [() => rm(dir, { recursive: true, force: true })];

/** Runs a program that serves HTTP at a path, until the benchmark ends. */
async function serve(args: string[], url: string, env: Record<string, string> = {}): Promise<void> {
  const child = spawn(process.execPath, args, {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    env: { ...process.env, GODWIT_LOG_LEVEL: 'warn', ...env },
  });
  endings.push(async () => {
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    await ended;
  });
  const isUp = () =>
    request(url).then(
      ({ body }) => body.dump().then(() => true),
      () => false,
    );
  await until(isUp, { timeout: 60_000, what: url });
}

async function startGodwit(databaseUrl: string): Promise<string> {
  const [regions, secret] = [join(dir, 'regions.json'), join(dir, 'token')];
  const [port, agentPort, edgePort] = [await freePort(), await freePort(), await freePort()];
  const region = { name: 'here', url: `http://127.0.0.1:${agentPort}`, token };
  await writeFile(regions, JSON.stringify([region]), { mode: 0o600 });
  await writeFile(secret, token, { mode: 0o600 });
  const url = `http://127.0.0.1:${port}`;
  const program = join(import.meta.dirname, '../bin/godwit.js');
  const agent = [program, 'region', '--name', 'here', '--dir', join(dir, 'here')];
  agent.push('--port', `${agentPort}`, '--edge-port', `${edgePort}`);
  agent.push('--edge-https-port', `${await freePort()}`, '--token-file', secret);
  await serve(agent, region.url);
  const args = [program, 'server', '--port', `${port}`, '--regions-file', regions];
  args.push('--token-file', secret, '--requests-per-minute', '1000000');
  await serve(args, `${url}/healthz`, { DATABASE_URL: databaseUrl });
  return url;
}

/** @returns the path of a migration that has as many steps as it should */
async function makeMigration(api: string, databaseUrl: string): Promise<string> {
  const client = new ApiClient({ url: api, token, region: null });
  await client.createApp('measured');
  const { id } = await client.createMigration('measured', 'here', 'measured-again');
  await until(async () => (await client.migration('measured', id)).status === 'preflight-success', {
    ...{ timeout: 60_000, what: 'the preflight' },
  });
  const db = new pg.Client({ connectionString: databaseUrl });
  await db.connect();
  await db.query(
    `INSERT INTO migration_steps (id, migration_id, phase, key, name, status, logs)
     SELECT gen_random_uuid(), $1, 'prepare', 'bench ' || n, 'Import the settings, part ' || n,
       'done', repeat('What was found, for people. ', 3)
     FROM generate_series((SELECT count(*) + 1 FROM migration_steps WHERE migration_id = $1), $2) n`,
    [id, steps],
  );
  await db.end();
  return `/v1/apps/measured/region_migrations/${id}`;
}

async function load(url: string, path: string, authorization: string): Promise<Answer[]> {
  const pool = new Pool(url, { connections: 32 });
  const ask = async () => {
    const answer = await pool.request({ method: 'GET', path, headers: { authorization } });
    await answer.body.dump();
    if (answer.statusCode !== 200) throw new Error(`${path} answers ${answer.statusCode}`);
  };
  const answers = await steadily(rate, ask, AbortSignal.timeout(secondsEach * 1_000));
  await pool.close();
  return answers;
}

try {
  const postgresql = await startEmbeddedPostgresql(join(dir, 'postgresql'));
  endings.push(() => postgresql.stop());
  const godwit = await startGodwit(postgresql.url);
  const path = await makeMigration(godwit, postgresql.url);
  const authorization = `Basic ${Buffer.from(`:${token}`).toString('base64')}`;
  const answer = await request(`${godwit}${path}`, { headers: { authorization } });
  const body = await answer.body.text();

  const port = await freePort();
  const bare = `http://127.0.0.1:${port}`;
  const bytes = join(dir, 'answer.json');
  await writeFile(bytes, body);
  const script = `import fastify from 'fastify';
    import { readFileSync } from 'node:fs';
    const body = readFileSync(${JSON.stringify(bytes)}, 'utf8');
    const app = fastify();
    app.get('/*', (_, reply) => reply.type('application/json; charset=utf-8').send(body));
    await app.listen({ host: '127.0.0.1', port: ${port} });`;
  await serve(['--input-type=module', '--eval', script], bare);

  say(`GET of a migration of ${steps} steps, ${body.length} bytes: ${rate}/s for ${secondsEach} s`);
  const figures = new Map([godwit, bare].map((url) => [url, { p50: [0], p99: [0] }]));
  // The first round warms up, and is not counted.
  for (let round = 0; round <= rounds; round += 1) {
    for (const [url, { p50, p99 }] of figures) {
      const answers = await load(url, path, authorization);
      if (round <= 1) p50.length = p99.length = 0;
      p50.push(percentile(answers, 0.5));
      p99.push(percentile(answers, 0.99));
    }
  }
  for (const part of ['p50', 'p99'] as const) {
    const [ours = 0, peer = 0] = [...figures.values()].map((of) => median(of[part]));
    const ratio = `${(ours / peer).toFixed(2)} × the bare route`;
    say(`  ${part}  godwit ${ours.toFixed(2)} ms  bare fastify ${peer.toFixed(2)} ms  ${ratio}`);
  }
} finally {
  for (const end of endings.reverse()) await end();
}
