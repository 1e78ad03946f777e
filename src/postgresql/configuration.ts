/** Settings of `postgresql.conf`. */
export type Settings = Readonly<Record<string, string | number | boolean>>;

/** Who may log in: a line of `pg_hba.conf`. Over TCP it takes a password; over the socket (`local`) it does not. */
export interface HbaRule {
  readonly type: 'local' | 'host' | 'hostssl';
  /** A database, or `replication` or `all`. */
  readonly database: string;
  readonly user: string;
  /** From where over TCP: this host only, or these networks; any, if there are none. */
  readonly from: 'here' | readonly string[];
}

/** What every cluster of Godwit has, whatever it is for. */
const always: Settings = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '.',
  unix_socket_permissions: '0700',
  password_encryption: 'scram-sha-256',
  logging_collector: false,
  log_line_prefix: '%m [%p] ',
  log_timezone: 'UTC',
  timezone: 'UTC',
  dynamic_shared_memory_type: 'posix',
};

/** The text of `postgresql.conf`. */
export function settingsFile(settings: Settings): string {
  const lines = Object.entries({ ...always, ...settings }).map(
    ([name, value]) => `${name} = ${quote(value)}`,
  );
  return `# Written by Godwit before every start; changes are lost.\n${lines.join('\n')}\n`;
}

function quote(value: string | number | boolean): string {
  if (typeof value === 'boolean') return value ? 'on' : 'off';
  if (typeof value === 'number') return String(value);
  return `'${value.replaceAll("'", "''")}'`;
}

/** The text of `pg_hba.conf`: the superuser over the socket, and those named. */
export function hbaFile(superuser: string, rules: readonly HbaRule[]): string {
  const lines = rules.flatMap(({ type, database, user, from }) => {
    const who = `${type} ${databaseName(database)} "${user}"`;
    if (type === 'local') return [`${who} trust`];
    return addresses(from).map((address) => `${who} ${address} scram-sha-256`);
  });
  return `local all "${superuser}" trust\n${lines.join('\n')}\n`;
}

function addresses(from: HbaRule['from']): readonly string[] {
  if (from === 'here') return ['127.0.0.1/32'];
  return from.length === 0 ? ['all'] : from;
}

/** Two are words of the file; everything else is a name, quoted so that it is not one. */
function databaseName(text: string): string {
  return text === 'replication' || text === 'all' ? text : `"${text}"`;
}
