import { z } from 'zod';
import type { App, AppHealth, RegionDescription } from '../../region/model.js';
import type { Found } from '../context.js';

/** An application, as the platform API shows it. */
export const appShape = z
  .object({
    id: z.string(),
    name: z.string(),
    region: z.string(),
    owner: z.object({ id: z.string(), username: z.string(), email: z.string() }),
    project: z.null(),
    status: z.enum(['new', 'running', 'stopped', 'crashed', 'booting']),
    url: z.string(),
    base_url: z.string(),
    git_url: z.null().describe('Regions have no Git remote'),
    links: z.object({ deployments_stream: z.null() }),
    force_https: z.boolean(),
    sticky_session: z.boolean(),
    router_logs: z.boolean(),
    prewarm: z
      .boolean()
      .describe('Whether a switch may start its web processes ahead, while databases only read'),
    flags: z.record(z.string(), z.boolean()),
    limits: z.record(z.string(), z.number()).optional(),
    stack_id: z.string(),
    last_deployed_at: z.string().nullable().describe('When a deployment was last begun'),
    last_deployed_by: z.string().nullable(),
    last_deployment_id: z.string().nullable().describe('The last that succeeded'),
    hds_resource: z.literal(false),
    data_access_consent: z.null(),
    private_networks_ids: z.array(z.string()),
    created_at: z.string(),
    updated_at: z.string(),
    frozen_by: z
      .string()
      .nullable()
      .describe('The migration that froze the application; null when it may be changed'),
  })
  .meta({
    examples: [
      {
        id: '54100930736f7563d5030000',
        name: 'heron',
        region: 'osc-fr1',
        owner: { id: 'us-1', username: 'ada', email: 'ada@example.org' },
        project: null,
        status: 'running',
        url: 'http://heron.osc-fr1.localhost:8080',
        base_url: 'http://heron.osc-fr1.localhost:8080',
        git_url: null,
        links: { deployments_stream: null },
        force_https: false,
        sticky_session: false,
        router_logs: false,
        prewarm: false,
        flags: {},
        stack_id: 'st-7c0f4b8e-2f0a-4a53-9a2e-5b1d3c6e9f01',
        last_deployed_at: '2026-01-02T03:04:05.678Z',
        last_deployed_by: 'ada',
        last_deployment_id: '54100930736f7563d5030001',
        hds_resource: false,
        data_access_consent: null,
        private_networks_ids: [],
        created_at: '2026-01-01T00:00:00.000Z',
        updated_at: '2026-01-02T03:04:09.000Z',
        frozen_by: null,
      },
    ],
  });
export type AppJson = z.infer<typeof appShape>;

const states = { healthy: 'running', starting: 'booting', unhealthy: 'crashed' } as const;

/** What the API shows of an app, given what its region says of itself and of the app's processes. */
export function presentApp(
  app: App,
  { name, edge, edgeHttps }: RegionDescription,
  state: AppHealth['state'],
): AppJson {
  const [scheme, address] = app.settings.forceHttps ? ['https', edgeHttps] : ['http', edge];
  const url = `${scheme}://${app.name}.${name}.localhost:${address.split(':').at(-1)}`;
  return {
    id: app.id,
    name: app.name,
    region: name,
    owner: app.owner,
    project: null,
    status: app.build === null ? 'new' : state === 'stopped' ? 'stopped' : states[state],
    url,
    base_url: url,
    git_url: null,
    links: { deployments_stream: null },
    force_https: app.settings.forceHttps,
    sticky_session: app.settings.stickySession,
    router_logs: app.settings.routerLogs,
    prewarm: app.settings.prewarm,
    flags: app.flags,
    limits: Object.keys(app.limits).length > 0 ? app.limits : undefined,
    stack_id: app.stack,
    last_deployed_at: app.lastDeployment?.at ?? null,
    last_deployed_by: app.lastDeployment?.by ?? null,
    last_deployment_id: app.lastDeployment?.successful ?? null,
    hds_resource: false,
    data_access_consent: null,
    private_networks_ids: [],
    created_at: app.createdAt,
    updated_at: app.updatedAt,
    frozen_by: app.frozenBy,
  };
}

/** The same, having asked the region. */
export async function lookAtApp({ app, region }: Found): Promise<AppJson> {
  const [description, { state }] = await Promise.all([
    region.describe({}),
    region.health({ app: app.id }),
  ]);
  return presentApp(app, description, state);
}
