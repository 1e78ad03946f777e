import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { findBinaries } from '../../src/postgresql/binaries.js';
import { Cluster } from '../../src/postgresql/cluster.js';
import { freePort } from '../../src/shared/free-port.js';
import { signalProcess, waitForExit } from '../../src/shared/processes.js';

const majors = await findBinaries();

it('finds PostgreSQL 18, which npm brings', () => {
  expect(majors.map(({ major }) => major)).toContain('18');
});

describe.each(majors)('PostgreSQL $major', (binaries) => {
  const cleanUp: (() => Promise<void>)[] = [];
  afterAll(async () => {
    for (const step of cleanUp.reverse()) await step();
  });

  it('lives in a folder below one that nobody else may enter, and is adopted again', async () => {
    const private_ = await mkdtemp(join(tmpdir(), 'godwit-test-')); // mode 0700
    cleanUp.push(() => rm(private_, { recursive: true }));
    const cluster = new Cluster(join(private_, 'database'), () => binaries);
    cleanUp.push(() => cluster.crash());
    const options = { port: await freePort(), settings: { fsync: false }, rules: [] };

    await cluster.initialise();
    const first = await cluster.start(options);
    await cluster.session(options.port, (client) =>
      client.query('CREATE TABLE t AS SELECT 1 AS x'),
    );

    const again = new Cluster(cluster.folder, () => binaries);
    expect(await again.identity()).toEqual(first);
    expect(await again.start(options)).toEqual(first);

    signalProcess(first, 'SIGKILL');
    await waitForExit(first, 10_000);
    expect(await again.identity()).toBeNull();
    const second = await again.start(options);
    expect(second).not.toEqual(first);
    const { rows } = await again.session(options.port, (client) => client.query('SELECT x FROM t'));
    expect(rows).toEqual([{ x: 1 }]);

    await again.stop();
    expect(await again.identity()).toBeNull();
    await again.stop();
  });
});
