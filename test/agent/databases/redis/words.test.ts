import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readVersion } from '../../../../src/agent/databases/redis/binaries.js';
import { type Info, isDurable, readInfo } from '../../../../src/agent/databases/redis/info.js';
import { judge } from '../../../../src/agent/databases/redis/inspect.js';
import {
  formatPosition,
  hasReached,
  parsePosition,
} from '../../../../src/agent/databases/redis/position.js';

const history = fc.stringMatching(/^[0-9a-f]{40}$/);
const offset = fc.bigInt({ min: 0n, max: 2n ** 63n - 1n });

/** What a server of its own answers, with some lines changed. */
function answer(changed: Record<string, string> = {}): string {
  const fields = {
    redis_version: '7.0.15',
    used_memory_dataset: '1024',
    number_of_cached_scripts: '0',
    maxmemory: '0',
    maxmemory_policy: 'noeviction',
    loading: '0',
    aof_rewrite_in_progress: '0',
    aof_rewrite_scheduled: '0',
    aof_enabled: '1',
    aof_last_bgrewrite_status: 'ok',
    aof_last_write_status: 'ok',
    rdb_last_bgsave_status: 'ok',
    role: 'master',
    master_replid: 'a'.repeat(40),
    master_replid2: '0'.repeat(40),
    master_repl_offset: '100',
    second_repl_offset: '-1',
    repl_backlog_active: '1',
    ...changed,
  };
  const lines = Object.entries(fields).map(([name, value]) => `${name}:${value}`);
  return ['# Server', ...lines, ''].join('\r\n');
}
const seen = (changed: Record<string, string> = {}): Info => readInfo(answer(changed));

describe('a position', () => {
  it('is the same after it was written and read', () => {
    fc.assert(
      fc.property(history, offset, (name, at) => {
        const position = { history: name, offset: at };
        expect(parsePosition(formatPosition(position))).toEqual(position);
      }),
    );
  });

  it('is nothing that it was not written as', () => {
    const isPosition = (text: string) => /^[0-9a-f]{40}:\d{1,19}$/.test(text);
    fc.assert(
      fc.property(
        fc.string().filter((text) => !isPosition(text)),
        (text) => {
          expect(() => parsePosition(text)).toThrow('is not a position');
        },
      ),
    );
  });

  it('is reached by who has as much of the same history, also as what it was promoted from', () => {
    fc.assert(
      fc.property(history, history, offset, offset, (name, other, at, wanted) => {
        fc.pre(name !== other);
        const position = { history: name, offset: wanted };
        const follows = { role: 'slave', master_replid: name, slave_repl_offset: `${at}` };
        expect(hasReached(seen(follows), position)).toBe(at >= wanted);
        expect(hasReached(seen({ ...follows, loading: '1' }), position)).toBe(false);
        expect(hasReached(seen({ ...follows, master_replid: other }), position)).toBe(false);
        const promoted = {
          ...{ role: 'master', master_replid: other, master_replid2: name },
          second_repl_offset: `${at + 1n}`,
        };
        expect(hasReached(seen(promoted), position)).toBe(at >= wanted);
      }),
    );
  });
});

describe('an answer to INFO', () => {
  it('is read with modules, and whatever else is in it', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.stringMatching(/^x\w{1,10}$/), fc.stringMatching(/^[^\r\n]*$/)),
        (more) => {
          expect(seen(more)).toEqual(seen());
        },
      ),
    );
    expect(seen().modules).toEqual([]);
    expect(seen({ module: 'name=birds,ver=1,api=1' }).modules).toEqual(['birds']);
    expect(() => readInfo('-LOADING Redis is loading')).toThrow();
  });

  it('tells whether all could be read from the disk again', () => {
    expect(isDurable(seen())).toBe(true);
    for (const changed of [
      { loading: '1' },
      { aof_enabled: '0' },
      { aof_rewrite_in_progress: '1' },
      { aof_rewrite_scheduled: '1' },
      { aof_last_bgrewrite_status: 'err' },
      { aof_last_write_status: 'err' },
    ]) {
      expect(isDurable(seen(changed)), JSON.stringify(changed)).toBe(false);
    }
  });

  it('is judged: what stands in the way of a move, and what to know of it', () => {
    expect(judge(seen())).toEqual({ size: 1024, obstacles: [], unsuitable: [], remarks: [] });
    expect(judge(seen({ module: 'name=birds' })).obstacles[0]).toContain('modules (birds)');
    expect(judge(seen({ aof_last_write_status: 'err' })).unsuitable[0]).toContain('disk');
    expect(judge(seen({ aof_last_bgrewrite_status: 'err' })).unsuitable[0]).toContain('memory');
    expect(judge(seen({ rdb_last_bgsave_status: 'err' })).remarks[0]).toContain('snapshot');
    expect(judge(seen({ number_of_cached_scripts: '2' })).remarks[0]).toContain('NOSCRIPT');
    expect(judge(seen({ maxmemory_policy: 'allkeys-lru' })).remarks).toEqual([]);
    const full = { maxmemory: '1000', maxmemory_policy: 'allkeys-lru' };
    expect(judge(seen(full)).remarks[0]).toContain('allkeys-lru');
  });
});

it('knows the versions that it can move', () => {
  expect(readVersion('Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc')).toBe('7.0');
  expect(readVersion('Valkey server v=8.1.3 sha=00000000:0')).toBe('valkey-8.1');
  expect(readVersion('Redis server v=6.2.7 sha=00000000:0')).toBeNull();
  expect(readVersion('something else')).toBeNull();
});
