import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { afterEach, describe, expect, it } from 'vitest';
import { Clients, type ClientsReport } from '../../../src/dev/verify/clients.js';
import type { Entry } from '../../../src/dev/verify/entry.js';
import { isSound, judge } from '../../../src/dev/verify/judgement.js';
import { listeningPort } from '../../../src/shared/listening-port.js';
import { until } from '../../../src/shared/until.js';

let server: Server | null = null;
afterEach(() => {
  server?.close();
  server?.closeAllConnections();
});

/** What an app does with what it is given: how often it writes it, and how it answers. */
type Habit = (number: number) => {
  readonly times: number;
  readonly status?: number;
  readonly breaks?: boolean;
};

/** Has clients write to an app with a habit until they have sent enough. */
async function observe(habit: Habit): Promise<{ report: ClientsReport; entries: Entry[] }> {
  const entries: Entry[] = [];
  const seen = new Set<string>();
  const http = createServer(async (request, response) => {
    const url = new URL(request.url ?? '', 'http://app');
    const [, , client = '', path = ''] = url.pathname.split('/');
    const body = await buffer(request);
    if (request.method === 'GET') {
      const mine = entries.filter((entry) => entry.client === client);
      return response.end(
        JSON.stringify({ last: Math.max(0, ...mine.map(({ number }) => number)) }),
      );
    }
    const isUpload = url.pathname.startsWith('/uploads');
    const said: { client: string; number: number } =
      path === '' ? JSON.parse(body.toString()) : { client, number: Number(path) };
    const { times, status = 201, breaks = false } = habit(said.number);
    const key = JSON.stringify(said);
    const isFirst = !seen.has(key);
    seen.add(key);
    for (let time = 0; time < times; time += 1) {
      const received = entries.length + 1;
      const digest = isUpload ? createHash('sha256').update(body).digest('hex') : null;
      const position = `0/${received.toString(16)}`;
      entries.push({ ...said, received, via: '', digest, after: null, timeline: 1, position });
    }
    if (breaks && isFirst) return response.destroy();
    response.writeHead(status).end('{}');
  });
  server = http;
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  const url = `http://app.region.localhost:${listeningPort(http)}`;
  const clients = new Clients({ url, edge: null }, { count: 3, pause: 1 });
  clients.start();
  await until(() => entries.length > 60, { timeout: 10_000, every: 5, what: 'enough entries' });
  return { report: await clients.stop(), entries };
}

describe('clients and judgement together', () => {
  it('find nothing wrong with an honest app', async () => {
    const { report, entries } = await observe(() => ({ times: 1 }));
    expect(report.failures).toEqual([]);
    expect(isSound(judge(report.attempted, [], entries))).toBe(true);
    expect(report.kinds.filter(({ sent }) => sent > 0).map(({ kind }) => kind)).toEqual([
      'post',
      'put',
      'upload',
    ]);
  });

  it('find out an app that acknowledges what it has not written', async () => {
    const { report, entries } = await observe((number) => ({ times: number % 5 === 0 ? 0 : 1 }));
    expect(judge(report.attempted, [], entries).lost).toContain('entry 5 of client-put-1');
    expect(report.failures.map(({ how }) => how)).toContain('stale');
  });

  it('find out an app that writes twice', async () => {
    const { report, entries } = await observe((number) => ({ times: number % 5 === 0 ? 2 : 1 }));
    expect(judge(report.attempted, [], entries).doubled).toContain(
      'entry 5 of client-post-1 is there 2 times',
    );
  });

  it('count errors, and send again only what nobody answered', async () => {
    const { report, entries } = await observe((number) => ({
      times: 1,
      status: number % 5 === 0 ? 500 : 201,
      breaks: number % 7 === 0,
    }));
    const found = judge(report.attempted, [], entries);
    expect(isSound(found)).toBe(true);
    expect(found.unknown).toBeGreaterThan(0);
    const [five, seven] = [5, 7].map((number) =>
      entries.filter((entry) => entry.client === 'client-post-1' && entry.number === number),
    );
    expect(five).toHaveLength(1);
    expect(seven).toHaveLength(2);
    expect(new Set(report.failures.map(({ how }) => how))).toEqual(new Set(['status', 'broken']));
  });
});
