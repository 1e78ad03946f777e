import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { isMissing, Refusal } from '../../../shared/errors.js';
import { databasePorts, freePort } from '../../../shared/free-port.js';
import { newSecret } from '../../../shared/ids.js';
import { readJsonFile, writeJsonFile } from '../../../shared/json-file.js';
import { createCertificate } from '../../../shared/self-signed.js';
import { OfflineDatabase } from '../offline/database.js';
import { type Login, type OfflineRecord, record } from '../offline/record.js';
import type { Place, Product, Provision } from '../product.js';
import { InfluxdbServer } from './server.js';

/** An `influxd` of this host. */
export interface Influxd {
  readonly program: string;
  /** Such as `1.6`. */
  readonly version: string;
}

/** Finds Debian's InfluxDB 1.x; null where there is none. */
export async function findInfluxd(program = '/usr/bin/influxd'): Promise<Influxd | null> {
  const said = await promisify(execFile)(program, ['version']).catch((error) => {
    if (isMissing(error)) return { stdout: '' };
    throw error;
  });
  const version = /^InfluxDB v(1\.\d+)/.exec(said.stdout)?.[1];
  return version === undefined ? null : { program, version };
}

const recordFile = (folder: string) => join(folder, 'influxdb.json');

/** InfluxDB 1.x. */
export class Influxdb implements Product {
  readonly name = 'influxdb';
  readonly #influxd: Influxd | null;
  readonly #place: Place;

  constructor({ influxd, ...place }: { influxd: Influxd | null } & Place) {
    this.#influxd = influxd;
    this.#place = place;
  }

  async offer() {
    return {
      product: this.name,
      title: 'InfluxDB',
      description: 'An InfluxDB server of its own for the application.',
      versions: this.#influxd ? [this.#influxd.version] : [],
      plans: ['influxdb-sandbox'],
    };
  }

  async provision(folder: string, { id, plan, version, role }: Provision) {
    if (version !== this.#influxd?.version) {
      const offered = this.#influxd?.version ?? 'none';
      const what = `InfluxDB ${version} is not offered here; it offers ${offered}.`;
      throw Refusal.invalid('version', what);
    }
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const name = `app_${id.slice(0, 8)}`;
    const made: OfflineRecord = {
      ...{ id, version, plan, role },
      port: await freePort(databasePorts),
      doorPort: await freePort(databasePorts),
      fence: null,
      login: { user: name, password: newSecret(), database: name },
      welcomed: false,
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

  #database(folder: string, found: OfflineRecord): OfflineDatabase {
    return new OfflineDatabase(folder, found, {
      ...this.#place,
      product: this.name,
      server: new InfluxdbServer(folder, this.#influxd?.program ?? null),
      recordFile: recordFile(folder),
      variables,
    });
  }
}

function variables(port: number, { user, password, database }: Login): Record<string, string> {
  const url = `http://${user}:${password}@127.0.0.1:${port}/${database}`;
  return { SCALINGO_INFLUX_URL: url, INFLUX_URL: url };
}
