import type { Addon } from '../../region/model.js';
import { Refusal } from '../../shared/errors.js';
import type { Databases } from '../databases/databases.js';
import type { Behalf, Performs } from '../verbs.js';
import type { AppRecord } from './record.js';
import type { Shelf } from './shelf.js';

type Verbs = Performs<'addAddon' | 'removeAddon'>;

interface NewAddon {
  readonly app: string;
  readonly id: string;
  readonly product: string;
  readonly plan: string;
  readonly version: string | null;
  readonly role: 'primary' | 'empty';
}

/** Services of apps, each with a database behind it. */
export class Addons implements Verbs {
  readonly #shelf: Shelf;
  readonly #databases: Databases;

  constructor(parts: { shelf: Shelf; databases: Databases }) {
    this.#shelf = parts.shelf;
    this.#databases = parts.databases;
  }

  /** Removes what was being provisioned for an owner when the agent died: nobody would ask for it again. */
  async recover(): Promise<void> {
    for (const { id, addons, frozenBy } of this.#shelf.all()) {
      const unfinished = addons.filter(({ status }) => status === 'provisioning');
      for (const addon of unfinished) await this.#remove(id, addon.id, frozenBy);
    }
  }

  async addAddon(input: NewAddon, by: Behalf): Promise<Addon> {
    const { app, id, product, role } = input;
    const known = this.#shelf.get(app).addons.find((addon) => addon.id === id);
    if (known?.status === 'running') return known;
    const addon = await this.#check(input);
    await this.#shelf.change(app, by, (record) => withAddon(record, addon));
    try {
      await this.#databases.provision(product, { ...addon, role });
    } catch (error) {
      await this.#remove(app, id, by);
      throw error;
    }
    const running: Addon = { ...addon, status: 'running' };
    await this.#shelf.change(app, by, (record) => withAddon(record, running));
    return running;
  }

  async removeAddon({ app, addon }: { app: string; addon: string }, by: Behalf) {
    await this.#remove(app, addon, by);
    return null;
  }

  async #check({ id, product, plan, version }: NewAddon): Promise<Addon> {
    const offers = await this.#databases.offers();
    const offer = offers.find((one) => one.product === product);
    if (!offer) {
      const known = offers.map((one) => one.product).join(', ');
      throw Refusal.invalid('addon_provider_id', `There is no ${product} here; there is ${known}.`);
    }
    if (!offer.plans.includes(plan)) {
      throw Refusal.invalid(
        'plan_id',
        `${product} has no plan "${plan}"; it has ${offer.plans.join(', ')}.`,
      );
    }
    const chosen = version ?? offer.versions[0];
    if (chosen === undefined || !offer.versions.includes(chosen)) {
      throw Refusal.invalid(
        'version',
        `${product} ${version} is not offered here; it offers ${offer.versions.join(', ')}.`,
      );
    }
    const provisionedAt = new Date().toISOString();
    return { id, product, plan, version: chosen, status: 'provisioning', provisionedAt };
  }

  /** The database goes first: as long as the addon is listed, the removal can be repeated. */
  async #remove(app: string, addon: string, by: Behalf): Promise<void> {
    if (!this.#shelf.get(app).addons.some(({ id }) => id === addon)) return;
    await this.#shelf.change(app, by, async (record) => {
      await this.#databases.deprovision(addon);
      return { ...record, addons: record.addons.filter(({ id }) => id !== addon) };
    });
  }
}

function withAddon(record: AppRecord, addon: Addon): AppRecord {
  const others = record.addons.filter(({ id }) => id !== addon.id);
  return { ...record, addons: [...others, addon] };
}
