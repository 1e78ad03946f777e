import { describe, expect, it } from 'vitest';
import { stickyProcess, withoutStickyCookie } from '../../../src/agent/edge/sticky.js';
import {
  ask,
  askHttp2,
  askSecurely,
  connectHttp2,
  off,
  own,
  route,
  said,
  startBackend,
  startEdge,
  startWebSockets,
} from './stage.js';

const demo = 'demo.here.localhost';
const sticky = { settings: { ...off, stickySession: true } };

const named = (name: string) =>
  startBackend(
    (request, response) => response.end(`${name} ${request.headers.cookie ?? 'none'}`),
    name,
  );
const processes = () => Promise.all(['web-1', 'web-2', 'web-3'].map(named));

describe('sticky sessions', () => {
  it('lead a client to one process, as long as it is there', async () => {
    const { edge, port } = await startEdge();
    const [one, two, three] = await processes();
    if (!one || !two || !three) throw new Error('no processes');
    edge.setRoute(route([one, two, three], sticky));
    const first = await ask(port, demo);
    const [cookie = ''] = first.headers['set-cookie'] ?? [];
    const [pair = '', ...attributes] = cookie.split('; ');
    expect(attributes).toEqual(['Path=/', 'HttpOnly', 'SameSite=Lax']);
    const name = first.text.split(' ')[0];
    expect(pair).toBe(`godwit-process=${name}`);
    for (let turn = 0; turn < 4; turn += 1) {
      const again = await ask(port, demo, { headers: { cookie: `a=1; ${pair}; b=2` } });
      expect(again.text).toBe(`${name} a=1; b=2`);
      expect(again.headers).not.toHaveProperty('set-cookie');
    }
    const only = await ask(port, demo, { headers: { cookie: pair } });
    expect(only.text).toBe(`${name} none`);

    edge.setRoute(
      route(
        [one, two, three].filter((backend) => backend.name !== name),
        sticky,
      ),
    );
    const moved = await ask(port, demo, { headers: { cookie: pair } });
    const other = moved.text.split(' ')[0];
    expect(other).not.toBe(name);
    expect(moved.headers['set-cookie']).toEqual([expect.stringContaining(`=${other};`)]);
    for (const forged of ['127.0.0.1:22', 'worker-1', '', '../web-1', '__proto__']) {
      const answer = await ask(port, demo, { headers: { cookie: `godwit-process=${forged}` } });
      expect(answer.status).toBe(200);
      expect(answer.headers['set-cookie']).toHaveLength(1);
    }
  });

  it('do not depend on a process that does not accept connections', async () => {
    const { edge, port } = await startEdge();
    const [one, two] = await processes();
    if (!one || !two) throw new Error('no processes');
    edge.setRoute(route([{ ...one, port: 1 }, two], sticky));
    const answer = await ask(port, demo, { headers: { cookie: 'godwit-process=web-1' } });
    expect(answer.text).toBe('web-2 none');
    expect(answer.headers['set-cookie']).toHaveLength(1);
  });

  it('survive another start of the edge, elsewhere: the name is what counts', async () => {
    const [here, there] = [await startEdge(), await startEdge()];
    const mode = { kind: 'forward' as const, address: there.edge.address, token: 'secret' };
    there.edge.setRoute(route(await processes(), { ...sticky, forwardToken: 'secret' }));
    here.edge.setRoute(route([], { mode, ...sticky }));
    for (let turn = 0; turn < 3; turn += 1) {
      const answer = await ask(here.port, demo, { headers: { cookie: 'godwit-process=web-2' } });
      expect(answer.text).toBe('web-2 none');
      expect(answer.headers).not.toHaveProperty('set-cookie');
    }
    const fresh = await ask(here.port, demo);
    expect(fresh.headers['set-cookie']).toHaveLength(1);
  });

  it('are for TLS alone when they began there, and beside the cookies of the app', async () => {
    const { edge, tlsPort } = await startEdge();
    const backend = await startBackend((_, response) =>
      response.writeHead(200, { 'set-cookie': 'own=1' }).end(),
    );
    edge.setRoute(route([backend], sticky));
    const { certificate: ca } = await own();
    const session = await connectHttp2(tlsPort, demo, ca);
    const expected = ['own=1', 'godwit-process=web-1; Path=/; HttpOnly; SameSite=Lax; Secure'];
    expect((await askSecurely(tlsPort, demo, { ca })).headers['set-cookie']).toEqual(expected);
    expect((await askHttp2(session)).headers['set-cookie']).toEqual(expected);
    const again = await askHttp2(session, {
      headers: { cookie: ['a=1', 'godwit-process=web-1', 'b=2'] },
    });
    expect(again.headers['set-cookie']).toEqual(['own=1']);
  });

  it('hold for WebSockets', async () => {
    const { edge, port } = await startEdge();
    const [, two] = await processes();
    if (!two) throw new Error('no processes');
    edge.setRoute(route([await startWebSockets('web-1'), two], sticky));
    const asking = (cookie: string) =>
      said(
        port,
        `GET / HTTP/1.1\r\nHost: ${demo}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${cookie}\r\nxx`,
      );
    for (let turn = 0; turn < 3; turn += 1) {
      expect(await asking('Cookie: godwit-process=web-1\r\n')).toMatch(/^HTTP\/1\.1 101 /);
      expect(await asking('Cookie: godwit-process=web-2\r\n')).toMatch(/web-2 none$/);
    }
    const fresh = [await asking(''), await asking('')];
    const cookies = fresh.map((heard) => /Set-Cookie: (godwit-process=web-\d)/.exec(heard)?.[1]);
    expect(cookies.toSorted()).toEqual(['godwit-process=web-1', 'godwit-process=web-2']);
  });

  it('are not there when nobody wants them', async () => {
    const { edge, port } = await startEdge();
    edge.setRoute(route(await processes()));
    const seen = new Set<string | undefined>();
    for (let turn = 0; turn < 3; turn += 1) {
      const answer = await ask(port, demo, { headers: { cookie: 'godwit-process=web-1' } });
      seen.add(answer.text);
      expect(answer.headers).not.toHaveProperty('set-cookie');
    }
    expect(seen).toEqual(new Set(['web-1 none', 'web-2 none', 'web-3 none']));
  });
});

it.each([
  ['a=1', 'a=1', null],
  ['godwit-process=web-1', null, 'web-1'],
  ['godwit-process=web-1; a=1', 'a=1', 'web-1'],
  ['a=1;godwit-process=web-1;b=2', 'a=1;b=2', 'web-1'],
  [
    'x-godwit-process=web-1; a="godwit-process=1"',
    'x-godwit-process=web-1; a="godwit-process=1"',
    null,
  ],
])('reads %s', (cookie, left, process) => {
  expect(withoutStickyCookie(cookie)).toBe(left);
  expect(stickyProcess({ headers: { cookie: [cookie] } })).toBe(process);
});
