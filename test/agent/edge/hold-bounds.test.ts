import { once } from 'node:events';
import net from 'node:net';
import { describe, expect, it } from 'vitest';
import { weight } from '../../../src/agent/edge/weight.js';
import { until } from '../../../src/shared/until.js';
import { cleanUp } from '../../clean-up.js';
import {
  app,
  ask,
  askHttp2,
  connectHttp2,
  echo,
  own,
  route,
  sha,
  startBackend,
  startEdge,
} from './stage.js';

const demo = 'demo.here.localhost';
const hold = () => ({ kind: 'hold' as const, until: Date.now() + 60_000 });
const soon = { timeout: 5_000 };

describe('a hold', () => {
  it('takes only so many bytes', async () => {
    const { edge, port } = await startEdge({ waitingBytes: 150_000 });
    const backend = await startBackend(echo);
    edge.setRoute(route([], { mode: hold() }));
    const put = (body: string) => ask(port, demo, { method: 'PUT', body });
    const large = 'x'.repeat(200_000);
    const waiting = [put(large), put(large)];
    await until(() => edge.report(app).holding === 2, { ...soon, what: 'two to wait' });
    const refused = await put(large);
    expect([refused.status, refused.headers['retry-after']]).toEqual([503, '2']);
    waiting.push(put('small'));
    await until(() => edge.report(app).holding === 3, { ...soon, what: 'the small one to wait' });
    edge.setRoute(route([backend]));
    for (const answer of await Promise.all(waiting)) expect(answer.status).toBe(200);
    expect(edge.report(app)).toMatchObject({ held: 3, refused: 1 });

    // What has left takes no room any more.
    edge.setRoute(route([], { mode: hold() }));
    const again = [put(large), put(large)];
    await until(() => edge.report(app).holding === 2, { ...soon, what: 'two to wait again' });
    edge.setRoute(route([backend]));
    for (const answer of await Promise.all(again)) expect(answer.status).toBe(200);
  });

  it('leaves bodies where they are', async () => {
    const { edge, port } = await startEdge();
    edge.setRoute(route([], { mode: hold() }));
    const size = 100_000_000;
    const socket = net.connect(port, '127.0.0.1');
    cleanUp.push(() => socket.destroy());
    socket.write(`PUT / HTTP/1.1\r\nHost: ${demo}\r\nContent-Length: ${size}\r\n\r\n`);
    const piece = Buffer.alloc(65_536, 'x');
    let sent = 0;
    const send = () => {
      while (sent < size) {
        const next = piece.subarray(0, size - sent);
        sent += next.length;
        if (!socket.write(next)) return void socket.once('drain', send);
      }
    };
    send();
    let before = -1;
    await until(
      () => {
        const stands = before === sent && edge.report(app).holding === 1;
        before = sent;
        return stands;
      },
      { timeout: 10_000, every: 100, what: 'the client to be held up' },
    );
    expect(sent).toBeLessThan(20_000_000); // what two kernels keep
    edge.setRoute(route([await startBackend(echo)]));
    const [answer] = await once(socket.setEncoding('latin1'), 'data');
    expect(sent).toBe(size);
    const more = answer.includes('sha') ? '' : (await once(socket, 'data'))[0];
    expect(`${answer}${more}`).toContain(sha(Buffer.alloc(size, 'x')));
  });

  it('lets requests through in the order in which they came, each once', async () => {
    const { edge, port, tlsPort } = await startEdge();
    const urls: string[] = [];
    const backend = await startBackend((request, response) => {
      urls.push(request.url ?? '');
      echo(request, response);
    });
    edge.setRoute(route([], { mode: hold() }));
    const session = await connectHttp2(tlsPort, demo, (await own()).certificate);
    const expected: string[] = [];
    const answers: Promise<unknown>[] = [];
    for (let one = 0; one < 40; one += 1) {
      const given = {
        path: `/${one}`,
        method: one % 3 ? 'POST' : 'GET',
        ...(one % 3 ? { body: 'abc' } : {}),
      };
      expected.push(given.path);
      answers.push(one % 2 ? askHttp2(session, given) : ask(port, demo, given));
      await until(() => edge.report(app).holding === one + 1, {
        ...soon,
        every: 2,
        what: 'it to wait',
      });
    }
    edge.setRoute(route([backend]));
    await Promise.all(answers);
    expect(urls).toEqual(expected);
  });

  it('lets the requests of one connection through in their order', async () => {
    const { edge, port } = await startEdge();
    const urls: string[] = [];
    const backend = await startBackend((request, response) => {
      urls.push(request.url ?? '');
      request.resume().once('end', () => response.end());
    });
    edge.setRoute(route([], { mode: hold() }));
    const socket = net.connect(port, '127.0.0.1').setEncoding('latin1');
    cleanUp.push(() => socket.destroy());
    let text = '';
    socket.on('data', (piece) => {
      text += piece;
    });
    const request = (one: number) =>
      `POST /${one} HTTP/1.1\r\nHost: ${demo}\r\nContent-Length: 3\r\n\r\nabc`;
    const all = Array.from({ length: 5 }, (_, one) => one);
    socket.write(all.map(request).join(''));
    await until(() => edge.report(app).holding > 0, { ...soon, what: 'it to wait' });
    edge.setRoute(route([backend]));
    await until(() => text.split('HTTP/1.1 200').length === 6, { ...soon, what: 'all answers' });
    expect(urls).toEqual(all.map((one) => `/${one}`));
  });
});

describe('what a request takes', () => {
  it('is its head, and of its body what comes unasked', () => {
    const head = { url: '/abc', headers: { host: ['demo'], cookie: ['a', 'b'] } };
    const of = (headers: Record<string, string[]>, hasBody = true) =>
      weight({ ...head, headers: { ...head.headers, ...headers }, hasBody });
    expect(of({}, false)).toBe(26);
    expect(of({ 'content-length': ['5'] })).toBe(26 + 15 + 5);
    expect(of({ 'content-length': ['5000000'] })).toBe(26 + 21 + 65_536);
    expect(of({})).toBe(26 + 65_536);
  });
});
