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
  /** Ids of those that are being provisioned, each with its app's. */
  readonly #begun = new Map<string, string>();

  constructor(parts: { shelf: Shelf; databases: Databases }) {
    this.#shelf = parts.shelf;
    this.#databases = parts.databases;
  }

  /**
   * Removes what was being provisioned for an owner when the agent died: nobody would ask for it
   * again. In a frozen app it is a migration's, which asks again, or removes it with the app.
   */
  async recover(): Promise<void> {
    for (const { id, addons, frozenBy } of this.#shelf.all()) {
      if (frozenBy !== null) continue;
      const unfinished = addons.filter(({ status }) => status === 'provisioning');
      for (const addon of unfinished) await this.#remove(id, addon.id, null);
    }
  }

  /** What is being provisioned for an app, and what to do about it, for people; null when nothing is. */
  begun({ id, addons }: AppRecord): string | null {
    const unfinished = addons.find(({ status }) => status === 'provisioning');
    if (unfinished) {
      return `its ${unfinished.product} addon ${unfinished.id} is being provisioned. Wait until it runs, or remove it.`;
    }
    return [...this.#begun.values()].includes(id)
      ? 'an addon is being removed that was being provisioned. Wait for the end of that.'
      : null;
  }

  async addAddon(input: NewAddon, by: Behalf): Promise<Addon> {
    const { app, id, role } = input;
    const known = this.#shelf.get(app).addons.find((addon) => addon.id === id);
    if (known?.status === 'running') return known;
    const addon = await this.#check(input);
    try {
      await this.#shelf.change(app, by, (record) => {
        this.#begun.set(id, app);
        return withAddon(record, addon);
      });
      return await this.#provision(app, { ...addon, role }, by);
    } finally {
      this.#begun.delete(id);
    }
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

  /** Nothing is left of one that cannot be made, or was removed meanwhile. */
  async #provision(
    app: string,
    { role, ...addon }: Addon & Pick<NewAddon, 'role'>,
    by: Behalf,
  ): Promise<Addon> {
    const running: Addon = { ...addon, status: 'running' };
    try {
      await this.#databases.provision(addon.product, { ...addon, role });
      await this.#shelf.change(app, by, (record) => {
        if (record.addons.some(({ id }) => id === addon.id)) return withAddon(record, running);
        throw Refusal.notFound('Addon', 'The addon was removed while it was being provisioned.');
      });
      return running;
    } catch (error) {
      await this.#takeBack(app, addon.id, by);
      throw error;
    }
  }

  /** Its removal, or that of its app, found no database while that was still being made. */
  async #takeBack(app: string, addon: string, by: Behalf): Promise<void> {
    const isListed = this.#shelf.find(app)?.addons.some(({ id }) => id === addon);
    if (isListed) await this.#remove(app, addon, by);
    else await this.#databases.deprovision(addon);
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
