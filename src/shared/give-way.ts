import { writeFile } from 'node:fs/promises';
import { setPriority } from 'node:os';

/**
 * For processors, and thereby for disks (ioprio_set(2)): a thirtieth of the share of a usual process that never rests
 * (sched(7), "The nice value"). The lowest, 19, would be less than half of that, and hardly come to an end on a busy host.
 */
export const lowPriority = 15;

/**
 * Has a process leave nearly all of a busy host to others, as far as the host lets it be told so. Not for one that
 * others wait for, such as who holds locks.
 */
export async function giveWay(pid: number): Promise<void> {
  try {
    setPriority(pid, lowPriority);
    // Where sessions share a processor evenly (sched(7), "autogroup"), it is the session's priority that counts.
    await writeFile(`/proc/${pid}/autogroup`, String(lowPriority));
  } catch {
    // It has ended, we may not (as root in many containers), or there are no such groups.
  }
}
