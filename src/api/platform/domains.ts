import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { App, Domain } from '../../region/model.js';
import { Refusal } from '../../shared/errors.js';
import { newId } from '../../shared/ids.js';
import { type ApiContext, appOf, fullAppOf, noteEvent } from '../context.js';

const tags = ['Domains'];
const ofApp = z.object({ app: z.string() });
const ofDomain = ofApp.extend({ id: z.string() });
const shape = z
  .object({
    id: z.string(),
    app_id: z.string(),
    name: z.string(),
    created_at: z.string().nullable(),
    canonical: z.boolean(),
    ssl: z.boolean(),
    ssl_status: z.string().nullable(),
    tlscert: z.string().nullable(),
    tlskey: z.string().nullable(),
    validity: z.string().nullable(),
    letsencrypt: z.boolean(),
    letsencrypt_status: z.string().nullable(),
    acme_dns_fqdn: z.string().nullable(),
    acme_dns_value: z.string().nullable(),
    acme_dns_error: z.string().nullable(),
  })
  .meta({
    examples: [
      {
        id: '541067ec736f7504a5110000',
        app_id: '54100930736f7563d5030000',
        name: 'www.example.org',
        created_at: '2026-01-01T10:17:52.690Z',
        canonical: true,
        ssl: false,
        ssl_status: null,
        tlscert: null,
        tlskey: null,
        validity: null,
        letsencrypt: false,
        letsencrypt_status: null,
        acme_dns_fqdn: null,
        acme_dns_value: null,
        acme_dns_error: null,
      },
    ],
  });
const one = z.object({ domain: shape });
const certificate = {
  tlscert: z.string().nullish(),
  tlskey: z.string().nullish(),
};

const present = (app: App, { id, name, canonical, createdAt }: Domain) => ({
  id,
  app_id: app.id,
  name,
  created_at: createdAt ?? null,
  canonical,
  ssl: false,
  ssl_status: null,
  tlscert: null,
  tlskey: null,
  validity: null,
  letsencrypt: false,
  letsencrypt_status: null,
  acme_dns_fqdn: null,
  acme_dns_value: null,
  acme_dns_error: null,
});

/** Host names of applications. */
export function domainRoutes(context: ApiContext): FastifyPluginAsyncZod {
  return async (api) => {
    api.get(
      '/apps/:app/domains',
      {
        schema: {
          tags,
          summary: 'List the domains of an application',
          params: ofApp,
          response: { 200: z.object({ domains: z.array(shape) }) },
        },
      },
      async (request) => {
        const { app } = await appOf(context, request);
        return { domains: app.domains.map((domain) => present(app, domain)) };
      },
    );

    api.get(
      '/apps/:app/domains/:id',
      { schema: { tags, summary: 'Show a domain', params: ofDomain, response: { 200: one } } },
      async (request) => {
        const { app } = await appOf(context, request);
        return { domain: present(app, domainOf(app, request.params.id)) };
      },
    );

    api.post(
      '/apps/:app/domains',
      {
        schema: {
          tags,
          summary: 'Add a domain',
          params: ofApp,
          body: z.object({
            domain: z.object({
              name: z.string(),
              canonical: z.boolean().default(false),
              ...certificate,
            }),
          }),
          response: { 201: one },
        },
      },
      async (request, reply) => {
        const { app, region } = await fullAppOf(context, request);
        refuseCertificate(request.body.domain);
        const { name, canonical } = request.body.domain;
        const createdAt = new Date().toISOString();
        const domain = { id: newId(), name: name.toLowerCase(), canonical, createdAt };
        await region.addDomain({ app: app.id, domain });
        const data = { hostname: domain.name, ssl: false };
        await noteEvent(context, request, app, 'new_domain', data);
        return reply.status(201).send({ domain: present(app, domain) });
      },
    );

    api.patch(
      '/apps/:app/domains/:id',
      {
        schema: {
          tags,
          summary: 'Make a domain the canonical one, or not',
          params: ofDomain,
          body: z.object({
            domain: z.object({ canonical: z.boolean().optional(), ...certificate }),
          }),
          response: { 200: one },
        },
      },
      async (request) => {
        const { app, region } = await fullAppOf(context, request);
        refuseCertificate(request.body.domain);
        const { canonical } = request.body.domain;
        const { id } = domainOf(app, request.params.id);
        const isNow = domainOf(app, id).canonical;
        if (canonical === undefined || (!canonical && !isNow)) {
          return { domain: present(app, domainOf(app, id)) };
        }
        const domain = canonical ? id : null;
        const changed = await region.setCanonicalDomain({ app: app.id, domain });
        return { domain: present(changed, domainOf(changed, id)) };
      },
    );

    api.delete(
      '/apps/:app/domains/:id',
      {
        schema: {
          tags,
          summary: 'Remove a domain',
          params: ofDomain,
          response: { 204: z.null() },
        },
      },
      async (request, reply) => {
        const { app, region } = await fullAppOf(context, request);
        const { id, name } = domainOf(app, request.params.id);
        await region.removeDomain({ app: app.id, domain: id });
        await noteEvent(context, request, app, 'delete_domain', { hostname: name });
        return reply.status(204).send(null);
      },
    );
  };
}

/** @throws Refusal `not-found` */
function domainOf(app: App, id: string): Domain {
  const found = app.domains.find((domain) => domain.id === id);
  if (found) return found;
  throw Refusal.notFound('Domain', `${app.name} has no domain ${id}. List them to see their ids.`);
}

/** @throws Refusal `invalid`: to take a certificate and not to use it would be worse */
function refuseCertificate(given: { tlscert?: unknown; tlskey?: unknown }): void {
  const field = (['tlscert', 'tlskey'] as const).find((name) => given[name]);
  if (field) {
    throw Refusal.invalid(field, 'Certificates are not supported yet. Add the domain without one.');
  }
}
