import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { type Deployment, hostStack } from '../../region/model.js';
import { Refusal } from '../../shared/errors.js';
import { userOf } from '../auth/authenticate.js';
import { type ApiContext, type Asking, appOf, baseUrl, type Found, noteEvent } from '../context.js';
import { meta, pageOf, paging } from './pagination.js';
import { sourceOfUrl, urlExample } from './sources.js';

const tags = ['Deployments'];
const ofApp = z.object({ app: z.string() });
const ofDeployment = ofApp.extend({ id: z.string() });
const shape = z
  .object({
    id: z.string(),
    app_id: z.string(),
    status: z.enum(['building', 'success', 'build-error']),
    created_at: z.string(),
    finished_at: z.string().nullable(),
    duration: z.number().describe('Seconds from beginning to end; 0 while it goes on'),
    git_ref: z.string().describe('Whatever its user called it; empty when nothing'),
    previous_git_ref: z.string(),
    type: z.literal('archive'),
    image_size: z.number().describe('Bytes of the build; 0 while there is none'),
    stack_base_image: z.string().describe('Id of the stack'),
    pusher: z.object({ id: z.string(), username: z.string(), email: z.string() }).nullable(),
    links: z.object({ output: z.string() }),
  })
  .meta({
    examples: [
      {
        id: '54100930736f7563d5030001',
        app_id: '54100930736f7563d5030000',
        status: 'success',
        created_at: '2026-01-02T03:04:05.678Z',
        finished_at: '2026-01-02T03:04:17.678Z',
        duration: 12,
        git_ref: 'v2',
        previous_git_ref: 'v1',
        type: 'archive',
        image_size: 1048576,
        stack_base_image: 'st-7c0f4b8e-2f0a-4a53-9a2e-5b1d3c6e9f01',
        pusher: { id: 'us-1', username: 'ada', email: 'ada@example.org' },
        links: {
          output:
            'http://127.0.0.1:4000/regions/osc-fr1/v1/apps/54100930736f7563d5030000/deployments/54100930736f7563d5030001/output',
        },
      },
    ],
  });
const one = z.object({ deployment: shape });
const outputExample = '$ npm ci --omit=dev\nadded 1 package\nDeployed. Process types: web.\n';

function present({ app, region }: Found, base: string, deployment: Deployment) {
  const { id, status, createdAt, finishedAt, gitRef, previousGitRef } = deployment;
  const duration = finishedAt === null ? 0 : Date.parse(finishedAt) - Date.parse(createdAt);
  const output = `${base}/regions/${region.name}/v1/apps/${app.id}/deployments/${id}/output`;
  return {
    id,
    app_id: app.id,
    status: status === 'error' ? ('build-error' as const) : status,
    created_at: createdAt,
    finished_at: finishedAt,
    duration: Math.round(duration / 1000),
    git_ref: gitRef ?? '',
    previous_git_ref: previousGitRef ?? '',
    type: 'archive' as const,
    image_size: deployment.size ?? 0,
    stack_base_image: deployment.stack ?? hostStack.id,
    pusher: deployment.pusher ?? null,
    links: { output },
  };
}

/** Deployments of uploaded sources. */
export function deploymentRoutes(context: ApiContext): FastifyPluginAsyncZod {
  async function deploymentOf(
    request: Asking & { readonly params: { readonly app: string; readonly id: string } },
  ) {
    const found = await appOf(context, request);
    const all = await found.region.listDeployments({ app: found.app.id });
    const deployment = all.find(({ id }) => id === request.params.id);
    if (deployment) return { found, deployment };
    const what = `${found.app.name} has no deployment ${request.params.id}.`;
    throw Refusal.notFound('Deployment', what);
  }

  return async (api) => {
    api.post(
      '/apps/:app/deployments',
      {
        schema: {
          tags,
          summary: 'Deploy an uploaded source',
          params: ofApp,
          body: z
            .object({
              deployment: z.object({
                source_url: z.string().describe('download_url of a source'),
                git_ref: z.string().max(200).nullish(),
              }),
            })
            .meta({ examples: [{ deployment: { source_url: urlExample, git_ref: 'v2' } }] }),
          response: { 201: one },
        },
      },
      async (request, reply) => {
        const found = await appOf(context, request);
        const { source, region } = await sourceOfUrl(context, request.body.deployment.source_url);
        if (region !== found.region.name) {
          const what = `was uploaded to ${region}; ${found.app.name} is on ${found.region.name}.`;
          throw Refusal.invalid('source_url', what);
        }
        const deployment = await found.region.deploy({
          app: found.app.id,
          source,
          gitRef: request.body.deployment.git_ref ?? undefined,
          pusher: userOf(request),
        });
        await noteEvent(context, request, found.app, 'deployment', {
          deployment_id: deployment.id,
          deployment_type: 'archive',
          pusher: userOf(request).username,
          git_ref: request.body.deployment.git_ref ?? null,
          status: deployment.status,
        });
        const base = baseUrl(context, request);
        return reply.status(201).send({ deployment: present(found, base, deployment) });
      },
    );

    api.get(
      '/apps/:app/deployments',
      {
        schema: {
          tags,
          summary: 'List the deployments, newest first',
          params: ofApp,
          querystring: paging,
          response: { 200: z.object({ deployments: z.array(shape), meta }) },
        },
      },
      async (request) => {
        const found = await appOf(context, request);
        const all = await found.region.listDeployments({ app: found.app.id });
        const { items, meta } = pageOf(all, request.query);
        const base = baseUrl(context, request);
        return { deployments: items.map((deployment) => present(found, base, deployment)), meta };
      },
    );

    api.delete(
      '/apps/:app/caches/deployment',
      {
        schema: {
          tags,
          summary: 'Remove what deployments of the application keep for the next one',
          description: 'Packages that were downloaded; the next deployment fetches them again.',
          params: ofApp,
          response: { 204: z.null() },
        },
      },
      async (request, reply) => {
        const { app, region } = await appOf(context, request);
        await region.purgeCache({ app: app.id });
        return reply.status(204).send(null);
      },
    );

    api.get(
      '/apps/:app/deployments/:id',
      {
        schema: {
          tags,
          summary: 'Show a deployment',
          params: ofDeployment,
          response: { 200: one },
        },
      },
      async (request) => {
        const { found, deployment } = await deploymentOf(request);
        return { deployment: present(found, baseUrl(context, request), deployment) };
      },
    );

    api.get(
      '/apps/:app/deployments/:id/output',
      {
        schema: {
          tags,
          summary: 'What a deployment printed so far',
          description: 'As text, or as JSON for whoever accepts nothing but JSON.',
          params: ofDeployment,
          response: {
            200: {
              description: 'All that was printed',
              content: {
                'text/plain': { schema: z.string().meta({ examples: [outputExample] }) },
                'application/json': {
                  schema: z.object({
                    deployment: z.object({ id: z.string(), output: z.string() }).meta({
                      examples: [{ id: '54100930736f7563d5030001', output: outputExample }],
                    }),
                  }),
                },
              },
            },
          },
        },
      },
      async (request, reply) => {
        const { deployment } = await deploymentOf(request);
        if (request.headers.accept === 'application/json') {
          return { deployment: { id: deployment.id, output: deployment.output } };
        }
        return reply.type('text/plain; charset=utf-8').send(deployment.output);
      },
    );
  };
}
