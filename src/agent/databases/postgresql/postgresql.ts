import { mkdir } from 'node:fs/promises';
import type { Binaries } from '../../../postgresql/binaries.js';
import { Refusal } from '../../../shared/errors.js';
import { databasePorts, freePort } from '../../../shared/free-port.js';
import { newSecret } from '../../../shared/ids.js';
import { readJsonFile, writeJsonFile } from '../../../shared/json-file.js';
import { createCertificate } from '../../../shared/self-signed.js';
import type { Place, Product, Provision } from '../product.js';
import { PostgresqlDatabase } from './database.js';
import { platformOf } from './platform.js';
import { type DatabaseRecord, record, recordFile } from './record.js';

/** PostgreSQL, in every major that the host has. */
export class Postgresql implements Product {
  readonly name = 'postgresql';
  readonly #majors: readonly Binaries[];
  readonly #place: Place;

  constructor({ majors, ...place }: { majors: readonly Binaries[] } & Place) {
    this.#majors = majors;
    this.#place = place;
  }

  async offer() {
    const versions = this.#majors.map(({ major }) => major);
    return {
      product: this.name,
      title: 'PostgreSQL',
      description: 'A PostgreSQL server of its own for the application.',
      versions,
      plans: ['postgresql-sandbox'],
      platforms: Object.fromEntries(
        await Promise.all(
          this.#majors.map(async (one) => [one.major, await platformOf(one)] as const),
        ),
      ),
    };
  }

  async provision(folder: string, { id, plan, version, role }: Provision) {
    const binaries = this.#binaries(version);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const made: DatabaseRecord = {
      id,
      major: binaries.major,
      plan,
      port: await freePort(databasePorts),
      role,
      fenced: false,
      login: {
        user: `app_${id.slice(0, 8)}`,
        password: newSecret(),
        database: `app_${id.slice(0, 8)}`,
      },
      ...(await createCertificate(id)),
      grants: [],
      following: null,
      removing: false,
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

  #database(folder: string, found: DatabaseRecord): PostgresqlDatabase {
    return new PostgresqlDatabase(folder, found, {
      ...this.#place,
      binaries: this.#binaries(found.major),
      majors: this.#majors,
    });
  }

  #binaries(version: string): Binaries {
    const found = this.#majors.find(({ major }) => major === version);
    if (found) return found;
    const offered = this.#majors.map(({ major }) => major).join(', ');
    throw Refusal.invalid(
      'version',
      `PostgreSQL ${version} is not offered here; it offers ${offered}.`,
    );
  }
}
