import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { ApiClient } from '../../../src/client/api-client.js';
import { differences, takePicture } from '../../../src/client/compare.js';
import { followMigration } from '../../../src/client/follow.js';
import { type Change, Tampering } from '../../api/tampering.js';
import { createWholeApp } from '../../api/whole-app.js';
import { faultPoints } from '../../faults.js';
import { type Piece, startPieces } from '../pieces.js';

const tampering = new Tampering();
let pieces: Awaited<ReturnType<typeof startPieces>>;

beforeAll(async () => {
  pieces = await startPieces(tampering);
}, 60_000);
afterAll(async () => {
  await pieces?.close();
  tampering.close();
});

const victims: readonly Piece[] = ['server', 'here', 'there'];
it('prepare, whoever dies before or after a change it makes, ends the same, nothing twice', async () => {
  const app = await createWholeApp(pieces, 'sturdy', { database: false });
  const path = `/apps/${app}/region_migrations`;
  const body = { migration: { destination: 'there' } };
  const { id } = z.object({ id: z.string() }).parse((await pieces.ask(path, { body })).json);
  const run = (step: string) => pieces.ask(`${path}/${id}/run`, { body: { step } });
  const client = (region: string) =>
    new ApiClient({ url: pieces.url, token: pieces.token, region });
  const atRest = () => followMigration(client('here'), app, id, () => undefined);
  await atRest();

  const seen = new Set<string>();
  const { first, stride } = faultPoints(9);
  let number = first;
  let faults = 0;
  /** What is asked again, after a fault, is let through. */
  const strike = async (when: string, { verb, body }: Change) => {
    const { token: _, ...input } = z
      .looseObject({ token: z.string().optional() })
      .parse(JSON.parse(body));
    const change = `${when} ${verb} ${JSON.stringify(input)}`;
    if (seen.has(change)) return;
    seen.add(change);
    if (number++ % stride !== 0) return;
    await pieces.crash(victims[faults++ % victims.length] ?? 'server');
  };
  tampering.beforeChange = (change) => strike('before', change);
  tampering.afterChange = (change) => strike('after', change);
  expect((await run('prepare')).status).toBe(204);
  const { status, steps } = await atRest();
  expect(status, JSON.stringify(steps, null, 2)).toBe('prepared');
  expect(faults).toBeGreaterThan(2);

  const [source, destination] = [
    await takePicture(client('here'), app),
    await takePicture(client('there'), 'sturdy'),
  ];
  expect(differences(source, destination)).toEqual([]);
  const there = pieces.registry.get('there');
  const [moved, ...others] = (await there?.listApps({})) ?? [];
  expect(others).toEqual([]);
  expect(await there?.listDeployments({ app: moved?.id ?? '' })).toHaveLength(1);

  expect((await run('abort')).status).toBe(204);
  expect((await atRest()).status).toBe('aborted');
  expect(await there?.listApps({})).toEqual([]);
}, 300_000);
