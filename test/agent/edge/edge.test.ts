import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import { Readable } from 'node:stream';
import { pino } from 'pino';
import { Agent, Client, Pool, request as send, WebSocket } from 'undici';
import { describe, expect, it } from 'vitest';
import { Edge } from '../../../src/agent/edge/edge.js';
import type { Backend, Route } from '../../../src/agent/edge/route.js';
import type { EdgeMode } from '../../../src/region/model.js';
import { freePort } from '../../../src/shared/free-port.js';
import { until } from '../../../src/shared/until.js';
import { cleanUp } from '../../clean-up.js';

async function startEdge(limits = {}, port = 0): Promise<Edge> {
  const edge = new Edge({ host: '127.0.0.1', port, logger: pino({ level: 'silent' }), limits });
  await edge.start();
  cleanUp.push(() => edge.close());
  return edge;
}

async function startBackend(handler: http.RequestListener, port = 0): Promise<Backend> {
  const server = http.createServer(handler);
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  cleanUp.push(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return { host: '127.0.0.1', port: address.port };
}

const app = 'a'.repeat(24);
const serve: EdgeMode = { kind: 'serve' };
const route = (backends: readonly Backend[], changes: Partial<Route> = {}): Route => ({
  app,
  hostnames: ['demo.test', 'www.example.org'],
  mode: serve,
  backends,
  forwardToken: null,
  ...changes,
});

const get = (edge: Edge, path = '/', headers: Record<string, string> = {}) =>
  send(`http://${edge.address}${path}`, { headers: { host: 'demo.test', ...headers } });

const echo: http.RequestListener = (request, response) => {
  const hash = createHash('sha256');
  request.on('data', (piece) => hash.update(piece));
  request.on('end', () =>
    response.end(
      JSON.stringify({ method: request.method, headers: request.headers, sha: hash.digest('hex') }),
    ),
  );
};

describe('the edge serves', () => {
  it('routes by host name, whatever its case and port, and takes turns', async () => {
    const edge = await startEdge();
    const [one, two] = [
      await startBackend((_, response) => response.end('one')),
      await startBackend((_, response) => response.end('two')),
    ];
    edge.setRoute(route([one, two]));
    const seen = [];
    for (const host of ['demo.test', 'DEMO.test:80', 'www.Example.org', 'demo.test']) {
      seen.push(await (await get(edge, '/', { host })).body.text());
    }
    expect(seen).toEqual(['one', 'two', 'one', 'two']);
    expect((await get(edge, '/', { host: 'other.test' })).statusCode).toBe(404);
    edge.removeRoute(app);
    expect((await get(edge)).statusCode).toBe(404);
  });

  it('passes bodies, headers and statuses on as they are', async () => {
    const edge = await startEdge();
    edge.setRoute(route([await startBackend(echo)]));
    const body = randomBytes(3_000_000);
    const sha = createHash('sha256').update(body).digest('hex');
    for (const sent of [body, Readable.from([body.subarray(0, 1_000), body.subarray(1_000)])]) {
      const answer = await send(`http://${edge.address}/x`, {
        method: 'POST',
        headers: { host: 'demo.test', 'x-forwarded-for': '6.6.6.6', cookie: 'a=1; b=2' },
        body: sent,
      });
      const got: unknown = await answer.body.json();
      expect(got).toMatchObject({
        method: 'POST',
        sha,
        headers: { host: 'demo.test', 'x-forwarded-for': '127.0.0.1', cookie: 'a=1; b=2' },
      });
    }
  });

  it('streams both ways, and does not take more than is asked of it', async () => {
    const edge = await startEdge();
    const piece = Buffer.alloc(65_536);
    let written = 0;
    const backend = await startBackend(async (_, response) => {
      response.on('error', () => undefined);
      for (let left = 3_200; left > 0 && !response.destroyed; left--) {
        written += piece.length;
        if (!response.write(piece)) await once(response, 'drain').catch(() => undefined);
      }
      response.end();
    });
    edge.setRoute(route([backend]));
    const { body } = await get(edge);
    await once(body, 'readable');
    let before = -1;
    await until(
      () => {
        const stands = written === before;
        before = written;
        return stands;
      },
      { timeout: 10_000, every: 200, what: 'the app to be held up by its slow reader' },
    );
    expect(written).toBeLessThan(60_000_000);
    let read = 0;
    for await (const chunk of body) read += chunk.length;
    expect(read).toBe(3_200 * piece.length);
  });

  it('asks for the body when the app can take it', async () => {
    const edge = await startEdge();
    edge.setRoute(route([await startBackend(echo)]));
    const [host, port] = edge.address.split(':');
    const request = http.request({
      host,
      port,
      method: 'PUT',
      headers: { host: 'demo.test', expect: '100-continue', 'content-length': 5 },
    });
    request.flushHeaders();
    await once(request, 'continue');
    request.end('hello');
    const [answer] = await once(request, 'response');
    expect(answer.statusCode).toBe(200);
    answer.resume();
  });

  it('waits for an app that is restarting, and says 503 when it does not come', async () => {
    const edge = await startEdge({ patience: 500 });
    const port = await freePort();
    edge.setRoute(route([]));
    const early = get(edge);
    edge.setRoute(route([{ host: '127.0.0.1', port }]));
    await startBackend((_, response) => response.end('here'), port);
    expect(await (await early).body.text()).toBe('here');
    edge.setRoute(route([]));
    const late = await get(edge);
    expect([late.statusCode, late.headers['retry-after']]).toEqual([503, '2']);
  });

  it('ends what the client gave up, and cuts short what the app cut short', async () => {
    const edge = await startEdge();
    let closed = false;
    const backend = await startBackend((request, response) => {
      response.write('begun');
      if (request.url === '/cut') setImmediate(() => response.destroy());
      else request.socket.once('close', () => (closed = true));
    });
    edge.setRoute(route([backend]));
    await expect((await get(edge, '/cut')).body.text()).rejects.toThrow();
    const { body } = await get(edge, '/stay');
    body.on('error', () => undefined);
    body.destroy();
    await until(() => closed, { timeout: 5_000, what: 'the app to hear of it' });
  });

  it.each([
    'NONSENSE\r\n\r\n',
    'GET / HTTP/1.1\r\n\r\n',
    `GET / HTTP/1.1\r\nHost: demo.test\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`,
    'POST / HTTP/1.1\r\nHost: demo.test\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
  ])('refuses what is not HTTP', async (text) => {
    const edge = await startEdge();
    edge.setRoute(route([await startBackend(echo)]));
    const [host, port] = edge.address.split(':');
    const socket = net.connect({ host: host ?? '', port: Number(port) });
    socket.write(text);
    const [answer] = await once(socket, 'data');
    expect(String(answer)).toMatch(/^HTTP\/1.1 4\d\d /);
    socket.destroy();
    expect((await get(edge)).statusCode).toBe(200);
  });
});

describe('the edge holds', () => {
  it('has requests wait, and lets all of them through, none failed', async () => {
    const edge = await startEdge();
    const backend = await startBackend(echo);
    const hold: EdgeMode = { kind: 'hold', until: Date.now() + 60_000 };
    edge.setRoute(route([], { mode: hold }));
    const pool = new Pool(`http://${edge.address}`, { connections: 300 });
    cleanUp.push(() => pool.close());
    const body = randomBytes(100_000);
    const sha = createHash('sha256').update(body).digest('hex');
    const all = Promise.all(
      Array.from({ length: 300 }, async () => {
        const answer = await pool.request({
          path: '/',
          method: 'POST',
          headers: { host: 'demo.test' },
          body,
        });
        return [answer.statusCode, await answer.body.json()];
      }),
    );
    await until(() => edge.report(app).holding === 300, { timeout: 10_000, what: 'all to wait' });
    edge.setRoute(route([backend]));
    for (const answer of await all) expect(answer).toMatchObject([200, { sha }]);
    expect(edge.report(app)).toMatchObject({ mode: 'serve', holding: 0, held: 300, expired: 0 });
    expect(edge.report(app).longestWait).toBeGreaterThan(0);
  });

  it('forgets who left, and ends by itself', async () => {
    const edge = await startEdge({ patience: 50, stranded: 50 });
    edge.setRoute(route([], { mode: { kind: 'hold', until: Date.now() + 1_000 } }));
    const client = new Client(`http://${edge.address}`);
    const left = client.request({ path: '/', method: 'GET', headers: { host: 'demo.test' } });
    const waits = get(edge);
    await until(() => edge.report(app).holding === 2, { timeout: 5_000, what: 'both to wait' });
    await Promise.all([client.destroy(), expect(left).rejects.toThrow()]);
    await until(() => edge.report(app).holding === 1, { timeout: 5_000, what: 'one to leave' });
    expect((await waits).statusCode).toBe(503);
    expect(edge.report(app)).toMatchObject({ mode: 'serve', holding: 0, expired: 1 });
  });

  it('goes on when it is over, while the app is stopped, and no longer', async () => {
    const edge = await startEdge({ patience: 50 });
    const mode = { kind: 'hold', until: Date.now() - 1 } as const;
    edge.setRoute(route([], { mode }));
    const waits = get(edge);
    await until(() => edge.report(app).holding === 1, { timeout: 5_000, what: 'it to wait' });
    const backend = await startBackend((_, response) => response.end());
    edge.setRoute(route([backend], { mode }));
    expect((await waits).statusCode).toBe(200);
  });

  it('tells when the app has answered all that was passed to it', async () => {
    const edge = await startEdge();
    let finish: () => void = () => undefined;
    const backend = await startBackend((_, response) => {
      finish = () => response.end('slow');
      response.flushHeaders();
    });
    edge.setRoute(route([backend]));
    const slow = await get(edge);
    expect(await edge.drained(app, 50)).toBe(false);
    const drained = edge.drained(app, 10_000);
    finish();
    expect(await slow.body.text()).toBe('slow');
    expect(await drained).toBe(true);
  });
});

describe('the edge forwards', () => {
  it('to another edge, which knows the app by the token, whatever the host', async () => {
    const [here, there] = [await startEdge(), await startEdge()];
    there.setRoute({
      ...route([await startBackend(echo)], { forwardToken: 'secret', hostnames: [] }),
    });
    here.setRoute(
      route([], { mode: { kind: 'forward', address: there.address, token: 'secret' } }),
    );
    const got: unknown = await (await get(here)).body.json();
    expect(got).toMatchObject({ headers: { host: 'demo.test', 'x-forwarded-for': '127.0.0.1' } });
    expect(JSON.stringify(got)).not.toContain('secret');
    for (const token of ['wrong', '']) {
      expect((await get(there, '/', { 'godwit-forward': token })).statusCode).toBe(404);
      expect((await get(here, '/', { 'godwit-forward': token })).statusCode).toBe(404);
    }
  });

  it('waits for an edge that is restarting', async () => {
    const here = await startEdge();
    const port = await freePort();
    const mode: EdgeMode = { kind: 'forward', address: `127.0.0.1:${port}`, token: 'secret' };
    here.setRoute(route([], { mode }));
    const backend = await startBackend(echo);
    const early = send(`http://${here.address}/`, {
      method: 'POST',
      headers: { host: 'demo.test' },
      body: 'hello',
    });
    const there = await startEdge({}, port);
    there.setRoute(route([backend], { forwardToken: 'secret', hostnames: [] }));
    expect((await early).statusCode).toBe(200);
  });

  it('WebSockets too', async () => {
    const [here, there] = [await startEdge(), await startEdge()];
    const server = http.createServer((_, response) => response.writeHead(400).end('no socket'));
    server.on('upgrade', (request, socket) => {
      if (request.url === '/no') return socket.end('HTTP/1.1 403 Forbidden\r\n\r\nno');
      const accept = createHash('sha1')
        .update(`${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
        .digest('base64');
      socket.write(
        `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
      );
      socket.write(Buffer.from([0x81, 5, ...Buffer.from('hello')]));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    cleanUp.push(() => server.close());
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    const backend = { host: '127.0.0.1', port: address.port };
    there.setRoute(route([backend], { forwardToken: 'secret', hostnames: [] }));
    const [, port] = here.address.split(':');
    here.setRoute(
      route([], {
        hostnames: ['localhost'],
        mode: { kind: 'forward', address: there.address, token: 'secret' },
      }),
    );
    const socket = new WebSocket(`ws://localhost:${port}/`, {
      dispatcher: new Agent({ connect: { host: '127.0.0.1' } }),
    });
    const message = await new Promise((resolve, reject) => {
      socket.onmessage = ({ data }) => resolve(data);
      socket.onerror = reject;
    });
    expect(message).toBe('hello');
    socket.close();
  });
});

/** What a client that writes exactly this is answered, byte by byte (as latin1), until the end. */
async function said(edge: Edge, request: string): Promise<string> {
  const [host = '', port = ''] = edge.address.split(':');
  const socket = net.connect(Number(port), host).setEncoding('latin1');
  socket.on('error', () => undefined); // what was heard until then counts
  socket.write(request, 'latin1');
  let heard = '';
  for await (const piece of socket) heard += piece;
  return heard;
}

/** A backend that answers every connection with these bytes. */
async function rawBackend(answer: string): Promise<Backend> {
  const server = net.createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () => socket.end(answer, 'latin1'));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanUp.push(() => server.close());
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return { host: '127.0.0.1', port: address.port };
}

describe('the edge is not thrown by', () => {
  const head = 'Host: demo.test\r\nConnection: close\r\n';
  const cases: [what: string, answer: string, request: string, status: RegExp][] = [
    [
      'trailers announced after a content of known length',
      'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
      `POST / HTTP/1.1\r\n${head}Trailer: X-Z\r\nContent-Length: 3\r\n\r\nabc`,
      /^HTTP\/1\.1 200 .*ok$/s,
    ],
    [
      'trailers for a client that takes no chunks',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n2\r\nok\r\n0\r\nX-T: 1\r\n\r\n',
      'GET / HTTP/1.0\r\nHost: demo.test\r\n\r\n',
      /^HTTP\/1\.1 200 .*ok$/s,
    ],
    [
      'trailers of an answer of known length',
      'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTrailer: X-T\r\n\r\nok',
      `GET / HTTP/1.1\r\n${head}\r\n`,
      /^HTTP\/1\.1 200 .*ok$/s,
    ],
    [
      'a status that there is not',
      'HTTP/1.1 099 Odd\r\nContent-Length: 2\r\n\r\nok',
      `GET / HTTP/1.1\r\n${head}\r\n`,
      /^HTTP\/1\.1 502 /,
    ],
    ['what is no HTTP', 'hello\r\n\r\n', `GET / HTTP/1.1\r\n${head}\r\n`, /^HTTP\/1\.1 502 /],
    [
      'an offer of HTTP/2 with content',
      'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
      'POST / HTTP/1.1\r\nHost: demo.test\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n' +
        'HTTP2-Settings: AAA\r\nContent-Length: 3\r\n\r\nabc' +
        `GET / HTTP/1.1\r\n${head}\r\n`,
      /^HTTP\/1\.1 200 .*okHTTP\/1\.1 200 .*ok$/s,
    ],
  ];
  it.each(cases)('%s', async (_, answer, request, status) => {
    const edge = await startEdge();
    edge.setRoute(route([await rawBackend(answer)]));
    expect(await said(edge, request)).toMatch(status);
    edge.setRoute(route([await startBackend((_, response) => response.end('still here'))]));
    expect(await (await get(edge)).body.text()).toBe('still here');
  });

  it('headers and reasons that are not ASCII', async () => {
    const edge = await startEdge();
    const name = Buffer.from('é✓').toString('latin1');
    const answer = `HTTP/1.1 200 ${name}\r\nX-Name: ${name}\r\nContent-Length: 2\r\n\r\nok`;
    edge.setRoute(route([await rawBackend(answer)]));
    const heard = await said(edge, `GET / HTTP/1.1\r\n${head}\r\n`);
    expect(heard).toContain(`HTTP/1.1 200 ${name}\r\n`);
    expect(heard).toContain(`X-Name: ${name}\r\n`);
  });

  it('an answer that comes before the request has been read', async () => {
    const edge = await startEdge();
    const backend = await startBackend((_, response) => {
      response.writeHead(413).end('too large');
    });
    edge.setRoute(route([backend]));
    for (let turn = 0; turn < 3; turn += 1) {
      const answer = await send(`http://${edge.address}/`, {
        method: 'POST',
        headers: { host: 'demo.test' },
        body: Buffer.alloc(20_000_000),
      });
      expect([answer.statusCode, await answer.body.text()]).toEqual([413, 'too large']);
    }
  });

  it('two apps with one name: what is left of the other goes on', async () => {
    const edge = await startEdge();
    const [one, two] = [
      await startBackend((_, response) => response.end('one')),
      await startBackend((_, response) => response.end('two')),
    ];
    edge.setRoute(route([one]));
    edge.setRoute(route([two], { app: 'b'.repeat(24) }));
    edge.removeRoute(app);
    expect(await (await get(edge)).body.text()).toBe('two');
  });
});
