import fc from 'fast-check';
import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import type { Answer } from './asking.js';
import { finishedIn, isLegal, possibleIn, stateOf } from './legal.js';
import { atRest, createApp, underWay } from './migrating.js';
import { type Stage, startStage } from './platform-stage.js';

let stage: Stage;
let db: pg.Client;

beforeAll(async () => {
  stage = await startStage();
  db = new pg.Client({ connectionString: stage.databaseUrl });
  await db.connect();
  // Every state that a migration was ever in, however briefly.
  await db.query(`
    CREATE TABLE seen (ordinal serial, id uuid, before jsonb, after jsonb);
    CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      INSERT INTO seen (id, before, after) VALUES (NEW.id, to_jsonb(OLD), to_jsonb(NEW));
      RETURN NULL;
    END $$;
    CREATE TRIGGER see AFTER INSERT OR UPDATE ON migrations FOR EACH ROW EXECUTE FUNCTION see()`);
});

afterAll(async () => {
  await db?.end();
  await stage?.close();
});

/** `next` is the phase that a user would ask for now. */
const calls = [
  'create',
  'show',
  'next',
  'preflight',
  'prepare',
  'data',
  'finalize',
  'abort',
] as const;
type Call = (typeof calls)[number];

/** What is asked at once, and whether its consequences are waited for. */
interface Move {
  readonly together: readonly Call[];
  readonly waits: boolean;
}

const call = fc.oneof(
  { weight: 5, arbitrary: fc.constant<Call>('next') },
  { weight: 3, arbitrary: fc.constant<Call>('create') },
  { weight: 4, arbitrary: fc.constantFrom<Call>(...calls) },
);
const move: fc.Arbitrary<Move> = fc.record({
  together: fc.oneof(
    fc.tuple(call),
    fc.tuple(call, call),
    call.map((one) => [one, one]),
  ),
  waits: fc.oneof({ weight: 3, arbitrary: fc.constant(true) }, fc.boolean()),
});

const alone = (...all: Call[]): Move[] => all.map((one) => ({ together: [one], waits: true }));
const examples: [Move[]][] = [
  // The first is run to its end however slow the machine is, and comes to every status.
  [
    [
      ...alone('create', 'abort', 'create', 'next', 'create', 'next', 'finalize'),
      ...alone('abort', 'create', 'data', 'show'),
    ],
  ],
  [
    [
      { together: ['create', 'create'], waits: true },
      { together: ['prepare', 'prepare'], waits: false },
      { together: ['abort', 'abort'], waits: true },
      { together: ['create', 'abort'], waits: true },
      ...alone('create', 'prepare', 'abort'),
    ],
  ],
];

const time = z.iso.datetime().transform((text) => new Date(text));
const migrationShape = z.object({
  id: z.string(),
  status: z.string().refine((status) => status in possibleIn, 'is no status'),
  phase: z.string().nullable(),
  failed_phase: z.string().nullable(),
  started_at: time,
  finished_at: time.nullable(),
  steps: z.array(
    z.object({ name: z.string(), phase: z.string(), status: z.enum(['running', 'done', 'error']) }),
  ),
});
type Shown = z.infer<typeof migrationShape>;

const nextPhase: Record<string, Call> = {
  'preflight-success': 'prepare',
  prepared: 'data',
  'data-migrated': 'finalize',
};

async function list(app: string): Promise<Shown[]> {
  const { status, json } = await stage.ask(`/apps/${app}/region_migrations`);
  expect(status).toBe(200);
  return z.array(migrationShape).parse(json);
}

async function make(app: string, asked: Call, newest: Shown | undefined): Promise<Answer> {
  const path = `/apps/${app}/region_migrations`;
  const body = { migration: { destination: 'there' } };
  if (asked === 'create' || !newest) return stage.ask(path, { body });
  if (asked === 'show') return stage.ask(`${path}/${newest.id}`);
  const step = asked === 'next' ? (nextPhase[newest.status] ?? 'preflight') : asked;
  return stage.ask(`${path}/${newest.id}/run`, { body: { step } });
}

