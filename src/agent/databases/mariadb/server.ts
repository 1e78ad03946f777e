import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { open, rename, rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { serviceAccount } from '../../../shared/account.js';
import { exists } from '../../../shared/exists.js';
import { isAlive, type ProcessIdentity } from '../../../shared/processes.js';
import { Service } from '../../../shared/service.js';
import { until } from '../../../shared/until.js';
import { backupSettings, files, settingsFile, startStatements } from './configuration.js';
import { reader, superuser } from './names.js';
import type { Programs } from './programs.js';
import type { DatabaseRecord } from './record.js';
import { type Login, type Session, withSession } from './session.js';

/** How long a server may take to start, or to end: recovery takes its time. In milliseconds. */
const patience = 300_000;

/** Pages that a copy keeps in memory while what was written meanwhile is put in. */
const memoryToPrepare = '256M';

/** A program at work, with the end of a pipe to it. */
export interface Working<Pipe> {
  readonly pipe: Pipe;
  /** Its exit code; null when a signal ended it. */
  readonly ended: Promise<number | null>;
  kill(): void;
}

/** One MariaDB server in a folder of its own. */
export class MariadbServer extends Service {
  readonly #programs: () => Programs;
  readonly #address: string;

  /**
   * @param programs asked for once they are needed
   * @param address of this host, for followers in other regions
   */
  constructor(folder: string, programs: () => Programs, address: string) {
    super(folder, { name: 'MariaDB', account: serviceAccount('mysql'), walks: true });
    this.#programs = programs;
    this.#address = address;
  }

  /** Whether there is a server's data, made or copied to its end. */
  async exists(): Promise<boolean> {
    return exists(join(this.data, 'mysql'));
  }

  /** Makes a new, empty server, unless there is one. */
  async initialise(): Promise<void> {
    if (await this.exists()) return;
    const unfinished = join(this.folder, 'data.new');
    await rm(unfinished, { recursive: true, force: true });
    await this.makeDataFolder(unfinished);
    const args = [
      ...['--no-defaults', `--datadir=${await this.path(unfinished)}`, '--skip-test-db'],
      // No account without a password is made, but one for the system's user of this name: ours.
      ...['--auth-root-authentication-method=socket', `--auth-root-socket-user=${superuser}`],
      '--skip-name-resolve',
    ];
    const code = await this.run(this.#programs().install, args, unfinished);
    if (code !== 0) throw await this.failed('mariadb-install-db', code);
    await rename(unfinished, this.data);
  }

  /**
   * Starts the server, or adopts it when it runs already, and waits until it answers.
   * @throws when it does not; when `signal` fires, and then it may go on starting
   */
  async start(record: DatabaseRecord, signal?: AbortSignal): Promise<ProcessIdentity> {
    const running = await this.identity();
    if (!running) await this.killAll();
    await this.#configure(record);
    const started = running ?? (await this.#launch());
    await this.#answers(started, record, signal);
    return started;
  }

  /** Writes what it reads when it starts, and when it is told to follow. */
  async #configure(record: DatabaseRecord): Promise<void> {
    const { password, certificate, privateKey, following } = record;
    await this.writeFile(files.certificate, certificate);
    await this.writeFile(files.privateKey, privateKey);
    if (following) {
      await this.writeFile(files.primaryCertificate, following.endpoint.certificate);
    }
    await this.writeFile(files.start, startStatements(password));
    await this.writeFile(files.backup, backupSettings(password));
    await this.writeFile(files.settings, settingsFile(record, await this.path(), this.#address));
  }

  /** Ends the server in order. @throws when it does not end; when `signal` fires */
  async stop(signal?: AbortSignal): Promise<void> {
    await this.end('SIGTERM', patience, signal);
  }

  /** Lends a superuser's session. What it does is not part of the history, unless it says so. */
  async asSuperuser<T>(
    password: string,
    use: (session: Session) => Promise<T>,
    signal?: AbortSignal,
  ): Promise<T> {
    const unseen = async (session: Session) => {
      await session.run('SET SESSION sql_log_bin = 0');
      return use(session);
    };
    return this.#as({ user: superuser, password }, unseen, signal);
  }

  /** Lends a session that can read the app's rows: whatever these turn out to be, it has no power to lend. */
  async asReader<T>(
    password: string,
    use: (session: Session) => Promise<T>,
    signal?: AbortSignal,
  ): Promise<T> {
    return this.#as({ user: reader, password }, use, signal);
  }

  /** Streams a copy of the running server, for {@link unpacking}, while it goes on. Nothing is kept here. */
  async backingUp(): Promise<Working<Readable>> {
    const child = await this.spawn(
      this.#programs().backup,
      [
        ...[`--defaults-file=${await this.path()}/${files.backup}`, '--backup'],
        ...['--stream=mbstream', '--target-dir=/tmp', `--parallel=${parallel()}`],
        // Each stage waits for the next look at what was written meanwhile. In milliseconds.
        '--log-copy-interval=100',
      ],
      this.data,
      { stdout: 'pipe' },
    );
    if (!child.stdout) throw new Error('mariadb-backup has no output.');
    return working(child, child.stdout);
  }

  /** Unpacks a stream of {@link backingUp} into the data folder. */
  async unpacking(): Promise<Working<Writable>> {
    const child = await this.spawn(
      this.#programs().unpack,
      ['--extract', `--directory=${await this.path()}`, `--parallel=${parallel()}`],
      this.data,
      { stdin: 'pipe' },
    );
    if (!child.stdin) throw new Error('mbstream has no input.');
    return working(child, child.stdin);
  }

  /** Puts into an unpacked copy what was written while it was made, so that a server can run on it. */
  async prepare(): Promise<void> {
    const code = await this.run(this.#programs().backup, [
      ...['--no-defaults', '--prepare', `--target-dir=${await this.path()}`],
      `--use-memory=${memoryToPrepare}`,
    ]);
    if (code !== 0) throw await this.failed('mariadb-backup --prepare', code);
  }

  /** What to throw when a program of it failed. */
  async failed(program: string, code: number | null): Promise<Error> {
    return new Error(`${program} ended with ${code}. ${await this.lastLogLines()}`);
  }

  /** The socket is named by a descriptor of its folder: its path must be short. */
  async #as<T>(
    login: Login,
    use: (session: Session) => Promise<T>,
    signal?: AbortSignal,
  ): Promise<T> {
    const folder = await open(this.data, 'r');
    try {
      const place = { socketPath: `/proc/self/fd/${folder.fd}/${files.socket}` };
      return await withSession(place, login, use, signal);
    } finally {
      await folder.close();
    }
  }

  async #launch(): Promise<ProcessIdentity> {
    return this.launchProcess(this.#programs().server, [
      `--defaults-file=${await this.path()}/${files.settings}`,
    ]);
  }

  async #answers(
    running: ProcessIdentity,
    { password }: DatabaseRecord,
    signal?: AbortSignal,
  ): Promise<void> {
    const greet = () =>
      this.asSuperuser(password, async () => true, signal).catch(async () => {
        if (isAlive(running)) return false;
        throw new Error(`MariaDB ended while starting. ${await this.lastLogLines()}`);
      });
    await until(greet, { timeout: patience, every: 20, signal, what: 'MariaDB to be ready' });
  }
}

/** How many threads read or write the files of a copy. */
const parallel = () => Math.min(4, availableParallelism());

function working<Pipe>(child: ChildProcess, pipe: Pipe): Working<Pipe> {
  const hasEnded = child.exitCode !== null || child.signalCode !== null;
  const ended = (hasEnded ? Promise.resolve() : once(child, 'exit')).then(() => child.exitCode);
  return { pipe, ended, kill: () => child.kill('SIGKILL') };
}
