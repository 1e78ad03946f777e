import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { kindOf, readChain, readKey, subjectOf } from '../../region/certificate.js';
import type { App, Domain, DomainTls } from '../../region/model.js';
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
        ssl: true,
        ssl_status: 'success',
        tlscert: '/C=FR/O=Example/CN=www.example.org',
        tlskey: 'RSA private key - 2048 bits',
        validity: '2027-01-01T10:17:52.000Z',
        letsencrypt: false,
        letsencrypt_status: null,
        acme_dns_fqdn: null,
        acme_dns_value: null,
        acme_dns_error: null,
      },
    ],
  });
const one = z.object({ domain: shape });
const certificate = z.object({
  tlscert: z.string().nullish().describe('In PEM, followed by those of its issuers'),
  tlskey: z.string().nullish().describe('In PEM, without a passphrase'),
});

const present = (app: App, { id, name, canonical, createdAt, tls }: Domain) => {
  const [certificate] = (tls && readChain(tls.certificate)) ?? [];
  const key = tls && readKey(tls.key);
  return {
    id,
    app_id: app.id,
    name,
    created_at: createdAt ?? null,
    canonical,
    ssl: tls !== null,
    ssl_status: tls && 'success',
    tlscert: certificate ? subjectOf(certificate) : null,
    tlskey: key && kindOf(key),
    validity: certificate ? new Date(certificate.validTo).toISOString() : null,
    letsencrypt: false,
    letsencrypt_status: null,
    acme_dns_fqdn: null,
    acme_dns_value: null,
    acme_dns_error: null,
  };
};

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
          body: z
            .object({
              domain: z.object({
                name: z.string(),
                canonical: z.boolean().default(false),
                ...certificate.shape,
              }),
            })
            .meta({ examples: [{ domain: { name: 'www.example.org' } }] }),
          response: { 201: one },
        },
      },
      async (request, reply) => {
        const { app, region } = await fullAppOf(context, request);
        const { name, canonical } = request.body.domain;
        const tls = certificateOf(request.body.domain) ?? null;
        const createdAt = new Date().toISOString();
        const domain = { id: newId(), name: name.toLowerCase(), canonical, createdAt, tls };
        await region.addDomain({ app: app.id, domain });
        const data = { hostname: domain.name, ssl: tls !== null };
        await noteEvent(context, request, app, 'new_domain', data);
        return reply.status(201).send({ domain: present(app, domain) });
      },
    );

    api.patch(
      '/apps/:app/domains/:id',
      {
        schema: {
          tags,
          summary: 'Change the certificate of a domain, or make it the canonical one, or not',
          params: ofDomain,
          body: z
            .object({
              domain: z.object({ canonical: z.boolean().optional(), ...certificate.shape }),
            })
            .meta({ examples: [{ domain: { canonical: true } }] }),
          response: { 200: one },
        },
      },
      async (request) => {
        const { app, region } = await fullAppOf(context, request);
        const { canonical } = request.body.domain;
        const tls = certificateOf(request.body.domain);
        const { id, canonical: isNow } = domainOf(app, request.params.id);
        let changed = app;
        if (tls !== undefined) {
          changed = await region.setCertificate({ app: app.id, domain: id, tls });
        }
        if (canonical === true || (canonical === false && isNow)) {
          const domain = canonical ? id : null;
          changed = await region.setCanonicalDomain({ app: app.id, domain });
        }
        if (changed !== app) {
          const { name, tls } = domainOf(changed, id);
          const data = { hostname: name, ssl: tls !== null };
          await noteEvent(context, request, app, 'edit_domain', data);
        }
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

/**
 * The certificate that is given, with its key: null to take it away, undefined when nothing is said.
 * @throws Refusal `invalid` for what is none, or not for that key
 */
function certificateOf(given: z.infer<typeof certificate>): DomainTls | null | undefined {
  const { tlscert, tlskey } = given;
  if (tlscert === undefined && tlskey === undefined) return undefined;
  if (!tlscert && !tlskey) return null;
  const [own] = readChain(tlscert ?? '') ?? [];
  const key = readKey(tlskey ?? '');
  const fields = {
    ...(!own && { tlscert: ['must be a certificate in PEM, followed by those of its issuers'] }),
    ...(!key && { tlskey: ['must be a private key in PEM, without a passphrase'] }),
    ...(own && key && !own.checkPrivateKey(key) && { tlskey: ['does not match the certificate'] }),
  };
  if (!tlscert || !tlskey || Object.keys(fields).length > 0) {
    throw new Refusal('invalid', 'The certificate cannot be used.', { fields });
  }
  return { certificate: tlscert, key: tlskey };
}
