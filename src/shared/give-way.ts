import { writeFile } from 'node:fs/promises';
import { constants, setPriority } from 'node:os';

/** The lowest for processors, and thereby for disks (ioprio_set(2)). */
const { PRIORITY_LOW: lowest } = constants.priority;

/**
 * Has a process run when nobody else of the host wants to, as far as the host lets it be told so. Not for one that
 * others wait for, such as who holds locks.
 */
export async function giveWay(pid: number): Promise<void> {
  try {
    setPriority(pid, lowest);
    // Where sessions share a processor evenly (sched(7), "autogroup"), it is the session's priority that counts.
    await writeFile(`/proc/${pid}/autogroup`, String(lowest));
  } catch {
    // It has ended, we may not (as root in many containers), or there are no such groups.
  }
}
