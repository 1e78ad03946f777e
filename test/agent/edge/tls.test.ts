import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import net from 'node:net';
import { pipeline } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import tls from 'node:tls';
import { pino } from 'pino';
import { Agent, WebSocket } from 'undici';
import { describe, expect, it } from 'vitest';
import { until } from '../../../src/shared/until.js';
import { cleanUp } from '../../clean-up.js';
import {
  Authority,
  app,
  ask,
  askHttp2,
  askSecurely,
  connectHttp2,
  curl,
  echo,
  listen,
  own,
  route,
  startBackend,
  startEdge,
  startWebSockets,
} from './stage.js';

const host = 'www.example.org';

describe('over TLS, the edge', () => {
  it("shows a domain's own certificate, and the region's for the others", async () => {
    const { edge, tlsPort } = await startEdge();
    const authority = await Authority.create();
    const certificates = new Map([[host, await authority.issue(host)]]);
    edge.setRoute(route([await startBackend(echo)], { certificates }));
    const { certificate } = await own();
    expect((await askSecurely(tlsPort, host, { ca: authority.certificate })).status).toBe(200);
    const byDefault = 'demo.here.localhost';
    expect((await askSecurely(tlsPort, byDefault, { ca: certificate })).status).toBe(200);
    await expect(askSecurely(tlsPort, 'example.org', { ca: certificate })).rejects.toMatchObject({
      code: 'ERR_TLS_CERT_ALTNAME_INVALID',
    });
    await expect(askSecurely(tlsPort, host, { ca: certificate })).rejects.toThrow();
    const unknown = await askSecurely(tlsPort, 'no.here.localhost', { ca: certificate });
    expect(unknown.status).toBe(404);
  });

  describe.each(['TLSv1.2', 'TLSv1.3'] as const)('by %s', (version) => {
    it.each(['ec', 'rsa'] as const)(
      'shows a domain its own certificate, of kind %s',
      async (kind) => {
        const { edge, tlsPort } = await startEdge();
        const authority = await Authority.create(kind);
        const issued = await authority.issue(host);
        edge.setRoute(
          route([await startBackend(echo)], { certificates: new Map([[host, issued]]) }),
        );
        const { certificate } = await own();
        const shown = async (options: tls.ConnectionOptions) => {
          const socket = tls.connect({
            ...{ host: '127.0.0.1', port: tlsPort, rejectUnauthorized: false },
            ...{ minVersion: version, maxVersion: version, ...options },
          });
          cleanUp.push(() => socket.destroy());
          await once(socket, 'secureConnect');
          return socket.getPeerX509Certificate()?.fingerprint256;
        };
        const of = (pem: string) => new X509Certificate(pem).fingerprint256;
        const [ecdsa, rsa] = ['ecdsa_secp256r1_sha256', 'rsa_pss_rsae_sha256'];
        for (const sigalgs of [`${ecdsa}:${rsa}`, `${rsa}:${ecdsa}`]) {
          expect(await shown({ servername: host, sigalgs })).toBe(of(issued.certificate));
          expect(await shown({ servername: 'example.org', sigalgs })).toBe(of(certificate));
          expect(await shown({ servername: 'unknown.example', sigalgs })).toBe(of(certificate));
          expect(await shown({ sigalgs })).toBe(of(certificate));
        }
        const only = (kind === 'ec' ? rsa : ecdsa) ?? '';
        await expect(shown({ servername: host, sigalgs: only })).rejects.toThrow();
      },
    );
  });

  it('reads a first message that comes in pieces, whether it names a host or not', async () => {
    const { edge, tlsPort } = await startEdge();
    const authority = await Authority.create('rsa');
    const certificates = new Map([[host, await authority.issue(host)]]);
    edge.setRoute(route([await startBackend(echo)], { certificates }));
    const slow = net.createServer((client) => {
      const server = net.connect(tlsPort, '127.0.0.1').setNoDelay();
      pipeline(client, inPieces, server, client, () => undefined);
    });
    const port = await listen(slow);
    const byName = await askSecurely(port, host, { ca: authority.certificate });
    expect(byName.status).toBe(200);
    const nameless = tls.connect({ host: '127.0.0.1', port, rejectUnauthorized: false });
    await once(nameless, 'secureConnect');
    expect(nameless.getPeerCertificate().subject.CN).toBe('here.localhost');
    nameless.destroy();
  });

  it('tells the app by what the client came, and gives every request an id', async () => {
    const { edge, port, tlsPort } = await startEdge();
    edge.setRoute(route([await startBackend(echo)]));
    const { certificate: ca } = await own();
    const demo = 'demo.here.localhost';
    const secure = await askSecurely(tlsPort, demo, {
      ca,
      headers: {
        'x-forwarded-proto': 'http',
        'x-request-id': 'mine',
        'godwit-provenance': 'held=9',
      },
    });
    const { headers } = JSON.parse(secure.text);
    expect(headers).toMatchObject({
      host: `${demo}:${tlsPort}`,
      'x-forwarded-for': '127.0.0.1',
      'x-forwarded-proto': 'https',
      'x-forwarded-port': String(tlsPort),
      'x-forwarded-host': `${demo}:${tlsPort}`,
      'x-request-id': secure.headers['x-request-id'],
    });
    expect(headers).not.toHaveProperty('godwit-provenance');
    const plain = await ask(port, demo);
    expect(JSON.parse(plain.text).headers).toMatchObject({
      'x-forwarded-proto': 'http',
      'x-forwarded-port': String(port),
    });
    const ids = [secure.headers['x-request-id'], plain.headers['x-request-id'], 'mine', undefined];
    expect(new Set(ids).size).toBe(4);
    const chatty = await startBackend((_, response) =>
      response.writeHead(200, { 'X-Request-ID': 'of the app' }).end(),
    );
    edge.setRoute(route([chatty]));
    expect((await ask(port, demo)).headers['x-request-id']).toBe('of the app');
  });

  it.each([
    ['TLSv1.2', 'ec'],
    ['TLSv1.2', 'rsa'],
    ['TLSv1.3', 'ec'],
    ['TLSv1.3', 'rsa'],
  ] as const)(
    'shows a new certificate at once, to clients that come back too; connections go on (%s, %s)',
    async (version, kind) => {
      const { edge, tlsPort } = await startEdge();
      const [before, after] = [await Authority.create(kind), await Authority.create(kind)];
      const backend = await startBackend(echo);
      const certified = async ({ issue }: Authority, by: Authority) =>
        route([backend], { certificates: new Map([[host, await issue.call(by, host)]]) });
      edge.setRoute(await certified(before, before));
      const connect = async (ca: string, session?: Buffer) => {
        const options = {
          ...{ host: '127.0.0.1', port: tlsPort, servername: host, ca },
          ...{ minVersion: version, maxVersion: version },
        };
        const socket = tls.connect(session ? { ...options, session } : options);
        cleanUp.push(() => socket.destroy());
        let kept: Buffer | undefined;
        socket.on('session', (given) => {
          kept = given;
        });
        await once(socket, 'secureConnect');
        const get = async () => {
          socket.write(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
          const [answer] = await once(socket, 'data');
          return String(answer).slice(0, 12);
        };
        return { get, socket, session: () => kept };
      };
      const early = await connect(before.certificate);
      expect(await early.get()).toBe('HTTP/1.1 200');
      const resumed = await connect(before.certificate, early.session());
      expect(resumed.socket.isSessionReused()).toBe(true);

      edge.setRoute(await certified(after, after));
      await expect(connect(before.certificate, early.session())).rejects.toThrow();
      const late = await connect(after.certificate, early.session());
      expect(late.socket.isSessionReused()).toBe(false);
      expect(await late.get()).toBe('HTTP/1.1 200');
      expect(await early.get()).toBe('HTTP/1.1 200');
    },
  );

  it('is not hurt by a pair that cannot be used, and says which', async () => {
    const lines: string[] = [];
    const logger = pino({ level: 'warn' }, { write: (line) => void lines.push(line) });
    const { edge, tlsPort } = await startEdge({}, logger);
    const authority = await Authority.create();
    const [one, other] = [await authority.issue(host), await authority.issue('example.org')];
    const certificates = new Map([
      [host, { certificate: one.certificate, key: other.key }],
      ['example.org', other],
      ['demo.here.localhost', { certificate: 'none', key: 'none' }],
    ]);
    const backend = await startBackend(echo);
    edge.setRoute(route([backend], { certificates }));
    const { certificate: ca } = await own();
    expect((await askSecurely(tlsPort, 'demo.here.localhost', { ca })).status).toBe(200);
    const good = await askSecurely(tlsPort, 'example.org', { ca: authority.certificate });
    expect(good.status).toBe(200);
    await expect(askSecurely(tlsPort, host, { ca })).rejects.toMatchObject({
      code: 'ERR_TLS_CERT_ALTNAME_INVALID',
    });
    edge.setRoute(route([backend], { certificates }));
    expect(lines.map((line) => JSON.parse(line).msg)).toEqual([
      expect.stringContaining(host),
      expect.stringContaining('demo.here.localhost'),
    ]);
    expect(lines.join()).not.toContain('PRIVATE KEY');
  });

  it('forwards WebSockets to another edge', async () => {
    const [here, there] = [await startEdge(), await startEdge()];
    const backend = await startWebSockets();
    there.edge.setRoute(route([backend], { forwardToken: 'secret', hostnames: [] }));
    const mode = { kind: 'forward' as const, address: there.edge.address, token: 'secret' };
    here.edge.setRoute(route([], { mode }));
    const { certificate: ca } = await own();
    const socket = new WebSocket(`wss://demo.here.localhost:${here.tlsPort}/`, {
      dispatcher: new Agent({
        connect: { ca, servername: 'demo.here.localhost', host: '127.0.0.1', lookup: toHere },
      }),
    });
    const message = await new Promise((resolve, reject) => {
      socket.onmessage = ({ data }) => resolve(data);
      socket.onerror = reject;
    });
    expect(message).toBe('hello');
    socket.close();
  });

  it('forwards requests of HTTP/1.1 and HTTP/2, with what the client reached', async () => {
    const [here, there] = [await startEdge(), await startEdge()];
    const backend = await startBackend(echo);
    there.edge.setRoute(route([backend], { forwardToken: 'secret', hostnames: [] }));
    const mode = { kind: 'forward' as const, address: there.edge.address, token: 'secret' };
    here.edge.setRoute(route([], { mode }));
    const { certificate: ca } = await own();
    const demo = 'demo.here.localhost';
    const session = await connectHttp2(here.tlsPort, demo, ca);
    for (const answer of [
      await askSecurely(here.tlsPort, demo, { ca, method: 'POST', body: 'abc' }),
      await askHttp2(session, { method: 'POST', body: 'abc' }),
    ]) {
      const { headers } = JSON.parse(answer.text);
      expect(headers).toMatchObject({
        host: `${demo}:${here.tlsPort}`,
        'x-forwarded-proto': 'https',
        'x-forwarded-port': String(here.tlsPort),
        'x-forwarded-host': `${demo}:${here.tlsPort}`,
        'x-request-id': answer.headers['x-request-id'],
      });
      expect(answer.text).not.toMatch(/secret|godwit-/);
    }
  });

  it('serves curl, by either version of HTTP', async () => {
    const { edge, tlsPort } = await startEdge();
    const authority = await Authority.create();
    const certificates = new Map([[host, await authority.issue(host)]]);
    edge.setRoute(route([await startBackend(echo)], { certificates }));
    for (const [option, version] of [
      ['--http1.1', '1.1'],
      ['--http2', '2'],
    ] as const) {
      const printed = await curl(authority.certificate, [
        ...[option, '--resolve', `${host}:${tlsPort}:127.0.0.1`, '--data', 'abc'],
        ...['--write-out', '\n%{http_version} %{http_code}', `https://${host}:${tlsPort}/x?y=1`],
      ]);
      const [text = '', code] = printed.split('\n');
      expect(code).toBe(`${version} 200`);
      expect(JSON.parse(text)).toMatchObject({ method: 'POST', url: '/x?y=1' });
    }
  });

  it('ends those who do not finish a handshake, or do not speak TLS', async () => {
    const { edge, port, tlsPort } = await startEdge({ handshake: 100 });
    edge.setRoute(route([await startBackend(echo)]));
    for (const text of ['', 'GET / HTTP/1.1\r\n\r\n']) {
      const socket = net.connect(tlsPort, '127.0.0.1');
      socket.on('error', () => undefined);
      if (text) socket.write(text);
      socket.resume();
      await once(socket, 'close');
    }
    expect((await ask(port, host)).status).toBe(200);
  });

  it('holds requests as everywhere', async () => {
    const { edge, tlsPort } = await startEdge();
    const backend = await startBackend(echo);
    edge.setRoute(route([], { mode: { kind: 'hold', until: Date.now() + 60_000 } }));
    const { certificate: ca } = await own();
    const waiting = askSecurely(tlsPort, 'demo.here.localhost', {
      ca,
      method: 'POST',
      body: 'abc',
    });
    await until(() => edge.report(app).holding === 1, { timeout: 5_000, what: 'it to wait' });
    edge.setRoute(route([backend]));
    expect((await waiting).status).toBe(200);
  });
});

/** Has every name lead to this host. */
const toHere: net.LookupFunction = (_, { all }, tell) =>
  all ? tell(null, [{ address: '127.0.0.1', family: 4 }]) : tell(null, '127.0.0.1', 4);

async function* inPieces(source: AsyncIterable<Buffer>) {
  for await (const given of source) {
    for (let at = 0; at < given.length; at += 7) {
      yield given.subarray(at, at + 7);
      await nextTurn();
    }
  }
}
