import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { pointed } from '../migration/data/pointed.js';
import { type ApiClient, ApiError } from './api-client.js';

const item = z.record(z.string(), z.unknown());
type Item = z.infer<typeof item>;

/** Everything that the platform API shows of an app, part by part. */
export type Picture = Readonly<Record<string, readonly Item[]>>;

/** A part that is a list: where it is, under which key, and what its items are called by. */
interface List {
  readonly part: string;
  readonly key?: string;
  readonly name: string;
  /** What else must differ. */
  readonly apart?: readonly string[];
}

const lists: readonly List[] = [
  { part: 'containers', name: 'name' },
  {
    part: 'addons',
    name: 'addon_provider',
    apart: ['provisioned_at', 'created_at', 'updated_at'], // it is provisioned anew
  },
  { part: 'domains', name: 'name' },
  { part: 'collaborators', name: 'email' },
  { part: 'notifiers', name: 'name', apart: ['app'] },
  { part: 'alerts', name: 'container_type' },
  { part: 'log_drains', key: 'drains', name: 'url' },
  { part: 'autoscalers', name: 'container_type' },
];

/** What must differ: ids, addresses, and how the two apps stand at the moment. */
const own = new Set([
  ...['id', 'app_id', 'addon_id', 'resource_id', 'region', 'url', 'base_url', 'name', 'links'],
  ...['status', 'frozen_by', 'created_at', 'updated_at', 'last_deployment_id'],
]);
/** Nothing of these parts is left out but ids: their names and times came along. */
const ids = new Set(['id', 'app_id', 'addon_id', 'resource_id', 'links']);
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
  for (const { part, key = part, apart = [] } of lists) {
    const items = z.array(item).parse(await read(`/${part}`, key));
    const different = new Set([...ids, ...apart]);
    picture[part] = items
      .filter(({ status }) => status !== 'pending')
      .map((one) => without(one, different));
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

/** What an item is called by; an addon by its provider, which has a name; what has a URL, without secrets. */
function labelOf(value: unknown): string | undefined {
  if (typeof value === 'string') {
    if (!URL.canParse(value)) return value;
    const { protocol, host } = new URL(value);
    return `${protocol}//${host}`;
  }
  const { success, data } = z.object({ name: z.string() }).safeParse(value);
  return success ? data.name : undefined;
}

/** The source's variables with the addresses that its databases have in the destination. */
function asPointed(source: Picture, destination: Picture): Item[] {
  const variables = (picture: Picture) =>
    z.array(z.object({ name: z.string(), value: z.string() })).parse(picture['variables']);
  const now = new Map(variables(destination).map(({ name, value }) => [name, value]));
  const own = variables(source);
  const replacements = own.flatMap(({ name, value }) => {
    const other = now.get(name);
    const isAddons = /^(SCALINGO_\w+_URL|DATABASE_URL)(_\d+)?$/.test(name);
    return isAddons && other !== undefined ? [{ old: value, new: other }] : [];
  });
  const { set } = pointed(own, replacements);
  return own.map(({ name, value }) => ({ name, value: set[name] ?? value }));
}

function without(from: Item, keys: ReadonlySet<string>): Item {
  return Object.fromEntries(Object.entries(from).filter(([key]) => !keys.has(key)));
}
