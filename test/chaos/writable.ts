/** A time in which a database took writes, in milliseconds since the epoch; `to` is infinite while it does. */
export interface Period {
  readonly from: number;
  readonly to: number;
}

const line = /^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}) UTC \[\d+\] LOG: {2}(.*)$/;
const ends = /^(received (fast|immediate|smart) shutdown request|starting PostgreSQL)/;

/**
 * When a PostgreSQL took writes, as its own log tells. A follower says "read-only connections" instead. One that was
 * killed says nothing: that it had ended is certain from its next start on.
 */
export function writablePeriods(log: string, since = 0): Period[] {
  const periods: Period[] = [];
  let from: number | null = null;
  for (const text of log.split('\n')) {
    const [, time, said = ''] = line.exec(text) ?? [];
    if (!time) continue;
    const at = Date.parse(`${time.replace(' ', 'T')}Z`);
    if (said === 'database system is ready to accept connections') from ??= at;
    if (!ends.test(said) || from === null) continue;
    periods.push({ from, to: at });
    from = null;
  }
  if (from !== null) periods.push({ from, to: Number.POSITIVE_INFINITY });
  return periods.filter(({ to }) => to > since);
}

/** The times in which both took writes. */
export function overlaps(one: readonly Period[], other: readonly Period[]): Period[] {
  return one.flatMap((a) =>
    other
      .map((b) => ({ from: Math.max(a.from, b.from), to: Math.min(a.to, b.to) }))
      .filter(({ from, to }) => from < to),
  );
}
