import { once } from 'node:events';
import net from 'node:net';
import { describe, expect, it } from 'vitest';
import type { Backend } from '../../../src/agent/edge/route.js';
import { until } from '../../../src/shared/until.js';
import { cleanUp } from '../../clean-up.js';
import {
  heard as answerTo,
  askHttp2,
  connectHttp2,
  echo,
  listen,
  own,
  route,
  said,
  startBackend,
  startEdge,
} from './stage.js';

const demo = 'demo.here.localhost';
const host = `Host: ${demo}\r\n`;

/** A backend that keeps what it is sent, byte by byte, and answers each head with this. */
async function rawBackend(answer: string): Promise<{ backend: Backend; taken: () => string }> {
  let taken = '';
  const server = net.createServer((socket) => {
    socket.setEncoding('latin1').on('data', (piece) => {
      taken += piece;
      if (taken.includes('\r\n\r\n')) socket.end(answer, 'latin1');
    });
  });
  const port = await listen(server);
  return { backend: { host: '127.0.0.1', port }, taken: () => taken };
}

const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const smuggled = 'GET /admin HTTP/1.1\r\nHost: x\r\n\r\n';

describe('what is between neighbours does not change where a message ends:', () => {
  it.each(['GET', 'HEAD', 'DELETE', 'OPTIONS', 'POST', 'PUT'])(
    'the length of a %s cannot be named away',
    async (method) => {
      const { edge, port } = await startEdge();
      const { backend, taken } = await rawBackend(ok);
      edge.setRoute(route([backend]));
      const heard = await said(
        port,
        `${method} / HTTP/1.1\r\n${host}Connection: close, Content-Length, host, trailer, x-mine\r\n` +
          `X-Mine: 1\r\nContent-Length: ${smuggled.length}\r\n\r\n${smuggled}`,
      );
      expect(heard).toMatch(/^HTTP\/1\.1 200 /);
      await until(() => taken().includes('/admin'), { timeout: 5_000, what: 'the body' });
      expect(taken().toLowerCase()).toContain(`\r\ncontent-length: ${smuggled.length}\r\n`);
      expect(taken().toLowerCase()).not.toContain('x-mine');
      expect(taken().toLowerCase()).toContain(`\r\nhost: ${demo}\r\n`);
    },
  );

  it.each(['GET', 'DELETE', 'POST'])('nor can the chunks of a %s', async (method) => {
    const { edge, port } = await startEdge();
    const { backend, taken } = await rawBackend(ok);
    edge.setRoute(route([backend]));
    const chunk = `${smuggled.length.toString(16)}\r\n${smuggled}\r\n0\r\n\r\n`;
    await said(
      port,
      `${method} / HTTP/1.1\r\n${host}Connection: close, transfer-encoding, te, content-length\r\n` +
        `Transfer-Encoding: chunked\r\n\r\n${chunk}`,
    );
    await until(() => taken().endsWith('0\r\n\r\n'), { timeout: 5_000, what: 'the body' });
    expect(taken().toLowerCase()).toContain('\r\ntransfer-encoding: chunked\r\n');
  });

  it('nor of an offer to change the protocol', async () => {
    const { edge, port } = await startEdge();
    const offer = `GET /ws HTTP/1.1\r\n${host}Upgrade: websocket\r\nConnection: upgrade, host`;
    const bare = await rawBackend(ok);
    edge.setRoute(route([bare.backend]));
    expect(await said(port, `${offer}\r\n\r\n`)).toMatch(/^HTTP\/1\.1 200 /);
    expect(bare.taken().toLowerCase()).toContain(`\r\nhost: ${demo}\r\n`);
    const { backend, taken } = await rawBackend(ok);
    edge.setRoute(route([backend]));
    const socket = net.connect(port, '127.0.0.1');
    cleanUp.push(() => socket.destroy());
    socket.write(
      `${offer}, content-length\r\nContent-Length: ${smuggled.length}\r\n\r\n${smuggled}`,
    );
    await once(socket, 'data');
    await until(() => taken().includes('/admin'), { timeout: 5_000, what: 'the body' });
    expect(taken().toLowerCase()).toContain(`\r\ncontent-length: ${smuggled.length}\r\n`);
  });

  it('nor of an answer', async () => {
    const { edge, port, tlsPort } = await startEdge();
    const connection = 'Connection: content-length, x-mine\r\nX-Mine: 1\r\n';
    const { backend } = await rawBackend(
      `HTTP/1.1 200 OK\r\n${connection}Content-Length: 2\r\n\r\nok`,
    );
    edge.setRoute(route([backend]));
    for (const method of ['GET', 'HEAD']) {
      const heard = await said(port, `${method} / HTTP/1.1\r\n${host}Connection: close\r\n\r\n`);
      expect(heard).toContain('\r\nContent-Length: 2\r\n');
      expect(heard).not.toContain('X-Mine');
    }
    const session = await connectHttp2(tlsPort, demo, (await own()).certificate);
    expect((await askHttp2(session)).headers).toMatchObject({ 'content-length': '2' });
    const nothing = await rawBackend('HTTP/1.1 204 Nothing\r\nContent-Length: 5\r\n\r\n');
    edge.setRoute(route([nothing.backend]));
    expect(await said(port, `GET / HTTP/1.1\r\n${host}Connection: close\r\n\r\n`)).not.toMatch(
      /content-length/i,
    );
    expect((await askHttp2(session)).headers).not.toHaveProperty('content-length');
  });

  it('nor of the answer that changes the protocol', async () => {
    const { edge, port } = await startEdge();
    const { backend } = await rawBackend(
      'HTTP/1.1 101 Go\r\nConnection: upgrade\r\nUpgrade: x\r\nContent-Length: 5\r\n\r\nhello',
    );
    edge.setRoute(route([backend]));
    const socket = net.connect(port, '127.0.0.1').setEncoding('latin1');
    cleanUp.push(() => socket.destroy());
    socket.write(`GET / HTTP/1.1\r\n${host}Connection: upgrade\r\nUpgrade: x\r\n\r\n`);
    let heard = '';
    socket.on('data', (piece) => {
      heard += piece;
    });
    await once(socket, 'end');
    expect(heard).toMatch(/^HTTP\/1\.1 101 .*\r\n\r\nhello$/s);
    expect(heard).not.toMatch(/content-length/i);
  });
});

