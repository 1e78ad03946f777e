import { followerPrefix, superuser } from './names.js';
import type { DatabaseRecord } from './record.js';

/** Files of the data folder, where the server works, so that plain names do. */
export const files = {
  settings: 'godwit.cnf',
  /** Statements that run at every start, before anybody can connect. */
  start: 'godwit.sql',
  /** How the superuser logs in, for `mariadb-backup`. */
  backup: 'godwit-backup.cnf',
  certificate: 'godwit.crt',
  privateKey: 'godwit.key',
  primaryCertificate: 'godwit-primary.crt',
  socket: 'mariadb.sock',
} as const;

/** Without followers, history is kept for those that are about to come, in seconds. */
const historyWithoutFollowers = 3_600;

/** What a database lets happen in each of its roles; the names are those of MariaDB's variables. */
export interface Conduct {
  readonly read_only: boolean;
  readonly event_scheduler: boolean;
  /** Run for everybody who connects and is no administrator. When it fails, they are shown the door. */
  readonly init_connect: string;
  readonly binlog_expire_logs_seconds: number;
}

/** Followers go on reading from a fenced primary; all others may not even look. */
const followersOnly = `BEGIN NOT ATOMIC IF LEFT(USER(), ${followerPrefix.length}) <> '${followerPrefix}' THEN SIGNAL SQLSTATE '08004' SET MESSAGE_TEXT = 'This database has been fenced'; END IF; END`;

/** How a database behaves: set while it runs, and in its settings for the next start. */
export function conductOf({ role, fenced, grants }: DatabaseRecord): Conduct {
  const takesWrites = role === 'primary' && !fenced;
  return {
    read_only: !takesWrites,
    // Events run once: where the writes are.
    event_scheduler: takesWrites,
    init_connect: fenced ? followersOnly : '',
    binlog_expire_logs_seconds: grants.length > 0 ? 0 : historyWithoutFollowers,
  };
}

/**
 * The settings file of an app's server.
 * @param folder path of the data folder, as the server sees it
 * @param address of this host, for followers in other regions
 */
export function settingsFile(record: DatabaseRecord, folder: string, address: string): string {
  const settings = {
    datadir: folder,
    socket: files.socket,
    pid_file: 'mariadb.pid',
    port: record.port,
    bind_address: [...new Set(['127.0.0.1', address])].join(','),
    skip_name_resolve: true,
    init_file: files.start,
    character_set_server: 'utf8mb4',
    collation_server: 'utf8mb4_unicode_ci',
    // What an app may have, and some for the agent and followers.
    max_user_connections: 100,
    max_connections: 120,
    local_infile: false,
    innodb_buffer_pool_size: '64M',
    innodb_flush_log_at_trx_commit: 1,
    // The history: what followers are sent, and what tells everybody how far they are.
    server_id: record.server,
    log_bin: 'binlog',
    binlog_format: 'ROW',
    sync_binlog: 1,
    max_binlog_size: '64M',
    log_slave_updates: true,
    gtid_strict_mode: true,
    // Rows are sent, not statements, so that what a function does need not be the same everywhere.
    log_bin_trust_function_creators: true,
    ssl_cert: files.certificate,
    ssl_key: files.privateKey,
    // Following is begun by whoever starts the server, and knows whom to follow.
    skip_slave_start: true,
    relay_log: 'relay',
    relay_log_recovery: true,
    slave_net_timeout: 10,
    slave_parallel_threads: 4,
    // Only what the primary committed together: ahead of its turn, what uses a sequence can lock out what alters it, for ever.
    slave_parallel_mode: 'conservative',
    master_retry_count: 1_000_000_000,
    ...conductOf(record),
  };
  const lines = Object.entries(settings).map(([name, value]) => `${name} = ${written(value)}`);
  return `# Written by Godwit before every start; changes are lost.\n[mariadbd]\n${lines.join('\n')}\n`;
}

function written(value: string | number | boolean): string {
  if (typeof value === 'boolean') return value ? 'ON' : 'OFF';
  if (typeof value === 'number') return String(value);
  return `"${value}"`;
}

/**
 * Makes the superuser, whatever a copy has brought from elsewhere. Its password is known in this
 * region only, and the socket is in a folder that nobody else can open.
 * @param password of letters that need no quotes
 */
export function startStatements(password: string): string {
  return [
    'SET sql_log_bin = 0;',
    `CREATE OR REPLACE USER ${superuser}@localhost IDENTIFIED BY '${password}';`,
    `GRANT ALL ON *.* TO ${superuser}@localhost WITH GRANT OPTION;`,
    'DROP USER IF EXISTS root@localhost;',
    '',
  ].join('\n');
}

/** Settings of `mariadb-backup`. */
export function backupSettings(password: string): string {
  return `[client]\nuser=${superuser}\npassword=${password}\nsocket=${files.socket}\n`;
}
