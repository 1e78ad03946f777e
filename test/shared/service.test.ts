import { chmod, mkdtemp, readFile, realpath, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { serviceAccount } from '../../src/shared/account.js';
import { workingIn } from '../../src/shared/processes.js';
import { Service } from '../../src/shared/service.js';
import { until } from '../../src/shared/until.js';
import { cleanUp } from '../clean-up.js';

/** Works in its data folder, as servers do, and does nothing. */
class Sleeper extends Service {
  constructor(folder: string) {
    super(folder, { name: 'Sleeper', account: serviceAccount('nobody') });
  }

  async launch() {
    const started = await this.launchProcess('/bin/sh', ['-c', 'echo in && exec sleep 1000']);
    await until(async () => (await this.lastLogLines()).includes('in'), {
      timeout: 5_000,
      every: 5,
      what: 'the process to work in its folder',
    });
    return started;
  }

  say(words: string) {
    return this.run('/bin/sh', ['-c', `echo ${words}; exit 3`]);
  }
}

async function sleeper(): Promise<Sleeper> {
  const dir = await mkdtemp(join(tmpdir(), 'godwit-test-')); // mode 0700
  cleanUp.push(() => rm(dir, { recursive: true }));
  const made = new Sleeper(join(dir, 'sleeper'));
  cleanUp.push(() => made.wipe());
  await made.makeDataFolder();
  return made;
}

it('is found again by whoever comes next, and ends when it is told', async () => {
  const first = await sleeper();
  expect(await first.identity()).toBeNull();
  const started = await first.launch();
  const next = new Sleeper(first.folder);
  expect(await next.identity()).toEqual(started);
  await next.end('SIGTERM', 5_000);
  expect(await first.identity()).toBeNull();
  await next.end('SIGTERM', 5_000);
});

it('leaves no process when it is wiped, not even one that nobody wrote down', async () => {
  const service = await sleeper();
  await service.launch();
  await rm(join(service.folder, 'process.json'));
  expect(await service.identity()).toBeNull();
  const folder = await realpath(service.data);
  expect(workingIn(folder)).toHaveLength(1);
  await service.wipe();
  expect(workingIn(folder)).toEqual([]);
  await expect(stat(service.data)).rejects.toThrow('ENOENT');
});

it('keeps files and log from everybody else, and says what a program said last', async () => {
  const service = await sleeper();
  await service.writeFile('settings', 'secret');
  expect(await service.say('first')).toBe(3);
  expect(await service.say('second')).toBe(3);
  expect(await service.lastLogLines(1)).toBe('second');
  const file = await stat(join(service.data, 'settings'));
  expect(file.mode & 0o777).toBe(0o600);
  if (service.account) expect(file.uid).toBe(service.account.uid);
  expect(await readFile(join(service.data, 'settings'), 'utf8')).toBe('secret');
  expect((await stat(join(service.folder, 'sleeper.log'))).mode & 0o777).toBe(0o600);
});

/** Goes by the path to its folder, and by no descriptor. */
class Walker extends Service {
  constructor(folder: string) {
    super(folder, { name: 'Walker', account: serviceAccount('nobody'), walks: true });
  }

  async where(): Promise<{ path: string; owner: string }> {
    const path = await this.path();
    await this.run('/bin/sh', ['-c', `echo kept > ${path}/note && cat note >&2 && id -u`]);
    return { path, owner: await this.lastLogLines(1) };
  }
}

it.each([
  ['that everybody can walk to', 0o711],
  ['that nobody else can walk to', 0o700],
])('runs programs that go by a path, in a folder %s', async (_, mode) => {
  const dir = await mkdtemp(join(tmpdir(), 'godwit-test-'));
  cleanUp.push(() => rm(dir, { recursive: true }));
  await chmod(dir, mode);
  const service = new Walker(join(dir, 'walker'));
  await service.makeDataFolder();
  const { path, owner } = await service.where();
  expect(owner).toBe(String(service.account?.uid ?? process.getuid?.()));
  expect(await readFile(join(service.data, 'note'), 'utf8')).toBe('kept\n');
  const isMounted = service.account !== null && mode === 0o700;
  expect(path === (await realpath(service.data))).toBe(!isMounted);
});
