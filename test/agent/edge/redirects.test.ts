import { once } from 'node:events';
import net from 'node:net';
import { describe, expect, it } from 'vitest';
import { redirection } from '../../../src/agent/edge/redirect.js';
import { until } from '../../../src/shared/until.js';
import {
  app,
  ask,
  askHttp2,
  askSecurely,
  connectHttp2,
  curl,
  echo,
  off,
  own,
  route,
  said,
  startBackend,
  startEdge,
} from './stage.js';

const demo = 'demo.here.localhost';
const forceHttps = { settings: { ...off, forceHttps: true } };
const toCanonical = { canonical: 'www.example.org' };
const hold = () => ({ kind: 'hold' as const, until: Date.now() + 60_000 });

describe('where clients are sent', () => {
  const reached = {
    ...{ address: '', version: '1.1', port: '', requestId: '', held: 0 },
    ...{ scheme: 'http' as const, host: `${demo}:8080`, httpsPort: 8443 },
  };
  const both = { ...forceHttps, ...toCanonical };
  const get = { method: 'GET', url: '/a?b=c' };
  it.each([
    [{}, {}, get, null],
    [forceHttps, {}, get, [301, `https://${demo}:8443/a?b=c`]],
    [forceHttps, { httpsPort: 443 }, get, [301, `https://${demo}/a?b=c`]],
    [forceHttps, {}, { ...get, method: 'HEAD' }, [301, `https://${demo}:8443/a?b=c`]],
    [forceHttps, {}, { ...get, method: 'POST' }, [308, `https://${demo}:8443/a?b=c`]],
    [forceHttps, { scheme: 'https' as const }, get, null],
    [toCanonical, {}, get, [301, 'http://www.example.org:8080/a?b=c']],
    [toCanonical, { host: demo }, get, [301, 'http://www.example.org/a?b=c']],
    [toCanonical, { host: 'WWW.Example.org.:8080' }, get, null],
    [
      toCanonical,
      { scheme: 'https' as const, host: `${demo}:8443` },
      { ...get, method: 'PUT' },
      [308, 'https://www.example.org:8443/a?b=c'],
    ],
    [both, {}, get, [301, 'https://www.example.org:8443/a?b=c']],
    [both, { host: 'www.example.org' }, get, [301, 'https://www.example.org:8443/a?b=c']],
    [both, { scheme: 'https' as const, host: 'www.example.org' }, get, null],
    [
      forceHttps,
      {},
      { ...get, url: '//evil.example' },
      [301, `https://${demo}:8443//evil.example`],
    ],
    [forceHttps, {}, { method: 'OPTIONS', url: '*' }, [308, `https://${demo}:8443/`]],
  ])('%j %j %j', (settings, changes, request, expected) => {
    const found = redirection(settings, request, { ...reached, ...changes }, { change: false });
    expect(found && [found.status, found.location]).toEqual(expected);
  });
});

