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

/** Tests move databases of two major versions: the one from npm, and Debian's. */
function installSecondPostgresql() {
  const folder = '/usr/lib/postgresql';
  const majors = existsSync(folder) ? readdirSync(folder) : [];
  if (majors.some((major) => existsSync(join(folder, major, 'bin', 'postgres')))) return;
  if (!mayInstallDebianPackages()) {
    say('this host has no PostgreSQL of its own: tests go with the one from npm alone');
    return;
  }
  mkdirSync('/etc/postgresql-common', { recursive: true });
  const creation = '/etc/postgresql-common/createcluster.conf';
  // The programs are wanted, a running database of the system is not.
  if (!existsSync(creation)) writeFileSync(creation, 'create_main_cluster = false\n');
  installDebianPackage('postgresql-15', 'for tests with a second major');
}

/** Tests run the documented command lines as they are. */
function installCurl() {
  if (spawnSync('curl', ['--version']).status === 0) return;
  if (!mayInstallDebianPackages()) {
    say('this host has no curl, which tests of the documented command lines need: install it');
    return;
  }
  installDebianPackage('curl', 'for tests of the documented command lines');
}

/** Tests move databases of Redis too. */
function installRedis() {
  if (existsSync('/usr/bin/redis-server') || existsSync('/usr/bin/valkey-server')) return;
  if (!mayInstallDebianPackages()) {
    say('this host has no Redis, which tests need: install redis-server');
    return;
  }
  // The program is wanted, a running database of the system is not, today or after a restart.
  keepFromStarting('redis-server');
  withoutServices(() => installDebianPackage('redis-server', 'for tests with Redis'));
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

function mayInstallDebianPackages() {
  return process.getuid?.() === 0 && existsSync('/usr/bin/apt-get');
}

function installDebianPackage(name, why) {
  say(`installing the Debian package ${name}, ${why} (once)`);
  run('apt-get', ['update', '-qq']);
  run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', name], {
    DEBIAN_FRONTEND: 'noninteractive',
  });
}

installPackages();
compile();
if (process.argv.includes('--tests')) {
  installSecondPostgresql();
  installCurl();
  installRedis();
}
