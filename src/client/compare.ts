import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { pointed } from '../migration/data/pointed.js';
import { type ApiClient, ApiError } from './api-client.js';

const item = z.record(z.string(), z.unknown());
type Item = z.infer<typeof item>;

/** Everything that the platform API shows of an app, part by part. */
export type Picture = Readonly<Record<string, readonly Item[]>>;

/** Parts that are lists: where they are, under which key, and what their items are called by. */
const lists = [
  { part: 'containers', name: 'name' },
  { part: 'addons', name: 'addon_provider' },
  { part: 'domains', name: 'name' },
  { part: 'collaborators', name: 'email' },
  { part: 'notifiers', name: 'name' },
  { part: 'alerts', name: 'container_type' },
  { part: 'log_drains', key: 'drains', name: 'url' },
  { part: 'autoscalers', name: 'container_type' },
] as const;

/** What must differ: ids, addresses, and how the two apps stand at the moment. */
const own = new Set([
  ...['id', 'app_id', 'addon_id', 'resource_id', 'region', 'url', 'base_url', 'name', 'links'],
  ...['status', 'frozen_by', 'created_at', 'updated_at', 'last_deployment_id'],
]);
/** Nothing of these parts is left out but ids: their names and times came along. */
const ids = new Set(['id', 'app_id', 'addon_id', 'resource_id', 'links']);
/** An addon is provisioned anew. */
const ofAddons = new Set([...ids, 'provisioned_at', 'created_at', 'updated_at']);

/** Looks at an app by all that the platform API shows of it, but for invitations that are pending. */
export async function takePicture(client: ApiClient, ref: string): Promise<Picture> {
  const path = `/apps/${ref}`;
  const read = async (under: string, key: string) =>
    z.looseObject({ [key]: z.unknown() }).parse(await client.get(`${path}${under}`, z.unknown()))[
      key
    ];
  const app = item.parse(await read('', 'app'));
  const picture: Record<string, Item[]> = {
    app: [without(app, own)],
    variables: z
      .array(item)
      .parse(await read('/variables', 'variables'))
      .map((one) => without(one, ids)),
  };
  for (const { part, ...list } of lists) {
    const key = 'key' in list ? list.key : part;
    const items = z.array(item).parse(await read(`/${part}`, key));
    picture[part] = items
      .filter(({ status }) => status !== 'pending')
      .map((one) => without(one, part === 'addons' ? ofAddons : ids));
  }
  const addons = z.array(z.object({ id: z.string() })).parse(await read('/addons', 'addons'));
  const drains = await Promise.all(
    addons.map(({ id }) => read(`/addons/${id}/log_drains`, 'drains')),
  );
  picture['log drains of addons'] = z
    .array(item)
    .parse(drains.flat())
    .map((one) => without(one, ids));
  const link = await read('/scm_repo_link', 'scm_repo_link').catch((error) => {
    if (error instanceof ApiError && error.status === 404) return null;
    throw error;
  });
  picture['SCM link'] = link === null ? [] : [without(item.parse(link), ids)];
  const deployment = app['last_deployment_id'];
  picture['deployment'] =
    typeof deployment === 'string'
      ? [without(item.parse(await read(`/deployments/${deployment}`, 'deployment')), ids)]
      : [];
  return picture;
}

/**
 * What differs between an app and the one that came of it, in lines for people. Values of
 * variables and settings that may be secret are not in them.
 */
export function differences(source: Picture, destination: Picture): string[] {
  const pointedSource: Picture = { ...source, variables: asPointed(source, destination) };
  return Object.keys(source).flatMap((part) =>
    differencesOf(part, pointedSource[part] ?? [], destination[part] ?? []),
  );
}

function differencesOf(part: string, there: readonly Item[], here: readonly Item[]): string[] {
  const name = lists.find((list) => list.part === part)?.name ?? 'name';
  const named = (items: readonly Item[]) => items.map((one) => labelOf(one[name]) ?? part);
  const [wanted, found] = [named(there), named(here)];
  const lines = [
    ...wanted.filter((one) => !found.includes(one)).map((one) => `${part}: ${one} is missing`),
    ...found.filter((one) => !wanted.includes(one)).map((one) => `${part}: ${one} is new`),
  ];
  if (lines.length > 0) return lines;
  if (!isDeepStrictEqual(wanted, found)) return [`${part}: they are in another order`];
  return there.flatMap((one, at) => {
    const other = here[at] ?? {};
    const keys = [...new Set([...Object.keys(one), ...Object.keys(other)])];
    return keys
      .filter((key) => !isDeepStrictEqual(one[key], other[key]))
      .map((key) => `${part}: ${wanted[at]} has another ${key}`);
  });
}

/** What an item is called by; an addon by its provider, which has a name of its own. */
function labelOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  const { success, data } = z.object({ name: z.string() }).safeParse(value);
  return success ? data.name : undefined;
}

/** The source's variables with the addresses that its databases have in the destination. */
function asPointed(source: Picture, destination: Picture): Item[] {
  const variables = (picture: Picture) =>
    z
      .array(z.object({ name: z.string(), value: z.string() }))
      .parse(picture['variables'])
      .map((one) => ({ ...one, from: null }));
  const isAddons = ({ name }: { name: string }) => /^SCALINGO_\w+_URL(_\d+)?$/.test(name);
  const [old, now] = [variables(source), variables(destination)];
  const replacement = { old: old.filter(isAddons), new: now.filter(isAddons) };
  const changed = pointed(old, [replacement]);
  return old.map(({ name, value }) => ({ name, value: changed[name] ?? value }));
}

function without(from: Item, keys: ReadonlySet<string>): Item {
  return Object.fromEntries(Object.entries(from).filter(([key]) => !keys.has(key)));
}
