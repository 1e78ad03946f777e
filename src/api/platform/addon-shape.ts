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
  .meta({
    description: 'A plan; its name is its id',
    examples: [presentPlan('postgresql-sandbox')],
  });

const briefProvider = z
  .object({ id: z.string(), name: z.string(), logo_url: z.string() })
  .meta({ examples: [{ id: 'postgresql', name: 'PostgreSQL', logo_url: '' }] });

/** The one category of addons. */
export const databases = {
  id: derivedId('addon category', 'databases'),
  name: 'Databases',
  description: 'Each addon has a database server of its own.',
  position: 1,
};

export const categoryShape = z
  .object({ id: z.string(), name: z.string(), description: z.string(), position: z.number() })
  .meta({ examples: [databases] });

export const providerShape = briefProvider
  .extend({
    short_description: z.string(),
    description: z.string(),
    category: categoryShape,
    provider_name: z.string(),
    provider_url: z.string(),
    hds_available: z.literal(false),
    plans: z.array(planShape),
    versions: z.array(z.string()).describe('Major versions, newest first'),
  })
  .meta({
    examples: [
      presentProvider({
        ...{ product: 'postgresql', title: 'PostgreSQL', description: 'A PostgreSQL server' },
        ...{ versions: ['17', '16'], plans: ['postgresql-sandbox'] },
      }),
    ],
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
  .meta({
    description: 'An addon; the database behind it has the same id',
    examples: [
      {
        id: '54100930736f7563d5030002',
        app_id: '54100930736f7563d5030000',
        resource_id: '54100930736f7563d5030002',
        status: 'running',
        provisioned_at: '2026-01-01T10:17:52.690Z',
        deprovisioned_at: null,
        updated_at: '2026-01-01T10:17:52.690Z',
        addon_provider: { id: 'postgresql', name: 'PostgreSQL', logo_url: '' },
        plan: presentPlan('postgresql-sandbox'),
        hds_resource: false,
        version: '17',
      },
    ],
  });

/** Title of a product, for people. */
function titleOf({ product, title }: Pick<Offer, 'product' | 'title'>): string {
  return title || product;
}

/** The plan of that name, `position`-th of its provider. */
export function presentPlan(name: string, position = 1) {
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
    hds_available: false as const,
  };
}

/** What a region offers of a product. */
export function presentProvider(offer: Offer) {
  return {
    id: offer.product,
    name: titleOf(offer),
    logo_url: '',
    short_description: offer.description,
    description: offer.description,
    category: databases,
    provider_name: 'Godwit',
    provider_url: '',
    hds_available: false as const,
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
