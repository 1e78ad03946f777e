import { readdirSync, readFileSync, statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';

/**
 * What tells one process of this host from all others, also from a later one with the same
 * number: its start time, in clock ticks since boot (field 22 of `/proc/<pid>/stat`, see proc(5)).
 */
export const processIdentity = z.object({ pid: z.number().int(), startTime: z.string() });
export type ProcessIdentity = z.infer<typeof processIdentity>;

interface Stat {
  readonly state: string;
  readonly group: number;
  readonly startTime: string;
}

function readStat(pid: number): Stat | null {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return null; // no such process
  }
  // The second field is the command in parentheses, which may itself hold spaces and parentheses.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state, group, startTime] = [fields[0], fields[2], fields[19]];
  return state && startTime ? { state, group: Number(group), startTime } : null;
}

/** The identity of a process that runs now, or null when there is none. */
export function identify(pid: number): ProcessIdentity | null {
  const stat = readStat(pid);
  return stat && stat.state !== 'Z' ? { pid, startTime: stat.startTime } : null;
}

/** Whether exactly this process still runs. A zombie does not. */
export function isAlive(identity: ProcessIdentity): boolean {
  return identify(identity.pid)?.startTime === identity.startTime;
}

/**
 * Sends a signal to exactly this process, or to its whole group (it must lead one).
 * @returns false when it had already ended
 */
export function signalProcess(
  identity: ProcessIdentity,
  signal: NodeJS.Signals,
  to: 'process' | 'group' = 'process',
): boolean {
  if (!isAlive(identity)) return false;
  try {
    process.kill(to === 'group' ? -identity.pid : identity.pid, signal);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ESRCH') return false;
    throw error;
  }
}

/**
 * Waits until the process has ended. @returns whether it had within `timeout` ms
 * @throws when `signal` fires
 */
export async function waitForExit(
  identity: ProcessIdentity,
  timeout: number,
  signal?: AbortSignal,
): Promise<boolean> {
  const deadline = Date.now() + timeout;
  while (isAlive(identity)) {
    signal?.throwIfAborted();
    if (Date.now() >= deadline) return false;
    await sleep(10);
  }
  return true;
}

/**
 * The processes whose working directory is this one, as far as that can be read. A process may know it
 * by another path (one that is mounted for it alone), so it is told by what it is.
 */
export function workingIn(folder: string): ProcessIdentity[] {
  const wanted = statSync(folder, { throwIfNoEntry: false });
  if (!wanted) return [];
  return runningProcesses().flatMap(({ process }) => {
    try {
      const cwd = statSync(`/proc/${process.pid}/cwd`);
      return cwd.dev === wanted.dev && cwd.ino === wanted.ino ? process : [];
    } catch {
      return []; // another user's, or just ended
    }
  });
}

/** The processes of a process group that still run, its leader or not. */
export function groupMembers(group: number): ProcessIdentity[] {
  return runningProcesses().flatMap((running) => (running.group === group ? running.process : []));
}

/** The processes whose environment has the variable, with its value, as far as it can be read. */
export function withVariable(name: string): { process: ProcessIdentity; value: string }[] {
  return runningProcesses().flatMap(({ process }) => {
    const value = readEnvironment(process.pid)
      .find((entry) => entry.startsWith(`${name}=`))
      ?.slice(name.length + 1);
    return value === undefined ? [] : [{ process, value }];
  });
}

function runningProcesses(): { process: ProcessIdentity; group: number }[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .flatMap((entry) => {
      const pid = Number(entry);
      const stat = readStat(pid);
      if (!stat || stat.state === 'Z') return [];
      return { process: { pid, startTime: stat.startTime }, group: stat.group };
    });
}

function readEnvironment(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
  } catch {
    return []; // another user's, or just ended
  }
}
