import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import type { Duplex } from 'node:stream';
import tls from 'node:tls';
import fastifyWebSocket, { type WebSocket as ServerSocket } from '@fastify/websocket';
import fc from 'fast-check';
import fastify from 'fastify';
import { Agent, WebSocket } from 'undici';
import { describe, expect, it } from 'vitest';
import type { Backend } from '../../../src/agent/edge/route.js';
import { closeFrame } from '../../../src/agent/edge/websocket-frames.js';
import { WebSocketPassage } from '../../../src/agent/edge/websocket-passage.js';
import { until } from '../../../src/shared/until.js';
import { cleanUp } from '../../clean-up.js';
import {
  app,
  ask,
  connectHttp2,
  listen,
  own,
  route,
  type Staged,
  startBackend,
  startEdge,
} from './stage.js';

const demo = 'demo.here.localhost';
const hold = () => ({ kind: 'hold' as const, until: Date.now() + 60_000 });
const soon = { timeout: 5_000 };

const upgradeTo = (protocol: string) =>
  `GET / HTTP/1.1\r\nHost: ${demo}\r\nConnection: Upgrade\r\nUpgrade: ${protocol}\r\n\r\n`;
const accepted = (protocol: string) =>
  `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${protocol}\r\n\r\n`;

/** Two edges: `near`, where clients come, forwards to `far`, which serves. Or one that is both. */
async function startWay({ forwards }: { forwards: boolean }) {
  const far = await startEdge();
  if (!forwards) return { near: far, far };
  const near = await startEdge();
  const mode = { kind: 'forward' as const, address: far.edge.address, token: 'secret' };
  near.edge.setRoute(route([], { mode }));
  return { near, far };
}

const serveAt = ({ edge }: Staged, backend: Backend) =>
  edge.setRoute(route([backend], { forwardToken: 'secret' }));
const holdAt = ({ edge }: Staged, backend: Backend) =>
  edge.setRoute(route([backend], { forwardToken: 'secret', mode: hold() }));

/** Connects, and gathers what is heard until the end. */
function connect(port: number, secure?: { ca: string }) {
  const at = { host: '127.0.0.1', port };
  const socket = secure ? tls.connect({ ...at, ...secure, servername: demo }) : net.connect(at);
  let bytes = Buffer.alloc(0);
  socket.on('data', (piece: Buffer) => {
    bytes = Buffer.concat([bytes, piece]);
  });
  cleanUp.push(() => socket.destroy());
  const ended = once(socket, 'end');
  return { socket, ended, bytes: () => bytes, text: () => bytes.toString('latin1') };
}

/** One that sends events as the test says. */
async function startEvents(headers: http.OutgoingHttpHeaders = {}) {
  const streams: http.ServerResponse[] = [];
  const backend = await startBackend((_, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream', ...headers });
    response.flushHeaders();
    streams.push(response);
  });
  const say = (text: string) => {
    for (const stream of streams) stream.write(text);
  };
  return { backend, streams, say };
}

/** One that agrees to another protocol, and then leaves it to the test. */
async function startSockets(protocol: string) {
  const server = http.createServer();
  const sockets: { socket: Duplex; bytes: () => Buffer }[] = [];
  server.on('upgrade', (_, socket, head) => {
    let bytes = head;
    socket.on('data', (piece: Buffer) => {
      bytes = Buffer.concat([bytes, piece]);
    });
    socket.write(accepted(protocol));
    sockets.push({ socket, bytes: () => bytes });
  });
  return { backend: { host: '127.0.0.1', port: await listen(server) }, sockets };
}

/** A frame of a WebSocket; its text is taken byte by byte, and masked with zeros. */
function frame(opcode: number, text: string, { isFinal = true, isMasked = true } = {}): Buffer {
  const payload = Buffer.from(text, 'latin1');
  const head = [(isFinal ? 0x80 : 0) | opcode];
  const mask = isMasked ? 0x80 : 0;
  if (payload.length < 126) head.push(mask | payload.length);
  else if (payload.length < 65_536)
    head.push(mask | 126, payload.length >> 8, payload.length & 255);
  else
    head.push(
      mask | 127,
      0,
      0,
      0,
      0,
      0,
      payload.length >> 16,
      (payload.length >> 8) & 255,
      payload.length & 255,
    );
  return Buffer.concat([Buffer.from(head), Buffer.alloc(isMasked ? 4 : 0), payload]);
}

