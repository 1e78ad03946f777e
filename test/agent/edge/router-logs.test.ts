import { once } from 'node:events';
import net from 'node:net';
import { describe, expect, it } from 'vitest';
import { until } from '../../../src/shared/until.js';
import {
  app,
  ask,
  askHttp2,
  connectHttp2,
  off,
  own,
  route,
  type Staged,
  said,
  startBackend,
  startEdge,
  startWebSockets,
} from './stage.js';

const demo = 'demo.here.localhost';
const logs = { settings: { ...off, routerLogs: true } };
const hold = () => ({ kind: 'hold' as const, until: Date.now() + 60_000 });

/** The lines that were logged, once there are so many. */
const lines = ({ logged }: Staged, count: number) =>
  until(
    () => {
      const all = logged.flatMap((batch) => batch.lines);
      return all.length >= count && all;
    },
    { timeout: 10_000, what: `${count} lines` },
  );

const ok = () => startBackend((_, response) => response.writeHead(201).end('four'));

describe('logs of the router', () => {
  it('have a line for each request, without its headers', async () => {
    const stage = await startEdge();
    stage.edge.setRoute(route([await ok()], logs));
    const plain = await ask(stage.port, demo, {
      path: '/a"b?c=d',
      method: 'PUT',
      body: 'abc',
      headers: { authorization: 'hidden', cookie: 'hidden=1', referer: 'http://hidden/' },
    });
    const session = await connectHttp2(stage.tlsPort, demo, (await own()).certificate);
    const secure = await askHttp2(session);
    const [first = '', second = ''] = await lines(stage, 2);
    const id = plain.headers['x-request-id'];
    expect(first.replace(/duration=\d+\.\d{3}s/, 'duration=…')).toBe(
      `method=PUT path="/a\\"b?c=d" host="${demo}" request_id=${id} container=web-1 ` +
        'from="127.0.0.1" protocol=http version=1.1 status=201 duration=… bytes=4',
    );
    expect(second).toContain(`request_id=${secure.headers['x-request-id']} container=web-1`);
    expect(second).toContain('protocol=https version=2.0 status=201');
    expect(`${first}${second}`).not.toContain('hidden');
    expect(stage.logged.every((batch) => batch.app === app)).toBe(true);
  });

  it('tell how long requests were held, by whichever edge', async () => {
    const [here, there] = [await startEdge({ forward: 100 }), await startEdge()];
    const mode = { kind: 'forward' as const, address: there.edge.address, token: 'secret' };
    there.edge.setRoute(route([await ok()], { ...logs, forwardToken: 'secret' }));
    here.edge.setRoute(route([], { ...logs, mode: hold() }));
    const waiting = ask(here.port, demo);
    const leaving = net.connect(here.port, '127.0.0.1');
    leaving.write(`GET /left HTTP/1.1\r\nHost: ${demo}\r\n\r\n`);
    await until(() => here.edge.report(app).holding === 2, { timeout: 5_000, what: 'both' });
    leaving.destroy();
    await once(leaving, 'close');
    await until(() => here.edge.report(app).holding === 1, { timeout: 5_000, what: 'one' });
    here.edge.setRoute(route([], { ...logs, mode }));
    const { headers } = await waiting;
    const [served] = await lines(there, 1);
    expect(served).toMatch(/ status=201 .* held=\d+\.\d{3}s$/);
    expect(served).toContain(`request_id=${headers['x-request-id']}`);
    const [left, ...more] = await lines(here, 1);
    expect(left).toMatch(/path="\/left" .* container=- .* status=499 .* held=\d+\.\d{3}s$/);
    expect(more).toEqual([]); // whoever only forwards says nothing

    await there.edge.close();
    here.edge.setRoute(route([], { ...logs, mode }));
    expect((await ask(here.port, demo)).status).toBe(503);
    expect((await lines(here, 2))[1]).toMatch(/container=- .* status=503/); // as nobody else can
  });

  it('have WebSockets, redirects and what did not reach the app', async () => {
    const stage = await startEdge({ patience: 50 });
    const backend = await startWebSockets();
    stage.edge.setRoute(route([backend], logs));
    await said(
      stage.port,
      `GET /ws HTTP/1.1\r\nHost: ${demo}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nx`,
    );
    expect(await lines(stage, 1)).toEqual([
      expect.stringMatching(/path="\/ws" .* container=web-1 .* status=101 .* bytes=\d+$/),
    ]);
    stage.edge.setRoute(route([backend], { ...logs, canonical: 'www.example.org' }));
    await ask(stage.port, demo);
    stage.edge.setRoute(route([], logs));
    await ask(stage.port, demo);
    const [, redirected, late] = await lines(stage, 3);
    expect(redirected).toContain(
      'container=- from="127.0.0.1" protocol=http version=1.1 status=301',
    );
    expect(late).toContain('container=- from="127.0.0.1" protocol=http version=1.1 status=503');
  });

  it('are written many at once, and none after the app is gone or does not want them', async () => {
    const stage = await startEdge();
    const backend = await ok();
    stage.edge.setRoute(route([backend], logs));
    await Promise.all(Array.from({ length: 100 }, () => ask(stage.port, demo)));
    await lines(stage, 100);
    expect(stage.logged.length).toBeLessThan(50);
    stage.edge.setRoute(route([backend]));
    await ask(stage.port, demo);
    stage.edge.setRoute(route([backend], logs));
    await ask(stage.port, demo, { path: '/lost' });
    stage.edge.removeRoute(app);
    stage.edge.setRoute(route([backend], logs));
    await ask(stage.port, demo, { path: '/last' });
    await stage.edge.close();
    const all = stage.logged.flatMap((batch) => batch.lines);
    expect(all.slice(100)).toEqual([expect.stringContaining('path="/last"')]);
  });
});
