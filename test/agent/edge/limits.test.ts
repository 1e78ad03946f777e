import { once } from 'node:events';
import net from 'node:net';
import tls from 'node:tls';
import { describe, expect, it } from 'vitest';
import { until } from '../../../src/shared/until.js';
import { cleanUp } from '../../clean-up.js';
import {
  app,
  askHttp2,
  askSecurely,
  connectHttp2,
  echo,
  heard,
  own,
  route,
  said,
  sha,
  startBackend,
  startEdge,
} from './stage.js';

const demo = 'demo.here.localhost';
const hold = () => ({ kind: 'hold' as const, until: Date.now() + 60_000 });
const post = `POST / HTTP/1.1\r\nHost: ${demo}\r\nContent-Length: 10\r\n\r\n`;

/** Connects, and gathers what is heard until the end. */
function connect(port: number) {
  const socket = net.connect(port, '127.0.0.1').setEncoding('latin1');
  socket.on('error', () => undefined); // what was heard until then counts
  cleanUp.push(() => socket.destroy());
  let text = '';
  socket.on('data', (piece) => {
    text += piece;
  });
  const ended = new Promise((resolve) => socket.once('close', resolve));
  return { socket, ended, text: () => text };
}

describe('the edge does not wait for ever for', () => {
  it('heads', async () => {
    const { edge, port, tlsPort } = await startEdge({ head: 100 });
    edge.setRoute(route([await startBackend(echo)]));
    expect(await said(port, '')).toMatch(/^HTTP\/1\.1 408 /);
    expect(await said(port, `GET / HTTP/1.1\r\nHost: ${demo}\r\nX-Y`)).toMatch(/^HTTP\/1\.1 408 /);
    const secure = tls.connect({
      ...{ host: '127.0.0.1', port: tlsPort, servername: demo },
      ca: (await own()).certificate,
    });
    cleanUp.push(() => secure.destroy());
    const [answer] = await once(secure, 'data');
    expect(String(answer)).toMatch(/^HTTP\/1\.1 408 /);
  });

  it('heads, no longer than it says', async () => {
    const { port } = await startEdge({ head: 2_000 });
    const passed = (time: number) => new Promise((resolve) => setTimeout(resolve, time, 'late'));
    await passed(300); // not at a moment at which the edge looks at it anyway
    const slow = said(port, 'GET /');
    const late = passed(3_000);
    expect(await Promise.race([slow, late])).toMatch(/^HTTP\/1\.1 408 /);
  });

  it('bodies', async () => {
    const { edge, port, tlsPort } = await startEdge({ body: 100 });
    let given = 0;
    const backend = await startBackend((request) => {
      request.on('error', () => {
        given += 1;
      });
    });
    edge.setRoute(route([backend]));
    expect(await said(port, post)).toMatch(/^HTTP\/1\.1 408 .*did not come/s);
    expect(await said(port, `${post}hello`)).toMatch(/^HTTP\/1\.1 408 /);
    const session = await connectHttp2(tlsPort, demo, (await own()).certificate);
    const stream = session.request({ ':method': 'POST', ':path': '/' });
    stream.write('hello');
    expect((await heard(stream)).status).toBe(408);
    await until(() => given === 2, {
      timeout: 5_000,
      what: 'the app to hear of what it has begun',
    });
    edge.setRoute(route([await startBackend(echo)]));
    expect((await askHttp2(session)).status).toBe(200);
  });

  it('bodies of which nobody wants the rest', async () => {
    const { edge, port } = await startEdge({ body: 100 });
    const backend = await startBackend((_, response) => response.writeHead(413).end('enough'));
    edge.setRoute(route([backend]));
    const { ended, text, socket } = connect(port);
    socket.write(`${post}hello`);
    await ended;
    expect(text()).toMatch(/^HTTP\/1\.1 413 /);
  });

  it('bodies, but for those that are held, or that the app does not take, or that it answers', async () => {
    const limits = { body: 500 };
    const { edge, port } = await startEdge(limits);
    let take: () => void = () => undefined;
    let begun = 0;
    const backend = await startBackend((request, response) => {
      begun += 1;
      if (request.url === '/talk') return void response.write('begun');
      request.pause();
      take = () => {
        echo(request, response);
        request.resume();
      };
    });
    // Clients of this one have no excuse; when they have been ended, time enough has passed.
    const other = await startEdge(limits);
    other.edge.setRoute(route([backend]));

    edge.setRoute(route([], { mode: hold() }));
    const held = connect(port);
    held.socket.write(`${post}hello`);
    await until(() => edge.report(app).holding === 1, { timeout: 5_000, what: 'a hold' });
    expect((await said(other.port, post)).slice(0, 12)).toBe('HTTP/1.1 408');
    edge.setRoute(route([backend]));
    held.socket.write('world');
    await until(() => begun === 1, { timeout: 5_000, what: 'the app to have it' });
    take();
    await until(() => held.text().includes(sha('helloworld')), {
      timeout: 5_000,
      what: 'the answer to what was held',
    });

    const untaken = connect(port);
    const size = 30_000_000;
    const before = begun;
    untaken.socket.write(`POST / HTTP/1.1\r\nHost: ${demo}\r\nContent-Length: ${size}\r\n\r\n`);
    const body = Buffer.alloc(size, 'x');
    untaken.socket.write(body);
    await until(() => begun > before, { timeout: 5_000, what: 'the app to have it' });
    const takeIt = take;
    expect((await said(other.port, post)).slice(0, 12)).toBe('HTTP/1.1 408');
    expect((await said(other.port, post)).slice(0, 12)).toBe('HTTP/1.1 408');
    expect(untaken.text()).toBe('');
    takeIt();
    await until(() => untaken.text().includes(sha(body)), {
      timeout: 20_000,
      what: 'the answer to what was not taken',
    });

    const talking = connect(port);
    talking.socket.write(`${post.replace('/ ', '/talk ')}hello`);
    await until(() => talking.text().includes('begun'), { timeout: 5_000, what: 'the answer' });
    expect((await said(other.port, post)).slice(0, 12)).toBe('HTTP/1.1 408');
    expect((await said(other.port, post)).slice(0, 12)).toBe('HTTP/1.1 408');
    expect(talking.socket.closed).toBe(false);
  });

  it('more requests of a connection', async () => {
    const { edge, port, tlsPort } = await startEdge({ idle: 100 });
    edge.setRoute(route([await startBackend(echo)]));
    const { certificate: ca } = await own();
    const plain = connect(port);
    plain.socket.write(`GET / HTTP/1.1\r\nHost: ${demo}\r\n\r\n`);
    await plain.ended;
    expect(plain.text()).toMatch(/^HTTP\/1\.1 200 /);
    const session = await connectHttp2(tlsPort, demo, ca);
    const closed = new Promise((resolve) => session.once('close', resolve));
    expect((await askHttp2(session)).status).toBe(200);
    await closed;
    expect((await askSecurely(tlsPort, demo, { ca })).status).toBe(200);
  });

  it('a connection of HTTP/2 that has a request is not idle', async () => {
    const { edge, tlsPort } = await startEdge({ idle: 50 });
    const backend = await startBackend(echo);
    edge.setRoute(route([], { mode: hold() }));
    const { certificate: ca } = await own();
    const session = await connectHttp2(tlsPort, demo, ca);
    const waiting = askHttp2(session);
    await until(() => edge.report(app).holding === 1, { timeout: 5_000, what: 'a hold' });
    const other = await connectHttp2(tlsPort, demo, ca);
    await new Promise((resolve) => other.once('close', resolve)); // that one is
    edge.setRoute(route([backend]));
    expect((await waiting).status).toBe(200);
  });
});
