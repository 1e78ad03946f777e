import type { HbaRule, Settings } from '../../../postgresql/configuration.js';
import type { DatabaseRecord, Endpoint } from './record.js';

/** Files of the data folder; PostgreSQL runs there, so plain names do. */
export const certificateFile = 'godwit.crt';
export const privateKeyFile = 'godwit.key';
export const primaryCertificateFile = 'godwit-primary.crt';

/**
 * `postgresql.conf` of an app's database. What a follower must have at least as much of as its
 * primary (such as `max_connections`) is the same everywhere.
 * @param address of this host, for followers in other regions
 */
export function settingsOf({ following }: DatabaseRecord, address: string): Settings {
  return {
    listen_addresses: [...new Set(['127.0.0.1', address])].join(','),
    max_connections: 100,
    shared_buffers: '64MB',
    wal_level: 'replica',
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
    ...(following && {
      primary_conninfo: connectionInfo(following.endpoint),
      primary_slot_name: following.endpoint.slot,
    }),
  };
}

/** `pg_hba.conf`: the app's own login, and every follower there is a grant for. */
export function rulesOf(record: DatabaseRecord): HbaRule[] {
  const { database, user } = record.login;
  return [{ type: 'host', database, user, from: 'here' }, ...followerRules(record)];
}

/** Followers log in over TLS only. */
export function followerRules({ grants }: DatabaseRecord): HbaRule[] {
  return grants.map(({ name }) => ({
    type: 'hostssl',
    database: 'replication',
    user: name,
    from: 'anywhere',
  }));
}

/** A libpq connection string (PostgreSQL documentation, "Connection Strings"). */
function connectionInfo({ host, port, user, password }: Endpoint): string {
  const parts = {
    host,
    port: String(port),
    user,
    password,
    sslmode: 'verify-ca',
    sslrootcert: primaryCertificateFile,
    connect_timeout: '5',
  };
  return Object.entries(parts)
    .map(([key, value]) => `${key}='${value.replaceAll(/['\\]/g, '\\$&')}'`)
    .join(' ');
}
