import { databasePorts, freePort } from '../../../shared/free-port.js';
import { newSecret } from '../../../shared/ids.js';
import { createCertificate } from '../../../shared/self-signed.js';
import type { Place, Product } from '../product.js';
import { productOf } from '../product-of.js';
import type { RedisProgram } from './binaries.js';
import { RedisDatabase } from './database.js';
import { record, recordFile } from './record.js';

/** Redis, or Valkey, in every version that the host has. */
export function redis({
  programs,
  ...place
}: { readonly programs: readonly RedisProgram[] } & Place): Product {
  return productOf({
    name: 'redis',
    title: 'Redis',
    description: 'A Redis server of its own for the application, which keeps what it acknowledges.',
    plans: ['redis-sandbox'],
    programs: new Map(programs.map(({ version, path }) => [version, path])),
    packages: 'redis-server',
    ...{ record, recordFile },
    versionOf: ({ version }) => version,
    begin: async ({ id, plan, version, role }) => ({
      ...{ id, version, plan, removing: false },
      port: await freePort(databasePorts),
      doorPort: await freePort(databasePorts),
      state: role === 'empty' ? { role } : { role, begun: false, fenced: false, grants: [] },
      login: { password: newSecret() },
      adminPassword: newSecret(),
      ...(await createCertificate(id)),
    }),
    open: (folder, found, program) => new RedisDatabase(folder, found, { ...place, program }),
  });
}
