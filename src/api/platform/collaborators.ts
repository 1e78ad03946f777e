import { createHash, randomUUID } from 'node:crypto';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { App, Collaborator } from '../../region/model.js';
import { Refusal } from '../../shared/errors.js';
import { newSecret } from '../../shared/ids.js';
import { userOf } from '../auth/authenticate.js';
import {
  type ApiContext,
  appOf,
  appsOfAll,
  baseUrl,
  type Found,
  maySee,
  noteEvent,
  regionOf,
  requireOwner,
} from '../context.js';
import { appShape, lookAtApp } from './app-shape.js';

const tags = ['Collaborators'];
const ofApp = z.object({ app: z.string() });
const ofCollaborator = ofApp.extend({ id: z.string() });
const example = {
  id: 'co-4b3ad6f4-3a29-4cc7-8f61-3f8f2e2f0a11',
  app_id: '54100930736f7563d5030000',
  email: 'bob@example.org',
  user_id: 'us-2',
  username: 'bob',
  status: 'accepted',
  is_limited: false,
};
const shape = z
  .object({
    id: z.string(),
    app_id: z.string(),
    email: z.string(),
    user_id: z.string().nullable(),
    username: z.string().nullable(),
    status: z.enum(['pending', 'accepted']),
    is_limited: z.boolean(),
  })
  .meta({ examples: [example] });
const shapeWithApp = shape
  .extend({ app_name: z.string() })
  .meta({ examples: [{ ...example, app_name: 'heron' }] });
const invitedShape = shape
  .extend({ invitation_link: z.string().nullable() })
  .meta({ examples: [{ ...example, invitation_link: null }] });
const one = z.object({ collaborator: shape });
const notHere = 'n/a';

const present = (app: App, { id, email, username, status, ...rest }: Collaborator) => ({
  id,
  app_id: app.id,
  email,
  user_id: status === 'accepted' ? (rest.userId ?? id) : null,
  username: status === 'accepted' ? username : notHere,
  status,
  is_limited: rest.isLimited ?? false,
});