function checkAnswer({ status, json, text }: Answer): void {
  expect([200, 201, 204, 409], text).toContain(status);
  if (status !== 409) return;
  const { code, error } = z.strictObject({ code: z.string(), error: z.string() }).parse(json);
  if (code !== 'wrong_status') {
    expect(['migration_open', 'frozen']).toContain(code);
    return;
  }
  const said = /^The migration is ([\w-]+): (\w+) cannot be run\. (.*)$/.exec(error);
  const [, named = '', refused = '', rest = ''] = said ?? [];
  const possible = /^It can be asked to (.*) now\.$/.exec(rest)?.[1]?.split(' or ') ?? [];
  expect(possible.length > 0 || rest === 'Nothing more can be run.', error).toBe(true);
  expect(possible).not.toContain(refused);
  const always = possibleIn[named] ?? [];
  // Once the destination serves, a running finalize is not to be aborted.
  if (possible.length > 0) expect(possible).toEqual(expect.arrayContaining([...always]));
  const further = possible.filter((phase) => !always.includes(phase));
  expect(further.length, error).toBeLessThanOrEqual(named === 'error' ? 1 : 0);
}

function checkShown(all: readonly Shown[]): void {
  const closed = ['aborted', 'done', 'rolled-back'];
  const open = all.filter(({ status }) => !closed.includes(status));
  expect(open.length).toBeLessThanOrEqual(1);
  for (const { status, failed_phase, started_at, finished_at, steps } of all) {
    if (underWay.includes(status)) expect(finished_at).toBeNull();
    else expect(finished_at?.getTime()).toBeGreaterThanOrEqual(started_at.getTime());
    expect(failed_phase !== null).toBe(status.endsWith('error'));
    for (const phase of finishedIn[status] ?? []) {
      const its = steps.filter((step) => step.phase === phase);
      expect(its.length, `${status}: ${phase}`).toBeGreaterThan(0);
      expect(its.filter((step) => step.status !== 'done')).toEqual([]);
    }
  }
}

/** After an abort everything is as it was before. */
async function checkUntouched(app: string, name: string, before: unknown): Promise<void> {
  const source = await stage.registry.get('here')?.findApp({ ref: app });
  const { updatedAt: _, ...itself } = z.looseObject({}).parse(source);
  expect(itself).toEqual(before);
  expect(await stage.registry.get('there')?.findApp({ ref: name })).toBeNull();
}

const row = z.object({
  status: z.string(),
  phase: z.string().nullable(),
  failed_phase: z.string().nullable(),
  started_at: z.string().nullable(),
});

/** @returns the states that migrations of the app were in */
async function checkHistory(all: readonly Shown[]): Promise<string[]> {
  const { rows } = await db.query(
    'SELECT before, after FROM seen WHERE id = ANY($1) ORDER BY ordinal',
    [all.map(({ id }) => id)],
  );
  return rows.map((pair) => {
    const { before, after } = z.object({ before: row.nullable(), after: row }).parse(pair);
    const [from, to] = [before ? stateOf(before) : 'created', stateOf(after)];
    expect(isLegal(from, to), `${from} became ${to}`).toBe(true);
    if (before) expect(after.started_at).toBe(before.started_at);
    return to;
  });
}

it('no sequence of calls, alone or at once, makes an illegal state visible', async () => {
  let apps = 0;
  const states = new Set<string>();
  await fc.assert(
    fc.asyncProperty(fc.array(move, { minLength: 3, maxLength: 10 }), async (moves) => {
      apps += 1;
      const name = `app-${apps}`;
      const app = await createApp(stage, name);
      const source = await stage.registry.get('here')?.findApp({ ref: app });
      const { updatedAt: _, ...before } = z.looseObject({}).parse(source);
      for (const { together, waits } of moves) {
        const [newest] = await list(app);
        const answers = await Promise.all(together.map((asked) => make(app, asked, newest)));
        answers.forEach(checkAnswer);
        const created = answers.filter(({ status }) => status === 201);
        expect(created.length).toBeLessThanOrEqual(1);
        const now = await list(app);
        checkShown(now);
        if (!waits || !now[0]) continue;
        await atRest(stage, app, now[0].id);
        const then = await list(app);
        checkShown(then);
        if (then.every(({ status }) => status === 'aborted'))
          await checkUntouched(app, name, before);
      }
      const [last] = await list(app);
      if (last) await atRest(stage, app, last.id);
      for (const state of await checkHistory(await list(app))) states.add(state);
    }),
    { examples, numRuns: 15, interruptAfterTimeLimit: 8_000, endOnFailure: true },
  );
  const reached = ['preflight-success', 'prepared', 'data-migrated', 'done', 'aborted'];
  expect([...states]).toEqual(expect.arrayContaining(reached));
});