/** The same short frame without its mask. */
function unmasked(masked: Buffer): Buffer {
  const [first = 0, second = 0] = masked;
  const mask = masked.subarray(2, 6);
  const payload = masked.subarray(6).map((byte, at) => byte ^ (mask[at % 4] ?? 0));
  return Buffer.concat([Buffer.from([first, second & 0x7f]), payload]);
}

describe.each([{ forwards: false }, { forwards: true }])('when requests are held (%o)', (kind) => {
  it('streams of events end after the event that is under way, whatever the client speaks', async () => {
    const { near, far } = await startWay(kind);
    const { backend, streams, say } = await startEvents();
    serveAt(far, backend);
    const { certificate: ca } = await own();
    const request = (version: string) => `GET / HTTP/${version}\r\nHost: ${demo}\r\n\r\n`;
    const clients = [connect(near.port), connect(near.port), connect(near.tlsPort, { ca })];
    const [chunked, old, secure] = clients;
    chunked?.socket.write(request('1.1'));
    old?.socket.write(request('1.0'));
    secure?.socket.write(request('1.1'));
    const session = await connectHttp2(near.tlsPort, demo, ca);
    const stream = session.request({ ':path': '/' });
    let streamed = '';
    const answered = once(stream, 'response');
    stream.setEncoding('utf8').on('data', (text) => {
      streamed += text;
    });
    await until(() => streams.length === 4, { ...soon, what: 'all four' });
    say('data: one\n\ndata: t');
    await answered;
    await until(
      () => [streamed, ...clients.map(({ text }) => text())].every((t) => t.includes('data: t')),
      {
        ...soon,
        what: 'all to hear',
      },
    );
    holdAt(far, backend);
    const drained = far.edge.drained(app, 10_000);
    say('wo\n');
    say('\ndata: three');
    await once(stream, 'end');
    expect(await drained).toBe(true);
    expect(far.edge.report(app)).toMatchObject({ closed: 4, held: 0 });
    expect(streamed).toBe('data: one\n\ndata: two\n\n');
    expect(stream.rstCode).toBe(0);
    await old?.ended;
    expect(old?.text()).toMatch(/\r\n\r\ndata: one\n\ndata: two\n\n$/);
    for (const client of [chunked, secure]) {
      await until(() => client?.text().endsWith('\r\n0\r\n\r\n'), {
        ...soon,
        what: 'the last chunk',
      });
      expect(client?.text()).not.toContain('three');
    }
    await until(() => streams.every(({ destroyed }) => destroyed), {
      ...soon,
      what: 'the app to hear of it',
    });

    // On the same connection, they come back into the hold.
    chunked?.socket.write(request('1.1'));
    await until(() => far.edge.report(app).holding === 1, { ...soon, what: 'one to wait' });
    serveAt(far, backend);
    await until(() => streams.length === 5, { ...soon, what: 'it to go on' });
    expect(far.edge.report(app).traffic.reduce((sum, { failed }) => sum + failed, 0)).toBe(0);
  });

  it('WebSockets are closed on both sides, and come back', async () => {
    const { near, far } = await startWay(kind);
    const heardByApp: unknown[] = [];
    const server = fastify();
    await server.register(fastifyWebSocket);
    server.get('/', { websocket: true }, (socket: ServerSocket) => {
      socket.on('message', (data: Buffer) => socket.send(`${data}!`));
      socket.on('close', (code: number, reason: Buffer) => heardByApp.push([code, String(reason)]));
    });
    await server.listen({ port: 0, host: '127.0.0.1' });
    cleanUp.push(() => server.close());
    const address = server.server.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    const backend = { host: '127.0.0.1', port: address.port };
    serveAt(far, backend);
    const { certificate: ca } = await own();
    const lookup: net.LookupFunction = (_, __, tell) => tell(null, '127.0.0.1', 4);
    const dispatcher = new Agent({
      connect: { ca, lookup, autoSelectFamily: false },
    });
    cleanUp.push(() => dispatcher.close());
    for (const url of [`ws://${demo}:${near.port}/`, `wss://${demo}:${near.tlsPort}/`]) {
      serveAt(far, backend);
      const socket = new WebSocket(url, { dispatcher });
      const messages: unknown[] = [];
      const closed = new Promise((resolve) => {
        socket.onclose = ({ code, reason, wasClean }) => resolve([code, reason, wasClean]);
      });
      await new Promise((resolve) => {
        socket.onopen = resolve;
      });
      socket.onmessage = ({ data }) => messages.push(data);
      for (let one = 0; one < 1_000; one += 1) socket.send(`${one}`);
      await until(() => messages.length > 0, { ...soon, what: 'an answer' });
      holdAt(far, backend);
      expect(await far.edge.drained(app, 10_000)).toBe(true);
      expect(await closed).toEqual([1012, 'moving', true]);
      expect(messages).toEqual(Array.from(messages, (_, one) => `${one}!`));
      expect(heardByApp.pop()).toEqual([1012, 'moving']);
      expect(far.edge.report(app).closed).toBe(1);

      const again = new WebSocket(url, { dispatcher });
      const reopened = new Promise((resolve) => {
        again.onopen = resolve;
      });
      await until(() => far.edge.report(app).holding === 1, { ...soon, what: 'it to wait' });
      serveAt(far, backend);
      await reopened;
      const over = new Promise((resolve) => {
        again.onclose = ({ code }) => resolve(code);
      });
      again.close(1000);
      expect(await over).toBe(1000);
    }
  });
});

