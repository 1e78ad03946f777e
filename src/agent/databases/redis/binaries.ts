import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

/** The server of one version of Redis, or of Valkey, which does the same. */
export interface RedisProgram {
  /** Such as `7.0`, or `valkey-8.1`. A minor version may write what an earlier one does not read. */
  readonly version: string;
  readonly path: string;
}

const names = ['redis-server', 'valkey-server'];
/** Where servers are that are not in everybody's `PATH`. */
const usualFolders = ['/usr/bin', '/usr/local/bin'];
/** Functions, and a log in parts that says which of them count. */
const oldestMajor = 7;

/** The servers of this host, the newest first; the first found of each version. */
export async function findRedis(): Promise<RedisProgram[]> {
  const folders = new Set([...(process.env['PATH'] ?? '').split(delimiter), ...usualFolders]);
  const paths = [...folders].flatMap((folder) => names.map((name) => join(folder, name)));
  const found = new Map<string, RedisProgram>();
  for (const path of paths) {
    const version = await versionOf(path);
    if (version !== null && !found.has(version)) found.set(version, { version, path });
  }
  return [...found.values()].sort((a, b) =>
    b.version.localeCompare(a.version, 'en', { numeric: true }),
  );
}

async function versionOf(path: string): Promise<string | null> {
  try {
    await access(path, constants.X_OK);
  } catch {
    return null; // it is not there
  }
  const { stdout } = await promisify(execFile)(path, ['--version']);
  return readVersion(stdout);
}

/** Reads `Redis server v=7.0.15 sha=…`; null when it is older than what can be moved. */
export function readVersion(line: string): string | null {
  const [, name, major, minor] = /^(Redis|Valkey) server v=(\d+)\.(\d+)\./i.exec(line) ?? [];
  if (Number(major ?? 0) < oldestMajor) return null;
  return `${name?.toLowerCase() === 'valkey' ? 'valkey-' : ''}${major}.${minor}`;
}
