import type { Binaries } from '../../../postgresql/binaries.js';
import { databasePorts, freePort } from '../../../shared/free-port.js';
import { createCertificate } from '../../../shared/self-signed.js';
import type { Place, Product } from '../product.js';
import { newLogin, productOf } from '../product-of.js';
import { PostgresqlDatabase } from './database.js';
import { platformOf } from './platform.js';
import { record, recordFile } from './record.js';

/** PostgreSQL, in every major that the host has. */
export function postgresql({
  majors,
  ...place
}: { readonly majors: readonly Binaries[] } & Place): Product {
  return productOf({
    name: 'postgresql',
    title: 'PostgreSQL',
    description: 'A PostgreSQL server of its own for the application.',
    plans: ['postgresql-sandbox'],
    programs: new Map(majors.map((binaries) => [binaries.major, binaries])),
    packages: 'postgresql-15 or a later one',
    async platforms() {
      const platformsOf = majors.map(async (one) => [one.major, await platformOf(one)] as const);
      return Object.fromEntries(await Promise.all(platformsOf));
    },
    ...{ record, recordFile },
    versionOf: ({ major }) => major,
    begin: async ({ id, plan, version, role }) => ({
      ...{ id, major: version, plan, role, fenced: false },
      port: await freePort(databasePorts),
      login: newLogin(id),
      ...(await createCertificate(id)),
      ...{ grants: [], following: null, removing: false },
    }),
    open: (folder, found, binaries) =>
      new PostgresqlDatabase(folder, found, { ...place, binaries, majors }),
  });
}