describe('when requests are held', () => {
  it('a stream of events whose event does not end, ends in it', async () => {
    const { edge, port } = await startEdge();
    const { backend, streams, say } = await startEvents();
    edge.setRoute(route([backend]));
    const answer = ask(port, demo);
    await until(() => streams.length === 1, { ...soon, what: 'it' });
    say('data: o');
    await until(() => edge.report(app).traffic.length > 0, { ...soon, what: 'the head' });
    edge.setRoute(route([backend], { mode: hold() }));
    expect((await answer).status).toBe(200);
    expect(await edge.drained(app, 10_000)).toBe(true);
  });

  it('a stream of events that the app begins only now, ends too', async () => {
    const { edge, port } = await startEdge();
    const asked: http.ServerResponse[] = [];
    const backend = await startBackend((_, response) => asked.push(response));
    edge.setRoute(route([backend]));
    const answer = ask(port, demo);
    await until(() => asked.length === 1, { ...soon, what: 'it' });
    edge.setRoute(route([backend], { mode: hold() }));
    const drained = edge.drained(app, 10_000);
    asked[0]?.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
    expect(await answer).toMatchObject({ status: 200, text: '' });
    expect(await drained).toBe(true);
    expect(edge.report(app).closed).toBe(1);
  });

  it('a compressed one, and one that says how long it is', async () => {
    const { edge, port } = await startEdge();
    const compressed = await startEvents({ 'content-encoding': 'gzip' });
    const short = await startEvents({ 'content-length': '7' });
    edge.setRoute(route([compressed.backend]));
    const first = ask(port, demo);
    await until(() => compressed.streams.length === 1, { ...soon, what: 'it' });
    compressed.say('\n');
    edge.setRoute(route([short.backend]));
    const second = ask(port, demo);
    await until(() => edge.report(app).traffic.length > 0 && short.streams.length === 1, {
      ...soon,
      what: 'both',
    });
    edge.setRoute(route([short.backend], { mode: hold() }));
    expect((await first).status).toBe(200);
    const drained = edge.drained(app, 10_000);
    short.say('data: 1');
    expect((await second).text).toBe('data: 1');
    expect(await drained).toBe(true);
  });

  it('a WebSocket gets what the app still says, and the app no half of a message', async () => {
    const { edge, port } = await startEdge();
    const { backend, sockets } = await startSockets('websocket');
    edge.setRoute(route([backend]));
    const client = connect(port);
    const [first, second] = [frame(1, 'first'), frame(1, 'second')];
    client.socket.write(Buffer.concat([Buffer.from(upgradeTo('websocket')), first]));
    client.socket.write(second.subarray(0, 5));
    await until(() => sockets[0] && sockets[0].bytes().length === first.length + 5, {
      ...soon,
      what: 'the app to have the half',
    });
    const [server] = sockets;
    if (!server) throw new Error('no socket');
    const said = frame(1, 'x'.repeat(70_000));
    server.socket.write(said.subarray(0, 1_000));
    edge.setRoute(route([backend], { mode: hold() }));
    const drained = edge.drained(app, 10_000);
    client.socket.write(second.subarray(5));
    client.socket.write(frame(1, 'third'));
    const expected = Buffer.concat([first, second]);
    await until(() => server.bytes().length > expected.length, { ...soon, what: 'a Close frame' });
    expect(server.bytes().subarray(0, expected.length)).toEqual(expected);
    expect(unmasked(server.bytes().subarray(expected.length))).toEqual(
      closeFrame({ isMasked: false }),
    );
    // The app goes on for a while, and only then says that it closes.
    server.socket.write(said.subarray(1_000));
    const late = frame(2, 'late');
    server.socket.write(late);
    await until(() => client.text().endsWith('late'), { ...soon, what: 'the client to hear it' });
    server.socket.write(Buffer.concat([frame(8, '\x03\xe8'), frame(1, 'never')]));
    expect(await drained).toBe(true);
    const whole = Buffer.concat([said, late, closeFrame({ isMasked: false })]);
    await until(() => client.bytes().subarray(-whole.length).equals(whole), {
      ...soon,
      what: 'the client to be told',
    });
    client.socket.write(frame(8, '\x03\xf4'));
    await client.ended;
    expect(server.bytes().length).toBe(expected.length + 14);
  });

  /** A WebSocket, opened: both ends of it. */
  async function openSocket(protocol = 'websocket') {
    const { edge, port } = await startEdge();
    const { backend, sockets } = await startSockets(protocol);
    edge.setRoute(route([backend]));
    const client = connect(port);
    client.socket.write(upgradeTo(protocol));
    await until(() => client.text().endsWith('\r\n\r\n'), { ...soon, what: 'the answer' });
    const [server] = sockets;
    if (!server) throw new Error('no socket');
    const holdNow = () => edge.setRoute(route([backend], { mode: hold() }));
    return { edge, port, client, server, hold: holdNow };
  }
  const closing = closeFrame({ isMasked: false });

  it('a message in several frames arrives whole', async () => {
    const { client, server, hold } = await openSocket();
    const begun = frame(1, 'a', { isFinal: false });
    client.socket.write(begun);
    await until(() => server.bytes().length === begun.length, { ...soon, what: 'its begin' });
    hold();
    const rest = [frame(9, 'ping'), frame(0, 'b'), frame(1, 'never')];
    client.socket.write(Buffer.concat(rest));
    const whole = Buffer.concat([begun, ...rest.slice(0, 2)]);
    await until(() => server.bytes().length === whole.length + 14, {
      ...soon,
      what: 'a Close frame',
    });
    expect(server.bytes().subarray(0, whole.length)).toEqual(whole);
  });

  it('a message whose frames do not end is not waited for, nor an app that says nothing', async () => {
    const { edge, client, server, hold } = await openSocket();
    const begun = frame(1, 'a', { isFinal: false });
    client.socket.write(begun);
    await until(() => server.bytes().length === begun.length, { ...soon, what: 'its begin' });
    hold();
    await until(() => server.bytes().length === begun.length + 14, {
      ...soon,
      what: 'a Close frame',
    });
    client.socket.write(frame(0, 'never'));
    expect(await edge.drained(app, 10_000)).toBe(true);
    await until(() => client.bytes().subarray(-closing.length).equals(closing), {
      ...soon,
      what: 'the client to be told',
    });
    expect(server.bytes().length).toBe(begun.length + 14);
    client.socket.end();
    await client.ended;
  });

  it('a WebSocket that is being closed already, is left to it', async () => {
    const { edge, client, server, hold } = await openSocket();
    const own = frame(8, '\x03\xe8');
    client.socket.write(own);
    await until(() => server.bytes().equals(own), { ...soon, what: 'it' });
    hold();
    const before = client.bytes().length;
    const answer = frame(8, '\x03\xe8', { isMasked: false });
    server.socket.end(answer);
    expect(await edge.drained(app, 10_000)).toBe(true);
    await client.ended;
    expect(client.bytes().subarray(before)).toEqual(answer);
    expect(server.bytes()).toEqual(own);
  });

  it('a WebSocket that the app agrees to only now, is opened and closed', async () => {
    const { edge, port } = await startEdge();
    const server = http.createServer();
    const asked: Duplex[] = [];
    server.on('upgrade', (_, socket) => asked.push(socket));
    const backend = { host: '127.0.0.1', port: await listen(server) };
    edge.setRoute(route([backend]));
    const client = connect(port);
    client.socket.write(upgradeTo('websocket'));
    await until(() => asked.length === 1, { ...soon, what: 'it' });
    edge.setRoute(route([backend], { mode: hold() }));
    const drained = edge.drained(app, 10_000);
    asked[0]?.write(accepted('websocket'));
    asked[0]?.once('data', () => asked[0]?.end(frame(8, '', { isMasked: false })));
    expect(await drained).toBe(true);
    await until(() => client.bytes().subarray(-closing.length).equals(closing), {
      ...soon,
      what: 'the client to be told',
    });
  });

  it('another protocol ends when everything else has, and nothing waits for it', async () => {
    const { edge, port, client, server, hold } = await openSocket('chess');
    let finish: () => void = () => undefined;
    const slow = await startBackend((_, response) => {
      finish = () => response.end('done');
      response.flushHeaders();
    });
    edge.setRoute(route([slow]));
    const answer = ask(port, demo);
    await until(
      () => edge.report(app).traffic.reduce((sum, { requests }) => sum + requests, 0) === 2,
      {
        ...soon,
        what: 'the head',
      },
    );
    hold();
    const drained = edge.drained(app, 10_000);
    client.socket.write('e4');
    await until(() => String(server.bytes()) === 'e4', { ...soon, what: 'it to go on' });
    finish();
    expect((await answer).text).toBe('done');
    expect(await drained).toBe(true);
    await Promise.all([client.ended, once(server.socket, 'end')]);
    expect(edge.report(app).closed).toBe(1);
  });
});