/** Who may see and change an application beside its owner. */
export function collaboratorRoutes(context: ApiContext): FastifyPluginAsyncZod {
  /** The app and the invitation that a token proves, in whatever region. */
  async function invited(token: string): Promise<{ found: Found; item: Collaborator } | null> {
    const invitation = digest(token);
    const all = await appsOfAll(context);
    return (
      all.flatMap((found) => {
        const item = found.app.collaborators.find((one) => one.invitation === invitation);
        return item ? { found, item } : [];
      })[0] ?? null
    );
  }

  return async (api) => {
    api.get(
      '/collaborators',
      {
        schema: {
          tags,
          summary: 'List the collaborators of the applications that you own',
          response: {
            200: z.object({ collaborators: z.array(shapeWithApp) }),
          },
        },
      },
      async (request) => {
        const user = userOf(request);
        const apps = await regionOf(context, request).listApps({});
        const collaborators = apps
          .filter(({ owner }) => owner.id === user.id)
          .flatMap((app) =>
            app.collaborators.map((one) => {
              const shown = present(app, one);
              const username = shown.username === notHere ? null : shown.username;
              return { ...shown, username, app_name: app.name };
            }),
          );
        return { collaborators };
      },
    );

    api.get(
      '/apps/collaboration',
      {
        schema: {
          tags,
          summary: 'Accept an invitation',
          querystring: z.object({ token: z.string() }),
          response: { 200: appShape },
        },
      },
      async (request) => {
        const user = userOf(request);
        const invitation = await invited(request.query.token);
        if (!invitation) {
          const what = 'This invitation is not there any more. Ask its sender for another.';
          throw Refusal.notFound('Invitation', what);
        }
        const { found, item } = invitation;
        if (maySee(user, found.app)) {
          const what = `You are on ${found.app.name} already. The invitation stays good for somebody else.`;
          throw Refusal.conflict('collaborating', what);
        }
        const accepted = {
          ...item,
          ...{ email: user.email, username: user.username, userId: user.id },
          ...{ status: 'accepted' as const, invitation: null },
        };
        const app = await found.region.attach({
          app: found.app.id,
          attachment: { kind: 'collaborator', item: accepted },
        });
        const { email, username } = item.inviter ?? app.owner;
        const data = { collaborator: { ...user, inviter: { email, username } } };
        await noteEvent(context, request, app, 'accept_collaborator', data);
        return lookAtApp({ app, region: found.region });
      },
    );

    api.get(
      '/apps/:app/collaborators',
      {
        schema: {
          tags,
          summary: 'List the collaborators',
          params: ofApp,
          response: { 200: z.object({ collaborators: z.array(shape) }) },
        },
      },
      async (request) => {
        const { app } = await appOf(context, request);
        return { collaborators: app.collaborators.map((one) => present(app, one)) };
      },
    );

    api.post(
      '/apps/:app/collaborators',
      {
        schema: {
          tags,
          summary: 'Invite a collaborator; who has an account here has accepted',
          description:
            'Who has no account accepts with the token of `invitation_link`, which is shown only here: whoever has it may accept.',
          params: ofApp,
          body: z
            .object({
              collaborator: z.object({ email: z.email(), is_limited: z.boolean().default(false) }),
            })
            .meta({ examples: [{ collaborator: { email: 'bob@example.org' } }] }),
          response: {
            201: z.object({
              collaborator: invitedShape,
            }),
          },
        },
      },
      async (request, reply) => {
        const { app, region } = await appOf(context, request);
        requireOwner(request, app);
        const { email, is_limited } = request.body.collaborator;
        if (app.owner.email === email || app.collaborators.some((one) => one.email === email)) {
          throw Refusal.invalid('email', `${email} is on ${app.name} already.`);
        }
        const user = await context.accounts.ofEmail(email);
        const token = user ? null : newSecret();
        const item: Collaborator = {
          id: `co-${randomUUID()}`,
          email,
          username: user?.username ?? notHere,
          userId: user?.id ?? null,
          status: user ? 'accepted' : 'pending',
          isLimited: is_limited,
          invitation: token && digest(token),
          inviter: userOf(request),
        };
        const attachment = { kind: 'collaborator' as const, item };
        await region.attach({ app: app.id, attachment });
        const data = {
          collaborator: { email, ...(user && { id: user.id, username: user.username }) },
        };
        await noteEvent(context, request, app, 'new_collaborator', data);
        const base = `${baseUrl(context, request)}/regions/${region.name}/v1`;
        const invitation_link = token && `${base}/apps/collaboration?token=${token}`;
        return reply.status(201).send({ collaborator: { ...present(app, item), invitation_link } });
      },
    );

    api.patch(
      '/apps/:app/collaborators/:id',
      {
        schema: {
          tags,
          summary: 'Limit the access of a collaborator, or not',
          params: ofCollaborator,
          body: z.object({ collaborator: z.object({ is_limited: z.boolean().optional() }) }),
          response: { 200: one },
        },
      },
      async (request) => {
        const { app, region } = await appOf(context, request);
        requireOwner(request, app);
        const known = collaboratorOf(app, request.params.id);
        const isLimited = request.body.collaborator.is_limited ?? known.isLimited;
        const item = { ...known, isLimited };
        const attachment = { kind: 'collaborator' as const, item };
        await region.attach({ app: app.id, attachment });
        return { collaborator: present(app, item) };
      },
    );

    api.delete(
      '/apps/:app/collaborators/:id',
      {
        schema: {
          tags,
          summary: 'Remove a collaborator',
          params: ofCollaborator,
          response: { 204: z.null() },
        },
      },
      async (request, reply) => {
        const { app, region } = await appOf(context, request);
        requireOwner(request, app);
        const { id, email, username } = collaboratorOf(app, request.params.id);
        await region.detach({ app: app.id, kind: 'collaborator', id });
        const data = { collaborator: { id, email, username } };
        await noteEvent(context, request, app, 'delete_collaborator', data);
        return reply.status(204).send(null);
      },
    );
  };
}

/** @throws Refusal `not-found` */
function collaboratorOf(app: App, id: string): Collaborator {
  const found = app.collaborators.find((one) => one.id === id);
  if (found) return found;
  throw Refusal.notFound('Collaborator', `${app.name} has no collaborator ${id}.`);
}

/** Invitations are 256 random bits, so one round of a fast hash hides them well. */
function digest(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}