describe('the edge redirects', () => {
  it('to HTTPS, without reading what the client sends', async () => {
    const { edge, port, tlsPort } = await startEdge();
    edge.setRoute(route([await startBackend(echo)], forceHttps));
    const answer = await ask(port, demo, { path: '/x?y=1' });
    expect([answer.status, answer.headers.location]).toEqual([
      301,
      `https://${demo}:${tlsPort}/x?y=1`,
    ]);
    expect(answer.headers['x-request-id']).toBeTruthy();
    const heard = await said(
      port,
      `POST / HTTP/1.1\r\nHost: ${demo}\r\nExpect: 100-continue\r\nContent-Length: 1000000\r\n\r\n`,
    );
    expect(heard).toMatch(/^HTTP\/1\.1 308 /);
    expect(heard).not.toContain('100 Continue');
    const { certificate: ca } = await own();
    expect((await askSecurely(tlsPort, demo, { ca })).status).toBe(200);
    const unknown = await ask(port, 'unknown.example');
    expect(unknown.status).toBe(404);
  });

  it('to the canonical domain, over HTTP/2 too', async () => {
    const { edge, port, tlsPort } = await startEdge();
    edge.setRoute(route([await startBackend(echo)], toCanonical));
    const plain = await ask(port, `example.org:${port}`, { method: 'POST', body: 'abc' });
    expect([plain.status, plain.headers.location]).toEqual([
      308,
      `http://www.example.org:${port}/`,
    ]);
    const session = await connectHttp2(tlsPort, demo, (await own()).certificate);
    const body = Buffer.alloc(500_000);
    const secure = await askHttp2(session, { path: '/x', method: 'POST', body });
    expect([secure.status, secure.headers['location']]).toEqual([
      308,
      `https://www.example.org:${tlsPort}/x`,
    ]);
    expect((await ask(port, 'www.example.org')).status).toBe(200);
  });

  it('no WebSocket to the canonical domain, but to HTTPS', async () => {
    const { edge, port } = await startEdge();
    const backend = await startBackend((_, response) => response.end());
    const asking = `GET / HTTP/1.1\r\nHost: ${demo}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`;
    edge.setRoute(route([backend], toCanonical));
    expect(await said(port, asking)).toMatch(/^HTTP\/1\.1 200 /); // which this app answers
    edge.setRoute(route([backend], { ...toCanonical, ...forceHttps }));
    expect(await said(port, asking)).toMatch(
      /^HTTP\/1\.1 301 .*Location: https:\/\/demo\.here\.localhost:/s,
    );
  });

  it('nobody who is held: whoever serves decides', async () => {
    const { edge, port } = await startEdge();
    const backend = await startBackend(echo);
    edge.setRoute(route([], { ...forceHttps, mode: hold() }));
    const waiting = ask(port, demo);
    await until(() => edge.report(app).holding === 1, { timeout: 5_000, what: 'it to wait' });
    edge.setRoute(route([backend]));
    expect((await waiting).status).toBe(200);
    edge.setRoute(route([], { mode: hold() }));
    const other = ask(port, demo);
    await until(() => edge.report(app).holding === 1, { timeout: 5_000, what: 'it to wait' });
    edge.setRoute(route([backend], forceHttps));
    expect((await other).status).toBe(301);
  });

  it('by the settings of the edge that serves, to the one that the client reached', async () => {
    const [here, there] = [await startEdge(), await startEdge()];
    const mode = { kind: 'forward' as const, address: there.edge.address, token: 'secret' };
    const backend = await startBackend(echo);
    const served = {
      hostnames: ['demo.there.localhost', 'www.example.org'],
      forwardToken: 'secret',
    };
    // What the source says does not count any more.
    here.edge.setRoute(route([], { mode, ...forceHttps, canonical: 'example.org' }));
    there.edge.setRoute(route([backend], served));
    expect((await ask(here.port, demo)).status).toBe(200);
    there.edge.setRoute(route([backend], { ...served, ...forceHttps, ...toCanonical }));
    const plain = await ask(here.port, demo);
    expect([plain.status, plain.headers.location]).toEqual([
      301,
      `https://www.example.org:${here.tlsPort}/`,
    ]);
    const { certificate: ca } = await own();
    const secure = await askSecurely(here.tlsPort, demo, { ca, path: '/x' });
    expect([secure.status, secure.headers.location]).toEqual([
      301,
      `https://www.example.org:${here.tlsPort}/x`,
    ]);
  });

  it('once, then no more, as curl follows it', async () => {
    const [here, there] = [await startEdge(), await startEdge()];
    const mode = { kind: 'forward' as const, address: there.edge.address, token: 'secret' };
    const canonical = 'main.here.localhost';
    const hostnames = [demo, canonical];
    here.edge.setRoute(route([], { mode, hostnames }));
    there.edge.setRoute(
      route([await startBackend(echo)], {
        ...{ forwardToken: 'secret', hostnames, canonical },
        ...forceHttps,
      }),
    );
    const resolve = (host: string, port: number) => ['--resolve', `${host}:${port}:127.0.0.1`];
    const printed = await curl((await own()).certificate, [
      ...resolve(demo, here.port),
      ...resolve(canonical, here.tlsPort),
      ...['--location', '--write-out', '\n%{num_redirects} %{http_code}'],
      ...['--data', 'abc', `http://${demo}:${here.port}/x`],
    ]);
    const [text = '', summary] = printed.split('\n');
    expect(summary).toBe('1 200');
    expect(JSON.parse(text)).toMatchObject({ method: 'POST', url: '/x' });
  });

  it('and lets what comes after on the same connection through', async () => {
    const { edge, tlsPort } = await startEdge();
    edge.setRoute(route([await startBackend(echo)], toCanonical));
    const session = await connectHttp2(tlsPort, demo, (await own()).certificate);
    expect((await askHttp2(session)).status).toBe(301);
    const there = await askHttp2(session, { headers: { ':authority': 'www.example.org' } });
    expect(there.status).toBe(200);
  });
});

it('a client that leaves while it is held is let go', async () => {
  const { edge, port } = await startEdge();
  edge.setRoute(route([], { ...forceHttps, mode: hold() }));
  const socket = net.connect(port, '127.0.0.1');
  socket.write(`GET / HTTP/1.1\r\nHost: ${demo}\r\n\r\n`);
  await until(() => edge.report(app).holding === 1, { timeout: 5_000, what: 'it to wait' });
  socket.destroy();
  await once(socket, 'close');
  await until(() => edge.report(app).holding === 0, { timeout: 5_000, what: 'it to leave' });
});