describe('trailers', () => {
  const forbidden = {
    'x-forwarded-for': '6.6.6.6',
    'x-forwarded-proto': 'https',
    'x-request-id': 'mine',
    'godwit-forward': 'secret',
    'godwit-provenance': 'held=9',
    cookie: 'a=1',
    authorization: 'Basic eDp5',
    'content-type': 'text/html',
  };

  it('do not tell the app what headers may not, by either version of HTTP', async () => {
    const { edge, port, tlsPort } = await startEdge();
    edge.setRoute(route([await startBackend(echo)]));
    const lines = Object.entries({
      ...{ ...forbidden, host: 'x', trailer: 'x', upgrade: 'x' },
      ...{ connection: 'close', te: 'trailers', 'x-sum': '42' },
    }).map(([name, value]) => `${name}: ${value}\r\n`);
    const heard = await said(
      port,
      `POST / HTTP/1.1\r\n${host}Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n` +
        `2\r\nok\r\n0\r\n${lines.join('')}\r\n`,
    );
    expect(heard).toContain('"trailers":{"x-sum":"42"}');
    const session = await connectHttp2(tlsPort, demo, (await own()).certificate);
    const stream = session.request({ ':method': 'POST', ':path': '/' }, { waitForTrailers: true });
    stream.once('wantTrailers', () =>
      stream.sendTrailers({ ...forbidden, 'x-sum': '42', 'x-name': 'é✓' }),
    );
    stream.end('ok');
    expect(JSON.parse((await answerTo(stream)).text).trailers).toMatchObject({ 'x-sum': '42' });
    for (const name of Object.keys(forbidden)) {
      expect(heard).not.toMatch(new RegExp(`"trailers".*${name}`));
    }
  });

  it('do not tell the client what headers may not', async () => {
    const { edge, port, tlsPort } = await startEdge();
    const { backend } = await rawBackend(
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n' +
        'Set-Cookie: a=1\r\nHost: x\r\nX-Sum: 42\r\n\r\n',
    );
    edge.setRoute(route([backend]));
    const heard = await said(port, `GET / HTTP/1.1\r\n${host}Connection: close\r\n\r\n`);
    expect(heard).toMatch(/\r\n0\r\nx-sum: 42\r\n\r\n$/i);
    const session = await connectHttp2(tlsPort, demo, (await own()).certificate);
    expect(Object.entries((await askHttp2(session)).trailers)).toEqual([['x-sum', '42']]);
  });
});

describe('a target in absolute-form', () => {
  const end = 'Host: other.example\r\nConnection: close\r\n';

  it('names the host, whatever the Host header says', async () => {
    const { edge, port } = await startEdge();
    edge.setRoute(route([await startBackend(echo)]));
    for (const [target, url, named] of [
      [`http://${demo}/abs?x=1`, '/abs?x=1', demo],
      [`HTTPS://me:secret@${demo}:8080?x`, '/?x', `${demo}:8080`],
      [`http://${demo}`, '/', demo],
    ]) {
      const heard = await said(port, `GET ${target} HTTP/1.1\r\n${end}\r\n`);
      expect(heard).toMatch(/^HTTP\/1\.1 200 /);
      expect(heard).toContain(`"url":"${url}"`);
      expect(heard).toContain(`"host":"${named}"`);
      expect(heard).toContain(`"x-forwarded-host":"${named}"`);
      expect(heard).not.toMatch(/other\.example|secret/);
    }
    const options = await said(port, `OPTIONS http://${demo} HTTP/1.1\r\n${end}\r\n`);
    expect(options).toContain('"url":"*"');
    const other = `GET http://other.example/ HTTP/1.1\r\n${host}Connection: close\r\n\r\n`;
    expect(await said(port, other)).toMatch(/^HTTP\/1\.1 404 /);
  });

  it('of another scheme, or without a host, is none', async () => {
    const { edge, port } = await startEdge();
    edge.setRoute(route([await startBackend(echo)]));
    for (const more of ['', 'Upgrade: websocket\r\nConnection: upgrade\r\n']) {
      const socket = net.connect(port, '127.0.0.1');
      cleanUp.push(() => socket.destroy());
      socket.write(`GET ftp://${demo}/ HTTP/1.1\r\n${host}${more}\r\n`);
      const [answer] = await once(socket, 'data');
      expect(String(answer)).toMatch(/^HTTP\/1\.1 400 /);
    }
  });
});
