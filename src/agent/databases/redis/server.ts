import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createClient, RESP_TYPES } from '@redis/client';
import { z } from 'zod';
import { serviceAccount } from '../../../shared/account.js';
import { exists } from '../../../shared/exists.js';
import type { ProcessIdentity } from '../../../shared/processes.js';
import { dataFolder, Service } from '../../../shared/service.js';
import { type Info, readInfo } from './info.js';
import type { DatabaseRecord } from './record.js';
import { settingsFile, settingsFiles, socketFile } from './settings.js';
import { admin } from './users.js';

/** How long a server may take to end, which is to write out what it has, in milliseconds. */
const patience = 60_000;

/** How long it may take to answer, in milliseconds. */
const answerPatience = 10_000;

const words = z.array(z.string());

/** How a session is lent. Times in milliseconds. */
export interface SessionOptions {
  readonly signal?: AbortSignal | undefined;
  /** How long all of it may take. */
  readonly timeout?: number;
}

/** A session of the agent's own with a server. */
export interface Session {
  /** @throws when the server refuses, or goes away */
  tell(...command: readonly string[]): Promise<void>;
  /** The answer to a command that is answered with a list of words. */
  list(...command: readonly string[]): Promise<string[]>;
  info(): Promise<Info>;
  /** The answer to any command, texts as bytes. What is asked before the answer comes travels with it. */
  ask(...command: readonly (string | Buffer)[]): Promise<unknown>;
}

/** One Redis in a folder of its own. */
export class RedisServer extends Service {
  constructor(folder: string) {
    super(folder, { name: 'Redis', account: serviceAccount('redis') });
  }

  /** Whether there are data that it would start with. */
  hasData(): Promise<boolean> {
    return exists(join(this.data, 'appendonlydir', 'appendonly.aof.manifest'));
  }

  /** Starts it as what the record says. It may take long to read its data. To be called when it does not run. */
  async launch(program: string, record: DatabaseRecord): Promise<ProcessIdentity> {
    await this.killAll();
    await rm(join(this.data, socketFile), { force: true });
    await this.writeSettings(record);
    return this.launchProcess(program, [join(dataFolder, settingsFile)]);
  }

  /** Writes the files that settings name; what runs takes them over when it is told to. */
  async writeSettings(record: DatabaseRecord): Promise<void> {
    for (const [name, text] of Object.entries(settingsFiles(record, dataFolder))) {
      await this.writeFile(name, text);
    }
  }

  /** Ends it in order. @throws when it does not end */
  async stop(): Promise<void> {
    await this.end('SIGTERM', patience);
  }

  /**
   * Lends a session. The data folder is named by a descriptor: socket paths must be short.
   * @throws when `signal` fires, also while the server does not answer; when it takes too long
   */
  async session<T>(
    password: string,
    use: (session: Session) => Promise<T>,
    { signal, timeout = answerPatience }: SessionOptions = {},
  ): Promise<T> {
    signal?.throwIfAborted();
    const folder = await open(this.data, 'r');
    const client = createClient({
      username: admin,
      password,
      RESP: 2,
      disableClientInfo: true,
      disableOfflineQueue: true,
      socket: {
        path: `/proc/self/fd/${folder.fd}/${socketFile}`,
        tls: false,
        reconnectStrategy: false,
      },
    });
    client.on('error', () => undefined); // the command under way rejects with it
    const late = AbortSignal.timeout(timeout);
    const given = signal ? AbortSignal.any([signal, late]) : late;
    const broken = new Promise<never>((_, reject) => {
      given.addEventListener('abort', () => reject(given.reason), { once: true });
    });
    broken.catch(() => undefined); // whoever waits on the race below hears of it
    const send = (command: readonly string[]) => client.sendCommand([...command]);
    const session: Session = {
      tell: async (...command) => void (await send(command)),
      list: async (...command) => words.parse(await send(command)),
      ask: (...command) =>
        client.sendCommand(command, { typeMapping: { [RESP_TYPES.BLOB_STRING]: Buffer } }),
      info: async () => readInfo(z.string().parse(await send(['INFO']))),
    };
    try {
      return await Promise.race([client.connect().then(() => use(session)), broken]);
    } finally {
      if (client.isOpen) client.destroy();
      await folder.close();
    }
  }
}
