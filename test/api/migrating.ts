import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { create } from 'tar';
import { request } from 'undici';
import { expect } from 'vitest';
import { z } from 'zod';
import { until } from '../../src/shared/until.js';
import type { asking } from './asking.js';

/** What can be asked of an API. */
export interface Asks {
  readonly ask: ReturnType<typeof asking>;
}

const withId = z.object({ id: z.string() });

/** What a migration is waited for to leave. */
export const underWay: readonly string[] = ['created', 'running', 'aborting'];

/** Creates an app without a build. @returns its id */
export async function createApp(stage: Asks, name: string): Promise<string> {
  const { status, json } = await stage.ask('/apps', { body: { app: { name } } });
  expect(status).toBe(201);
  return z.object({ app: withId }).parse(json).app.id;
}

/** Waits until nothing of the migration is under way. @returns what the API shows of it */
export async function atRest(stage: Asks, app: string, id: string) {
  return until(
    async () => {
      const { json } = await stage.ask(`/apps/${app}/region_migrations/${id}`);
      const migration = z.looseObject({ status: z.string() }).parse(json);
      return !underWay.includes(migration.status) && migration;
    },
    { timeout: 60_000, what: 'the migration to be at rest' },
  );
}

/** Deploys files to an app, and waits until that has succeeded. */
export async function deploy(
  stage: Asks,
  app: string,
  files: Readonly<Record<string, string>>,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'godwit-deploy-'));
  try {
    for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
    const { json } = await stage.ask('/sources', { method: 'POST' });
    const addresses = z.object({ upload_url: z.string(), download_url: z.string() });
    const { upload_url, download_url } = z.object({ source: addresses }).parse(json).source;
    const body = Readable.from(create({ gzip: true, cwd: folder }, Object.keys(files)));
    const uploaded = await request(upload_url, { method: 'PUT', body });
    expect(uploaded.statusCode, await uploaded.body.text()).toBe(200);
    const deployment = { source_url: download_url, git_ref: 'main' };
    const begun = await stage.ask(`/apps/${app}/deployments`, { body: { deployment } });
    const { id } = z.object({ deployment: withId }).parse(begun.json).deployment;
    const shape = z.object({ deployment: z.object({ status: z.string() }) });
    await until(
      async () => {
        const { json } = await stage.ask(`/apps/${app}/deployments/${id}`);
        const { status } = shape.parse(json).deployment;
        expect(status).not.toMatch(/error/);
        return status === 'success';
      },
      { timeout: 20_000, what: 'the deployment' },
    );
  } finally {
    await rm(folder, { recursive: true });
  }
}
