import { z } from 'zod';
import { type Addon, type App, addonStatus, type Offer } from '../../region/model.js';
import { derivedId } from '../../shared/ids.js';

/** A plan of an addon provider. Nothing here has a price. */
export const planShape = z
  .object({
    id: z.string(),
    name: z.string(),
    display_name: z.string(),
    description: z.string(),
    price: z.number(),
    position: z.number(),
    on_demand: z.boolean(),
    disabled: z.boolean(),
    disabled_alternative_plan_id: z.string().nullable(),
    sku: z.string(),
    pricings: z.object({
      default: z.object({ price: z.string(), currency: z.string(), period: z.string() }),
    }),
    hds_available: z.literal(false),
  })
  .meta({ description: 'A plan; its name is its id' });

const briefProvider = z.object({ id: z.string(), name: z.string(), logo_url: z.string() });

export const categoryShape = z.object({
  id: z.string(),
  name: z.string(),
  description: z.string(),
  position: z.number(),
});

/** The one category of addons. */
export const databases: z.infer<typeof categoryShape> = {
  id: derivedId('addon category', 'databases'),
  name: 'Databases',
  description: 'Each addon has a database server of its own.',
  position: 1,
};

export const providerShape = briefProvider.extend({
  short_description: z.string(),
  description: z.string(),
  category: categoryShape,
  provider_name: z.string(),
  provider_url: z.string(),
  hds_available: z.literal(false),
  plans: z.array(planShape),
  versions: z.array(z.string()).describe('Major versions, newest first'),
});

/** An addon, as the platform API shows it. */
export const addonShape = z
  .object({
    id: z.string(),
    app_id: z.string(),
    resource_id: z.string(),
    status: addonStatus,
    provisioned_at: z.string().nullable(),
    deprovisioned_at: z.null(),
    updated_at: z.string().nullable(),
    addon_provider: briefProvider,
    plan: planShape,
    hds_resource: z.literal(false),
    version: z.string().describe('Major version of the product'),
  })
  .meta({ description: 'An addon; the database behind it has the same id' });

/** Title of a product, for people. */
const titleOf = ({ product, title }: Pick<Offer, 'product' | 'title'>) => title || product;

/** The plan of that name, `position`-th of its provider. */
export function presentPlan(name: string, position = 1): z.infer<typeof planShape> {
  return {
    id: name,
    name,
    display_name: name,
    description: '',
    price: 0,
    position,
    on_demand: false,
    disabled: false,
    disabled_alternative_plan_id: null,
    sku: name,
    pricings: { default: { price: '0.0', currency: 'EUR', period: 'minute' } },
    hds_available: false,
  };
}

/** What a region offers of a product. */
export function presentProvider(offer: Offer): z.infer<typeof providerShape> {
  return {
    id: offer.product,
    name: titleOf(offer),
    logo_url: '',
    short_description: offer.description,
    description: offer.description,
    category: databases,
    provider_name: 'Godwit',
    provider_url: '',
    hds_available: false,
    plans: offer.plans.map((name, index) => presentPlan(name, index + 1)),
    versions: offer.versions,
  };
}

/** An addon of an app; `offers` are those of its region. */
export function presentAddon(
  app: App,
  addon: Addon,
  offers: readonly Offer[],
): z.infer<typeof addonShape> {
  const { id, product, plan, version, status } = addon;
  const offer = offers.find((one) => one.product === product);
  return {
    id,
    app_id: app.id,
    resource_id: id,
    status,
    provisioned_at: addon.provisionedAt ?? null,
    deprovisioned_at: null,
    updated_at: addon.provisionedAt ?? null,
    addon_provider: { id: product, name: offer ? titleOf(offer) : product, logo_url: '' },
    plan: presentPlan(plan),
    hds_resource: false,
    version,
  };
}
