import { z } from 'zod';

const count = z.coerce.number();
const offset = z.coerce.bigint();
const flag = z.enum(['0', '1']).transform((value) => value === '1');

/** What is read of the answer to `INFO` (Redis documentation, command INFO). Sizes in bytes. */
const info = z.object({
  redis_version: z.string(),
  valkey_version: z.string().optional(),
  /** What the data take, without what the server does by itself. */
  used_memory_dataset: count,
  number_of_cached_scripts: count,
  maxmemory: count,
  maxmemory_policy: z.string(),
  /** It reads its data, from the disk or from its primary. */
  loading: flag,
  loading_loaded_bytes: count.default(0),
  aof_rewrite_in_progress: flag,
  aof_rewrite_scheduled: flag,
  aof_enabled: flag,
  aof_last_bgrewrite_status: z.string(),
  aof_last_write_status: z.string(),
  rdb_last_bgsave_status: z.string(),
  role: z.enum(['master', 'slave']),
  master_host: z.string().optional(),
  master_port: count.optional(),
  master_link_status: z.enum(['up', 'down']).default('down'),
  master_sync_in_progress: flag.default(false),
  master_sync_read_bytes: count.default(0),
  /** What has come, and what of it has been done. */
  slave_read_repl_offset: offset.default(0n),
  slave_repl_offset: offset.default(0n),
  /** The history that it is in, and the one that it was in until the offset of below, exclusive. */
  master_replid: z.string(),
  master_replid2: z.string(),
  master_repl_offset: offset,
  second_repl_offset: offset,
  /** It keeps its history for followers. What began to do so since it was started has a new one. */
  repl_backlog_active: flag,
  modules: z.array(z.string()),
  /** The numbered databases that are not empty. */
  databases: z.array(z.object({ number: count, keys: count })),
});
export type Info = z.infer<typeof info>;

/** @throws when it is not the answer of a Redis */
export function readInfo(text: string): Info {
  const fields: Record<string, unknown> = {};
  const modules: string[] = [];
  const databases: Record<string, string>[] = [];
  for (const line of text.split('\r\n')) {
    const [, key, value] = /^(\w+):(.*)$/.exec(line) ?? [];
    if (key === undefined || value === undefined) continue;
    const database = /^db(?<number>\d+):keys=(?<keys>\d+)/.exec(line)?.groups;
    if (database) databases.push(database);
    else if (key === 'module') modules.push(/name=([^,]*)/.exec(value)?.[1] ?? value);
    else fields[key] = value;
  }
  return info.parse({ ...fields, modules, databases });
}

/** Whether it failed to write its log, and has not come to it since. */
export function hasFailedToWrite(seen: Info): boolean {
  return seen.aof_last_bgrewrite_status !== 'ok' || seen.aof_last_write_status !== 'ok';
}

/** Whether it could come back from its disk with all that it has now. */
export function isDurable(seen: Info): boolean {
  return (
    !seen.loading &&
    seen.aof_enabled &&
    !seen.aof_rewrite_in_progress &&
    !seen.aof_rewrite_scheduled &&
    !hasFailedToWrite(seen)
  );
}
