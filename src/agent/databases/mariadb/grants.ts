import { isIPv6 } from 'node:net';
import { z } from 'zod';
import type { Networks } from '../../networks.js';
import { followerPrefix } from './names.js';
import type { DatabaseRecord, Grant } from './record.js';
import { quoteName, type Session } from './session.js';

const account = z.object({ user: z.string(), host: z.string() });

/** The app logs in over TCP, from the host that it shares with its database. */
const appHost = '127.0.0.1';

/**
 * Makes the app's database and user, unless the user is there. The user may make more databases whose
 * names begin with that of its own. The first statements of the history, which is never empty therefore.
 */
export async function ensureLogin(
  session: Session,
  { user, password, database }: DatabaseRecord['login'],
): Promise<void> {
  const known = await session.rows(
    account,
    'SELECT User AS user, Host AS host FROM mysql.global_priv WHERE User = ? AND Host = ?',
    [user, appHost],
  );
  if (known.length > 0) return;
  const pattern = quoteName(`${database.replaceAll('_', '\\_')}%`);
  await session.run('SET SESSION sql_log_bin = 1');
  await session.run(`CREATE DATABASE IF NOT EXISTS ${quoteName(database)}`);
  // One statement, so that there is no user without rights.
  await session.run(
    `GRANT ALL ON ${pattern}.* TO ${quoteName(user)}@${quoteName(appHost)} IDENTIFIED BY ?`,
    [password],
  );
  await session.run('SET SESSION sql_log_bin = 0');
}

/**
 * Makes the user of a follower, who may read the history and nothing else, over TLS and from its networks only;
 * one user each.
 */
export async function createGrant(
  session: Session,
  { name, password, from }: Grant,
): Promise<void> {
  for (const host of hostsOf(from)) {
    const user = `${quoteName(name)}@${quoteName(host)}`;
    await session.run(`CREATE OR REPLACE USER ${user} IDENTIFIED BY ? REQUIRE SSL`, [password]);
    await session.run(`GRANT REPLICATION SLAVE ON *.* TO ${user}`);
  }
}

/** Networks as MariaDB names them (documentation, "Account Names"). Of IPv6 it knows addresses only, beside all. */
export function hostsOf(from: Networks): readonly string[] {
  if (from.length === 0) return ['%'];
  const hosts = from.map((network) => {
    const [address = '', length = ''] = network.split('/');
    if (['32', '128'].includes(length)) return address;
    if (isIPv6(address) || length === '0') return '%';
    const mask = 2 ** 32 - 2 ** (32 - Number(length));
    const base = address.split('.').map((part, at) => Number(part) & byteOf(mask, at));
    return `${base.join('.')}/${base.map((_, at) => byteOf(mask, at)).join('.')}`;
  });
  return [...new Set(hosts)];
}

const byteOf = (mask: number, at: number) => (mask >>> (24 - 8 * at)) & 255;

/** Takes away all grants but these: a copy has those of its primary. Ends their sessions. */
export async function dropForeignGrants(session: Session, own: readonly Grant[]): Promise<void> {
  const found = await session.rows(
    account,
    'SELECT User AS user, Host AS host FROM mysql.global_priv WHERE LEFT(User, ?) = ?',
    [followerPrefix.length, followerPrefix],
  );
  const isOwn = ({ user, host }: z.infer<typeof account>) =>
    own.some(({ name, from }) => name === user && hostsOf(from).includes(host));
  for (const { user, host } of found.filter((one) => !isOwn(one))) {
    await session.run(`DROP USER ${quoteName(user)}@${quoteName(host)}`);
    await session.run(`KILL USER ${quoteName(user)}`);
  }
}
