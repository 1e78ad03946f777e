import { once } from 'node:events';
import http from 'node:http';
import { createParser } from 'eventsource-parser';
import { request, WebSocket } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { until } from '../../../src/shared/until.js';
import { createApp, deploy, the } from '../migrating.js';
import { type Stage, startStage } from '../platform-stage.js';
import { upAndAtWork } from './up-and-at-work.js';

let stage: Stage;

beforeAll(async () => {
  stage = await startStage();
  await deploy(stage, await createApp(stage, 'runner'), upAndAtWork);
  await createApp(stage, 'drained');
});
afterAll(() => stage?.close());

const withId = z.object({ id: z.string() });

describe('logs', () => {
  it.each([
    [{ type: 'appsignal', token: 't', host: 'h.org', port: 1 }, 'appsignal://:t@h.org:1'],
    [{ type: 'datadog', token: 't', drain_region: 'eu-west-2' }, 'datadog://t?region=eu-west-2'],
    [{ type: 'ovh-graylog', token: 't', host: 'h.org' }, 'ovh://:t@h.org:6514'],
    [{ type: 'logentries', token: 'a b' }, 'logentries://a%20b'],
    [{ type: 'papertrail', host: 'h.org', port: '1' }, 'papertrail://h.org:1'],
    [{ type: 'syslog', token: 't', host: 'h.org', port: '1' }, 'syslog://:t@h.org:1'],
    [{ type: 'elk', url: 'https://u:p@h.org/x' }, 'https://u:p@h.org/x'],
  ])('a log drain %j has its URL, by which it is removed', async (drain, url) => {
    const shape = z.object({ app_id: z.string(), url: z.string() });
    const made = await the(stage, 'drain', shape, 201, '/apps/drained/log_drains', {
      body: { drain },
    });
    expect(made.url).toBe(url);
    const again = await stage.ask('/apps/drained/log_drains', { body: { drain } });
    expect(again.status).toBe(422);
    const drains = z.array(shape);
    expect(await the(stage, 'drains', drains, 200, '/apps/drained/log_drains')).toEqual([made]);
    const removal = { method: 'DELETE' as const, body: { url } };
    expect((await stage.ask('/apps/drained/log_drains', removal)).status).toBe(204);
    expect((await stage.ask('/apps/drained/log_drains', removal)).status).toBe(404);
  });

  it('an addon has log drains of its own', async () => {
    await createApp(stage, 'addon-drained');
    const addon = { addon_provider_id: 'postgresql', plan_id: 'postgresql-sandbox' };
    const { id } = await the(stage, 'addon', withId, 201, '/apps/addon-drained/addons', {
      body: { addon },
    });
    const drain = { type: 'syslog', host: 'h.org', port: 1 };
    const path = `/apps/addon-drained/addons/${id}/log_drains`;
    const { url } = await the(stage, 'drain', z.looseObject({ url: z.string() }), 201, path, {
      body: { drain },
    });
    expect((await stage.ask('/apps/addon-drained/log_drains')).json).toEqual({ drains: [] });
    expect((await stage.ask(path)).json).toMatchObject({ drains: [{ url }] });
    expect((await stage.ask(path, { method: 'DELETE', body: { url } })).status).toBe(204);
    expect((await stage.ask(path.replace(id, 'none'))).json).toMatchObject({ resource: 'Addon' });
  });

  it('can be counted and filtered', async () => {
    const { logs_url } = z
      .object({ logs_url: z.string() })
      .parse((await stage.ask('/apps/runner/logs')).json);
    const lines = async (query: string) => {
      const { text } = await stage.ask(`${logs_url}&${query}`);
      return text.split('\n').slice(0, -1);
    };
    expect(await lines('n=1')).toHaveLength(1);
    expect(await lines('n=0')).toEqual([]);
    expect(await lines('filter=nobody')).toEqual([]);
    const own = await lines('filter=godwit|worker&n=2');
    expect(own.length).toBeGreaterThan(0);
    expect(own.every((line) => line.includes(' [godwit] '))).toBe(true);
    expect((await stage.ask(`${logs_url}&filter=(a*)*`)).status).toBe(422);
  });

  it('can be followed, by server-sent events and by WebSocket', async () => {
    const address = async (app: string) =>
      z.object({ logs_url: z.string() }).parse((await stage.ask(`/apps/${app}/logs`)).json)
        .logs_url;
    const url = `${await address('runner')}&n=0&stream=true`;
    const event = z.object({ name: z.string(), event: z.string(), log: z.string().optional() });
    const heard: Record<'sse' | 'ws' | 'worker', string[]> = { sse: [], ws: [], worker: [] };
    const take = (into: string[], data: string) => {
      const { name, log } = event.parse(JSON.parse(data));
      if (name === 'log' && log !== undefined) into.push(log);
    };
    const streams = await Promise.all(
      (['sse', 'worker'] as const).map(async (kind) => {
        const answer = await request(kind === 'sse' ? url : `${url}&filter=worker`);
        expect(answer.headers['content-type']).toMatch(/^text\/event-stream/);
        const parser = createParser({ onEvent: ({ data }) => take(heard[kind], data) });
        const decoder = new TextDecoder();
        answer.body.on('data', (chunk: Buffer) =>
          parser.feed(decoder.decode(chunk, { stream: true })),
        );
        answer.body.on('error', () => undefined); // it is ended below
        return answer.body;
      }),
    );
    const socket = new WebSocket(url.replace('http', 'ws'));
    socket.addEventListener('message', ({ data }) => take(heard.ws, String(data)));
    await once(socket, 'open');
    const containers = [
      { name: 'web', amount: 1 },
      { name: 'worker', amount: 1 },
    ];
    expect((await stage.ask('/apps/runner/scale', { body: { containers } })).status).toBe(202);
    expect((await stage.ask('/apps/runner/restart', { method: 'POST' })).status).toBe(202);
    const hasHeard = (lines: string[], line: string) => lines.some((one) => one.endsWith(line));
    await until(
      () =>
        hasHeard(heard.sse, '[web-1] listening') &&
        hasHeard(heard.ws, '[web-1] listening') &&
        hasHeard(heard.worker, '[worker-1] at work'),
      { timeout: 20_000, what: 'the lines of the restart' },
    );
    // Whoever came later may have missed lines, but none of those after the first that it heard.
    const sse = heard.sse.slice(heard.sse.indexOf(heard.ws[0] ?? ''));
    const common = Math.min(sse.length, heard.ws.length);
    expect(heard.ws.slice(0, common)).toEqual(sse.slice(0, common));
    expect(heard.worker.every((line) => line.includes('[worker-'))).toBe(true);
    for (const stream of streams) stream.destroy();
    socket.close();
    await once(socket, 'close');

    /** How a request is answered that offers another protocol. */
    const offered = async (protocol: string, at: string) => {
      const headers = {
        ...{ connection: 'Upgrade', upgrade: protocol },
        ...{ 'sec-websocket-version': '13', 'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==' },
      };
      const asked = http.get(at, { headers, agent: false });
      return Promise.race([
        once(asked, 'response').then(([{ statusCode }]) => statusCode),
        once(asked, 'upgrade').then(([, upgraded]) => upgraded.destroy() && 101),
      ]);
    };
    expect(await offered('websocket', url)).toBe(101);
    expect(await offered('websocket', url.replace(/token=[^&]*/, 'token=x'))).toBe(401);
    expect(await offered('websocket', `${stage.url}/v1/apps`)).toBe(401);
    expect(await offered('h2c', `${stage.url}/v1/event_types`)).toBe(200);
  });
});
