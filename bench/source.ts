/**
 * What the source keeps while its database is copied: requests a second, and how long they take, without a copy,
 * while Godwit copies, and while `pg_basebackup` copies as fast as it can; in turn. Once with as many requests as
 * the source can answer, and once with half of that. `npm run bench -- source 3 4`: 4 rounds, with 3 GB.
 *
 * The source has one processor, alone; clients, destination and control plane have another one, and copies go to
 * memory, since they would be on other hosts. What is not kept apart are the caches of the two, and what the kernel
 * says of the pressure on a host: here it is that of both.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Pool } from 'undici';
import { bytes } from '../src/shared/bytes.js';
import { median, say } from './figures.js';
import { type Answer, type Ask, percentile, restlessly, steadily } from './load.js';
import { type Copy, SourceStage } from './source-stage.js';

const [gigabytes, rounds] = [Number(process.argv[2] ?? 3), Number(process.argv[3] ?? 3)];
const clients = 16;
/** For how long it is measured without a copy, and at most with one, in milliseconds. */
const [alone, together] = [8_000, 20_000];

/** What clients had: answers a second, and how long half and nearly all of them took at most, in milliseconds. */
interface Found {
  readonly rate: number;
  readonly p50: number;
  readonly p99: number;
  /** In bytes a second. */
  readonly copied: number;
}

type Load = (signal: AbortSignal) => Promise<Answer[]>;

async function measure(load: Load, begin?: () => Promise<Copy>): Promise<Found> {
  const leaving = new AbortController();
  const asking = load(leaving.signal);
  try {
    await sleep(1_000); // the clients are all there
    const copy = await begin?.();
    const from = performance.now();
    await (copy ? Promise.race([copy.over, sleep(together)]) : sleep(alone));
    const to = performance.now();
    const copied = (await copy?.end()) ?? 0;
    leaving.abort();
    const answers = (await asking).filter(({ at }) => at >= from && at < to);
    const length = (to - from) / 1_000;
    return {
      rate: answers.length / length,
      p50: percentile(answers, 0.5),
      p99: percentile(answers, 0.99),
      copied: copied / length,
    };
  } finally {
    leaving.abort();
    await asking;
  }
}

const stage = await SourceStage.create(gigabytes);
const pool = new Pool(stage.edge, { connections: 128 });

/** One in five writes. */
const ask: Ask = async (turn) => {
  const sighting = { client: 'bench', number: turn + 1, species: 1, place: 'Miranda', birds: 3 };
  const what =
    turn % 5 === 0
      ? { method: 'POST' as const, path: '/api/sightings', body: JSON.stringify(sighting) }
      : { method: 'GET' as const, path: '/api/sightings?limit=20' };
  const headers = { host: stage.hostname, 'content-type': 'application/json' };
  const { statusCode, body } = await pool.request({ ...what, headers });
  await body.dump();
  if (statusCode >= 300) throw new Error(`The application answers ${statusCode}.`);
};
const asMuchAsCanBe: Load = (signal) => restlessly(clients, ask, signal);

/** What was found during a copy, and without one just before and after it. */
interface Pair {
  readonly copying: Found;
  readonly alone: readonly [Found, Found];
}

async function compare(load: Load): Promise<void> {
  const copiers = {
    godwit: () => stage.copyByGodwit(),
    pg_basebackup: () => stage.copyByPgBasebackup(),
  };
  const found = new Map<string, Pair[]>(Object.keys(copiers).map((name) => [name, []]));
  let before = await measure(load);
  for (let round = 0; round < rounds; round += 1) {
    for (const [name, begin] of Object.entries(copiers)) {
      const copying = await measure(load, begin);
      const after = await measure(load);
      found.get(name)?.push({ copying, alone: [before, after] });
      before = after;
    }
  }
  for (const [name, pairs] of found) {
    const part = (of: 'rate' | 'p50' | 'p99', digits: number) => {
      const here = median(pairs.map(({ copying }) => copying[of]));
      const ratio = median(
        pairs.map(({ copying, alone }) => copying[of] / median(alone.map((one) => one[of]))),
      );
      return `${here.toFixed(digits)} (${ratio.toFixed(2)} ×)`;
    };
    const speed = bytes(median(pairs.map(({ copying }) => copying.copied)));
    say(
      `  ${name.padEnd(15)}${part('rate', 0)} a second  p50 ${part('p50', 1)} ms  p99 ${part('p99', 1)} ms  ${speed}/s copied`,
    );
  }
}

try {
  await measure(asMuchAsCanBe); // warms up
  const most = (await measure(asMuchAsCanBe)).rate;
  const half = Math.round(most / 2);
  say(
    `what the source answers while it is copied, and by how much that is more or less than without a copy just`,
  );
  say(
    `before and after; median of ${rounds}; one of two processors is the source's, the other everybody else's`,
  );
  say(`${clients} clients that ask again at once`);
  await compare(asMuchAsCanBe);
  say(`${half} requests a second, half of what it can answer`);
  await compare((signal) => steadily(half, ask, signal));
} finally {
  await pool.close();
  await stage.remove();
}
