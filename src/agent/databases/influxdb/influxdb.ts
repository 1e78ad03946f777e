import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { isMissing } from '../../../shared/errors.js';
import { databasePorts, freePort } from '../../../shared/free-port.js';
import { createCertificate } from '../../../shared/self-signed.js';
import { OfflineDatabase } from '../offline/database.js';
import { type Login, record } from '../offline/record.js';
import type { Place, Product } from '../product.js';
import { newLogin, productOf } from '../product-of.js';
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
export function influxdb({
  influxd,
  ...place
}: { readonly influxd: Influxd | null } & Place): Product {
  const name = 'influxdb';
  return productOf({
    name,
    title: 'InfluxDB',
    description: 'An InfluxDB server of its own for the application.',
    plans: ['influxdb-sandbox'],
    programs: new Map(influxd ? [[influxd.version, influxd.program]] : []),
    packages: 'influxdb',
    ...{ record, recordFile },
    versionOf: ({ version }) => version,
    begin: async ({ id, plan, version, role }) => ({
      ...{ id, version, plan, role, fence: null },
      port: await freePort(databasePorts),
      doorPort: await freePort(databasePorts),
      login: newLogin(id),
      welcomed: false,
      ...(await createCertificate(id)),
      ...{ grants: [], following: null, removing: false },
    }),
    open: (folder, found, program) =>
      new OfflineDatabase(folder, found, {
        ...place,
        product: name,
        server: new InfluxdbServer(folder, program),
        recordFile: recordFile(folder),
        variables,
      }),
  });
}

function variables(port: number, { user, password, database }: Login): Record<string, string> {
  const url = `http://${user}:${password}@127.0.0.1:${port}/${database}`;
  return { SCALINGO_INFLUX_URL: url, INFLUX_URL: url };
}
