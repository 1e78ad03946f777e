import http from 'node:http';
import { describe, expect, it } from 'vitest';
import { Durations } from '../../../src/agent/edge/durations.js';
import type { TrafficSecond } from '../../../src/region/model.js';
import { until } from '../../../src/shared/until.js';
import {
  app,
  ask,
  askHttp2,
  connectHttp2,
  echo,
  own,
  route,
  said,
  startBackend,
  startEdge,
  startWebSockets,
} from './stage.js';

const demo = 'demo.here.localhost';
const hold = () => ({ kind: 'hold' as const, until: Date.now() + 60_000 });
const wanted = { timeout: 5_000 };

function total(traffic: readonly TrafficSecond[]) {
  const sum = (numbers: readonly number[]) => numbers.reduce((all, one) => all + one, 0);
  return {
    requests: sum(traffic.map(({ requests }) => requests)),
    failed: sum(traffic.map(({ failed }) => failed)),
  };
}

describe('the report of a hold', () => {
  it('tells of those that waited, and of those that found no room', async () => {
    const { edge, port, tlsPort } = await startEdge({ waiting: 3 });
    const backend = await startBackend(echo);
    edge.setRoute(route([backend]));
    expect(edge.report(app)).toEqual({
      ...{ mode: 'serve', holding: 0, held: 0, longestWait: 0, waits: { p50: 0, p99: 0 } },
      ...{ expired: 0, refused: 0, closed: 0, drained: null, traffic: [] },
    });
    edge.setRoute(route([], { mode: hold() }));
    expect(await edge.drained(app, 1_000)).toBe(true);
    const waiting = [ask(port, demo), ask(port, demo), ask(port, demo)];
    await until(() => edge.report(app).holding === 3, { ...wanted, what: 'all to wait' });

    const refused = await ask(port, demo, { method: 'POST', body: 'abc' });
    expect([refused.status, refused.headers['retry-after']]).toEqual([503, '2']);
    const session = await connectHttp2(tlsPort, demo, (await own()).certificate);
    const second = await askHttp2(session);
    expect([second.status, second.headers['retry-after']]).toEqual([503, '2']);
    const upgrade = `GET / HTTP/1.1\r\nHost: ${demo}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`;
    expect(await said(port, upgrade)).toMatch(/^HTTP\/1\.1 503 .*\r\nRetry-After: 2\r\n/s);
    expect(edge.report(app)).toMatchObject({ mode: 'hold', holding: 3, held: 3, refused: 3 });

    edge.setRoute(route([backend]));
    expect((await Promise.all(waiting)).map(({ status }) => status)).toEqual([200, 200, 200]);
    const report = edge.report(app);
    expect(report).toMatchObject({ mode: 'serve', holding: 0, held: 3, refused: 3, expired: 0 });
    expect(report.drained).toBeGreaterThanOrEqual(0);
    expect(report.waits.p50).toBeGreaterThan(0);
    expect(report.waits.p99).toBeGreaterThanOrEqual(report.waits.p50);
    expect(Math.round(report.waits.p99)).toBeLessThanOrEqual(report.longestWait);
    const { requests, failed } = total(report.traffic);
    expect([requests, failed]).toEqual([6, 3]);
    // What the edge answered by itself is not the app's doing.
    await until(() => edge.answers.answered === 3, { ...wanted, what: 'all to be over' });

    edge.setRoute(route([], { mode: hold() }));
    expect(edge.report(app)).toMatchObject({ held: 0, longestWait: 0, refused: 0, drained: null });
  });

  it('of one that follows on one that ended by itself, begins anew', async () => {
    const { edge, port } = await startEdge({ patience: 50, stranded: 0 });
    edge.setRoute(route([], { mode: { kind: 'hold', until: Date.now() + 100 } }));
    expect((await ask(port, demo)).status).toBe(503);
    expect(edge.report(app)).toMatchObject({ mode: 'serve', held: 1, expired: 1 });
    edge.setRoute(route([], { mode: hold() }));
    expect(edge.report(app)).toMatchObject({ mode: 'hold', held: 0, expired: 0 });
  });

  it('does not take what was never answered for drained', async () => {
    const { edge, port } = await startEdge();
    const begun: http.ServerResponse[] = [];
    const backend = await startBackend((_, response) => begun.push(response));
    edge.setRoute(route([backend]));
    const broken = ask(port, demo);
    const [response] = await until(() => begun.length > 0 && begun, { ...wanted, what: 'it' });
    edge.setRoute(route([backend], { mode: hold() }));
    expect(await edge.drained(app, 10)).toBe(false);
    response?.destroy();
    expect((await broken).status).toBe(502);
    expect(edge.report(app).drained).toBeNull();
  });
});

