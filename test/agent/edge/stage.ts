import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tls from 'node:tls';
import { promisify } from 'node:util';
import { type Logger, pino } from 'pino';
import { generate } from 'selfsigned';
import { Edge } from '../../../src/agent/edge/edge.js';
import type { EdgeLimits } from '../../../src/agent/edge/limits.js';
import type { Backend, Route } from '../../../src/agent/edge/route.js';
import type { DomainTls, Settings } from '../../../src/region/model.js';
import { listeningPort } from '../../../src/shared/listening-port.js';
import { createCertificate } from '../../../src/shared/self-signed.js';
import { cleanUp } from '../../clean-up.js';

export const app = 'a'.repeat(24);
export const off: Settings = {
  forceHttps: false,
  stickySession: false,
  routerLogs: false,
  prewarm: false,
};

const ownOfRegion = createCertificate('here.localhost', ['*.here.localhost']);

/** What the edge shows for host names without a certificate of their own. */
export async function own(): Promise<DomainTls> {
  const { certificate, privateKey } = await ownOfRegion;
  return { certificate, key: privateKey };
}

export interface Staged {
  readonly edge: Edge;
  readonly port: number;
  readonly tlsPort: number;
  /** What the edge wrote to the log of each app. */
  readonly logged: { app: string; lines: readonly string[] }[];
}

/** An edge for HTTP and HTTPS. */
export async function startEdge(
  limits: Partial<EdgeLimits> = {},
  logger: Logger = pino({ level: 'silent' }),
  port = 0,
): Promise<Staged> {
  const logged: { app: string; lines: readonly string[] }[] = [];
  const edge = new Edge({
    ...{ host: '127.0.0.1', port, tls: { port: 0, certificate: await own() }, logger, limits },
    log: async (app, lines) => void logged.push({ app, lines }),
  });
  await edge.start();
  cleanUp.push(() => edge.close());
  return { edge, port: portOf(edge.address), tlsPort: portOf(edge.secureAddress), logged };
}

function portOf(address: string): number {
  return Number(address.split(':')[1]);
}

/** Serves on a free port until the end of the test. */
export async function listen(server: net.Server): Promise<number> {
  const sockets = new Set<net.Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined); // whoever is the other side may leave as it likes
    socket.once('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanUp.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return listeningPort(server);
}

export async function startBackend(
  handler: http.RequestListener,
  name = 'web-1',
): Promise<Backend> {
  return { host: '127.0.0.1', port: await listen(http.createServer(handler)), name };
}

export function route(backends: readonly Backend[], changes: Partial<Route> = {}): Route {
  return {
    app,
    hostnames: ['demo.here.localhost', 'www.example.org', 'example.org'],
    mode: { kind: 'serve' },
    backends,
    forwardToken: null,
    ...changes,
  };
}

/** Tells what it was asked, and a digest of the content. */
export const echo: http.RequestListener = (request, response) => {
  const hash = createHash('sha256');
  request.on('data', (piece) => hash.update(piece));
  request.on('end', () => {
    const { method, url, headers, trailers } = request;
    const seen: Echo = { method, url, headers, trailers, sha: hash.digest('hex') };
    response.end(JSON.stringify(seen));
  });
};

export interface Echo {
  method: string | undefined;
  url: string | undefined;
  headers: NodeJS.Dict<string | string[]>;
  trailers: NodeJS.Dict<string>;
  sha: string;
}

export const sha = (data: string | Buffer) => createHash('sha256').update(data).digest('hex');

