import type { Following } from '../../../region/model.js';
import { type Info, isDurable } from './info.js';
import type { Follower } from './record.js';

/** A follower that is this far behind, in bytes, is still catching up. */
const keepsUp = 16 * 1024 * 1024;

/** Whether it has all that its primary has, but for what is on its way. */
export function isInSync(seen: Info): boolean {
  return seen.role === 'slave' && seen.master_link_status === 'up' && isDurable(seen);
}

/** How far a follower is. */
export function progressOf(seen: Info, { endpoint, copied }: Follower): Following {
  const isCopying =
    !seen.loading && !seen.master_sync_in_progress
      ? !copied && seen.master_link_status === 'down'
      : true;
  if (isCopying) {
    const done = seen.loading ? seen.loading_loaded_bytes : seen.master_sync_read_bytes;
    const total = Math.max(done, endpoint.size);
    return { stage: 'copying', copied: done, total, lag: null, reason: null };
  }
  const size = seen.used_memory_dataset;
  const lag =
    seen.master_link_status === 'up'
      ? Number(seen.slave_read_repl_offset - seen.slave_repl_offset)
      : null;
  const stage = isInSync(seen) && lag !== null && lag < keepsUp ? 'streaming' : 'catching-up';
  return { stage, copied: size, total: size, lag, reason: null };
}