describe('the report of the traffic', () => {
  it('counts what was answered, by whom ever, and what failed', async () => {
    const [here, there] = [await startEdge(), await startEdge()];
    const backend = await startBackend((request, response) => {
      if (request.url === '/cut') response.write('begun', () => response.destroy());
      else if (request.url === '/none') response.destroy();
      else response.writeHead(Number(request.url?.slice(1))).end();
    });
    const mode = { kind: 'forward' as const, address: there.edge.address, token: 'secret' };
    there.edge.setRoute(route([backend], { forwardToken: 'secret' }));
    here.edge.setRoute(route([], { mode }));
    for (const path of ['/200', '/404', '/500', '/none']) await ask(here.port, demo, { path });
    await expect(ask(here.port, demo, { path: '/cut' })).rejects.toThrow();
    for (const { edge } of [here, there]) {
      const { requests, failed } = total(edge.report(app).traffic);
      expect([requests, failed]).toEqual([5, 3]);
    }
    const [{ at, median, longest } = { at: 0, median: 0, longest: 0 }] =
      here.edge.report(app).traffic;
    expect(at % 1_000).toBe(0);
    expect(median).toBeGreaterThan(0);
    expect(longest).toBeGreaterThanOrEqual(median);
  });

  it('has a client that leaves for no failure', async () => {
    const { edge, port } = await startEdge();
    const gone: string[] = [];
    const backend = await startBackend((request, response) => {
      response.once('close', () => gone.push(request.url ?? ''));
      if (request.url === '/begun') response.write('begun');
    });
    edge.setRoute(route([backend]));
    const begun = http.get({ host: '127.0.0.1', port, path: '/begun', headers: { host: demo } });
    begun.once('response', () => begun.destroy());
    await until(() => gone.includes('/begun'), { ...wanted, what: 'the app to hear of it' });
    const { requests, failed } = total(edge.report(app).traffic);
    expect([requests, failed]).toEqual([1, 0]);
  });

  it('counts WebSockets, as they are opened', async () => {
    const { edge, port } = await startEdge();
    edge.setRoute(route([await startWebSockets()]));
    const upgrade = `GET / HTTP/1.1\r\nHost: ${demo}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`;
    await said(port, `${upgrade}x`);
    const { requests, failed } = total(edge.report(app).traffic);
    expect([requests, failed]).toEqual([1, 0]);
  });
});

describe('durations', () => {
  it('are told by nearest rank, to one part in a hundred', () => {
    const durations = new Durations();
    expect([durations.percentile(50), durations.longest]).toEqual([0, 0]);
    for (let one = 1; one <= 1_000; one += 1) durations.add(one);
    for (const percent of [50, 99, 100]) {
      expect(Math.abs(durations.percentile(percent) / (percent * 10) - 1)).toBeLessThan(0.01);
    }
    durations.add(10 ** 9);
    expect(durations.longest).toBe(10 ** 9);
    durations.forget();
    durations.add(0);
    expect([durations.percentile(99), durations.longest]).toEqual([0, 0]);
  });
});
