import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { cleanUp } from '../../clean-up.js';
import {
  ask,
  askHttp2,
  askSecurely,
  connectHttp2,
  curl,
  echo,
  listen,
  own,
  route,
  type Staged,
  said,
  startBackend,
  startEdge,
} from './stage.js';

const demo = 'demo.here.localhost';
const canonical = 'www.example.org';
const mebibyte = 1_048_576;

/** An edge that redirects, and another that forwards to it. */
async function stage(): Promise<Record<'directly' | 'through another edge', Staged>> {
  const [here, there] = [await startEdge(), await startEdge()];
  const mode = { kind: 'forward' as const, address: there.edge.address, token: 'secret' };
  there.edge.setRoute(route([await startBackend(echo)], { forwardToken: 'secret', canonical }));
  here.edge.setRoute(route([], { mode }));
  return { directly: there, 'through another edge': here };
}

describe.each(['directly', 'through another edge'] as const)(
  'a client sent elsewhere %s',
  (way) => {
    describe.each([1, 10])('with %i MB', (size) => {
      const body = Buffer.alloc(size * mebibyte, 'x');
      const posts: [string, (stage: Staged, ca: string) => Promise<number>][] = [
        ['HTTP/1.1', async ({ port }) => (await ask(port, demo, { method: 'POST', body })).status],
        [
          'HTTP/1.1 over TLS',
          async ({ tlsPort }, ca) =>
            (await askSecurely(tlsPort, demo, { method: 'POST', body, ca })).status,
        ],
        [
          'HTTP/2',
          async ({ tlsPort }, ca) => {
            const session = await connectHttp2(tlsPort, demo, ca);
            const { status } = await askHttp2(session, { method: 'POST', body });
            session.destroy();
            return status;
          },
        ],
      ];
      it.each(posts)('hears of it by %s', async (_, post) => {
        const { [way]: staged } = await stage();
        const { certificate: ca } = await own();
        for (let turn = 0; turn < 20; turn++) expect(await post(staged, ca)).toBe(308);
      });

      it('hears of it with curl', async () => {
        const { [way]: staged } = await stage();
        const dir = await mkdtemp(join(tmpdir(), 'godwit-body-'));
        cleanUp.push(() => rm(dir, { recursive: true }));
        await writeFile(join(dir, 'body'), body);
        const at = (scheme: string, port: number) => [
          ...['--resolve', `${demo}:${port}:127.0.0.1`, `${scheme}://${demo}:${port}/`],
        ];
        const { certificate: ca } = await own();
        for (const args of [
          at('http', staged.port),
          ['--header', 'Expect:', ...at('http', staged.port)],
          ['--http1.1', '--header', 'Expect:', ...at('https', staged.tlsPort)],
          ['--http2', ...at('https', staged.tlsPort)],
        ]) {
          for (let turn = 0; turn < 3; turn++) {
            const printed = await curl(ca, [
              ...['--output', '/dev/null', '--write-out', '%{http_code}'],
              ...['--data-binary', `@${join(dir, 'body')}`, ...args],
            ]);
            expect(printed).toBe('308');
          }
        }
      }, 60_000);
    });
  },
);

const post = `POST / HTTP/1.1\r\nHost: ${demo}\r\nContent-Length: 1000000000\r\n\r\n`;

describe('who has an answer before it was read', () => {
  it('hears the app too, when the connection ends with it', async () => {
    const { edge, port } = await startEdge();
    const backend = await startBackend((_, response) => response.writeHead(413).end('too large'));
    edge.setRoute(route([backend]));
    const body = Buffer.alloc(10 * mebibyte);
    for (let turn = 0; turn < 20; turn++) {
      const headers = { connection: 'close' };
      const answer = await ask(port, demo, { method: 'POST', body, headers });
      expect([answer.status, answer.text]).toEqual([413, 'too large']);
    }
  });

  it('hears the app, although that breaks off what it does not want to read', async () => {
    const { edge, port, tlsPort } = await startEdge();
    const server = net.createServer((socket) => {
      socket.once('data', () => {
        socket.pause();
        socket.write('HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno', () =>
          socket.destroy(),
        );
      });
    });
    edge.setRoute(route([{ host: '127.0.0.1', port: await listen(server) }]));
    const { certificate: ca } = await own();
    const body = Buffer.alloc(3 * mebibyte);
    for (let turn = 0; turn < 20; turn++) {
      const plain = await ask(port, demo, { method: 'POST', body });
      expect([plain.status, plain.text]).toEqual([413, 'no']);
      const session = await connectHttp2(tlsPort, demo, ca);
      const other = await askHttp2(session, { method: 'POST', body });
      session.destroy();
      expect([other.status, other.text]).toEqual([413, 'no']);
    }
  });

  it('is not listened to for ever', async () => {
    const { port } = await startEdge();
    const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    cleanUp.push(() => socket.destroy());
    socket.on('error', () => undefined);
    socket.write(post);
    const piece = Buffer.alloc(mebibyte);
    const more = () => {
      while (!socket.destroyed && socket.write(piece));
    };
    socket.on('drain', more);
    more();
    let heard = '';
    socket.setEncoding('latin1').on('data', (text) => {
      heard += text;
    });
    await new Promise((resolve) => socket.once('close', resolve));
    expect(heard).toMatch(/^HTTP\/1\.1 404 /);
    expect(socket.bytesWritten).toBeGreaterThan(60 * mebibyte);
  });

  it('may ask for more over the same connection', async () => {
    const { edge, port } = await startEdge();
    edge.setRoute(route([await startBackend((_, response) => response.end('served'))]));
    const heard = await said(
      port,
      `POST / HTTP/1.1\r\nHost: unknown.example\r\nContent-Length: 5\r\n\r\nhello` +
        `GET / HTTP/1.1\r\nHost: ${demo}\r\nConnection: close\r\n\r\n`,
    );
    expect(heard).toMatch(/^HTTP\/1\.1 404 .*HTTP\/1\.1 200 .*served/s);
  });
});
