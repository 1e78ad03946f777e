import { readFileSync } from 'node:fs';
import { access, chmod, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { lostWrites } from '../../../src/dev/demo/check.js';
import { readJsonFile } from '../../../src/shared/json-file.js';
import { signalProcess, workingIn } from '../../../src/shared/processes.js';
import { until } from '../../../src/shared/until.js';
import { type Change, Tampering } from '../../api/tampering.js';
import { someOf } from '../../faults.js';
import { type Piece, startPieces } from '../pieces.js';
import {
  deployBirdLog,
  describeSteps,
  inventory,
  processesOfApps,
  type TestApp,
} from '../stage.js';
import { Wire } from '../wire.js';

/** For how long requests may be held here, in seconds. */
const hold = 4;
/** Longer than that, in milliseconds. */
const tooLong = (hold + 2) * 1_000;

type Name = 'here' | 'there';
/** From where to where the switch leads that is run next. */
let way: { from: Name; to: Name } = { from: 'here', to: 'there' };

const tampering = new Tampering();
let pieces: Awaited<ReturnType<typeof startPieces>>;
let app: TestApp;
let id = '';
let number = 0;
/** What is amiss with the app where it is to serve: `<region> <what>`. */
let moodFile: string;
/** There while some of its processes do not end when they are told to. */
let stubbornFile: string;
/** Between the regions: to the database of each. */
const wires = new Map<Name, Wire>();

beforeAll(async () => {
  pieces = await startPieces(tampering, { server: ['--hold-seconds', `${hold}`] });
  moodFile = join(pieces.dir, 'mood');
  stubbornFile = join(pieces.dir, 'stubborn');
  await writeFile(moodFile, '', { mode: 0o644 });
  const start = `
    import { readFileSync } from 'node:fs';
    const [where, mood] = readFileSync('${moodFile}', 'utf8').split(' ');
    if (process.cwd().includes('/regions/' + where + '/')) {
      if (mood === 'crashes') throw new Error('broken on purpose');
      if (mood === 'deaf') await new Promise(() => setInterval(() => {}, 1_000));
      if (mood === 'late') await new Promise((resolve) => setTimeout(resolve, ${tooLong}));
    }
    await import('./web.js');`;
  const work = `
    import { spawn } from 'node:child_process';
    const child = "process.on('SIGTERM', () => require('fs').existsSync('${stubbornFile}') || process.exit());"
      + 'setInterval(() => {}, 1_000)';
    spawn(process.execPath, ['-e', child], { detached: true, stdio: 'ignore' });
    await import('./worker.js');`;
  app = await deployBirdLog(pieces, 'sleeper', {
    rows: 500,
    files: {
      ...{ 'start.js': start, 'work.js': work },
      Procfile: 'web: node start.js\nworker: node work.js\n',
    },
  });
}, 180_000);
afterAll(async () => {
  await pieces?.close();
  for (const wire of wires.values()) wire.close();
  tampering.close();
});

/** The one database of a region, where it has its data. */
async function databaseOf(region: Name): Promise<{ folder: string; data: string } | null> {
  const [database] = (await inventory(pieces, region)).databases;
  if (database === undefined) return null;
  const folder = join(pieces.dir, 'regions', region, 'databases', database);
  return { folder, data: join(folder, 'data') };
}

/** Signals processes of a region's database: the postmaster, or those that call themselves so. */
async function signalDatabase(region: Name, whom: 'postmaster' | RegExp, signal: NodeJS.Signals) {
  const all = workingIn((await databaseOf(region))?.data ?? '');
  const named = all.filter(({ pid }) => {
    const title = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
    return whom === 'postmaster' ? !title.startsWith('postgres:') : whom.test(title);
  });
  expect(named.length, `${whom} of ${region}`).toBeGreaterThan(0);
  for (const process of named) signalProcess(process, signal);
}

/** Lets go on what was stopped, if it is still there. */
async function goOn(region: Name): Promise<void> {
  const data = (await databaseOf(region))?.data ?? '';
  for (const process of workingIn(data)) signalProcess(process, 'SIGCONT');
}

/** Whether a region has a database that takes writes. */
async function isPrimary(region: Name): Promise<boolean> {
  const data = (await databaseOf(region))?.data ?? '';
  if (workingIn(data).length === 0) return false;
  const follows = access(join(data, 'standby.signal')).then(
    () => true,
    () => false,
  );
  return !(await follows);
}

/** The region's neighbour reaches its database over a wire from now on. */
async function wireUp(region: Name): Promise<void> {
  const { folder } = (await databaseOf(region)) ?? { folder: '' };
  const record = await readJsonFile(
    join(folder, 'database.json'),
    z.looseObject({ port: z.number() }),
  );
  const wire = await Wire.to(record?.port ?? 0);
  tampering.change(region, 'grantFollow', { port: wire.port });
  wires.get(region)?.close();
  wires.set(region, wire);
}

function wireTo(region: Name): Wire {
  const found = wires.get(region);
  if (!found) throw new Error(`there is no wire to ${region}`);
  return found;
}

/** Makes a switch the next thing to be run. @returns the phase that is one */
async function due(): Promise<'finalize' | 'rollback'> {
  const at = id === '' ? null : await app.client.migration(app.name, id);
  if (at && (at.status === 'done' || at.failed_phase === 'rollback')) {
    way = { from: 'there', to: 'here' };
    return 'rollback';
  }
  way = { from: 'here', to: 'there' };
  if (at?.failed_phase === 'finalize' || at?.status === 'data-migrated') return 'finalize';
  await wireUp('here');
  id = await app.createMigration();
  await app.runTo(id, 'data');
  await wireUp('there');
  return 'finalize';
}

interface Fault {
  readonly what: string;
  /** The change that it comes before; without one, from the beginning. */
  readonly before?: string;
  readonly after?: string;
  /** What is amiss with the app that is to serve. */
  readonly mood?: 'crashes' | 'deaf' | 'late';
  /** Does damage. @returns how it is mended, if it is not by itself */
  strike?(): Promise<(() => Promise<void>) | void>;
  /** Whether connections of clients break with it. */
  breaks?(): boolean;
}

const stopped = (whom: 'postmaster' | RegExp, side: 'from' | 'to') => async () => {
  const region = way[side];
  await signalDatabase(region, whom, 'SIGSTOP');
  return () => goOn(region);
};
const killed = (side: 'from' | 'to') => () => signalDatabase(way[side], 'postmaster', 'SIGKILL');

const troubles: readonly Fault[] = [
  {
    what: 'processes do not end, and the new app crashes',
    before: 'stop',
    mood: 'crashes',
    async strike() {
      await writeFile(stubbornFile, '');
      for (const { process, name } of await processesOfApps(pieces, way.from)) {
        if (name.startsWith('web-')) signalProcess(process, 'SIGSTOP');
      }
      return () => rm(stubbornFile);
    },
  },
  { what: 'the primary hangs', before: 'fence', strike: stopped('postmaster', 'from') },
  { what: 'what sends the log hangs', before: 'fence', strike: stopped(/walsender/, 'from') },
  {
    what: 'the primary is killed, and the new app crashes',
    before: 'fence',
    mood: 'crashes',
    strike: killed('from'),
  },
  { what: 'the follower replays nothing', before: 'hold', strike: stopped(/startup/, 'to') },
  { what: 'the follower receives nothing', before: 'hold', strike: stopped(/walreceiver/, 'to') },
  { what: 'the follower hangs', before: 'promote', strike: stopped('postmaster', 'to') },
  {
    what: 'the follower is killed, and the new app crashes',
    before: 'promote',
    mood: 'crashes',
    strike: killed('to'),
  },
  {
    what: 'the data of the follower is read-only',
    before: 'promote',
    strike: async () => chmod((await databaseOf(way.to))?.data ?? '', 0o500),
  },
  { what: 'the new app never listens', mood: 'deaf' },
  { what: 'the new app is there only when it is over', mood: 'late' },
  ...['stop', 'fence', 'promote', 'start'].map((verb) => ({
    what: `what is asked for comes when it is over: ${verb}`,
    before: verb,
    strike: () => sleep(tooLong),
  })),
  ...([true, false] as const).map((refuses) => ({
    what: `the control plane ${refuses ? 'is refused' : 'hears nothing'} where the app served`,
    before: 'stop',
    async strike() {
      const mend = tampering.cut(way.from, { refuses });
      const mended = sleep(tooLong).then(mend);
      return () => mended;
    },
  })),
  {
    what: 'the databases are cut off from each other',
    before: 'hold',
    async strike() {
      const between = wireTo(way.from);
      between.cut();
      return async () => between.mend();
    },
  },
  {
    what: 'the databases hear nothing of each other for a second, and slowly then',
    before: 'hold',
    async strike() {
      const between = wireTo(way.from);
      between.hang();
      await sleep(1_000);
      between.mend();
      between.delay = 50;
      return async () => between.mend();
    },
  },
  {
    what: 'the edges are cut off from each other',
    before: 'grantForward',
    async strike() {
      // Only now: nobody hears over a wire that who is behind it is away, and refuses.
      const { to } = way;
      const between = await Wire.to(Number(new URL(pieces.edges[to]).port));
      tampering.change(to, 'grantForward', { address: `127.0.0.1:${between.port}` });
      between.cut();
      return async () => {
        tampering.restore(to, 'grantForward');
        between.close();
      };
    },
  },
];

const verbs = ['hold', 'stop', 'fence', 'promote', 'start'];
const victims = ['server', 'from', 'to'] as const;
/** Around every change that a switch makes, each of those who make it. */
const deaths: readonly Fault[] = verbs.flatMap((verb, at) =>
  victims.map((victim, index): Fault => {
    const pieceOf = (): Piece => (victim === 'server' ? 'server' : way[victim]);
    const isLong = (at + index) % 2 === 0;
    return {
      what: `${victim} dies around ${verb}${isLong ? ', for long' : ''}`,
      ...((at + Math.floor(index / 2)) % 2 === 0 ? { before: verb } : { after: verb }),
      // Clients come to the edge here, and requests are with that which serves: at the end, the other one.
      breaks: () => pieceOf() === 'here' || victim === (verb === 'start' ? 'to' : 'from'),
      async strike() {
        const piece = pieceOf();
        await pieces.kill(piece);
        const back = sleep(isLong ? tooLong : 1_000).then(() => pieces.start(piece));
        return () => back;
      },
    };
  }),
);

/** Runs the switch that is due, with a fault, and looks at what became of it. */
async function suffer(fault: Fault): Promise<void> {
  const phase = await due();
  const traffic = app.traffic({ group: `${++number}` });
  traffic.start();
  const mends: (() => Promise<void>)[] = [];
  const wrongs: string[] = [];
  let isStruck = false;
  const strike = async (at: string | undefined, { verb }: Change) => {
    if (isStruck || at !== verb) return;
    isStruck = true;
    const mend = await fault.strike?.();
    if (mend) mends.push(mend);
  };
  tampering.beforeChange = async (change) => {
    const other = { unfence: way.to, promote: way.from }[change.verb];
    if (other && (await isPrimary(other))) wrongs.push(`${change.verb} beside ${other}'s primary`);
    await strike(fault.before, change);
  };
  tampering.afterChange = (change) => strike(fault.after, change);
  await writeFile(moodFile, fault.mood ? `${way.to} ${fault.mood}` : '');
  await app.client.runMigration(app.name, id, phase);
  const ended = await app.settled(id);
  const told = describeSteps(ended);
  tampering.beforeChange = async () => undefined;
  tampering.afterChange = async () => undefined;
  for (const mend of mends) await mend();
  await writeFile(moodFile, '');

  expect(wrongs, told).toEqual([]);
  const isDone = ended.status === 'done' || ended.status === 'rolled-back';
  if (!isDone) {
    expect(ended, told).toMatchObject({ status: 'error', failed_phase: phase });
    const failed = ended.steps.filter((step) => step.phase === phase && step.status === 'error');
    expect(failed.at(-1)?.logs, told).toBeTruthy();
  }
  if (fault.mood || /hangs|read-only/.test(fault.what)) expect(isDone, told).toBe(false);
  const serving = isDone ? way.to : way.from;
  await until(async () => (await app.ask('/api/stats').catch(() => null))?.status === 200, {
    timeout: 20_000,
    what: 'the app to serve',
  });
  expect([
    await isPrimary(serving),
    await isPrimary(serving === 'here' ? 'there' : 'here'),
  ]).toEqual([true, false]);
  const report = await traffic.stop();
  if (!fault.breaks?.()) expect(report.failures, told).toEqual([]);
  expect(await lostWrites(await app.databaseUrl(serving), report), told).toBe(0);
}

/** Runs the switch that is due until it succeeds: on a busy machine it may not at once. */
async function succeed(): Promise<void> {
  const phase = await due();
  const traffic = app.traffic({ group: `${++number}` });
  traffic.start();
  await until(
    async () => {
      const { failed_phase, steps } = await app.run(id, phase);
      if (failed_phase === null) return true;
      expect(JSON.stringify(steps)).toMatch(/was over/);
      return false;
    },
    { timeout: 120_000, what: `${phase} to succeed` },
  );
  const report = await traffic.stop();
  expect(report.failures).toEqual([]);
  expect(await lostWrites(await app.databaseUrl(way.to), report)).toBe(0);
}

/** All that there is of the app, and of a migration of it. */
async function traces() {
  const [{ slots, roles } = {}] = await app.query<{ slots: string; roles: string }>(
    `SELECT (SELECT count(*) FROM pg_replication_slots) AS slots,
            (SELECT count(*) FROM pg_roles WHERE rolname LIKE 'godwit\\_follow%') AS roles`,
  );
  return { slots, roles, ...{ here: await inventory(pieces, 'here') } };
}

const limit = 180_000;

describe('whoever served serves again', () => {
  let before: Awaited<ReturnType<typeof traces>>;
  it('has nothing of a migration yet', async () => {
    before = await traces();
  });

  describe.each(['there', 'back'])('on the way %s', () => {
    it.each(someOf([...troubles, ...deaths], 1))('when $what', suffer, limit);
    it('and once that is mended, it succeeds', succeed, limit);
  });

  it(
    'and an abort afterwards leaves nothing',
    async () => {
      // Whatever way it is now: home, and one that backed out once more.
      while ((await due()) === 'rollback') await succeed();
      await suffer({ what: 'the new app crashes', mood: 'crashes' });
      await until(async () => (await app.run(id, 'abort')).status === 'aborted', {
        timeout: 60_000,
        what: 'the abort',
      });
      expect(await traces()).toEqual(before);
      expect(await inventory(pieces, 'there')).toEqual({ apps: [], databases: [], processes: [] });
    },
    limit,
  );
});
