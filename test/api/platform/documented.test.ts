import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { createApp, deploy, deployed, the } from '../migrating.js';
import { type Stage, startStage } from '../platform-stage.js';
import { upAndAtWork } from './up-and-at-work.js';

let stage: Stage;

beforeAll(async () => {
  stage = await startStage();
});
afterAll(() => stage?.close());

const withId = z.looseObject({ id: z.string() });

describe('as documented', () => {
  it('what is added at once is all there, in both kinds of list', async () => {
    await createApp(stage, 'racing');
    const numbers = Array.from({ length: 12 }, (_, index) => index);
    await Promise.all(
      numbers.map(async (number) => {
        const drain = { type: 'papertrail', host: 'h.org', port: number + 1 };
        expect((await stage.ask('/apps/racing/log_drains', { body: { drain } })).status).toBe(201);
        const collaborator = { email: `${number}@example.org` };
        const path = '/apps/racing/collaborators';
        expect((await stage.ask(path, { body: { collaborator } })).status).toBe(201);
      }),
    );
    const list = z.array(z.unknown()).length(12);
    await the(stage, 'drains', list, 200, '/apps/racing/log_drains');
    await the(stage, 'collaborators', list, 200, '/apps/racing/collaborators');
  });

  it('scaling and restarting answer 202 with the address of an operation', async () => {
    await createApp(stage, 'operated');
    const scale = await stage.ask('/apps/operated/scale', {
      body: { containers: [{ name: 'web', amount: 1 }] },
    });
    expect(scale.status).toBe(202);
    const restart = await stage.ask('/apps/operated/restart', {
      body: { scope: ['web', 'web-1'] },
    });
    expect([restart.status, restart.text]).toEqual([202, '']);
    for (const { headers } of [scale, restart]) {
      const { status, json } = await stage.ask(String(headers['location']));
      expect([status, json]).toMatchObject([200, { operation: { app_id: expect.any(String) } }]);
    }
    const all = await stage.ask('/apps/operated/restart', { method: 'POST' });
    expect([all.status, all.text]).toEqual([202, '']);
    for (const id of ['none', '0'.repeat(24)]) {
      expect((await stage.ask(`/apps/operated/operations/${id}`)).json).toMatchObject({
        resource: 'Operation',
      });
    }
  });

  it('the notifier of the documented request is called notifiers, its events by name', async () => {
    await createApp(stage, 'notified');
    const platforms = await the(
      stage,
      'notification_platforms',
      z.array(withId),
      200,
      '/notification_platforms',
    );
    const platform_id = platforms[0]?.id;
    const type_data = { webhook_url: 'https://example.org/hook' };
    const notifiers = { platform_id, name: 'x', type_data, selected_events: ['app_deployed'] };
    const path = '/apps/notified/notifiers';
    const made = await the(stage, 'notifier', withId, 201, path, { body: { notifiers } });
    expect(made['selected_event_ids']).toHaveLength(1);
    const shown = await stage.ask(`/notification_platforms/${platform_id}`);
    expect(shown.json).toMatchObject({ notification_platform: { id: platform_id } });
  });

  it('pages have neighbours, and no page is too far', async () => {
    const app = await createApp(stage, 'deployed');
    for (const ref of ['v1', 'v2']) await deploy(stage, app, upAndAtWork, ref);
    const path = `/apps/${app}/deployments`;
    expect((await stage.ask(`${path}?page=1&per_page=1`)).json).toMatchObject({
      deployments: [{ git_ref: 'v2', previous_git_ref: 'v1' }],
      meta: { pagination: { next_page: 2, total_pages: 2, total_count: 2 } },
    });
    expect((await stage.ask(`${path}?page=9&per_page=1`)).json).toMatchObject({
      deployments: [],
      meta: { pagination: { current_page: 9, prev_page: 8, next_page: null } },
    });
    for (const query of ['page=0', 'page=x', 'per_page=101']) {
      expect((await stage.ask(`${path}?${query}`)).status).toBe(422);
    }
  });

  it('a deployment that fails ends in build-error', async () => {
    const app = await createApp(stage, 'broken');
    const files = { ...upAndAtWork, 'package.json': '{ this is no JSON' };
    expect(await deployed(stage, app, files)).toBe('build-error');
  });
});
