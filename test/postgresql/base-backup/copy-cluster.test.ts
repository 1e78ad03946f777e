import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { copyCluster } from '../../../src/postgresql/base-backup/copy-cluster.js';
import { findBinaries } from '../../../src/postgresql/binaries.js';
import { Cluster } from '../../../src/postgresql/cluster.js';
import type { CopyProgress } from '../../../src/shared/copy-progress.js';
import { freePort } from '../../../src/shared/free-port.js';
import { signalProcess, workingIn } from '../../../src/shared/processes.js';
import { createCertificate } from '../../../src/shared/self-signed.js';
import { until } from '../../../src/shared/until.js';

const majors = await findBinaries();
const binaries = majors[0] ?? { major: '', bin: '' };
const [dir, port] = [await mkdtemp(join(tmpdir(), 'godwit-test-')), await freePort()];
const { certificate, privateKey } = await createCertificate('primary');
const [user, password] = ['follower', "it's a \\ secret"];
const source = { host: '127.0.0.1', port, user, password, certificate };
const primary = new Cluster(join(dir, 'primary'), () => binaries);

beforeAll(async () => {
  await primary.initialise({ sync: false });
  await primary.writeFile('crt', certificate);
  await primary.writeFile('key', privateKey);
  await primary.start({
    port,
    settings: { fsync: false, ssl: true, ssl_cert_file: 'crt', ssl_key_file: 'key' },
    rules: [{ type: 'hostssl', database: 'replication', user, from: 'here' }],
  });
  const secret = pg.escapeLiteral(password);
  await primary.session(port, (client) =>
    client.query(`CREATE ROLE ${user} LOGIN REPLICATION PASSWORD ${secret}`),
  );
});
afterAll(async () => {
  await primary.crash();
  await rm(dir, { recursive: true });
});

const rate = () => 1024 * 1024;
const never = new AbortController().signal;

/** Where a copy may go that takes half a minute. */
async function emptyCopy(name: string) {
  const copy = new Cluster(join(dir, name), () => binaries);
  await copy.makeDataFolder();
  return { folder: copy.data, owner: copy.account, binaries, rate };
}

it('writes nothing any more when it has been given up', async () => {
  const given = new AbortController();
  const into = await emptyCopy('given-up');
  const giveUp = ({ copied }: CopyProgress) => {
    if (copied > 1024 * 1024) given.abort(new Error('up'));
  };
  const copying = copyCluster(source, into, giveUp, given.signal);
  await expect(copying).rejects.toThrow('up');
  expect(workingIn(into.folder)).toEqual([]);
  expect(await readdir(into.folder)).not.toEqual([]);
});

it('is given up when the process that receives it dies', async () => {
  const into = await emptyCopy('killed');
  const kill = () => workingIn(into.folder).map((one) => signalProcess(one, 'SIGKILL'));
  const copying = copyCluster(source, into, kill, never);
  await expect(copying).rejects.toThrow(/ended before its end, with SIGKILL/);
});

it('ends with the process that it is for', async () => {
  const into = await emptyCopy('orphan');
  const module = new URL('../../../dist/postgresql/base-backup/copy-cluster.js', import.meta.url);
  const script = `
    const into = { ...${JSON.stringify(into)}, rate: ${rate} };
    const onProgress = () => console.log('copying');
    const never = new AbortController().signal;
    import('${module}').then(({ copyCluster }) =>
      copyCluster(${JSON.stringify(source)}, into, onProgress, never)
    );`;
  const child = spawn(process.execPath, ['--eval', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  expect(workingIn(into.folder)).toHaveLength(1);
  child.kill('SIGKILL');
  const ended = async () => workingIn(into.folder).length === 0;
  await until(ended, { timeout: 10_000, what: 'the copy to end' });
});

it.each([
  ['password', { password: 'another' }, /password authentication failed/],
  ['certificate', await createCertificate('primary'), /certificate verify failed/],
  ['port', { port: await freePort() }, /Connection refused/],
] as const)('does not copy with another %s, and leaves nothing', async (_, other, says) => {
  const into = await emptyCopy('refused');
  const given = { ...source, ...other };
  const copying = copyCluster(given, into, () => undefined, never);
  await expect(copying).rejects.toThrow(says);
  expect(await readdir(into.folder)).toEqual([]);
});

it('says that the server refuses', async () => {
  await primary.session(port, (client) => client.query(`ALTER ROLE ${user} NOREPLICATION`));
  const into = await emptyCopy('refused');
  const copying = copyCluster(source, into, () => undefined, never);
  await expect(copying).rejects.toThrow(/permission denied to start WAL sender/);
});
