import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import http2, { constants } from 'node:http2';
import net from 'node:net';
import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { until } from '../../../src/shared/until.js';
import { cleanUp } from '../../clean-up.js';
import {
  app,
  askHttp2,
  connectHttp2,
  type Echo,
  echo,
  heard,
  listen,
  own,
  route,
  type Staged,
  sha,
  startBackend,
  startEdge,
} from './stage.js';

const demo = 'demo.here.localhost';

async function connect({ tlsPort }: Staged) {
  return connectHttp2(tlsPort, demo, (await own()).certificate);
}

const read = (text: string): Echo => JSON.parse(text);
const hold = () => ({ kind: 'hold' as const, until: Date.now() + 60_000 });

describe('over HTTP/2, the edge', () => {
  it('passes requests on as requests of HTTP/1.1', async () => {
    const stage = await startEdge();
    stage.edge.setRoute(route([await startBackend(echo)]));
    const session = await connect(stage);
    const body = randomBytes(3_000_000);
    const answer = await askHttp2(session, {
      path: '/x?y=1',
      method: 'POST',
      headers: { cookie: ['a=1', 'b=2'], te: 'trailers', 'x-forwarded-for': '6.6.6.6' },
      body,
    });
    const got = read(answer.text);
    expect(got).toMatchObject({ method: 'POST', url: '/x?y=1', sha: sha(body) });
    expect(got.headers).toMatchObject({
      host: `${demo}:${stage.tlsPort}`,
      cookie: 'a=1; b=2',
      'x-forwarded-for': '127.0.0.1',
      'x-forwarded-proto': 'https',
      'transfer-encoding': 'chunked',
    });
    expect(Object.keys(got.headers).filter((name) => /^:|^te$|^http2/.test(name))).toEqual([]);
    const sized = await askHttp2(session, {
      method: 'PUT',
      headers: { 'content-length': 5 },
      body: 'hello',
    });
    expect(read(sized.text).headers).toMatchObject({ 'content-length': '5' });
    expect(read(sized.text).headers).not.toHaveProperty('transfer-encoding');
    const bare = await askHttp2(session, { method: 'DELETE' });
    expect(read(bare.text).headers).not.toHaveProperty('transfer-encoding');
  });

  it('passes answers on without what HTTP/2 does not have', async () => {
    const stage = await startEdge();
    const backend = await startBackend((request, response) => {
      if (request.url === '/empty') return response.writeHead(204, 'Nothing').end();
      if (request.url === '/same') return response.writeHead(304, { etag: '"1"' }).end();
      if (request.url === '/reset') return response.writeHead(205).end();
      response.writeHead(201, 'Made up', [
        ...['Set-Cookie', 'a=1', 'Set-Cookie', 'b=2', 'Keep-Alive', 'timeout=5', 'X-Of', 'one'],
        ...['Connection', 'keep-alive, X-Private', 'X-Private', '1', 'Content-Type', 'text/plain'],
        ...['Content-Type', 'text/html', 'X-Of', 'two', 'Upgrade', 'h2c', 'Content-Length', '2'],
        ...['X-Name', Buffer.from('é').toString('latin1')],
      ]);
      response.end(Buffer.from('ok'));
    });
    stage.edge.setRoute(route([backend]));
    const session = await connect(stage);
    const answer = await askHttp2(session);
    expect(answer).toMatchObject({ status: 201, text: 'ok' });
    expect(answer.headers).toMatchObject({
      'set-cookie': ['a=1', 'b=2'],
      'content-length': '2',
      'x-of': 'one, two',
      'x-name': Buffer.from('é').toString('latin1'),
    });
    for (const name of ['connection', 'keep-alive', 'upgrade', 'x-private', 'transfer-encoding']) {
      expect(answer.headers).not.toHaveProperty(name);
    }
    const head = await askHttp2(session, { method: 'HEAD' });
    expect([head.status, head.text, head.headers['content-length']]).toEqual([201, '', '2']);
    expect((await askHttp2(session, { path: '/empty' })).status).toBe(204);
    expect((await askHttp2(session, { path: '/reset' })).status).toBe(205);
    const same = await askHttp2(session, { path: '/same' });
    expect([same.status, same.headers['etag']]).toEqual([304, '"1"']);
  });

  it('passes trailers on, both ways', async () => {
    const stage = await startEdge();
    const backend = await startBackend((request, response) => {
      request.resume().once('end', () => {
        response.writeHead(200, { trailer: 'x-sum' });
        response.write('some');
        response.addTrailers({ 'x-sum': request.trailers['x-of-client'] ?? 'none' });
        response.end();
      });
    });
    stage.edge.setRoute(route([backend]));
    const session = await connect(stage);
    const stream = session.request(
      { ':method': 'POST', ':path': '/', trailer: 'x-of-client' },
      { waitForTrailers: true },
    );
    stream.once('wantTrailers', () => stream.sendTrailers({ 'x-of-client': '42' }));
    stream.end('body');
    const answer = await heard(stream);
    expect(answer.text).toBe('some');
    expect(answer.trailers).toMatchObject({ 'x-sum': '42' });
    const without = await askHttp2(session, { method: 'POST', body: 'body' });
    expect(without.trailers).toMatchObject({ 'x-sum': 'none' });
  });

  it('asks for the body when the app can take it, also after a hold', async () => {
    const stage = await startEdge();
    const backend = await startBackend(echo);
    stage.edge.setRoute(route([], { mode: hold() }));
    const session = await connect(stage);
    const stream = session.request({ ':method': 'PUT', ':path': '/', expect: '100-continue' });
    let asked = false;
    stream.once('continue', () => {
      asked = true;
      stream.end('hello');
    });
    await until(() => stage.edge.report(app).holding === 1, { timeout: 5_000, what: 'a hold' });
    expect(asked).toBe(false);
    stage.edge.setRoute(route([backend]));
    const answer = await heard(stream);
    expect(read(answer.text)).toMatchObject({ sha: sha('hello') });
    expect(read(answer.text).headers).not.toHaveProperty('expect');
  });

  it('has held requests wait unread, in order, and lets all of them through', async () => {
    const stage = await startEdge();
    const urls: (string | undefined)[] = [];
    const backend = await startBackend((request, response) => {
      urls.push(request.url);
      echo(request, response);
    });
    stage.edge.setRoute(route([], { mode: hold() }));
    const session = await connect(stage);
    const body = randomBytes(500_000);
    const sent = Array.from({ length: 128 }, (_, index) => {
      const stream = session.request({ ':method': 'POST', ':path': `/${index}` });
      stream.end(body);
      return stream;
    });
    const all = sent.map(heard);
    await until(() => stage.edge.report(app).holding === 128, {
      timeout: 10_000,
      what: 'all to wait',
    });
    expect(sent.some((stream) => stream.writableFinished)).toBe(false);
    stage.edge.setRoute(route([backend]));
    for (const answer of await Promise.all(all)) {
      expect(read(answer.text).sha).toBe(sha(body));
    }
    expect(urls.length).toBe(128);
  });

  it('streams both ways, and does not take more than is asked of it', async () => {
    const stage = await startEdge();
    const piece = Buffer.alloc(65_536);
    let [written, taken] = [0, 0];
    let take: () => void = () => undefined;
    const backend = await startBackend(async (request, response) => {
      if (request.method === 'POST') {
        request.on('data', ({ length }) => {
          taken += length;
        });
        request.pause();
        take = () => request.resume();
        request.once('end', () => response.end(String(taken)));
        return;
      }
      response.on('error', () => undefined);
      for (let left = 1_600; left > 0 && !response.destroyed; left--) {
        written += piece.length;
        if (!response.write(piece)) await once(response, 'drain').catch(() => undefined);
      }
      response.end();
    });
    stage.edge.setRoute(route([backend]));
    const session = await connect(stage);
    const slow = session.request({ ':path': '/' });
    slow.pause();
    await stands(() => written, 'the app to be held up by its slow reader');
    expect(written).toBeLessThan(60_000_000);
    // The others of that connection are not.
    const size = 100_000_000;
    const upload = session.request({ ':path': '/', ':method': 'POST' });
    let sent = 0;
    const send = () => {
      while (sent < size) {
        sent += piece.length;
        if (!upload.write(piece)) return void upload.once('drain', send);
      }
      upload.end();
    };
    send();
    await stands(() => sent, 'the client to be held up by an app that does not read');
    expect(sent).toBeLessThan(60_000_000);
    take();
    expect((await heard(upload)).text).toBe(String(sent));
    let read = 0;
    slow.on('data', ({ length }) => {
      read += length;
    });
    slow.resume();
    await once(slow, 'end');
    expect(read).toBe(1_600 * piece.length);
  });

  it('ends what the client gave up, and cuts short what the app cut short', async () => {
    const stage = await startEdge();
    let closed = false;
    const backend = await startBackend((request, response) => {
      response.write('begun');
      if (request.url === '/cut') setImmediate(() => response.destroy());
      else request.socket.once('close', () => (closed = true));
    });
    stage.edge.setRoute(route([backend]));
    const session = await connect(stage);
    await expect(askHttp2(session, { path: '/cut' })).rejects.toThrow();
    const stream = session.request({ ':path': '/stay' });
    await once(stream, 'response');
    stream.close(constants.NGHTTP2_CANCEL);
    await until(() => closed, { timeout: 5_000, what: 'the app to hear of it' });
    expect(session.destroyed).toBe(false);
  });

  it('answers for itself when the app does not', async () => {
    const stage = await startEdge({ patience: 50 });
    stage.edge.setRoute(route([]));
    const session = await connect(stage);
    const late = await askHttp2(session, { method: 'POST', body: randomBytes(500_000) });
    expect([late.status, late.headers['retry-after']]).toEqual([503, '2']);
    const broken = await listen(
      net.createServer((socket) => socket.end('HTTP/1.1 099 Odd\r\n\r\n')),
    );
    stage.edge.setRoute(route([{ host: '127.0.0.1', port: broken }]));
    expect((await askHttp2(session)).status).toBe(502);
    stage.edge.removeRoute(app);
    expect((await askHttp2(session)).status).toBe(404);
    stage.edge.setRoute(route([await startBackend(echo)]));
    expect((await askHttp2(session)).status).toBe(200);
  });

  it('lets an app answer before it has read the request', async () => {
    const stage = await startEdge();
    const backend = await startBackend((_, response) => response.writeHead(413).end('too large'));
    stage.edge.setRoute(route([backend]));
    const session = await connect(stage);
    const stream = session.request({ ':method': 'POST', ':path': '/' });
    Readable.from(Array(300).fill(Buffer.alloc(65_536))).pipe(stream);
    const answer = await heard(stream);
    expect([answer.status, answer.text]).toEqual([413, 'too large']);
  });

  it('does not offer WebSockets, nor to be a proxy', async () => {
    const stage = await startEdge();
    stage.edge.setRoute(route([await startBackend(echo)]));
    const session = await connect(stage);
    expect(session.remoteSettings.enableConnectProtocol).toBe(false);
    const tunnel = session.request({ ':method': 'CONNECT', ':authority': demo });
    tunnel.end();
    expect((await heard(tunnel)).status).toBe(400);
  });

  it('bounds requests at once, and their headers', async () => {
    const stage = await startEdge({ streams: 7 });
    stage.edge.setRoute(route([], { mode: hold() }));
    const session = await connect(stage);
    await until(() => session.remoteSettings.maxConcurrentStreams === 7, {
      timeout: 5_000,
      what: 'the settings',
    });
    const all = Array.from({ length: 12 }, () => askHttp2(session));
    await until(() => stage.edge.report(app).holding === 7, { timeout: 5_000, what: 'seven' });
    stage.edge.setRoute(route([await startBackend(echo)]));
    expect((await Promise.all(all)).map(({ status }) => status)).toEqual(Array(12).fill(200));
    expect(stage.edge.report(app).held).toBe(7);
    const large = await askHttp2(session, { headers: { 'x-large': 'x'.repeat(20_000) } });
    expect(large.status).toBe(431);
    const many = Array.from({ length: 300 }, (_, index) => `c${index}=1`);
    const some = await askHttp2(session, { headers: { cookie: many } });
    expect(read(some.text).headers['cookie']).toBe(many.join('; '));
    await expect(
      askHttp2(session, { headers: { 'x-a': 'x'.repeat(50_000), 'x-b': 'x'.repeat(50_000) } }),
    ).rejects.toThrow();
    expect((await askHttp2(session)).status).toBe(200);
  });

  it('survives who resets all that it asks for, and serves the others', async () => {
    const stage = await startEdge();
    stage.edge.setRoute(route([await startBackend(echo)]));
    const good = await connect(stage);
    const bad = http2.connect(`https://127.0.0.1:${stage.tlsPort}`, { rejectUnauthorized: false });
    bad.on('error', () => undefined);
    cleanUp.push(() => bad.destroy());
    await once(bad, 'connect');
    const ended = new Promise((resolve) => bad.once('close', resolve));
    for (let rounds = 0; rounds < 60 && !bad.closed; rounds += 1) {
      for (let count = 0; count < 50 && !bad.closed && !bad.destroyed; count += 1) {
        const stream = bad.request({ ':authority': demo, ':path': '/' });
        stream.on('error', () => undefined);
        stream.close(constants.NGHTTP2_CANCEL);
      }
      expect((await askHttp2(good)).status).toBe(200);
    }
    await ended;
    expect((await askHttp2(good)).status).toBe(200);
    expect(await stage.edge.drained(app, 10_000)).toBe(true);
  });
});

/** Waits until an amount no longer grows. */
async function stands(amount: () => number, what: string): Promise<void> {
  let before = -1;
  await until(
    () => {
      const now = amount();
      const same = now === before && now > 0;
      before = now;
      return same;
    },
    { timeout: 10_000, every: 200, what },
  );
}
