import { once } from 'node:events';
import { Agent, WebSocket } from 'undici';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { until } from '../../src/shared/until.js';
import { ask, askHttp2, askSecurely, connectHttp2, curl } from '../agent/edge/stage.js';
import { type Authority, createAuthority } from '../certificates.js';
import { atRest, createApp, deploy } from './migrating.js';
import { type Stage, startStage } from './platform-stage.js';

let stage: Stage;
let authority: Authority;
beforeAll(async () => {
  [stage, authority] = await Promise.all([startStage(), createAuthority()]);
});
afterAll(() => stage?.close());

const host = 'www.secure.test';
/** Says which process it is, over HTTP and WebSockets. */
const server = `
const { createHash } = require('node:crypto');
const name = process.env.CONTAINER;
const server = require('node:http').createServer((request, answer) => {
  request.resume().on('end', () => answer.end(name + ' ' + request.headers['x-forwarded-proto']));
});
server.on('upgrade', (request, socket) => {
  const key = request.headers['sec-websocket-key'] + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
  const accept = createHash('sha1').update(key).digest('base64');
  socket.on('error', () => undefined);
  socket.write('HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: websocket\\r\\n' +
    'Connection: Upgrade\\r\\nSec-WebSocket-Accept: ' + accept + '\\r\\n\\r\\n');
  socket.write(Buffer.concat([Buffer.from([0x81, name.length]), Buffer.from(name)]));
  socket.once('data', () => socket.end(Buffer.from([0x88, 0])));
});
server.listen(process.env.PORT);
`;

/** Where clients come to a region. */
async function doors(region: string) {
  const { edge, edgeHttps } = (await stage.registry.get(region)?.describe({})) ?? {};
  const port = (address = '') => Number(address.split(':').at(-1));
  return { plain: port(edge), secure: port(edgeHttps) };
}

/** Opens a WebSocket over TLS. @returns it, and what it was greeted with */
async function openSocket(secure: number, cookie: string) {
  const socket = new WebSocket(`wss://${host}:${secure}/`, {
    headers: { cookie },
    dispatcher: new Agent({
      connect: {
        ca: authority.certificate,
        lookup: (_, __, found) => found(null, [{ address: '127.0.0.1', family: 4 }]),
      },
    }),
  });
  const greeting = await new Promise<string>((resolve, reject) => {
    socket.onmessage = ({ data }) => resolve(String(data));
    socket.onerror = () => reject(new Error('the WebSocket was refused'));
  });
  return { socket, greeting };
}

/** All that clients see of the app at the doors of a region. @returns the process that it sticks to */
async function looksRight(at: { plain: number; secure: number }, cookie = ''): Promise<string> {
  const ca = authority.certificate;
  const url = `https://${host}:${at.secure}/some?where=1`;
  const plain = await ask(at.plain, host, { path: '/some?where=1' });
  expect([plain.status, plain.headers.location]).toEqual([301, url]);
  const other = await askSecurely(at.secure, 'secure.test', { ca, path: '/some?where=1' });
  expect([other.status, other.headers.location]).toEqual([301, url]);
  const first = await askSecurely(at.secure, host, { ca, headers: { cookie } });
  expect(first).toMatchObject({ status: 200, text: expect.stringMatching(/^web-\d https$/) });
  const [process = ''] = first.text.split(' ');
  const sticks = { cookie: `godwit-process=${process}` };
  const session = await connectHttp2(at.secure, host, ca);
  for (const method of ['GET', 'POST']) {
    expect((await askHttp2(session, { method, headers: sticks })).text).toBe(first.text);
    const { text } = await askSecurely(at.secure, host, { ca, method, headers: sticks });
    expect(text).toBe(first.text);
  }
  const { socket, greeting } = await openSocket(at.secure, sticks.cookie);
  socket.close();
  expect(greeting).toBe(process);
  const resolve = [
    '--resolve',
    `${host}:${at.secure}:127.0.0.1`,
    '--resolve',
    `${host}:${at.plain}:127.0.0.1`,
  ];
  const printed = await curl(ca, [
    '--http2',
    '-L',
    '-b',
    sticks.cookie,
    ...resolve,
    `http://${host}:${at.plain}/`,
  ]);
  expect(printed).toBe(first.text);
  return process;
}

it('HTTPS, HTTP/2, WebSockets, sticky sessions and redirects go on through a migration', async () => {
  const app = await createApp(stage, 'secure');
  const settings = { force_https: true, sticky_session: true };
  await stage.ask(`/apps/${app}`, { method: 'PATCH', body: { app: settings } });
  const { certificate, key } = await authority.issue([host, 'secure.test']);
  for (const [name, canonical] of [
    [host, true],
    ['secure.test', false],
  ]) {
    const domain = { name, canonical, tlscert: certificate, tlskey: key };
    expect((await stage.ask(`/apps/${app}/domains`, { body: { domain } })).status).toBe(201);
  }
  await deploy(stage, app, { Procfile: 'web: node server.cjs\n', 'server.cjs': server });
  const containers = [{ name: 'web', amount: 2 }];
  await stage.ask(`/apps/${app}/scale`, { body: { containers } });
  const healthy = async () =>
    (await stage.registry.get('here')?.health({ app }))?.state === 'healthy';
  await until(healthy, { timeout: 20_000, what: 'the app to run' });

  const [here, there] = [await doors('here'), await doors('there')];
  const process = await looksRight(here);
  const cookie = `godwit-process=${process}`;

  const path = `/apps/${app}/region_migrations`;
  const body = { migration: { destination: 'there' } };
  const { id } = z.object({ id: z.string() }).parse((await stage.ask(path, { body })).json);
  await atRest(stage, app, id);
  await stage.ask(`${path}/${id}/run`, { body: { step: 'prepare' } });
  await atRest(stage, app, id);

  let isOver = false;
  const ca = authority.certificate;
  const answers = { http1: 0, http2: 0, sockets: 0 };
  const goOn = async (kind: keyof typeof answers, once: () => Promise<string>) => {
    while (!isOver || answers[kind] === 0) {
      expect(await once()).toMatch(new RegExp(`^${process}\\b`));
      answers[kind] += 1;
    }
  };
  const session = await connectHttp2(here.secure, host, ca);
  const clients = Promise.all([
    goOn(
      'http2',
      async () => (await askHttp2(session, { method: 'POST', headers: { cookie } })).text,
    ),
    goOn(
      'http1',
      async () => (await askSecurely(here.secure, host, { ca, headers: { cookie } })).text,
    ),
    goOn('sockets', async () => {
      const { socket, greeting } = await openSocket(here.secure, cookie);
      const closed = once(socket, 'close');
      socket.close();
      await closed;
      return greeting;
    }),
  ]);
  const run = stage.ask(`${path}/${id}/run`, { body: { step: 'finalize' } });
  const migrated = run
    .then(() => atRest(stage, app, id))
    .finally(() => {
      isOver = true;
    });
  await clients;
  expect(await migrated).toMatchObject({ status: 'done' });

  expect(await looksRight(here, cookie)).toBe(process);
  expect(await looksRight(there, cookie)).toBe(process);
  const region = stage.registry.get('there');
  const { new_app_id } = z.object({ new_app_id: z.string() }).parse(await atRest(stage, app, id));
  expect((await region?.health({ app: new_app_id }))?.state).toBe('healthy');
}, 90_000);
