import { expect, it } from 'vitest';
import { overlaps, writablePeriods } from './writable.js';

const log = `2026-11-25 03:00:00.000 UTC [1] LOG:  starting PostgreSQL 18.4
2026-11-25 03:00:01.000 UTC [1] LOG:  database system is ready to accept read-only connections
2026-11-25 03:00:02.000 UTC [2] LOG:  received promote request
2026-11-25 03:00:03.000 UTC [1] LOG:  database system is ready to accept connections
2026-11-25 03:00:05.500 UTC [1] LOG:  received fast shutdown request
2026-11-25 03:00:06.000 UTC [3] LOG:  starting PostgreSQL 18.4
2026-11-25 03:00:07.000 UTC [3] LOG:  database system is ready to accept connections
`;

it('tells from its log when a database took writes, and when two did', () => {
  const at = (time: string) => Date.parse(`2026-11-25T03:00:${time}Z`);
  const periods = writablePeriods(log);
  expect(periods).toEqual([
    { from: at('03.000'), to: at('05.500') },
    { from: at('07.000'), to: Number.POSITIVE_INFINITY },
  ]);
  expect(writablePeriods(log, at('06.000'))).toEqual(periods.slice(1));
  const other = [{ from: at('05.000'), to: at('06.500') }];
  expect(overlaps(periods, other)).toEqual([{ from: at('05.000'), to: at('05.500') }]);
  expect(overlaps(periods, [{ from: at('05.500'), to: at('07.000') }])).toEqual([]);
});
