/** What a switch came to at which moment, in the order in which it does. */
export const marks = [
  'held',
  'drained',
  'stopped',
  'fenced',
  'caughtUp',
  'promoted',
  'booted',
  'released',
] as const;
export type Mark = (typeof marks)[number];

/** The moments that a switch has come to, as ISO 8601. */
export type Marks = Readonly<Partial<Record<Mark, string>>>;

/** Phases that hold requests and exchange who serves. */
export const switching = ['finalize', 'rollback'] as const;
export type Switching = (typeof switching)[number];

/** What a switch meant for clients. Times in milliseconds. */
export interface SwitchClients {
  /** Requests that waited. */
  readonly held: number;
  /** Of those that waited: half waited less than `p50`, one in a hundred longer than `p99`. */
  readonly p50: number;
  readonly p99: number;
  readonly longestWait: number;
  /** Requests that found no room to wait. */
  readonly refused: number;
  /** WebSockets and event streams that were closed, so that their clients come again. */
  readonly closed: number;
}

/** What is known of one switch. */
export interface SwitchRecord {
  readonly marks: Marks;
  /** Null until requests are released. */
  readonly clients: SwitchClients | null;
}

/** The last switch of each phase that does one. */
export type Switches = Readonly<Partial<Record<Switching, SwitchRecord>>>;

/** One second at the edge. Times in milliseconds. */
export interface TrafficSecond {
  /** Since 1970. */
  readonly at: number;
  readonly requests: number;
  readonly failed: number;
  readonly median: number;
  readonly longest: number;
}

/** Around the switch of each phase that did one. */
export type Traffic = Readonly<Partial<Record<Switching, readonly TrafficSecond[]>>>;

/** What the time from each mark to the next one goes to. */
export const parts = ['drain', 'stop', 'fence', 'catch-up', 'promote', 'boot', 'release'] as const;
export type Part = (typeof parts)[number];

/** How long each part of a switch took that has come to its end, in milliseconds; in order. */
export function partsOf(found: Marks): { part: Part; took: number }[] {
  const times = marks.map((mark) => Date.parse(found[mark] ?? ''));
  return parts.flatMap((part, at) => {
    const took = (times[at + 1] ?? Number.NaN) - (times[at] ?? Number.NaN);
    return Number.isNaN(took) ? [] : [{ part, took }];
  });
}

/** How long requests were held in all, in milliseconds; null while they are. */
export function holdOf({ held, released }: Marks): number | null {
  return held && released ? Date.parse(released) - Date.parse(held) : null;
}
