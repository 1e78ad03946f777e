import { Readable } from 'node:stream';
import { createParser } from 'eventsource-parser';
import { Agent, request } from 'undici';
import { z } from 'zod';
import { type PlanJson, planShape } from '../api/region-migrations/plan-shape.js';
import { type MigrationJson, migrationShape } from '../api/region-migrations/presenter.js';
import { type ReportJson, reportShape } from '../api/region-migrations/switch-shape.js';
import {
  type VerificationJson,
  verificationShape,
} from '../api/region-migrations/verification-shape.js';
import type { PhaseName, Upgrade, VerifyMode } from '../migration/migration.js';
import { messageOf } from '../shared/errors.js';

/** What the API refused, in its own words. */
export class ApiError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.name = 'ApiError';
    this.status = status;
  }
}

/** The API could not be asked: nobody is there, or the connection broke. */
export class Unreachable extends Error {}

const errorBody = z.union([
  z.object({ errors: z.record(z.string(), z.array(z.string())) }),
  z.object({ error: z.string() }),
]);

const appShape = z.object({
  id: z.string(),
  name: z.string(),
  region: z.string(),
  status: z.string(),
  url: z.string(),
});
export type AppJson = z.infer<typeof appShape>;

const nothing = z.unknown();

export interface ApiAddress {
  /** Such as `http://127.0.0.1:4000`. */
  readonly url: string;
  readonly token: string;
  /** The region to address; null for the default one. */
  readonly region: string | null;
}

const dispatcher = new Agent({ headersTimeout: 0, bodyTimeout: 0 });

/** How a migration is wanted. */
export interface MigrationOptions {
  /** What of the data is compared before a switch; content, if not given. */
  readonly verify?: VerifyMode | undefined;
  /** Versions that addons are to have in the destination, by product; others keep theirs. */
  readonly upgrade?: Upgrade | undefined;
}

/** Speaks to the public API as its user. */
export class ApiClient {
  readonly #address: ApiAddress;

  constructor(address: ApiAddress) {
    this.#address = address;
  }

