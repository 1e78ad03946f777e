import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { atRemote, type Remote, type RemoteSession } from '../../../postgresql/remote.js';
import type { Rate } from '../../../shared/pace.js';

/**
 * The setting in which a primary tells how fast it may be copied, in bytes a second; 0 for any rate. PostgreSQL
 * itself does not know it (documentation, "Customized Options"), and tells it also to who may only replicate.
 */
export const copyRateSetting = 'godwit.copy_rate';

/** How often it is asked for, in milliseconds. */
const rounds = 1_000;

/**
 * Lends the rate that a primary wants to be copied at, as long as it is used.
 * @throws as `use` does; when the primary does not tell at first
 */
export async function atPaceOfPrimary<T>(
  primary: Remote,
  { signal, ...session }: RemoteSession & { readonly signal: AbortSignal },
  use: (rate: Rate) => Promise<T>,
): Promise<T> {
  const used = new AbortController();
  const over = AbortSignal.any([signal, used.signal]);
  const how = { ...session, signal: over };
  const rest = () => sleep(rounds, undefined, { signal: over });
  let rate = await atRemote(primary, copyRate, how);
  const ask = async (client: pg.Client) => {
    for (; ; await rest()) rate = await copyRate(client);
  };
  const keepAsking = async () => {
    // One that cannot be asked may be asked later; until then it is what it was last.
    while (!over.aborted) await atRemote(primary, ask, how).catch(rest);
  };
  const asking = keepAsking().catch(() => undefined);
  try {
    return await use(() => rate);
  } finally {
    used.abort();
    await asking;
  }
}

/** `undefined_object`: a primary that was set up before there was such a setting. */
const unknown = '42704';

async function copyRate(client: pg.Client): Promise<number | null> {
  const shown = await client
    .query<Record<string, string>>(`SHOW ${copyRateSetting}`)
    .catch((error) => {
      if (error instanceof pg.DatabaseError && error.code === unknown) return { rows: [] };
      throw error;
    });
  return Number(shown.rows[0]?.[copyRateSetting] ?? 0) || null;
}
