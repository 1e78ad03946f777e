import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Deployment } from '../../region/model.js';
import { Refusal } from '../../shared/errors.js';
import { type ApiContext, type Asking, appOf, type Found } from '../context.js';
import { sourceOfUrl } from './sources.js';

const tags = ['Deployments'];
const ofApp = z.object({ app: z.string() });
const ofDeployment = ofApp.extend({ id: z.string() });
const shape = z.object({
  id: z.string(),
  app_id: z.string(),
  status: z.enum(['building', 'success', 'error']),
  created_at: z.string(),
  finished_at: z.string().nullable(),
});
const one = z.object({ deployment: shape });

const present = ({ app }: Found, { id, status, createdAt, finishedAt }: Deployment) => ({
  id,
  app_id: app.id,
  status,
  created_at: createdAt,
  finished_at: finishedAt,
});

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
          body: z.object({
            deployment: z.object({ source_url: z.string(), git_ref: z.string().nullish() }),
          }),
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
        const deployment = await found.region.deploy({ app: found.app.id, source });
        return reply.status(201).send({ deployment: present(found, deployment) });
      },
    );

    api.get(
      '/apps/:app/deployments',
      {
        schema: {
          tags,
          summary: 'List the deployments, newest first',
          params: ofApp,
          response: { 200: z.object({ deployments: z.array(shape) }) },
        },
      },
      async (request) => {
        const found = await appOf(context, request);
        const all = await found.region.listDeployments({ app: found.app.id });
        return { deployments: all.map((deployment) => present(found, deployment)) };
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
        return { deployment: present(found, deployment) };
      },
    );

    api.get(
      '/apps/:app/deployments/:id/output',
      {
        schema: {
          tags,
          summary: 'What a deployment printed so far',
          params: ofDeployment,
          response: {
            200: z.object({ deployment: z.object({ id: z.string(), output: z.string() }) }),
          },
        },
      },
      async (request) => {
        const { deployment } = await deploymentOf(request);
        return { deployment: { id: deployment.id, output: deployment.output } };
      },
    );
  };
}
