import { randomUUID } from 'node:crypto';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { collaborator } from '../../region/model.js';
import { Refusal } from '../../shared/errors.js';
import { type ApiContext, appOf, requireOwner } from '../context.js';

const tags = ['Collaborators'];
const ofApp = z.object({ app: z.string() });

/** Who may see and change an application beside its owner. */
export function collaboratorRoutes(context: ApiContext): FastifyPluginAsyncZod {
  return async (api) => {
    api.get(
      '/apps/:app/collaborators',
      {
        schema: {
          tags,
          summary: 'List the collaborators',
          params: ofApp,
          response: { 200: z.object({ collaborators: z.array(collaborator) }) },
        },
      },
      async (request) => {
        const { app } = await appOf(context, request);
        return { collaborators: app.collaborators };
      },
    );

    api.post(
      '/apps/:app/collaborators',
      {
        schema: {
          tags,
          summary: 'Invite a collaborator; who has an account here has accepted',
          params: ofApp,
          body: z.object({ collaborator: z.object({ email: z.email() }) }),
          response: { 201: z.object({ collaborator }) },
        },
      },
      async (request, reply) => {
        const { app, region } = await appOf(context, request);
        requireOwner(request, app);
        const { email } = request.body.collaborator;
        if (app.collaborators.some((known) => known.email === email)) {
          throw Refusal.invalid('email', `${email} is a collaborator already.`);
        }
        const user = await context.accounts.ofEmail(email);
        const added = user
          ? { ...user, status: 'accepted' as const }
          : { id: `co-${randomUUID()}`, username: '', email, status: 'pending' as const };
        await region.setCollaborators({
          app: app.id,
          collaborators: [...app.collaborators, added],
        });
        return reply.status(201).send({ collaborator: added });
      },
    );

    api.delete(
      '/apps/:app/collaborators/:id',
      {
        schema: {
          tags,
          summary: 'Remove a collaborator',
          params: ofApp.extend({ id: z.string() }),
          response: { 204: z.null() },
        },
      },
      async (request, reply) => {
        const { app, region } = await appOf(context, request);
        requireOwner(request, app);
        const others = app.collaborators.filter(({ id }) => id !== request.params.id);
        if (others.length === app.collaborators.length) {
          const what = `${app.name} has no collaborator ${request.params.id}.`;
          throw Refusal.notFound('Collaborator', what);
        }
        await region.setCollaborators({ app: app.id, collaborators: others });
        return reply.status(204).send(null);
      },
    );
  };
}
