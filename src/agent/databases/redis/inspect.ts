import type { Inspection } from '../../../region/model.js';
import type { Info } from './info.js';

type Found = Pick<Inspection, 'size' | 'obstacles' | 'unsuitable' | 'remarks'>;

/** What does not move as it is, or the owner should know of. */
export function judge(seen: Info): Found {
  const obstacles: string[] = [];
  const unsuitable: string[] = [];
  const remarks: string[] = [];
  if (seen.modules.length > 0) {
    obstacles.push(
      `It has modules (${seen.modules.join(', ')}), whose data another server may not read. Remove them, and what they keep.`,
    );
  }
  if (seen.aof_last_write_status !== 'ok') {
    unsuitable.push(
      'Its last write to the disk failed, so that it takes none any more. Make room on the disk of its host.',
    );
  }
  if (seen.aof_last_bgrewrite_status !== 'ok') {
    unsuitable.push(
      'Its log could not be written anew, as a copy would have to be. Look for free memory and disk on its host, and at its log.',
    );
  }
  if (seen.rdb_last_bgsave_status !== 'ok') {
    remarks.push(
      'Its last snapshot failed, and a copy begins with one: look at its log if that fails too.',
    );
  }
  if (seen.maxmemory > 0 && seen.maxmemory_policy !== 'noeviction') {
    remarks.push(
      `It evicts keys when its memory is full (${seen.maxmemory_policy}); those that are gone do not move.`,
    );
  }
  if (seen.number_of_cached_scripts > 0) {
    remarks.push(
      `${seen.number_of_cached_scripts} scripts are in its cache, which does not move: clients are told NOSCRIPT, and load them again. Functions do move.`,
    );
  }
  return { size: seen.used_memory_dataset, obstacles, unsuitable, remarks };
}
