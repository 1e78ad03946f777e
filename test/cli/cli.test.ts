import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { request } from 'undici';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { main } from '../../src/cli/program.js';
import { until } from '../../src/shared/until.js';
import { createAuthority } from '../certificates.js';
import { birdLog, program, Stage } from '../e2e/stage.js';

let stage: Stage;
let folder: string;
beforeAll(async () => {
  [stage, folder] = await Promise.all([
    Stage.start({ alone: true }),
    mkdtemp(join(tmpdir(), 'godwit-cli-')),
  ]);
});
afterAll(async () => {
  await stage.remove();
  await rm(folder, { recursive: true, force: true });
});

interface Run {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs a command line in a process of its own, as the owner of the stage; nobody is there to answer questions. */
function godwit(line: string, env: Record<string, string> = {}): Promise<Run> {
  const args = [program, ...line.split(' ').filter((word) => word !== '')];
  const asOwner = { GODWIT_URL: stage.ready.api, GODWIT_TOKEN: stage.ready.token };
  return new Promise((resolve, reject) => {
    const child = execFile(
      process.execPath,
      args,
      { env: { PATH: process.env['PATH'], ...asOwner, ...env } },
      (error, out, err) => {
        if (error && typeof error.code !== 'number') reject(error);
        else resolve({ code: typeof error?.code === 'number' ? error.code : 0, out, err });
      },
    );
    child.stdin?.end();
  });
}

/** The same in this process, which is faster, for command lines that end soon. */
async function inHere(line: string, env: Record<string, string> = {}): Promise<Run> {
  const asOwner = { GODWIT_URL: stage.ready.api, GODWIT_TOKEN: stage.ready.token };
  for (const [name, value] of Object.entries({ ...asOwner, ...env })) vi.stubEnv(name, value);
  const said = { out: '', err: '' };
  const hear = (stream: NodeJS.WriteStream, name: 'out' | 'err') =>
    vi.spyOn(stream, 'write').mockImplementation((text) => {
      said[name] += text;
      return true;
    });
  const spies = [hear(process.stdout, 'out'), hear(process.stderr, 'err')];
  try {
    return { code: await main(line.split(' ').filter((word) => word !== '')), ...said };
  } finally {
    for (const spy of spies) spy.mockRestore();
    vi.unstubAllEnvs();
  }
}

/** Runs a command line that must succeed, in this process. @returns what it printed */
async function done(line: string): Promise<string> {
  const { code, out, err } = await inHere(line);
  expect(code, `${line}: ${out}${err}`).toBe(0);
  return out.trimEnd();
}

async function json<T>(line: string, shape: z.ZodType<T>): Promise<T> {
  return shape.parse(JSON.parse(await done(`${line} --json`)));
}

it('takes an application from its first line to another region', async () => {
  const named = z.array(z.looseObject({ name: z.string() }));
  const names = async (line: string) => (await json(line, named)).map(({ name }) => name);
  const fields = z.looseObject({ id: z.string(), name: z.string(), region: z.string() });

  expect(await names('regions')).toEqual(['osc-fr1', 'osc-secnum-fr1']);
  const created = await json('create birds', fields);
  expect(created).toMatchObject({ name: 'birds', region: 'osc-fr1' });
  expect(await done('addons-add postgresql -a birds')).toMatch(
    /It brings DATABASE_URL, SCALINGO_POSTGRESQL_URL/,
  );
  expect(await done('addons -a birds')).toMatch(/PostgreSQL 18 +postgresql-sandbox +running/);
  expect(await done('env-set SEED_ROWS=40 MOTTO=a=b -a birds')).toBe(
    'Set SEED_ROWS, MOTTO. See it: godwit restart --app birds',
  );
  await done('env-set GONE=soon -a birds');
  await done('env-unset GONE -a birds');
  expect((await done('env -a birds')).split('\n')).toEqual(
    expect.arrayContaining(['SEED_ROWS=40', 'MOTTO=a=b']),
  );
  expect(await names('env -a birds')).not.toContain('GONE');

  expect(await done(`deploy ${birdLog} -a birds`)).toBe(
    'Deployed birds; it answers at http://birds.osc-fr1.localhost:' +
      `${new URL(stage.source.edge).port}`,
  );
  await done('scale web:2 worker:1 -a birds');
  const stats = async (host: string, edge: string) => {
    const answer = await request(`${edge}/api/stats`, { headers: { host } });
    const text = await answer.body.text();
    return answer.statusCode === 200 ? JSON.parse(text).rows : null;
  };
  await until(async () => (await stats('birds.osc-fr1.localhost', stage.source.edge)) === 40, {
    timeout: 30_000,
    what: 'the rows',
  });
  await until(async () => (await done('ps -a birds')).startsWith('birds is healthy.'), {
    timeout: 30_000,
    what: 'every process to run',
  });
  expect((await done('ps -a birds')).split('\n')).toEqual([
    'birds is healthy.',
    'PROCESS   STATE    CRASHES',
    expect.stringMatching(/^web-1 +running +0$/),
    expect.stringMatching(/^web-2 +running +0$/),
    expect.stringMatching(/^worker-1 +running +0$/),
  ]);
  expect(await done('logs -n 5 -a birds')).toMatch(/\[(web|worker)-\d\]/);
  expect(await done('logs -n 5 -F worker -a birds')).toMatch(/^(\S+ \[worker-1\] .*\n?)+$/);
  await done('domains-add Birds.Example.com -a birds');
  expect(await done('domains -a birds')).toMatch(/^[0-9a-f]{24} {2}birds\.example\.com$/);
  expect(await stats('birds.example.com', stage.source.edge)).toBe(40);
  const { certificate, key } = await (await createAuthority()).issue(['birds.test']);
  await writeFile(join(folder, 'birds.pem'), certificate);
  await writeFile(join(folder, 'birds.key'), key);
  const files = `--cert ${folder}/birds.pem --key ${folder}/birds.key`;
  await done(`domains-add birds.test ${files} --canonical -a birds`);
  expect(await done('domains-ssl birds.test --disable -a birds')).toMatch(/has none any more/);
  expect(await done(`domains-ssl birds.test ${files} -a birds`)).toMatch(/has the certificate/);
  await done('domains-remove birds.test -a birds');
  expect(await done('sticky-session --enable -a birds')).toBe('sticky-session is on.');
  await done('sticky-session --disable -a birds');
  const plan = await godwit('migrate --to osc-secnum-fr1 --dry-run -a birds');
  expect(plan.code).toBe(0);
  expect(plan.out).toMatch(
    /✓ Preflight checks.*· Import environment variables\n +2 to copy\..*· Hold/s,
  );
  expect(await done('migrations -a birds')).toBe('');
  await done('stop -a birds');
  expect(await done('ps -a birds')).toMatch(/^birds is stopped\./);
  await done('start -a birds');
  await done('restart -a birds');

  await done('prewarm --enable -a birds');
  const moved = await godwit('migrate --to osc-secnum-fr1 --yes -a birds');
  expect(moved.code, moved.err).toBe(0);
  const id = /[0-9a-f-]{36}/.exec(moved.out)?.[0] ?? '';
  expect(await done(`migration-report ${id} -a birds`)).toMatch(
    /^finalize: requests were held for [\d,]+ ms.*drain .*release .*requests answered a second; 0 failed.*┤/s,
  );
  expect(moved.err).toMatch(/Preflight.*✓.*Prepare.*✓.*Data.*✓.*Finalize.*✓/s);
  expect(await done('compare osc-fr1 osc-secnum-fr1 -a birds')).toMatch(/^The same: \d+ things/);
  await done('env-set MOTTO=other -a birds --region osc-secnum-fr1');
  const changed = await godwit('compare osc-fr1 osc-secnum-fr1 -a birds');
  expect([changed.code, changed.out]).toEqual([1, 'variables: MOTTO has another value\n']);
  await done('env-set MOTTO=a=b -a birds --region osc-secnum-fr1');
  expect(moved.out).toMatch(/birds on osc-fr1 → birds on osc-secnum-fr1: done\nbirds answers at /);
  expect(await stats('birds.osc-secnum-fr1.localhost', stage.destination.edge)).toBe(40);
  expect(await stats('birds.example.com', stage.source.edge)).toBe(40);
  expect(await names('apps --region osc-secnum-fr1')).toEqual(['birds']);
  expect(await done('apps')).toMatch(/birds +osc-fr1 +stopped/);

  const frozen = await godwit('env-set MOTTO=c -a birds');
  expect(frozen).toMatchObject({ code: 1, err: expect.stringMatching(/migration [0-9a-f-]{36}/) });
});

it('runs a migration phase by phase, and aborts it', async () => {
  await done('create wren');
  const withStatus = z.looseObject({ id: z.string(), status: z.string() });
  const created = await json(
    'migration-create --to osc-secnum-fr1 --new-name crane -a wren',
    withStatus,
  );
  expect(created).toMatchObject({ status: 'preflight-success', dst_app_name: 'crane' });
  const { id } = created;
  expect(await godwit(`migration-run --finalize -a wren ${id}`)).toMatchObject({
    code: 1,
    err: expect.stringMatching(/preflight-success.*prepare/),
  });
  const status = async (line: string) => (await json(line, withStatus)).status;
  expect(await status(`migration-run --prepare -a wren ${id}`)).toBe('prepared');
  expect(await done(`migration-show -a wren ${id}`)).toMatch(
    /wren on osc-fr1 → crane on osc-secnum-fr1: prepared\n✓ /,
  );
  expect(await status(`migration-run --data -a wren ${id}`)).toBe('data-migrated');
  expect(await status(`migration-follow -a wren ${id}`)).toBe('data-migrated');
  expect(await status(`migration-abort -a wren ${id}`)).toBe('aborted');
  expect(await done('migrations -a wren')).toMatch(new RegExp(`^${id} .*: aborted$`));
  await done('delete --yes -a wren');
  expect(await done('apps')).not.toMatch(/wren/);
});

it('lets an operator add users, and make and revoke their tokens', async () => {
  const dir = `--dir ${join(stage.dir, 'server')}`;
  const self = async (token: string) => {
    const authorization = `Basic ${Buffer.from(`:${token}`).toString('base64')}`;
    const answer = await request(`${stage.ready.api}/v1/users/self`, {
      headers: { authorization },
    });
    await answer.body.dump();
    return answer.statusCode;
  };
  await done(`users add ada ada@example.org ${dir}`);
  expect(await done(`users ${dir}`)).toMatch(/^ada +ada@example\.org +us-/m);
  const token = await done(`tokens add ada laptop ${dir}`);
  expect(await self(token)).toBe(200);
  const named = z.array(z.looseObject({ id: z.string(), name: z.string() }));
  const [listed] = named.parse(JSON.parse(await done(`tokens list ada --json ${dir}`)));
  expect(listed?.name).toBe('laptop');
  await done(`tokens revoke ada ${listed?.id} ${dir}`);
  expect(await self(token)).toBe(401);
  for (const [line, says] of [
    [`users add ada other@example.org ${dir}`, /There is a user named ada/],
    [`tokens add nobody x ${dir}`, /There is no user nobody/],
    [`tokens revoke ada ${listed?.id} ${dir}`, /ada has no token/],
  ] as const) {
    expect(await inHere(line)).toMatchObject({ code: 1, err: expect.stringMatching(says) });
  }
  expect(await inHere('users --dir /nowhere')).toMatchObject({
    code: 2,
    err: expect.stringMatching(/no control plane in \/nowhere/),
  });
});

it('runs everything of a folder once only', async () => {
  const second = await godwit(`dev --dir ${stage.dir}`);
  expect(second).toMatchObject({
    code: 1,
    err: expect.stringMatching(/Process \d+ is the dev of/),
  });
  expect(await done('regions')).toMatch(/osc-fr1/);
});

describe('wrong use', () => {
  const cases: [line: string, says: RegExp][] = [
    ['', /Usage: godwit/],
    ['fly', /unknown command 'fly'/],
    ['apps --to nowhere', /unknown option '--to'/],
    ['users add a/b a@example.org', /"a\/b" must be 1 to 63 letters/],
    ['users add ada nowhere', /"nowhere" must be an email address/],
    ['create', /missing required argument 'name'/],
    ['ps', /--app NAME/],
    ['scale web=2 -a birds', /"web=2" is not TYPE:AMOUNT/],
    ['env-set MOTTO -a birds', /"MOTTO" is not NAME=VALUE/],
    ['logs -n 0 -a birds', /whole number from 1 to 10000/],
    ['deploy /nowhere -a birds', /There is no \/nowhere/],
    ['domains-ssl a.test -a birds', /Name a certificate/],
    ['domains-add a.test --cert /nowhere -a birds', /go together/],
    ['force-https -a birds', /Say --enable or --disable/],
    ['migrate -a birds', /required option '--to <region>'/],
    ['migrate --to osc-fr1 -a birds', /Nobody is there to ask/],
    ['delete -a birds', /Nobody is there to ask/],
    ['migration-run -a birds some-id', /Name one phase/],
    ['verify-data -a birds', /missing required argument 'id'/],
    ['migrate --to osc-fr1 --verify some -a birds', /Allowed choices are content, none/],
    ['migration-run --data --finalize -a birds some-id', /Name one phase/],
    ['demo --rows many', /whole number/],
    ['server --port 99999', /A port is 0 to 65535/],
    ['dev --regions ../x,b', /"\.\.\/x" must be 2 to 48 lower-case letters/],
    ['dev --regions north,north', /named twice/],
  ];
  it.each(cases)('godwit %s', async (line, says) => {
    const { code, out, err } = await inHere(line);
    expect({ code, out }, err).toEqual({ code: 2, out: '' });
    expect(err).toMatch(says);
    expect(err).not.toMatch(/\n\s+at /);
  });

  it('without an address', async () => {
    expect(await inHere('apps', { GODWIT_URL: '' })).toMatchObject({
      code: 2,
      err: expect.stringMatching(/Set GODWIT_URL and GODWIT_TOKEN/),
    });
    expect(await inHere('apps', { GODWIT_URL: 'somewhere' })).toMatchObject({
      code: 2,
      err: expect.stringMatching(/"somewhere", which is no address/),
    });
  });

  it('with a folder that has no Procfile', async () => {
    await mkdir(join(folder, 'bare'), { recursive: true });
    expect(await inHere(`deploy ${folder}/bare -a birds`)).toMatchObject({
      code: 2,
      err: expect.stringMatching(/has no Procfile\. Add one/),
    });
  });
});

describe('what fails', () => {
  const cases: [line: string, env: Record<string, string>, says: RegExp][] = [
    ['apps', { GODWIT_TOKEN: 'wrong' }, /token/i],
    ['apps', { GODWIT_URL: 'http://127.0.0.1:1' }, /cannot be reached at http:\/\/127\.0\.0\.1:1/],
    ['apps --region nowhere', {}, /nowhere/],
    ['ps -a nobody', {}, /nobody/],
    ['migrate --to nowhere --yes -a birds', {}, /nowhere/],
    ['migration-show -a birds 6d1f8e0c-0000-4000-8000-000000000000', {}, /6d1f8e0c/],
    ['verify-data -a birds 6d1f8e0c-0000-4000-8000-000000000000', {}, /6d1f8e0c/],
    ['create Not_A_Name', {}, /name/],
    ['addons-add mysterydb -a birds', {}, /mysterydb/],
    ['env-unset NOTHING -a birds', {}, /no variable NOTHING/],
  ];
  it.each(cases)('godwit %s %o', async (line, env, says) => {
    const { code, out, err } = await inHere(line, env);
    expect({ code, out }, err).toEqual({ code: 1, out: '' });
    expect(err).toMatch(says);
    expect(err.trim().split('\n')).toHaveLength(1);
  });

  it('a server that cannot read its regions', async () => {
    const { code, err } = await godwit('server --regions-file /nowhere --token-file /nowhere');
    expect([code, err]).toEqual([1, expect.stringMatching(/regions file/)]);
  });

  it('an archive that is none', async () => {
    await writeFile(join(folder, 'not.tar.gz'), 'not an archive');
    await done('create heron');
    const { code, err } = await inHere(`deploy ${folder}/not.tar.gz -a heron`);
    expect(code).toBe(1);
    expect(err).toMatch(/no \.tar\.gz archive, or a damaged one/);
  });
});
