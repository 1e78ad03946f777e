import { randomUUID } from 'node:crypto';
import { chmod, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import mysql from 'mysql2/promise';
import { Agent, request } from 'undici';
import { afterEach, describe, expect, it } from 'vitest';
import { authorization } from '../../../../src/agent/databases/mariadb/copy-door.js';
import { inspectServer } from '../../../../src/agent/databases/mariadb/inspect.js';
import {
  type Endpoint,
  endpoint as endpointSchema,
} from '../../../../src/agent/databases/mariadb/record.js';
import { primaryEnd } from '../../../../src/agent/databases/mariadb/replication.js';
import type { Session } from '../../../../src/agent/databases/mariadb/session.js';
import { newId } from '../../../../src/shared/ids.js';
import { signalProcess, workingIn } from '../../../../src/shared/processes.js';
import { createCertificate } from '../../../../src/shared/self-signed.js';
import { until } from '../../../../src/shared/until.js';
import { afterwards, cleanUp, streaming } from '../test-databases.js';
import { Knocking, Writer, written } from './clients.js';
import { changeEverything, everything, makeEverything } from './everything.js';
import {
  administer,
  asSuperuser,
  BareServer,
  connect,
  copies,
  createRegion,
  killServer,
  reconnect,
  serverOf,
  version,
} from './region.js';

afterEach(cleanUp);

describe('a MariaDB database', () => {
  it('moves with everything in it, there and back, and loses nothing', async () => {
    // One folder that its account can walk to, and one that it cannot.
    const [here, there] = [await createRegion(), await createRegion({ mode: 0o711 })];
    const follower = randomUUID();
    const old = await here.provision(version);
    const twin = await there.provision(version, 'empty');
    expect(there.databases.variables(twin)).toEqual({});
    const database = `app_${old.slice(0, 8)}`;
    const app = await connect(here, old);
    await app.query('CREATE TABLE written (id int PRIMARY KEY)');
    const source = await administer(here, old);
    await makeEverything(source, database);

    const {
      obstacles,
      unsuitable,
      remarks,
      version: found,
    } = await here.databases.inspect({
      database: old,
    });
    expect({ obstacles, unsuitable }).toEqual({ obstacles: [], unsuitable: [] });
    expect(found).toContain(version);
    expect(remarks.join()).toContain(`${database}.crash_safe, ${database}.old`);
    expect(remarks.join()).toContain(`primary key (${database}.loose)`);

    const endpoint = await here.databases.grantFollow({ database: old, follower });
    expect(await here.databases.grantFollow({ database: old, follower })).toEqual(endpoint);
    const writer = new Writer(app);
    await there.databases.follow({ database: twin, endpoint });
    await streaming(there, twin);
    await there.databases.follow({ database: twin, endpoint });
    await changeEverything(source, database);
    await writer.past(100);

    await here.databases.flush({ database: old });
    const position = await here.databases.fence({ database: old });
    await writer.ended;
    expect(await here.databases.fence({ database: old })).toBe(position);
    await expect(connect(here, old)).rejects.toThrow('init_connect');
    await here.restart();
    await killServer(here, old);
    await expect(connect(here, old)).rejects.toThrow();
    expect(await here.databases.fence({ database: old })).toBe(position);
    await expect(connect(here, old)).rejects.toThrow('init_connect');
    await there.databases.waitFor({ database: twin, position, timeout: 60_000 });
    const before = await everything(await administer(here, old));
    await there.databases.promote({ database: twin });
    await there.databases.promote({ database: twin });

    const moved = await connect(there, twin);
    expect(await written(moved)).toEqual(expect.arrayContaining(writer.acknowledged));
    const target = await administer(there, twin);
    expect(await everything(target)).toEqual(before);
    await until(() => isScheduled(target), { timeout: 60_000, what: 'the scheduler' });

    const back = await there.databases.grantFollow({ database: twin, follower });
    await here.databases.followBack({ database: old, endpoint: back });
    await here.databases.followBack({ database: old, endpoint: back });
    await streaming(here, old);
    await target.query(`DROP EVENT ${database}.yearly`);
    await target.query(`CREATE EVENT ${database}.newest ON SCHEDULE EVERY 1 YEAR DO SELECT 1`);
    const more = new Writer(moved, writer.acknowledged.length + 10);
    await more.past(50);
    const end = await there.databases.fence({ database: twin });
    await more.ended;
    await here.databases.waitFor({ database: old, position: end, timeout: 60_000 });
    const after = await everything(await administer(there, twin));
    await here.databases.promote({ database: old });
    expect(await written(await connect(here, old))).toEqual(
      expect.arrayContaining([...writer.acknowledged, ...more.acknowledged]),
    );
    expect(await everything(await administer(here, old))).toEqual(after);
  });

  it('survives that any of its processes is killed while it is copied, follows and is switched', async () => {
    const [here, there] = [await createRegion({ mode: 0o711 }), await createRegion()];
    const old = await here.provision(version);
    const twin = await there.provision(version, 'empty');
    const app = await connect(here, old);
    await app.query('CREATE TABLE written (id int PRIMARY KEY)');
    await app.query(`CREATE TABLE weight AS SELECT repeat('x', 1000) AS x FROM seq_1_to_20000`);
    const endpoint = await here.databases.grantFollow({ database: old, follower: randomUUID() });
    await there.databases.follow({ database: twin, endpoint });
    await copies(there, twin);
    await there.restart();
    await copies(there, twin);
    for (const one of workingIn(join(there.dir, twin, 'data'))) signalProcess(one, 'SIGKILL');
    await streaming(there, twin);

    const writer = new Writer(app);
    await writer.past(20);
    await killServer(there, twin);
    await writer.past(40);
    await killServer(here, old);
    await writer.ended;
    const again = await reconnect(here, old);
    const more = new Writer(again, 1_000);
    await more.past(20);
    await killServer(here, old);
    const fencing = here.databases.fence({ database: old });
    await more.ended;
    const position = await fencing;
    await killServer(there, twin);
    await there.databases.waitFor({ database: twin, position, timeout: 60_000 });
    await killServer(there, twin);
    await there.databases.promote({ database: twin });
    await killServer(there, twin);
    const moved = await reconnect(there, twin);
    expect(await written(moved)).toEqual(
      expect.arrayContaining([...writer.acknowledged, ...more.acknowledged]),
    );
    await moved.query('INSERT INTO written VALUES (5000)');
    const back = await there.databases.grantFollow({ database: twin, follower: randomUUID() });
    await killServer(here, old);
    await here.databases.followBack({ database: old, endpoint: back });
    await killServer(here, old);
    await streaming(here, old);
    expect(await written(await connect(here, old))).toEqual(await written(moved));
  });

  it('leaves nothing of a revoked grant, and takes writes again when unfenced', async () => {
    const [here, there] = [await createRegion(), await createRegion()];
    const follower = randomUUID();
    const old = await here.provision(version);
    const twin = await there.provision(version, 'empty');
    const app = await connect(here, old);
    await app.query('CREATE TABLE written (id int PRIMARY KEY)');
    await app.query('CREATE EVENT often ON SCHEDULE EVERY 1 YEAR DO SELECT 1');
    const endpoint = await here.databases.grantFollow({ database: old, follower });
    const given = endpointSchema.parse(endpoint);
    await there.databases.follow({ database: twin, endpoint });
    await streaming(there, twin);

    // Who follows may read the history, over TLS and from whom it was promised, and nothing else.
    const other = await createCertificate('other');
    await expect(primaryEnd({ ...given, certificate: other.certificate })).rejects.toThrow(
      'certificate',
    );
    await expect(primaryEnd({ ...given, password: 'another' })).rejects.toThrow('Access denied');
    const { host, port, user, password } = given;
    await expect(mysql.createConnection({ host, port, user, password })).rejects.toThrow(
      'Access denied',
    );
    expect(await fetchCopy(given, 'another')).toBe(401);

    // What went wrong is logged, and the statement may be one that sets a password.
    const refused = await asSuperuser(here, old, (session) =>
      session.run('CREATE USER ? IDENTIFIED VIA ?', ['x', 'secret']),
    ).catch((error) => error);
    expect(Object.values(refused).join()).not.toContain('IDENTIFIED');
    const log = await readFile(join(here.dir, old, 'mariadb.log'), 'utf8');
    expect(log).not.toMatch(/Aborted connection \d+ to db: '\w+' user: 'godwit'/);

    const knocking = new Knocking(here.databases.variables(old)['DATABASE_URL'] ?? '');
    await knocking.begun;
    await here.databases.fence({ database: old });
    await knocking.stop();
    await there.databases.standDown({ database: twin });
    await there.databases.standDown({ database: twin });
    await here.databases.unfence({ database: old });
    const again = await connect(here, old);
    await again.query('INSERT INTO written VALUES (1)');
    const source = await administer(here, old);
    expect(await isScheduled(source)).toBe(true);

    // One that hangs is not waited for by whoever takes a fence back.
    signalProcess(await serverOf(here, old), 'SIGSTOP');
    const hanging = here.databases.fence({ database: old });
    await Promise.all([
      expect(hanging).rejects.toThrow('taken back'),
      here.databases.unfence({ database: old }),
    ]);
    await (await connect(here, old)).query('INSERT INTO written VALUES (2)');

    await here.databases.revokeFollow({ database: old, follower });
    await here.databases.revokeFollow({ database: old, follower });
    const [left] = await (await administer(here, old)).query(
      `SELECT User FROM mysql.global_priv WHERE User LIKE 'godwit\\_follow%'`,
    );
    expect(left).toEqual([]);
    await expect(fetchCopy(given, given.password)).rejects.toThrow('ECONNREFUSED');
    await there.databases.deprovision(twin);
    await there.databases.deprovision(twin);
    expect(await readdir(there.dir)).toEqual([]);
  });

  it('tells what stands in the way of a move, and what to do about it', async () => {
    const here = await createRegion();
    const database = await here.provision(version);
    const source = await administer(here, database);
    const name = `app_${database.slice(0, 8)}`;
    await source.query(`USE ${name}`);
    await source.query('CREATE TABLE forgotten (id int PRIMARY KEY) ENGINE = MEMORY');
    await source.query(
      `CREATE TABLE far (id int PRIMARY KEY) DATA DIRECTORY = '${join(tmpdir(), newId())}'`,
    );
    await source.query(`CREATE USER boss@'%' IDENTIFIED BY 'boss'`);
    await source.query(`GRANT READ_ONLY ADMIN ON *.* TO boss@'%'`);
    await source.query('CREATE ROLE chief');
    const folder = await mkdtemp(join(tmpdir(), 'godwit-test-'));
    afterwards(() => rm(folder, { recursive: true, force: true }));
    await chmod(folder, 0o777);
    await source.query('GRANT SELECT, SUPER ON *.* TO chief');
    await source.query(
      `CREATE TABLE linked (id int PRIMARY KEY) ENGINE = MyISAM DATA DIRECTORY = '${folder}'`,
    );
    await source.query(
      `CREATE TABLE numbered (id int PRIMARY KEY, a bigint unsigned AS ROW START, b bigint unsigned AS ROW END, PERIOD FOR SYSTEM_TIME (a, b)) WITH SYSTEM VERSIONING`,
    );
    await source.query('CREATE TABLE t (id int PRIMARY KEY)');
    await source.query(`XA START 'pending'`);
    await source.query('INSERT INTO t VALUES (1)');
    await source.query(`XA END 'pending'`);
    await source.query(`XA PREPARE 'pending'`);
    await source.query(`SET GLOBAL binlog_format = 'STATEMENT'`);
    const { obstacles, unsuitable, remarks } = await here.databases.inspect({ database });
    const all = [...obstacles, ...unsuitable];
    for (const what of [
      ...[`${name}.forgotten`, `${name}.far, ${name}.linked`, `('boss'@'%', chief)`],
      ...['pending', 'STATEMENT'],
    ]) {
      expect(all.filter((line) => line.includes(what))).toHaveLength(1);
    }
    expect(all).toHaveLength(5);
    expect(remarks.join()).toContain(`numbers of transactions (${name}.numbered)`);
    await source.query(`XA ROLLBACK 'pending'`);
    await source.query('DROP TABLE far, linked');

    // Not as an agent would run it.
    await here.databases.close({ stop: true });
    const bare = new BareServer(join(here.dir, database));
    afterwards(() => bare.wipe());
    await bare.launch();
    const inspect = (session: Session) => inspectServer(session, bare.data);
    const found = await until(() => asSuperuser(here, database, inspect).catch(() => null), {
      timeout: 60_000,
      what: 'the server to answer',
    });
    for (const what of ['log_bin', 'TLS']) expect(found.unsuitable.join()).toContain(what);
  });
});

/** Whether the scheduler knows of events that it is to run. */
async function isScheduled(client: mysql.Connection): Promise<boolean> {
  const [rows] = await client.query<mysql.RowDataPacket[]>('SHOW PROCESSLIST');
  return rows.some(({ State }) => State === 'Waiting for next activation');
}

/** Comes to the door for copies. @returns the status */
async function fetchCopy(
  { host, copyPort, user, certificate }: Endpoint,
  password: string,
): Promise<number> {
  const { statusCode, body } = await request(`https://${host}:${copyPort}/`, {
    headers: { authorization: authorization(user, password) },
    dispatcher: new Agent({ connect: { ca: certificate, checkServerIdentity: () => undefined } }),
  });
  await body.dump();
  return statusCode;
}
