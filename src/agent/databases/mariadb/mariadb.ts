import { randomInt } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { Refusal } from '../../../shared/errors.js';
import { databasePorts, freePort } from '../../../shared/free-port.js';
import { newSecret } from '../../../shared/ids.js';
import { readJsonFile, writeJsonFile } from '../../../shared/json-file.js';
import { createCertificate } from '../../../shared/self-signed.js';
import type { Place, Product, Provision } from '../product.js';
import { MariadbDatabase } from './database.js';
import type { Programs } from './programs.js';
import { type DatabaseRecord, record, recordFile } from './record.js';

/** Server numbers of MariaDB are of 32 bits, and 0 is none. */
const serverNumbers = 2 ** 32;

/** MariaDB, in the series that the host has. */
export class Mariadb implements Product {
  readonly name = 'mariadb';
  readonly #programs: Programs | null;
  readonly #place: Place;

  /** @param parts.programs null where the host has none: nothing is on offer */
  constructor({ programs, ...place }: { programs: Programs | null } & Place) {
    this.#programs = programs;
    this.#place = place;
  }

  async offer() {
    return {
      product: this.name,
      title: 'MariaDB',
      description: 'A MariaDB server of its own for the application; it speaks as MySQL does.',
      versions: this.#programs ? [this.#programs.series] : [],
      plans: ['mariadb-sandbox'],
    };
  }

  async provision(folder: string, { id, plan, version, role }: Provision) {
    const programs = this.#find(version);
    await mkdir(folder, { recursive: true, mode: 0o711 });
    const user = `app_${id.slice(0, 8)}`;
    const made: DatabaseRecord = {
      id,
      series: programs.series,
      plan,
      port: await freePort(databasePorts),
      copyPort: await freePort(databasePorts),
      server: randomInt(1, serverNumbers),
      role,
      fenced: false,
      login: { user, password: newSecret(), database: user },
      password: newSecret(),
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

  #database(folder: string, found: DatabaseRecord): MariadbDatabase {
    return new MariadbDatabase(folder, found, {
      ...this.#place,
      programs: this.#find(found.series),
    });
  }

  #find(version: string): Programs {
    if (this.#programs?.series === version) return this.#programs;
    throw Refusal.invalid(
      'version',
      this.#programs
        ? `MariaDB ${version} is not offered here; it offers ${this.#programs.series}.`
        : `MariaDB ${version} is not offered here: the host lacks its programs. Install mariadb-server and mariadb-backup.`,
    );
  }
}
