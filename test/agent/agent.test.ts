import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import https from 'node:https';
import { join } from 'node:path';
import { request } from 'undici';
import { describe, expect, it } from 'vitest';
import { AgentClient } from '../../src/region/agent-client.js';
import { newId } from '../../src/shared/ids.js';
import { signalProcess, withVariable } from '../../src/shared/processes.js';
import { createCertificate } from '../../src/shared/self-signed.js';
import { until } from '../../src/shared/until.js';
import { startSilent } from './silent.js';
import { demo, owner, TestRegion, web } from './test-region.js';

const processesOf = (app: string) =>
  withVariable('GODWIT_PROCESS').filter(({ value }) => value.startsWith(`${app}/`));

describe('an app in a region', () => {
  it('is deployed, scaled, configured, restarted and removed', async () => {
    const region = await TestRegion.start();
    const { client } = region;
    const app = await region.create();
    expect(await client.createApp({ id: app, name: 'demo', owner })).toMatchObject({ id: app });
    const deployed = await region.deploy(app, demo);
    expect(deployed).toMatchObject({ status: 'success' });
    await region.healthy(app);
    expect(JSON.parse(await region.get('/'))).toMatchObject({ build: 1 });

    await client.changeVariables({ app, set: { GREETING: 'hello' }, unset: [] });
    await client.scale({
      app,
      formation: [
        { name: 'web', amount: 2 },
        { name: 'worker', amount: 1 },
      ],
    });
    await client.restart({ app });
    await region.healthy(app);
    const answers = [await region.get('/'), await region.get('/')].map((text) => JSON.parse(text));
    expect(new Set(answers.map(({ pid }) => pid)).size).toBe(2);
    expect(answers[0].greeting).toBe('hello');
    const log = (await client.logs({ app, lines: 100 })).lines.join('\n');
    expect(log).toMatch(/\[web-1\] listening/);
    expect(log).toMatch(/\[worker-1\] working/);
    expect(log).toMatch(/\[web-1\] bye/);

    await client.stop({ app });
    expect(processesOf(app)).toEqual([]);
    expect((await client.health({ app })).state).toBe('stopped');
    await client.start({ app });
    await region.healthy(app);
    await client.deleteApp({ app });
    await client.deleteApp({ app });
    expect(processesOf(app)).toEqual([]);
    expect(await readdir(join(region.dir, 'apps'))).toEqual([]);
  });

  it('is served as its settings say', async () => {
    const region = await TestRegion.start();
    const { client } = region;
    const app = await region.create();
    await region.deploy(app, { Procfile: 'web: node web.mjs\n', 'web.mjs': web });
    await client.scale({ app, formation: [{ name: 'web', amount: 2 }] });
    const made = await createCertificate('www.example.org', ['www.example.org']);
    const tls = { certificate: made.certificate, key: made.privateKey };
    const domain = { id: newId(), name: 'www.example.org', canonical: true, tls };
    await client.addDomain({ app, domain });
    const settings = { forceHttps: true, stickySession: true, routerLogs: true };
    await client.setSettings({ app, settings });
    await region.healthy(app);

    const secure = async (host: string, ca: string, cookie = '') => {
      const [, port] = (await client.describe({})).edgeHttps.split(':');
      const asked = https.request({
        ...{ host: '127.0.0.1', port, servername: host, ca, agent: false, path: '/x' },
        headers: { host: `${host}:${port}`, cookie },
      });
      const [answer]: IncomingMessage[] = await once(asked.end(), 'response');
      if (!answer) throw new Error('no answer');
      let text = '';
      for await (const piece of answer.setEncoding('utf8')) text += piece;
      return { port, status: answer.statusCode, headers: answer.headers, text };
    };
    const own = () => readFile(join(region.dir, 'edge.pem'), 'utf8');
    const file = join(region.dir, 'edge.pem');
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    const byDefault = await secure('demo.here.localhost', await own());
    expect([byDefault.status, byDefault.headers.location]).toEqual([
      301,
      `https://www.example.org:${byDefault.port}/x`,
    ]);
    const first = await secure('www.example.org', made.certificate);
    const cookie = first.headers['set-cookie']?.[0]?.split(';')[0] ?? '';
    expect(cookie).toMatch(/^godwit-process=web-[12]$/);
    const plain = await request(`http://127.0.0.1:${region.edgePort}/`, {
      headers: { host: 'demo.here.localhost' },
    });
    expect([plain.statusCode, plain.headers['location']]).toEqual([
      301,
      `https://www.example.org:${first.port}/`,
    ]);

    const before = await own();
    await region.restart();
    await region.healthy(app);
    expect(await own()).toBe(before);
    for (let turn = 0; turn < 3; turn += 1) {
      const again = await secure('www.example.org', made.certificate, cookie);
      expect(JSON.parse(again.text)).toEqual(JSON.parse(first.text));
      expect(again.headers).not.toHaveProperty('set-cookie');
    }
    const lines = await until(
      async () => {
        const log = await client.logs({ app, lines: 100, of: ['router'] });
        return log.lines.length === 6 && log.lines;
      },
      { timeout: 10_000, what: 'the lines of the router' },
    );
    const process = cookie.split('=')[1];
    expect(lines.filter((line) => line.includes(`container=${process}`))).toHaveLength(4);
    expect(lines[0]).toMatch(/ \[router\] method=GET path="\/x" host="demo.here.localhost"/);
  });

  it('outlives its agent, and is found again', async () => {
    const region = await TestRegion.start();
    const app = await region.create();
    await region.client.addAddon({
      app,
      id: newId(),
      product: 'postgresql',
      plan: 'postgresql-sandbox',
      version: null,
      role: 'primary',
    });
    await region.deploy(app, demo);
    await region.healthy(app);
    const before = await region.get('/');
    await region.restart();
    await region.healthy(app);
    expect(await region.get('/')).toBe(before);
    const found = await region.client.findApp({ ref: 'demo' });
    expect(found?.variables.map(({ name }) => name)).toEqual([
      'DATABASE_URL',
      'SCALINGO_POSTGRESQL_URL',
    ]);
    await region.agent?.close({ stop: true });
    expect(processesOf(app)).toEqual([]);
    await region.open();
    await region.healthy(app);
    expect(await region.get('/')).not.toBe(before);
  });

  it('is removed to its end when the agent died in the middle of that', async () => {
    const region = await TestRegion.start();
    const [going, staying] = [await region.create('going'), await region.create('staying')];
    for (const app of [going, staying]) {
      await region.deploy(app, demo);
      await region.healthy(app);
    }
    const addon = { product: 'postgresql', plan: 'postgresql-sandbox', version: null };
    await region.client.addAddon({ app: going, id: newId(), ...addon, role: 'primary' });
    const file = join(region.dir, 'apps', going, 'app.json');
    await region.agent?.close({ stop: false });
    await writeFile(
      file,
      (await readFile(file, 'utf8')).replace(/"deleting": false/, '"deleting": true'),
    );
    await region.open();
    expect((await region.client.listApps({})).map(({ name }) => name)).toEqual(['staying']);
    await until(async () => !(await readdir(join(region.dir, 'apps'))).includes(going), {
      timeout: 20_000,
      what: 'the removal',
    });
    expect(processesOf(going)).toEqual([]);
    expect(await readdir(join(region.dir, 'databases'))).toEqual([]);
    await region.healthy(staying);
    expect(JSON.parse(await region.get('/', 'staying.here.localhost'))).toMatchObject({ build: 1 });
  });

  it('is started again after a crash, also of an adopted process', async () => {
    const region = await TestRegion.start();
    const app = await region.create();
    await region.deploy(app, demo);
    await region.healthy(app);
    await region.restart();
    await region.healthy(app);
    const before = JSON.parse(await region.get('/')).pid;
    const [web] = processesOf(app).filter(({ process }) => process.pid === before);
    if (web) signalProcess(web.process, 'SIGKILL');
    const after = await until(
      async () => {
        const text = await region.get('/');
        return text.startsWith('{') && JSON.parse(text).pid;
      },
      { timeout: 20_000, what: 'the app to answer again' },
    );
    expect(after).not.toBe(before);
  });

  it('says why it does not become healthy', async () => {
    const region = await TestRegion.start();
    const app = await region.create();
    await region.deploy(app, {
      Procfile: 'web: node web.mjs',
      'web.mjs': `console.log('no database here'); process.exit(1);`,
    });
    const { reason } = await until(
      async () => {
        const health = await region.client.health({ app });
        return health.state === 'unhealthy' && health;
      },
      { timeout: 20_000, what: 'the verdict' },
    );
    expect(reason).toMatch(/web-1 has ended 3 times in a row[\s\S]*no database here/);
  });

  it('keeps running when a deployment fails', async () => {
    const region = await TestRegion.start();
    const app = await region.create();
    await region.deploy(app, demo);
    await region.healthy(app);
    const failed = await region.deploy(app, {
      ...demo,
      'package.json': '{"scripts":{"build":"exit 7"}}',
    });
    expect(failed).toMatchObject({ status: 'error' });
    expect(failed.output).toMatch(/npm run ended with code 7/);
    expect(JSON.parse(await region.get('/'))).toMatchObject({ build: 1 });
  });

  it('shares with nobody what its builds keep, until that is purged or the app removed', async () => {
    const region = await TestRegion.start();
    const kept = join(region.dir, 'cache');
    const app = await region.create();
    const files = { ...demo, 'package.json': '{}' };
    await region.deploy(app, files);
    expect(await readdir(kept)).toEqual([app]);
    await region.client.purgeCache({ app });
    expect(await readdir(kept)).toEqual([]);
    await region.deploy(app, files);
    const migration = randomUUID();
    await region.client.freeze({ app, migration });
    await expect(region.client.purgeCache({ app })).rejects.toMatchObject({ kind: 'conflict' });
    await expect(region.client.deleteApp({ app })).rejects.toMatchObject({ kind: 'conflict' });
    expect(await readdir(kept)).toEqual([app]);
    await region.client.thaw({ app, migration });
    await region.client.deleteApp({ app });
    expect(await readdir(kept)).toEqual([]);
  });

  it('is refused what is wrong, and nothing changes', async () => {
    const region = await TestRegion.start();
    const { client } = region;
    const app = await region.create();
    await expect(region.create()).rejects.toMatchObject({ kind: 'conflict' });
    await expect(
      client.addDomain({
        app,
        domain: { id: newId(), name: 'no name', canonical: false, tls: null },
      }),
    ).rejects.toMatchObject({ kind: 'invalid' });
    const taken = { id: newId(), name: 'other.here.localhost', canonical: false, tls: null };
    await expect(client.addDomain({ app, domain: taken })).rejects.toMatchObject({
      kind: 'invalid',
    });
    const twice = [
      { name: 'web', amount: 1 },
      { name: 'web', amount: 2 },
    ];
    await expect(client.scale({ app, formation: twice })).rejects.toMatchObject({
      kind: 'invalid',
    });
    await expect(client.changeVariables({ app, set: { A: 'b\0c' }, unset: [] })).rejects.toThrow(
      /did not understand: changeVariables/,
    );
    await expect(client.deploy({ app, source: newId() })).rejects.toMatchObject({
      kind: 'invalid',
    });
    await expect(client.health({ app: newId() })).rejects.toMatchObject({ kind: 'not-found' });
    await expect(
      client.addAddon({
        app,
        id: newId(),
        product: 'postgresql',
        plan: 'postgresql-sandbox',
        version: '9',
        role: 'primary',
      }),
    ).rejects.toMatchObject({ kind: 'invalid' });
    const stranger = new AgentClient({
      name: 'here',
      url: `http://127.0.0.1:${region.port}`,
      token: 'wrong',
    });
    await expect(stranger.listApps({})).rejects.toMatchObject({ kind: 'unauthorized' });

    const [mine, other] = [randomUUID(), randomUUID()];
    await client.freeze({ app, migration: mine });
    await expect(client.changeVariables({ app, set: { A: 'b' }, unset: [] })).rejects.toMatchObject(
      { kind: 'conflict', details: { code: 'frozen' } },
    );
    await expect(client.onBehalfOf(other).deleteApp({ app })).rejects.toMatchObject({
      kind: 'conflict',
    });
    await client.onBehalfOf(mine).changeVariables({ app, set: { A: 'b' }, unset: [] });
    await client.thaw({ app, migration: other });
    await expect(client.restart({ app })).rejects.toMatchObject({ kind: 'conflict' });
    await client.thaw({ app, migration: mine });
    expect((await client.findApp({ ref: app }))?.variables).toEqual([
      { name: 'A', value: 'b', from: null },
    ]);
  });

  it('gives a name to one only', async () => {
    const region = await TestRegion.start();
    const all = await Promise.allSettled(Array.from({ length: 50 }, () => region.create('wanted')));
    expect(all.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(await region.client.listApps({})).toHaveLength(1);
  });
});

describe('two regions', () => {
  it('hand over a build, once, and forward requests', async () => {
    const [here, there] = [await TestRegion.start('here'), await TestRegion.start('there')];
    const [app, twin] = [await here.create(), await there.create()];
    await here.deploy(app, demo);
    const { build, lastDeployment } = (await here.client.findApp({ ref: app })) ?? {};
    if (!build || !lastDeployment) throw new Error('there is no build');
    const [deployment = null] = await here.client.listDeployments({ app });
    const grant = await here.client.grantBuild({ app });
    // Fields that this version does not know arrive, too.
    const later = { later: ['kept'] };
    Object.assign(build, later);
    Object.assign(lastDeployment, later);
    const moved = { app: twin, build, deployment, lastDeployment, ...grant };
    // What arrived before it broke off is kept; what is damaged is fetched once more.
    const folder = join(there.dir, 'apps', twin, 'builds');
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, `${build.id}.tar.gz.new`), 'damaged');
    await expect(there.client.fetchBuild(moved)).rejects.toMatchObject({ kind: 'unavailable' });
    await expect(there.client.fetchBuild(moved)).rejects.toMatchObject({ kind: 'unavailable' });
    await there.client.fetchBuild({ ...moved, ...(await here.client.grantBuild({ app })) });
    expect(await there.client.findApp({ ref: twin })).toMatchObject({ build, lastDeployment });
    expect(await there.client.listDeployments({ app: twin })).toEqual([deployment]);
    await there.client.scale({ app: twin, formation: [{ name: 'web', amount: 1 }] });
    await there.client.start({ app: twin });
    await there.healthy(twin);
    const migration = here.client.onBehalfOf(randomUUID());
    await migration.hold({ app, budget: 20_000 });
    const waiting = here.get('/');
    await until(async () => (await migration.holdReport({ app })).holding === 1, {
      timeout: 5_000,
      what: 'the request to wait',
    });
    await migration.forward({ app, ...(await there.client.grantForward({ app: twin })) });
    expect(await waiting).toBe(await there.get('/', 'demo.there.localhost'));
    await here.restart();
    expect(await here.get('/')).toBe(await there.get('/', 'demo.there.localhost'));
  });
});

it('lets itself be tried from where somebody comes from, and from nowhere else', async () => {
  const { client } = await TestRegion.start();
  const { origins } = await client.describe({});
  expect(origins).toEqual(['127.0.0.1']);
  const tried = async (from: string[]) =>
    client.reach({ neighbour: { data: await client.offerProbe({ from }) } });
  expect(await tried(origins)).toEqual({ failures: [] });
  expect((await tried(['127.0.0.2'])).failures).toHaveLength(1);
});

it('does not wait for an edge that is silent longer than for an answer', async () => {
  const { client } = await TestRegion.start();
  const { port } = await startSilent();
  const { failures } = await client.reach({ neighbour: { edge: `127.0.0.1:${port}` } });
  expect(failures).toEqual([expect.stringContaining('timeout: 3000ms')]);
});

it('sends no faster to whoever tries it than its databases may be copied', async () => {
  const copyRate = 4_000_000;
  const { client } = await TestRegion.start('here', { copyRate });
  const { bytes, milliseconds } = await client.takeSample({ offer: await client.offerProbe({}) });
  const [credit, piece] = [copyRate / 10, 64 * 1024];
  expect(bytes).toBeLessThanOrEqual((copyRate * milliseconds) / 1_000 + credit + piece);
});
