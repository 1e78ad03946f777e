import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { request } from 'undici';
import { z } from 'zod';
import type { RegionEntry } from '../../src/region/registry.js';
import { listeningPort } from '../../src/shared/listening-port.js';

const looks = new Set([
  ...['describe', 'listApps', 'findApp', 'health', 'listDeployments', 'verifyBuild', 'memoryOf'],
  ...[
    'room',
    'offerProbe',
    'reach',
    'takeSample',
    'inspect',
    'following',
    'position',
    'holdReport',
  ],
]);

/** A change that a migration asks of a region. */
export interface Change {
  readonly region: string;
  readonly verb: string;
  /** JSON. */
  readonly body: string;
}

/** Stands between a server and an agent, and changes what the agent says of itself. */
export class Tampering {
  /** Keys of what a verb answers, and what they are made to be. */
  readonly #edits = new Map<string, Record<string, unknown>>();
  readonly #servers: Server[] = [];
  /** Regions that cannot be reached, and when they can be again. */
  readonly #cuts = new Map<string, { refuses: boolean; over: Promise<void> }>();
  /** Called before a change that a migration makes is passed on. */
  beforeChange: (change: Change) => Promise<void> = async () => undefined;
  /** Called when it has been made, and before that is answered. */
  afterChange: (change: Change) => Promise<void> = async () => undefined;
  /** What a region answers to a change, as the migration is to hear it. */
  answerTo: (change: Change, answer: unknown) => Promise<unknown> = async (_, answer) => answer;

  /** What is asked of the region named, and answered. @returns where the server reaches it */
  async between(entry: RegionEntry): Promise<RegionEntry> {
    const server = createServer(async (incoming, outgoing) => {
      const cut = this.#cuts.get(entry.name);
      if (cut?.refuses) return void outgoing.destroy();
      const edit = this.#edits.get(`${entry.name}${incoming.url}`);
      const { authorization, 'content-type': type, 'godwit-migration': by } = incoming.headers;
      const turn = incoming.headers['godwit-turn'];
      const verb = incoming.url?.replace('/v1/', '') ?? '';
      const body = await read(incoming);
      await cut?.over;
      const change =
        by === undefined || looks.has(verb)
          ? null
          : { region: entry.name, verb, body: body.toString() };
      if (change) await this.beforeChange(change);
      const answer = await request(`${entry.url}${incoming.url}`, {
        method: z.enum(['GET', 'POST', 'PUT']).parse(incoming.method),
        headers: {
          ...{ authorization, 'content-type': type },
          ...(by !== undefined && { 'godwit-migration': by }),
          ...(turn !== undefined && { 'godwit-turn': turn }),
        },
        body: incoming.method === 'GET' ? null : body,
      }).catch(() => null);
      if (!answer) return void outgoing.destroy(); // the agent is away
      const text = await answer.body.text();
      if (change) await this.afterChange(change);
      let said = edit ? JSON.stringify({ ...JSON.parse(text), ...edit }) : text;
      if (change && answer.statusCode === 200) {
        said = JSON.stringify(await this.answerTo(change, JSON.parse(said)));
      }
      outgoing.writeHead(answer.statusCode, { 'content-type': 'application/json' });
      outgoing.end(said);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    this.#servers.push(server);
    return { ...entry, url: `http://127.0.0.1:${listeningPort(server)}` };
  }

  /**
   * Cuts the way to a region: who asks is refused, or hears nothing for as long as that goes on;
   * the region hears of it then, however late.
   * @returns how to end that
   */
  cut(region: string, { refuses }: { refuses: boolean }): () => void {
    let mend: () => void = () => undefined;
    const over = new Promise<void>((resolve) => {
      mend = resolve;
    });
    this.#cuts.set(region, { refuses, over });
    return () => {
      this.#cuts.delete(region);
      mend();
    };
  }

  /** From now on, beside what it was made to say before. */
  change(region: string, verb: string, edit: Record<string, unknown>): void {
    const key = `${region}/v1/${verb}`;
    this.#edits.set(key, { ...this.#edits.get(key), ...edit });
  }

  /** It says the truth again. */
  restore(region: string, verb: string): void {
    this.#edits.delete(`${region}/v1/${verb}`);
  }

  clear(): void {
    this.#edits.clear();
  }

  close(): void {
    for (const server of this.#servers) {
      server.closeAllConnections();
      server.close();
    }
  }
}

async function read(stream: NodeJS.ReadableStream): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}
