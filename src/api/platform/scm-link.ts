import { randomUUID } from 'node:crypto';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { ScmLink } from '../../region/attachments.js';
import type { App } from '../../region/model.js';
import { Refusal } from '../../shared/errors.js';
import { userOf } from '../auth/authenticate.js';
import { type ApiContext, appOf, fullAppOf, maySee, noteEvent, regionOf } from '../context.js';
import { meta, pageOf, paging } from './pagination.js';

const tags = ['SCM link'];
const ofApp = z.object({ app: z.string() });
const shape = z
  .object({
    id: z.string(),
    app_id: z.string(),
    auth_integration_uuid: z.string().nullable(),
    scm_integration_uuid: z.string().nullable(),
    linker: z.object({ id: z.string(), username: z.string(), email: z.string() }),
    url: z.string(),
    owner: z.string(),
    repo: z.string(),
    branch: z.string().nullable(),
    scm_type: z.string(),
    created_at: z.string(),
    updated_at: z.string(),
    auto_deploy_enabled: z.boolean(),
    deploy_review_apps_enabled: z.boolean(),
    delete_on_close_enabled: z.boolean(),
    hours_before_delete_on_close: z.number(),
    delete_stale_enabled: z.boolean(),
    hours_before_delete_stale: z.number(),
    automatic_creation_from_forks_allowed: z.boolean(),
    last_auto_deploy_at: z.null(),
  })
  .meta({
    examples: [
      {
        id: '1d6e59a0-5377-41e8-90e6-0242ac110052',
        app_id: '54100930736f7563d5030000',
        auth_integration_uuid: null,
        scm_integration_uuid: null,
        linker: { id: 'us-1', username: 'ada', email: 'ada@example.org' },
        url: 'https://git.example.org',
        owner: 'birds',
        repo: 'heron',
        branch: 'main',
        scm_type: 'gitlab-self-hosted',
        created_at: '2026-01-01T12:52:49.985Z',
        updated_at: '2026-01-01T12:52:49.985Z',
        auto_deploy_enabled: false,
        deploy_review_apps_enabled: false,
        delete_on_close_enabled: false,
        hours_before_delete_on_close: 0,
        delete_stale_enabled: false,
        hours_before_delete_stale: 0,
        automatic_creation_from_forks_allowed: false,
        last_auto_deploy_at: null,
      },
    ],
  });
const one = z.object({ scm_repo_link: shape });
const hours = z.number().int().min(0).max(100_000).optional();
const changes = z.object({
  branch: z.string().max(250).nullish(),
  auto_deploy_enabled: z.boolean().optional(),
  deploy_review_apps_enabled: z.boolean().optional(),
  delete_on_close_enabled: z.boolean().optional(),
  hours_before_delete_on_close: hours,
  delete_stale_enabled: z.boolean().optional(),
  hours_before_delete_stale: hours,
  automatic_creation_from_forks_allowed: z.boolean().optional(),
});
const creation = changes
  .extend({
    source: z.string().max(2_000).describe('Address of the repository'),
    auth_integration_uuid: z.string().max(100).nullish(),
  })
  .meta({ examples: [{ source: 'https://github.com/birds/heron', branch: 'main' }] });

const present = (app: App, it: ScmLink): z.infer<typeof shape> => ({
  id: it.id,
  app_id: app.id,
  auth_integration_uuid: it.integration,
  scm_integration_uuid: it.integration,
  linker: it.linker,
  url: it.url,
  owner: it.owner,
  repo: it.repo,
  branch: it.branch,
  scm_type: it.type,
  created_at: it.createdAt,
  updated_at: it.updatedAt,
  auto_deploy_enabled: it.autoDeploy,
  deploy_review_apps_enabled: it.deployReviewApps,
  delete_on_close_enabled: it.deleteOnClose,
  hours_before_delete_on_close: it.hoursBeforeDeleteOnClose,
  delete_stale_enabled: it.deleteStale,
  hours_before_delete_stale: it.hoursBeforeDeleteStale,
  automatic_creation_from_forks_allowed: it.reviewAppsFromForks,
  last_auto_deploy_at: null,
});

