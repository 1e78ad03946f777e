import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { isAtRest } from '../../src/client/follow.js';
import { messageOf } from '../../src/shared/errors.js';
import { until } from '../../src/shared/until.js';
import { app, type World } from './world.js';

const appRecord = z.looseObject({
  frozenBy: z.string().nullable(),
  started: z.boolean(),
  edge: z.looseObject({ kind: z.string() }),
  buildGrants: z.array(z.unknown()),
});

/** What should be gone or mended within moments of the end of a migration, in milliseconds. */
const moments = 20_000;

/** Whatever is there that was not before the migration, or is not as it was; in lines. */
export async function leftovers(world: World): Promise<string[]> {
  let seen: string[] = [];
  const look = async () => {
    seen = await lookFor(world).catch((error) => [
      `cannot look for leftovers: ${messageOf(error)}`,
    ]);
    return seen.length === 0;
  };
  await until(look, { timeout: moments, every: 100, what: 'nothing to be left' }).catch(
    () => undefined,
  );
  return seen;
}

async function lookFor(world: World): Promise<string[]> {
  const { home, away, pieces } = world;
  const found: string[] = [];
  const expect = (what: string, is: unknown, wanted: unknown) => {
    if (JSON.stringify(is) !== JSON.stringify(wanted)) {
      found.push(`left: ${what}: ${JSON.stringify(is)} rather than ${JSON.stringify(wanted)}`);
    }
  };
  const client = world.client(home);
  const { id } = await client.app(app);
  const migrations = await client.migrations(app);
  expect('migrations under way', migrations.filter((one) => !isAtRest(one)).length, 0);

  expect(`apps on ${away}`, await world.list(away, 'apps'), []);
  expect(`databases on ${away}`, await world.list(away, 'databases'), []);
  expect(`processes on ${away}`, world.processes(away), []);

  expect(`apps on ${home}`, await world.list(home, 'apps'), [id]);
  const { databases } = world;
  expect(`databases on ${home}`, (await world.list(home, 'databases')).length, databases.length);
  for (const product of databases) {
    expect(`servers of ${product} on ${home}`, world.servers(home, product).length, 1);
    for (const record of world.databaseRecords(home, product)) {
      expect(`grants of ${product} on ${home}`, /"grants":\s*\[\]/.test(record), true);
    }
  }
  const node = world
    .processes(home)
    .filter((command) => /^(\/bin\/sh -c )?node |^node /.test(command));
  const programs = node.filter((command) => !command.startsWith('/bin/sh'));
  expect(`programs on ${home}`, programs.sort(), ['node web.js', 'node web.js', 'node worker.js']);

  const file = join(pieces.dir, 'regions', home, 'apps', id, 'app.json');
  const record = appRecord.parse(JSON.parse(await readFile(file, 'utf8')));
  expect('the freeze', record.frozenBy, null);
  expect('the app is started', record.started, true);
  expect('its edge', record.edge.kind, 'serve');
  expect('grants of builds', record.buildGrants, []);
  const region = pieces.registry.get(home);
  const report = await region?.holdReport({ app: id });
  expect('requests held', report?.holding, 0);
  expect('its health', (await region?.health({ app: id }))?.state, 'healthy');

  const [database] = world.databaseFolders(home, 'postgresql');
  const rules = await readFile(join(database ?? '', 'data', 'pg_hba.conf'), 'utf8');
  expect('rules for followers', rules.includes('replication'), false);
  const [inside] = await world.query<{ slots: number; roles: number }>(
    `SELECT (SELECT count(*) FROM pg_replication_slots)::int AS slots,
            (SELECT count(*) FROM pg_roles WHERE rolname LIKE 'godwit\\_follow%')::int AS roles`,
  );
  expect('slots and roles of followers', inside, { slots: 0, roles: 0 });
  return found;
}
