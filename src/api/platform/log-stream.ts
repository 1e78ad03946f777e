import { setTimeout as sleep } from 'node:timers/promises';
import type { Region } from '../../region/region.js';
import { Refusal } from '../../shared/errors.js';

/** Which lines of which log. */
export interface LogChoice {
  readonly app: string;
  /** How many of those that are there already. */
  readonly lines: number;
  /** Types or names of processes; all when not given. */
  readonly of?: string[] | undefined;
}

/** What is told to who follows a log: a line, or that the connection still stands. */
export type LogEvent =
  | { readonly event: 'log'; readonly log: string }
  | { readonly event: 'ping'; readonly timestamp: string };

/** How long nothing is said at most, in milliseconds. */
const silence = 10_000;
/** How long a region that is away is left alone, in milliseconds. */
const pause = 1_000;

/**
 * Follows a log until `signal` fires or the app is gone. A region that is away is waited for; its
 * lines come when it is back.
 */
export async function* followLog(
  region: Region,
  { app, lines, of }: LogChoice,
  signal: AbortSignal,
): AsyncGenerator<LogEvent> {
  const first = await region.logs({ app, lines, of });
  yield* first.lines.map(asEvent);
  let { end } = first;
  while (!signal.aborted) {
    const news = await region.logsAfter({ app, end, wait: silence, of }).catch(awayOrGone);
    if (news === 'gone') return;
    if (news === 'away') {
      yield ping();
      await sleep(pause);
      continue;
    }
    end = news.end;
    if (news.lines.length === 0) yield ping();
    yield* news.lines.map(asEvent);
  }
}

const asEvent = (log: string) => ({ event: 'log' as const, log });
const ping = () => ({ event: 'ping' as const, timestamp: new Date().toISOString() });

function awayOrGone(error: unknown): 'away' | 'gone' {
  if (error instanceof Refusal && error.kind === 'unavailable') return 'away';
  if (error instanceof Refusal && error.kind === 'not-found') return 'gone';
  throw error;
}