  /** The same user, another region. */
  inRegion(region: string): ApiClient {
    return new ApiClient({ ...this.#address, region });
  }

  get<T>(path: string, answer: z.ZodType<T>): Promise<T> {
    return this.#send('GET', path, undefined, answer);
  }

  post<T>(path: string, body: unknown, answer: z.ZodType<T>): Promise<T> {
    return this.#send('POST', path, body, answer);
  }

  put<T>(path: string, body: unknown, answer: z.ZodType<T>): Promise<T> {
    return this.#send('PUT', path, body, answer);
  }

  patch<T>(path: string, body: unknown, answer: z.ZodType<T>): Promise<T> {
    return this.#send('PATCH', path, body, answer);
  }

  async delete(path: string): Promise<void> {
    await this.#send('DELETE', path, undefined, nothing);
  }

  async app(ref: string): Promise<AppJson> {
    return (await this.get(`/apps/${ref}`, z.object({ app: appShape }))).app;
  }

  async apps(): Promise<AppJson[]> {
    return (await this.get('/apps', z.object({ apps: z.array(appShape) }))).apps;
  }

  async createApp(name: string): Promise<AppJson> {
    return (await this.post('/apps', { app: { name } }, z.object({ app: appShape }))).app;
  }

  async setVariables(app: string, variables: Readonly<Record<string, string>>): Promise<void> {
    const all = Object.entries(variables).map(([name, value]) => ({ name, value }));
    await this.put(`/apps/${app}/variables`, { variables: all }, nothing);
  }

  async variables(app: string): Promise<{ id: string; name: string; value: string }[]> {
    const variable = z.object({ id: z.string(), name: z.string(), value: z.string() });
    const answer = z.object({ variables: z.array(variable) });
    return (await this.get(`/apps/${app}/variables`, answer)).variables;
  }

  async scale(app: string, amounts: Readonly<Record<string, number>>): Promise<void> {
    const containers = Object.entries(amounts).map(([name, amount]) => ({ name, amount }));
    await this.post(`/apps/${app}/scale`, { containers }, nothing);
  }

  async addAddon(
    app: string,
    wanted: { product: string; plan: string; version?: string | undefined },
  ): Promise<{ variables: string[] }> {
    const { product, plan, version } = wanted;
    const addon = { addon_provider_id: product, plan_id: plan, options: { version } };
    return this.post(
      `/apps/${app}/addons`,
      { addon },
      z.object({ variables: z.array(z.string()) }),
    );
  }

  /** Uploads a `.tar.gz` and begins to deploy it. @returns the id of the deployment */
  async deploy(app: string, archive: NodeJS.ReadableStream): Promise<string> {
    const source = z.object({
      source: z.object({ upload_url: z.string(), download_url: z.string() }),
    });
    const { upload_url, download_url } = (await this.post('/sources', undefined, source)).source;
    const { statusCode, body } = await request(upload_url, {
      method: 'PUT',
      headers: { 'content-type': 'application/gzip' },
      body: Readable.from(archive),
      dispatcher,
    }).catch((error) => {
      throw new Unreachable(`The archive could not be uploaded: ${messageOf(error)}.`);
    });
    const text = await body.text();
    if (statusCode >= 300) throw new ApiError(statusCode, inWords(statusCode, text));
    const answer = z.object({ deployment: z.object({ id: z.string() }) });
    const begun = await this.post(
      `/apps/${app}/deployments`,
      { deployment: { source_url: download_url, git_ref: null } },
      answer,
    );
    return begun.deployment.id;
  }

  async deployment(app: string, id: string): Promise<{ status: string; output: string }> {
    const shown = z.object({ deployment: z.object({ status: z.string() }) });
    const printed = z.object({ deployment: z.object({ output: z.string() }) });
    const path = `/apps/${app}/deployments/${id}`;
    const { status } = (await this.get(path, shown)).deployment;
    const { output } = (await this.get(`${path}/output`, printed)).deployment;
    return { status, output };
  }

  migrations(app: string): Promise<MigrationJson[]> {
    return this.get(`/apps/${app}/region_migrations`, z.array(migrationShape));
  }

  migration(app: string, id: string): Promise<MigrationJson> {
    return this.get(`/apps/${app}/region_migrations/${id}`, migrationShape);
  }

  createMigration(
    app: string,
    destination: string,
    newName = '',
    how: MigrationOptions = {},
  ): Promise<MigrationJson> {
    const migration = { destination, dst_app_name: newName, ...how };
    return this.post(`/apps/${app}/region_migrations`, { migration }, migrationShape);
  }

  planMigration(
    app: string,
    destination: string,
    newName = '',
    how: MigrationOptions = {},
  ): Promise<PlanJson> {
    const migration = { destination, dst_app_name: newName, ...how };
    return this.post(`/apps/${app}/region_migrations/plan`, { migration }, planShape);
  }

  migrationReport(app: string, id: string): Promise<ReportJson> {
    return this.get(`/apps/${app}/region_migrations/${id}/report`, reportShape);
  }

  /** Begins to compare the databases of a migration, unless that is under way. */
  verifyData(app: string, id: string): Promise<VerificationJson> {
    return this.post(
      `/apps/${app}/region_migrations/${id}/verification`,
      undefined,
      verificationShape,
    );
  }

  /** The comparison that was begun last; null when none was. */
  verification(app: string, id: string): Promise<VerificationJson | null> {
    return this.get(
      `/apps/${app}/region_migrations/${id}/verification`,
      verificationShape.nullable(),
    );
  }

  stopVerifying(app: string, id: string): Promise<void> {
    return this.delete(`/apps/${app}/region_migrations/${id}/verification`);
  }

  async runMigration(
    app: string,
    id: string,
    phase: PhaseName,
    { removeSource = false } = {},
  ): Promise<void> {
    const body = { step: phase, ...(removeSource && { remove_source: true }) };
    await this.post(`/apps/${app}/region_migrations/${id}/run`, body, nothing);
  }

  /** Text at an address that the API gave. */
  async text(url: string): Promise<string> {
    const { statusCode, body } = await request(url, { dispatcher });
    const text = await body.text();
    if (statusCode >= 300) throw new ApiError(statusCode, inWords(statusCode, text));
    return text;
  }

  /** The data of server-sent events from an address that the API gave, until it ends. */
  async *events(url: string): AsyncGenerator<string> {
    const { statusCode, body } = await request(url, { dispatcher });
    if (statusCode >= 300) throw new ApiError(statusCode, inWords(statusCode, await body.text()));
    const heard: string[] = [];
    const parser = createParser({ onEvent: ({ data }) => heard.push(data) });
    const decoder = new TextDecoder();
    try {
      for await (const chunk of body) {
        parser.feed(decoder.decode(chunk, { stream: true }));
        yield* heard.splice(0);
      }
    } catch (error) {
      throw new Unreachable(`The connection broke: ${messageOf(error)}. Begin again.`);
    }
  }

  async #send<T>(
    method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
    path: string,
    body: unknown,
    answer: z.ZodType<T>,
  ): Promise<T> {
    const { url, token, region } = this.#address;
    const base = `${url.replace(/\/$/, '')}${region === null ? '' : `/regions/${region}`}/v1`;
    const { statusCode, body: answered } = await request(`${base}${path}`, {
      method,
      headers: {
        authorization: `Basic ${Buffer.from(`:${token}`).toString('base64')}`,
        accept: 'application/json',
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      body: body === undefined ? null : JSON.stringify(body),
      dispatcher,
    }).catch((error) => {
      throw new Unreachable(
        `Godwit cannot be reached at ${url}: ${messageOf(error)}. Does it run?`,
      );
    });
    const text = await answered.text();
    if (statusCode >= 300) throw new ApiError(statusCode, inWords(statusCode, text));
    return answer.parse(text === '' ? null : JSON.parse(text));
  }
}

/** What the API says in an error, for people. */
function inWords(status: number, text: string): string {
  const parsed = errorBody.safeParse(parse(text));
  if (!parsed.success) return `The API answered with ${status}.`;
  if ('error' in parsed.data) return parsed.data.error;
  return Object.entries(parsed.data.errors)
    .map(([field, messages]) => `${field}: ${messages.join(' ')}`)
    .join('\n');
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // not from the API itself
  }
}
