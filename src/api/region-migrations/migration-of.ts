import { z } from 'zod';
import type { Migration } from '../../migration/migration.js';
import { Refusal } from '../../shared/errors.js';
import { type ApiContext, type Asking, appOf } from '../context.js';

export const ofApp = z.object({ app: z.string() });
export const ofMigration = ofApp.extend({ id: z.string() });

/** The migration that is addressed, if the user may see its app. @throws Refusal `not-found` */
export async function migrationOf(
  context: ApiContext,
  request: Asking & { readonly params: { readonly app: string; readonly id: string } },
): Promise<Migration> {
  const { app } = await appOf(context, request);
  const found = await context.migrations.find(app.id, request.params.id);
  if (found) return found;
  const what = `${app.name} has no migration ${request.params.id}. List them to see their ids.`;
  throw Refusal.notFound('RegionMigration', what);
}
