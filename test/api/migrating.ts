import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { create } from 'tar';
import { request } from 'undici';
import { expect } from 'vitest';
import { z } from 'zod';
import { until } from '../../src/shared/until.js';
import type { Ask, Asks } from './asking.js';

const withId = z.object({ id: z.string() });

/** What a migration is waited for to leave. */
export const underWay: readonly string[] = ['created', 'running', 'aborting'];

/** Asks what must be answered with that status. @returns what is under a key of the answer */
export async function the<T>(
  { ask }: Asks,
  key: string,
  as: z.ZodType<T>,
  status: number,
  path: string,
  how?: Ask,
): Promise<T> {
  const answer = await ask(path, how);
  expect([path, answer.status, answer.status === status ? '' : answer.text]).toEqual([
    path,
    status,
    '',
  ]);
  return as.parse(z.record(z.string(), z.unknown()).parse(answer.json)[key]);
}

/** Creates an app without a build. @returns its id */
export async function createApp(stage: Asks, name: string): Promise<string> {
  return (await the(stage, 'app', withId, 201, '/apps', { body: { app: { name } } })).id;
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

/** Uploads files as a source. @returns the address to deploy it from */
export async function upload(
  stage: Asks,
  files: Readonly<Record<string, string>>,
): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'godwit-deploy-'));
  try {
    for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
    const addresses = z.object({ upload_url: z.string(), download_url: z.string() });
    const { upload_url, download_url } = await the(stage, 'source', addresses, 201, '/sources', {
      method: 'POST',
    });
    const body = Readable.from(create({ gzip: true, cwd: folder }, Object.keys(files)));
    const uploaded = await request(upload_url, { method: 'PUT', body });
    expect(uploaded.statusCode, await uploaded.body.text()).toBe(200);
    return download_url;
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Deploys files to an app. @returns the status in which that ended */
export async function deployed(
  stage: Asks,
  app: string,
  files: Readonly<Record<string, string>>,
  git_ref = 'main',
): Promise<string> {
  const path = `/apps/${app}/deployments`;
  const body = { deployment: { source_url: await upload(stage, files), git_ref } };
  const { id } = await the(stage, 'deployment', withId, 201, path, { body });
  return until(
    async () => {
      const shape = z.object({ status: z.string() });
      const { status } = await the(stage, 'deployment', shape, 200, `${path}/${id}`);
      return status !== 'building' && status;
    },
    { timeout: 20_000, what: 'the deployment' },
  );
}

/** Deploys files to an app, and waits until that has succeeded. */
export async function deploy(...how: Parameters<typeof deployed>): Promise<void> {
  expect(await deployed(...how)).toBe('success');
}