describe('one direction of a WebSocket', () => {
  const message = fc.array(
    fc.record({ text: fc.string({ maxLength: 300 }), isPing: fc.boolean() }),
    {
      minLength: 1,
      maxLength: 3,
    },
  );

  it('ends after a message that is whole, however its bytes come', async () => {
    const given = fc.record({
      messages: fc.array(message, { maxLength: 5 }),
      cuts: fc.array(fc.nat(2_000), { maxLength: 20 }),
      stopAt: fc.nat(20),
      isMasked: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(given, async ({ messages, cuts, stopAt, isMasked }) => {
        const ends = [0];
        const frames: Buffer[] = [];
        for (const parts of messages) {
          parts.forEach(({ text, isPing }, at) => {
            const isFinal = at === parts.length - 1;
            if (isPing) frames.push(frame(9, text.slice(0, 20), { isMasked }));
            frames.push(frame(at === 0 ? 1 : 0, text, { isFinal, isMasked }));
            if (at === 0 && isPing) ends.push(Buffer.concat(frames.slice(0, -1)).length);
          });
          ends.push(Buffer.concat(frames).length);
        }
        const all = Buffer.concat(frames);
        const places = [...new Set([0, ...cuts.filter((cut) => cut < all.length), all.length])];
        places.sort((a, b) => a - b);
        const passage = new WebSocketPassage({ highWaterMark: all.length + 100 });
        const closing = closeFrame({ isMasked });
        let passed = 0;
        for (const [at, place] of places.entries()) {
          if (at === stopAt) passage.stop(closing, 'message');
          if (at < stopAt) passed = place;
          if (at > 0) passage.write(all.subarray(places[at - 1], place));
        }
        if (stopAt >= places.length) passage.stop(closing, 'message');
        passage.end();
        const heard = Buffer.concat(await passage.toArray());
        const stop = ends.find((end) => end >= passed) ?? all.length;
        expect(heard).toEqual(Buffer.concat([all.subarray(0, stop), closing]));
      }),
      { numRuns: 200 },
    );
  });
});
