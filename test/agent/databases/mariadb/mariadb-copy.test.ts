import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readdir, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { boundHistory } from '../../../../src/agent/databases/mariadb/replication.js';
import { until } from '../../../../src/shared/until.js';
import { mayMount, SmallDisk } from '../small-disk.js';
import {
  admittedFromHere,
  afterwards,
  cleanUp,
  copiedOnceThereIsRoom,
  LimitedCopy,
  streaming,
} from '../test-databases.js';
import { written } from './clients.js';
import { administer, asSuperuser, connect, copies, createRegion, version } from './region.js';

afterEach(cleanUp);

describe('a MariaDB database', () => {
  it('is copied anew when its primary has forgotten what it lacks, and only when that is asked for', async () => {
    const [here, there] = [await createRegion(), await createRegion()];
    const old = await here.provision(version);
    const twin = await there.provision(version, 'empty');
    const app = await connect(here, old);
    await app.query('CREATE TABLE written (id int PRIMARY KEY)');
    const endpoint = await here.databases.grantFollow({ database: old, follower: randomUUID() });
    await there.databases.follow({ database: twin, endpoint });
    await streaming(there, twin);
    await there.databases.close({ stop: true });
    await app.query('INSERT INTO written VALUES (1)');
    const source = await administer(here, old);
    await source.query('FLUSH BINARY LOGS');
    await app.query('INSERT INTO written VALUES (2)');
    await asSuperuser(here, old, (session) => boundHistory(session, 0));
    await there.restart();
    const { reason } = await until(
      async () => {
        const now = await there.databases.following({ database: twin }).catch(() => null);
        return now?.stage === 'failed' && now;
      },
      { timeout: 60_000, what: 'the follower to give up' },
    );
    expect(reason).toContain('1236');
    await there.databases.follow({ database: twin, endpoint });
    await streaming(there, twin);
    expect(await written(await connect(there, twin))).toEqual([1, 2]);
  });

  it('comes back on another port when its own was taken, and is found there without a new copy', async () => {
    const [here, there] = [await createRegion(), await createRegion()];
    const follower = randomUUID();
    const old = await here.provision(version);
    const twin = await there.provision(version, 'empty');
    const endpoint = await here.databases.grantFollow({ database: old, follower });
    await there.databases.follow({ database: twin, endpoint });
    await streaming(there, twin);
    const copy = await stat(join(there.dir, twin, 'data'));
    const { port } = new URL(here.databases.variables(old)['DATABASE_URL'] ?? '');
    await here.databases.close({ stop: true });
    const thief = createServer().listen(Number(port), '127.0.0.1');
    await once(thief, 'listening');
    afterwards(async () => thief.close());
    await here.restart();
    const app = await connect(here, old);
    expect(new URL(here.databases.variables(old)['DATABASE_URL'] ?? '').port).not.toBe(port);
    await app.query('CREATE TABLE written (id int PRIMARY KEY)');
    const moved = await here.databases.grantFollow({ database: old, follower });
    await there.databases.follow({ database: twin, endpoint: moved });
    await streaming(there, twin);
    expect(await written(await connect(there, twin))).toEqual([]);
    expect((await stat(join(there.dir, twin, 'data'))).ino).toBe(copy.ino);
  });

  it('is copied by whom it was promised to, from where that one is, and no faster than its region wants', async () => {
    const limit = new LimitedCopy();
    const here = await createRegion({ copyRate: limit.now });
    const there = await createRegion();
    const [old, twin] = [await here.provision(version), await there.provision(version, 'empty')];
    const endpoint = await admittedFromHere(here, old, there, twin);
    await limit.follow(there, twin, endpoint);
    await streaming(there, twin);
  });

  it.runIf(mayMount)('finds no room for its copy, and leaves nothing of it', async () => {
    const disk = await SmallDisk.create(16);
    afterwards(() => disk.remove());
    const [here, there] = [await createRegion(), await createRegion({ disk })];
    const [old, twin] = [await here.provision(version), await there.provision(version, 'empty')];
    const endpoint = await here.databases.grantFollow({ database: old, follower: randomUUID() });
    await copiedOnceThereIsRoom(there, twin, endpoint, disk);
    await streaming(there, twin);
    await disk.fill();
    await (await connect(here, old)).query('CREATE TABLE entries (id int)');
    await there.databases.standDown({ database: twin });
    await there.databases.deprovision(twin);
    await disk.empty();
    expect(await readdir(there.dir)).toEqual([]);
  });

  it('is removed while it is being copied, however often that is asked', async () => {
    const [here, there] = [await createRegion(), await createRegion()];
    const old = await here.provision(version);
    const twin = await there.provision(version, 'empty');
    const endpoint = await here.databases.grantFollow({ database: old, follower: randomUUID() });
    await there.databases.follow({ database: twin, endpoint });
    await copies(there, twin);
    await Promise.all([there.databases.deprovision(twin), there.databases.deprovision(twin)]);
    await there.databases.deprovision(twin);
    expect(await readdir(there.dir)).toEqual([]);
  });
});
