import type { EventLog } from '../events/event-log.js';
import type { Webhooks } from '../events/webhooks.js';
import type { Migrations } from '../migration/migrations.js';
import { collaborationOf } from '../region/collaboration.js';
import { type App, id, type User } from '../region/model.js';
import type { Region } from '../region/region.js';
import type { Registry } from '../region/registry.js';
import { Refusal } from '../shared/errors.js';
import type { Logger } from '../shared/logging.js';
import type { Accounts } from './auth/accounts.js';
import { userOf } from './auth/authenticate.js';
import type { Signer } from './auth/signer.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** Name of the region that is addressed. */
    region: string;
  }
}

/** What a request says of who asks, and where. */
export interface Asking {
  readonly user: User | null;
  readonly region: string;
}

/** What the routes work with. */
export interface ApiContext {
  readonly registry: Registry;
  readonly migrations: Migrations;
  readonly events: EventLog;
  readonly webhooks: Pick<Webhooks, 'tryOut'>;
  readonly accounts: Accounts;
  readonly signer: Signer;
  readonly logger: Logger;
  /** Where clients reach the API, when that is not what they address. */
  readonly publicUrl: string | null;
}

/** An app and the region that hosts it. */
export interface Found {
  readonly app: App;
  readonly region: Region;
}

/** The region that is addressed. */
export function regionOf({ registry }: ApiContext, request: Pick<Asking, 'region'>): Region {
  const region = registry.get(request.region);
  if (region) return region;
  const known = registry.names().join(', ');
  throw Refusal.notFound('Region', `There is no region "${request.region}". Regions are ${known}.`);
}

/**
 * The app that is addressed, by name in the region or by id anywhere, if the user may see it.
 * @throws Refusal `not-found` otherwise, the same as for an app that does not exist
 */
export async function appOf(
  context: ApiContext,
  request: Asking & { readonly params: { readonly app: string } },
): Promise<Found> {
  const user = userOf(request);
  const ref = request.params.app;
  const addressed = regionOf(context, request);
  let trouble: unknown = null;
  const here = await lookIn(addressed, user, ref).catch((error) => {
    trouble = error;
    return null;
  });
  // An id is good anywhere, also when the region that is addressed is away.
  const found = here ?? (id.safeParse(ref).success ? await lookElsewhere() : null);
  if (found) return found;
  if (trouble !== null) throw trouble;
  throw Refusal.notFound(
    'App',
    `There is no application "${ref}" on ${addressed.name}, or it is not yours.`,
  );

  /** Whichever region has it answers for all: nobody waits for one that is away. */
  function lookElsewhere(): Promise<Found | null> {
    const others = context.registry.all().filter(({ name }) => name !== addressed.name);
    const looks = others.map(async (region) => {
      const seen = await lookIn(region, user, ref);
      if (seen) return seen;
      throw new Error(`${region.name} does not have it`);
    });
    return Promise.any(looks).catch(() => null);
  }
}

async function lookIn(region: Region, user: User, ref: string): Promise<Found | null> {
  const app = await region.findApp({ ref });
  return app && maySee(user, app) ? { app, region } : null;
}

/** The apps of all regions. One that is away has none to show. */
export async function appsOfAll({ registry }: ApiContext): Promise<Found[]> {
  const all = await Promise.all(
    registry.all().map(async (region) => {
      const apps = await region.listApps({}).catch(unavailable);
      return apps.map((app) => ({ app, region }));
    }),
  );
  return all.flat();
}

/**
 * The app that is addressed, for what shows secrets or changes settings.
 * @throws Refusal as {@link appOf} does; `forbidden` when the user collaborates with limited access
 */
export async function fullAppOf(
  context: ApiContext,
  request: Asking & { readonly params: { readonly app: string } },
): Promise<Found> {
  const found = await appOf(context, request);
  const { app } = found;
  const user = userOf(request);
  if (app.owner.id === user.id || !collaborationOf(user, app)?.isLimited) return found;
  throw new Refusal(
    'forbidden',
    `Your access to ${app.name} is limited: it neither shows secrets nor changes settings. Ask ${app.owner.username}, who owns it, for full access.`,
  );
}

/** Whether a user owns an app or collaborates on it. */
export function maySee(user: User, app: App): boolean {
  return app.owner.id === user.id || collaborationOf(user, app) !== undefined;
}

/** What only the owner may do. @throws Refusal `forbidden` */
export function requireOwner(request: Pick<Asking, 'user'>, app: App): void {
  if (app.owner.id === userOf(request).id) return;
  throw new Refusal('forbidden', `Only ${app.owner.username}, who owns ${app.name}, may do this.`);
}

/** Notes what the user has done to an app. No secret may be in `data`. */
export async function noteEvent(
  { events }: ApiContext,
  request: Pick<Asking, 'user'>,
  app: Pick<App, 'id' | 'name'>,
  type: string,
  data: Record<string, unknown>,
): Promise<void> {
  await events.note({ user: userOf(request), appId: app.id, appName: app.name, type, data });
}

/** Base of the addresses that the API gives to clients. */
export function baseUrl(
  { publicUrl }: ApiContext,
  request: { readonly protocol: string; readonly host: string },
): string {
  return publicUrl ?? `${request.protocol}://${request.host}`;
}

/** @returns nothing for a region that is away */
function unavailable(error: unknown): [] {
  if (error instanceof Refusal && error.kind === 'unavailable') return [];
  throw error;
}
