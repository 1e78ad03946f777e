import { expect } from 'vitest';
import { z } from 'zod';
import { until } from '../../src/shared/until.js';
import type { Stage } from './platform-stage.js';

const withId = z.object({ id: z.string() });

/** What a migration is waited for to leave. */
export const underWay: readonly string[] = ['created', 'running', 'aborting'];

/** Creates an app without a build. @returns its id */
export async function createApp(stage: Stage, name: string): Promise<string> {
  const { status, json } = await stage.ask('/apps', { body: { app: { name } } });
  expect(status).toBe(201);
  return z.object({ app: withId }).parse(json).app.id;
}

/** Waits until nothing of the migration is under way. @returns what the API shows of it */
export async function atRest(stage: Stage, app: string, id: string) {
  return until(
    async () => {
      const { json } = await stage.ask(`/apps/${app}/region_migrations/${id}`);
      const migration = z.looseObject({ status: z.string() }).parse(json);
      return !underWay.includes(migration.status) && migration;
    },
    { timeout: 60_000, what: 'the migration to be at rest' },
  );
}