/** The repository that an application comes from. Kept with it; nothing is deployed from there. */
export function scmLinkRoutes(context: ApiContext): FastifyPluginAsyncZod {
  return async (api) => {
    api.get(
      '/scm_repo_links',
      {
        schema: {
          tags,
          summary: 'List the links of the applications that you may see',
          querystring: paging.extend({ auth_integration_uuid: z.string().optional() }),
          response: { 200: z.object({ scm_repo_links: z.array(shape), meta }) },
        },
      },
      async (request) => {
        const user = userOf(request);
        const wanted = request.query.auth_integration_uuid;
        const links = (await regionOf(context, request).listApps({}))
          .filter((app) => maySee(user, app))
          .flatMap((app) => (app.scmLink ? [present(app, app.scmLink)] : []))
          .filter((link) => wanted === undefined || link.auth_integration_uuid === wanted);
        const { items, meta } = pageOf(links, request.query);
        return { scm_repo_links: items, meta };
      },
    );

    api.get(
      '/apps/:app/scm_repo_link',
      {
        schema: { tags, summary: 'Show the SCM link', params: ofApp, response: { 200: one } },
      },
      async (request) => {
        const { app } = await appOf(context, request);
        return { scm_repo_link: present(app, linkOf(app)) };
      },
    );

    api.post(
      '/apps/:app/scm_repo_link',
      {
        schema: {
          tags,
          summary: 'Link the application to a repository',
          description: 'Kept with the application; nothing is deployed from there.',
          params: ofApp,
          body: z.object({ scm_repo_link: creation }),
          response: { 201: one },
        },
      },
      async (request, reply) => {
        const { app, region } = await fullAppOf(context, request);
        if (app.scmLink && app.frozenBy === null) {
          const what = `${app.name} is linked to ${app.scmLink.owner}/${app.scmLink.repo}. Remove that link first.`;
          throw Refusal.conflict('linked', what);
        }
        const given = request.body.scm_repo_link;
        const now = new Date().toISOString();
        const item = changed(
          {
            ...{ id: randomUUID(), createdAt: now, updatedAt: now, linker: userOf(request) },
            ...repositoryOf(given.source),
            integration: given.auth_integration_uuid ?? null,
            ...{ branch: null, autoDeploy: false, deployReviewApps: false },
            ...{ deleteOnClose: false, hoursBeforeDeleteOnClose: 0 },
            ...{ deleteStale: false, hoursBeforeDeleteStale: 0, reviewAppsFromForks: false },
          },
          given,
        );
        const attachment = { kind: 'scmLink' as const, item };
        await region.attach({ app: app.id, attachment });
        const data = { ...repositoryNamed(item), linker_username: userOf(request).username };
        await noteEvent(context, request, app, 'link_scm', data);
        return reply.status(201).send({ scm_repo_link: present(app, item) });
      },
    );

    api.patch(
      '/apps/:app/scm_repo_link',
      {
        schema: {
          tags,
          summary: 'Change the SCM link',
          params: ofApp,
          body: z.object({ scm_repo_link: changes }),
          response: { 200: one },
        },
      },
      async (request) => {
        const { app, region } = await fullAppOf(context, request);
        const item = changed(linkOf(app), request.body.scm_repo_link);
        const attachment = { kind: 'scmLink' as const, item };
        await region.attach({ app: app.id, attachment });
        return { scm_repo_link: present(app, item) };
      },
    );

    api.delete(
      '/apps/:app/scm_repo_link',
      {
        schema: {
          tags,
          summary: 'Remove the SCM link',
          params: ofApp,
          response: { 204: z.null() },
        },
      },
      async (request, reply) => {
        const { app, region } = await fullAppOf(context, request);
        const link = linkOf(app);
        await region.detach({ app: app.id, kind: 'scmLink', id: link.id });
        const data = { ...repositoryNamed(link), unlinker_username: userOf(request).username };
        await noteEvent(context, request, app, 'unlink_scm', data);
        return reply.status(204).send(null);
      },
    );
  };
}

function changed(known: ScmLink, given: z.infer<typeof changes>): ScmLink {
  return {
    ...known,
    updatedAt: new Date().toISOString(),
    branch: given.branch === undefined ? known.branch : given.branch,
    autoDeploy: given.auto_deploy_enabled ?? known.autoDeploy,
    deployReviewApps: given.deploy_review_apps_enabled ?? known.deployReviewApps,
    deleteOnClose: given.delete_on_close_enabled ?? known.deleteOnClose,
    hoursBeforeDeleteOnClose: given.hours_before_delete_on_close ?? known.hoursBeforeDeleteOnClose,
    deleteStale: given.delete_stale_enabled ?? known.deleteStale,
    hoursBeforeDeleteStale: given.hours_before_delete_stale ?? known.hoursBeforeDeleteStale,
    reviewAppsFromForks: given.automatic_creation_from_forks_allowed ?? known.reviewAppsFromForks,
  };
}

const types: Record<string, string> = { 'github.com': 'github', 'gitlab.com': 'gitlab' };

const repositoryNamed = ({ url, owner, repo }: Pick<ScmLink, 'url' | 'owner' | 'repo'>) => ({
  repo_name: `${owner}/${repo}`,
  source: `${url}/${owner}/${repo}`,
});

/** @throws Refusal `invalid` when an address is that of no repository */
function repositoryOf(source: string): Pick<ScmLink, 'type' | 'url' | 'owner' | 'repo'> {
  const url = URL.canParse(source) ? new URL(source) : null;
  const path = url?.pathname.replace(/^\/+|\/+$|\.git\/*$/g, '').split('/') ?? [];
  const repo = path.pop();
  const isUsable = url && /^https?:$/.test(url.protocol) && !url.password && path.length > 0;
  if (!isUsable || !repo || path.includes('')) {
    const what =
      'must be the address of a repository, such as https://git.example.org/birds/heron.';
    throw Refusal.invalid('source', what);
  }
  const type = types[url.hostname] ?? 'gitlab-self-hosted';
  return { type, url: url.origin, owner: path.join('/'), repo };
}

/** @throws Refusal `not-found` */
function linkOf({ name, scmLink }: App): ScmLink {
  if (scmLink) return scmLink;
  throw Refusal.notFound('SCMRepoLink', `${name} is linked to no repository.`);
}
