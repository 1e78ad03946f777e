import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import { describe, expect, it } from 'vitest';
import type { EdgeMode } from '../../../src/region/model.js';
import { freePort } from '../../../src/shared/free-port.js';
import { until } from '../../../src/shared/until.js';
import { startSilent } from '../silent.js';
import {
  app,
  ask,
  askHttp2,
  connectHttp2,
  type Echo,
  echo,
  listen,
  own,
  route,
  said,
  sha,
  startBackend,
  startEdge,
  startWebSockets,
} from './stage.js';

const demo = 'demo.here.localhost';
const soon = { timeout: 10_000 };
const forwardTo = (port: number): EdgeMode => ({
  kind: 'forward',
  address: `127.0.0.1:${port}`,
  token: 'secret',
});
const upgrade = `GET /ws HTTP/1.1\r\nHost: ${demo}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`;

describe('the edge that forwards', () => {
  it('has requests of every method wait while the other edge is away, unread', async () => {
    const here = await startEdge();
    const port = await freePort();
    here.edge.setRoute(route([], { mode: forwardTo(port) }));
    const body = 'x'.repeat(100_000);
    const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];
    const sent = methods.map((method) => {
      const given = ['POST', 'PUT', 'PATCH'].includes(method) ? { body } : {};
      return ask(here.port, demo, { method, path: `/${method}`, ...given });
    });
    const session = await connectHttp2(here.tlsPort, demo, (await own()).certificate);
    sent.push(askHttp2(session, { method: 'POST', path: '/http2', body }));
    const socket = said(here.port, `${upgrade}x`);
    const asking = http.request({
      ...{ host: '127.0.0.1', port: here.port, method: 'PUT', path: '/asking' },
      headers: { host: demo, expect: '100-continue', 'content-length': 5 },
    });
    let isAsked = false;
    asking.once('continue', () => {
      isAsked = true;
      asking.end('hello');
    });
    asking.flushHeaders();
    const response: Promise<http.IncomingMessage[]> = once(asking, 'response');
    // One after the other, so that it has been tried and tried again when the other edge comes.
    const refused = () => net.connect(port, '127.0.0.1');
    for (let turn = 0; turn < 10; turn += 1) await once(refused(), 'error');
    expect(isAsked).toBe(false);

    const urls: string[] = [];
    const backend = await startBackend((request, response) => {
      urls.push(request.url ?? '');
      echo(request, response);
    });
    const sockets = await startWebSockets();
    const there = await startEdge({}, undefined, port);
    there.edge.setRoute(route([backend], { forwardToken: 'secret', hostnames: [] }));
    for (const answer of await Promise.all(sent)) {
      expect(answer.status).toBe(200);
      if (answer.text.includes('"POST"')) expect(answer.text).toContain(sha(body));
    }
    const [answer] = await response;
    expect(answer?.statusCode).toBe(200);
    answer?.resume();
    expect(isAsked).toBe(true);
    await socket;
    const expected = [...methods, 'http2', 'asking', 'ws'].map((path) => `/${path}`);
    expect(urls.filter((url) => url !== '/ws').sort()).toEqual(
      expected.filter((url) => url !== '/ws').sort(),
    );
    there.edge.setRoute(route([sockets], { forwardToken: 'secret', hostnames: [] }));
    expect(await said(here.port, `${upgrade}x`)).toMatch(/^HTTP\/1\.1 101 .*hello/s);
    const { traffic } = here.edge.report(app);
    expect(traffic.reduce((sum, { failed }) => sum + failed, 0)).toBe(0);
  });

  it('bounds how many wait for the other edge', async () => {
    const here = await startEdge({ waiting: 2, forward: 300 });
    here.edge.setRoute(route([], { mode: forwardTo(await freePort()) }));
    const all = await Promise.all(Array.from({ length: 5 }, () => ask(here.port, demo)));
    expect(all.map(({ status }) => status)).toEqual(Array(5).fill(503));
    const texts = all.map(({ text }) => text);
    expect(texts.filter((text) => text.includes('Too many')).length).toBe(3);
    expect(all.every(({ headers }) => headers['retry-after'] === '2')).toBe(true);
  });

  it('tries again where nothing comes back, as when the network is cut', async () => {
    const here = await startEdge({ connect: 200 });
    const { silent, port } = await startSilent();
    here.edge.setRoute(route([], { mode: forwardTo(port) }));
    const waiting = [ask(here.port, demo), ask(here.port, demo, { method: 'POST', body: 'abc' })];
    // Another whose patience is as long as it takes to try a few times.
    const other = await startEdge({ connect: 100, patience: 1, forward: 400 });
    other.edge.setRoute(route([], { mode: forwardTo(port) }));
    expect(await ask(other.port, demo)).toMatchObject({
      status: 503,
      text: expect.stringContaining('The region that the application is in cannot be reached'),
    });
    silent.kill('SIGCONT');
    for (const answer of await Promise.all(waiting)) {
      expect([answer.status, answer.text]).toEqual([200, 'here']);
    }
  });

  it('bounds how many wait their turn where nothing comes back, and for how long', async () => {
    const here = await startEdge({ connect: 3_000, forward: 300, waiting: 100 });
    const { port } = await startSilent();
    here.edge.setRoute(route([], { mode: forwardTo(port) }));
    const all = await Promise.all(Array.from({ length: 200 }, () => ask(here.port, demo)));
    expect(all.map(({ status }) => status)).toEqual(Array(200).fill(503));
    // 64 were trying to connect, and 100 waited.
    const refused = all.filter(({ text }) => text.includes('Too many')).length;
    expect(refused).toBeGreaterThanOrEqual(36);
    expect(refused).toBeLessThan(200);
  });

  it('asks again where the line breaks before an answer, what may be asked twice', async () => {
    const [here, there] = [await startEdge(), await startEdge()];
    const sockets = await startWebSockets();
    there.edge.setRoute(route([sockets], { forwardToken: 'secret', hostnames: [] }));
    let isCut = true;
    let broken = 0;
    const line = net.createServer((near) => {
      if (isCut) {
        broken += 1;
        return void near.once('data', () => near.destroy());
      }
      const far = net.connect(there.port, '127.0.0.1');
      near.pipe(far).pipe(near);
    });
    here.edge.setRoute(route([], { mode: forwardTo(await listen(line)) }));
    expect((await ask(here.port, demo, { method: 'POST', body: 'abc' })).status).toBe(502);
    const answers = [ask(here.port, demo), said(here.port, `${upgrade}x`)];
    await until(() => broken > 4, { ...soon, what: 'both to be asked again' });
    isCut = false;
    const [answer, socket] = await Promise.all(answers);
    expect(answer).toMatchObject({ status: 400, text: 'no socket' }); // by the app
    expect(socket).toMatch(/^HTTP\/1\.1 101 .*hello/s);
  });

  it('is the one to end slow bodies: to the other, the line may have been cut', async () => {
    const [here, there] = [await startEdge(), await startEdge({ body: 200 })];
    let begun = 0;
    const backend = await startBackend((request, response) => {
      begun += 1;
      echo(request, response);
    });
    there.edge.setRoute(route([backend], { forwardToken: 'secret' }));
    const mode: EdgeMode = { kind: 'forward', address: there.edge.address, token: 'secret' };
    here.edge.setRoute(route([], { mode }));
    const head = { host: demo, 'content-length': 10 };
    const slow = http.request({ port: here.port, method: 'POST', headers: head });
    const answered: Promise<http.IncomingMessage[]> = once(slow, 'response');
    slow.write('hello');
    await until(() => begun === 1, { ...soon, what: 'the app to have it' });
    // A client of its own has no excuse; when it has been ended, time enough has passed.
    const post = `POST / HTTP/1.1\r\nHost: ${demo}\r\nContent-Length: 10\r\n\r\nhello`;
    expect((await said(there.port, post)).slice(0, 12)).toBe('HTTP/1.1 408');
    slow.end('world');
    const [answer] = await answered;
    answer?.resume();
    expect(answer?.statusCode).toBe(200);
  });

  it('tells the other the address of the client, whatever that says', async () => {
    const [here, there] = [await startEdge(), await startEdge()];
    there.edge.setRoute(
      route([await startBackend(echo)], { forwardToken: 'secret', hostnames: [] }),
    );
    here.edge.setRoute(route([], { mode: forwardTo(there.port) }));
    const request = http.get({
      ...{ host: '127.0.0.1', port: here.port, localAddress: '127.0.0.9', agent: false },
      headers: { host: demo, 'x-forwarded-for': '6.6.6.6' },
    });
    const [answer]: http.IncomingMessage[] = await once(request, 'response');
    let text = '';
    for await (const piece of answer?.setEncoding('utf8') ?? []) text += piece;
    const { headers }: Echo = JSON.parse(text);
    expect(headers['x-forwarded-for']).toBe('127.0.0.9');
  });

  it('uses connections again, and is not hurt by one that is closed just then', async () => {
    const here = await startEdge();
    let connections = 0;
    let answered = 0;
    let isTired = false;
    const used = new WeakSet<net.Socket>();
    const server = http.createServer((request, response) => {
      response.once('finish', () => {
        answered += 1;
        used.add(request.socket);
      });
      echo(request, response);
    });
    server.on('connection', (socket) => {
      connections += 1;
      socket.prependListener('data', () => {
        // As if it had closed it while the request was on its way.
        if (isTired && used.has(socket)) socket.destroy();
      });
    });
    const port = await listen(server);
    here.edge.setRoute(route([], { mode: forwardTo(port) }));
    for (let turn = 0; turn < 10; turn += 1) await ask(here.port, demo);
    expect([answered, connections]).toEqual([10, 1]);
    isTired = true;
    for (const method of ['GET', 'POST', 'DELETE', 'GET', 'PUT', 'GET']) {
      const body = method === 'GET' || method === 'DELETE' ? {} : { body: 'abc' };
      expect((await ask(here.port, demo, { method, ...body })).status).toBe(200);
    }
    await until(() => answered === 16, { ...soon, what: 'each to be answered once' });
  });
});
