import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { resolveAliases } from '../../region/aliases.js';
import { type App, type Variable, variableName, variableValue } from '../../region/model.js';
import { Refusal } from '../../shared/errors.js';
import { derivedId } from '../../shared/ids.js';
import { type ApiContext, fullAppOf, noteEvent } from '../context.js';

const tags = ['Variables'];
const ofApp = z.object({ app: z.string() });
const ofVariable = ofApp.extend({ id: z.string() });
const given = z
  .object({
    name: variableName.max(64, 'must have at most 64 characters'),
    value: variableValue,
  })
  .meta({ examples: [{ name: 'NODE_ENV', value: 'production' }] });
const shape = z
  .object({ id: z.string(), name: z.string(), value: z.string() })
  .meta({ examples: [{ id: '541013a9736f7563d5050000', name: 'NODE_ENV', value: 'production' }] });
const many = z.object({ variables: z.array(shape) });
const one = z.object({ variable: shape });

/** A variable is known by its name; its id is made of it. */
const idOf = (app: App, name: string) => derivedId(app.id, 'variable', name);

const present = (app: App, variables: readonly Variable[] = app.variables) =>
  variables.map(({ name, value }) => ({ id: idOf(app, name), name, value }));

/** Environment variables. */
export function variableRoutes(context: ApiContext): FastifyPluginAsyncZod {
  return async (api) => {
    api.get(
      '/apps/:app/variables',
      {
        schema: {
          tags,
          summary: 'List the variables, those of addons included',
          params: ofApp,
          querystring: z.object({
            aliases: z
              .enum(['true', 'false'])
              .default('true')
              .describe('Whether `$NAME` stays what it is, or becomes the value of NAME'),
          }),
          response: { 200: many },
        },
      },
      async (request) => {
        const { app } = await fullAppOf(context, request);
        const asIs = request.query.aliases === 'true';
        return { variables: present(app, asIs ? app.variables : resolveAliases(app.variables)) };
      },
    );

    api.post(
      '/apps/:app/variables',
      {
        schema: {
          tags,
          summary: 'Set a variable; processes see it after a restart',
          params: ofApp,
          body: z.object({ variable: given }),
          response: { 201: one },
        },
      },
      async (request, reply) => {
        const { app, region } = await fullAppOf(context, request);
        const { name, value } = request.body.variable;
        await region.changeVariables({ app: app.id, set: { [name]: value }, unset: [] });
        await noteEvent(context, request, app, 'new_variable', { name });
        return reply.status(201).send({ variable: { id: idOf(app, name), name, value } });
      },
    );

    api.put(
      '/apps/:app/variables',
      {
        schema: {
          tags,
          summary: 'Set several variables',
          params: ofApp,
          body: z.object({ variables: z.array(given).max(1_000) }),
          response: { 200: many },
        },
      },
      async (request) => {
        const { app, region } = await fullAppOf(context, request);
        const set = Object.fromEntries(
          request.body.variables.map(({ name, value }) => [name, value]),
        );
        const changed = await region.changeVariables({ app: app.id, set, unset: [] });
        const had = new Set(app.variables.map(({ name }) => name));
        const names = Object.keys(set).map((name) => ({ name }));
        await noteEvent(context, request, app, 'edit_variables', {
          new_vars: names.filter(({ name }) => !had.has(name)),
          updated_vars: names.filter(({ name }) => had.has(name)),
          deleted_vars: [],
        });
        const given = changed.variables.filter(({ name }) => Object.hasOwn(set, name));
        return { variables: present(changed, given) };
      },
    );

    api.patch(
      '/apps/:app/variables/:id',
      {
        schema: {
          tags,
          summary: 'Give a variable another value',
          params: ofVariable,
          body: z.object({
            variable: z
              .object({ value: variableValue })
              .meta({ examples: [{ value: 'production' }] }),
          }),
          response: { 200: one },
        },
      },
      async (request) => {
        const { app, region } = await fullAppOf(context, request);
        const name = nameOf(app, request.params.id);
        const { value } = request.body.variable;
        await region.changeVariables({ app: app.id, set: { [name]: value }, unset: [] });
        await noteEvent(context, request, app, 'edit_variable', { name });
        return { variable: { id: request.params.id, name, value } };
      },
    );

    api.delete(
      '/apps/:app/variables/:id',
      {
        schema: {
          tags,
          summary: 'Remove a variable',
          params: ofVariable,
          response: { 204: z.null() },
        },
      },
      async (request, reply) => {
        const { app, region } = await fullAppOf(context, request);
        const name = ownNameOf(app, request.params.id);
        await region.changeVariables({ app: app.id, set: {}, unset: [name] });
        await noteEvent(context, request, app, 'delete_variable', { name });
        return reply.status(204).send(null);
      },
    );

    api.delete(
      '/apps/:app/variables',
      {
        schema: {
          tags,
          summary: 'Remove several variables: all of them, or none',
          params: ofApp,
          body: z
            .object({ variable_ids: z.array(z.string()).max(1_000) })
            .meta({ examples: [{ variable_ids: ['541013a9736f7563d5050000'] }] }),
          response: { 204: z.null() },
        },
      },
      async (request, reply) => {
        const { app, region } = await fullAppOf(context, request);
        const unset = request.body.variable_ids.map((id) => ownNameOf(app, id));
        await region.changeVariables({ app: app.id, set: {}, unset });
        await noteEvent(context, request, app, 'edit_variables', {
          new_vars: [],
          updated_vars: [],
          deleted_vars: unset.map((name) => ({ name })),
        });
        return reply.status(204).send(null);
      },
    );
  };
}

/** @throws Refusal `not-found` */
function nameOf(app: App, id: string): string {
  const found = app.variables.find(({ name }) => idOf(app, name) === id);
  if (found) return found.name;
  throw Refusal.notFound(
    'Variable',
    `${app.name} has no variable ${id}. List them to see their ids.`,
  );
}

/** @throws Refusal `not-found`; `conflict` when an addon provides the variable */
function ownNameOf(app: App, id: string): string {
  const name = nameOf(app, id);
  const addon = app.variables.find((variable) => variable.name === name)?.from;
  if (!addon) return name;
  const what = `${name} belongs to addon ${addon}. Remove the addon, or set a value of your own.`;
  throw Refusal.conflict('addon_variable', what);
}
