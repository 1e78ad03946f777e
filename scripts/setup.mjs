// Installs what is missing, once, and says so; silent when there is nothing to do. Runs before
// anything is installed, so it uses nothing but Node.js itself.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

function say(what) {
  process.stderr.write(`godwit: ${what}\n`);
}

function run(command, args, env = {}) {
  const { status, error } = spawnSync(command, args, {
    cwd: root,
    stdio: ['ignore', 2, 2],
    env: { ...process.env, ...env },
  });
  if (error || status !== 0) {
    say(
      `${command} ${args.join(' ')} failed${error ? `: ${error.message}` : ''}. Its output is above.`,
    );
    process.exit(1);
  }
}

function installPackages() {
  const stamp = join(root, 'node_modules', '.godwit-lock');
  const lock = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return;
  say('installing the npm packages of package-lock.json (once)');
  run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel', 'error']);
  writeFileSync(stamp, lock);
}

/** When anything in a folder was changed last: a file, or the list of what is there. */
function newest(folder) {
  return Math.max(
    statSync(folder).mtimeMs,
    ...readdirSync(folder, { withFileTypes: true }).map((entry) => {
      const path = join(folder, entry.name);
      return entry.isDirectory() ? newest(path) : statSync(path).mtimeMs;
    }),
  );
}

function compile() {
  const built = join(root, 'dist', '.tsbuildinfo');
  if (existsSync(built) && statSync(built).mtimeMs > newest(join(root, 'src'))) return;
  say('compiling the sources to dist/');
  rmSync(join(root, 'dist'), { recursive: true, force: true });
  run(process.execPath, [
    join('node_modules', 'typescript', 'bin', 'tsc'),
    '-p',
    'tsconfig.build.json',
  ]);
}

const hasPrograms = (...paths) => paths.every((path) => existsSync(path));

function hasPostgresql() {
  const folder = '/usr/lib/postgresql';
  const majors = existsSync(folder) ? readdirSync(folder) : [];
  return majors.some((major) => existsSync(join(folder, major, 'bin', 'postgres')));
}

/** What tests use of the host: Debian packages, and the services of theirs that are not wanted. */
const ofTheHost = [
  {
    what: "a PostgreSQL of Debian's, for a second major version",
    isThere: hasPostgresql(),
    packages: ['postgresql-15'],
    services: [],
  },
  {
    what: 'Redis',
    isThere: hasPrograms('/usr/bin/redis-server') || hasPrograms('/usr/bin/valkey-server'),
    packages: ['redis-server'],
    services: ['redis-server'],
  },
  {
    what: 'MariaDB',
    isThere: hasPrograms('/usr/sbin/mariadbd', '/usr/bin/mariadb-backup'),
    packages: ['mariadb-server', 'mariadb-backup'],
    services: ['mariadb'],
  },
  {
    what: 'InfluxDB',
    isThere: hasPrograms('/usr/bin/influxd'),
    packages: ['influxdb'],
    services: ['influxdb'],
  },
  {
    what: 'curl, for the documented command lines',
    isThere: spawnSync('curl', ['--version']).status === 0,
    packages: ['curl'],
    services: [],
  },
  {
    what: 'networks of their own for regions, and Perl, which makes the line between them',
    isThere: hasPrograms('/usr/bin/perl') && spawnSync('ip', ['-V']).status === 0,
    packages: ['iproute2', 'perl'],
    services: [],
  },
];

function installForTests() {
  const missing = ofTheHost.filter(({ isThere }) => !isThere);
  if (missing.length === 0) return;
  const packages = missing.flatMap((one) => one.packages);
  for (const { what } of missing) say(`tests use ${what}, which this host has not`);
  if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) {
    return say(`their tests fail. Install what Debian calls ${packages.join(', ')}`);
  }
  say(`installing the Debian packages ${packages.join(', ')} (once)`);
  // The programs are wanted; running databases of the system are not, today or after a restart.
  for (const unit of missing.flatMap((one) => one.services)) keepFromStarting(unit);
  withoutClusters();
  withoutServices(() => {
    run('apt-get', ['update', '-qq']);
    run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...packages], {
      DEBIAN_FRONTEND: 'noninteractive',
    });
  });
}

/** Has Debian's PostgreSQL create no database of its own when it is installed. */
function withoutClusters() {
  const creation = '/etc/postgresql-common/createcluster.conf';
  mkdirSync(dirname(creation), { recursive: true });
  if (!existsSync(creation)) writeFileSync(creation, 'create_main_cluster = false\n');
}

/** Has packages that are installed meanwhile start no services (invoke-rc.d(8)). */
function withoutServices(install) {
  const policy = '/usr/sbin/policy-rc.d';
  if (existsSync(policy)) return install(); // somebody has a policy of their own
  writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  // Also when an installation fails, which ends this process.
  process.once('exit', () => rmSync(policy, { force: true }));
  install();
  rmSync(policy, { force: true });
}

/** As systemd's "mask" does, which is not there to be asked everywhere. */
function keepFromStarting(unit) {
  const file = `/etc/systemd/system/${unit}.service`;
  mkdirSync(dirname(file), { recursive: true });
  if (!existsSync(file)) symlinkSync('/dev/null', file);
}

installPackages();
compile();
if (process.argv.includes('--tests')) installForTests();
