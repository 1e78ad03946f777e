import type { DatabaseRecord, Follower } from './record.js';
import { usersOf } from './users.js';

/** Files of the data folder; Redis works there, so plain names do. */
export const settingsFile = 'redis.conf';
export const socketFile = 'redis.sock';
const primaryCertificateFile = 'primary.crt';
const certificateFile = 'follower.crt';
const privateKeyFile = 'follower.key';

/** How a server is told something, in `redis.conf` and by `CONFIG SET`. */
export type Setting = readonly [name: string, value: string];

/** Seconds; a primary that is fenced adds nothing to its history, not even that it is there. */
const [pingPeriod, never] = ['10', '2147483647'];

/** What a server listens to, and keeps; the same whatever it is. */
function common(port: number): Setting[] {
  return [
    ['bind', '127.0.0.1'],
    ['port', `${port}`],
    ['unixsocket', socketFile],
    ['unixsocketperm', '700'],
    // Whoever kills it loses nothing that was acknowledged.
    ['appendonly', 'yes'],
    ['appendfsync', 'always'],
    ['save', ''],
    // A copy goes straight from memory to memory.
    ['repl-diskless-sync', 'yes'],
    ['repl-diskless-sync-delay', '0'],
    ['repl-diskless-load', 'on-empty-db'],
    // A follower that stays away for longer is copied anew rather than that the memory fills up.
    ['repl-backlog-size', '64mb'],
    ['repl-backlog-ttl', '0'],
    // Seconds of silence. Where a line is cut for a minute, a copy goes on when it is back; it would begin anew.
    ['repl-timeout', '180'],
    ['client-output-buffer-limit', 'replica 1gb 256mb 120'],
  ];
}

/** `redis.conf`, with all that the database is: it starts as what it is to be. */
function redisConf(record: DatabaseRecord, folder: string): string {
  const { port, state } = record;
  const settings: Setting[] = [['dir', folder], ...common(port), ...changingSettings(record)];
  if (state.role === 'follower') settings.push(['replicaof', addressOf(state).join(' ')]);
  settings.push(...usersOf(record).map((user): Setting => ['user', user.join(' ')]));
  return `${settings.map(([name, value]) => `${name} ${value || '""'}`).join('\n')}\n`;
}

/** The files that the settings name. */
export function settingsFiles(record: DatabaseRecord, folder: string): Record<string, string> {
  const { state } = record;
  return {
    [settingsFile]: redisConf(record, folder),
    ...(state.role === 'follower' && {
      [primaryCertificateFile]: state.endpoint.primaryCertificate,
      [certificateFile]: state.endpoint.certificate,
      [privateKeyFile]: state.endpoint.privateKey,
    }),
  };
}

/** What can be another while the server runs. */
export function changingSettings({ state }: DatabaseRecord): Setting[] {
  const isFenced = state.role === 'primary' && state.fenced;
  return [
    ['repl-ping-replica-period', isFenced ? never : pingPeriod],
    ...(state.role === 'follower' ? primarySettings(state) : noPrimary),
  ];
}

/** How a follower speaks to its primary: over TLS, its primary being the one that is pinned. */
function primarySettings({ endpoint }: Follower): Setting[] {
  return [
    ['tls-ca-cert-file', primaryCertificateFile],
    ['tls-cert-file', certificateFile],
    ['tls-key-file', privateKeyFile],
    ['tls-replication', 'yes'],
    ['masteruser', endpoint.user],
    ['masterauth', endpoint.password],
  ];
}

const noPrimary: Setting[] = [
  ['tls-replication', 'no'],
  ['masteruser', ''],
  ['masterauth', ''],
];

export function addressOf({ endpoint }: Follower): [host: string, port: string] {
  return [endpoint.host, `${endpoint.port}`];
}
