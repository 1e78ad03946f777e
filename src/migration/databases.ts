import type { Addon, Offer, Platform } from '../region/model.js';
import { derivedId } from '../shared/ids.js';
import type { Migration } from './migration.js';
import type { StepContext } from './phase.js';

/** A database of the source app and the twin that replaces it in the destination. */
export interface DatabasePair {
  readonly addon: Addon;
  /** What it is called where several are told apart. */
  readonly name: string;
  /** Id of the source's database. */
  readonly old: string;
  /** Id of the destination's. */
  readonly twin: string;
}

/** The version that an addon has in the destination. */
export function versionThere(
  { product, version }: Pick<Addon, 'product' | 'version'>,
  { upgrade }: Pick<Migration, 'upgrade'>,
): string {
  return upgrade[product] ?? version;
}

/** What a database there would run on; undefined when that is not known, or not offered. */
export function platformThere(
  addon: Pick<Addon, 'product' | 'version'>,
  migration: Pick<Migration, 'upgrade'>,
  offers: readonly Offer[],
): Platform | undefined {
  const offer = offers.find(({ product }) => product === addon.product);
  return offer?.platforms?.[versionThere(addon, migration)];
}

/** Id of the addon, and the database, that takes the place of one in the new app. */
export function twinOf(newAppId: string, addon: string): string {
  return derivedId(newAppId, addon);
}

/** Every database of the app, with its twin. */
export async function databasePairs(context: {
  readonly newAppId: StepContext['newAppId'];
  sourceApp(): Promise<{ readonly addons: readonly Addon[] }>;
}): Promise<DatabasePair[]> {
  const { addons } = await context.sourceApp();
  return addons.map((addon) => ({
    addon,
    name: nameAmong(addons, addon),
    old: addon.id,
    twin: twinOf(context.newAppId, addon.id),
  }));
}

/** Its product, and of several of the same, the beginning of its id. */
function nameAmong(addons: readonly Addon[], { id, product }: Addon): string {
  const isAlone = addons.filter((addon) => addon.product === product).length === 1;
  return isAlone ? product : `${product} ${id.slice(0, 6)}`;
}