/** A backend that takes WebSockets, says hello, and then says what it hears (as raw bytes). */
export async function startWebSockets(name = 'web-1'): Promise<Backend> {
  const server = http.createServer((_, response) => response.writeHead(400).end('no socket'));
  server.on('upgrade', (request, socket) => {
    const accept = createHash('sha1')
      .update(`${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
      .digest('base64');
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
    socket.write(Buffer.from([0x81, 5, ...Buffer.from('hello')]));
    socket.on('error', () => undefined);
    socket.once('data', () => socket.end(Buffer.from([0x88, 0])));
  });
  return { host: '127.0.0.1', port: await listen(server), name };
}

/** Kinds of keys. */
const kinds = {
  ec: { keyType: 'ec', curve: 'P-256', algorithm: 'sha256' },
  rsa: { keyType: 'rsa', keySize: 2_048, algorithm: 'sha256' },
} as const;

/** An authority of this test's own, with its certificates, whose keys are of one kind. */
export class Authority {
  private constructor(
    readonly certificate: string,
    readonly key: string,
    readonly kind: keyof typeof kinds,
  ) {}

  static async create(kind: keyof typeof kinds = 'ec'): Promise<Authority> {
    const made = await generate([{ name: 'commonName', value: 'Test authority' }], {
      ...kinds[kind],
      extensions: [{ name: 'basicConstraints', cA: true, critical: true }],
    });
    return new Authority(made.cert, made.private, kind);
  }

  async issue(host: string): Promise<DomainTls> {
    const made = await generate([{ name: 'commonName', value: host }], {
      ...kinds[this.kind],
      ca: { cert: this.certificate, key: this.key },
      extensions: [{ name: 'subjectAltName', altNames: [{ type: 2, value: host }] }],
    });
    return { certificate: made.cert, key: made.private };
  }
}

export interface Answered {
  status: number;
  headers: http.IncomingHttpHeaders;
  text: string;
}

interface Ask {
  readonly path?: string;
  readonly method?: string;
  readonly headers?: http.OutgoingHttpHeaders;
  readonly body?: string | Buffer;
}

/** A request of HTTP/1.1, over a connection of its own. */
export async function ask(port: number, host: string, given: Ask = {}): Promise<Answered> {
  const { path = '/', method = 'GET', headers = {}, body } = given;
  const options = { host: '127.0.0.1', port, path, method, agent: false };
  return answerOf(http.request({ ...options, headers: { host, ...headers } }).end(body));
}

/** The same over TLS; `ca` is trusted. */
export async function askSecurely(
  port: number,
  host: string,
  { ca, ...given }: Ask & { ca: string },
): Promise<Answered> {
  const { path = '/', method = 'GET', headers = {}, body } = given;
  const options = { host: '127.0.0.1', port, path, method, agent: false, ca, servername: host };
  const all = { host: `${host}:${port}`, ...headers };
  return answerOf(https.request({ ...options, headers: all }).end(body));
}

async function answerOf(request: http.ClientRequest): Promise<Answered> {
  const whole = hear(request);
  request.on('error', () => undefined); // who has been answered may not be able to send the rest
  return whole;
}

async function hear(request: http.ClientRequest): Promise<Answered> {
  const [response]: http.IncomingMessage[] = await once(request, 'response');
  if (!response) throw new Error('no answer');
  let text = '';
  for await (const piece of response.setEncoding('utf8')) text += piece;
  return { status: response.statusCode ?? 0, headers: response.headers, text };
}

/** A connection of HTTP/2, ended with the test. */
export async function connectHttp2(
  port: number,
  host: string,
  ca: string,
): Promise<http2.ClientHttp2Session> {
  const session = http2.connect(`https://${host}:${port}`, {
    ca,
    maxSessionMemory: 100, // MB: what the tests send fits in
    createConnection: () =>
      tls.connect({ host: '127.0.0.1', port, ca, servername: host, ALPNProtocols: ['h2'] }),
  });
  session.on('error', () => undefined);
  cleanUp.push(() => session.destroy());
  await once(session, 'connect');
  return session;
}

/** A request of HTTP/2. */
export async function askHttp2(
  session: http2.ClientHttp2Session,
  { path = '/', method = 'GET', headers = {}, body }: Ask = {},
): Promise<Answered & { trailers: http2.IncomingHttpHeaders }> {
  const stream = session.request({ ':path': path, ':method': method, ...headers });
  stream.end(body);
  return heard(stream);
}

/** What comes of a request of HTTP/2. */
export async function heard(stream: http2.ClientHttp2Stream) {
  let trailers: http2.IncomingHttpHeaders = {};
  stream.on('trailers', (given) => {
    trailers = given;
  });
  const [headers]: (http2.IncomingHttpHeaders & http2.IncomingHttpStatusHeader)[] = await once(
    stream,
    'response',
  );
  let text = '';
  for await (const piece of stream.setEncoding('utf8')) text += piece;
  return { status: headers?.[':status'] ?? 0, headers: headers ?? {}, text, trailers };
}

const run = promisify(execFile);

/** Curl, as users have it. @returns what it printed */
export async function curl(ca: string, args: readonly string[]): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'godwit-curl-'));
  cleanUp.push(() => rm(dir, { recursive: true }));
  const file = join(dir, 'ca.pem');
  await writeFile(file, ca);
  return (await run('curl', ['--silent', '--show-error', '--cacert', file, ...args])).stdout;
}

/** What a server says to a client that writes exactly this, until one of them ends. */
export async function said(port: number, text: string): Promise<string> {
  const socket = net.connect(port, '127.0.0.1').setEncoding('latin1');
  socket.on('error', () => undefined); // what was heard until then counts
  if (text !== '') socket.write(text, 'latin1');
  let all = '';
  for await (const piece of socket) all += piece;
  return all;
}
