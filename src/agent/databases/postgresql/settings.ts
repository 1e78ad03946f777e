import type { HbaRule, Settings } from '../../../postgresql/configuration.js';
import { connectionString } from '../../../postgresql/connection-string.js';
import { writer } from './logical/writer.js';
import { copyRateSetting } from './primary-pace.js';
import { type DatabaseRecord, type Endpoint, fenceOf } from './record.js';

/** Files of the data folder; PostgreSQL runs there, so plain names do. */
export const certificateFile = 'godwit.crt';
export const privateKeyFile = 'godwit.key';
export const primaryCertificateFile = 'godwit-primary.crt';
export const passwordFile = 'godwit-primary.pass';

/**
 * `postgresql.conf` of an app's database. What a follower must have at least as much of as its
 * primary (such as `max_connections`) is the same everywhere.
 * @param place.copyRate how fast it may be copied, in bytes a second; null for any rate
 */
export function settingsOf(
  record: DatabaseRecord,
  { address, copyRate }: { readonly address: string; readonly copyRate: number | null },
): Settings {
  const { following } = record;
  return {
    listen_addresses: [...new Set(['127.0.0.1', address])].join(','),
    max_connections: 100,
    shared_buffers: '64MB',
    // Also for who may never be followed by rows: changing it takes a restart, which the app would notice.
    wal_level: 'logical',
    max_wal_senders: 10,
    max_replication_slots: 10,
    max_wal_size: '2GB',
    // A follower that stays away for long is copied anew rather than that the disk fills up.
    max_slot_wal_keep_size: '16GB',
    hot_standby: true,
    hot_standby_feedback: true,
    max_standby_streaming_delay: '1s',
    wal_receiver_status_interval: '1s',
    wal_retrieve_retry_interval: '200ms',
    ssl: true,
    ssl_cert_file: certificateFile,
    ssl_key_file: privateKeyFile,
    max_logical_replication_workers: 6,
    default_transaction_read_only: fenceOf(record) === 'read-only',
    [copyRateSetting]: copyRate ?? 0,
    ...(following && linkSettings(following)),
  };
}

function linkSettings({ endpoint, copied }: NonNullable<DatabaseRecord['following']>): Settings {
  if (endpoint.link === 'physical') {
    return {
      primary_conninfo: connectionInfo(endpoint),
      primary_slot_name: endpoint.slot,
    };
  }
  return copied ? {} : whileCopying;
}

/**
 * A copy by rows begins anew when it breaks off, so until it is whole nothing need survive a
 * crash. With no log of what is written it is only half the work.
 */
const whileCopying: Settings = {
  wal_level: 'minimal',
  max_wal_senders: 0,
  max_logical_replication_workers: 0,
  fsync: false,
  full_page_writes: false,
  synchronous_commit: 'off',
  autovacuum: false,
  max_wal_size: '16GB',
  checkpoint_timeout: '1h',
  maintenance_work_mem: '256MB',
};

/**
 * Reads what an app keeps in its cluster, over the same socket. To read a table can run code of its
 * owner's (immutable functions in the predicates of its indexes), which must not be a superuser's.
 */
export const reader = 'godwit_reader';

/**
 * `pg_hba.conf`: every follower there is a grant for, and the app's own login, unless only
 * followers may come, or what follows by rows could be written to.
 */
export function rulesOf(record: DatabaseRecord): HbaRule[] {
  const { role, fenced, following, grants } = record;
  const { database, user } = record.login;
  const isByRows = following?.endpoint.link === 'logical';
  const isOpen = role === 'primary' ? !fenced : !isByRows;
  const app: HbaRule = { type: 'host', database, user, from: 'here' };
  const ofReader: HbaRule = { type: 'local', database: 'all', user: reader, from: 'here' };
  const ofRows: HbaRule = { type: 'local', database: 'all', user: writer, from: 'here' };
  const followers = grants.map(
    ({ name, link, from }): HbaRule => ({
      // Followers log in over TLS only.
      ...{ type: 'hostssl', user: name, from },
      database: link === 'physical' ? 'replication' : 'all',
    }),
  );
  return [ofReader, ...(isOpen ? [app] : []), ...(isByRows ? [ofRows] : []), ...followers];
}

/** The line of a password file (PostgreSQL documentation, "The Password File"), so that the catalog need not hold it. */
export function passwordLine({ user, password }: Endpoint): string {
  const escaped = [user, password].map((text) => text.replaceAll(/[:\\]/g, '\\$&'));
  return `*:*:*:${escaped.join(':')}\n`;
}

/**
 * How libpq connects a follower.
 * @param more such as the database
 */
export function connectionInfo(
  { host, port, user }: Endpoint,
  more: Readonly<Record<string, string>> = {},
): string {
  return connectionString({
    ...{ host, port, user },
    passfile: passwordFile,
    sslmode: 'verify-ca',
    sslrootcert: primaryCertificateFile,
    connect_timeout: 5,
    ...more,
  });
}
