import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { pino } from 'pino';
import { create } from 'tar';
import { request } from 'undici';
import { type Agent, type AgentOptions, startAgent } from '../../src/agent/agent.js';
import { AgentClient } from '../../src/region/agent-client.js';
import { freePort } from '../../src/shared/free-port.js';
import { newId } from '../../src/shared/ids.js';
import { until } from '../../src/shared/until.js';
import { cleanUp } from '../clean-up.js';

export const owner = { id: 'u1', username: 'ada', email: 'ada@example.org' };
const token = 'a token of this test';
const logger = pino({ level: 'silent' });

/** A region of a test, with an agent of its own. It is gone after the test. */
export class TestRegion {
  agent: Agent | null = null;
  readonly client: AgentClient;

  private constructor(
    readonly dir: string,
    readonly port: number,
    readonly edgePort: number,
    readonly name: string,
    readonly options: Pick<AgentOptions, 'freezePatience' | 'copyRate'>,
  ) {
    this.client = new AgentClient({ name, url: `http://127.0.0.1:${port}`, token });
  }

  static async start(name = 'here', options: TestRegion['options'] = {}): Promise<TestRegion> {
    const dir = await mkdtemp(join(tmpdir(), 'godwit-test-'));
    cleanUp.push(() => rm(dir, { recursive: true, force: true }));
    const region = new TestRegion(dir, await freePort(), await freePort(), name, options);
    await region.open();
    cleanUp.push(async () => region.agent?.close({ stop: true }));
    return region;
  }

  async open(): Promise<void> {
    const { name, dir, port, edgePort } = this;
    this.agent = await startAgent({
      ...this.options,
      name,
      dir,
      host: '127.0.0.1',
      port,
      edgePort,
      edgeHttpsPort: 0,
      token,
      postgresql: null,
      logger,
    });
  }

  /** As after the death of the agent: what it hosts goes on. */
  async restart(): Promise<void> {
    await this.agent?.close({ stop: false });
    await this.open();
  }

  async create(name = 'demo'): Promise<string> {
    return (await this.client.createApp({ id: newId(), name, owner })).id;
  }

  /** Begins a deployment. @returns its id */
  async beginDeployment(app: string, files: Record<string, string>): Promise<string> {
    const source = newId();
    await this.client.storeSource(source, await archive(files));
    return (await this.client.deploy({ app, source })).id;
  }

  async deploy(app: string, files: Record<string, string>) {
    return this.deployed(app, await this.beginDeployment(app, files));
  }

  /** Waits for the end of a deployment, whatever that is. */
  deployed(app: string, id: string) {
    return until(
      async () => {
        const all = await this.client.listDeployments({ app });
        const found = all.find((one) => one.id === id);
        return found && found.status !== 'building' && found;
      },
      { timeout: 30_000, what: 'the deployment' },
    );
  }

  async healthy(app: string): Promise<void> {
    await until(async () => (await this.client.health({ app })).state === 'healthy', {
      timeout: 20_000,
      what: 'the app to be healthy',
    });
  }

  async get(path: string, host = `demo.${this.name}.localhost`): Promise<string> {
    const url = `http://127.0.0.1:${this.edgePort}${path}`;
    return (await request(url, { headers: { host } })).body.text();
  }
}

async function archive(files: Record<string, string>): Promise<NodeJS.ReadableStream> {
  const folder = await mkdtemp(join(tmpdir(), 'godwit-source-'));
  cleanUp.push(() => rm(folder, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), text);
  }
  return Readable.from(create({ gzip: true, cwd: folder }, Object.keys(files)));
}

/** A web process that answers. */
export const web = `
import http from 'node:http';
const server = http.createServer((request, response) => {
  if (request.url === '/crash') process.exit(3);
  response.end(JSON.stringify({ pid: process.pid, greeting: process.env.GREETING, build: 1 }));
});
server.listen(process.env.PORT, () => console.log('listening'));
process.on('SIGTERM', () => { console.log('bye'); server.close(); server.closeIdleConnections(); });
`;
/** An app with two process types. */
export const demo = {
  Procfile: 'web: node web.mjs\nworker: node worker.mjs\n',
  'web.mjs': web,
  'worker.mjs': `console.log('working'); setInterval(() => undefined, 1000);`,
};
