import {
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { create, Header } from 'tar';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { archiveLimits, inspectArchive, unpackArchive } from '../../../src/agent/builds/archive.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'godwit-archive-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** An archive of entries as an attacker would write them. */
async function written(
  entries: readonly {
    path: string;
    type?: 'File' | 'SymbolicLink' | 'Link' | 'CharacterDevice';
    linkpath?: string;
    text?: string;
    size?: number;
  }[],
): Promise<string> {
  const pieces = entries.flatMap(({ path, type = 'File', linkpath, text = '', size }) => {
    const block = Buffer.alloc(512);
    const header = new Header({
      path,
      type,
      size: size ?? text.length,
      mode: 0o644,
      mtime: new Date(0),
      ...(linkpath && { linkpath }),
    });
    header.encode(block);
    const body = Buffer.alloc(Math.ceil(text.length / 512) * 512);
    body.write(text);
    return [block, body];
  });
  const file = join(folder, 'source.tar.gz');
  await writeFile(file, gzipSync(Buffer.concat([...pieces, Buffer.alloc(1024)])));
  return file;
}

const procfile = { path: 'Procfile', text: 'web: node web.js\n' };

describe('an archive', () => {
  it('is read, and unpacked', async () => {
    const file = await written([procfile, { path: 'a/b.txt', text: 'hello' }]);
    const archive = await inspectArchive(file);
    expect(archive).toEqual({ strip: 0, procfile: 'web: node web.js\n' });
    const out = join(folder, 'out');
    await mkdir(out);
    await unpackArchive(file, out, { strip: archive.strip, owner: null });
    expect((await readdir(out)).sort()).toEqual(['Procfile', 'a']);
  });

  it('ends where it says so, whatever comes after', async () => {
    const file = await written([procfile]);
    const whole = Buffer.concat([gunzipSync(await readFile(file)), Buffer.alloc(50_000_000)]);
    await writeFile(file, gzipSync(whole));
    expect(await inspectArchive(file)).toMatchObject({ procfile: procfile.text });
  });

  it('may have everything in one folder, and links within it', async () => {
    const source = join(folder, 'app-main');
    await mkdir(join(source, 'lib'), { recursive: true });
    await writeFile(join(source, 'Procfile'), 'web: x\n');
    await symlink('../Procfile', join(source, 'lib', 'link'));
    const file = join(folder, 'source.tar.gz');
    await create({ gzip: true, cwd: folder, file }, ['app-main']);
    expect(await inspectArchive(file)).toMatchObject({ strip: 1 });
    const out = join(folder, 'out');
    await mkdir(out);
    await unpackArchive(file, out, { strip: 1, owner: null });
    expect((await readdir(out)).sort()).toEqual(['Procfile', 'lib']);
  });

  it.each([
    ['no Procfile', [{ path: 'web.js', text: 'x' }], /no Procfile/],
    ['a way out', [procfile, { path: '../evil', text: 'x' }], /leads outside/],
    ['a way out, further in', [procfile, { path: 'a/../../evil', text: 'x' }], /leads outside/],
    ['an absolute path', [procfile, { path: '/etc/evil', text: 'x' }], /leads outside/],
    [
      'a link out',
      [procfile, { path: 'l', type: 'SymbolicLink' as const, linkpath: '../..' }],
      /link l/,
    ],
    [
      'an absolute link',
      [procfile, { path: 'l', type: 'SymbolicLink' as const, linkpath: '/etc' }],
      /link l/,
    ],
    [
      'a hard link out',
      [procfile, { path: 'l', type: 'Link' as const, linkpath: '../x' }],
      /link l/,
    ],
    ['a device', [procfile, { path: 'd', type: 'CharacterDevice' as const }], /CharacterDevice/],
    ['a bomb', [procfile, { path: 'big', size: 10 * 1024 ** 3 }], /unpacks to more than/],
  ])('is refused with %s', async (_, entries, why) => {
    await expect(inspectArchive(await written(entries))).rejects.toThrow(why);
  });

  it('is refused when it has too many files, is damaged, or is none', async () => {
    const many = await written([
      procfile,
      ...Array.from({ length: 20 }, (_, n) => ({ path: `${n}` })),
    ]);
    await expect(inspectArchive(many, { ...archiveLimits, entries: 10 })).rejects.toThrow(
      /10 files/,
    );
    await truncate(many, 100);
    await expect(inspectArchive(many)).rejects.toThrow(/damaged|no \.tar\.gz/);
    await writeFile(many, 'this is text, no archive'.repeat(100));
    await expect(inspectArchive(many)).rejects.toThrow(/no \.tar\.gz/);
    await writeFile(many, '');
    await expect(inspectArchive(many)).rejects.toMatchObject({ kind: 'invalid' });
  });
});
