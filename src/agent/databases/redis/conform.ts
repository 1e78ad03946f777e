import type { DatabaseRecord } from './record.js';
import type { Session } from './server.js';
import { addressOf, changingSettings } from './settings.js';
import { appOf, appUser, type User, usersOf } from './users.js';

/** For how long writes of a fenced database are held back, in milliseconds: until that is taken back. */
const forGood = '315360000000';

/**
 * Makes a running server be what the record says, whatever it was before; its settings' files are
 * there. Clients of the app are locked out first, and let in last.
 */
export async function conform(session: Session, record: DatabaseRecord): Promise<void> {
  const { state } = record;
  const isFenced = state.role === 'primary' && state.fenced;
  if (isFenced) {
    await session.tell(...setUser(appOf(record)));
    await session.tell('CLIENT', 'KILL', 'USER', appUser);
    // Keys do not expire either: all that adds to the history has ended.
    await session.tell('CLIENT', 'PAUSE', forGood, 'WRITE');
  }
  await session.tell('CONFIG', 'SET', ...changingSettings(record).flat());
  await followOrLead(session, record);
  await setUsers(session, usersOf(record));
  if (!isFenced) await session.tell('CLIENT', 'UNPAUSE');
}

async function followOrLead(session: Session, { state }: DatabaseRecord): Promise<void> {
  const { role, master_host, master_port } = await session.info();
  if (state.role === 'follower') {
    const [host, port] = addressOf(state);
    // What is reading its data can be told nothing of this, and need not be.
    if (master_host === host && `${master_port}` === port) return;
    await session.tell('REPLICAOF', host, port);
  } else if (role === 'slave') {
    await session.tell('REPLICAOF', 'NO', 'ONE');
  }
}

/** Takes away all other users; their sessions end. */
async function setUsers(session: Session, users: readonly User[]): Promise<void> {
  const wanted = users.map(([name]) => name);
  const foreign = (await session.list('ACL', 'USERS')).filter((name) => !wanted.includes(name));
  if (foreign.length > 0) await session.tell('ACL', 'DELUSER', ...foreign);
  for (const user of users) await session.tell(...setUser(user));
}

function setUser(user: User): string[] {
  return ['ACL', 'SETUSER', ...user];
}
