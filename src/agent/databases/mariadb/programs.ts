import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** The programs of one series of MariaDB. */
export interface Programs {
  /** Such as `10.11`: within a series files and replication fit. */
  readonly series: string;
  readonly server: string;
  /** Makes the system tables of a new server. */
  readonly install: string;
  readonly backup: string;
  /** Unpacks what `backup` streams. */
  readonly unpack: string;
}

/** Series that are known to be moved well; other ones name files and settings differently. */
const known = ['10.11'];

const folders = ['/usr/sbin', '/usr/bin', '/usr/local/sbin', '/usr/local/bin'];

/** The MariaDB that this host has; null when it has none, lacks `mariadb-backup`, or has another series. */
export async function findPrograms(): Promise<Programs | null> {
  const [server, install, backup, unpack] = await Promise.all(
    ['mariadbd', 'mariadb-install-db', 'mariadb-backup', 'mbstream'].map(find),
  );
  if (!server || !install || !backup || !unpack) return null;
  const series = await seriesOf(server);
  return series !== null && known.includes(series)
    ? { series, server, install, backup, unpack }
    : null;
}

async function find(name: string): Promise<string | null> {
  for (const folder of folders) {
    const path = join(folder, name);
    const isThere = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (isThere) return path;
  }
  return null;
}

async function seriesOf(server: string): Promise<string | null> {
  const { stdout } = await promisify(execFile)(server, ['--no-defaults', '--version']);
  return /Ver (\d+\.\d+)\.\d+-MariaDB/.exec(stdout)?.[1] ?? null;
}
