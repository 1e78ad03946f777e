import { spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { bytes } from '../../src/shared/bytes.js';
import { freePort } from '../../src/shared/free-port.js';
import { derivedId, newId } from '../../src/shared/ids.js';
import { jsonFilesIn, readJsonFile, writeJsonFile } from '../../src/shared/json-file.js';
import { identify, isAlive, signalProcess, waitForExit } from '../../src/shared/processes.js';
import { until } from '../../src/shared/until.js';

describe('bytes', () => {
  it.each([
    [0, '0 B'],
    [999, '999 B'],
    [1_000, '1.0 kB'],
    [12_345_678, '12.3 MB'],
    [2.5e15, '2500.0 TB'],
  ])('%d is %s', (count, text) => {
    expect(bytes(count)).toBe(text);
  });
});

describe('ids', () => {
  it('are 24 hexadecimal digits, and derived ones are the same each time', () => {
    expect(newId()).toMatch(/^[0-9a-f]{24}$/);
    expect(derivedId('a', 'b')).toMatch(/^[0-9a-f]{24}$/);
    expect(derivedId('a', 'b')).toBe(derivedId('a', 'b'));
    expect(derivedId('a', 'b')).not.toBe(derivedId('ab'));
  });
});

describe('free ports', () => {
  // Godwit itself looks for none there; another run of this test may, and keeps what it was given.
  const from = randomInt(1_000, 1_990) * 10;

  it('are given to one only, though nobody listens on them yet', async () => {
    const given = await Promise.all(Array.from({ length: 8 }, () => freePort([from, from + 8])));
    expect(new Set(given).size).toBe(8);
    await expect(freePort([from, from + 8])).rejects.toThrow(
      `Each port from ${from} to ${from + 7}`,
    );
  });

  it('are given to one process of a host only', async () => {
    const module = join(import.meta.dirname, '../../dist/shared/free-port.js');
    const script = `
      const { freePort } = await import('${module}');
      console.log(await freePort([${from + 8}, ${from + 9}]));
      process.stdin.resume();`;
    const other = spawn(process.execPath, ['--input-type=module', '-e', script]);
    try {
      await once(other.stdout, 'data');
      expect(await freePort([from + 8, from + 10])).toBe(from + 9);
    } finally {
      other.kill();
      await once(other, 'exit');
    }
    expect(await freePort([from + 8, from + 10])).toBe(from + 8);
  });
});

describe('JSON files', () => {
  const made: string[] = [];
  const folder = async () => {
    const made_ = await mkdtemp(join(tmpdir(), 'godwit-test-'));
    made.push(made_);
    return made_;
  };
  afterEach(async () => {
    for (const dir of made.splice(0)) await rm(dir, { recursive: true });
  });

  it('are read as they were written, by their owner only', async () => {
    const file = join(await folder(), 'x.json');
    await writeJsonFile(file, { a: 1 });
    expect(await readJsonFile(file, z.object({ a: z.number() }))).toEqual({ a: 1 });
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  });

  it('may be missing, but not damaged', async () => {
    const file = join(await folder(), 'x.json');
    expect(await readJsonFile(file, z.object({}))).toBeNull();
    await writeFile(file, '{"a":');
    await expect(readJsonFile(file, z.object({}))).rejects.toThrow(/x\.json is damaged/);
  });

  it('are listed once they are whole', async () => {
    const dir = await folder();
    const writing = new AbortController();
    const written = writeJsonFile(join(dir, 'x.json'), {}).then(() => writing.abort());
    while (!writing.signal.aborted) {
      for (const name of await jsonFilesIn(dir)) expect(name).toBe('x.json');
    }
    await written;
    expect(await jsonFilesIn(dir)).toEqual(['x.json']);
  });
});

describe('processes', () => {
  it('are told apart from others with the same number, and from zombies', async () => {
    const child = spawn('sleep', ['60']);
    await once(child, 'spawn');
    const identity = child.pid ? identify(child.pid) : null;
    if (!identity) throw new Error('the process that was just started is not there');
    expect(isAlive(identity)).toBe(true);
    expect(isAlive({ ...identity, startTime: '1' })).toBe(false);
    expect(signalProcess({ ...identity, startTime: '1' }, 'SIGKILL')).toBe(false);
    expect(signalProcess(identity, 'SIGKILL')).toBe(true);
    expect(await waitForExit(identity, 5_000)).toBe(true);
    expect(signalProcess(identity, 'SIGKILL')).toBe(false);
  });
});

describe('until', () => {
  it('gives what it waited for', async () => {
    let looks = 0;
    const seen = await until(() => ++looks >= 3 && looks, { timeout: 5_000, every: 1, what: 'it' });
    expect(seen).toBe(3);
  });

  it('says what it waited for in vain, and stops when told to', async () => {
    await expect(until(() => null, { timeout: 5, every: 1, what: 'rain' })).rejects.toThrow(/rain/);
    await expect(
      until(() => null, {
        timeout: 5_000,
        signal: AbortSignal.abort(new Error('enough')),
        what: 'x',
      }),
    ).rejects.toThrow('enough');
  });
});
