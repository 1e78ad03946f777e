import { randomInt } from 'node:crypto';
import { databasePorts, freePort } from '../../../shared/free-port.js';
import { newSecret } from '../../../shared/ids.js';
import { createCertificate } from '../../../shared/self-signed.js';
import type { Place, Product } from '../product.js';
import { newLogin, productOf } from '../product-of.js';
import { MariadbDatabase } from './database.js';
import type { Programs } from './programs.js';
import { record, recordFile } from './record.js';

/** Server numbers of MariaDB are of 32 bits, and 0 is none. */
const serverNumbers = 2 ** 32;

/**
 * MariaDB, in the series that the host has.
 * @param parts.programs null where the host has none: nothing is on offer
 */
export function mariadb({
  programs: found,
  ...place
}: { readonly programs: Programs | null } & Place): Product {
  return productOf({
    name: 'mariadb',
    title: 'MariaDB',
    description: 'A MariaDB server of its own for the application; it speaks as MySQL does.',
    plans: ['mariadb-sandbox'],
    programs: new Map(found ? [[found.series, found]] : []),
    packages: 'mariadb-server and mariadb-backup',
    mode: 0o711,
    ...{ record, recordFile },
    versionOf: ({ series }) => series,
    begin: async ({ id, plan, version, role }) => ({
      ...{ id, series: version, plan, role, fenced: false },
      port: await freePort(databasePorts),
      copyPort: await freePort(databasePorts),
      server: randomInt(1, serverNumbers),
      login: newLogin(id),
      password: newSecret(),
      ...(await createCertificate(id)),
      ...{ grants: [], following: null, removing: false },
    }),
    open: (folder, record, programs) => new MariadbDatabase(folder, record, { ...place, programs }),
  });
}
