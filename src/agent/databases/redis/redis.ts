import { mkdir } from 'node:fs/promises';
import { Refusal } from '../../../shared/errors.js';
import { databasePorts, freePort } from '../../../shared/free-port.js';
import { newSecret } from '../../../shared/ids.js';
import { readJsonFile, writeJsonFile } from '../../../shared/json-file.js';
import { createCertificate } from '../../../shared/self-signed.js';
import type { Place, Product, Provision } from '../product.js';
import type { RedisProgram } from './binaries.js';
import { RedisDatabase } from './database.js';
import { type DatabaseRecord, record, recordFile } from './record.js';

/** Redis, or Valkey, in every version that the host has. */
export class Redis implements Product {
  readonly name = 'redis';
  readonly #programs: readonly RedisProgram[];
  readonly #place: Place;

  constructor({ programs, ...place }: { programs: readonly RedisProgram[] } & Place) {
    this.#programs = programs;
    this.#place = place;
  }

  async offer() {
    return {
      product: this.name,
      title: 'Redis',
      description:
        'A Redis server of its own for the application, which keeps what it acknowledges.',
      versions: this.#programs.map(({ version }) => version),
      plans: ['redis-sandbox'],
    };
  }

  async provision(folder: string, { id, plan, version, role }: Provision) {
    this.#program(version);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const made: DatabaseRecord = {
      ...{ id, version, plan, removing: false },
      port: await freePort(databasePorts),
      doorPort: await freePort(databasePorts),
      state:
        role === 'primary' ? { role, begun: false, fenced: false, grants: [] } : { role: 'empty' },
      login: { password: newSecret() },
      adminPassword: newSecret(),
      ...(await createCertificate(id)),
    };
    await writeJsonFile(recordFile(folder), made);
    const database = this.#database(folder, made);
    await database.tend();
    return database;
  }

  async open(folder: string) {
    const found = await readJsonFile(recordFile(folder), record);
    return found && this.#database(folder, found);
  }

  #database(folder: string, found: DatabaseRecord): RedisDatabase {
    return new RedisDatabase(folder, found, {
      ...this.#place,
      program: () => this.#program(found.version),
    });
  }

  #program(version: string): string {
    const found = this.#programs.find((one) => one.version === version);
    if (found) return found.path;
    const offered = this.#programs.map((one) => one.version).join(', ') || 'none';
    throw Refusal.invalid('version', `Redis ${version} is not offered here; it offers ${offered}.`);
  }
}
